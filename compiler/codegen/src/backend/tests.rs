//! The border to the rest of tfc: emitting, loading, refusing, switching off.

use super::CpuBackend;
use crate::processor::Processor;
use tfc_compiler::executable::{Backend, Code, EmitStage, Loaded};
use tfc_compiler::graph::AttentionMask;
use tfc_compiler::kernel::{
    Attention, Body, Contraction, Gather, Inner, Kernel, Number, Operand, Program, ProgramOp, Register, RowAccess,
    RowProgram,
};
use tfc_compiler::optimization::Disabled;
use tfc_compiler::precision::Precision;
use tfc_compiler::scalar::Unary;

/// y = f(x) along rows.
fn pointwise(function: Unary) -> Kernel {
    let mut program = Program::default();
    let x = program.push(ProgramOp::Load(0));
    let y = program.push(ProgramOp::Unary(function, x));
    let access = vec![RowAccess { inner: Inner::Unit }; 2];
    let body = RowProgram { outer_rank: 1, program, stores: vec![(1, y)], access };
    Kernel { body: Body::Rows(body), operands: vec![Operand::READ, Operand::WRITE] }
}

fn call(loaded: &Loaded, kernel: usize, x: &mut [f32], sizes: &[i64]) -> Vec<f32> {
    // SAFETY: the address is that of a kernel of two buffers, alive as long as `loaded`.
    let function: extern "C" fn(*const *mut f32, *const i64, i64, i64, *mut u8) =
        unsafe { std::mem::transmute(loaded.addresses[kernel]) };
    let mut y = vec![0.0; x.len()];
    let buffers = [x.as_mut_ptr(), y.as_mut_ptr()];
    function(buffers.as_ptr(), sizes.as_ptr(), 0, sizes[0], std::ptr::null_mut());
    y
}

/// Seven kernels, so that every thread has some and not all the same number: each does what it is for.
#[test]
fn kernels_keep_their_order() {
    let functions = [Unary::Negate, Unary::Exp, Unary::Relu, Unary::Tanh, Unary::Sqrt, Unary::Absolute, Unary::Floor];
    let backend = CpuBackend::new();
    let code = backend.emit(&functions.map(pointwise)).unwrap();
    let loaded = backend.load(&code).unwrap();
    let mut x = [0.25, -1.5, 3.0, -0.0, 8.5];
    for (i, function) in functions.iter().enumerate() {
        let y = call(&loaded, i, &mut x, &[1, 5, 5, 5]);
        for (x, y) in x.into_iter().zip(y) {
            let want = function.eval(f64::from(x));
            assert!(
                (f64::from(y) - want).abs() <= 1e-6 * want.abs() || want.is_nan() && y.is_nan(),
                "{function:?}({x}) = {y}, not {want}"
            );
        }
    }
}

/// A growing model runs with other sizes and the same code.
#[test]
fn other_sizes_compile_nothing() {
    let backend = CpuBackend::new();
    let loaded = backend.load(&backend.emit(&[pointwise(Unary::Negate)]).unwrap()).unwrap();
    assert_eq!(backend.compiled(), 1);
    for [rows, columns] in [[1, 3], [4, 96], [7, 224]] {
        let mut x: Vec<f32> = (0..rows * columns).map(|i| i as f32).collect();
        let y = call(&loaded, 0, &mut x, &[rows, columns, columns, columns]);
        assert!(x.iter().zip(y).all(|(x, y)| y == -x));
    }
    assert_eq!(backend.compiled(), 1);
}

#[test]
fn no_kernels_are_no_trouble() {
    let backend = CpuBackend::new();
    let code = backend.emit(&[]).unwrap();
    assert!(backend.load(&code).unwrap().addresses.is_empty());
}

#[test]
fn stages_show_what_they_should() {
    let backend = CpuBackend::new();
    let text = |stage| backend.text(&[pointwise(Unary::Gelu)], stage).unwrap();
    let mlir = text(EmitStage::Mlir);
    assert!(mlir.contains("func.func") && mlir.contains("@kernel_0") && mlir.contains("scf.for"), "{mlir}");
    let lowered = text(EmitStage::MlirLowered);
    assert!(lowered.contains("llvm.func @kernel_0") && !lowered.contains("scf."), "{lowered}");
    assert!(text(EmitStage::Llvm).contains("define void @kernel_0"));
    assert!(text(EmitStage::Asm).contains("kernel_0:"));
}

#[test]
fn foreign_and_damaged_code_is_refused() {
    let backend = CpuBackend::new();
    let code = backend.emit(&[pointwise(Unary::Negate)]).unwrap();
    let foreign = Code { target: "m68k-amiga".into(), ..code.clone() };
    assert!(backend.load(&foreign).err().unwrap().0.starts_with("this code was made for m68k-amiga, this machine is "));
    let cut = Code { bytes: code.bytes[..code.bytes.len() / 2].to_vec(), ..code.clone() };
    assert!(backend.load(&cut).err().unwrap().0.contains("damaged"));
    let mut garbled = code.clone();
    garbled.bytes[8..72].fill(0);
    assert!(backend.load(&garbled).is_err());
    let mut renamed = code;
    renamed.functions[0].symbol = "no\0name".into();
    assert!(backend.load(&renamed).is_err());
}

/// Code for 512-bit and tile registers, where every optimization of code has something to do; code that lacks one has another name.
#[test]
fn every_optimization_of_code_can_be_left_out() {
    let read = vec![Operand::READ; 3];
    let attention = Attention {
        precision: Precision::F32,
        channels: 64,
        mask: AttentionMask::Causal,
        documents: false,
        scale: Number(1.0),
    };
    let product = |precision| {
        let body = Body::Contraction(Contraction::product(precision, false, false));
        Kernel { body, operands: vec![Operand::READ, Operand::READ, Operand::WRITE] }
    };
    let kernels = [
        Kernel { body: Body::Attention(attention), operands: [read, vec![Operand::WRITE; 2]].concat() },
        product(Precision::F32),
        product(Precision::Bf16),
        pointwise(Unary::Gelu),
        pointwise(Unary::Exp),
    ];
    let backend = |processor: &str| CpuBackend::of(Processor::named(processor).unwrap());
    for name in Disabled::code().names() {
        let without = |processor| backend(processor).without(&Disabled::named(&[name.to_string()]).unwrap());
        let text = |backend: CpuBackend| backend.text(&kernels, EmitStage::Mlir).unwrap();
        let mut processors = ["x86-64-v4", "sapphirerapids"].into_iter();
        assert!(processors.any(|p| text(without(p)) != text(backend(p))), "{name} does nothing");
        let target = without("sapphirerapids").target();
        assert!(target.ends_with(&format!("/without-{name}")), "{target}");
    }
    let backend = || backend("sapphirerapids");
    let of_kernels = backend().without(&Disabled::fusion());
    assert_eq!(of_kernels.target(), backend().target());
    assert!(!backend().without(&Disabled::code()).text(&kernels, EmitStage::Llvm).unwrap().contains("llvm.prefetch"));
}

#[test]
fn ill_formed_kernels_are_refused() {
    let backend = CpuBackend::new();
    let mut ahead = pointwise(Unary::Negate);
    let Body::Rows(body) = &mut ahead.body else { unreachable!() };
    body.program.ops[1] = ProgramOp::Unary(Unary::Negate, Register(7));
    let short = Kernel { body: Body::Gather(Gather), operands: vec![Operand::READ] };
    for kernel in [ahead, short] {
        let error = backend.emit(&[kernel]).unwrap_err();
        assert!(error.0.contains("ill-formed"), "{error}");
    }
}
