//! What stands in memory as bf16, and that it changes results by roundings only.

use super::models::{block_gradient, builder, call, language_model, parameter, tokens};
use super::*;
use crate::autodiff::differentiate;
use crate::graph::{Builder, DType, Op, Type};
use crate::kernel::{Access, Body};
use crate::scalar::Binary;

fn graph() -> Graph {
    passes::optimize(&block_gradient(), &[], |_, _| {})
}

fn off() -> Disabled {
    Disabled::named(&["narrow".to_string()]).expect("its own name")
}

fn planned(disabled: &Disabled) -> Program {
    compile_entry(&graph(), Precision::Bf16, disabled)
}

/// The scores of a Pattention and their gradient, which products read; the residual and its gradient, the norms and what is handed back stay f32.
#[test]
fn scores_and_their_gradient_are_narrow() {
    let program = planned(&Disabled::default());
    let plan = &program.plans[0];
    let violations = verify(&program, plan);
    assert!(violations.is_empty(), "{}", violations.join("\n"));
    let narrow = plan.buffers.iter().filter(|buffer| buffer.dtype == DType::BF16);
    let names: Vec<&str> = narrow.map(|buffer| buffer.name.split(' ').next().expect("a word")).collect();
    assert_eq!(names, ["matmul", "multiply"], "{program}");
    let wide = planned(&off());
    assert!(wide.plans[0].buffers.iter().all(|buffer| buffer.dtype != DType::BF16));
    let in_f32 = compile_entry(&graph(), Precision::F32, &Disabled::default());
    assert!(in_f32.plans[0].buffers.iter().all(|buffer| buffer.dtype != DType::BF16));
}

#[derive(Clone, Copy, PartialEq)]
enum Also {
    Nothing,
    Summand,
    /// Handed back, of the first position.
    Copied,
}

/// Three products of a layer norm, which is written for them, and the gradient of what it is made of; the norm may be something else as well.
fn products_of_a_norm(also: Also) -> Graph {
    let (mut b, _) = builder("gradient");
    let [x, g] = ["x", "g"].map(|name| b.input(name, Type::f32(tokens(8))));
    let h = b.add(Op::LayerNorm { eps: 1e-5 }, &[x]);
    let of_h = |b: &mut Builder, index| {
        let w = parameter(b, index, &[8.into(), 8.into()]);
        b.add(Op::MatMul { transpose_a: false, transpose_b: false }, &[h, w])
    };
    let [p, q, r] = [0, 1, 2].map(|index| of_h(&mut b, index));
    let products = [q, r].into_iter().fold(p, |product, other| b.multiply(product, other));
    let y = if also == Also::Summand { b.binary(Binary::Add, h, products) } else { products };
    let gradients = differentiate(&mut b, y, g, &[x]);
    b.output("y", y);
    b.output("gradient of x", gradients[0]);
    if also == Also::Copied {
        let copy = b.add(Op::Slice { axis: 1, start: 0.into(), length: 1.into() }, &[h]);
        b.output("copy", copy);
    }
    passes::optimize(&b.finish(), &[], |_, _| {})
}

/// What products round anyway, and nobody adds to anything; its gradient multiplies by it.
#[test]
fn what_is_there_to_be_multiplied_is_narrow() {
    for also in [Also::Nothing, Also::Summand, Also::Copied] {
        let graph = products_of_a_norm(also);
        let program = compile_entry(&graph, Precision::Bf16, &Disabled::default());
        let plan = &program.plans[0];
        let violations = verify(&program, plan);
        assert!(violations.is_empty(), "{}", violations.join("\n"));
        let norm = plan.steps.iter().flat_map(Step::launches).find_map(|launch| {
            let kernel = &program.kernels[launch.kernel as usize];
            let written = kernel.operands.iter().rposition(|operand| operand.access == Access::Write)?;
            matches!(kernel.body, Body::Rows(_)).then(|| launch.arguments[written].buffer)
        });
        let norm = &plan.buffers[norm.expect("a layer norm").0 as usize];
        assert_eq!(norm.dtype, if also == Also::Nothing { DType::BF16 } else { DType::F32 }, "{program}");
    }
}

/// In whose memory there is room for twice the rows, whichever precision the sums are of.
#[test]
fn chunks_of_narrow_logits_have_twice_the_rows() {
    let graph = passes::optimize(&language_model(false), &[], |_, _| {});
    let rows = |precision: Precision, disabled: &Disabled| -> Vec<i64> {
        let program = compile_entry(&graph, precision, disabled);
        let of = |step: &Step| if let Step::Chunks { chunk, .. } = step { Some(*chunk) } else { None };
        program.plans[0].steps.iter().filter_map(of).collect()
    };
    let wide = rows(Precision::F32, &Disabled::default());
    assert!(wide.len() == 1, "{wide:?}");
    assert_eq!(rows(Precision::Bf16, &off()), wide);
    assert_eq!(rows(Precision::Bf16, &Disabled::default()), [2 * wide[0]]);
}

/// Logits that no product reads are f32, also where what they are made of is narrow: then a chunk has no more rows than in f32.
#[test]
fn chunks_of_wide_logits_have_as_many_rows_as_in_f32() {
    let (mut b, _) = builder("evaluate");
    let x = b.input("x", Type::f32(tokens(8)));
    let labels = b.input("labels", Type::i32(tokens(8)[..2].to_vec()));
    let [w, table] = [(0, 8), (1, 11)].map(|(index, rows)| parameter(&mut b, index, &[rows.into(), 8.into()]));
    let h = b.add(Op::MatMul { transpose_a: false, transpose_b: true }, &[x, w]);
    let loss = b.add(Op::VocabularyLoss, &[h, table, labels]);
    b.output("loss", loss);
    let graph = passes::optimize(&b.finish(), &[], |_, _| {});
    let chunk = |precision: Precision| {
        let program = compile_entry(&graph, precision, &Disabled::default());
        let is_narrow = program.plans[0].buffers.iter().any(|buffer| buffer.dtype == DType::BF16);
        let of = |step: &Step| if let Step::Chunks { chunk, .. } = step { Some(*chunk) } else { None };
        (program.plans[0].steps.iter().find_map(of).expect("chunks"), is_narrow)
    };
    let (wide, _) = chunk(Precision::F32);
    assert_eq!(chunk(Precision::Bf16), (wide, true));
}

/// A number that is stored is off by 2⁻⁹ of itself at most, and takes part in sums of a few dozen such numbers.
#[test]
fn results_differ_by_roundings() {
    for graph in [graph(), products_of_a_norm(Also::Nothing)] {
        let (sizes, memory) = call(&graph, 7);
        let run = |disabled: &Disabled| {
            let (program, mut memory) = (compile_entry(&graph, Precision::Bf16, disabled), memory.clone());
            evaluate(&program, &program.plans[0], &sizes, &mut memory);
            memory
        };
        let (narrow, wide) = (run(&Disabled::default()), run(&off()));
        let mut differs = false;
        for output in &graph.outputs {
            let [narrow, wide] =
                [&narrow, &wide].map(|memory| match &memory.find(output.target).expect("written").data {
                    Data::F32(numbers) => numbers.clone(),
                    Data::I32(_) => panic!("a real number"),
                });
            let largest = wide.iter().fold(0.0, |largest: f64, x| largest.max(x.abs()));
            let off = narrow.iter().zip(&wide).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            assert!(off <= 4.0 / 512.0 * largest, "{} is off by {off} of {largest}", output.name);
            differs |= off > 0.0;
        }
        assert!(differs, "nothing was rounded");
    }
}
