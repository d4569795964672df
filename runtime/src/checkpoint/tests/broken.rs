//! Every way in which a checkpoint can be wrong has its sentence.

use super::*;
use crate::Kind;
use crate::storage::{Dtype, TensorEntry, write_tensors};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs;

/// What loading the checkpoint says.
fn said(path: &Path) -> String {
    let (compiled, _, state) = sample(2, 40);
    let mut session = FakeSession::new(&compiled);
    session.resize(&state.sizes(&compiled.model, 1).unwrap()).unwrap();
    load(path, &compiled, &mut session, &state).unwrap_err().message
}

#[test]
fn tensors_that_do_not_fit_are_all_named() {
    let folder = tempfile::tempdir().unwrap();
    let run = run_with(folder.path(), &[40]);
    let file = step(&run, 40).join("model.safetensors");
    let tensors = [("layer.kesy", vec![2, 3]), ("layer.values", vec![3, 2]), ("extra", vec![1])];
    let entries: Vec<TensorEntry> = tensors
        .into_iter()
        .map(|(name, shape)| TensorEntry { name: name.to_string(), dtype: Dtype::F32, shape })
        .collect();
    let zeros = |i: usize| vec![0u8; 4 * entries[i].shape.iter().product::<usize>()];
    write_tensors(&file, &BTreeMap::new(), &entries, |i| Ok(Cow::Owned(zeros(i)))).unwrap();
    assert_eq!(
        said(&step(&run, 40)),
        format!(
            "`{}` does not fit the model: `layer.keys` is missing (it has `layer.kesy`); `layer.values` is [3, 2] where \
             the model has [2, 2]; `bias.weight` is missing; `extra` is not in the model; and 1 more",
            file.display()
        )
    );
}

#[test]
fn truncated_and_missing_files() {
    let folder = tempfile::tempdir().unwrap();
    let run = run_with(folder.path(), &[40]);
    let file = step(&run, 40).join("optimizer.safetensors");
    let whole = fs::read(&file).unwrap();
    fs::write(&file, &whole[..whole.len() - 3]).unwrap();
    let what = "does not have the length its header promises, it is probably truncated; copy it again";
    assert_eq!(said(&step(&run, 40)), format!("`{}` {what}", file.display()));
    fs::remove_file(&file).unwrap();
    let why = "there is no such file or folder; check the path";
    assert_eq!(said(&step(&run, 40)), format!("cannot read `{}`: {why}", file.display()));
}

#[test]
fn states_that_are_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.json");
    let read = |text: &str| {
        fs::write(&path, text).unwrap();
        State::read(&path).unwrap_err().message.replace(&path.display().to_string(), "PATH")
    };
    let older = "`PATH` has version 1, but this tfc reads version 3; use the tfc that wrote it";
    assert_eq!(read(r#"{"version": 1, "anything": []}"#), older);
    let foreign =
        "`PATH` is not the state of a checkpoint (missing field `version` at line 1 column 12); copy it again";
    assert_eq!(read(r#"{"epoch": 3}"#), foreign);
    assert!(read("").starts_with("`PATH` is not the state of a checkpoint (EOF"));
    assert!(read(r#"{"version": 3}"#).starts_with("`PATH` is not the state of a checkpoint (missing field `model`"));
}

#[test]
fn states_of_another_model() {
    let (compiled, _, mut state) = sample(2, 40);
    state.tokens.clear();
    let message = "the checkpoint was written by model `fake`, which has no parameter tokens `layer.tokens`";
    assert_eq!(state.sizes(&compiled.model, 1).unwrap_err().message, message);
    state.tokens.insert("layer.tokens".into(), i64::MAX / 5);
    let message = "the checkpoint says that `layer.tokens` has 1844674407370955161 parameter tokens; it was changed, copy it again";
    assert_eq!(state.sizes(&compiled.model, 1).unwrap_err().message, message);
    state.stage = StageState::new(usize::MAX, "large");
    let message =
        "the checkpoint is in stage `large`, which its spec does not have; one of the two was changed, copy it again";
    assert_eq!(state.stage_of(&compiled.model).unwrap_err().message, message);

    let folder = tempfile::tempdir().unwrap();
    let run = run_with(folder.path(), &[40]);
    let (_, mut session, mut state) = sample(2, 40);
    state.rows[0].axes[0][0].rows = 7;
    let message = load(&step(&run, 40), &compiled, &mut session, &state).unwrap_err().message;
    let what = "has a state that does not fit `layer.keys`; it was changed after it was written";
    assert_eq!(message, format!("`{}` {what}", step(&run, 40).display()));
}

/// What a state says is not believed before the tensors say it too: memory would be taken for it.
#[test]
fn a_state_that_says_otherwise_than_the_tensors() {
    let folder = tempfile::tempdir().unwrap();
    let run = run_with(folder.path(), &[40]);
    let (compiled, _, mut state) = sample(2, 40);
    let path = step(&run, 40);
    let sizes = |state: &State| sizes_of(&path, &compiled.model, state, 5);
    assert_eq!(sizes(&state).unwrap(), sizes_at(&compiled.model, 5, &[2]));
    state.tokens.insert("layer.tokens".into(), 1_000_000_000);
    let failure = sizes(&state).unwrap_err();
    let what = "has a state that does not fit `layer.keys`, which is [2, 3] and not [1000000000, 3]; one of them was changed, copy it again";
    assert_eq!((failure.kind, failure.message), (Kind::Broken, format!("`{}` {what}", path.display())));
}

#[test]
fn what_is_no_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let what = "is neither a checkpoint nor a run that has one; name a `step-N` folder";
    assert_eq!(locate(path).unwrap_err().message, format!("`{}` {what}", path.display()));
    let missing = path.join("no");
    let why = "there is no such file or folder; check the path";
    assert_eq!(locate(&missing).unwrap_err().message, format!("cannot read `{}`: {why}", missing.display()));
    let what = "has no `model.tfm`, neither in its run nor beside it; copy the spec there";
    assert_eq!(spec_of(path).unwrap_err().message, format!("`{}` {what}", path.display()));
}
