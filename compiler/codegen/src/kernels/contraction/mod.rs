//! A matrix product with programs on what is loaded and what is stored.
//!
//! The programs cost a pass over data that is in the first cache anyway: prologues run as a block is packed, the epilogue as a tile leaves the
//! registers. The hot loops are helpers, one copy a module (see [`crate::gemm`]); what is emitted here for each kernel is small.

mod ahead;
mod epilogue;
mod few;
mod nest;
mod operand;
mod pack;
mod passes;
mod shared;

use crate::gemm::Numbers;
use crate::mlir::{Function, Launch};
use crate::vectors::Vectors;
pub use nest::rows_of_item;
use operand::Arguments;
use tfc_compiler::executable::{Extent, Room};
use tfc_compiler::kernel::{Contraction, Kernel};

/// The kernel has two ways to go where few rows can do without packing: the rows are counted at run time.
pub fn emit<'f>(f: &'f Function<'f>, launch: Launch<'f>, kernel: &Kernel, body: &Contraction) {
    let arguments = Arguments::read(launch, kernel, body);
    match body.few_rows {
        true => f.either(
            arguments.m.at_most(f.index(Contraction::FEW_ROWS)),
            || few::emit(f, launch, &arguments, body),
            || nest::emit(f, launch, &arguments, body),
        ),
        false => nest::emit(f, launch, &arguments, body),
    }
}

/// What threads share.
pub fn shared(body: &Contraction, vectors: Vectors) -> Room {
    room(shared::elements(Numbers::new(body.precision, vectors), vectors), shared::MOST_ELEMENTS)
}

pub fn scratch(body: &Contraction, vectors: Vectors) -> Room {
    let [of_few, of_many] = [few::scratch_elements(), nest::most_scratch_elements(body, vectors)];
    let nest = nest::scratch_elements(body, vectors);
    match body.few_rows {
        true => {
            let few = Extent::Constant(of_few);
            room(Extent::Size(1).if_at_most(Contraction::FEW_ROWS, few, nest), of_few.max(of_many))
        }
        false => room(nest, of_many),
    }
}

/// The same where B is with all threads.
pub fn scratch_of_sharing(body: &Contraction, vectors: Vectors) -> Room {
    room(nest::scratch_elements_of_sharing(body, vectors), nest::most_scratch_elements(body, vectors))
}

/// Of f32.
fn room(elements: Extent, most: i64) -> Room {
    Room { bytes: elements.times(4), most: 4 * most as usize }
}

#[cfg(test)]
mod tests;
