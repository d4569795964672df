//! Scalar programs on registers.

use crate::math::{self, Accuracy};
use crate::mlir::{Float, Function, Value};
use tfc_compiler::kernel::{Program, ProgramOp, Register};

/// The values of the `wanted` registers of a program, an element or a register of elements at a time. What only the place of evaluation knows (loads, indices, the given
/// element, reductions) is answered by `leaf`.
pub fn evaluate<'f, K: Float>(
    f: &'f Function<'f>,
    accuracy: Accuracy,
    program: &Program,
    wanted: &[Register],
    leaf: &mut dyn FnMut(Register, &ProgramOp) -> Value<'f, K>,
) -> Vec<Value<'f, K>> {
    let needed = needed(program, wanted);
    let mut values: Vec<Option<Value<'f, K>>> = Vec::with_capacity(program.ops.len());
    for (i, op) in program.ops.iter().enumerate() {
        let value = |r: &Register| values[r.0 as usize].expect("registers look back, and what is needed needs them");
        let result = needed[i].then(|| match op {
            ProgramOp::Constant(number) => K::constant(f, number.0 as f32),
            ProgramOp::Unary(function, x) => math::unary(*function, accuracy, value(x)),
            ProgramOp::Binary(function, a, b) => math::binary(*function, value(a), value(b)),
            ProgramOp::Select(condition, a, b) => {
                value(condition).equals(K::constant(f, 0.0)).select(value(b), value(a))
            }
            ProgramOp::Load(_)
            | ProgramOp::Size(_)
            | ProgramOp::InnerIndex
            | ProgramOp::OuterIndex(_)
            | ProgramOp::Given
            | ProgramOp::Reduce(..)
            | ProgramOp::KthLargest(..)
            | ProgramOp::Uniform { .. } => leaf(Register(i as u16), op),
        });
        values.push(result);
    }
    wanted.iter().map(|r| values[r.0 as usize].expect("what is wanted is needed")).collect()
}

/// Which operations the `wanted` registers depend on. A reduction is a leaf: what it reduces is not evaluated here.
fn needed(program: &Program, wanted: &[Register]) -> Vec<bool> {
    let mut needed = vec![false; program.ops.len()];
    wanted.iter().for_each(|r| needed[r.0 as usize] = true);
    for (i, op) in program.ops.iter().enumerate().rev() {
        if needed[i] && !matches!(op, ProgramOp::Reduce(..) | ProgramOp::KthLargest(..)) {
            op.operands().iter().for_each(|r| needed[r.0 as usize] = true);
        }
    }
    needed
}
