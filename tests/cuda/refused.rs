//! What there is no code for yet.

use tfc_codegen::{Architecture, CudaBackend};
use tfc_compiler::executable::{Backend, BackendError, EmitStage};
use tfc_compiler::graph::AttentionMask;
use tfc_compiler::kernel::{AttentionBackward, Body, Kernel, Number, Operand};
use tfc_compiler::precision::Precision;

#[test]
fn heads_too_wide_for_registers_are_refused() {
    let (precision, channels, mask, scale) = (Precision::F32, 257, AttentionMask::Causal, Number(0.1));
    let (documents, rotary) = (false, None);
    let body = AttentionBackward { precision, channels, mask, documents, scale, rotary };
    let body = Body::AttentionBackward(body);
    let kernel = Kernel { body, operands: [vec![Operand::READ; 6], vec![Operand::WRITE; 3]].concat() };
    let backend = CudaBackend::new(Architecture::BASELINE);
    let why =
        "there is no CUDA code for the gradients of attention of heads with 257 channels yet; --target cpu has it";
    let refused = BackendError(why.into());
    assert_eq!(backend.text(std::slice::from_ref(&kernel), EmitStage::Ptx), Err(refused.clone()));
    assert_eq!(backend.emit(std::slice::from_ref(&kernel)), Err(refused));
}
