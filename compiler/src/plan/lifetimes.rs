//! Which buffers steps touch, and so from when to when each of the arena is needed.

use super::{BufferId, Launch, Place, Plan, Step};
use crate::kernel::{Access, Kernel};

/// Sets first and last of every buffer in the arena.
pub fn set_lifetimes(plan: &mut Plan) {
    for index in 0..plan.steps.len() {
        for buffer in plan.steps[index].buffers() {
            if let Place::Arena { first, last } = &mut plan.buffers[buffer.0 as usize].place {
                *first = (*first).min(index as u32);
                *last = (*last).max(index as u32);
            }
        }
    }
}

impl Step {
    /// Every buffer that it touches.
    pub fn buffers(&self) -> Vec<BufferId> {
        match self {
            Step::Launch(_) | Step::RowEpilogue { .. } => {
                let arguments = self.launches().into_iter().flat_map(|launch| &launch.arguments);
                arguments.map(|argument| argument.buffer).collect()
            }
            Step::Zero(buffer) => vec![*buffer],
            Step::Chunks { body, .. } => body.iter().flat_map(Step::buffers).collect(),
        }
    }

    /// Every buffer that it writes to; of chunks, all that they touch.
    pub(super) fn written(&self, kernels: &[Kernel]) -> Vec<BufferId> {
        match self {
            Step::Launch(_) | Step::RowEpilogue { .. } => {
                self.launches().into_iter().flat_map(|launch| launch.written(kernels)).collect()
            }
            Step::Zero(_) | Step::Chunks { .. } => self.buffers(),
        }
    }
}

impl Launch {
    /// Every buffer that it writes to.
    pub(super) fn written(&self, kernels: &[Kernel]) -> impl Iterator<Item = BufferId> {
        let operands = self.arguments.iter().zip(&kernels[self.kernel as usize].operands);
        operands.filter(|(_, operand)| operand.access != Access::Read).map(|(argument, _)| argument.buffer)
    }
}
