//! Row programs on what a product stores, as part of its step: the norms of scores, the gradients of what divides by them, layer norms.
//!
//! A device that divides a product by rows does them with each few rows, while these are in a cache, and nobody waits in between. Kernels stay what they are:
//! two are put together where they are launched, so that equal ones are compiled once, and few rows, which are divided otherwise, are done one launch after the other.

use super::{Argument, BufferId, Launch, Plan, Step};
use crate::kernel::{Access, Body, Contraction, ContractionAccess, ContractionSizes, Kernel, RowProgram};
use crate::size::Size;

/// How many steps a row program may be moved ahead: past the product that a Pattention's other gradient is. More, and what it makes would live longer.
const AHEAD: usize = 2;

/// The plan with fewer steps, and its kernels.
pub fn attach(kernels: Vec<Kernel>, mut plan: Plan) -> (Vec<Kernel>, Plan) {
    attach_within(&kernels, &mut plan.steps);
    let kernels = plan.renumber(&kernels);
    (kernels, plan)
}

fn attach_within(kernels: &[Kernel], steps: &mut Vec<Step>) {
    let mut at = 0;
    while at < steps.len() {
        if let Step::Chunks { body, .. } = &mut steps[at] {
            attach_within(kernels, body);
        }
        match product_of(kernels, steps, at) {
            Some((place, step)) => {
                steps[place] = step;
                steps.remove(at);
            }
            None => at += 1,
        }
    }
}

/// The step in which a product can take over the row program at a step, and what it becomes.
fn product_of(kernels: &[Kernel], steps: &[Step], at: usize) -> Option<(usize, Step)> {
    let Step::Launch(rows) = &steps[at] else { return None };
    let touched: Vec<BufferId> = rows.arguments.iter().map(|argument| argument.buffer).collect();
    let written: Vec<BufferId> = rows.written(kernels).collect();
    let place = (at.saturating_sub(AHEAD)..at)
        .rev()
        .find(|place| steps[*place].written(kernels).iter().any(|buffer| touched.contains(buffer)))?;
    let Step::Launch(product) = &steps[place] else { return None };
    let is_free = steps[place + 1..at].iter().all(|step| !step.buffers().iter().any(|buffer| written.contains(buffer)));
    let step = || Step::RowEpilogue { product: product.clone(), rows: rows.clone() };
    (is_free && goes_by_rows(kernels, product, rows)).then(|| (place, step()))
}

/// Whether a row of the one launch needs the same row of the other, and no other of it.
pub fn goes_by_rows(kernels: &[Kernel], product: &Launch, rows: &Launch) -> bool {
    let [product_kernel, rows_kernel] = [product, rows].map(|launch| &kernels[launch.kernel as usize]);
    let (Body::Contraction(body), Body::Rows(row_program)) = (&product_kernel.body, &rows_kernel.body) else {
        return false;
    };
    let stored = Stored { body, sizes: body.sizes(&product.sizes), product, kernel: product_kernel };
    // A row of a transposed A is few bytes of each line of memory: rows are not done a few at a time then.
    let divides_rows = !body.transpose_a && stored.sizes.outer.is_one();
    divides_rows && stored.fits(row_program, rows, rows_kernel)
}

/// What a product makes.
struct Stored<'a> {
    body: &'a Contraction,
    sizes: ContractionSizes<Size>,
    product: &'a Launch,
    kernel: &'a Kernel,
}

impl Stored<'_> {
    fn fits(&self, body: &RowProgram, rows: &Launch, kernel: &Kernel) -> bool {
        let sizes = body.sizes(&rows.sizes);
        let mut operands = rows.arguments.iter().zip(&kernel.operands).zip(&sizes.operands);
        sizes.outer == [self.sizes.m.clone()]
            && operands.all(|((argument, operand), strides)| {
                let shares = self.places(argument.buffer);
                let written = |place: &usize| self.kernel.operands[*place].access != Access::Read;
                match shares.as_slice() {
                    [] => true,
                    _ if operand.access == Access::Read && !shares.iter().any(written) => true,
                    &[place] => {
                        let is_row = strides.inner.is_one() && sizes.inner == self.sizes.n;
                        let is_number = strides.inner == Size::default();
                        self.is_stored_at(place, argument, &strides.outer[0]) && (is_row || is_number)
                    }
                    _ => false,
                }
            })
    }

    /// The operands that are in a buffer.
    fn places(&self, buffer: BufferId) -> Vec<usize> {
        let arguments = self.product.arguments.iter().enumerate();
        arguments.filter(|(_, argument)| argument.buffer == buffer).map(|(place, _)| place).collect()
    }

    /// Whether an operand is one that is stored, its rows where those of an argument are.
    fn is_stored_at(&self, place: usize, argument: &Argument, stride: &Size) -> bool {
        self.body.stores.iter().any(|(operand, _)| usize::from(*operand) == place)
            && self.body.access[place - 2] == ContractionAccess::Matrix
            && self.product.arguments[place].offset == argument.offset
            && self.sizes.operands[place - 2].outer[1] == *stride
    }
}
