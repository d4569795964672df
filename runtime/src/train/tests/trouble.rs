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

/// Data of which the second validation set cannot be evaluated on.
fn unreadable() -> StageData {
    let mut data = data(Numbers::new("train", 23));
    data.validate[1].1 = Box::new(Numbers { missing: Some(2), ..Numbers::new("other", 4) });
    data
}

/// … nor does it cost what has been learnt: mended, the run goes on as if nothing had been wrong.
#[test]
fn an_evaluation_that_fails_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let whole = run(&stages(), &folder.path().join("whole"), Options::default());
    let path = folder.path().join("run");
    let failed = run(&stages(), &path, Options { data: |_| unreadable(), ..Options::default() });
    let saved = path.join("checkpoints/step-3");
    assert_eq!(
        failed.outcome.unwrap_err().message,
        format!("sequence 2 is not there; the run is saved in `{}` and goes on with --resume", saved.display())
    );
    let resumed = run(&stages(), &path, Options::default());
    let evaluated = |events: &[String]| -> Vec<String> {
        events.iter().filter(|event| event.starts_with("evaluated")).cloned().collect()
    };
    assert_eq!(evaluated(&resumed.events), evaluated(&whole.events));
    assert_eq!(parameters(&resumed.session), parameters(&whole.session));
}

#[test]
fn an_incomplete_checkpoint_can_be_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    run(&stages(), &path, Options { until_step: Some(4), ..Options::default() }).outcome.unwrap();
    std::fs::create_dir(path.join("checkpoints/step-99")).unwrap();
    let message = run(&stages(), &path, Options::default()).outcome.unwrap_err().message;
    let [before, latest] = [4, 99].map(|step| path.join(format!("checkpoints/step-{step}")).display().to_string());
    assert!(message.ends_with(&format!("or remove `{latest}` to go on from `{before}`")), "{message}");
}

/// The best of another metric is no measure, nor is what was measured on other data.
#[test]
fn what_was_measured_otherwise_is_forgotten() {
    use tfc_compiler::model::{Application, Corpus, Metric, Primitive, Until, Validation, ValueId, ValueType};
    let plateau = |metric: &str| Until::Plateau { metric: Metric(metric.into()), patience: 3, delta: 0.0 };
    let mut was = fake::stage("small", 2, fake::steps(9));
    was.end.until = Some(plateau("loss"));
    was.data.as_mut().unwrap().validate = vec![(String::new(), Validation::HoldOut(0.1))];
    let model = fake::compiled(vec![was.clone()], true).model;
    let alike = |edit: &dyn Fn(&mut Stage)| {
        let mut is = was.clone();
        edit(&mut is);
        is_measured_alike([&model, &model], [&was, &is])
    };
    let other = || Corpus { paths: vec!["other".into()] };
    assert!(alike(&|stage| stage.end.steps = Some(20)));
    assert!(!alike(&|stage| stage.end.until = Some(plateau("accuracy"))));
    assert!(alike(&|stage| stage.data.as_mut().unwrap().train = other()), "the same data may have been moved");
    assert!(!alike(&|stage| stage.train.as_mut().unwrap().evaluate_batches = Some(1)));
    let set = |stage: &mut Stage| stage.data.as_mut().unwrap().validate[0].1 = Validation::Paths(other());
    assert!(!alike(&set));

    // Of the same name, but another number.
    let of_number = |number: f64| {
        let ty = ValueType { dtype: tfc_compiler::graph::DType::F32, shape: Vec::new() };
        let primitive = Primitive::Number(number);
        let value = Application { primitive, operands: Vec::new(), ty, span: fake::span(), path: String::new() };
        let mut model = model.clone();
        model.program.values.push(value);
        let last = ValueId(model.program.values.len() as u32 - 1);
        model.program.metrics.push(("number".to_string(), last));
        model
    };
    was.end.until = Some(plateau("number"));
    assert!(is_measured_alike([&of_number(1.0), &of_number(1.0)], [&was, &was]));
    assert!(!is_measured_alike([&of_number(1.0), &of_number(2.0)], [&was, &was]));
}
