//! How much of a core's peak the matrix product reaches, and how much faster two threads are:
//! `cargo run --release -p tfc-codegen --example gemm [f32|bf16] [FORM] [MxNxK ...]`.

use memmap2::MmapMut;
use std::time::{Duration, Instant};
use tfc_codegen::{CpuBackend, Peak};
use tfc_compiler::executable::{Backend, BackendError, Code, Loaded};
use tfc_compiler::kernel::{Body, Contraction, Division, Kernel, Operand, Program, ProgramOp, Register};
use tfc_compiler::precision::Precision;
use tfc_compiler::scalar::{Binary, Unary};

/// How A and B lie in memory: whether they are transposed.
const FORMS: [(&str, [bool; 2]); 3] = [("A·B", [false, false]), ("A·Bᵀ", [false, true]), ("Aᵀ·B", [true, false])];
/// What a training step multiplies, and where there are few rows: the forms and m, n, k of a model of width 768 with 768 and 3072 tokens at 1024 positions,
/// and of its vocabulary's loss.
const PRODUCTS: [(&str, [usize; 3]); 13] = [
    ("A·Bᵀ", [1024, 768, 768]),
    ("A·Bᵀ", [1024, 3072, 768]),
    ("A·Bᵀ", [1024, 50_304, 768]),
    ("A·B", [1024, 768, 768]),
    ("A·B", [1024, 768, 3072]),
    ("A·B", [512, 768, 50_304]),
    ("A·B", [1024, 768, 50_304]),
    ("Aᵀ·B", [768, 768, 1024]),
    ("Aᵀ·B", [3072, 768, 1024]),
    ("Aᵀ·B", [50_304, 768, 1024]),
    ("A·Bᵀ", [64, 768, 768]),
    ("A·Bᵀ", [1, 3072, 768]),
    ("A·B", [1, 768, 3072]),
];

fn main() -> Result<(), BackendError> {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    for precision in [Precision::F32, Precision::Bf16] {
        if wanted.first().is_none_or(|name| name == precision.name()) {
            table(precision, wanted.get(1).map(String::as_str), wanted.get(2..).unwrap_or_default())?;
        }
    }
    Ok(())
}

fn table(precision: Precision, only: Option<&str>, sizes: &[String]) -> Result<(), BackendError> {
    let peak = Peak::new(precision)?;
    println!("{}: peak of one core now: {:.0} GFLOP/s", precision.name(), peak.measure() / 1e9);
    let programs = [("", Program::default(), false), ("gelu", gelu(), false), ("+=", accumulate(), true)];
    let kernels: Vec<Kernel> = FORMS
        .iter()
        .flat_map(|(_, form)| {
            programs.iter().map(|(_, program, update)| kernel(precision, *form, program.clone(), *update))
        })
        .collect();
    let backend = CpuBackend::new();
    let start = Instant::now();
    let code = backend.emit(&kernels)?;
    println!("{} kernels compiled in {:.2?}, {} bytes", kernels.len(), start.elapsed(), code.bytes.len());
    let loaded = backend.load(&code)?;
    let named = sizes.iter().map(|sizes| shape(sizes)).flat_map(|shape| FORMS.map(|(form, _)| (form, shape)));
    let products = if sizes.is_empty() { PRODUCTS.to_vec() } else { named.collect() };
    for (form, [m, n, k]) in products.into_iter().filter(|(form, _)| only.is_none_or(|o| ["all", form].contains(&o))) {
        let first = programs.len() * FORMS.iter().position(|(name, _)| *name == form).unwrap_or_default();
        print!("{m:5} {n:5} {k:5}");
        for (i, (name, ..)) in programs.iter().enumerate() {
            let (fraction, scaling) = measure(&kernels[first + i], &code, &loaded, first + i, [m, n, k], &peak);
            print!("  {} {:.0} % ×{scaling:.2}", format!("{form} {name}").trim(), 100.0 * fraction);
        }
        println!();
    }
    Ok(())
}

/// `MxNxK`.
fn shape(text: &str) -> [usize; 3] {
    let sizes: Result<Vec<usize>, _> = text.split('x').map(str::parse).collect();
    sizes.ok().and_then(|sizes| sizes.try_into().ok()).unwrap_or_else(|| {
        eprintln!("`{text}` is not MxNxK");
        std::process::exit(2)
    })
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

/// C = program(A · B); of an empty program C = A · B.
fn kernel(precision: Precision, [transpose_a, transpose_b]: [bool; 2], epilogue: Program, update: bool) -> Kernel {
    let mut body = Contraction::product(precision, transpose_a, transpose_b);
    if let Some(last) = epilogue.ops.len().checked_sub(1) {
        (body.epilogue, body.stores) = (epilogue, vec![(2, Register(last as u16))]);
    }
    // What is only multiplied is stored as it is multiplied: scores, what a normalization made, gradients of logits.
    let a = if precision == Precision::Bf16 { Operand::READ_BF16 } else { Operand::READ };
    let c = if update { Operand::UPDATE } else { Operand::WRITE };
    Kernel { body: Body::Contraction(body), operands: vec![a, Operand::READ, c] }
}

/// The fraction of the peak, each run beside a measurement of it, and how often faster two threads are: medians of many runs.
fn measure(
    kernel: &Kernel,
    code: &Code,
    loaded: &Loaded,
    index: usize,
    [m, n, k]: [usize; 3],
    peak: &Peak,
) -> (f64, f64) {
    let Body::Contraction(body) = &kernel.body else { return (0.0, 0.0) };
    // Noise, so that sums are of the size of a network's activations.
    let mut state = 1u32;
    let mut fill = |count: usize, is_bf16: bool| -> Memory {
        let mut memory = Memory::new(if is_bf16 { 2 } else { 4 } * count);
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            3.0 * ((state >> 8) as f32 / (1 << 23) as f32 - 1.0) / (k as f32).sqrt().sqrt()
        };
        for bytes in memory.0.chunks_exact_mut(if is_bf16 { 2 } else { 4 }) {
            // Of little-endian bytes a bf16 is the last two.
            bytes.copy_from_slice(&next().to_le_bytes()[4 - bytes.len()..]);
        }
        memory
    };
    let [a, b] = [fill(m * k, body.precision == Precision::Bf16), fill(k * n, false)];
    let c = Memory::new(4 * m * n);
    let (lda, ldb) = (if body.transpose_a { m } else { k }, if body.transpose_b { k } else { n });
    let sizes = [1, m, n, k, 0, lda, 0, ldb, 0, n].map(|s| s as i64);
    let Division { preparation, items: count, .. } = kernel.division(&sizes, Some(code.functions[index].rows_of_item));
    let shared = Memory::new(code.functions[index].shared.of(&sizes));
    let addresses = [a.address(), b.address(), c.address(), if preparation > 0 { shared.address() } else { 0 }];
    // SAFETY: the address is that of this kernel, the buffers are as large as the sizes say.
    let call: extern "C" fn(*const usize, *const i64, i64, i64, *mut u64) =
        unsafe { std::mem::transmute(loaded.addresses[index]) };
    let items = |begin: i64, end: i64, scratch: &Memory| {
        call(addresses.as_ptr(), sizes.as_ptr(), begin, end, scratch.address() as *mut u64);
    };
    let scratch = [0; 2].map(|_| Memory::new(code.functions[index].scratch.of(&sizes)));
    let (mut fractions, mut scalings) = (Vec::new(), Vec::new());
    let start = Instant::now();
    while fractions.len() < 5 || start.elapsed() < Duration::from_millis(250) {
        let now = peak.measure();
        let begin = Instant::now();
        items(-preparation, 0, &scratch[0]);
        items(0, count, &scratch[0]);
        let alone = begin.elapsed().as_secs_f64();
        fractions.push(2.0 * (m * n * k) as f64 / alone / now);
        let [first, second] = &scratch;
        let begin = Instant::now();
        for (from, to) in [(-preparation, 0), (0, count)] {
            let middle = (from + to).div_euclid(2);
            std::thread::scope(|scope| {
                scope.spawn(|| items(middle, to, second));
                items(from, middle, first);
            });
        }
        scalings.push(alone / begin.elapsed().as_secs_f64());
    }
    (median(fractions), median(scalings))
}

/// Zeros on large pages, as a session's tensors are, from the beginning of a page on.
struct Memory(MmapMut);

impl Memory {
    fn new(bytes: usize) -> Memory {
        let pages = MmapMut::map_anon(bytes.max(1)).unwrap_or_else(|error| {
            eprintln!("{bytes} bytes: {error}");
            std::process::exit(4)
        });
        #[cfg(target_os = "linux")]
        let _ = pages.advise(memmap2::Advice::HugePage);
        Memory(pages)
    }

    fn address(&self) -> usize {
        self.0.as_ptr() as usize
    }
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}
