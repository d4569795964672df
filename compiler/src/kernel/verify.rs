//! What must hold of every kernel:
//!
//! 1. Registers look back, and stores and results name registers that are there.
//! 2. Programs load operands that are there; one that is loaded is not only written; a seed is i32.
//! 3. Each operand that is written is stored exactly once, and nothing else is.
//! 4. A row program declares the access of each operand, a column reduction of each but the output, a contraction of each but A and B.
//! 5. What is stored to an operand with [`Inner::Row`] is the same along the row.
//! 6. `Reduce` and `KthLargest`, of a k that is the same along the row, stand only in row programs, `Given` only in contractions, `OuterIndex` only in row programs and column reductions, below
//!    their rank, `Uniform` in no prologue.
//! 7. bf16 are only the matrices of a contraction in bf16, those that its programs read and write among them, what lies side by side along a row of a row
//!    program, and the table of a gather.
//! 8. What is turned fits into blocks of columns; in a contraction it is the only operand that is stored, and f32.
//! 9. The loads and stores of an operand of a contraction are those of one of its programs; A and B are loaded by none.

use super::program::{Program, ProgramOp, Register};
use super::{
    Access, Body, ColumnReduction, Contraction, ContractionAccess, Inner, Kernel, Operand, Rotary, RowProgram,
};
use crate::graph::DType;
use crate::precision::Precision;

impl Kernel {
    /// Every violation, in words; empty if there is none.
    pub fn violations(&self) -> Vec<String> {
        let mut found = Vec::new();
        match &self.body {
            Body::Rows(body) => row_program(self, body, &mut found),
            Body::Columns(body) => column_reduction(self, body, &mut found),
            Body::Contraction(body) => contraction(self, body, &mut found),
            Body::Gather(_) => count(self, 3, &mut found),
            Body::ScatterAdd(_) => count(self, 3, &mut found),
            Body::Rope(_) => count(self, if self.turns_in_place() { 4 } else { 5 }, &mut found),
            Body::CacheWrite(_) => count(self, 3, &mut found),
            Body::Attention(body) => count(self, 5 + usize::from(body.documents), &mut found),
            Body::AttentionBackward(body) => {
                let turned = body.rotary.iter().map(|_| Rotary::OPERANDS).sum::<usize>();
                count(self, 9 + usize::from(body.documents) + turned, &mut found);
                body.rotary.iter().for_each(|rotary| turns(rotary, &mut found));
            }
            Body::CachedAttention(_) => count(self, 5, &mut found),
        }
        narrow(self, &mut found);
        found
    }
}

fn narrow(kernel: &Kernel, found: &mut Vec<String>) {
    let narrow = kernel.operands.iter().enumerate().filter(|(_, operand)| operand.dtype == DType::BF16);
    for (index, operand) in narrow {
        let fits = match &kernel.body {
            Body::Contraction(body) => {
                let access = index.checked_sub(2).and_then(|place| body.access.get(place));
                body.precision == Precision::Bf16 && (index < 2 || access == Some(&ContractionAccess::Matrix))
            }
            Body::Rows(body) => body.access.get(index).is_some_and(|access| access.inner == Inner::Unit),
            Body::Gather(_) => index == 1 && operand.access == Access::Read,
            Body::Columns(_) | Body::ScatterAdd(_) | Body::Rope(_) | Body::CacheWrite(_) => false,
            Body::Attention(_) | Body::AttentionBackward(_) | Body::CachedAttention(_) => false,
        };
        if !fits {
            found.push(format!("#{index} cannot be bf16"));
        }
    }
}

fn row_program(kernel: &Kernel, body: &RowProgram, found: &mut Vec<String>) {
    count(kernel, body.access.len(), found);
    program(kernel, &body.program, found);
    stores(kernel, &body.program, &body.stores, found);
    let uniform = body.program.uniform_along_row(|operand| body.access.get(operand).map(|a| a.inner));
    for (operand, register) in &body.stores {
        let row = body.access.get(*operand as usize).is_some_and(|a| a.inner == Inner::Row);
        if row && uniform.get(register.0 as usize) == Some(&false) {
            found.push(format!("#{operand} is one number per row, but its value differs along the row"));
        }
    }
    for op in &body.program.ops {
        if let ProgramOp::KthLargest(_, k) = op
            && uniform.get(k.0 as usize) == Some(&false)
        {
            found.push(format!("${} says how many, but differs along the row", k.0));
        }
    }
    forbid(&body.program, found, "nothing is given to a row program", |op| *op == ProgramOp::Given);
    outer_indices(&body.program, body.outer_rank, found);
}

fn column_reduction(kernel: &Kernel, body: &ColumnReduction, found: &mut Vec<String>) {
    count(kernel, body.access.len() + 1, found);
    program(kernel, &body.program, found);
    stores(kernel, &body.program, &[(body.access.len() as u16, body.value)], found);
    forbid(&body.program, found, "nothing is given to a column reduction", |op| *op == ProgramOp::Given);
    if body.program.reduces() {
        found.push("a column reduction only adds over rows".to_string());
    }
    outer_indices(&body.program, body.outer_rank, found);
}

fn contraction(kernel: &Kernel, body: &Contraction, found: &mut Vec<String>) {
    let turned = body.rotary.iter().map(|_| Rotary::OPERANDS).sum::<usize>();
    count(kernel, body.access.len() + 2 + turned, found);
    for prologue in [&body.prologue_a, &body.prologue_b] {
        let Some((prologue, result)) = prologue else { continue };
        program(kernel, prologue, found);
        register(prologue, *result, found);
        forbid(prologue, found, "a prologue draws no random numbers", |op| matches!(op, ProgramOp::Uniform { .. }));
    }
    program(kernel, &body.epilogue, found);
    stores(kernel, &body.epilogue, &body.stores, found);
    for program in body.programs() {
        if program.reduces() {
            found.push("a contraction reduces by its product only".to_string());
        }
        outer_indices(program, 0, found);
    }
    for (operand, _) in &body.stores {
        if body.access.get((*operand as usize).wrapping_sub(2)) != Some(&ContractionAccess::Matrix) {
            found.push(format!("#{operand} is stored but no matrix"));
        }
    }
    if let Some(rotary) = &body.rotary {
        turns(rotary, found);
        let stored = body.stores.iter().map(|(operand, _)| kernel.operands.get(usize::from(*operand)));
        if !matches!(stored.collect::<Vec<_>>().as_slice(), [Some(Operand { dtype: DType::F32, .. })]) {
            found.push("what is turned is not the only matrix that is stored, or no f32".to_string());
        }
    }
    for operand in 0..kernel.operands.len() as u16 {
        let loads = body.programs().into_iter().filter(|p| p.loads().contains(&operand)).count();
        let allowed = if operand < 2 { 0 } else { 1 };
        if loads > allowed {
            found.push(format!("#{operand} is loaded by {loads} programs"));
        }
    }
}

fn turns(rotary: &Rotary, found: &mut Vec<String>) {
    if !rotary.fits() {
        found.push("a head that is turned lies in two blocks of columns".to_string());
    }
}

fn count(kernel: &Kernel, expected: usize, found: &mut Vec<String>) {
    if kernel.operands.len() != expected {
        found.push(format!("{} operands where {expected} belong", kernel.operands.len()));
    }
}

fn program(kernel: &Kernel, program: &Program, found: &mut Vec<String>) {
    for (index, op) in program.ops.iter().enumerate() {
        if op.operands().iter().any(|register| register.0 as usize >= index) {
            found.push(format!("${index} looks ahead"));
        }
        if let ProgramOp::Uniform { seed, .. } = op
            && kernel.operands.get(*seed as usize).map(|o| o.dtype) != Some(DType::I32)
        {
            found.push(format!("the seed #{seed} is no i32 operand"));
        }
    }
    for operand in program.loads() {
        match kernel.operands.get(operand as usize) {
            None => found.push(format!("#{operand} is loaded but not there")),
            Some(o) if o.access == Access::Write => found.push(format!("#{operand} is loaded but only written")),
            Some(_) => {}
        }
    }
}

fn forbid(program: &Program, found: &mut Vec<String>, why: &str, forbidden: impl Fn(&ProgramOp) -> bool) {
    if program.ops.iter().any(forbidden) {
        found.push(why.to_string());
    }
}

fn outer_indices(program: &Program, rank: u8, found: &mut Vec<String>) {
    forbid(
        program,
        found,
        "there is no such outer dimension",
        |op| matches!(op, ProgramOp::OuterIndex(dimension) if *dimension >= rank),
    );
}

fn register(program: &Program, register: Register, found: &mut Vec<String>) {
    if register.0 as usize >= program.ops.len() {
        found.push(format!("${} is not there", register.0));
    }
}

fn stores(kernel: &Kernel, program: &Program, stores: &[(u16, Register)], found: &mut Vec<String>) {
    stores.iter().for_each(|(_, r)| register(program, *r, found));
    for (index, operand) in kernel.operands.iter().enumerate() {
        let times = stores.iter().filter(|(stored, _)| usize::from(*stored) == index).count();
        let expected = if operand.access == Access::Read { 0 } else { 1 };
        if times != expected {
            found.push(format!("#{index} is stored {times} times, expected {expected}"));
        }
    }
}
