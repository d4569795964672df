//! How much of one core's peak the matrix product reaches: `cargo run --release -p tfc-codegen --example gemm`.

use std::time::{Duration, Instant};
use tfc_codegen::{CpuBackend, Peak};
use tfc_compiler::executable::{Backend, BackendError, Code, Loaded};
use tfc_compiler::kernel::{Body, Contraction, ContractionAccess, Kernel, Operand, Program, ProgramOp, Register};
use tfc_compiler::scalar::{Binary, Unary};

const SHAPES: [[usize; 3]; 6] =
    [[1024, 768, 768], [1024, 3072, 768], [1024, 768, 3072], [768, 3072, 8192], [64, 768, 768], [1, 3072, 768]];

fn main() -> Result<(), BackendError> {
    let peak = Peak::new()?;
    println!("peak of one core now: {:.0} GFLOP/s", peak.measure() / 1e9);
    let forms = [("A·B", false, false), ("A·Bᵀ", false, true), ("Aᵀ·B", true, false)];
    let programs = [("", Program::default(), false), ("gelu", gelu(), false), ("+=", accumulate(), true)];
    let mut kernels = Vec::new();
    let mut names = Vec::new();
    for (form, transpose_a, transpose_b) in forms {
        for (name, epilogue, update) in &programs {
            kernels.push(kernel(transpose_a, transpose_b, epilogue.clone(), *update));
            names.push(format!("{form} {name}"));
        }
    }
    let backend = CpuBackend::new();
    let start = Instant::now();
    let code = backend.emit(&kernels)?;
    println!("{} kernels compiled in {:.2?}, {} bytes", kernels.len(), start.elapsed(), code.bytes.len());
    let loaded = backend.load(&code)?;
    for [m, n, k] in SHAPES {
        print!("{m:5} {n:5} {k:5}");
        for (i, kernel) in kernels.iter().enumerate() {
            let fraction = measure(kernel, &code, &loaded, i, [m, n, k], &peak);
            print!("  {} {:.0} %", names[i].trim(), 100.0 * fraction);
        }
        println!();
    }
    Ok(())
}

fn gelu() -> Program {
    let mut program = Program::default();
    let sum = program.push(ProgramOp::Given);
    program.push(ProgramOp::Unary(Unary::Gelu, sum));
    program
}

fn accumulate() -> Program {
    let mut program = Program::default();
    let sum = program.push(ProgramOp::Given);
    let old = program.push(ProgramOp::Load(2));
    program.push(ProgramOp::Binary(Binary::Add, sum, old));
    program
}

/// C = program(A · B).
fn kernel(transpose_a: bool, transpose_b: bool, mut epilogue: Program, update: bool) -> Kernel {
    if epilogue.ops.is_empty() {
        epilogue.push(ProgramOp::Given);
    }
    let result = Register(epilogue.ops.len() as u16 - 1);
    let stores = vec![(2, result)];
    let access = vec![ContractionAccess::Matrix];
    let body = Contraction { transpose_a, transpose_b, prologue_a: None, prologue_b: None, epilogue, stores, access };
    let c = if update { Operand::UPDATE } else { Operand::WRITE };
    Kernel { body: Body::Contraction(body), operands: vec![Operand::READ, Operand::READ, c] }
}

/// The fraction of the peak: the median of many runs, each beside a measurement of the peak.
fn measure(kernel: &Kernel, code: &Code, loaded: &Loaded, index: usize, [m, n, k]: [usize; 3], peak: &Peak) -> f64 {
    let Body::Contraction(body) = &kernel.body else { return 0.0 };
    // Noise, so that sums are of the size of a network's activations.
    let mut state = 1u32;
    let mut fill = |count: usize| -> Vec<f32> {
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        };
        (0..count).map(|_| 3.0 * next() / (k as f32).sqrt().sqrt()).collect()
    };
    let (mut a, mut b, mut c) = (fill(m * k), fill(k * n), vec![0f32; m * n]);
    let (lda, ldb) = (if body.transpose_a { m } else { k }, if body.transpose_b { k } else { n });
    let sizes = [1, m, n, k, 0, lda, 0, ldb, 0, n].map(|s| s as i64);
    let buffers = [a.as_mut_ptr(), b.as_mut_ptr(), c.as_mut_ptr()];
    let mut scratch = vec![0u64; code.functions[index].scratch_bytes / 8 + 8];
    // SAFETY: the address is that of this kernel, the buffers are as large as the sizes say.
    let call: extern "C" fn(*const *mut f32, *const i64, i64, i64, *mut u8) =
        unsafe { std::mem::transmute(loaded.addresses[index]) };
    let aligned = scratch.as_ptr().align_offset(64);
    let scratch = scratch[aligned..].as_mut_ptr();
    let mut fractions = Vec::new();
    let start = Instant::now();
    while fractions.len() < 5 || start.elapsed() < Duration::from_millis(300) {
        let now = peak.measure();
        let begin = Instant::now();
        call(buffers.as_ptr(), sizes.as_ptr(), 0, kernel.extent(&sizes), scratch.cast());
        fractions.push(2.0 * (m * n * k) as f64 / begin.elapsed().as_secs_f64() / now);
    }
    fractions.sort_by(f64::total_cmp);
    fractions[fractions.len() / 2]
}
