//! What is wrong with a plan is found.

use super::models::{block_gradient, call};
use super::*;
use crate::kernel::{Access, Body, Inner};

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

/// Row programs that stay where they are while their rows go on.
#[test]
fn a_row_program_writes_each_element_once() {
    let mut program = planned();
    let kernels = program.kernels.clone();
    let (_, rows) = row_epilogue(&mut program);
    let Body::Rows(body) = &kernels[rows.kernel as usize].body else { panic!("behind products are row programs") };
    let written = body.stores[0].0 as usize;
    let before: usize =
        body.access[..written].iter().map(|access| 1 + usize::from(access.inner == Inner::Strided)).sum();
    assert_eq!(body.outer_rank, 1, "each operand has one outer stride");
    rows.sizes[2 + before] = Size::constant(0);
    let said = verify_at(&program, &program.plans[0], &call(&block_gradient(), 5).0).join("\n");
    assert!(said.contains("is written more than once"), "{said}");
}
