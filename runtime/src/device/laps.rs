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
    /// Of each operation, in the order of `tfc_compiler::plan::operations`; None of one that was done together with the one before.
    pub times: Vec<Option<Duration>>,
}

/// Costs a comparison for each operation while nobody wants to know.
pub struct Laps<E: Engine> {
    calls: Option<Vec<Call<E::Moment>>>,
}

struct Call<M> {
    plan: usize,
    sizes: SizeValues,
    begin: M,
    /// After each operation, but for those that were done together with the one before.
    ends: Vec<Option<M>>,
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
        let profile = |Call { plan, sizes, begin, ends }| {
            let mut last = begin;
            let mut time = |end: Option<E::Moment>| {
                let Some(end) = end else { return Ok(None) };
                let time = E::between(&last, &end)?;
                last = end;
                Ok(Some(time))
            };
            let times = ends.into_iter().map(&mut time).collect::<Result<_>>()?;
            Ok(CallProfile { plan, sizes, times })
        };
        self.calls.take().unwrap_or_default().into_iter().map(profile).collect()
    }

    /// A call begins.
    pub fn begin(&mut self, plan: usize, sizes: &SizeValues, engine: &E) -> Result<()> {
        if let Some(calls) = &mut self.calls {
            calls.push(Call { plan, sizes: sizes.clone(), begin: engine.now()?, ends: Vec::new() });
        }
        Ok(())
    }

    /// An operation has been asked for, and the next begins when it is done.
    pub fn lap(&mut self, engine: &E) -> Result<()> {
        if let Some(call) = self.calls.as_mut().and_then(|calls| calls.last_mut()) {
            call.ends.push(Some(engine.now()?));
        }
        Ok(())
    }

    /// The next operation is done together with the one before.
    pub fn lap_with_last(&mut self) {
        if let Some(call) = self.calls.as_mut().and_then(|calls| calls.last_mut()) {
            call.ends.push(None);
        }
    }
}
