//! Contractions of all forms and odd sizes against their meaning.

use crate::cuda::{Architecture, CudaBackend};
use crate::gemm::{Layout, Numbers, most_depth};
use crate::kernels;
use crate::testing::{GpuTrial, Trial, all_vectors, noise, stored, truth};
use crate::vectors::Vectors;
use tfc_compiler::graph::DType;
use tfc_compiler::kernel::{Access, Body, Contraction, ContractionAccess, Kernel, Operand, Program, ProgramOp, Rotary};
use tfc_compiler::precision::Precision;
use tfc_compiler::scalar::{Binary, Unary};

/// C = A · B.
fn plain(precision: Precision, transpose_a: bool, transpose_b: bool) -> Kernel {
    let body = Contraction::product(precision, transpose_a, transpose_b);
    Kernel { body: Body::Contraction(body), operands: vec![Operand::READ, Operand::READ, Operand::WRITE] }
}

/// Sizes and buffers of A, B and C with rows longer than needed, that nothing may read or write beyond.
fn matrices(body: &Kernel, shape: [i64; 4]) -> (Vec<i64>, Vec<Vec<f64>>) {
    apart(body, shape, [3, 1, 5])
}

/// The same with so many numbers between the rows of each.
fn apart(body: &Kernel, [outer, m, n, k]: [i64; 4], [of_a, of_b, of_c]: [i64; 3]) -> (Vec<i64>, Vec<Vec<f64>>) {
    let Body::Contraction(body) = &body.body else { panic!("a contraction") };
    let (a_rows, a_columns) = if body.transpose_a { (k, m) } else { (m, k) };
    let (b_rows, b_columns) = if body.transpose_b { (n, k) } else { (k, n) };
    let (lda, ldb, ldc) = (a_columns + of_a, b_columns + of_b, n + of_c);
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
const SHAPES: [[i64; 4]; 22] = [
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
    [1, 1070, 390, 9],
    [1, 30, 50, 800],
    [1, 20, 390, 1601],
    [1, 100, 36, 1601],
    [1, 1, 900, 600],
    [1, 64, 3, 4200],
    [2, 65, 31, 15],
    [1, 66, 70, 130],
    [1, 66, 50, 800],
];

#[test]
fn blocks_are_whole_tiles() {
    for vectors in [Vectors::AMX, Vectors::AVX512, Vectors::AVX2, Vectors::NEON, Vectors::SSE2] {
        for precision in [Precision::F32, Precision::Bf16] {
            let numbers = Numbers::new(precision, vectors);
            let [rows, columns] =
                [Layout::of_a(numbers, vectors), Layout::of_b(numbers, vectors)].map(|side| side.lanes);
            assert_eq!(Contraction::ROW_BLOCK % rows, 0, "{vectors:?}");
            assert_eq!(super::nest::COLUMNS % columns, 0, "{vectors:?}");
            assert_eq!(Contraction::PACKED_ROWS % columns, 0, "{vectors:?}");
            let depth = most_depth(numbers, vectors);
            assert_eq!([depth % Contraction::PACKED_ROWS, Contraction::SEGMENT % depth], [0, 0], "{vectors:?}");
            let packed = [false, true]
                .map(|transpose_a| super::nest::a_rows(&Contraction::product(precision, transpose_a, false), vectors));
            for size in [Contraction::PACKED_ROWS].into_iter().chain(packed) {
                assert_eq!(size % rows, 0, "{size} rows, {vectors:?}");
            }
        }
    }
}

#[test]
fn every_form_and_shape() {
    each_kernel(plain, matrices);
}

/// With few rows on matrices as they are stored, where that can be.
fn with_few_rows(mut kernel: Kernel) -> Kernel {
    if let Body::Contraction(body) = &mut kernel.body {
        body.few_rows = body.can_have_few_rows();
    }
    kernel
}

/// Every precision and form, on every machine, at all shapes; `arguments` gives sizes and buffers.
fn each_kernel(
    build: impl Fn(Precision, bool, bool) -> Kernel,
    arguments: impl Fn(&Kernel, [i64; 4]) -> (Vec<i64>, Vec<Vec<f64>>),
) {
    for precision in [Precision::F32, Precision::Bf16] {
        for (transpose_a, transpose_b) in [(false, false), (false, true), (true, false), (true, true)] {
            each_shape(&with_few_rows(build(precision, transpose_a, transpose_b)), &arguments);
        }
    }
}

/// Where threads pack B together: in one row block and more, one pass over k and more, in part of an item.
const SHARED: [[i64; 4]; 3] = [[1, 300, 100, 70], [1, 1070, 65, 64], [1, 257, 70, 1601]];

#[test]
fn what_threads_pack_together_is_what_each_would_pack() {
    for precision in [Precision::F32, Precision::Bf16] {
        for (transpose_a, transpose_b) in [(false, false), (false, true), (true, false)] {
            let bare = (plain(precision, transpose_a, transpose_b), matrices as Arguments);
            let computed = (with_programs(precision, transpose_a, transpose_b), programs_arguments as Arguments);
            for (kernel, arguments) in [bare, computed] {
                for vectors in all_vectors() {
                    let trial = Trial::on_this_processor(&kernel, vectors);
                    for shape in SHARED {
                        let (sizes, buffers) = arguments(&kernel, shape);
                        trial.check_sharing(&buffers, &sizes);
                    }
                }
            }
        }
    }
}

/// The panels of a B of any size take all of the room that there is for them, and nothing else.
#[test]
fn shared_panels_fill_their_room() {
    let random = noise(24, 7);
    let sizes = random.as_chunks::<2>().0.iter().map(|[n, k]| [150.0 + 80.0 * n, 1000.0 + 930.0 * k]);
    let sizes: Vec<[i64; 2]> = sizes.map(|size| size.map(|side| side as i64)).collect();
    // Of A nothing is packed, so there need not be as many rows.
    let arguments_of = |kernel: &Kernel, arguments: Arguments, [n, k]: [i64; 2]| {
        let (sizes, buffers) = arguments(kernel, [1, 1, n, k]);
        ([&[1, Contraction::SHARED_ROWS], &sizes[2..]].concat(), buffers)
    };
    for precision in [Precision::F32, Precision::Bf16] {
        for transpose_b in [false, true] {
            let bare = (plain(precision, false, transpose_b), matrices as Arguments);
            let computed = (with_programs(precision, false, transpose_b), programs_arguments as Arguments);
            for (kernel, arguments) in [bare, computed] {
                let all: Vec<_> = sizes.iter().map(|size| arguments_of(&kernel, arguments, *size)).collect();
                for vectors in all_vectors() {
                    let trial = Trial::on_this_processor(&kernel, vectors);
                    all.iter().for_each(|(sizes, buffers)| trial.check_room(buffers, sizes));
                }
            }
        }
    }
}

/// There are addresses for the panels of every B that is shared.
#[test]
fn shared_panels_fit() {
    for vectors in [Vectors::AMX, Vectors::AVX512, Vectors::AVX512_BF16, Vectors::AVX2, Vectors::NEON, Vectors::SSE2] {
        for precision in [Precision::F32, Precision::Bf16] {
            let shared = kernels::shared(&plain(precision, false, false), vectors);
            for n in (Contraction::SHARED_SIDE..=Contraction::SHARED / Contraction::SHARED_SIDE).step_by(13) {
                let k = Contraction::SHARED / n;
                assert!(shared.of(&[1, n, n, k]) <= shared.most, "{n} columns, {k} k, {vectors:?}");
            }
        }
    }
}

#[test]
fn few_rows_can_be_packed() {
    for precision in [Precision::F32, Precision::Bf16] {
        each_shape(&plain(precision, false, true), &matrices);
    }
}

/// In all forms that weights in bf16 are read in.
#[test]
fn weights_are_multiplied_as_they_are_stored() {
    for transpose_a in [false, true] {
        let mut computed = with_programs(Precision::Bf16, transpose_a, true);
        if let Body::Contraction(body) = &mut computed.body {
            body.prologue_b = None;
        }
        let mut plain = plain(Precision::Bf16, transpose_a, true);
        [&mut plain, &mut computed].into_iter().for_each(|kernel| kernel.operands[1] = Operand::READ_BF16);
        each_shape(&with_few_rows(plain), &matrices);
        each_shape(&with_few_rows(computed), &programs_arguments);
    }
}

/// In all forms, and beside what programs read and store.
#[test]
fn matrices_in_bf16_are_read_and_stored() {
    each_kernel_in_bf16(&|transpose_a, transpose_b| {
        let mut kernel = plain(Precision::Bf16, transpose_a, transpose_b);
        kernel.operands.iter_mut().for_each(|operand| operand.dtype = DType::BF16);
        (kernel, matrices as Arguments)
    });
    each_kernel_in_bf16(&|transpose_a, transpose_b| {
        let mut kernel = with_programs(Precision::Bf16, transpose_a, transpose_b);
        [0, 2, 6].into_iter().for_each(|matrix| kernel.operands[matrix].dtype = DType::BF16);
        (kernel, programs_arguments as Arguments)
    });
}

/// Gives sizes and buffers of a kernel for a shape.
type Arguments = fn(&Kernel, [i64; 4]) -> (Vec<i64>, Vec<Vec<f64>>);

fn each_kernel_in_bf16(build: &dyn Fn(bool, bool) -> (Kernel, Arguments)) {
    for (transpose_a, transpose_b) in [(false, false), (false, true), (true, false), (true, true)] {
        let (kernel, arguments) = build(transpose_a, transpose_b);
        each_shape(&with_few_rows(kernel), &arguments);
    }
}

fn each_shape(kernel: &Kernel, arguments: &impl Fn(&Kernel, [i64; 4]) -> (Vec<i64>, Vec<Vec<f64>>)) {
    let trials: Vec<Trial> = all_vectors().into_iter().map(|vectors| Trial::new(kernel, vectors)).collect();
    for shape in SHAPES {
        let (sizes, mut buffers) = arguments(kernel, shape);
        let dtypes = kernel.operands.iter().map(|operand| operand.dtype);
        buffers.iter_mut().zip(dtypes).for_each(|(buffer, dtype)| *buffer = stored(dtype, std::mem::take(buffer)));
        let truth = truth(kernel, &buffers, &sizes);
        let allowed = |largest| 1e-5 * largest + rounded_otherwise(kernel) + stored_otherwise(kernel, largest);
        trials.iter().for_each(|trial| trial.check_against(&truth, &buffers, &sizes, allowed));
    }
}

/// Whichever a GPU has been found to be fastest with: sizes across the edges of tiles.
#[test]
fn every_tile_of_a_gpu_computes_the_same() {
    let backend = CudaBackend::new(Architecture::BASELINE);
    let kernels = [Precision::F32, Precision::Bf16].map(|precision| plain(precision, false, true));
    for kernel in kernels.into_iter().chain([with_programs(Precision::F32, true, false)]) {
        let arguments = if kernel.operands.len() == 3 { matrices } else { programs_arguments };
        let (sizes, buffers) = arguments(&kernel, [1, 65, 70, 37]);
        let truth = truth(&kernel, &buffers, &sizes);
        let tiles = backend.tiles(&kernel);
        assert!(tiles.len() > 1, "there is no choice");
        for tile in tiles {
            let backend = backend.with_tiles(vec![(kernel.clone(), tile)]);
            let trial = GpuTrial::of(&backend, &kernel).expect("there is code for it");
            assert_eq!(i64::from(trial.threads()), tile.threads());
            trial.check_against(&truth, &buffers, &sizes, |largest| 1e-5 * largest);
        }
    }
}

/// Sizes across the edges of tiles, of slices, and of as many slices as are on their way, whichever way round the matrices lie.
#[test]
fn what_is_stored_as_it_is_multiplied_is_copied_on_a_gpu() {
    let (wide, narrow) = (Operand::READ, Operand::READ_BF16);
    let all = [
        (Precision::F32, [wide, wide], 2),
        (Precision::Bf16, [narrow, narrow], 2),
        (Precision::Bf16, [narrow, wide], 1),
        (Precision::Bf16, [wide, narrow], 1),
    ];
    for (precision, operands, copied) in all {
        for (transpose_a, transpose_b) in [(false, false), (false, true), (true, false), (true, true)] {
            let mut kernel = plain(precision, transpose_a, transpose_b);
            kernel.operands[..2].copy_from_slice(&operands);
            let trial = GpuTrial::new(&kernel).expect("there is code for it");
            let counted = |shape, between: i64| {
                let (sizes, mut buffers) = apart(&kernel, shape, [between; 3]);
                let dtypes = kernel.operands.iter().map(|operand| operand.dtype);
                buffers
                    .iter_mut()
                    .zip(dtypes)
                    .for_each(|(buffer, dtype)| *buffer = stored(dtype, std::mem::take(buffer)));
                let truth = truth(&kernel, &buffers, &sizes);
                trial.check_against(&truth, &buffers, &sizes, |largest| 1e-5 * largest)
            };
            // As many slices of 64 bytes as there are, and three that have ended, of 128 lanes, four copies to a row.
            let copies = |blocks: u64, slices: u64| copied * blocks * (slices + 3) * 128 * 4;
            let bytes = if precision == Precision::F32 { 4 } else { 2 };
            for (shape, blocks) in [([2, 136, 8, 8], 4), ([1, 16, 136, 168], 2)] {
                let counted = counted(shape, 8);
                let slices = (shape[3] as u64 * bytes).div_ceil(64);
                // Sums alone: here eight warps write each of 64 by itself, a GPU two at once.
                let conflicts = blocks * 8 * 64;
                assert_eq!((counted.copies, counted.bank_conflicts), (copies(blocks, slices), conflicts), "{kernel}");
            }
            // Rows begin at multiples of four numbers, of bf16 eight bytes: two copies.
            let of_four = if precision == Precision::F32 { copies(1, 3) } else { 2 * copies(1, 2) };
            assert_eq!(counted([1, 20, 12, 36], 4).copies, of_four, "{kernel}");
            assert_eq!(counted([1, 20, 12, 36], 1).copies, 0, "{kernel}");
        }
    }
}

/// What a prologue computes in f32 and in f64 may lie on either side of the middle between two bf16: of the 1601 terms of a sum, one in 2¹³ or so. Then that
/// operand is off by 2⁻⁷ of itself. A is at most 2 here, B at most 2.6, and the epilogue multiplies by 0.5 / 17. Two of them in one sum are allowed for.
fn rounded_otherwise(kernel: &Kernel) -> f64 {
    let Body::Contraction(body) = &kernel.body else { panic!("a contraction") };
    match (body.precision, &body.prologue_a) {
        (Precision::F32, _) | (Precision::Bf16, None) => 0.0,
        (Precision::Bf16, Some(_)) => 2.0 * 2.0 * 2.6 / 128.0 * 0.5 / 17.0,
    }
}

/// What is stored may be rounded to the next bf16 but one, if sums differ in a last bit.
fn stored_otherwise(kernel: &Kernel, largest: f64) -> f64 {
    let stores = |operand: &&Operand| operand.dtype == DType::BF16 && operand.access != Access::Read;
    if kernel.operands.iter().any(|operand| stores(&operand)) { largest / 128.0 } else { 0.0 }
}

/// What the backward pass of a Pattention does while it loads and stores: prologues that read matrices, rows, columns and numbers, an epilogue
/// that adds to what is there and stores two matrices.
fn with_programs(precision: Precision, transpose_a: bool, transpose_b: bool) -> Kernel {
    let mut a = Program::default();
    let [given, other, row] = [ProgramOp::Given, ProgramOp::Load(2), ProgramOp::Load(3)].map(|op| a.push(op));
    let active = a.push(ProgramOp::Unary(Unary::Gelu, given));
    let scaled = a.push(ProgramOp::Binary(Binary::Multiply, active, row));
    let a_result = a.push(ProgramOp::Binary(Binary::Subtract, scaled, other));

    let mut b = Program::default();
    let [given, column, index] = [ProgramOp::Given, ProgramOp::Load(4), ProgramOp::InnerIndex].map(|op| b.push(op));
    let thousandth = b.constant(0.001);
    let slope = b.push(ProgramOp::Binary(Binary::Multiply, index, thousandth));
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
        precision,
        transpose_a,
        transpose_b,
        few_rows: false,
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
        rotary: None,
    };
    let operands = [vec![Operand::READ; 6], vec![Operand::UPDATE, Operand::WRITE, Operand::READ_I32]].concat();
    Kernel { body: Body::Contraction(body), operands }
}

#[test]
fn programs_run_on_what_is_loaded_and_stored() {
    each_kernel(with_programs, programs_arguments);
}

fn programs_arguments(kernel: &Kernel, [outer, m, n, k]: [i64; 4]) -> (Vec<i64>, Vec<Vec<f64>>) {
    let Body::Contraction(body) = &kernel.body else { panic!("a contraction") };
    let (mut sizes, mut buffers) = matrices(kernel, [outer, m, n, k]);
    let (a_rows, a_columns) = if body.transpose_a { (k, m) } else { (m, k) };
    let b_columns = if body.transpose_b { k } else { n };
    let c = buffers.pop().unwrap();
    sizes.truncate(8);
    sizes.extend([a_rows * a_columns, a_columns]); // the matrix beside A, tightly packed
    sizes.extend([0, 2]); // every second of a column, shared by all batches
    sizes.extend([m * (n + 5), n + 5]); // C
    sizes.extend([m * n, n, 17, 5]); // the drawn numbers; the number to divide by; the stream
    buffers.extend([noise(outer * a_rows * a_columns, 4), noise(2 * a_rows, 5), noise(b_columns, 6), vec![0.5]]);
    buffers.extend([c, noise(outer * m * n, 7), vec![3.0, -8.0]]);
    (sizes, buffers)
}

/// B, T, heads, their channels and those that are turned, k: a row, a few, many; packed by each thread and by all; of k more than one pass.
const TURNED: [([i64; 3], [u32; 2], i64); 7] = [
    ([1, 1, 1], [64, 16], 5),
    ([1, 7, 13], [64, 16], 40),
    ([2, 35, 5], [96, 24], 70),
    ([1, 101, 3], [128, 64], 1601),
    ([3, 30, 40], [8, 8], 30),
    ([2, 150, 2], [64, 64], 70),
    ([5, 60, 3], [256, 10], 65),
];

#[test]
fn heads_are_turned_as_they_are_stored() {
    let forms = [(Precision::F32, false, true), (Precision::Bf16, true, false), (Precision::F32, false, false)];
    for (([b, t, heads], [channels, turned], k), (precision, inverse, documents)) in
        TURNED.into_iter().zip(forms.into_iter().cycle())
    {
        let mut kernel = with_few_rows(plain(precision, false, true));
        let rotary = Rotary { channels, turned, inverse, documents };
        if let Body::Contraction(body) = &mut kernel.body {
            body.rotary = Some(rotary);
        }
        kernel.operands.extend([Operand::READ, Operand::READ, Operand::READ_I32]);
        let (mut sizes, mut buffers) = matrices(&kernel, [1, b * t, heads * i64::from(channels), k]);
        sizes.push(t);
        let table = (t + 4) * i64::from(turned / 2);
        let places = (0..b * t).map(|token| (token * 7 % t) as f64).collect();
        buffers.extend([noise(table, 4), noise(table, 5), if documents { places } else { vec![4.0] }]);
        let truth = truth(&kernel, &buffers, &sizes);
        for vectors in all_vectors() {
            let trial = Trial::new(&kernel, vectors);
            trial.check_against(&truth, &buffers, &sizes, |largest| 1e-5 * largest);
            if b * t >= Contraction::SHARED_ROWS {
                trial.check_sharing(&buffers, &sizes);
            }
        }
    }
}
