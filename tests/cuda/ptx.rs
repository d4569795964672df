//! PTX, assembled by NVIDIA's own assembler for every architecture: no register is spilled, products are on tensor cores, rows are read sixteen bytes at a time, what
//! is multiplied as it is in memory is copied around registers, and as many blocks run side by side as the cost model says.
//!
//! That is held of all kernels of a small language model, and of attention in heads of a few lengths; `make verify-cuda` sets TFC_VERIFY_CUDA=all, and it is held of all kernels of all
//! specs, and of attention in heads of many lengths.

use super::assembler::{Assembled, Assembler};
use crate::conformance::portable::SPEC;
use crate::support::{model, spec_with, specs};
use std::sync::Mutex;
use tfc_codegen::{Architecture, CudaBackend, Resources};
use tfc_compiler::compile::compile;
use tfc_compiler::compiled::Entry;
use tfc_compiler::executable::{Backend, EmitStage};
use tfc_compiler::graph::{AttentionMask, DType};
use tfc_compiler::kernel::{
    Attention, AttentionBackward, Body, CachedAttention, Contraction, ContractionAccess, Inner, Kernel, Number,
    Operand, Program, ProgramOp, RowAccess,
};
use tfc_compiler::lower::can_decode;
use tfc_compiler::model::Model;
use tfc_compiler::precision::Precision;

/// Those of training models, evaluating them and generating text with them, each once, in both precisions; attention; and products of matrices in bf16.
fn kernels() -> Vec<Kernel> {
    let all = std::env::var("TFC_VERIFY_CUDA").is_ok_and(|which| which == "all");
    let mut distinct: Vec<Kernel> = Vec::new();
    for precision in ["f32", "bf16"].map(|name| format!("train.precision={name}")) {
        let models = match all {
            true => specs().iter().map(|name| spec_with(name, &[&precision])).collect(),
            false => vec![model(SPEC, std::slice::from_ref(&precision))],
        };
        for kernel in models.into_iter().flat_map(of_model) {
            if !distinct.contains(&kernel) {
                distinct.push(kernel);
            }
        }
    }
    distinct.extend(if all { LENGTHS.into_iter().flat_map(attention).collect() } else { hardest() });
    distinct.extend([(false, false), (false, true), (true, false), (true, true)].map(narrow));
    distinct
}

/// Channels of a head: those that are computed in one piece and in parts, and in rows of whole registers and others.
const LENGTHS: [u32; 26] = [
    1, 7, 16, 32, 40, 48, 64, 72, 80, 88, 96, 100, 112, 120, 128, 129, 144, 150, 160, 176, 192, 208, 224, 240, 250, 256,
];

/// Where registers are fewest, of each body.
fn hardest() -> Vec<Kernel> {
    let [forward, cached, ..] = attention(256);
    let [_, _, causal, _] = attention(80);
    let [_, _, _, of_documents] = attention(112);
    let [_, _, apart, _] = attention(250);
    vec![forward, cached, causal, of_documents, apart]
}

/// Attention, attention to a cache, and the gradients of attention, of a causal model and of whole documents, in f32: they are the same in bf16.
fn attention(channels: u32) -> [Kernel; 4] {
    let (precision, mask, documents, scale) = (Precision::F32, AttentionMask::Causal, false, Number(0.0625));
    let kernel = |body, reads: [usize; 2], writes: usize| {
        let [floats, ints] = reads;
        let operands = [vec![Operand::READ; floats], vec![Operand::READ_I32; ints], vec![Operand::WRITE; writes]];
        Kernel { body, operands: operands.concat() }
    };
    let gradients = |mask, documents| {
        let body = AttentionBackward { precision, channels, mask, documents, scale };
        kernel(Body::AttentionBackward(body), [6, documents.into()], 3)
    };
    [
        kernel(Body::Attention(Attention { precision, channels, mask, documents, scale }), [3, 0], 2),
        kernel(Body::CachedAttention(CachedAttention { channels, mask, scale }), [3, 1], 1),
        gradients(mask, documents),
        gradients(AttentionMask::Full, true),
    ]
}

/// A bare product of matrices in bf16, each as it is multiplied or the other way round.
fn narrow((transpose_a, transpose_b): (bool, bool)) -> Kernel {
    let mut epilogue = Program::default();
    let sum = epilogue.push(ProgramOp::Given);
    let body = Contraction {
        precision: Precision::Bf16,
        transpose_a,
        transpose_b,
        few_rows: false,
        prologue_a: None,
        prologue_b: None,
        epilogue,
        stores: vec![(2, sum)],
        access: vec![ContractionAccess::Matrix],
    };
    Kernel { body: Body::Contraction(body), operands: vec![Operand::READ_BF16, Operand::READ_BF16, Operand::WRITE] }
}

fn of_model(model: Model) -> Vec<Kernel> {
    let mut entries = vec![Entry::Gradient, Entry::AddGradient, Entry::Update, Entry::Evaluate];
    entries.extend(can_decode(&model).is_ok().then_some(Entry::Decode));
    compile(model, &entries).program.kernels
}

struct Line {
    kernel: usize,
    architecture: Architecture,
    assembled: Assembled,
    expected: Resources,
    wrong: Option<String>,
}

fn line(assembler: &Assembler, architecture: Architecture, index: usize, kernel: &Kernel) -> Line {
    let backend = CudaBackend::new(architecture);
    let expected = backend.resources(kernel).expect("there is code for it");
    let ptx = backend.text(std::slice::from_ref(kernel), EmitStage::Ptx).expect("the kernel compiles");
    let assembled = assembler.assemble(architecture.name, &ptx);
    let wrong = wrong(architecture, kernel, &ptx, &assembled, expected);
    Line { kernel: index, architecture, assembled, expected, wrong }
}

/// The first thing that is not as it must be.
fn wrong(
    architecture: Architecture,
    kernel: &Kernel,
    ptx: &str,
    assembled: &Assembled,
    expected: Resources,
) -> Option<String> {
    let multiplies = match &kernel.body {
        Body::Contraction(_) | Body::Attention(_) | Body::AttentionBackward(_) | Body::CachedAttention(_) => true,
        Body::Rows(_) | Body::Columns(_) => false,
        Body::Gather(_) | Body::ScatterAdd(_) | Body::Rope(_) | Body::CacheWrite(_) => false,
    };
    // Of bf16 four numbers are eight bytes.
    let along = |(access, operand): (&RowAccess, &Operand)| access.inner == Inner::Unit && operand.dtype != DType::BF16;
    let side_by_side = match &kernel.body {
        Body::Rows(body) => body.access.iter().zip(&kernel.operands).any(along),
        Body::Columns(body) => body.access.iter().zip(&kernel.operands).any(along),
        // A rotary embedding takes the two halves of a head, whose lengths are often odd.
        Body::Rope(_) => false,
        Body::Contraction(_) | Body::Gather(_) | Body::ScatterAdd(_) | Body::CacheWrite(_) => true,
        // The rows of a head of other lengths begin anywhere.
        Body::Attention(Attention { channels, .. })
        | Body::AttentionBackward(AttentionBackward { channels, .. })
        | Body::CachedAttention(CachedAttention { channels, .. }) => channels % 4 == 0,
    };
    let copies = match &kernel.body {
        Body::Attention(_) | Body::AttentionBackward(_) | Body::CachedAttention(_) => true,
        // Nothing is computed of it, and it is in memory as it is multiplied.
        Body::Contraction(body) => {
            let multiplied = if body.precision == Precision::F32 { DType::F32 } else { DType::BF16 };
            let mut sources = [&body.prologue_a, &body.prologue_b].into_iter().zip(&kernel.operands);
            sources.any(|(prologue, matrix)| prologue.is_none() && matrix.dtype == multiplied)
        }
        Body::Rows(_) | Body::Columns(_) => false,
        Body::Gather(_) | Body::ScatterAdd(_) | Body::Rope(_) | Body::CacheWrite(_) => false,
    };
    // tf32 whose rows are no lanes is read number by number.
    let fragments = matches!(
        &kernel.body,
        Body::Contraction(body) if body.precision == Precision::Bf16 || !body.transpose_a || body.transpose_b
    );
    // Four numbers, or two pairs; or a copy to shared memory.
    let sixteen_bytes = |line: &str| {
        let quad = line.contains(".global") && (line.contains(".v4.b32") || line.contains(".v2.b64"));
        quad || line.contains("cp.async.cg.shared.global")
    };
    let taken = Resources { registers: assembled.registers.into(), ..expected };
    let (blocks, wanted) = (taken.blocks(architecture), expected.blocks(architecture));
    match () {
        () if assembled.spilled > 0 => Some(format!("{} bytes of registers are spilled", assembled.spilled)),
        () if (assembled.tensor_products > 0) != multiplies => Some("tensor cores, or none, unlike its body".into()),
        () if (assembled.copies > 0) != copies => Some("copies around registers, or none, unlike its body".into()),
        () if fragments && assembled.fragments == 0 => Some("no fragment is loaded by ldmatrix".into()),
        () if side_by_side && !ptx.lines().any(sixteen_bytes) => Some("nothing is read 16 bytes at a time".into()),
        () if blocks < wanted => Some(format!("{blocks} blocks side by side, where the cost model says {wanted}")),
        () => None,
    }
}

fn row(line: &Line, kernels: &[Kernel]) -> String {
    let Line { kernel, architecture, assembled, expected, wrong } = line;
    let taken = Resources { registers: assembled.registers.into(), ..*expected };
    let text = kernels[*kernel].to_string();
    format!(
        "{:<6}  {kernel:>3}  {:>9}  {:>8}  {:>6}  {:>7}  {:>6}  {:>8.0}%  {:>4}  {:>6}  {}  {}\n",
        architecture.name,
        assembled.registers,
        expected.registers,
        expected.threads,
        expected.shared_bytes,
        taken.blocks(*architecture),
        100.0 * taken.occupancy(*architecture),
        assembled.tensor_products,
        assembled.copies,
        text.lines().next().unwrap_or_default(),
        wrong.as_deref().map_or(String::new(), |wrong| format!("WRONG: {wrong}")),
    )
}

#[test]
fn every_kernel_is_assembled_for_ampere_as_the_cost_model_expects() {
    every_kernel_is_as_expected(Architecture::ALL[0]);
}

#[test]
fn every_kernel_is_assembled_for_hopper_as_the_cost_model_expects() {
    every_kernel_is_as_expected(Architecture::ALL[1]);
}

#[test]
fn every_kernel_is_assembled_for_blackwell_as_the_cost_model_expects() {
    every_kernel_is_as_expected(Architecture::ALL[2]);
}

fn every_kernel_is_as_expected(architecture: Architecture) {
    let (assembler, kernels) = (Assembler::find(), kernels());
    assert!(kernels.len() > 30, "{} kernels", kernels.len());
    let next = Mutex::new(0..kernels.len());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    println!("target  k    registers  expected  thread   shared  blocks  occupancy  HMMA  LDGSTS  what");
    let mut lines: Vec<Line> = std::thread::scope(|scope| {
        let share = || {
            let mut lines = Vec::new();
            loop {
                let taken = next.lock().expect("no thread has failed").next();
                let Some(i) = taken else { return lines };
                let line = line(&assembler, architecture, i, &kernels[i]);
                // All specs take long: who stops it has seen something.
                print!("{}", row(&line, &kernels));
                lines.push(line);
            }
        };
        let shares: Vec<_> = (0..threads).map(|_| scope.spawn(share)).collect();
        shares.into_iter().flat_map(|share| share.join().expect("no thread has failed")).collect()
    });
    lines.sort_by_key(|line| line.kernel);
    println!("{} kernels for {}", kernels.len(), architecture.name);
    let wrong: Vec<String> = lines.iter().filter(|line| line.wrong.is_some()).map(|line| row(line, &kernels)).collect();
    let told = |line: &Line| format!("{}{}", row(line, &kernels), kernels[line.kernel]);
    let first = lines.iter().find(|line| line.wrong.is_some()).map(told);
    assert!(wrong.is_empty(), "{}\nthe first:\n{}", wrong.concat(), first.unwrap_or_default());
}
