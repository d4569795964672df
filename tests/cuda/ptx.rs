//! The PTX of all kernels of a small language model, in both precisions: assembled for every architecture, on tensor cores, four numbers at a time.

use super::assembler::Assembler;
use crate::conformance::portable::SPEC;
use crate::support::model;
use tfc_codegen::{Architecture, CudaBackend};
use tfc_compiler::compile::compile;
use tfc_compiler::compiled::Entry;
use tfc_compiler::executable::{Backend, BackendError, EmitStage};
use tfc_compiler::graph::AttentionMask;
use tfc_compiler::kernel::{AttentionBackward, Body, Inner, Kernel, Number, Operand, RowAccess};
use tfc_compiler::precision::Precision;

/// Those of training it, evaluating it and generating text with it, each once.
fn kernels() -> Vec<Kernel> {
    let mut distinct: Vec<Kernel> = Vec::new();
    for precision in ["f32", "bf16"] {
        let spec = SPEC.replace("batch = 4", &format!("batch = 4  precision = {precision}"));
        let entries = [Entry::Gradient, Entry::Update, Entry::Evaluate, Entry::Decode];
        for kernel in compile(model(&spec, &[]), &entries).program.kernels {
            if !distinct.contains(&kernel) {
                distinct.push(kernel);
            }
        }
    }
    distinct
}

fn check(assembler: &Assembler, architecture: Architecture, kernel: &Kernel) {
    let backend = CudaBackend::new(architecture);
    let ptx = backend.text(std::slice::from_ref(kernel), EmitStage::Ptx).expect("the kernel compiles");
    let assembled = assembler.assemble(architecture.name, &ptx);
    let told = format!("{assembled:?} for {}: {kernel}", architecture.name);
    assert_eq!(assembled.spilled, 0, "{told}");
    let multiplies = match &kernel.body {
        Body::Contraction(_) | Body::Attention(_) | Body::AttentionBackward(_) | Body::CachedAttention(_) => true,
        Body::Rows(_) | Body::Columns(_) => false,
        Body::Gather(_) | Body::ScatterAdd(_) | Body::Rope(_) | Body::CacheWrite(_) => false,
    };
    assert_eq!(assembled.tensor_products > 0, multiplies, "{told}");
    let along = |access: &RowAccess| access.inner == Inner::Unit;
    let side_by_side = match &kernel.body {
        Body::Rows(body) => body.access.iter().any(along),
        Body::Columns(body) => body.access.iter().any(along),
        // A rotary embedding takes the two halves of a head, whose lengths are often odd.
        Body::Rope(_) => false,
        Body::Contraction(_) | Body::Gather(_) | Body::ScatterAdd(_) | Body::CacheWrite(_) => true,
        Body::Attention(_) | Body::AttentionBackward(_) | Body::CachedAttention(_) => true,
    };
    // Four numbers, or two pairs.
    let sixteen_bytes = |line: &str| line.contains(".global") && (line.contains(".v4.b32") || line.contains(".v2.b64"));
    assert!(!side_by_side || ptx.lines().any(sixteen_bytes), "{told}");
}

#[test]
fn every_kernel_is_assembled_without_spills_and_products_use_tensor_cores() {
    let (assembler, kernels) = (Assembler::find(), kernels());
    assert!(kernels.len() > 30, "{} kernels", kernels.len());
    std::thread::scope(|scope| {
        for architecture in Architecture::ALL {
            let (assembler, kernels) = (&assembler, &kernels);
            scope.spawn(move || kernels.iter().for_each(|kernel| check(assembler, architecture, kernel)));
        }
    });
}

#[test]
fn heads_too_wide_for_registers_are_refused() {
    let (precision, channels, mask, scale) = (Precision::F32, 160, AttentionMask::Causal, Number(0.1));
    let body = Body::AttentionBackward(AttentionBackward { precision, channels, mask, documents: false, scale });
    let kernel = Kernel { body, operands: [vec![Operand::READ; 6], vec![Operand::WRITE; 3]].concat() };
    let backend = CudaBackend::new(Architecture::BASELINE);
    let why =
        "there is no CUDA code for the gradients of attention of heads with 160 channels yet; --target cpu has it";
    let refused = BackendError(why.into());
    assert_eq!(backend.text(std::slice::from_ref(&kernel), EmitStage::Ptx), Err(refused.clone()));
    assert_eq!(backend.emit(std::slice::from_ref(&kernel)), Err(refused));
}
