//! Memory that is there and not yet in use: a gradient that a plan writes, and has not read before, is free until then. What the forward part keeps
//! for the backward part of a late layer may lie in the gradients of the early ones.

use super::{BufferId, Launch, Place, Plan, Step};
use crate::kernel::{Access, Kernel};
use crate::storage::Storage;

/// A buffer whose memory is free before a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lender {
    pub buffer: BufferId,
    /// The first step that touches it.
    pub until: u32,
}

/// The gradients that a plan begins by writing, those that are needed first in front. Their old content means nothing to anyone: a call that
/// does not add to it makes it anew.
pub fn lenders(kernels: &[Kernel], plan: &Plan) -> Vec<Lender> {
    let mut touched = vec![false; plan.buffers.len()];
    let mut lenders = Vec::new();
    for (index, step) in plan.steps.iter().enumerate() {
        for buffer in step.buffers() {
            let first = !std::mem::replace(&mut touched[buffer.0 as usize], true);
            let is_gradient = matches!(plan.buffers[buffer.0 as usize].place, Place::Storage(Storage::Gradient(_)));
            if first && is_gradient && overwrites(kernels, step, buffer) {
                lenders.push(Lender { buffer, until: index as u32 });
            }
        }
    }
    lenders
}

/// Whether a step makes nothing of what stood in a buffer before.
fn overwrites(kernels: &[Kernel], step: &Step, buffer: BufferId) -> bool {
    match step {
        // What the first that touches it has written is new to the other.
        Step::Launch(_) | Step::RowEpilogue { .. } => {
            let touches = |launch: &&&Launch| launch.arguments.iter().any(|argument| argument.buffer == buffer);
            let launches = step.launches();
            launches.iter().find(touches).is_none_or(|launch| {
                let operands = launch.arguments.iter().zip(&kernels[launch.kernel as usize].operands);
                let mut of_buffer = operands.filter(|(argument, _)| argument.buffer == buffer);
                of_buffer.all(|(_, operand)| operand.access == Access::Write)
            })
        }
        Step::Zero(_) => true,
        // A chunk may add to what the one before it has left.
        Step::Chunks { .. } => false,
    }
}
