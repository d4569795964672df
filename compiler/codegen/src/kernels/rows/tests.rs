//! Row programs and column reductions of odd sizes against their meaning.

use crate::testing::{Trial, all_vectors, noise, stored};
use tfc_compiler::graph::{DType, Reduction};
use tfc_compiler::kernel::{
    Body, ColumnReduction, Inner, Kernel, Operand, Program, ProgramOp, Register, RowAccess, RowProgram,
};
use tfc_compiler::scalar::{Binary, Unary};

const UNIT: RowAccess = RowAccess { inner: Inner::Unit };
const ROW: RowAccess = RowAccess { inner: Inner::Row };
const STRIDED: RowAccess = RowAccess { inner: Inner::Strided };

fn rows(outer_rank: u8, program: Program, stores: Vec<(u16, Register)>, operands: Vec<(Operand, RowAccess)>) -> Kernel {
    let (operands, access) = operands.into_iter().unzip();
    Kernel { body: Body::Rows(RowProgram { outer_rank, program, stores, access }), operands }
}

/// softmax(x), and log Σ exp beside it: two dependent reductions, a store along the row and one per row.
fn softmax() -> Kernel {
    let mut p = Program::default();
    let x = p.push(ProgramOp::Load(0));
    let largest = p.push(ProgramOp::Reduce(Reduction::Maximum, x));
    let shifted = p.push(ProgramOp::Binary(Binary::Subtract, x, largest));
    let e = p.push(ProgramOp::Unary(Unary::Exp, shifted));
    let sum = p.push(ProgramOp::Reduce(Reduction::Sum, e));
    let y = p.push(ProgramOp::Binary(Binary::Divide, e, sum));
    let log = p.push(ProgramOp::Unary(Unary::Log, sum));
    let lse = p.push(ProgramOp::Binary(Binary::Add, log, largest));
    rows(1, p, vec![(1, y), (2, lse)], vec![(Operand::READ, UNIT), (Operand::WRITE, UNIT), (Operand::WRITE, ROW)])
}

#[test]
fn rows_are_reduced_and_stored() {
    for vectors in all_vectors() {
        let trial = Trial::new(&softmax(), vectors);
        for [rows, columns] in [[1, 1], [0, 5], [3, 15], [2, 16], [5, 33], [1, 2100], [4, 1024]] {
            let buffers = [noise(rows * (columns + 2), 1), noise(rows * columns, 2), noise(rows * 3, 3)];
            trial.check(&buffers, &[rows, columns, columns + 2, columns, 3], 1e-6);
        }
    }
}

/// Read, written, and written where it was read.
#[test]
fn rows_of_bf16() {
    let mut kernel = softmax();
    [0, 1].into_iter().for_each(|operand| kernel.operands[operand].dtype = DType::BF16);
    let mut in_place = rows(1, Program::default(), Vec::new(), vec![(Operand::UPDATE, UNIT)]);
    let Body::Rows(body) = &mut in_place.body else { unreachable!() };
    let x = body.program.push(ProgramOp::Load(0));
    let sum = body.program.push(ProgramOp::Reduce(Reduction::Sum, x));
    let y = body.program.push(ProgramOp::Binary(Binary::Multiply, x, sum));
    body.stores.push((0, y));
    in_place.operands[0].dtype = DType::BF16;
    for vectors in all_vectors() {
        let (trial, in_place) = (Trial::new(&kernel, vectors), Trial::new(&in_place, vectors));
        for [rows, columns] in [[1, 1], [0, 5], [3, 15], [2, 16], [5, 33], [1, 2100], [4, 1024]] {
            let x = stored(DType::BF16, noise(rows * (columns + 2), 1));
            let buffers = [x.clone(), stored(DType::BF16, noise(rows * columns, 2)), noise(rows * 3, 3)];
            // A last bit before rounding may decide between two bf16.
            trial.check(&buffers, &[rows, columns, columns + 2, columns, 3], 1.0 / 128.0);
            in_place.check(&[x], &[rows, columns, columns + 2], 1.0 / 128.0);
        }
    }
}

/// x / ‖x‖ with the norm beside it, 0 for a zero row.
fn normalize() -> Kernel {
    let mut p = Program::default();
    let x = p.push(ProgramOp::Load(0));
    let norm = p.push(ProgramOp::Reduce(Reduction::L2Norm, x));
    let quotient = p.push(ProgramOp::Binary(Binary::Divide, x, norm));
    let y = p.push(ProgramOp::Select(norm, quotient, norm));
    rows(1, p, vec![(1, y), (2, norm)], vec![(Operand::READ, UNIT), (Operand::WRITE, UNIT), (Operand::WRITE, ROW)])
}

#[test]
fn norms_are_exact_where_squares_leave_the_range() {
    for vectors in all_vectors() {
        let trial = Trial::new(&normalize(), vectors);
        for columns in [1, 37, 70] {
            for magnitude in [0.0, 1e-40, 1e-30, 1e-20, 1e-15, 1.0, 1e15, 1e25, 1e37] {
                let x: Vec<f64> = noise(columns, 1).iter().map(|x| f64::from((x * magnitude) as f32)).collect();
                // A denormal number of this size has 16 bits.
                let tolerance = if magnitude == 1e-40 { 1e-4 } else { 1e-6 };
                trial.check(&[x, noise(columns, 2), noise(1, 3)], &[1, columns, columns, columns, 1], tolerance);
            }
        }
    }
}

/// The k-th largest of each row beside how many numbers are as large, k one number per row, of what is computed: x · y.
fn kth_largest() -> Kernel {
    let mut p = Program::default();
    let [x, y, k] = [0, 1, 2].map(|i| p.push(ProgramOp::Load(i)));
    let product = p.push(ProgramOp::Binary(Binary::Multiply, x, y));
    let kth = p.push(ProgramOp::KthLargest(product, k));
    let chosen = p.push(ProgramOp::Binary(Binary::LessOrEqual, kth, product));
    let count = p.push(ProgramOp::Reduce(Reduction::Sum, chosen));
    // Infinities cannot be held against each other.
    let [least, most] = [-(2f64.powi(100)), 2f64.powi(100)].map(|bound| p.constant(bound));
    let bounded = p.push(ProgramOp::Binary(Binary::Maximum, kth, least));
    let bounded = p.push(ProgramOp::Binary(Binary::Minimum, bounded, most));
    let operands = vec![
        (Operand::READ, UNIT),
        (Operand::READ, STRIDED),
        (Operand::READ, ROW),
        (Operand::WRITE, ROW),
        (Operand::WRITE, UNIT),
        (Operand::WRITE, ROW),
    ];
    rows(1, p, vec![(3, bounded), (4, chosen), (5, count)], operands)
}

/// Exact: a selection rounds nothing. The columns 1100 are a block's on a GPU, the others a warp's.
#[test]
fn the_kth_largest_is_found_whatever_the_numbers_are() {
    let special = [0.0, -0.0, f64::INFINITY, f64::NEG_INFINITY, f64::NAN, 1e-45, -1e-45, 3e38, -3e38, 1.0, 1.0, -1.0];
    let special: Vec<f64> = special.iter().map(|x| f64::from(*x as f32)).collect();
    for vectors in all_vectors() {
        let trial = Trial::new(&kth_largest(), vectors);
        for [rows, columns] in [[1, 1], [3, 15], [2, 16], [5, 33], [2, 1100]] {
            let elements = rows * columns;
            let coarse: Vec<f64> = noise(elements, 4).iter().map(|x| (x * 4.0).round()).collect();
            let ends: Vec<f64> = (0..elements as usize).map(|i| special[(i * i + 5 * i) % special.len()]).collect();
            for x in [noise(elements, 1), coarse, ends, vec![2.5; elements as usize]] {
                for k in [1, columns / 2, columns] {
                    let k: Vec<f64> = (0..rows).map(|row| (k - row).clamp(1, columns) as f64).collect();
                    let number = || vec![0.0; rows as usize];
                    let buffers = [x.clone(), vec![1.0], k, number(), vec![0.0; elements as usize], number()];
                    trial.check(&buffers, &[rows, columns, columns, 0, 0, 1, 1, columns, 1], 0.0);
                }
            }
        }
    }
}

/// Every way an operand can move, two outer dimensions, i32 in and out, sizes and indices as numbers, an operand updated in place.
fn everything() -> Kernel {
    let mut p = Program::default();
    let [a, b, c, d] = [0, 1, 2, 3].map(|i| p.push(ProgramOp::Load(i)));
    let numbers = [ProgramOp::Size(0), ProgramOp::InnerIndex, ProgramOp::OuterIndex(0), ProgramOp::OuterIndex(1)]
        .map(|op| p.push(op));
    let sum = [b, c, d].into_iter().chain(numbers).fold(a, |sum, x| p.push(ProgramOp::Binary(Binary::Add, sum, x)));
    let drawn = p.push(ProgramOp::Uniform { seed: 4, stream: 1 });
    let half = p.constant(0.5);
    let kept = p.push(ProgramOp::Binary(Binary::Less, drawn, half));
    let chosen = p.push(ProgramOp::Select(kept, sum, drawn));
    let ints = Operand { dtype: tfc_compiler::graph::DType::I32, ..Operand::WRITE };
    let operands = vec![
        (Operand::READ, UNIT),
        (Operand::READ_I32, STRIDED),
        (Operand::READ, ROW),
        (Operand::UPDATE, STRIDED),
        (Operand::READ_I32, ROW),
        (ints, UNIT),
    ];
    rows(2, p, vec![(3, chosen), (5, sum)], operands)
}

#[test]
fn operands_move_as_their_access_says() {
    for vectors in all_vectors() {
        let trial = Trial::new(&everything(), vectors);
        for [o0, o1, n] in [[1, 1, 1], [2, 3, 17], [3, 2, 40], [1, 4, 16]] {
            let ints = |x: Vec<f64>| x.iter().map(|x| (x * 100.0).trunc()).collect::<Vec<f64>>();
            let buffers = [
                noise(o0 * o1 * n, 1),
                ints(noise(o0 * n * o1, 2)),
                noise(o0, 3),
                noise(n * o0 * o1, 4),
                vec![12345.0, -77.0],
                vec![0.0; (o0 * o1 * n) as usize],
            ];
            let sizes = [
                vec![o0, o1, n],
                vec![o1 * n, n],      // contiguous
                vec![n * o1, 1, o1],  // the inner dimension slower than the second
                vec![1, 0],           // one number for each of the first
                vec![o1, 1, o0 * o1], // the inner dimension slowest
                vec![0, 0],           // the seed
                vec![o1 * n, n],
                vec![1234, 3], // a number, and the stream
            ];
            trial.check(&buffers, &sizes.concat(), 1e-6);
        }
    }
}

/// out[c] (+)= Σ a[r, c] · b[r].
fn weighted_columns(output: Operand) -> Kernel {
    let mut program = Program::default();
    let (a, b) = (program.push(ProgramOp::Load(0)), program.push(ProgramOp::Load(1)));
    let value = program.push(ProgramOp::Binary(Binary::Multiply, a, b));
    let body = ColumnReduction { outer_rank: 2, program, value, access: vec![UNIT, ROW] };
    Kernel { body: Body::Columns(body), operands: vec![Operand::READ, Operand::READ, output] }
}

#[test]
fn columns_are_summed() {
    for vectors in all_vectors() {
        for output in [Operand::WRITE, Operand::UPDATE] {
            let trial = Trial::new(&weighted_columns(output), vectors);
            for [o0, o1, n] in [[1, 1, 1], [0, 3, 5], [2, 300, 70], [3, 5, 64], [130, 2, 200]] {
                let buffers = [noise(o0 * o1 * n, 1), noise(o0 * o1, 2), noise(n, 3)];
                trial.check(&buffers, &[o0, o1, n, o1 * n, n, o1, 1], 1e-6);
            }
        }
    }
}

/// Ten million equal numbers: added one by one in f32 they would stop growing the sum long before.
#[test]
fn long_sums_stay_exact() {
    let mut p = Program::default();
    let x = p.push(ProgramOp::Load(0));
    let sum = p.push(ProgramOp::Reduce(Reduction::Sum, x));
    let kernel = rows(0, p, vec![(1, sum)], vec![(Operand::READ, UNIT), (Operand::WRITE, ROW)]);
    let trial = Trial::new(&kernel, crate::vectors::Vectors::SSE2);
    let columns = 10_000_000;
    trial.check(&[vec![f64::from(0.1f32); columns], vec![0.0]], &[columns as i64], 1e-6);
}
