//! A stage as a list of fields in words, the same list for every stage.

use super::{Change, Field};
use tfc_compiler::model::{
    Amount, Cadence, Corpus, DataRecipe, Documents, Drawn, GrowthInit, Horizon, Images, Init, Metric, Model, Rows,
    Rule, ScalePolicy, Schedule, ScheduleKind, ScheduleSpan, Stage, TokenizerSource, TrainRecipe, Until, Validation,
};

pub fn fields(model: &Model, stage: &Stage) -> Vec<Field> {
    let tokens: Vec<String> =
        model.token_axes.iter().zip(&stage.tokens).map(|(axis, n)| format!("{} {n}", axis.path)).collect();
    let mut fields = vec![
        field("tokens", tokens.join(", "), Change::Impossible),
        field("seed", stage.seed.to_string(), Change::OnlyAccepted),
        field("from", or_none(&stage.from, String::clone), Change::Free),
        field("steps", or_none(&stage.end.steps, u64::to_string), Change::Free),
        field("tokens to train on", or_none(&stage.end.tokens, u64::to_string), Change::Free),
        field("flops", or_none(&stage.end.flops, f64::to_string), Change::Free),
        field("until", or_none(&stage.end.until, until), Change::Free),
    ];
    growth(stage, &mut fields);
    train(model, stage.train.as_ref(), &mut fields);
    data(stage.data.as_ref(), &mut fields);
    fields
}

/// How the model grew into the present stage is past, so nothing of it matters any more.
fn growth(stage: &Stage, fields: &mut Vec<Field>) {
    let growth = stage.growth.as_ref();
    let keep = |keep: bool, otherwise: &str| if keep { "keep".to_string() } else { otherwise.to_string() };
    fields.extend([
        field("init", or_none(&growth.map(|g| &g.init), |init| growth_init(init)), Change::Free),
        field("scale", or_none(&growth.map(|g| g.scale), scale), Change::Free),
        field("optimizer at growth", or_none(&growth.map(|g| g.keep_optimizer), |k| keep(*k, "reset")), Change::Free),
        field("data at growth", or_none(&growth.map(|g| g.continue_data), |k| keep(*k, "restart")), Change::Free),
    ]);
}

fn train(model: &Model, train: Option<&TrainRecipe>, fields: &mut Vec<Field>) {
    let of = |value: &dyn Fn(&TrainRecipe) -> String| train.map_or_else(none, value);
    let free = [
        ("evaluate", of(&|t| or_none(&t.evaluate, every))),
        ("evaluate batches", of(&|t| or_none(&t.evaluate_batches, u64::to_string))),
        ("checkpoint", of(&|t| or_none(&t.checkpoint, every))),
        ("keep", of(&|t| or_none(&t.keep, u64::to_string))),
    ];
    let present = [
        ("batch", of(&|t| t.batch.to_string())),
        ("precision", of(&|t| t.precision.name().to_string())),
        ("lr", of(&|t| t.optimizer.lr.to_string())),
        ("betas", of(&|t| format!("({}, {})", t.optimizer.beta1, t.optimizer.beta2))),
        ("eps", of(&|t| t.optimizer.eps.to_string())),
        ("decay", of(&|t| t.optimizer.decay.to_string())),
        ("clip", of(&|t| or_none(&t.optimizer.clip, f64::to_string))),
        ("schedule", of(&|t| schedule(&t.schedule))),
        ("rules", of(&|t| rules(model, &t.rules))),
    ];
    fields.extend(free.map(|(name, value)| field(name, value, Change::Free)));
    fields.extend(present.map(|(name, value)| field(name, value, Change::OnlyAccepted)));
}

fn data(data: Option<&DataRecipe>, fields: &mut Vec<Field>) {
    let of = |value: &dyn Fn(&DataRecipe) -> String| data.map_or_else(none, value);
    let held_out = |d: &DataRecipe| {
        let kinds: Vec<String> = d.validate.iter().filter_map(|(_, validation)| hold_out(validation)).collect();
        kinds.join(", ")
    };
    fields.extend([
        field("train", of(&|d| paths(&d.train)), Change::Free),
        field("validate", of(&|d| d.validate.iter().map(validation).collect::<Vec<_>>().join(", ")), Change::Free),
        field("hold_out", of(&held_out), Change::OnlyAccepted),
        field("tokenizer", of(&|d| tokenizer(&d.tokenizer)), Change::Free),
        field("documents", of(&|d| documents(&d.documents)), Change::OnlyAccepted),
        field("images", of(&|d| or_none(&d.images, images)), Change::OnlyAccepted),
    ]);
}

fn field(name: &'static str, value: String, change: Change) -> Field {
    Field { name, value, change }
}

fn none() -> String {
    "none".to_string()
}

fn images(images: &Images) -> String {
    let augment = images
        .augment
        .map_or(String::new(), |a| format!(", crop {}, flip {}", or_none(&a.crop, f64::to_string), a.flip));
    format!("mean {:?}, std {:?}{augment}", images.mean, images.std)
}

fn or_none<T>(value: &Option<T>, text: impl Fn(&T) -> String) -> String {
    value.as_ref().map_or_else(none, text)
}

fn every(Cadence::Every(steps): &Cadence) -> String {
    format!("every({steps})")
}

fn until(until: &Until) -> String {
    match until {
        Until::Plateau { metric: Metric(name), patience, delta } => {
            format!("plateau({name}, patience = {patience}, delta = {delta})")
        }
        Until::AtMost { metric: Metric(name), value } => format!("{name} <= {value}"),
        Until::AtLeast { metric: Metric(name), value } => format!("{name} >= {value}"),
    }
}

fn schedule(schedule: &Schedule) -> String {
    let part = |span: &ScheduleSpan| match span {
        ScheduleSpan::Steps(steps) => steps.to_string(),
        ScheduleSpan::Fraction(fraction) => format!("{}%", fraction * 100.0),
    };
    let [name, decay] = match &schedule.kind {
        ScheduleKind::Cosine => ["cosine".to_string(), String::new()],
        ScheduleKind::Linear => ["linear".to_string(), String::new()],
        ScheduleKind::Constant => ["constant".to_string(), String::new()],
        ScheduleKind::Wsd { decay } => ["wsd".to_string(), format!("decay = {}, ", part(decay))],
    };
    let over = match schedule.horizon {
        Horizon::Stage => "restart",
        Horizon::Run => "continue",
    };
    format!("{name}({decay}warmup = {}, floor = {}, {over})", part(&schedule.warmup), schedule.floor)
}

fn rules(model: &Model, rules: &[Rule]) -> String {
    let texts: Vec<String> = rules.iter().map(|r| rule(model, r)).collect();
    if texts.is_empty() { none() } else { texts.join("; ") }
}

fn rule(model: &Model, rule: &Rule) -> String {
    let rows = match rule.rows {
        Rows::All => "",
        Rows::Old => "old rows of ",
        Rows::New => "new rows of ",
    };
    let paths: Vec<&str> = rule.parameters.iter().map(|i| model.parameters[*i].path.as_str()).collect();
    let lr = rule.lr.map(|lr| format!("lr *= {lr}"));
    let decay = rule.decay.map(|decay| format!("decay = {decay}"));
    let freeze = rule.freeze.map(|freeze| format!("freeze = {freeze}"));
    let said: Vec<String> = [lr, decay, freeze].into_iter().flatten().collect();
    format!("{{ {} }} on {rows}{}", said.join("  "), paths.join(" "))
}

fn scale(policy: &ScalePolicy) -> String {
    match policy {
        ScalePolicy::Keep => "keep".to_string(),
        ScalePolicy::Retune { over: 0 } => "retune".to_string(),
        ScalePolicy::Retune { over } => format!("retune(over = {over})"),
    }
}

fn growth_init(growth: &GrowthInit) -> String {
    match growth {
        GrowthInit::New { keys, values } => {
            let of = |rows: &Drawn| match rows {
                Drawn::AsModel => "model".to_string(),
                Drawn::AsOld => "normal(old)".to_string(),
                Drawn::From(init) => distribution(init),
            };
            format!("(keys = {}, values = {})", of(keys), of(values))
        }
        GrowthInit::Split { noise } => format!("split(noise = {noise})"),
    }
}

fn distribution(init: &Init) -> String {
    let number = |amount: &Amount| amount.as_constant().map_or(format!("{amount:?}"), |x| x.to_string());
    match init {
        Init::Zero => "zero".to_string(),
        Init::One => "one".to_string(),
        Init::Normal { std } => format!("normal({})", number(std)),
        Init::Uniform { bound } => format!("uniform({})", number(bound)),
    }
}

fn paths(corpus: &Corpus) -> String {
    corpus.paths.join(", ")
}

fn validation((name, validation): &(String, Validation)) -> String {
    match validation {
        Validation::Paths(corpus) => format!("{name}: {}", paths(corpus)),
        Validation::HoldOut(_) => format!("{name}: held out"),
    }
}

fn hold_out(validation: &Validation) -> Option<String> {
    match validation {
        Validation::Paths(_) => None,
        Validation::HoldOut(fraction) => Some(format!("{}%", fraction * 100.0)),
    }
}

fn tokenizer(source: &TokenizerSource) -> String {
    match source {
        TokenizerSource::Bytes => "bytes".to_string(),
        TokenizerSource::File(path) => path.clone(),
    }
}

fn documents(documents: &Documents) -> String {
    match documents {
        Documents::Join { end: Some(end) } => format!("join(end = {end:?})"),
        Documents::Join { end: None } => "join".to_string(),
        Documents::Separate => "separate".to_string(),
    }
}
