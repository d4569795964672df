//! What growth did to the function, measured on the same sequences before and after.

use crate::call;
use crate::device::{Session, shape_at};
use crate::evaluate::evaluate;
use crate::train::Batches;
use crate::{Failure, Kind, Result};
use std::fmt;
use std::path::Path;
use tfc_compiler::compiled::Compiled;
use tfc_compiler::model::{Preservation, Stage};
use tfc_compiler::size::Symbol;

/// The most logits that are kept to be compared: 256 MiB in f64.
const LOGITS: usize = 1 << 25;

/// What one growth did.
#[derive(Clone, Debug, PartialEq)]
pub struct Grown {
    /// Parameters before and after.
    pub parameters: [i64; 2],
    /// The loss before and after, on the same sequences, if it was measured.
    pub loss: Option<[f64; 2]>,
    /// The largest change of a logit relative to the largest logit, if the stage expects one.
    pub change: Option<f64>,
}

impl fmt::Display for Grown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [before, after] = self.parameters;
        write!(f, "{before} parameters become {after}")?;
        if let Some(loss) = self.loss {
            write!(f, "; {}", losses(loss))?;
        }
        if let Some(change) = self.change {
            write!(f, "; logits change by {change:.1e} of the largest")?;
        }
        Ok(())
    }
}

/// The model's answers to a few sequences.
pub(super) struct Probe {
    loss: f64,
    logits: Option<Vec<f64>>,
}

impl Probe {
    /// The mean loss of the first `rows` sequences and, if `expect`ed to be preserved, the logits of as many of them as memory
    /// allows.
    pub fn new(
        compiled: &Compiled,
        session: &mut dyn Session,
        batches: &dyn Batches,
        rows: u64,
        micro_batch: u64,
        expect: bool,
    ) -> Result<Probe> {
        let rows = rows.clamp(1, batches.per_epoch().max(1));
        let loss = evaluate(compiled, session, batches, rows, micro_batch, &mut |_, _| Ok(()))?.loss;
        let logits = if expect { Some(logits(compiled, session, batches, rows.min(micro_batch))?) } else { None };
        Ok(Probe { loss, logits })
    }

    /// What growth did in between.
    pub fn compare(self, after: Probe, grown: Grown) -> Grown {
        let change = self.logits.zip(after.logits).map(|(before, after)| relative_change(&before, &after));
        Grown { loss: Some([self.loss, after.loss]), change, ..grown }
    }
}

fn logits(compiled: &Compiled, session: &mut dyn Session, batches: &dyn Batches, rows: u64) -> Result<Vec<f64>> {
    let graph = call::graph(compiled, "named")?;
    let one = session.sizes().clone().with(Symbol::BATCH, 1);
    let of_one: usize =
        graph.outputs.iter().map(|o| shape_at(&graph.ty(o.value).shape, &one).iter().product::<usize>()).sum();
    let rows = rows.min((LOGITS / of_one.max(1)) as u64).max(1);
    let inputs = call::inputs(graph, session, rows, batches.inputs(0, rows)?)?;
    let mut all = Vec::new();
    let call = [(Symbol::BATCH, rows as i64)];
    session.run_and_look("named", &call, &inputs, &mut |_, tensor| all.extend(tensor.to_f64()))?;
    Ok(all)
}

/// max |after − before| / max |before|; not finite where one of them is not.
fn relative_change(before: &[f64], after: &[f64]) -> f64 {
    // f64::max would pass over a NaN.
    let largest = |numbers: &mut dyn Iterator<Item = f64>| {
        numbers.fold(0.0, |largest: f64, x| if x.is_nan() || x > largest { x } else { largest })
    };
    let change = largest(&mut before.iter().zip(after).map(|(x, y)| (y - x).abs()));
    if change == 0.0 { 0.0 } else { change / largest(&mut before.iter().map(|x| x.abs())) }
}

fn losses([before, after]: [f64; 2]) -> String {
    format!("loss {before:.6} before, {after:.6} after")
}

/// An error if the function changed by more than the stage expects, naming the checkpoint that is left as it was.
pub fn check(stage: &Stage, grown: &Grown, kept: Option<&Path>) -> Result<()> {
    let expected = stage.growth.as_ref().and_then(|growth| growth.expect.as_ref());
    let (Some(Preservation { tolerance, .. }), Some(change)) = (expected, grown.change) else { return Ok(()) };
    if change <= *tolerance {
        return Ok(());
    }
    let kept = kept.map_or(String::new(), |path| format!("; the checkpoint before it is `{}`", path.display()));
    let what = format!("growing into stage `{}` changes the largest logits by {change:.3e}", stage.name);
    let loss = grown.loss.map_or(String::new(), |loss| format!(" ({})", losses(loss)));
    let message = format!("{what}, but `expect preserve({tolerance})` allows less{loss}{kept}");
    Err(Failure::new(Kind::Mistake, message))
}
