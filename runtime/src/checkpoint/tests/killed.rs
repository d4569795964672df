//! A process that is killed, or finds no room, in the middle of writing a checkpoint. The test starts itself again under a limit
//! on the size of files: past it the kernel kills a process, or refuses the write if that signal is ignored.

use super::*;
use std::fs;
use std::process::{Command, ExitStatus};

/// Set in the process that is to fail: the folder of the run.
const RUN: &str = "TFC_TEST_RUN";

/// Writes a checkpoint of 500 tokens at step 8 in this process, if it is the one to fail, and says how that went.
fn write_if_child() -> Option<crate::Result<PathBuf>> {
    let run = RunFolder::open(Path::new(&std::env::var_os(RUN)?)).unwrap();
    let (compiled, session, state) = sample(500, 8);
    Some(run.save(&compiled, &session, &state, None, None))
}

/// Runs `test` once more in a process that cannot write more than 4 KiB to a file. Gives the run as that process left it.
fn again_without_room(test: &str, run: RunFolder, before: &str) -> (ExitStatus, RunFolder) {
    let path = run.path().to_owned();
    drop(run);
    let this = std::env::current_exe().unwrap();
    let script = format!("{before} ulimit -f 4; exec \"$0\" --exact checkpoint::tests::killed::{test}");
    let status = Command::new("bash").arg("-c").arg(script).arg(this).env(RUN, &path).output().unwrap().status;
    let left: Vec<String> = hidden(&path);
    let partial = if status.success() { Vec::new() } else { vec![".step-8.partial".to_string()] };
    assert_eq!(left, partial);
    (status, RunFolder::open(&path).unwrap())
}

/// The checkpoint at step 4 is the latest, and can be loaded.
fn assert_unharmed(run: &RunFolder) {
    let latest = run.latest().unwrap().unwrap();
    assert_eq!(latest.path, step(run, 4));
    let (compiled, mut session, _) = sample(2, 4);
    let state = State::read(&latest.path.join("state.json")).unwrap();
    load(&latest.path, &compiled, &mut session, &state).unwrap();
}

fn hidden(run: &Path) -> Vec<String> {
    let names = fs::read_dir(run.join("checkpoints")).unwrap();
    names.map(|e| e.unwrap().file_name().into_string().unwrap()).filter(|name| name.starts_with('.')).collect()
}

#[test]
fn killed() {
    if write_if_child().is_some() {
        return; // not reached: the process is dead
    }
    let folder = tempfile::tempdir().unwrap();
    let run = run_with(folder.path(), &[4]);
    let (status, run) = again_without_room("killed", run, "");
    assert!(!status.success());
    // The next process cleared away what the dead one left.
    assert_eq!(hidden(run.path()), [""; 0]);
    assert_unharmed(&run);
    let (compiled, session, state) = sample(2, 8);
    run.save(&compiled, &session, &state, None, None).unwrap();
    assert_eq!(run.latest().unwrap().unwrap().step, 8);
}

#[test]
fn no_room() {
    if let Some(result) = write_if_child() {
        let message = result.unwrap_err().message;
        assert!(message.contains("/step-8` was not written: ") && message.contains("File too large"), "{message}");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let run = run_with(folder.path(), &[4]);
    let (status, run) = again_without_room("no_room", run, "trap '' XFSZ;");
    assert!(status.success(), "the other process must see an error and survive it");
    assert_unharmed(&run);
}
