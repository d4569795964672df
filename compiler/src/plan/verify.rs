//! What must hold of every plan:
//!
//! 1. Every kernel is there and well formed; a launch hands over as many arguments and sizes as it takes, of its element types.
//! 2. A buffer of the arena is read only after it was written, and is touched only while it lives.
//! 3. What a launch writes is none of its other arguments; a row program behind a product goes by its rows.
//! 4. At concrete sizes: every argument lies within its buffer, as far as the kernel reaches, and a row program writes each element once; in
//!    the first and the last chunk too.

use super::chunks;
use super::row_epilogues::goes_by_rows;
use super::{Launch, Place, Plan, Program, Step};
use crate::kernel::{Access, Body, Kernel};
use crate::size::SizeValues;

/// Every violation that does not depend on sizes, in words.
pub fn verify(program: &Program, plan: &Plan) -> Vec<String> {
    let mut pass = Pass { program, plan, written: vec![false; plan.buffers.len()], found: Vec::new() };
    for (index, step) in plan.steps.iter().enumerate() {
        pass.step(index as u32, step);
    }
    pass.found
}

/// Every violation at these sizes.
pub fn verify_at(program: &Program, plan: &Plan, sizes: &SizeValues) -> Vec<String> {
    let mut found = Vec::new();
    for step in &plan.steps {
        let launches: Vec<(&Launch, SizeValues)> = match step {
            Step::Launch(_) | Step::RowEpilogue { .. } | Step::Zero(_) => {
                step.launches().into_iter().map(|launch| (launch, sizes.clone())).collect()
            }
            Step::Chunks { rows, chunk, body } => {
                let all: Vec<SizeValues> = chunks(sizes, rows, *chunk).collect();
                let ends = [all.first(), all.last()].into_iter().flatten().cloned();
                ends.flat_map(|sizes| body.iter().flat_map(Step::launches).map(move |l| (l, sizes.clone()))).collect()
            }
        };
        for (launch, sizes) in &launches {
            within_buffers(program, plan, launch, sizes, &mut found);
            written_once(program, launch, sizes, &mut found);
        }
    }
    found
}

fn within_buffers(program: &Program, plan: &Plan, launch: &Launch, sizes: &SizeValues, found: &mut Vec<String>) {
    let numbers: Vec<i64> = launch.sizes.iter().map(|size| size.eval(sizes)).collect();
    let reach = program.kernels[launch.kernel as usize].reach(&numbers);
    for (operand, (argument, reach)) in launch.arguments.iter().zip(reach).enumerate() {
        let buffer = &plan.buffers[argument.buffer.0 as usize];
        let (offset, elements) = (argument.offset.eval(sizes), buffer.elements.eval(sizes));
        if offset < 0 || offset + reach > elements {
            let end = offset + reach;
            found
                .push(format!("{}: #{operand} reaches {offset}..{end} of {elements} in {}", launch.label, buffer.name));
        }
    }
}

/// What stands still along a dimension would be written again and again, by several threads and over what it is computed from.
fn written_once(program: &Program, launch: &Launch, sizes: &SizeValues, found: &mut Vec<String>) {
    let Kernel { body: Body::Rows(body), operands, .. } = &program.kernels[launch.kernel as usize] else { return };
    let numbers: Vec<i64> = launch.sizes.iter().map(|size| size.eval(sizes)).collect();
    let sizes = body.sizes(&numbers);
    if sizes.inner == 0 {
        return;
    }
    for (operand, strides) in sizes.operands.iter().enumerate() {
        let stands = sizes.outer.iter().zip(&strides.outer).any(|(size, stride)| *size > 1 && *stride == 0);
        if operands[operand].access != Access::Read && stands {
            found.push(format!("{}: #{operand} is written more than once", launch.label));
        }
    }
}

struct Pass<'a> {
    program: &'a Program,
    plan: &'a Plan,
    written: Vec<bool>,
    found: Vec<String>,
}

impl Pass<'_> {
    fn step(&mut self, index: u32, step: &Step) {
        for buffer in step.buffers() {
            let buffer = &self.plan.buffers[buffer.0 as usize];
            if let Place::Arena { first, last } = buffer.place
                && !(first..=last).contains(&index)
            {
                self.found.push(format!("{} is touched at step {index} but lives {first}..={last}", buffer.name));
            }
        }
        match step {
            Step::Launch(launch) => self.launch(launch),
            Step::RowEpilogue { product, rows } => {
                [product, rows].into_iter().for_each(|launch| self.launch(launch));
                if !goes_by_rows(&self.program.kernels, product, rows) {
                    self.found.push(format!("{}: needs more than its own row of the product", rows.label));
                }
            }
            Step::Zero(buffer) => self.written[buffer.0 as usize] = true,
            Step::Chunks { body, .. } => body.iter().for_each(|step| self.step(index, step)),
        }
    }

    fn launch(&mut self, launch: &Launch) {
        let Some(kernel) = self.program.kernels.get(launch.kernel as usize) else {
            return self.found.push(format!("{}: kernel {} is not there", launch.label, launch.kernel));
        };
        self.found.extend(kernel.violations().into_iter().map(|why| format!("kernel {}: {why}", launch.kernel)));
        let counts = [(launch.arguments.len(), kernel.operands.len()), (launch.sizes.len(), kernel.size_count())];
        if counts.iter().any(|(given, taken)| given != taken) {
            return self.found.push(format!("{}: hands over {counts:?} (given, taken)", launch.label));
        }
        for (operand, argument) in kernel.operands.iter().zip(&launch.arguments) {
            let buffer = &self.plan.buffers[argument.buffer.0 as usize];
            if buffer.dtype != operand.dtype {
                self.found
                    .push(format!("{}: {} is of another type than the kernel's operand", launch.label, buffer.name));
            }
            let in_arena = matches!(buffer.place, Place::Arena { .. });
            if in_arena && operand.access != Access::Write && !self.written[argument.buffer.0 as usize] {
                self.found.push(format!("{}: reads {} before it is written", launch.label, buffer.name));
            }
        }
        for (i, (operand, argument)) in kernel.operands.iter().zip(&launch.arguments).enumerate() {
            let others = launch.arguments.iter().enumerate().filter(|(other, _)| *other != i);
            // Parts of one buffer may be written side by side.
            let is_another = others.map(|(_, other)| other).any(|other| other == argument);
            if operand.access != Access::Read && is_another {
                let name = &self.plan.buffers[argument.buffer.0 as usize].name;
                self.found.push(format!("{}: {name} is written and is another argument as well", launch.label));
            }
            self.written[argument.buffer.0 as usize] |= operand.access != Access::Read;
        }
    }
}
