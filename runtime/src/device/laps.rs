//! How long each operation of a call takes, where somebody wants to know.

use super::engine::Engine;
use crate::Result;
use std::time::Duration;
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
pub struct Laps<E: Engine> {
    calls: Option<Vec<Call<E::Moment>>>,
}

struct Call<M> {
    plan: usize,
    sizes: SizeValues,
    /// Before the first operation, and after each.
    moments: Vec<M>,
}

impl<E: Engine> Laps<E> {
    pub fn none() -> Laps<E> {
        Laps { calls: None }
    }

    pub fn start(&mut self) {
        self.calls = Some(Vec::new());
    }

    pub fn are_wanted(&self) -> bool {
        self.calls.is_some()
    }

    /// Waits for the operations, and wants no more.
    ///
    /// # Errors
    /// The engine gave up on one of them.
    pub fn take(&mut self) -> Result<Vec<CallProfile>> {
        let profile = |Call { plan, sizes, moments }| {
            let times =
                moments.windows(2).map(|moments| E::between(&moments[0], &moments[1])).collect::<Result<_>>()?;
            Ok(CallProfile { plan, sizes, times })
        };
        self.calls.take().unwrap_or_default().into_iter().map(profile).collect()
    }

    /// A call begins.
    pub fn begin(&mut self, plan: usize, sizes: &SizeValues, engine: &E) -> Result<()> {
        if let Some(calls) = &mut self.calls {
            calls.push(Call { plan, sizes: sizes.clone(), moments: vec![engine.now()?] });
        }
        Ok(())
    }

    /// An operation has been asked for, and the next begins when it is done.
    pub fn lap(&mut self, engine: &E) -> Result<()> {
        if let Some(call) = self.calls.as_mut().and_then(|calls| calls.last_mut()) {
            call.moments.push(engine.now()?);
        }
        Ok(())
    }
}
