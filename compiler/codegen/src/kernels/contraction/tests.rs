//! Contractions of all forms and odd sizes against their meaning.

use crate::testing::{Trial, all_vectors, noise};
use tfc_compiler::kernel::{Body, Contraction, ContractionAccess, Kernel, Operand, Program, ProgramOp};
use tfc_compiler::scalar::{Binary, Unary};

/// C = A · B.
fn plain(transpose_a: bool, transpose_b: bool) -> Kernel {
    let mut epilogue = Program::default();
    let sum = epilogue.push(ProgramOp::Given);
    let body = Contraction {
        transpose_a,
        transpose_b,
        prologue_a: None,
        prologue_b: None,
        epilogue,
        stores: vec![(2, sum)],
        access: vec![ContractionAccess::Matrix],
    };
    Kernel { body: Body::Contraction(body), operands: vec![Operand::READ, Operand::READ, Operand::WRITE] }
}

/// Sizes and buffers of A, B and C with rows longer than needed, that nothing may read or write beyond.
fn matrices(body: &Kernel, [outer, m, n, k]: [i64; 4]) -> (Vec<i64>, Vec<Vec<f64>>) {
    let Body::Contraction(body) = &body.body else { panic!("a contraction") };
    let (a_rows, a_columns) = if body.transpose_a { (k, m) } else { (m, k) };
    let (b_rows, b_columns) = if body.transpose_b { (n, k) } else { (k, n) };
    let (lda, ldb, ldc) = (a_columns + 3, b_columns + 1, n + 5);
    let sizes = vec![outer, m, n, k, a_rows * lda, lda, b_rows * ldb, ldb, m * ldc, ldc];
    let gaps = |rows: i64, columns: i64, leading: i64, seed: u64| {
        let mut x = noise(outer * rows * leading, seed);
        // What lies between the rows is poison.
        x.iter_mut().enumerate().filter(|(i, _)| *i as i64 % leading >= columns).for_each(|(_, x)| *x = f64::NAN);
        x
    };
    (sizes, vec![gaps(a_rows, a_columns, lda, 1), gaps(b_rows, b_columns, ldb, 2), gaps(m, n, ldc, 3)])
}

/// With few rows, up to more of k than the prologue's results have room for, and with many.
const SHAPES: [[i64; 4]; 21] = [
    [1, 1, 1, 1],
    [1, 1, 1, 0],
    [1, 0, 5, 3],
    [1, 4, 0, 3],
    [0, 4, 4, 4],
    [3, 2, 3, 5],
    [1, 12, 32, 16],
    [1, 13, 33, 17],
    [2, 11, 31, 15],
    [1, 1, 100, 37],
    [1, 7, 70, 130],
    [1, 100, 1, 9],
    [1, 145, 385, 40],
    [1, 577, 40, 20],
    [1, 30, 50, 800],
    [1, 20, 390, 1601],
    [1, 1, 900, 600],
    [1, 64, 3, 4200],
    [2, 65, 31, 15],
    [1, 66, 70, 130],
    [1, 66, 50, 800],
];

#[test]
fn every_form_and_shape() {
    for vectors in all_vectors() {
        for (transpose_a, transpose_b) in [(false, false), (false, true), (true, false), (true, true)] {
            let kernel = plain(transpose_a, transpose_b);
            let trial = Trial::new(&kernel, vectors);
            for shape in SHAPES {
                let (sizes, buffers) = matrices(&kernel, shape);
                trial.check(&buffers, &sizes, 1e-5);
            }
        }
    }
}

/// What the backward pass of a Pattention does while it loads and stores: prologues that read matrices, rows, columns and numbers, an epilogue
/// that adds to what is there and stores two matrices.
fn with_programs(transpose_a: bool, transpose_b: bool) -> Kernel {
    let mut a = Program::default();
    let [given, other, row] = [ProgramOp::Given, ProgramOp::Load(2), ProgramOp::Load(3)].map(|op| a.push(op));
    let active = a.push(ProgramOp::Unary(Unary::Gelu, given));
    let scaled = a.push(ProgramOp::Binary(Binary::Multiply, active, row));
    let a_result = a.push(ProgramOp::Binary(Binary::Subtract, scaled, other));

    let mut b = Program::default();
    let [given, column, index] = [ProgramOp::Given, ProgramOp::Load(4), ProgramOp::InnerIndex].map(|op| b.push(op));
    let hundredth = b.constant(0.01);
    let slope = b.push(ProgramOp::Binary(Binary::Multiply, index, hundredth));
    let scaled = b.push(ProgramOp::Binary(Binary::Multiply, given, column));
    let b_result = b.push(ProgramOp::Binary(Binary::Add, scaled, slope));

    let mut epilogue = Program::default();
    let ops = [ProgramOp::Given, ProgramOp::Load(5), ProgramOp::Load(6), ProgramOp::Size(0)];
    let [sum, number, old, size] = ops.map(|op| epilogue.push(op));
    let mean = epilogue.push(ProgramOp::Binary(Binary::Divide, sum, size));
    let scaled = epilogue.push(ProgramOp::Binary(Binary::Multiply, mean, number));
    let added = epilogue.push(ProgramOp::Binary(Binary::Add, scaled, old));
    let drawn = epilogue.push(ProgramOp::Uniform { seed: 8, stream: 1 });

    let body = Contraction {
        transpose_a,
        transpose_b,
        prologue_a: Some((a, a_result)),
        prologue_b: Some((b, b_result)),
        epilogue,
        stores: vec![(6, added), (7, drawn)],
        access: vec![
            ContractionAccess::Matrix,
            ContractionAccess::PerRow,
            ContractionAccess::PerColumn,
            ContractionAccess::Scalar,
            ContractionAccess::Matrix,
            ContractionAccess::Matrix,
            ContractionAccess::Scalar,
        ],
    };
    let operands = [vec![Operand::READ; 6], vec![Operand::UPDATE, Operand::WRITE, Operand::READ_I32]].concat();
    Kernel { body: Body::Contraction(body), operands }
}

#[test]
fn programs_run_on_what_is_loaded_and_stored() {
    for vectors in all_vectors() {
        for (transpose_a, transpose_b) in [(false, false), (false, true), (true, false), (true, true)] {
            let kernel = with_programs(transpose_a, transpose_b);
            let trial = Trial::new(&kernel, vectors);
            for [outer, m, n, k] in SHAPES {
                let (mut sizes, mut buffers) = matrices(&kernel, [outer, m, n, k]);
                let (a_rows, a_columns) = if transpose_a { (k, m) } else { (m, k) };
                let b_columns = if transpose_b { k } else { n };
                let c = buffers.pop().unwrap();
                sizes.truncate(8);
                sizes.extend([a_rows * a_columns, a_columns]); // the matrix beside A, tightly packed
                sizes.extend([0, 2]); // every second of a column, shared by all batches
                sizes.extend([m * (n + 5), n + 5]); // C
                sizes.extend([m * n, n, 17, 5]); // the drawn numbers; the number to divide by; the stream
                buffers.extend([
                    noise(outer * a_rows * a_columns, 4),
                    noise(2 * a_rows, 5),
                    noise(b_columns, 6),
                    vec![0.5],
                ]);
                buffers.extend([c, noise(outer * m * n, 7), vec![3.0, -8.0]]);
                trial.check(&buffers, &sizes, 1e-5);
            }
        }
    }
}
