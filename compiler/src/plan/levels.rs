//! Where texts are continued, steps that need nothing of each other stand beside each other: the products of queries, keys and values.
//!
//! What a launch does for a single token takes microseconds, and threads meet before any that needs what the last has made. A step is as late as what needs it
//! allows, so that nothing waits in memory for long. Steps of one level have places of their own in the arena, so that they can be done at once: of a prompt of
//! many tokens a few more scores are there at a time. Elsewhere steps stay in the order of the graph, in which what is made is used soon.

use super::{BufferId, Place, Plan, Step};
use crate::compiled::Entry;
use crate::kernel::Kernel;
use crate::size::Symbol;
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

/// Lets buffers of the arena live from the first to the last step of the levels in which they are touched. What is in one step alone, as large as a chunk is
/// there, stays in that.
pub fn keep_apart(kernels: &[Kernel], plan: &mut Plan) {
    if plan.name != Entry::Decode.name() {
        return;
    }
    let levels = levels(kernels, &plan.steps);
    for buffer in &mut plan.buffers {
        let is_of_a_chunk = buffer.elements.symbols().contains(&Symbol::CHUNK_ROWS);
        if let Place::Arena { first, last } = &mut buffer.place
            && !is_of_a_chunk
        {
            let [begin, end] = [*first, *last].map(|step| levels[step as usize]);
            *first = levels.partition_point(|level| *level < begin) as u32;
            *last = levels.partition_point(|level| *level <= end) as u32 - 1;
        }
    }
}

/// Of each step how far it is from the first of the longest row of steps that must be done one after the other, counted from its end.
fn levels(kernels: &[Kernel], steps: &[Step]) -> Vec<usize> {
    let mut after = After::default();
    let mut levels: Vec<usize> = steps.iter().rev().map(|step| after.of(step, kernels)).collect();
    let most = levels.iter().max().copied().unwrap_or(0);
    levels.iter_mut().for_each(|level| *level = most - *level);
    levels.reverse();
    levels
}

/// How many steps come one after the other from the first that touches a buffer on, among those behind a place in the plan.
#[derive(Default)]
struct After {
    writers: BTreeMap<BufferId, usize>,
    readers: BTreeMap<BufferId, usize>,
}

impl After {
    /// Of the step before that place: as many as there are behind any of what must come after it.
    fn of(&mut self, step: &Step, kernels: &[Kernel]) -> usize {
        let (touched, written) = (step.buffers(), step.written(kernels));
        let steps = |after: &BTreeMap<BufferId, usize>, buffer| after.get(buffer).map_or(0, |steps| steps + 1);
        let writers = touched.iter().map(|buffer| steps(&self.writers, buffer));
        let readers = written.iter().map(|buffer| steps(&self.readers, buffer));
        let most = writers.chain(readers).max().unwrap_or(0);
        for buffer in touched {
            let after = if written.contains(&buffer) { &mut self.writers } else { &mut self.readers };
            after.entry(buffer).and_modify(|steps| *steps = most.max(*steps)).or_insert(most);
        }
        most
    }
}
