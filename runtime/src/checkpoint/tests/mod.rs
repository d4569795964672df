//! Checkpoints come back as they were, broken ones are refused in a sentence, and nothing that happens while one is written
//! harms the one before.

mod broken;
mod documented;
mod killed;

use super::*;
use crate::device::{HostTensor, Session};
use crate::fake::{self, FakeSession};
use crate::random::{Purpose, Stream};
use crate::sizes::sizes_at;
use proptest::prelude::*;
use std::path::{Path, PathBuf};
use tfc_compiler::compiled::Compiled;
use tfc_compiler::storage::Storage;

/// A model of `n` tokens, a session filled with numbers, and its state after `steps` updates.
pub fn sample(n: i64, steps: u64) -> (Compiled, FakeSession, State) {
    let compiled = fake::compiled(vec![fake::stage("small", n, fake::steps(100))], false);
    let mut session = FakeSession::new(&compiled);
    let sizes = sizes_at(&compiled.model, 1, &[n]);
    session.resize(&sizes).unwrap();
    for storage in session.tensors.keys().copied().collect::<Vec<_>>() {
        let shape = session.tensors[&storage].shape().to_vec();
        let mut numbers = vec![0f32; shape.iter().product()];
        Stream::new(steps, Purpose::Sampling, &format!("{storage:?}"), 0).fill_normal(0, 1.0, &mut numbers);
        session.tensors.insert(storage, HostTensor::F32 { shape, data: numbers });
    }
    let mut state = State::new(&compiled.model, &sizes, PlanState::of(3));
    state.done.steps = steps;
    state.scales[0].value = session.numbers(Storage::Scale(0))[0];
    (compiled, session, state)
}

/// A run with a checkpoint at each of these steps.
pub fn run_with(folder: &Path, steps: &[u64]) -> RunFolder {
    let run = RunFolder::create(&folder.join("run"), "model fake {}").unwrap();
    for steps in steps {
        let (compiled, session, state) = sample(2, *steps);
        run.save(&compiled, &session, &state, Some("{}"), None).unwrap();
    }
    run
}

fn step(run: &RunFolder, step: u64) -> PathBuf {
    run.path().join(format!("checkpoints/step-{step}"))
}

#[test]
fn what_is_written_comes_back_to_the_bit() {
    let folder = tempfile::tempdir().unwrap();
    let (compiled, session, state) = sample(3, 40);
    let run = RunFolder::create(&folder.path().join("run"), "model fake {}").unwrap();
    let path = run.save(&compiled, &session, &state, None, None).unwrap();

    let read = State::read(&path.join("state.json")).unwrap();
    assert_eq!(read, state);
    let mut other = FakeSession::new(&compiled);
    other.resize(&read.sizes(&compiled.model, 5).unwrap()).unwrap();
    load(&path, &compiled, &mut other, &read).unwrap();
    for i in 0..3 {
        for of in [Storage::Parameter, Storage::FirstMoment, Storage::SecondMoment] {
            assert_eq!(other.tensors[&of(i)], session.tensors[&of(i)]);
        }
    }
    assert_eq!(other.tensors[&Storage::Scale(0)], session.tensors[&Storage::Scale(0)]);
}

#[test]
fn other_programs_find_what_they_need() {
    let folder = tempfile::tempdir().unwrap();
    let run = run_with(folder.path(), &[40]);
    let file = crate::storage::TensorFile::open(&step(&run, 40).join("model.safetensors")).unwrap();
    assert_eq!(file.names(), ["bias.weight", "layer.keys", "layer.values"]);
    assert_eq!(file.note("format"), Some("pt"));
    let config = std::fs::read_to_string(step(&run, 40).join("config.json")).unwrap();
    let config: serde_json::Value = serde_json::from_str(&config).unwrap();
    assert_eq!(config["model"], "fake");
    assert_eq!(config["parameters"], 2 * 5 + 2);
    assert_eq!(config["tokens"]["layer.tokens"], 2);
}

/// A checkpoint of the reference device in a session of f32, and the other way round.
#[test]
fn numbers_are_converted_to_the_sessions() {
    let folder = tempfile::tempdir().unwrap();
    let (compiled, mut session, state) = sample(2, 40);
    let path = folder.path().join("checkpoint");
    for tensor in session.tensors.values_mut() {
        let data = tensor.to_f64().iter().map(|x| x / 3.0).collect();
        *tensor = HostTensor::F64 { shape: tensor.shape().to_vec(), data };
    }
    write(&path, &compiled, &session, &state, None).unwrap();
    let mut single = FakeSession::new(&compiled);
    single.resize(&state.sizes(&compiled.model, 1).unwrap()).unwrap();
    load(&path, &compiled, &mut single, &state).unwrap();
    let wanted: Vec<f64> = session.numbers(Storage::Parameter(0)).iter().map(|x| f64::from(*x as f32)).collect();
    assert_eq!(single.numbers(Storage::Parameter(0)), wanted);
}

#[test]
fn the_latest_is_found_by_number() {
    let folder = tempfile::tempdir().unwrap();
    let run = run_with(folder.path(), &[9, 100, 20]);
    let steps: Vec<u64> = run.checkpoints().unwrap().iter().map(|checkpoint| checkpoint.step).collect();
    assert_eq!(steps, [9, 20, 100]);
    for stranger in ["step-x", "best", "step-200-stage-x", "step-200-stage-1-stage-2"] {
        std::fs::create_dir(run.path().join("checkpoints").join(stranger)).unwrap();
    }
    assert_eq!(run.latest().unwrap().unwrap().path, step(&run, 100));
    assert_eq!(locate(run.path()).unwrap(), step(&run, 100));
    assert_eq!(locate(&step(&run, 9)).unwrap(), step(&run, 9));
}

/// An old checkpoint that someone damaged neither stops the run nor is removed.
#[test]
fn pruning_leaves_alone_what_it_cannot_read() {
    let folder = tempfile::tempdir().unwrap();
    let run = run_with(folder.path(), &[1, 2, 3]);
    std::fs::remove_file(step(&run, 2).join("state.json")).unwrap();
    let (compiled, session, state) = sample(2, 4);
    run.save(&compiled, &session, &state, None, Some(1)).unwrap();
    let steps: Vec<u64> = run.checkpoints().unwrap().iter().map(|checkpoint| checkpoint.step).collect();
    assert_eq!(steps, [2, 4]);
}

#[test]
fn saving_the_same_step_again_renews_the_state_alone() {
    let folder = tempfile::tempdir().unwrap();
    let run = run_with(folder.path(), &[9]);
    let (compiled, session, mut state) = sample(2, 9);
    state.stage.plateau.evaluations_since = 3;
    assert_eq!(run.save(&compiled, &session, &state, None, None).unwrap(), step(&run, 9));
    assert_eq!(State::read(&step(&run, 9).join("state.json")).unwrap(), state);
}

#[test]
fn a_run_is_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let run = run_with(folder.path(), &[9]);
    let refused = RunFolder::create(run.path(), "another spec").err().unwrap();
    let what = "holds a run already; `tfc train --resume` goes on with it; or choose another `--out`";
    assert_eq!(refused.message, format!("`{}` {what}", run.path().display()));
    assert_eq!(run.spec().unwrap(), "model fake {}");
    let spec = (run.path().join("model.tfm"), "model fake {}".to_string());
    assert_eq!(spec_of(&step(&run, 9)).unwrap(), spec);
    // A link in another run is of the run where it leads.
    let other = RunFolder::create(&folder.path().join("other"), "model other {}").unwrap();
    let link = other.path().join("checkpoints/linked");
    std::fs::create_dir_all(link.parent().unwrap()).unwrap();
    std::os::unix::fs::symlink(std::fs::canonicalize(step(&run, 9)).unwrap(), &link).unwrap();
    assert_eq!(spec_of(&link).unwrap().1, spec.1);
    let nothing = RunFolder::open(folder.path()).err().unwrap();
    assert_eq!(nothing.message, format!("`{}` holds no run: it has no `model.tfm`", folder.path().display()));
}

#[test]
fn two_processes_do_not_share_a_run() {
    let folder = tempfile::tempdir().unwrap();
    let run = run_with(folder.path(), &[9]);
    let refused = RunFolder::open(run.path()).err().unwrap();
    let what = "is in use by another process; wait for it, stop it, or choose another `--out`";
    assert_eq!(refused.message, format!("`{}` {what}", run.path().display()));
    assert_eq!(refused.kind.exit_code(), 1);
    // Reading does not disturb.
    assert_eq!(locate(run.path()).unwrap(), step(&run, 9));
    let path = run.path().to_owned();
    drop(run);
    assert_eq!(RunFolder::open(&path).unwrap().latest().unwrap().unwrap().step, 9);
}

proptest! {
    /// Every number of the state comes back as the same bits.
    #[test]
    fn the_state_file_loses_nothing(flops in prop::num::f64::POSITIVE, tau in prop::num::f64::NORMAL, best in prop::option::of(prop::num::f64::NORMAL), cursor in any::<u64>(), name in ".*") {
        let (_, _, mut state) = sample(2, 1);
        state.done.flops = flops;
        state.scales[0].value = tau;
        state.stage.plateau.best = best;
        state.data.cursor = cursor;
        state.stage.name = name;
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("state.json"), state.to_json()).unwrap();
        prop_assert_eq!(State::read(&folder.path().join("state.json")).unwrap(), state);
    }
}
