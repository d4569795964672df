//! What a plan does at given sizes, one operation after the other: what a device times, with what each computes and moves.

use super::chunks;
use super::cost::{Cost, launch_cost};
use super::{BufferId, Launch, Plan, Program, Step};
use crate::size::SizeValues;

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Operation<'a> {
    pub what: What<'a>,
    pub cost: Cost,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum What<'a> {
    Launch(&'a Launch),
    Zero(BufferId),
}

/// In the order in which a device runs them: a chunk's for one chunk after the other.
pub fn operations<'a>(program: &Program, plan: &'a Plan, sizes: &SizeValues) -> Vec<Operation<'a>> {
    let mut all = Vec::new();
    collect(program, plan, &plan.steps, sizes, &mut all);
    all
}

fn collect<'a>(program: &Program, plan: &'a Plan, steps: &'a [Step], sizes: &SizeValues, all: &mut Vec<Operation<'a>>) {
    for step in steps {
        match step {
            Step::Launch(_) | Step::RowEpilogue { .. } => {
                for launch in step.launches() {
                    let cost = launch_cost(&program.kernels[launch.kernel as usize], launch, sizes);
                    all.push(Operation { what: What::Launch(launch), cost });
                }
            }
            Step::Zero(buffer) => {
                let buffer_bytes = plan.buffers[buffer.0 as usize].bytes(sizes);
                let bytes = i64::try_from(buffer_bytes).unwrap_or(i64::MAX);
                let cost = Cost { flops: 0, product_flops: 0, bytes, written_bytes: bytes };
                all.push(Operation { what: What::Zero(*buffer), cost });
            }
            Step::Chunks { rows, chunk, body } => {
                chunks(sizes, rows, *chunk).for_each(|sizes| collect(program, plan, body, &sizes, all));
            }
        }
    }
}
