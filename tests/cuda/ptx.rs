//! The PTX of all kernels of a small language model, in both precisions: assembled for every architecture, on tensor cores, four numbers at a time.

use super::assembler::Assembler;
use crate::conformance::portable::SPEC;
use crate::support::model;
use tfc_codegen::{Architecture, CudaBackend};
use tfc_compiler::compile::compile;
use tfc_compiler::compiled::Entry;
use tfc_compiler::executable::{Backend, BackendError, EmitStage};
use tfc_compiler::kernel::{Attention, Body, Inner, Kernel, Number, Operand, RowAccess};

/// Those of training and evaluating it, each once.
fn kernels() -> Vec<Kernel> {
    let mut all = Vec::new();
    for precision in ["f32", "bf16"] {
        let spec = SPEC.replace("batch = 4", &format!("batch = 4  precision = {precision}"));
        let compiled = compile(model(&spec, &[]), &[Entry::Gradient, Entry::Update, Entry::Evaluate]);
        all.extend(compiled.program.kernels.into_iter().filter(|kernel| !is_attention(kernel)));
    }
    let mut distinct: Vec<Kernel> = Vec::new();
    all.into_iter().for_each(|kernel| {
        if !distinct.contains(&kernel) {
            distinct.push(kernel);
        }
    });
    distinct
}

fn is_attention(kernel: &Kernel) -> bool {
    matches!(kernel.body, Body::Attention(_) | Body::AttentionBackward(_))
}

fn check(assembler: &Assembler, architecture: Architecture, kernel: &Kernel) {
    let backend = CudaBackend::new(architecture);
    let ptx = backend.text(std::slice::from_ref(kernel), EmitStage::Ptx).expect("the kernel compiles");
    let assembled = assembler.assemble(architecture.name, &ptx);
    let told = format!("{assembled:?} for {}: {kernel}", architecture.name);
    assert_eq!(assembled.spilled, 0, "{told}");
    assert_eq!(assembled.tensor_products > 0, matches!(kernel.body, Body::Contraction(_)), "{told}");
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
fn what_has_no_code_yet_is_said() {
    let channels = 64;
    let mask = tfc_compiler::graph::AttentionMask::Causal;
    let body = Body::Attention(Attention { channels, mask, documents: false, scale: Number(0.125) });
    let kernel = Kernel { body, operands: [vec![Operand::READ; 3], vec![Operand::WRITE; 2]].concat() };
    let backend = CudaBackend::new(Architecture::BASELINE);
    let refused = BackendError("there is no CUDA code for attention yet; --target cpu has it".into());
    assert_eq!(backend.text(std::slice::from_ref(&kernel), EmitStage::Ptx), Err(refused.clone()));
    assert_eq!(backend.emit(std::slice::from_ref(&kernel)), Err(refused));
}
