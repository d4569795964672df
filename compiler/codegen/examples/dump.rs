use tfc_codegen::*;
use tfc_compiler::{executable::*, kernel::*};
fn main() {
    let mut epilogue = Program::default();
    let sum = epilogue.push(ProgramOp::Given);
    let body = Contraction {
        transpose_a: false,
        transpose_b: true,
        prologue_a: None,
        prologue_b: None,
        epilogue,
        stores: vec![(2, sum)],
        access: vec![ContractionAccess::Matrix],
    };
    let k = Kernel { body: Body::Contraction(body), operands: vec![Operand::READ, Operand::READ, Operand::WRITE] };
    let b = CpuBackend::new();
    let stage = match std::env::args().nth(1).as_deref() {
        Some("asm") => EmitStage::Asm,
        Some("llvm") => EmitStage::Llvm,
        Some("mlir") => EmitStage::Mlir,
        _ => EmitStage::MlirLowered,
    };
    println!("{}", b.text(&[k], stage).unwrap());
}
