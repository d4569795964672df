//! The order of things in a run: stages, evaluations, checkpoints, ends, growth, `from`.

use super::*;
use tfc_compiler::model::{Cadence, End, GrowthInit, Metric, Preservation, ScalePolicy, Until};
use tfc_compiler::storage::Storage;

/// All but how far evaluations are.
fn kinds(events: &[String]) -> Vec<String> {
    let short = |event: &String| match event.strip_prefix("Step { step: ") {
        Some(rest) => rest.split(',').next().unwrap().to_string(),
        None => event.split(':').next().unwrap().to_string(),
    };
    events.iter().filter(|event| !event.starts_with("evaluating")).map(short).collect()
}

fn growing() -> Vec<Stage> {
    let mut large = fake::stage("large", 4, fake::steps(2));
    large.growth = Some(fake::zero_keys());
    vec![fake::stage("small", 2, fake::steps(5)), large]
}

#[test]
fn everything_has_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let told = run(&growing(), &folder.path().join("run"), Options::default());
    let evaluated = |step| [format!("evaluated `validate` at {step}"), format!("evaluated `other` at {step}")];
    let mut wanted: Vec<String> = ["stage 0 `small` at step 0, 0 of Some(5)", "1", "2", "3"].map(String::from).to_vec();
    wanted.extend(evaluated(3));
    wanted.extend(["4", "saved step-4", "5"].map(String::from));
    wanted.extend(evaluated(5));
    wanted.extend(
        ["saved step-5", "grown into `large` at step 5", "stage 1 `large` at step 5, 0 of Some(2)", "6"]
            .map(String::from),
    );
    wanted.extend(evaluated(6));
    wanted.push("7".to_string());
    wanted.extend(evaluated(7));
    wanted.push("saved step-7".to_string());
    assert_eq!(kinds(&told.events), wanted);
}

#[test]
fn an_evaluation_says_how_far_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let told = run(&growing(), &folder.path().join("run"), Options::default());
    let said = told.events.iter().skip_while(|event| !event.starts_with("evaluating"));
    let said: Vec<&String> = said.take_while(|event| event.starts_with("evaluating")).collect();
    let wanted = [0, 2, 4, 6].map(|done| format!("evaluating `validate`: {done} of 7"));
    assert_eq!(said, wanted.iter().collect::<Vec<_>>());
}

#[test]
fn ends_are_counted_in_tokens_flops_and_conditions() {
    let ended = |end: End| {
        let folder = tempfile::tempdir().unwrap();
        let mut stage = fake::stage("small", 4, end);
        let train = stage.train.as_mut().unwrap();
        train.evaluate = Some(Cadence::Every(2));
        // Five tokens, 50 FLOPs a step; a schedule that needs no length.
        train.schedule.kind = tfc_compiler::model::ScheduleKind::Constant;
        let told = run(&[stage], &folder.path().join("run"), Options { until_step: Some(50), ..Options::default() });
        (told.losses.len(), matches!(told.outcome, Ok(Outcome::Finished { .. })))
    };
    assert_eq!(ended(End { tokens: Some(31), ..End::default() }), (7, true));
    assert_eq!(ended(End { flops: Some(101.0), steps: Some(9), ..End::default() }), (3, true));
    assert_eq!(ended(End::default()), (50, false));
    let metric = || Metric("loss".to_string());
    let below = |value| End { until: Some(Until::AtMost { metric: metric(), value }), ..End::default() };
    assert_eq!(ended(below(1e9)), (2, true));
    let above = Until::AtLeast { metric: Metric("error".to_string()), value: 0.0 };
    assert_eq!(ended(End { until: Some(above), ..End::default() }), (2, true));
    let plateau = Until::Plateau { metric: metric(), patience: 3, delta: 0.99 };
    assert_eq!(ended(End { until: Some(plateau), ..End::default() }), (8, true));
}

#[test]
fn the_ends_of_stages_stay_and_the_newest_of_the_others() {
    let mut stages = growing();
    for (stage, steps) in stages.iter_mut().zip([5, 7]) {
        stage.end = fake::steps(steps);
        stage.train.as_mut().unwrap().checkpoint = Some(Cadence::Every(1));
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    run(&stages, &path, Options::default()).outcome.unwrap();
    assert_eq!(names_in(&path.join("checkpoints")), ["step-11", "step-12", "step-5"]);
    assert_eq!(names_in(&path), [".lock", "checkpoints", "model.tfm"]);
}

#[test]
fn growth_that_keeps_its_promise_goes_on() {
    let mut stages = growing();
    stages[1].growth.as_mut().unwrap().expect = Some(Preservation { tolerance: 1e-6, span: fake::span() });
    let folder = tempfile::tempdir().unwrap();
    let told = run(&stages, &folder.path().join("run"), Options::default());
    told.outcome.unwrap();
    let grown = told.events.iter().find(|event| event.starts_with("grown")).unwrap();
    // 2 and 4 tokens of 3 + 2 numbers, and a bias of 2.
    assert!(grown.contains("parameters: [12, 22]") && grown.contains("change: Some(0.0)"), "{grown}");
}

#[test]
fn growth_that_breaks_its_promise_stops_before_the_first_step() {
    let mut stages = growing();
    let growth = stages[1].growth.as_mut().unwrap();
    growth.expect = Some(Preservation { tolerance: 1e-6, span: fake::span() });
    growth.scale = ScalePolicy::Retune { over: 0 };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    let told = run(&stages, &path, Options::default());
    let message = told.outcome.unwrap_err().message;
    // √4 / √2: the part of the logits that is not the bias grows by 41 %.
    let kept = path.join("checkpoints/step-5");
    assert!(message.starts_with("growing into stage `large` changes the largest logits by "), "{message}");
    let change: f64 = message.split("logits by ").nth(1).unwrap().split(',').next().unwrap().parse().unwrap();
    assert!((0.3..0.6).contains(&change), "{change}");
    assert!(message.contains("but `expect preserve(0.000001)` allows less (loss "), "{message}");
    assert!(message.ends_with(&format!("; the checkpoint before it is `{}`", kept.display())), "{message}");
    assert_eq!(kinds(&told.events).last().unwrap(), "grown into `large` at step 5");
    assert_eq!(RunFolder::open(&path).unwrap().latest().unwrap().unwrap().path, kept);
}

#[test]
fn a_stage_may_be_loaded_in_place_of_being_trained() {
    let folder = tempfile::tempdir().unwrap();
    let first = folder.path().join("first");
    let trained = run(&growing(), &first, Options::default());

    let mut stages = growing();
    stages[0].name = "released".to_string();
    stages[0].tokens = vec![4];
    stages[0].from = Some(first.display().to_string());
    stages[0].train = None;
    stages[0].data = None;
    stages[1].tokens = vec![8];
    stages[1].end = fake::steps(0);
    let second = run(&stages, &folder.path().join("second"), Options::default());
    assert!(second.outcome.is_ok(), "{:?}", second.outcome);
    for storage in [Storage::Parameter, Storage::FirstMoment].map(|of| of(0)) {
        let [old, new] = [&trained, &second].map(|told| told.session.numbers(storage));
        assert_eq!(old, new[..old.len()]);
    }
    // τ stayed √2 through both growths.
    assert_eq!(second.session.numbers(Storage::Scale(0)), [f64::from(2f32.sqrt())]);
    assert_eq!(kinds(&second.events)[0], "grown into `large` at step 0");

    stages[0].tokens = vec![3];
    let message = run(&stages, &folder.path().join("third"), Options::default()).outcome.unwrap_err().message;
    let file = first.join("checkpoints/step-7/model.safetensors");
    let differences =
        "`layer.keys` is [4, 3] where the model has [3, 3]; `layer.values` is [4, 2] where the model has [3, 2]";
    assert_eq!(message, format!("`{}` does not fit the model: {differences}", file.display()));
}

#[test]
fn stages_without_updates_leave_their_own_checkpoint() {
    let mut stages = growing();
    stages[1].end = fake::steps(0);
    stages.push(Stage { tokens: vec![6], ..stages[1].clone() });
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    let told = run(&stages, &path, Options::default());
    let latest = path.join("checkpoints/step-5-stage-2");
    assert_eq!(told.outcome, Ok(Outcome::Finished { checkpoint: Some(latest.clone()) }));
    assert_eq!(names_in(&path.join("checkpoints")), ["step-5", "step-5-stage-1", "step-5-stage-2"]);
    let before = contents(&latest);
    run(&stages, &path, Options::default()).outcome.unwrap();
    assert!(contents(&latest) == before);
}

#[test]
fn other_data_is_read_from_its_start_and_the_same_goes_on() {
    let cursor_after = |data: fn(&Stage) -> StageData| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run");
        run(&growing(), &path, Options { data, ..Options::default() }).outcome.unwrap();
        State::read(&path.join("checkpoints/step-7/state.json")).unwrap().data.cursor
    };
    assert_eq!(cursor_after(|_| data(Numbers::new("train", 23))), 35);
    let two = |stage: &Stage| data(Numbers::new(if stage.name == "small" { "train" } else { "medical" }, 23));
    assert_eq!(cursor_after(two), 10);
}

#[test]
fn what_cannot_be_trained_is_said() {
    let message = |stages: &[Stage]| {
        let folder = tempfile::tempdir().unwrap();
        run(stages, &folder.path().join("run"), Options::default()).outcome.unwrap_err().message
    };
    assert_eq!(message(&[]), "model `fake` has nothing to train: add a `train` block");
    let untrained = Stage { train: None, ..growing()[0].clone() };
    assert_eq!(message(&[untrained]), "stage `small` has no `train` block, so it cannot be trained; add one");
    let endless = Stage { end: End::default(), ..growing()[0].clone() };
    let wanted = "stage `small`: a cosine schedule needs a span of known length; give the stage `steps`";
    assert_eq!(message(&[endless]), wanted);
    let mut odd = growing();
    odd[1].growth.as_mut().unwrap().init = GrowthInit::Split { noise: 0.0 };
    odd[1].tokens = vec![5];
    let wanted = "`layer.tokens` cannot grow from 2 to 5 tokens by splitting: that needs a multiple of 2";
    assert_eq!(message(&odd), wanted);
}

/// Two recipes of one seed see the same numbers; another seed in a stage changes what that stage draws, and nothing before it.
#[test]
fn each_stage_has_its_seed() {
    let losses = |seeds: [u64; 2]| {
        let mut stages = growing();
        stages.iter_mut().zip(seeds).for_each(|(stage, seed)| stage.seed = seed);
        let folder = tempfile::tempdir().unwrap();
        run(&stages, &folder.path().join("run"), Options::default()).losses
    };
    let [same, later, both] = [[7, 7], [7, 8], [8, 8]].map(losses);
    assert_eq!(same[..5], later[..5]);
    assert!(same[5] != later[5] && same[0] != both[0]);
}
