//! In how many passes along a row its reductions are known.

use tfc_compiler::graph::Reduction;
use tfc_compiler::kernel::{Program, ProgramOp, Register};

/// One reduction of a pass.
pub struct Reducing {
    pub register: Register,
    pub reduction: Reduction,
    pub argument: Register,
}

/// The k-th largest of the argument; several walks along the row.
pub struct Selecting {
    pub register: Register,
    pub argument: Register,
    pub k: Register,
}

#[derive(Default)]
pub struct Pass {
    pub reductions: Vec<Reducing>,
    pub selections: Vec<Selecting>,
}

/// The reductions of each pass: those whose arguments need no reduction of the same or a later one.
pub fn passes(program: &Program) -> Vec<Pass> {
    let mut passes: Vec<Pass> = Vec::new();
    // For each register, the number of passes that must be over before it is known.
    let mut known_after: Vec<usize> = Vec::new();
    for (i, op) in program.ops.iter().enumerate() {
        let register = Register(i as u16);
        let needs = op.operands().iter().map(|r| known_after[r.0 as usize]).max().unwrap_or(0);
        known_after.push(match op {
            ProgramOp::Reduce(reduction, argument) => {
                passes.resize_with(passes.len().max(needs + 1), Pass::default);
                passes[needs].reductions.push(Reducing { register, reduction: *reduction, argument: *argument });
                needs + 1
            }
            ProgramOp::KthLargest(argument, k) => {
                passes.resize_with(passes.len().max(needs + 1), Pass::default);
                passes[needs].selections.push(Selecting { register, argument: *argument, k: *k });
                needs + 1
            }
            ProgramOp::Load(_)
            | ProgramOp::Constant(_)
            | ProgramOp::Size(_)
            | ProgramOp::Unary(..)
            | ProgramOp::Binary(..)
            | ProgramOp::Select(..)
            | ProgramOp::InnerIndex
            | ProgramOp::OuterIndex(_)
            | ProgramOp::Given
            | ProgramOp::Uniform { .. } => needs,
        });
    }
    passes
}
