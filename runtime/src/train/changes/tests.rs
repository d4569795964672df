//! Which change of a spec is taken, which is refused, and in which words.

use super::*;
use crate::fake;
use tfc_compiler::model::{
    Amount, Cadence, Constant, ConstantValue, Corpus, Init, Parameter, Rows, Rule, ScheduleSpan,
};
use tfc_compiler::size::Size;

fn model() -> Model {
    let mut second = fake::stage("second", 4, fake::steps(9));
    second.growth = Some(fake::zero_keys());
    let third = Stage { tokens: vec![8], ..second.clone() };
    fake::compiled(vec![fake::stage("first", 2, fake::steps(5)), second, third], true).model
}

/// The changes that `edit` makes, seen from the second of three stages.
fn changes(edit: impl FnOnce(&mut Model)) -> Changes {
    let mut after = model();
    edit(&mut after);
    compare(&model(), &after, 1)
}

fn taken(changes: &[&str]) -> Changes {
    Changes { taken: changes.iter().map(|s| s.to_string()).collect(), ..Changes::default() }
}

fn unless_accepted(changes: &[&str]) -> Changes {
    Changes { unless_accepted: changes.iter().map(|s| s.to_string()).collect(), ..Changes::default() }
}

fn impossible(changes: &[&str]) -> Changes {
    Changes { impossible: changes.iter().map(|s| s.to_string()).collect(), ..Changes::default() }
}

#[test]
fn nothing_changed() {
    assert_eq!(changes(|_| ()), Changes::default());
    assert_eq!(Changes::default().take(false), Ok(Vec::new()));
}

#[test]
fn ends_cadences_and_paths_are_taken() {
    let changed = changes(|model| {
        let stage = &mut model.experiment.stages[1];
        stage.end = fake::steps(20);
        let train = stage.train.as_mut().unwrap();
        train.evaluate = Some(Cadence::Every(7));
        train.checkpoint = None;
        train.keep = Some(9);
        stage.data.as_mut().unwrap().train = Corpus { paths: vec!["moved/a".to_string(), "moved/b".to_string()] };
    });
    let wanted = taken(&[
        "stage `second`: steps = 20 (was 9)",
        "stage `second`: evaluate = every(7) (was every(3))",
        "stage `second`: checkpoint = none (was every(4))",
        "stage `second`: keep = 9 (was 2)",
        "stage `second`: train = moved/a, moved/b (was numbers)",
    ]);
    assert_eq!(changed, wanted);
    assert_eq!(changed.clone().take(false), Ok(changed.taken));
}

#[test]
fn what_the_present_stage_does_must_be_accepted() {
    let changed = changes(|model| {
        model.experiment.stages[1].seed = 8;
        let train = model.experiment.stages[1].train.as_mut().unwrap();
        train.batch = 6;
        train.optimizer.lr = 1e-3;
        train.schedule.warmup = ScheduleSpan::Fraction(0.01);
        let rule = Rule {
            parameters: vec![0, 1],
            rows: Rows::Old,
            lr: Some(0.1),
            decay: None,
            freeze: Some(true),
            span: fake::span(),
        };
        train.rules = vec![rule];
    });
    let wanted = unless_accepted(&[
        "stage `second`: seed = 8 (was 7)",
        "stage `second`: batch = 6 (was 5)",
        "stage `second`: lr = 0.001 (was 0.02)",
        "stage `second`: schedule = cosine(warmup = 1%, floor = 0.1, restart) (was cosine(warmup = 2, floor = 0.1, restart))",
        "stage `second`: rules = { lr *= 0.1  freeze = true } on old rows of layer.keys layer.values (was none)",
    ]);
    assert_eq!(changed, wanted);
    assert_eq!(changed.clone().take(true), Ok(changed.unless_accepted.clone()));
    let refused = changed.take(false).unwrap_err().message;
    let (head, list) = refused.split_once('\n').unwrap();
    assert_eq!(
        head,
        "the spec changed in what the present stage does; undo it, or add `--accept-changes` to go on with it. What changed:"
    );
    assert_eq!(list.lines().next(), Some("  stage `second`: seed = 8 (was 7)"));
    assert_eq!(list.lines().count(), 5);
}

#[test]
fn stages_to_come_and_stages_past_may_change_as_they_like() {
    let changed = changes(|model| {
        let stages = &mut model.experiment.stages;
        stages[0].train.as_mut().unwrap().optimizer.lr = 0.5;
        stages[2].tokens = vec![16];
        stages[2].growth = None;
        stages.push(Stage { name: "fourth".to_string(), ..stages[0].clone() });
    });
    let wanted = taken(&[
        "stage `first`: lr = 0.5 (was 0.02)",
        "stage `second`: tokens = layer.tokens 16 (was layer.tokens 8)",
        "stage `second`: init = none (was (keys = zero, values = normal(0.1)))",
        "stage `second`: scale = none (was keep)",
        "stage `second`: optimizer at growth = none (was keep)",
        "stage `second`: data at growth = none (was keep)",
        "stage `fourth` is added",
    ]);
    assert_eq!(changed, wanted);
    assert_eq!(changes(|model| model.experiment.stages.truncate(2)), taken(&["stage `second` is gone"]));
}

#[test]
fn another_model_is_refused() {
    let shape = changes(|model| model.parameters[0].shape[1] = Size::constant(4));
    assert_eq!(shape, impossible(&["`layer.keys` is [layer.tokens, 4] (was [layer.tokens, 3])"]));
    let renamed = changes(|model| model.parameters[2].path = "biases.weight".to_string());
    assert_eq!(renamed, impossible(&["`bias.weight` is gone (there is `biases.weight`)", "`biases.weight` is new"]));
    let context = changes(|model| model.context = Some(512));
    assert_eq!(context, impossible(&["context = 512 (was none)"]));
    let rule = changes(|model| model.scales[0].rule = Amount::Number(1.0));
    assert_eq!(rule, impossible(&["the scales of the pattentions follow other rules"]));
    let tokens = changes(|model| model.experiment.stages[1].tokens = vec![5]);
    assert_eq!(tokens, impossible(&["stage `second`: tokens = layer.tokens 5 (was layer.tokens 4)"]));
    let gone = changes(|model| model.experiment.stages.truncate(1));
    let list = ["stage `second`, which the run has begun, is gone"];
    assert_eq!(
        (&gone.impossible[..], &gone.taken[..]),
        (&list.map(String::from)[..], &["stage `second` is gone".to_string()][..])
    );
    assert_eq!(
        gone.take(true).unwrap_err().message,
        "the run cannot be resumed with another model; start a new run with a stage that says `from = CHECKPOINT`. What \
         changed:\n  stage `second`, which the run has begun, is gone"
    );
}

/// A model whose `width` is what a parameter's second axis has.
fn wide(width: i64) -> Model {
    let mut model = model();
    let value = ConstantValue::Number(width as f64);
    model.constants = vec![Constant { name: "width".to_string(), value, span: fake::span() }];
    for i in 0..20 {
        let path = format!("block.{i}.weight");
        model.parameters.push(Parameter { path, shape: vec![Size::constant(width)], ..model.parameters[2].clone() });
    }
    model
}

#[test]
fn the_cause_is_named_first_and_the_list_is_short() {
    let refused = compare(&wide(8), &wide(9), 1).take(true).unwrap_err().message;
    let lines: Vec<&str> = refused.lines().collect();
    assert_eq!(lines[1..3], ["  width = 9 (was 8)", "  `block.0.weight` is [9] (was [8])"]);
    assert_eq!((lines.len(), lines[13]), (14, "  and 9 more"));
}

#[test]
fn how_parameters_were_drawn_is_past() {
    assert_eq!(changes(|model| model.parameters[0].init = Init::Zero), Changes::default());
    let seed = "seed of the first parameters = 8 (was 7)";
    assert_eq!(changes(|model| model.experiment.seed = 8), taken(&[seed]));
}

#[test]
fn long_values_are_shortened_but_compared_in_full() {
    let changed = changes(|model| {
        let paths = vec!["x".repeat(200)];
        model.experiment.stages[1].data.as_mut().unwrap().train = Corpus { paths };
    });
    assert_eq!(changed, taken(&[&format!("stage `second`: train = {}… (was numbers)", "x".repeat(120))]));
}
