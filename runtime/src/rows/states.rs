//! The row states of a session: what the rules of a stage say, and the bias corrections, which change from step to step.

use super::{Age, Lineage, Segment, Treatment, treatment};
use crate::device::{HostTensor, Session, shape_at};
use tfc_compiler::model::{Model, TrainRecipe};
use tfc_compiler::storage::{RowState, Storage};

/// Keeps a session's row states in step with the segments during one stage.
pub struct RowStates {
    betas: [f64; 2],
    /// By parameter, then by segment.
    treatments: Vec<Vec<Treatment>>,
    /// The corrections as they were last written, to write only what changes: once βᵗ is below what a number resolves,
    /// nothing does.
    corrections: Vec<Vec<[f64; 2]>>,
}

impl RowStates {
    /// Applies the rules of `recipe` and writes what they say.
    pub fn write(
        model: &Model,
        lineages: &[Lineage],
        last_growth: Option<usize>,
        recipe: &TrainRecipe,
        session: &mut dyn Session,
    ) -> RowStates {
        let treatments_of = |(index, lineage): (usize, &Lineage)| {
            let parameter = &model.parameters[index];
            let age = |segment| Age::of(segment, parameter, last_growth);
            lineage.segments.iter().map(|segment| treatment(recipe, index, parameter, age(segment))).collect()
        };
        let betas = [recipe.optimizer.beta1, recipe.optimizer.beta2];
        let treatments: Vec<Vec<Treatment>> = lineages.iter().enumerate().map(treatments_of).collect();
        let states = RowStates { betas, treatments, corrections: vec![Vec::new(); lineages.len()] };
        for (index, lineage) in lineages.iter().enumerate() {
            let mut put = |state, of: fn(&Treatment) -> f64| {
                let values: Vec<f64> = states.treatments[index].iter().map(of).collect();
                states.put(model, lineage, index, state, &values, session);
            };
            put(RowState::Trainable, |treatment| f64::from(u8::from(treatment.trainable)));
            put(RowState::LearningRate, |treatment| treatment.lr);
            put(RowState::Decay, |treatment| treatment.decay);
        }
        states
    }

    /// Writes the bias corrections of the coming update. Frozen rows get those they would have, never the 0 of no update.
    pub fn before_update(&mut self, model: &Model, lineages: &[Lineage], session: &mut dyn Session) {
        for (index, lineage) in lineages.iter().enumerate() {
            let correction = |updates| self.betas.map(|beta| 1.0 - libm::pow(beta, updates as f64));
            let now: Vec<[f64; 2]> = lineage.segments.iter().map(|segment| correction(segment.updates + 1)).collect();
            if now == self.corrections[index] {
                continue;
            }
            for (which, state) in [RowState::FirstCorrection, RowState::SecondCorrection].into_iter().enumerate() {
                let values: Vec<f64> = now.iter().map(|corrections| corrections[which]).collect();
                self.put(model, lineage, index, state, &values, session);
            }
            self.corrections[index] = now;
        }
    }

    /// Counts the update for the rows that had a part in it.
    pub fn after_update(&self, lineages: &mut [Lineage]) {
        for (lineage, treatments) in lineages.iter_mut().zip(&self.treatments) {
            for (segment, treatment) in lineage.segments.iter_mut().zip(treatments) {
                segment.updates += u64::from(treatment.trainable);
            }
        }
    }

    /// Writes one row state of one parameter: a value per segment, repeated for its rows.
    fn put(
        &self,
        model: &Model,
        lineage: &Lineage,
        index: usize,
        state: RowState,
        values: &[f64],
        session: &mut dyn Session,
    ) {
        let repeated = |(segment, value): (&Segment, &f64)| std::iter::repeat_n(*value, segment.rows as usize);
        let rows: Vec<f64> = lineage.segments.iter().zip(values).flat_map(repeated).collect();
        let shape = shape_at(&model.row_shape(index), session.sizes());
        session.write(Storage::Rows(index as u32, state), &HostTensor::F64 { shape, data: rows });
    }
}
