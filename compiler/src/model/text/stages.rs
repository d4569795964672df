//! The stages of a model as text: the resolved recipe of each, nothing left out.

use super::super::{
    Augment, Cadence, Corpus, DataRecipe, Documents, Drawn, End, Growth, GrowthInit, Horizon, Images, Metric, Model,
    Optimizer, Rows, Rule, ScalePolicy, Schedule, ScheduleKind, ScheduleSpan, Stage, TokenizerSource, TrainRecipe,
    Until, Validation,
};

impl Model {
    /// One line for the stage's name, the others indented below it.
    pub(super) fn stage_text(&self, stage: &Stage) -> Vec<String> {
        let mut lines = vec![format!("{:?} seed {}", stage.name, stage.seed)];
        let mut add = |what: &str, text: String| {
            if !text.is_empty() {
                lines.push(format!("  {what} {text}"));
            }
        };
        add("tokens", self.tokens_text(&stage.tokens));
        add("from", stage.from.as_ref().map(|path| format!("{path:?}")).unwrap_or_default());
        add("growth", stage.growth.as_ref().map(|growth| self.growth_text(growth)).unwrap_or_default());
        add("data", stage.data.as_ref().map(data).unwrap_or_default());
        add("train", stage.train.as_ref().map(train).unwrap_or_default());
        for rule in stage.train.iter().flat_map(|train| &train.rules) {
            add("on", rule_text(rule));
        }
        add("end", end(&stage.end));
        lines
    }

    /// Each group with its tokens: one number where all its instances agree.
    fn tokens_text(&self, tokens: &[i64]) -> String {
        let group = |(index, group): (usize, &super::super::TokenGroup)| {
            let own = self.token_axes.iter().zip(tokens).filter(|(axis, _)| axis.group == index).map(|(_, n)| *n);
            let mut own: Vec<i64> = own.collect();
            if own.windows(2).all(|pair| pair[0] == pair[1]) {
                own.truncate(1);
            }
            let numbers: Vec<String> = own.iter().map(i64::to_string).collect();
            (!own.is_empty()).then(|| format!("{}={}", group.name, numbers.join(",")))
        };
        let groups: Vec<String> = self.token_groups.iter().enumerate().filter_map(group).collect();
        groups.join(" ")
    }

    fn growth_text(&self, growth: &Growth) -> String {
        let drawn = |rows: &Drawn| match rows {
            Drawn::AsModel => "model".to_string(),
            Drawn::AsOld => "normal(old)".to_string(),
            Drawn::From(init) => self.init_text(init),
        };
        let init = match &growth.init {
            GrowthInit::New { keys, values } => format!("keys={} values={}", drawn(keys), drawn(values)),
            GrowthInit::Split { noise } => format!("split noise={noise}"),
        };
        let scale = match growth.scale {
            ScalePolicy::Keep => "keep".to_string(),
            ScalePolicy::Retune { over } => format!("retune({over})"),
        };
        let optimizer = if growth.keep_optimizer { "keep" } else { "reset" };
        let data = if growth.continue_data { "continue" } else { "restart" };
        let expect = growth.expect.as_ref().map(|expect| format!(" preserve={:?}", expect.tolerance));
        format!("{init} scale={scale} optimizer={optimizer} data={data}{}", expect.unwrap_or_default())
    }
}

fn data(data: &DataRecipe) -> String {
    let set = |validation: &Validation| match validation {
        Validation::Paths(corpus) => paths(corpus),
        Validation::HoldOut(part) => format!("hold_out({part})"),
    };
    let named = |(name, validation): &(String, Validation)| match name.as_str() {
        "" => set(validation),
        name => format!("{name}={}", set(validation)),
    };
    let validate: Vec<String> = data.validate.iter().map(named).collect();
    let tokenizer = match &data.tokenizer {
        TokenizerSource::Bytes => "bytes".to_string(),
        TokenizerSource::File(path) => format!("{path:?}"),
    };
    let documents = match &data.documents {
        Documents::Join { end: None } => "join".to_string(),
        Documents::Join { end: Some(end) } => format!("join({end:?})"),
        Documents::Separate => "separate".to_string(),
    };
    let images = data.images.as_ref().map(|Images { mean, std, augment }| {
        let augment = augment.map_or(String::new(), |Augment { crop, flip }| format!(" crop={crop:?} flip={flip}"));
        format!(" images mean={mean:?} std={std:?}{augment}")
    });
    format!(
        "{} validate {} tokenizer {tokenizer} documents {documents}{}",
        paths(&data.train),
        validate.join(" "),
        images.unwrap_or_default()
    )
}

fn paths(corpus: &Corpus) -> String {
    format!("{:?}", corpus.paths)
}

fn train(train: &TrainRecipe) -> String {
    let precision = train.precision.name();
    let Optimizer { lr, beta1, beta2, eps, decay, clip } = &train.optimizer;
    let clip = clip.map(|clip| format!(" clip={clip:?}")).unwrap_or_default();
    let every = |what: &str, cadence: Option<Cadence>, also: &str, count: Option<u64>| {
        let Some(Cadence::Every(steps)) = cadence else { return String::new() };
        let count = count.map(|count| format!(" {also}={count}")).unwrap_or_default();
        format!(" {what} every={steps}{count}")
    };
    format!(
        "batch={} precision={precision} adamw lr={lr:?} betas={beta1:?},{beta2:?} eps={eps:?} decay={decay:?}{clip} {}{}{}",
        train.batch,
        schedule(&train.schedule),
        every("evaluate", train.evaluate, "batches", train.evaluate_batches),
        every("checkpoint", train.checkpoint, "keep", train.keep),
    )
}

fn schedule(Schedule { kind, warmup, floor, horizon }: &Schedule) -> String {
    let kind = match kind {
        ScheduleKind::Cosine => "cosine".to_string(),
        ScheduleKind::Linear => "linear".to_string(),
        ScheduleKind::Constant => "constant".to_string(),
        ScheduleKind::Wsd { decay } => format!("wsd decay={}", span(decay)),
    };
    let horizon = match horizon {
        Horizon::Stage => "stage",
        Horizon::Run => "run",
    };
    format!("{kind} warmup={} floor={floor:?} over={horizon}", span(warmup))
}

fn span(span: &ScheduleSpan) -> String {
    match span {
        ScheduleSpan::Steps(steps) => steps.to_string(),
        ScheduleSpan::Fraction(fraction) => format!("{fraction:?}"),
    }
}

fn rule_text(rule: &Rule) -> String {
    let rows = match rule.rows {
        Rows::All => "all rows",
        Rows::Old => "old rows",
        Rows::New => "new rows",
    };
    let mut text = format!("{rows} of {} parameters", rule.parameters.len());
    text += &rule.lr.map(|lr| format!(" lr*={lr:?}")).unwrap_or_default();
    text += &rule.decay.map(|decay| format!(" decay={decay:?}")).unwrap_or_default();
    text += &rule.freeze.map(|freeze| format!(" freeze={freeze}")).unwrap_or_default();
    text
}

fn end(End { steps, tokens, flops, until }: &End) -> String {
    let until = until.as_ref().map(|until| match until {
        Until::Plateau { metric: Metric(metric), patience, delta } => {
            format!("until {metric} stays within {delta:?} for {patience}")
        }
        Until::AtMost { metric: Metric(metric), value } => format!("until {metric}<={value:?}"),
        Until::AtLeast { metric: Metric(metric), value } => format!("until {metric}>={value:?}"),
    });
    let ends = [
        steps.map(|steps| format!("steps={steps}")),
        tokens.map(|tokens| format!("tokens={tokens}")),
        flops.map(|flops| format!("flops={flops:?}")),
        until,
    ];
    ends.into_iter().flatten().collect::<Vec<_>>().join(" ")
}
