//! What is wrong with a plan is found.

use super::models::block_gradient;
use super::*;
use crate::kernel::Access;

fn planned() -> Program {
    let graph = passes::optimize(&block_gradient(), &[], |_, _| {});
    compile_entry(&graph, Precision::F32, &Disabled::default())
}

/// What is found of a plan that somebody spoils.
fn found(spoil: impl FnOnce(&mut Program)) -> String {
    let mut program = planned();
    spoil(&mut program);
    verify(&program, &program.plans[0]).join("\n")
}

/// The first step that has a row program behind its product.
fn row_epilogue(program: &mut Program) -> (&mut Launch, &mut Launch) {
    let mut steps = program.plans[0].steps.iter_mut();
    let found = steps.find_map(|step| match step {
        Step::RowEpilogue { product, rows } => Some((product, rows)),
        Step::Launch(_) | Step::Zero(_) | Step::Chunks { .. } => None,
    });
    found.expect("a row program behind a product")
}

#[test]
fn what_is_written_is_no_other_argument() {
    let said = found(|program| {
        let kernels = program.kernels.clone();
        let (product, _) = row_epilogue(program);
        let operands = &kernels[product.kernel as usize].operands;
        let written = operands.iter().position(|operand| operand.access == Access::Write).expect("a result");
        product.arguments[written] = product.arguments[1].clone();
    });
    assert!(said.contains("is written and is another argument as well"), "{said}");
}

#[test]
fn a_row_program_goes_by_the_rows_of_its_product() {
    let said = found(|program| {
        let (_, rows) = row_epilogue(program);
        rows.arguments[0].offset = Size::constant(1);
    });
    assert!(said.contains("needs more than its own row of the product"), "{said}");
}
