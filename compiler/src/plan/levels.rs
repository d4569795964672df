//! Where texts are continued, steps that need nothing of each other stand beside each other: the products of queries, keys and values.
//!
//! What a launch does for a single token takes microseconds, and threads meet before any that needs what the last has made. Steps of one level have places of
//! their own in the arena, so that they can be done at once. Elsewhere steps stay in the order of the graph, in which what is made is used soon.

use super::{BufferId, Place, Plan, Step};
use crate::compiled::Entry;
use crate::kernel::Kernel;
use std::collections::BTreeMap;

/// The plan in another order, and its kernels.
pub fn sort(kernels: Vec<Kernel>, mut plan: Plan) -> (Vec<Kernel>, Plan) {
    if plan.name != Entry::Decode.name() {
        return (kernels, plan);
    }
    let levels = levels(&kernels, &plan.steps);
    let mut steps: Vec<(usize, Step)> = levels.into_iter().zip(plan.steps.drain(..)).collect();
    steps.sort_by_key(|(level, _)| *level);
    plan.steps = steps.into_iter().map(|(_, step)| step).collect();
    let kernels = plan.renumber(&kernels);
    (kernels, plan)
}

/// Lets buffers of the arena live from the first to the last step of the levels in which they are touched.
pub fn keep_apart(kernels: &[Kernel], plan: &mut Plan) {
    if plan.name != Entry::Decode.name() {
        return;
    }
    let levels = levels(kernels, &plan.steps);
    for buffer in &mut plan.buffers {
        // Nothing touches what a later pass has no use for.
        if let Place::Arena { first, last } = &mut buffer.place
            && *first <= *last
        {
            let [begin, end] = [*first, *last].map(|step| levels[step as usize]);
            *first = levels.partition_point(|level| *level < begin) as u32;
            *last = levels.partition_point(|level| *level <= end) as u32 - 1;
        }
    }
}

/// Of each step the number of steps that must be done one after the other before it.
fn levels(kernels: &[Kernel], steps: &[Step]) -> Vec<usize> {
    let mut levels = Levels::default();
    steps.iter().map(|step| levels.next(step, kernels)).collect()
}

/// The levels of the steps so far that touched a buffer last.
#[derive(Default)]
struct Levels {
    writers: BTreeMap<BufferId, usize>,
    readers: BTreeMap<BufferId, usize>,
}

impl Levels {
    /// Of the next step: one more than any of what it must come after.
    fn next(&mut self, step: &Step, kernels: &[Kernel]) -> usize {
        let (touched, written) = (step.buffers(), step.written(kernels));
        let after = |levels: &BTreeMap<BufferId, usize>, buffer| levels.get(buffer).map_or(0, |level| level + 1);
        let writers = touched.iter().map(|buffer| after(&self.writers, buffer));
        let readers = written.iter().map(|buffer| after(&self.readers, buffer));
        let level = writers.chain(readers).max().unwrap_or(0);
        for buffer in touched {
            let last = if written.contains(&buffer) { &mut self.writers } else { &mut self.readers };
            last.entry(buffer).and_modify(|last| *last = level.max(*last)).or_insert(level);
        }
        level
    }
}
