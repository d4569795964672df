//! The sizes of a launch, read in the order that a kernel's body documents.

use crate::mlir::{Index, Launch, Pointer, Vector};
use std::cell::Cell;
use tfc_compiler::kernel::Program;

pub struct Sizes<'f> {
    array: Pointer<'f>,
    read: Cell<i64>,
}

impl<'f> Sizes<'f> {
    pub fn new(launch: Launch<'f>) -> Sizes<'f> {
        Sizes { array: launch.sizes, read: Cell::new(0) }
    }

    pub fn next(&self) -> Index<'f> {
        let position = self.read.replace(self.read.get() + 1);
        self.array.load_index(position)
    }

    /// The rest, as numbers for the programs: what `ProgramOp::Size` reads.
    pub fn numbers(&self, programs: Vec<&Program>) -> Vec<Vector<'f>> {
        let count = programs.into_iter().map(Program::size_arguments).max().unwrap_or(0);
        (0..count).map(|_| self.next().to_float().splat()).collect()
    }
}
