//! Numbers that are not finite stop a run before they can do harm.

use super::*;
use tfc_compiler::storage::Storage;

fn stages() -> Vec<Stage> {
    vec![fake::stage("small", 2, fake::steps(9))]
}

/// Sequences 0 to 4 are the first batch; sequence 26 is in the sixth.
fn poisoned() -> Options {
    Options { data: |_| data(Numbers { poisoned: Some(26), ..Numbers::new("train", 100) }), ..Options::default() }
}

fn parameters(session: &FakeSession) -> Vec<f64> {
    (0..3).flat_map(|i| session.numbers(Storage::Parameter(i))).collect()
}

#[test]
fn a_loss_that_is_not_finite_stops_the_run_before_the_update() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    let told = run(&stages(), &path, poisoned());
    let kept = path.join("checkpoints/step-4");
    assert_eq!(
        told.outcome.unwrap_err().message,
        format!(
            "the loss of update 6 is NaN; the first result that is not finite: the products of `layer`; `{}` is the \
             last good checkpoint; resume with a smaller `lr`, or with `clip`",
            kept.display()
        )
    );
    assert_eq!(told.session.calls.iter().filter(|(entry, _)| entry == "update").count(), 5);
    assert!(parameters(&told.session).iter().all(|x| x.is_finite()));
    assert_eq!(names_in(&path.join("checkpoints")), ["step-4"]);
}

#[test]
fn a_broken_checkpoint_is_said_and_can_be_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    let until = |step| Options { until_step: Some(step), ..Options::default() };
    run(&stages(), &path, until(6)).outcome.unwrap();
    let [before, latest] = [4, 6].map(|step| path.join(format!("checkpoints/step-{step}")));
    let file = latest.join("model.safetensors");
    std::fs::write(&file, "half").unwrap();
    let message = run(&stages(), &path, Options::default()).outcome.unwrap_err().message;
    let what = "is not a sound safetensors file (header too small); check that it is one and copy it again";
    let way_out = format!("or remove `{}` to go on from `{}`", latest.display(), before.display());
    assert_eq!(message, format!("`{}` {what}; {way_out}", file.display()));
    std::fs::remove_dir_all(&latest).unwrap();
    run(&stages(), &path, Options::default()).outcome.unwrap();
}

#[test]
fn a_gradient_that_is_not_finite_changes_no_parameter() {
    let folder = tempfile::tempdir().unwrap();
    // Micro-batches 2, 2, 1: the fifth call of `gradient` is the second update.
    let bad = run(&stages(), &folder.path().join("bad"), Options { overflow_at: Some(5), ..Options::default() });
    let good = run(&stages(), &folder.path().join("good"), Options { until_step: Some(1), ..Options::default() });
    let message = bad.outcome.unwrap_err().message;
    let wanted = "the gradient norm of update 2 is inf; there is no checkpoint yet; start again with a smaller `lr`, or with `clip`";
    assert_eq!(message, wanted);
    assert_eq!(parameters(&bad.session), parameters(&good.session));
}
