//! Kernels built by hand: what the evaluator makes of them, their text, and what the verifier finds.

use super::*;
use crate::graph::Reduction;
use crate::precision::Precision;
use crate::scalar::{Binary, Unary};
use insta::assert_snapshot;

/// y = (x − mean) · scale per column, and the mean; x of `[2, 3]` with a leading dimension of 4.
fn centered() -> Kernel {
    let mut program = Program::default();
    let x = program.push(ProgramOp::Load(0));
    let sum = program.push(ProgramOp::Reduce(Reduction::Sum, x));
    let count = program.push(ProgramOp::Size(0));
    let mean = program.push(ProgramOp::Binary(Binary::Divide, sum, count));
    let difference = program.push(ProgramOp::Binary(Binary::Subtract, x, mean));
    let scale = program.push(ProgramOp::Load(1));
    let y = program.push(ProgramOp::Binary(Binary::Multiply, difference, scale));
    let access = [Inner::Unit, Inner::Unit, Inner::Row].map(|inner| RowAccess { inner }).to_vec();
    let body = RowProgram { outer_rank: 1, program, stores: vec![(0, y), (2, mean)], access };
    Kernel { body: Body::Rows(body), operands: vec![Operand::UPDATE, Operand::READ, Operand::WRITE] }
}

/// C = gelu(r ∘ A)ᵀ · B + C, with r one number per stored row of A.
fn recomputing_product() -> Kernel {
    let mut prologue = Program::default();
    let given = prologue.push(ProgramOp::Given);
    let r = prologue.push(ProgramOp::Load(2));
    let scaled = prologue.push(ProgramOp::Binary(Binary::Multiply, given, r));
    let s = prologue.push(ProgramOp::Unary(Unary::Gelu, scaled));
    let mut epilogue = Program::default();
    let sum = epilogue.push(ProgramOp::Given);
    let before = epilogue.push(ProgramOp::Load(3));
    let total = epilogue.push(ProgramOp::Binary(Binary::Add, before, sum));
    let body = Contraction {
        precision: Precision::F32,
        transpose_a: true,
        transpose_b: false,
        few_rows: false,
        prologue_a: Some((prologue, s)),
        prologue_b: None,
        epilogue,
        stores: vec![(3, total)],
        access: vec![ContractionAccess::PerRow, ContractionAccess::Matrix],
        rotary: None,
    };
    let operands = vec![Operand::READ, Operand::READ, Operand::READ, Operand::UPDATE];
    Kernel { body: Body::Contraction(body), operands }
}

#[test]
fn a_row_program_reads_the_old_row_and_strides() {
    let kernel = centered();
    assert_eq!(kernel.violations(), Vec::<String>::new());
    let mut buffers = vec![vec![1.0, 2.0, 6.0, -1.0, 4.0, 4.0, 4.0], vec![1.0, 2.0, 3.0], vec![0.0; 2]];
    // Two rows of 3; outer strides 4, 0, 1; the divisor.
    evaluate_buffers(&kernel, &[2, 3, 4, 0, 1, 3], &mut buffers);
    assert_eq!(buffers[0], [-2.0, -2.0, 9.0, -1.0, 0.0, 0.0, 0.0]);
    assert_eq!(buffers[2], [3.0, 4.0]);
    assert_eq!(kernel.reach(&[2, 3, 4, 0, 1, 3]), [7, 3, 2]);
}

#[test]
fn a_prologue_is_addressed_as_the_matrix_is_stored() {
    let kernel = recomputing_product();
    assert_eq!(kernel.violations(), Vec::<String>::new());
    // A of [k = 2, m = 1] and B of [k = 2, n = 2].
    let mut buffers = vec![vec![3.0, -5.0], vec![1.0, 2.0, 10.0, 20.0], vec![2.0, 0.5], vec![100.0, 200.0]];
    let sizes = [1, 1, 2, 2, 0, 1, 0, 2, 0, 1, 0, 2];
    evaluate_buffers(&kernel, &sizes, &mut buffers);
    let s = [Unary::Gelu.eval(6.0), Unary::Gelu.eval(-2.5)];
    assert_eq!(buffers[3], [s[0] + 10.0 * s[1] + 100.0, 2.0 * s[0] + 20.0 * s[1] + 200.0]);
    assert_eq!(kernel.reach(&sizes), [2, 4, 2, 2]);
}

#[test]
fn text_shows_what_was_grouped() {
    assert_snapshot!(centered(), @r"
    rows, outer rank 1
      #0 update unit, #1 read unit, #2 write row
      $3 = (row_sum(#0) / size0)
      #0 = ((#0 - $3) * #1)
      #2 = $3
    ");
    assert_snapshot!(recomputing_product(), @r"
    contraction #0ᵀ · #1
      #0 read matrix, #1 read matrix, #2 read per row, #3 update matrix
      #0 <- gelu((#0 * #2))
      #3 = (#3 + sum)
    ");
}

#[test]
fn the_verifier_finds_what_is_wrong() {
    let mut kernel = centered();
    kernel.operands[2] = Operand::READ;
    if let Body::Rows(body) = &mut kernel.body {
        body.stores[1].1 = Register(0);
        body.program.push(ProgramOp::Given);
    }
    assert_snapshot!(kernel.violations().join("\n"), @r"
    #2 is stored 1 times, expected 0
    #2 is one number per row, but its value differs along the row
    nothing is given to a row program
    ");
}

/// A program of that many operations in a row is written in pieces, each of which can be read.
#[test]
fn a_very_long_chain_is_written_within_the_stack() {
    let mut program = Program::default();
    let x = program.push(ProgramOp::Load(0));
    let y = (0..5000).fold(x, |y, _| program.push(ProgramOp::Unary(Unary::Tanh, y)));
    let access = [Inner::Unit; 2].map(|inner| RowAccess { inner }).to_vec();
    let body = RowProgram { outer_rank: 1, program, stores: vec![(1, y)], access };
    let kernel = Kernel { body: Body::Rows(body), operands: vec![Operand::READ, Operand::WRITE] };
    assert!(kernel.to_string().lines().all(|line| line.len() < 1000));
}
