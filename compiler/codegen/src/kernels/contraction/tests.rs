//! Contractions of all forms and odd sizes against their meaning.

use crate::testing::{Trial, all_vectors, noise};
use tfc_compiler::kernel::{Body, Contraction, ContractionAccess, Kernel, Operand, Program, ProgramOp, Register};
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

const SHAPES: [[i64; 4]; 16] = [
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

#[allow(unused)]
fn unused(_: (Binary, Unary, Register)) {}
