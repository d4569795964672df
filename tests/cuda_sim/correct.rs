//! Kernels that are right.

use super::*;

/// In the order of the kernel: along k, fused.
fn product(a: &[f32], b: &[f32], [m, n, k]: [usize; 3]) -> Vec<f32> {
    let element = |i: usize| (0..k).fold(0f32, |sum, q| a[i / n * k + q].mul_add(b[q * n + i % n], sum));
    (0..m * n).map(element).collect()
}

#[test]
fn a_tiled_product_of_any_size() {
    for checked in [true, false] {
        let mut simulator = simulator(MATMUL, checked);
        for size @ [m, n, k] in [[1, 1, 1], [7, 17, 33], [16, 16, 16], [40, 19, 5]] {
            let (a, b) = (noise(m * k, 1), noise(k * n, 2));
            let want = product(&a, &b, size);
            let (a, b) = (Buffer::of(&a), Buffer::of(&b));
            let numbers = size.map(|x| Argument::Number(x as i64));
            for seed in SEEDS {
                let mut c = Buffer::new(m * n);
                let arguments = [[a.read(), b.read(), c.write()], numbers].concat();
                matmul(m, n).launch(&mut simulator, &arguments, seed).unwrap_or_else(|report| panic!("{report}"));
                assert_eq!(c.numbers::<f32>(), want, "{size:?}, checked {checked}");
            }
        }
    }
}

#[test]
fn a_reduction_by_shuffles() {
    for checked in [true, false] {
        let mut simulator = simulator(ROW_SUMS, checked);
        for (rows, columns) in [(1, 1), (5, 31), (9, 100)] {
            let x = noise(rows * columns, 3);
            // Sums of multiples of 1/64 are exact in any order.
            let want: Vec<f32> = x.chunks(columns).map(|row| row.iter().sum()).collect();
            let (x, mut y) = (Buffer::of(&x), Buffer::new(rows));
            let run = Run { block: [128, 1, 1], grid: [rows.div_ceil(4) as u32, 1, 1], shared: 0 };
            let numbers = [Argument::Number(rows as i64), Argument::Number(columns as i64)];
            let arguments = [[x.read(), y.write()], numbers].concat();
            run.launch(&mut simulator, &arguments, 1).unwrap_or_else(|report| panic!("{report}"));
            assert_eq!(y.numbers::<f32>(), want, "{rows} × {columns}");
        }
    }
}

/// cp.async in two stages, ldmatrix, its transposed form, mma.sync: everything that the tensor cores need.
#[test]
fn a_pipeline_to_the_tensor_cores() {
    for checked in [true, false] {
        let mut simulator = simulator(PIPELINE, checked);
        for k in [16, 32, 80] {
            let (a, b) = (noise(16 * k, 4), noise(k * 8, 5));
            let want = product(&a, &b, [16, 8, k]);
            let (a, b) = (Buffer::of(&to_bf16(&a)), Buffer::of(&to_bf16(&b)));
            for seed in SEEDS {
                let mut c = Buffer::new(128);
                let arguments = [a.read(), b.read(), c.write(), Argument::Number(k as i64)];
                let statistics = pipeline().launch(&mut simulator, &arguments, seed);
                let statistics = statistics.unwrap_or_else(|report| panic!("{report}"));
                // Products and sums of multiples of 1/4096 are exact in any order.
                assert_eq!(c.numbers::<f32>(), want, "k = {k}");
                // For each 16 of k, and for what would come next, half a row of a for each lane, and a row of b for half of them.
                let products = k as u64 / 16;
                let copies = (products + 1) * 48;
                assert_eq!(statistics, Statistics { products, copies, bank_conflicts: 0 });
            }
        }
    }
}

#[test]
fn a_product_in_tf32() {
    let mut simulator = simulator(TF32, true);
    let round = |x: f32| f32::from_bits((x.to_bits() + 0x1000) & 0xffff_e000);
    // Values with more bits than tf32 has.
    let of = |seed| noise(128, seed).iter().map(|x| x * 1.001).collect::<Vec<f32>>();
    let (a, b) = (of(6), of(7)[..64].to_vec());
    let (in_a, in_b, mut c) = (Buffer::of(&a), Buffer::of(&b), Buffer::new(128));
    let run = Run { block: [32, 1, 1], grid: [1; 3], shared: 0 };
    let arguments = [in_a.read(), in_b.read(), c.write()];
    run.launch(&mut simulator, &arguments, 0).unwrap_or_else(|report| panic!("{report}"));
    for (i, c) in c.numbers::<f32>().iter().enumerate() {
        let terms = (0..8).map(|k| f64::from(round(a[i / 8 * 8 + k])) * f64::from(round(b[k * 8 + i % 8])));
        let want: f64 = terms.sum();
        assert!((f64::from(*c) - want).abs() < 1e-6, "element {i}: {c}, not {want}");
    }
}

#[test]
fn special_registers() {
    let mut simulator = simulator(REGISTERS, true);
    let (block, grid) = ([3, 5, 4], [2, 3, 2]);
    let threads = 60 * 12;
    let mut y = Buffer::new(threads * 14);
    let run = Run { block, grid, shared: 0 };
    run.launch(&mut simulator, &[y.write()], 9).unwrap_or_else(|report| panic!("{report}"));
    for (number, of) in y.numbers::<u32>().chunks(14).enumerate() {
        let (b, t) = (number as u32 / 60, number as u32 % 60);
        let want = [t % 3, t / 3 % 5, t / 15, b % 2, b / 2 % 3, b / 6, 3, 5, 4, 2, 3, 2, t % 32, 32];
        assert_eq!(of, want, "thread {number}");
    }
}

#[test]
fn barriers_of_some_warps() {
    for checked in [true, false] {
        let mut simulator = simulator(HAND_OVER, checked);
        let x = noise(32, 8);
        for seed in SEEDS {
            let (from, mut y) = (Buffer::of(&x), Buffer::new(32));
            let run = Run { block: [128, 1, 1], grid: [1; 3], shared: 0 };
            run.launch(&mut simulator, &[from.read(), y.write()], seed).unwrap_or_else(|report| panic!("{report}"));
            assert!(x.iter().zip(y.numbers::<f32>()).all(|(x, y)| *y == 2.0 * x));
        }
    }
}

#[test]
fn arithmetic() {
    let mut simulator = simulator(ARITHMETIC, true);
    let special = [0.0, -0.0, f32::INFINITY, f32::NEG_INFINITY, f32::NAN, f32::MAX, f32::MIN_POSITIVE, 1e-40];
    // Ties in bf16 and in tf32, to even and to odd.
    let ties = [0x3f80_8000, 0x3f81_8000, 0x3f80_8001, 0x3f80_1000, 0x3f80_3000, 0x3f80_1001].map(f32::from_bits);
    let x: Vec<f32> = special.into_iter().chain(ties).chain(noise(18, 9)).collect();
    let y = noise(32, 10);
    let (in_x, in_y, mut z) = (Buffer::of(&x), Buffer::of(&y), Buffer::new(32 * 9));
    let run = Run { block: [32, 1, 1], grid: [1; 3], shared: 0 };
    run.launch(&mut simulator, &[in_x.read(), in_y.read(), z.write()], 0).unwrap_or_else(|report| panic!("{report}"));
    for ((x, y), z) in x.iter().zip(&y).zip(z.numbers::<u32>().chunks(9)) {
        let both = u32::from(bf16(*x)) << 16 | u32::from(bf16(*y));
        let bits = |value: f32| value.to_bits();
        let to_even = (x.to_bits() + 0xfff + (x.to_bits() >> 13 & 1)) & 0xffff_e000;
        let want = [
            both,
            both,
            u32::from(bf16(*x)) << 16,
            if x.is_nan() { 0x7fff_e000 } else { (x.to_bits() + 0x1000) & 0xffff_e000 },
            if x.is_nan() { 0x7fff_e000 } else { to_even },
            bits(x.exp2()),
            bits(1.0 / x),
            bits(x.abs().sqrt()),
            bits(x.mul_add(*y, 1.0)),
        ];
        for (i, (got, want)) in z.iter().zip(want).enumerate() {
            let nan = f32::from_bits(want).is_nan() && f32::from_bits(*got).is_nan() && i > 4;
            // The host's exp2 may differ from Rust's in its last bit.
            let near = i == 5 && got.abs_diff(want) <= 1;
            assert!(*got == want || nan || near, "result {i} of {x}, {y}: {got:#x}, not {want:#x}");
        }
    }
}

/// To the nearest, ties to even; NaN is the device's.
fn bf16(x: f32) -> u16 {
    let bits = x.to_bits();
    if x.is_nan() { 0x7fff } else { ((bits + 0x7fff + (bits >> 16 & 1)) >> 16) as u16 }
}
