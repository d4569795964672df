//! The row states of a session: what the rules of a stage say, and the bias corrections, which change from step to step.

use super::{Age, Lineage, Segment, Treatment, treatment};
use crate::Result;
use crate::device::{HostTensor, Session, shape_at};
use tfc_compiler::model::{Model, TrainRecipe};
use tfc_compiler::storage::{RowState, Storage};

/// Keeps a session's row states in step with the segments during one stage.
pub struct RowStates {
    betas: [f64; 2],
    /// By parameter, then by cell.
    treatments: Vec<Vec<Treatment>>,
    /// The corrections as they were last written, to write only what changes: once βᵗ is below what a number resolves,
    /// nothing does.
    corrections: Vec<Vec<[f64; 2]>>,
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
            let of = |cell: &Segment| treatment(recipe, index, parameter, Age::of(cell, parameter, last_growth));
            lineage.cells().iter().map(of).collect()
        };
        let betas = [recipe.optimizer.beta1, recipe.optimizer.beta2];
        let treatments: Vec<Vec<Treatment>> = lineages.iter().enumerate().map(treatments_of).collect();
        let states = RowStates { betas, treatments, corrections: vec![Vec::new(); lineages.len()] };
        for (index, lineage) in lineages.iter().enumerate() {
            let mut put = |state, of: fn(&Treatment) -> f64| {
                let values: Vec<f64> = states.treatments[index].iter().map(of).collect();
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
            let now: Vec<[f64; 2]> = lineage.updates.iter().map(|updates| correction(updates + 1)).collect();
            if now == self.corrections[index] {
                continue;
            }
            for (which, state) in [RowState::FirstCorrection, RowState::SecondCorrection].into_iter().enumerate() {
                let values: Vec<f64> = now.iter().map(|corrections| corrections[which]).collect();
                self.put(model, lineage, index, state, &values, session)?;
            }
            self.corrections[index] = now;
        }
        Ok(())
    }

    /// Counts the update for the cells that had a part in it.
    pub fn after_update(&self, lineages: &mut [Lineage]) {
        for (lineage, treatments) in lineages.iter_mut().zip(&self.treatments) {
            for (updates, treatment) in lineage.updates.iter_mut().zip(treatments) {
                *updates += u64::from(treatment.trainable);
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
        values: &[f64],
        session: &mut dyn Session,
    ) -> Result<()> {
        let shape = shape_at(&model.row_shape(index), session.sizes());
        let data = lineage.elements(values);
        session.write(Storage::Rows(index as u32, state), &HostTensor::F64 { shape, data })
    }
}

impl Lineage {
    /// For each cell the younger of its segments.
    pub(super) fn cells(&self) -> Vec<Segment> {
        let younger = |a: &Segment, b: &Segment| if a.descent() > b.descent() { *a } else { *b };
        self.axes.iter().cloned().reduce(|outer, inner| cross(&outer, &inner, younger)).unwrap_or_default()
    }

    /// A value per cell, repeated for its elements.
    pub(super) fn elements(&self, values: &[f64]) -> Vec<f64> {
        let rows = |(i, segment): (usize, &Segment)| std::iter::repeat_n(i, segment.rows as usize);
        let axes =
            self.axes.iter().map(|segments| (segments.len(), segments.iter().enumerate().flat_map(rows).collect()));
        let crossed = |(outer, cells): (usize, Vec<usize>), (inner, rows): (usize, Vec<usize>)| {
            (outer * inner, cross(&cells, &rows, |cell, row| cell * inner + row))
        };
        let (_, cells) = axes.reduce(crossed).unwrap_or_default();
        cells.into_iter().map(|cell| values[cell]).collect()
    }
}

/// Each of one with each of the other, the latter running faster.
fn cross<T, U>(outer: &[T], inner: &[T], of: impl Fn(&T, &T) -> U) -> Vec<U> {
    outer.iter().flat_map(|a| inner.iter().map(|b| of(a, b)).collect::<Vec<U>>()).collect()
}
