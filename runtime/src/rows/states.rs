//! The row states of a session: what the rules of a stage say, and the bias corrections, which change from step to step.

use super::{Age, Descent, Lineage, Segment, Treatment, treatment};
use crate::Result;
use crate::device::{HostTensor, Session, shape_at};
use tfc_compiler::model::{Model, TrainRecipe};
use tfc_compiler::storage::{RowState, Storage};

/// Keeps a session's row states in step with the segments during one stage.
pub struct RowStates {
    betas: [f64; 2],
    /// By parameter, then by axis and segment.
    treatments: Vec<Vec<Vec<Treatment>>>,
    /// The corrections as they were last written, to write only what changes: once βᵗ is below what a number resolves,
    /// nothing does.
    corrections: Vec<Vec<Vec<[f64; 2]>>>,
}

impl RowStates {
    /// Applies the rules of `recipe` and writes what they say.
    ///
    /// # Errors
    /// The device gave up.
    pub fn write(
        model: &Model,
        lineages: &[Lineage],
        last_growth: Option<usize>,
        recipe: &TrainRecipe,
        session: &mut dyn Session,
    ) -> Result<RowStates> {
        let treatments_of = |(index, lineage): (usize, &Lineage)| {
            let parameter = &model.parameters[index];
            let age = |segment: &Segment| Age::of(segment, parameter, last_growth);
            lineage.of_segments(|segment| treatment(recipe, index, parameter, age(segment)))
        };
        let betas = [recipe.optimizer.beta1, recipe.optimizer.beta2];
        let treatments: Vec<Vec<Vec<Treatment>>> = lineages.iter().enumerate().map(treatments_of).collect();
        let states = RowStates { betas, treatments, corrections: vec![Vec::new(); lineages.len()] };
        for (index, lineage) in lineages.iter().enumerate() {
            let mut put = |state, of: fn(&Treatment) -> f64| {
                let values = each(&states.treatments[index], of);
                states.put(model, lineage, index, state, &values, session)
            };
            put(RowState::Trainable, |treatment| f64::from(u8::from(treatment.trainable)))?;
            put(RowState::LearningRate, |treatment| treatment.lr)?;
            put(RowState::Decay, |treatment| treatment.decay)?;
        }
        Ok(states)
    }

    /// Writes the bias corrections of the coming update. Frozen rows get those they would have, never the 0 of no update.
    ///
    /// # Errors
    /// The device gave up.
    pub fn before_update(&mut self, model: &Model, lineages: &[Lineage], session: &mut dyn Session) -> Result<()> {
        for (index, lineage) in lineages.iter().enumerate() {
            let correction = |updates| self.betas.map(|beta| 1.0 - libm::pow(beta, updates as f64));
            let now = lineage.of_segments(|segment| correction(segment.updates + 1));
            if now == self.corrections[index] {
                continue;
            }
            for (which, state) in [RowState::FirstCorrection, RowState::SecondCorrection].into_iter().enumerate() {
                let values = each(&now, |corrections| corrections[which]);
                self.put(model, lineage, index, state, &values, session)?;
            }
            self.corrections[index] = now;
        }
        Ok(())
    }

    /// Counts the update for the rows that had a part in it.
    pub fn after_update(&self, lineages: &mut [Lineage]) {
        for (lineage, treatments) in lineages.iter_mut().zip(&self.treatments) {
            for (segment, treatment) in lineage.segments_mut().zip(treatments.iter().flatten()) {
                segment.updates += u64::from(treatment.trainable);
            }
        }
    }

    /// Writes one row state of one parameter.
    fn put(
        &self,
        model: &Model,
        lineage: &Lineage,
        index: usize,
        state: RowState,
        values: &[Vec<f64>],
        session: &mut dyn Session,
    ) -> Result<()> {
        let shape = shape_at(&model.row_shape(index), session.sizes());
        let data = lineage.elements(values);
        session.write(Storage::Rows(index as u32, state), &HostTensor::F64 { shape, data })
    }
}

impl Lineage {
    /// A value for each segment, by axis.
    fn of_segments<T>(&self, value: impl Fn(&Segment) -> T) -> Vec<Vec<T>> {
        each(&self.axes, value)
    }

    /// A value per segment, repeated for its rows; where axes cross, that of the younger one.
    pub(super) fn elements(&self, values: &[Vec<f64>]) -> Vec<f64> {
        let axes = self.axes.iter().zip(values).map(|(segments, values)| {
            let rows = |(segment, value): (&Segment, &f64)| {
                std::iter::repeat_n((segment.descent(), *value), segment.rows as usize)
            };
            segments.iter().zip(values).flat_map(rows).collect()
        });
        let crossed = |outer: Vec<(Descent, f64)>, inner: Vec<(Descent, f64)>| {
            let younger = |a: (Descent, f64), b: (Descent, f64)| if a.0 > b.0 { a } else { b };
            outer.into_iter().flat_map(|a| inner.iter().map(move |b| younger(a, *b))).collect()
        };
        axes.reduce(crossed).unwrap_or_default().into_iter().map(|(_, value)| value).collect()
    }
}

fn each<T, U>(axes: &[Vec<T>], value: impl Fn(&T) -> U) -> Vec<Vec<U>> {
    axes.iter().map(|segments| segments.iter().map(&value).collect()).collect()
}
