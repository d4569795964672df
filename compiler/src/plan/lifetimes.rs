//! From when to when each buffer of the arena is needed, read off the steps.

use super::{BufferId, Place, Plan, Step};

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
            Step::Launch(launch) => launch.arguments.iter().map(|argument| argument.buffer).collect(),
            Step::Zero(buffer) => vec![*buffer],
            Step::Chunks { body, .. } => body.iter().flat_map(Step::buffers).collect(),
        }
    }
}
