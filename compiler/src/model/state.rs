//! What stages make of a model: the numbers of tokens and the scales in each.

use super::{End, Model, ScalePolicy, Stage};
use crate::size::{Size, SizeValues};

/// The scales of one stage, by index into `Model::scales`.
#[derive(Clone, Debug, PartialEq)]
pub struct StageScales {
    /// Right after the growth, before the first step.
    pub at_start: Vec<f64>,
    /// After its last step.
    pub settled: Vec<f64>,
    /// Whether `settled` is so: a `retune(over = …)` may not be done in a stage that ends when something is reached, and a checkpoint that is loaded may have
    /// been kept from its rule.
    pub is_known: bool,
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

    /// A scale follows its rule in the first stage; later as the growth says. That a retuning is done before its stage ends is assumed where nobody knows how
    /// many updates the stage has, and so it is of a checkpoint that is loaded.
    pub fn stage_scales(&self, stage: usize) -> StageScales {
        let ruled = |stage: usize| -> Vec<f64> {
            let sizes = self.stage_sizes(stage);
            self.scales.iter().map(|scale| scale.rule.eval(&sizes)).collect()
        };
        let is_trained = |stage: usize| self.experiment.stages[stage].from.is_none();
        let mut scales = StageScales { at_start: ruled(0), settled: ruled(0), is_known: is_trained(0) };
        let mut retuning: Option<Retuning> = None;
        for (i, this) in self.experiment.stages.iter().enumerate().take(stage + 1).skip(1) {
            let StageScales { settled: before, mut is_known, .. } = scales;
            let policy = this.growth.as_ref().map(|growth| growth.scale);
            if !is_trained(i) {
                (retuning, is_known) = (None, false);
            }
            let at_start = match policy {
                _ if !is_trained(i) => ruled(i),
                None => before,
                Some(ScalePolicy::Keep) => {
                    retuning = None;
                    before
                }
                Some(ScalePolicy::Retune { over: 0 }) => {
                    (retuning, is_known) = (None, true);
                    ruled(i)
                }
                Some(ScalePolicy::Retune { over }) => {
                    retuning = Some(Retuning { from: before.clone(), from_is_known: is_known, over, done: Some(0) });
                    before
                }
            };
            let settled = match retuning.take() {
                None => at_start.clone(),
                Some(mut on_its_way) => {
                    let progress = on_its_way.after(self.known_updates(this));
                    is_known = progress == Some(1.0) || (progress.is_some() && on_its_way.from_is_known);
                    let settled = on_its_way.at(progress.unwrap_or(1.0), ruled(i));
                    // What is done stays so, however long later stages are.
                    retuning = Some(on_its_way).filter(|_| progress != Some(1.0));
                    settled
                }
            };
            scales = StageScales { at_start, settled, is_known };
        }
        scales
    }

    /// How many updates a stage has, if that is said.
    fn known_updates(&self, stage: &Stage) -> Option<u64> {
        let End { steps, tokens, flops: None, until: None } = stage.end else { return None };
        let each = stage.train.as_ref()?.batch.checked_mul(self.context.unwrap_or(1).max(1) as u64)?;
        let of_tokens = tokens.map(|tokens| tokens.div_ceil(each.max(1)));
        steps.into_iter().chain(of_tokens).min()
    }
}

/// Scales on their way to their rules, from where they were.
struct Retuning {
    from: Vec<f64>,
    from_is_known: bool,
    over: u64,
    /// Updates so far, if that is known.
    done: Option<u64>,
}

impl Retuning {
    /// How far it is after so many more updates: 1 at the end.
    fn after(&mut self, updates: Option<u64>) -> Option<f64> {
        self.done = self.done.zip(updates).map(|(done, more)| done.saturating_add(more));
        self.done.map(|done| (done as f64 / self.over as f64).min(1.0))
    }

    fn at(&self, progress: f64, rules: Vec<f64>) -> Vec<f64> {
        let on_the_line =
            |(from, rule): (&f64, f64)| if progress < 1.0 { from + (rule - from) * progress } else { rule };
        self.from.iter().zip(rules).map(on_the_line).collect()
    }
}

#[cfg(test)]
mod tests {
    use crate::check::tests::model;

    /// The scale, sqrt(n), after each stage, and whether that is known, where the second retunes it over 100 steps.
    fn settled(second: &str, third: &str) -> Vec<(f64, bool)> {
        let text = format!(
            "model m {{
               tokens n = 16
               forward(ids: token_ids[8]) {{
                 e = embed(ids, 31, 16)
                 logits = unembed(pattention(e, n), tied = e)
               }}
               loss = cross_entropy(logits, next(ids))
             }}
             data {{ train = \"a\"  tokenizer = bytes }}
             train {{ batch = 2  optimizer = adamw(lr = 1e-3) }}
             grow {{
               stage \"a\" {{ steps = 4 }}
               stage \"b\" {{ n = 64  scale = retune(over = 100)  {second} }}
               stage \"c\" {{ {third} }}
             }}"
        );
        let model = model(&text.replace("31", "256"));
        (0..3).map(|stage| model.stage_scales(stage)).map(|scales| (scales.settled[0], scales.is_known)).collect()
    }

    #[test]
    fn a_retuning_is_as_far_as_there_were_updates() {
        assert_eq!(settled("steps = 25", "steps = 50"), [(4.0, true), (5.0, true), (7.0, true)]);
        assert_eq!(settled("tokens = 800", "steps = 1"), [(4.0, true), (6.0, true), (6.04, true)]);
        assert_eq!(settled("steps = 25", "steps = 75"), [(4.0, true), (5.0, true), (8.0, true)]);
        assert_eq!(settled("steps = 25", "n = 80  steps = 9  scale = keep")[2], (5.0, true));
        assert_eq!(settled("steps = 25", "steps = 9  scale = retune")[2], (8.0, true));
    }

    /// It may have been kept from its rule where it was trained.
    #[test]
    fn what_is_loaded_may_be_anywhere() {
        let loaded = settled("steps = 25", "from = \"a\"");
        assert_eq!(loaded, [(4.0, true), (5.0, true), (8.0, false)]);
    }

    #[test]
    fn a_stage_that_may_end_earlier_leaves_it_anywhere() {
        let until = "flops = 1e15";
        assert_eq!(settled(until, "steps = 9"), [(4.0, true), (8.0, false), (8.0, false)]);
        assert_eq!(settled(until, "steps = 9  scale = retune")[2], (8.0, true));
        assert!(!settled(until, "n = 80  steps = 50  scale = retune(over = 100)")[2].1);
        assert_eq!(settled(until, "n = 256  steps = 100  scale = retune(over = 100)")[2], (16.0, true));
        // What is done before stays done.
        assert_eq!(settled("steps = 100", until), [(4.0, true), (8.0, true), (8.0, true)]);
    }
}
