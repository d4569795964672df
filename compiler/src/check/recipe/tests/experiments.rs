//! What recipes without mistakes resolve to.

use super::{experiment, model};
use crate::model::{
    Cadence, Documents, Drawn, End, Experiment, Growth, GrowthInit, Horizon, Init, Metric, Optimizer, Rows,
    ScalePolicy, ScheduleKind, ScheduleSpan, TokenizerSource, Until, Validation,
};
use crate::precision::Precision;

const SMALLEST: &str = "train { batch = 8  optimizer = adamw(lr = 1e-3)  steps = 10 }\n";

/// The tokens of a stage by group: `qkv` and `ffn` of the four blocks, then `extra`.
fn tokens(experiment: &Experiment, stage: usize) -> ([i64; 4], [i64; 4], i64) {
    let tokens = &experiment.stages[stage].tokens;
    let of = |group: usize| std::array::from_fn(|block| tokens[2 * block + group]);
    (of(0), of(1), tokens[8])
}

#[test]
fn what_is_not_said_has_defaults() {
    let experiment = experiment(&format!("{SMALLEST}data {{ train = \"a\" }}"), &[]);
    assert_eq!(experiment.seed, 0);
    let [stage] = experiment.stages.as_slice() else { panic!("one stage") };
    assert_eq!(stage.name, "train");
    assert_eq!(tokens(&experiment, 0), ([16; 4], [64; 4], 10));
    assert_eq!(stage.growth, None);
    assert_eq!(stage.end, End { steps: Some(10), ..End::default() });
    let train = stage.train.as_ref().unwrap();
    assert_eq!((train.batch, train.precision), (8, Precision::F32));
    let optimizer = Optimizer { lr: 1e-3, beta1: 0.9, beta2: 0.95, eps: 1e-8, decay: 0.1, clip: Some(1.0) };
    assert_eq!(train.optimizer, optimizer);
    assert_eq!(train.schedule.kind, ScheduleKind::Constant);
    assert_eq!((train.evaluate, train.checkpoint, train.rules.len()), (None, None, 0));
    let data = stage.data.as_ref().unwrap();
    assert_eq!(data.train.paths, ["a"]);
    assert_eq!((&data.tokenizer, &data.documents), (&TokenizerSource::Bytes, &Documents::Join { end: None }));
    assert!(data.validate.is_empty() && data.images.is_none());
}

#[test]
fn everything_can_be_said() {
    let recipe = r#"
data {
  train = ("a", "b")
  validate = (books = "books", rest = hold_out(0.5%))
  tokenizer = "missing.json"
  documents = join(end = "<|endoftext|>")
}
train {
  batch = 2 * width
  precision = bf16
  optimizer = adamw(lr = 6e-4, betas = (0.8, 0.9), eps = 1e-6, decay = 0, clip = none)
  schedule = wsd(warmup = 1%, decay = 100, floor = 5%, continue)
  evaluate = every(1K, batches = 100)
  checkpoint = every(500, keep = 6)
  seed = 42
  tokens = 3B
  until = plateau(loss, patience = 3, delta = 0.2%)
}"#;
    let experiment = experiment(recipe, &[]);
    assert_eq!(experiment.seed, 42);
    let stage = &experiment.stages[0];
    let data = stage.data.as_ref().unwrap();
    assert_eq!(data.train.paths, ["a", "b"]);
    assert_eq!(data.validate[1], ("rest".into(), Validation::HoldOut(0.005)));
    assert_eq!(data.documents, Documents::Join { end: Some("<|endoftext|>".into()) });
    let train = stage.train.as_ref().unwrap();
    assert_eq!((train.batch, train.precision), (16, Precision::Bf16));
    let optimizer = Optimizer { lr: 6e-4, beta1: 0.8, beta2: 0.9, eps: 1e-6, decay: 0.0, clip: None };
    assert_eq!(train.optimizer, optimizer);
    assert_eq!(train.schedule.kind, ScheduleKind::Wsd { decay: ScheduleSpan::Steps(100) });
    assert_eq!(train.schedule.warmup, ScheduleSpan::Fraction(0.01));
    assert_eq!((train.schedule.floor, train.schedule.horizon), (0.05, Horizon::Run));
    assert_eq!((train.evaluate, train.evaluate_batches), (Some(Cadence::Every(1000)), Some(100)));
    assert_eq!((train.checkpoint, train.keep), (Some(Cadence::Every(500)), Some(6)));
    assert_eq!(stage.end.tokens, Some(3_000_000_000));
    let plateau = Until::Plateau { metric: Metric("loss".into()), patience: 3, delta: 0.002 };
    assert_eq!(stage.end.until, Some(plateau));
}

#[test]
fn a_growth_that_says_nothing_is_the_one_that_learned_fastest() {
    let recipe = r#"
data { train = "a"  validate = "v" }
train { batch = 8  optimizer = adamw(lr = 1e-3)  steps = 5 }
grow {
  stage "a" { }
  stage "b" { qkv *= 2 }
  stage "c" { qkv *= 2  init = (values = normal(old)) }
  stage "d" { steps = 6 }
}"#;
    let experiment = experiment(recipe, &[]);
    let [_, b, c, d] = experiment.stages.as_slice() else { panic!("four stages") };
    let b = b.growth.as_ref().unwrap();
    assert_eq!(b.init, GrowthInit::New { keys: Drawn::AsOld, values: Drawn::From(Init::Zero) });
    assert_eq!((b.scale, b.keep_optimizer, b.continue_data), (ScalePolicy::Retune { over: 0 }, true, true));
    let c = c.growth.as_ref().unwrap();
    assert_eq!(c.init, GrowthInit::New { keys: Drawn::AsModel, values: Drawn::AsOld });
    assert_eq!(d.growth, None, "where nothing grows, scales stay what they are");
}

#[test]
fn stages_inherit_and_override() {
    let recipe = r#"
data { train = "a" }
train {
  batch = 8  optimizer = adamw(lr = 1e-3)  schedule = cosine  evaluate = every(10)  steps = 5
  on norm { decay = 1 }
}
grow {
  init = (values = normal(0.02))
  scale = retune
  stage "a" { }
  stage "b" { qkv = 32  tokens = 1K  train = "b"  schedule = constant  on old { lr *= 0.1 } }
  stage "c" { qkv *= 2  init = split(noise = 1%)  scale = retune(over = 2K)  optimizer = reset  data = restart  expect preserve(1e-6) }
  stage "d" { qkv *= 2  init = model  scale = keep  optimizer = adamw(lr = 1)  until = accuracy >= 0.9  seed = 3 }
  stage "e" { scale = keep }
  stage "f" { from = "runs/f" }
}"#;
    // `validate` is missed only where there is a `data` that could have it.
    let recipe = recipe.replace("train = \"a\" }", "train = \"a\"  validate = \"v\" }");
    let experiment = experiment(&recipe, &[]);
    let [a, b, c, d, e, f] = experiment.stages.as_slice() else { panic!("six stages") };
    assert_eq!(a.growth, None);
    assert_eq!(a.end.steps, Some(5));

    assert_eq!(b.end, End { tokens: Some(1000), ..End::default() }, "a length of its own replaces the inherited");
    assert_eq!(b.data.as_ref().unwrap().train.paths, ["b"]);
    let Growth { init, scale, keep_optimizer, continue_data, expect, .. } = b.growth.clone().unwrap();
    let values = Drawn::From(Init::Normal { std: crate::model::Amount::Number(0.02) });
    assert_eq!(init, GrowthInit::New { keys: Drawn::AsModel, values });
    assert_eq!((scale, keep_optimizer, continue_data), (ScalePolicy::Retune { over: 0 }, true, true));
    assert_eq!(expect, None);
    let train = b.train.as_ref().unwrap();
    assert_eq!(train.schedule.kind, ScheduleKind::Constant);
    let rows: Vec<(Rows, Option<f64>, Option<f64>)> = train.rules.iter().map(|r| (r.rows, r.lr, r.decay)).collect();
    assert_eq!(rows, [(Rows::All, None, Some(1.0)), (Rows::Old, Some(0.1), None)]);
    assert_eq!(a.train.as_ref().unwrap().rules.len(), 1);

    let growth = c.growth.as_ref().unwrap();
    assert_eq!((&growth.init, growth.scale), (&GrowthInit::Split { noise: 0.01 }, ScalePolicy::Retune { over: 2000 }));
    assert_eq!((growth.keep_optimizer, growth.continue_data), (false, false));
    assert_eq!(growth.expect.as_ref().map(|e| e.tolerance), Some(1e-6));
    assert_eq!(c.train.as_ref().unwrap().optimizer.lr, 1e-3);

    assert_eq!(d.growth.as_ref().unwrap().init, GrowthInit::New { keys: Drawn::AsModel, values: Drawn::AsModel });
    assert!(d.growth.as_ref().unwrap().keep_optimizer, "a method is not what becomes of its moments");
    assert_eq!((d.train.as_ref().unwrap().optimizer.lr, d.seed, c.seed), (1.0, 3, 0));
    assert_eq!(d.end.until, Some(Until::AtLeast { metric: Metric("accuracy".into()), value: 0.9 }));
    assert_eq!(e.growth, None, "nothing changes");
    assert_eq!((f.from.as_deref(), &f.train), (Some("runs/f"), &None));
}

#[test]
fn tokens_grow_by_group_and_by_instance() {
    let recipe = r#"
grow {
  stage "declared" { }
  stage "all" { qkv = 24  extra += 2 }
  stage "some" { block[2..].qkv *= 2 }
  stage "seen" { extra = 2 * qkv  qkv += 8 }
  stage "one of all" { qkv = 100  block.1.qkv += 1 }
  stage "any" { *.qkv += 1  extra *= 2 }
}"#;
    let experiment = experiment(recipe, &[]);
    assert_eq!(tokens(&experiment, 0), ([16; 4], [64; 4], 10));
    assert_eq!(tokens(&experiment, 1), ([24; 4], [96; 4], 12));
    assert_eq!(tokens(&experiment, 2), ([24, 24, 48, 48], [96, 96, 192, 192], 12));
    // Outside of the repeat `qkv` is 24, and a right side sees the new values.
    assert_eq!(tokens(&experiment, 3), ([32, 32, 56, 56], [128, 128, 224, 224], 64));
    assert_eq!(tokens(&experiment, 4), ([100, 101, 100, 100], [400, 404, 400, 400], 64));
    assert_eq!(tokens(&experiment, 5), ([101, 102, 101, 101], [404, 408, 404, 404], 128));
}

#[test]
fn rules_select_parameters_and_rows() {
    let recipe = r#"
train {
  batch = 8  optimizer = adamw(lr = 1)  steps = 1
  on block[1..3].ffn { freeze }
  on q.keys { lr *= 0.5 }
  on * { decay = 0.2 }
  on new { freeze = false }
  on block.0.old { freeze }
}"#;
    let experiment = experiment(recipe, &[]);
    let model = model();
    let selected: Vec<(Vec<&str>, Rows)> = experiment.stages[0]
        .train
        .as_ref()
        .unwrap()
        .rules
        .iter()
        .map(|rule| (rule.parameters.iter().map(|i| model.parameters[*i].path.as_str()).collect(), rule.rows))
        .collect();
    let block = ["block.1.ffn.keys", "block.1.ffn.values", "block.2.ffn.keys", "block.2.ffn.values"];
    assert_eq!(selected[0], (block.to_vec(), Rows::All));
    let keys = (0..4).map(|i| format!("block.{i}.attend.q.keys")).collect::<Vec<_>>();
    assert_eq!(selected[1].0, keys);
    assert_eq!(selected[2].0.len(), model.parameters.len());
    assert_eq!((selected[3].0.len(), selected[3].1), (18, Rows::New));
    assert_eq!((selected[4].0.len(), selected[4].1), (4, Rows::Old));
}

#[test]
fn settings_are_put_where_they_belong() {
    let recipe = format!("{SMALLEST}grow {{\n  stage \"a\" {{ }}\n  stage \"b\" {{ qkv = 20 }}\n}}");
    let set = [
        "train.optimizer.lr=0.5",
        "train.schedule=cosine",
        "train.schedule.floor=20%",
        "train.batch=2*width",
        "grow.\"b\".steps=1K",
        "grow.b.optimizer.lr=7",
        "grow.\"b\".qkv=40",
        "grow.init=model",
    ];
    let experiment = experiment(&recipe, &set);
    let [a, b] = experiment.stages.as_slice() else { panic!("two stages") };
    let (a, b_train) = (a.train.as_ref().unwrap(), b.train.as_ref().unwrap());
    assert_eq!((a.batch, a.optimizer.lr, b_train.optimizer.lr), (16, 0.5, 7.0));
    assert_eq!((a.schedule.kind, a.schedule.floor), (ScheduleKind::Cosine, 0.2));
    assert_eq!(b.end.steps, Some(1000));
    assert_eq!(tokens(&experiment, 1).0, [40; 4]);
    assert_eq!(b.growth.as_ref().unwrap().init, GrowthInit::New { keys: Drawn::AsModel, values: Drawn::AsModel });
}
