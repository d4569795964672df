//! How long each operation of a call takes, where somebody wants to know.

use std::time::{Duration, Instant};
use tfc_compiler::size::SizeValues;

/// One call of a plan.
#[derive(Clone, Debug)]
pub struct CallProfile {
    /// The plan's index in the program.
    pub plan: usize,
    pub sizes: SizeValues,
    /// Of each operation, in the order of `tfc_compiler::plan::operations`.
    pub times: Vec<Duration>,
}

/// Costs a comparison for each operation while nobody wants to know.
#[derive(Default)]
pub struct Laps {
    calls: Option<Vec<CallProfile>>,
    /// When the last operation ended.
    last: Option<Instant>,
}

impl Laps {
    pub fn start(&mut self) {
        self.calls = Some(Vec::new());
    }

    pub fn take(&mut self) -> Vec<CallProfile> {
        self.calls.take().unwrap_or_default()
    }

    /// A call begins.
    pub fn begin(&mut self, plan: usize, sizes: &SizeValues) {
        if let Some(calls) = &mut self.calls {
            calls.push(CallProfile { plan, sizes: sizes.clone(), times: Vec::new() });
            self.last = Some(Instant::now());
        }
    }

    /// An operation has ended, and the next begins.
    pub fn lap(&mut self) {
        if let (Some(call), Some(last)) = (self.calls.as_mut().and_then(|calls| calls.last_mut()), self.last) {
            let now = Instant::now();
            call.times.push(now - last);
            self.last = Some(now);
        }
    }
}
