//! A matrix on its way from memory to tensor cores: whether it is copied as it is or passes through registers, and what that costs.

use crate::cuda::kernels::launch::QUAD;
use crate::cuda::kernels::slice::Side;
use crate::mlir::Multiplicand;
use tfc_compiler::graph::DType;
use tfc_compiler::kernel::{Contraction, ContractionAccess, Kernel, Program, ProgramOp, Register};
use tfc_compiler::scalar::{Binary, Unary};

pub struct Source<'k> {
    pub side: Side,
    pub multiplicand: Multiplicand,
    /// Whether k runs along its rows in memory.
    pub along_k: bool,
    pub prologue: Option<&'k (Program, Register)>,
    /// In memory.
    dtype: DType,
    /// What the prologue reads.
    loads: Vec<(ContractionAccess, DType)>,
}

impl<'k> Source<'k> {
    /// A and B.
    pub fn both(kernel: &Kernel, body: &'k Contraction) -> [Source<'k>; 2] {
        let source = |side, operand: usize, along_k, prologue: &'k Option<(Program, Register)>| {
            let loads = prologue.as_ref().map(|(program, _)| program.loads()).unwrap_or_default();
            let load = |i: u16| (body.access[usize::from(i) - 2], kernel.operands[usize::from(i)].dtype);
            Source {
                side,
                multiplicand: body.precision.into(),
                along_k,
                prologue: prologue.as_ref(),
                dtype: kernel.operands[operand].dtype,
                loads: loads.into_iter().map(load).collect(),
            }
        };
        [
            source(Side::A, 0, !body.transpose_a, &body.prologue_a),
            source(Side::B, 1, body.transpose_b, &body.prologue_b),
        ]
    }

    /// Whether it goes from memory to shared memory as it is, around registers, where rows begin at multiples of four numbers: it is stored as tensor cores take it, and nothing is
    /// computed of it. f32 is that for tf32, but for rounding, which is left to who reads it; what is rounded to bf16 is rounded once, on its way: shared memory, whose
    /// rate is the limit there, then moves half as many bytes.
    pub fn copies(&self) -> bool {
        let as_multiplied = match self.multiplicand {
            Multiplicand::Tf32 => DType::F32,
            Multiplicand::Bf16 => DType::BF16,
        };
        self.prologue.is_none() && self.dtype == as_multiplied
    }

    /// Of a thread, for each four numbers that it has loaded.
    pub fn registers_of_quad(&self) -> i64 {
        let of_load = |(access, _): &(ContractionAccess, DType)| if is_one_for_a_row(*access) { 1 } else { QUAD };
        QUAD + self.loads.iter().map(of_load).sum::<i64>()
    }

    /// What is read from memory for each of its numbers.
    pub fn bytes_of_number(&self) -> i64 {
        let read_as_often = self.loads.iter().filter(|(access, _)| !is_one_for_a_row(*access)).map(|(_, dtype)| *dtype);
        read_as_often.chain([self.dtype]).map(|dtype| dtype.bytes() as i64).sum()
    }

    /// To round a number that passes through registers, and to compute the prologue of it.
    pub fn instructions_of_number(&self) -> f64 {
        let program = self.prologue.iter().flat_map(|(program, _)| &program.ops);
        1.0 + program.map(|op| instructions(op, self.multiplicand)).sum::<f64>()
    }
}

fn is_one_for_a_row(access: ContractionAccess) -> bool {
    matches!(access, ContractionAccess::PerRow | ContractionAccess::Scalar)
}

/// About as many as in the PTX.
fn instructions(op: &ProgramOp, multiplicand: Multiplicand) -> f64 {
    match op {
        ProgramOp::Unary(function, _) => match function {
            Unary::Negate | Unary::Absolute | Unary::Relu | Unary::Floor => 1.0,
            Unary::Sqrt | Unary::ReciprocalOrZero => 10.0,
            Unary::Exp | Unary::Log => 20.0,
            Unary::Tanh | Unary::Sigmoid | Unary::Silu | Unary::SiluDerivative => 35.0,
            // See `math::Accuracy`.
            Unary::Gelu | Unary::GeluDerivative if multiplicand == Multiplicand::Bf16 => 15.0,
            Unary::Gelu | Unary::GeluDerivative => 20.0,
            Unary::GeluTanh | Unary::GeluTanhDerivative => 45.0,
        },
        ProgramOp::Binary(Binary::Divide, ..) => 10.0,
        ProgramOp::Binary(Binary::Power, ..) => 60.0,
        ProgramOp::Binary(..) | ProgramOp::Select(..) => 1.0,
        ProgramOp::Load(_)
        | ProgramOp::Constant(_)
        | ProgramOp::Size(_)
        | ProgramOp::InnerIndex
        | ProgramOp::OuterIndex(_)
        | ProgramOp::Given
        | ProgramOp::Reduce(..)
        | ProgramOp::KthLargest(..)
        | ProgramOp::Uniform { .. } => 0.0,
    }
}
