//! Where each kernel has most to do.

use super::chunks;
use super::cost::launch_cost;
use super::{Launch, Plan, Program, Step};
use crate::size::SizeValues;

/// For each kernel of a program, the sizes of the launch that takes most operations, of equal ones the first; None of one that no plan launches. `at` tells the
/// sizes of a plan.
pub fn busiest(program: &Program, at: impl Fn(&Plan) -> SizeValues) -> Vec<Option<Vec<i64>>> {
    let mut busiest = Busiest { program, most: vec![None; program.kernels.len()] };
    program.plans.iter().for_each(|plan| busiest.steps(&plan.steps, &at(plan)));
    busiest.most.into_iter().map(|most| most.map(|(_, sizes)| sizes)).collect()
}

struct Busiest<'a> {
    program: &'a Program,
    /// Operations and sizes.
    most: Vec<Option<(i64, Vec<i64>)>>,
}

impl Busiest<'_> {
    fn steps(&mut self, steps: &[Step], sizes: &SizeValues) {
        for step in steps {
            match step {
                Step::Launch(_) | Step::RowEpilogue { .. } => {
                    step.launches().into_iter().for_each(|launch| self.launch(launch, sizes))
                }
                Step::Zero(_) => {}
                Step::Chunks { rows, chunk, body } => {
                    chunks(sizes, rows, *chunk).for_each(|sizes| self.steps(body, &sizes));
                }
            }
        }
    }

    fn launch(&mut self, launch: &Launch, sizes: &SizeValues) {
        let kernel = launch.kernel as usize;
        let flops = launch_cost(&self.program.kernels[kernel], launch, sizes).flops;
        if self.most[kernel].as_ref().is_none_or(|(most, _)| flops > *most) {
            self.most[kernel] = Some((flops, launch.sizes.iter().map(|size| size.eval(sizes)).collect()));
        }
    }
}
