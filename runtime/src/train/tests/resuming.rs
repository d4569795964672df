//! A run that stops anywhere and goes on ends with the same bits, and has said the same, as one that did not stop.

use super::*;
use proptest::prelude::*;
use tfc_compiler::model::{Growth, GrowthInit, Horizon, Metric, Rows, Rule, ScalePolicy, Until};

/// Everything that leaves traces in the state: growth by new rows, a scale on its way, frozen old rows, a plateau, splitting with
/// noise and without moments, data that starts again.
fn eventful() -> Vec<Stage> {
    let mut small = fake::stage("small", 2, fake::steps(6));
    small.train.as_mut().unwrap().evaluate = None;

    let mut medium = fake::stage("medium", 5, fake::steps(7));
    medium.growth = Some(Growth { scale: ScalePolicy::Retune { over: 4 }, ..fake::zero_keys() });
    let freeze_old =
        Rule { parameters: vec![0], rows: Rows::Old, lr: None, decay: None, freeze: Some(true), span: fake::span() };
    medium.train.as_mut().unwrap().rules = vec![freeze_old];
    medium.train.as_mut().unwrap().batch = 3;

    let mut large = fake::stage("large", 10, fake::steps(9));
    let init = GrowthInit::Split { noise: 0.01 };
    large.growth = Some(Growth { init, keep_optimizer: false, continue_data: false, ..fake::zero_keys() });
    large.end.until = Some(Until::Plateau { metric: Metric("loss".to_string()), patience: 2, delta: 0.5 });
    large.train.as_mut().unwrap().schedule.horizon = Horizon::Run;
    for stage in [&mut medium, &mut large] {
        stage.train.as_mut().unwrap().checkpoint = None;
    }
    vec![small, medium, large]
}

fn last_checkpoint(path: &Path) -> Vec<(String, Vec<u8>)> {
    contents(&RunFolder::open(path).unwrap().latest().unwrap().unwrap().path)
}

fn steps(events: &[String]) -> Vec<&String> {
    events.iter().filter(|event| event.starts_with("Step")).collect()
}

#[test]
fn stopping_after_any_update_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let whole = run(&eventful(), &folder.path().join("whole"), Options::default());
    let all = steps(&whole.events).len() as u64;
    assert!(matches!(whole.outcome, Ok(Outcome::Finished { .. })), "{:?}", whole.outcome);
    assert!(all > 6 + 7 + 3, "the plateau must come after the last growth: {all}");
    let end = last_checkpoint(&folder.path().join("whole"));

    for stop in 0..=all {
        let path = folder.path().join(format!("stopped-{stop}"));
        let first = run(&eventful(), &path, Options { until_step: Some(stop), ..Options::default() });
        let second = run(&eventful(), &path, Options::default());
        assert!(matches!(second.outcome, Ok(Outcome::Finished { .. })), "{stop}: {:?}", second.outcome);
        let both = [&first.events[..], &second.events[..]].concat();
        assert_eq!(steps(&both), steps(&whole.events), "stopped after {stop}");
        assert!(last_checkpoint(&path) == end, "stopped after {stop}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]

    /// Several stops, and micro-batches of another size asked for later: the run keeps the one it was started with.
    #[test]
    fn stopping_again_and_again_changes_nothing(stops in prop::collection::btree_set(0u64..22, 0..5), micro_batch in 1u64..6) {
        let folder = tempfile::tempdir().unwrap();
        let options = || Options { micro_batch, ..Options::default() };
        run(&eventful(), &folder.path().join("whole"), options()).outcome.unwrap();
        let path = folder.path().join("stopped");
        for (i, stop) in stops.iter().enumerate() {
            let micro_batch = if i == 0 { micro_batch } else { 1 + (micro_batch + stop) % 5 };
            run(&eventful(), &path, Options { until_step: Some(*stop), micro_batch, ..Options::default() }).outcome.unwrap();
        }
        run(&eventful(), &path, options()).outcome.unwrap();
        prop_assert!(last_checkpoint(&path) == last_checkpoint(&folder.path().join("whole")));
    }
}

#[test]
fn an_interruption_saves_and_says_where() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    let told = run(&eventful(), &path, Options { interrupt_at: Some(7), ..Options::default() });
    let checkpoint = path.join("checkpoints/step-7");
    assert_eq!(told.outcome, Ok(Outcome::Stopped { step: 7, checkpoint: checkpoint.clone() }));
    assert_eq!(
        names_in(&checkpoint),
        ["config.json", "model.safetensors", "optimizer.safetensors", "state.json", "tokenizer.json"]
    );
    assert_eq!(told.events.last().unwrap(), "saved step-7");

    let told = run(&eventful(), &path, Options::default());
    assert_eq!(told.events[0], "stage 1 `medium` at step 7, 1 of Some(7)");
}

#[test]
fn a_finished_run_has_nothing_left_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    run(&eventful(), &path, Options::default()).outcome.unwrap();
    let before = last_checkpoint(&path);
    let again = run(&eventful(), &path, Options::default());
    assert!(matches!(again.outcome, Ok(Outcome::Finished { checkpoint: Some(_) })));
    assert!(steps(&again.events).is_empty());
    assert!(last_checkpoint(&path) == before);
}

/// Killed before anything was saved.
#[test]
fn a_run_without_a_checkpoint_starts_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    RunFolder::create(&path, "the spec").unwrap();
    let told = run(&eventful()[..1], &path, Options::default());
    assert_eq!(told.events[0], "stage 0 `small` at step 0, 0 of Some(6)");
    assert!(matches!(told.outcome, Ok(Outcome::Finished { .. })));
}

#[test]
fn other_data_is_refused_unless_accepted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    run(&eventful(), &path, Options { until_step: Some(3), ..Options::default() }).outcome.unwrap();
    let other = || Options { data: |_| data(Numbers::new("train", 22)), ..Options::default() };
    let refused = run(&eventful(), &path, other()).outcome.unwrap_err();
    assert_eq!(
        refused.message,
        "the training data of stage `small` is not what the run was started with; restore it, or add \
         `--accept-changes` to go on"
    );
    run(&eventful(), &path, Options { accept: true, ..other() }).outcome.unwrap();
}
