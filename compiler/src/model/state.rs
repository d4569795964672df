//! What stages make of a model: the numbers of tokens and the scales in each.

use super::{Model, ScalePolicy};
use crate::size::{Size, SizeValues};

/// The scales of one stage, by index into `Model::scales`.
#[derive(Clone, Debug, PartialEq)]
pub struct StageScales {
    /// Right after the growth, before the first step.
    pub at_start: Vec<f64>,
    /// When a `retune(over = …)` is done.
    pub settled: Vec<f64>,
}

impl Model {
    /// How many numbers the model learns, at these sizes.
    pub fn parameter_count(&self, sizes: &SizeValues) -> i64 {
        self.parameters.iter().map(|p| Size::product(&p.shape).eval(sizes)).fold(0, i64::saturating_add)
    }

    /// The parameter tokens of a stage as numbers of their symbols.
    pub fn stage_sizes(&self, stage: usize) -> SizeValues {
        self.token_sizes(&self.experiment.stages[stage].tokens)
    }

    /// Tokens per [`super::TokenAxis`] as numbers of their symbols; all other symbols are as in [`SizeValues::new`].
    pub fn token_sizes(&self, tokens: &[i64]) -> SizeValues {
        let mut sizes = SizeValues::new(&self.symbols);
        for (axis, tokens) in self.token_axes.iter().zip(tokens) {
            sizes.set(axis.symbol, *tokens);
        }
        sizes
    }

    /// A scale follows its rule in the first stage and in one that is loaded; later as the growth says. That a retuning is
    /// done before its stage ends is assumed.
    pub fn stage_scales(&self, stage: usize) -> StageScales {
        let ruled = |stage: usize| -> Vec<f64> {
            let sizes = self.stage_sizes(stage);
            self.scales.iter().map(|scale| scale.rule.eval(&sizes)).collect()
        };
        let mut scales = StageScales { at_start: ruled(0), settled: ruled(0) };
        for (i, this) in self.experiment.stages.iter().enumerate().take(stage + 1).skip(1) {
            let before = scales.settled;
            scales = match &this.growth {
                _ if this.from.is_some() => StageScales { at_start: ruled(i), settled: ruled(i) },
                None => StageScales { at_start: before.clone(), settled: before },
                Some(growth) => match growth.scale {
                    ScalePolicy::Keep => StageScales { at_start: before.clone(), settled: before },
                    ScalePolicy::Retune { over: 0 } => StageScales { at_start: ruled(i), settled: ruled(i) },
                    ScalePolicy::Retune { over: _ } => StageScales { at_start: before, settled: ruled(i) },
                },
            };
        }
        scales
    }
}
