//! Ctrl-C: the first asks a training to save and stop, the second does not wait for that.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tfc_runtime::{Failure, Kind, Result};

/// What a shell says of a command that Ctrl-C has ended.
const INTERRUPTED: i32 = 130;

/// Becomes true with the first Ctrl-C; the second ends the process.
pub fn listen() -> Result<Arc<AtomicBool>> {
    let interrupted = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&interrupted);
    ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::Relaxed) {
            end_at_once(INTERRUPTED);
        }
    })
    .map_err(|error| Failure::new(Kind::Machine, format!("cannot listen for Ctrl-C: {error}")))?;
    Ok(interrupted)
}

/// Ends the process while its other threads run. The destructors of libraries are left out: they would take from LLVM what a thread compiles with.
fn end_at_once(code: i32) -> ! {
    // SAFETY: the call does not return, and takes nothing from threads that run.
    unsafe { libc::_exit(code) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    extern "C" fn destructor() {
        std::process::abort();
    }

    /// The test is its own child, which has a destructor that nobody survives.
    #[test]
    fn no_destructor_runs() {
        const CHILD: &str = "TFC_TEST_ENDS_AT_ONCE";
        if std::env::var_os(CHILD).is_some() {
            // SAFETY: the function is there for as long as the process is.
            assert_eq!(unsafe { libc::atexit(destructor) }, 0);
            end_at_once(INTERRUPTED);
        }
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", "interrupt::tests::no_destructor_runs"]).env(CHILD, "");
        assert_eq!(child.output().unwrap().status.code(), Some(INTERRUPTED));
    }
}
