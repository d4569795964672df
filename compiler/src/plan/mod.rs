//! The plan: kernels in order, every buffer and its lifetime, sizes as expressions in the symbols.
//!
//! One plan is one entry. It is data: [`layout()`] turns it and one number per symbol into offsets in an arena and the peak, and
//! is called at the start and at each growth; nothing else depends on the sizes.

mod busiest;
mod chunks;
mod cost;
mod emit;
mod evaluate;
mod homes;
mod layout;
mod lending;
mod levels;
mod lifetimes;
mod narrow;
mod operations;
mod rotary;
mod row_epilogues;
mod segments;
#[cfg(test)]
mod tests;
mod text;
mod verify;

pub use busiest::busiest;
pub use chunks::chunks;
pub use cost::{Cost, launch_cost};
pub use emit::compile_entry;
pub use evaluate::evaluate;
pub use layout::{Layout, Spot, layout};
pub use lending::Lender;
pub use operations::{Operation, What, operations};
pub use verify::{verify, verify_at};

use crate::graph::{DType, Input};
use crate::kernel::Kernel;
use crate::precision::Precision;
use crate::size::{Size, SizeValues, Symbols};
use crate::storage::Storage;
use tfc_grammar::span::Span;

/// An index into [`Plan::buffers`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BufferId(pub u32);

#[derive(Clone, Debug, PartialEq)]
pub struct Buffer {
    pub name: String,
    pub dtype: DType,
    pub elements: Size,
    pub place: Place,
}

impl Buffer {
    /// At these sizes.
    pub fn bytes(&self, sizes: &SizeValues) -> u64 {
        let elements = u64::try_from(self.elements.eval(sizes)).expect("bug in tfc: a negative size");
        elements.saturating_mul(self.dtype.bytes() as u64)
    }
}

/// Where a buffer lives.
#[derive(Clone, Debug, PartialEq)]
pub enum Place {
    /// Outside the arena: survives the call.
    Storage(Storage),
    /// In the arena, from the first to the last step (indices into [`Plan::steps`], inclusive) that touches it.
    Arena { first: u32, last: u32 },
}

/// A part of a buffer handed to a kernel, from an offset in elements on.
#[derive(Clone, Debug, PartialEq)]
pub struct Argument {
    pub buffer: BufferId,
    pub offset: Size,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Launch {
    /// Index into the kernels of the program.
    pub kernel: u32,
    pub arguments: Vec<Argument>,
    /// The kernel's sizes, in the order its body documents.
    pub sizes: Vec<Size>,
    /// The place in the spec that this work comes from, for profiles and errors.
    pub span: Option<Span>,
    /// What is computed, in the graph's words: for `tfc explain`, profiles and the first non-finite operation.
    pub label: String,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    Launch(Launch),
    /// A product, and a row program on what it stores, which needs nothing that other rows make: a device that divides the rows of the product alone may do rows as
    /// soon as they are stored, in any order, another does one launch after the other.
    RowEpilogue {
        product: Launch,
        rows: Launch,
    },
    /// Zeroes a buffer.
    Zero(BufferId),
    /// `body` for each of the even [`chunks()`] of at most `chunk` of `rows` rows, in order; inside, `Symbol::CHUNK_START` and `Symbol::CHUNK_ROWS` are set.
    Chunks {
        rows: Size,
        chunk: i64,
        body: Vec<Step>,
    },
}

impl Step {
    /// Its own launches, in order; not those of chunks.
    pub fn launches(&self) -> Vec<&Launch> {
        match self {
            Step::Launch(launch) => vec![launch],
            Step::RowEpilogue { product, rows } => vec![product, rows],
            Step::Zero(_) | Step::Chunks { .. } => Vec::new(),
        }
    }

    /// Visits its launches, each once, in order.
    fn each_launch(&mut self, visit: &mut dyn FnMut(&mut Launch)) {
        match self {
            Step::Launch(launch) => visit(launch),
            Step::RowEpilogue { product, rows } => [product, rows].into_iter().for_each(visit),
            Step::Chunks { body, .. } => body.iter_mut().for_each(|step| step.each_launch(visit)),
            Step::Zero(_) => {}
        }
    }
}

/// A constant that is computed from the sizes alone, when they are set.
#[derive(Clone, Debug, PartialEq)]
pub enum Table {
    /// cos or sin of position · base^(−2i/channels), computed in f32 as the official code does: `[positions, channels/2]`.
    Cosine {
        positions: Size,
        channels: u32,
        base: f64,
    },
    Sine {
        positions: Size,
        channels: u32,
        base: f64,
    },
}

/// What a call hands back.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedOutput {
    pub name: String,
    pub dtype: DType,
    pub shape: Vec<Size>,
}

/// One entry in one precision, ready to run on a device.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    pub name: String,
    pub precision: Precision,
    pub symbols: Symbols,
    pub inputs: Vec<Input>,
    /// By index: what `Storage::Output` names.
    pub outputs: Vec<PlannedOutput>,
    pub tables: Vec<Table>,
    pub buffers: Vec<Buffer>,
    pub steps: Vec<Step>,
    /// In the order of their steps.
    pub lenders: Vec<Lender>,
}

impl Plan {
    /// Numbers kernels anew, in the order in which they are launched; gives them.
    fn renumber(&mut self, kernels: &[Kernel]) -> Vec<Kernel> {
        let mut program = Program::default();
        let mut number = |launch: &mut Launch| launch.kernel = program.kernel(kernels[launch.kernel as usize].clone());
        self.steps.iter_mut().for_each(|step| step.each_launch(&mut number));
        program.kernels
    }
}

/// The plans of several entries over one set of deduplicated kernels.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Program {
    pub kernels: Vec<Kernel>,
    pub plans: Vec<Plan>,
}

impl Program {
    /// Adds a kernel, or finds the equal one that is there.
    pub fn kernel(&mut self, kernel: Kernel) -> u32 {
        let index = self.kernels.iter().position(|k| *k == kernel).unwrap_or_else(|| {
            self.kernels.push(kernel);
            self.kernels.len() - 1
        });
        index as u32
    }

    /// Adds the plans and kernels of another program.
    pub fn absorb(&mut self, other: Program) {
        let kernels: Vec<u32> = other.kernels.into_iter().map(|kernel| self.kernel(kernel)).collect();
        for mut plan in other.plans {
            let mut renumber = |launch: &mut Launch| launch.kernel = kernels[launch.kernel as usize];
            plan.steps.iter_mut().for_each(|step| step.each_launch(&mut renumber));
            self.plans.push(plan);
        }
    }

    /// The index of the plan of an entry in a precision.
    pub fn plan(&self, entry: &str, precision: Precision) -> Option<usize> {
        self.plans.iter().position(|plan| plan.name == entry && plan.precision == precision)
    }
}
