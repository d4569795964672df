//! Whole experiments: what is proven of their growth, and what is said of what is wrong with it.

use super::measured::{change, grown, noise};
use crate::check::tests::{sources_and_model, spec};
use crate::compile::lowered;
use crate::compiled::Entry;
use crate::interpret::{Memory, Tensor, interpret};
use crate::model::Model;
use crate::prove::{Growing, GrowthProof, Verdict, prove};
use crate::size::{Size, SizeValues, Symbol};
use crate::storage::Storage;
use tfc_grammar::{Code, Color, Diagnostic, Sources, render_all};

/// A model around one layer `f`, which grows from 8 tokens; then what `grow` says, and in the second stage.
fn source(f: &str, grow: &str, stage: &str) -> String {
    format!(
        r#"model small {{
  tokens n = 8

{f}
  layer block(x: [.., d]) {{
    x + f(layernorm(x))
  }}

  forward(x: [16]) {{
    y = repeat(2, block, x)
  }}

  loss = mean(y * y)
}}

train {{
  batch = 4  optimizer = adamw(lr = 1e-3)  steps = 10
}}

grow {{
  {grow}
  stage "small" {{ }}
  stage "large" {{ {stage} }}
}}
"#
    )
}

fn proven(text: &str) -> (Sources, Vec<Option<GrowthProof>>, Vec<Diagnostic>) {
    let (sources, model) = sources_and_model(text);
    let (proofs, diagnostics) = prove_all(&model);
    (sources, proofs, diagnostics)
}

fn prove_all(model: &Model) -> (Vec<Option<GrowthProof>>, Vec<Diagnostic>) {
    let (evaluate, gradient) = (lowered(model, &Entry::Evaluate), lowered(model, &Entry::Gradient));
    prove(model, &evaluate, &gradient)
}

/// How much `y` changes by the growth into the second stage, with weights that look random.
fn measured(model: &Model) -> f64 {
    let growing = Growing::into_stage(model, 1).expect("the second stage grows");
    let graph = lowered(model, &Entry::Named(vec!["y".into()]));
    let elements = |shape: &[Size], sizes: &SizeValues| Size::product(shape).eval(sizes) as usize;
    let run = |is_grown: bool| {
        let sizes = if is_grown { &growing.new } else { &growing.old }.clone().with(Symbol::BATCH, 4);
        let mut memory = Memory::default();
        memory.set(Storage::Input(0), Tensor::f32(vec![4, 16], noise(1, 64)));
        for (i, parameter) in model.parameters.iter().enumerate() {
            let stream = 2 + i as u32;
            let old = noise(stream, elements(&parameter.shape, &growing.old));
            let data = grown(&old, &growing.rows[i], stream, elements(&parameter.shape, &sizes));
            let shape = parameter.shape.iter().map(|size| size.eval(&sizes) as usize).collect();
            memory.set(Storage::Parameter(i as u32), Tensor::f32(shape, data));
        }
        let scales = if is_grown { model.stage_scales(1).at_start } else { model.stage_scales(0).settled };
        for (i, scale) in scales.into_iter().enumerate() {
            memory.set(Storage::Scale(i as u32), Tensor::scalar(scale));
        }
        interpret(&graph, &sizes, &mut memory);
        memory.find(Storage::Output(0)).expect("the graph has an output").floats().to_vec()
    };
    change(&run(false), &run(true))
}

const PATTENTION: &str = "  layer f(x: [.., d]) { pattention(x, n) }\n";
const SOFTMAX: &str = "  layer f(x: [.., d]) { pattention(x, n, theta = scaled_softmax) }\n";
const JAX: &str = "  layer f(x: [.., d]) { pattention(x, n, theta = l2_gelu(scale = 3, eps = 1e-5, gelu = tanh)) }\n";
const WITH_EPS: &str = "  layer f(x: [.., d]) { pattention(x, n, theta = l2_gelu(eps = 1e-5)) }\n";
const DROPPED: &str = "  layer f(x: [.., d]) {
    pattention(x, n, mask = first(uniform(25%, 100%)), theta = l2_gelu(scale = sqrt(active)))
  }\n";
/// Growth that preserves the library's default theta.
const ZERO_KEYS: &str = "init = (keys = zero)  scale = keep";
/// Not from the library, and not by its names.
const OWN: &str = "  layer f(x: [.., d]) {
    keys = parameter[n, d](init = normal(0.02))
    gates = parameter[n](init = one)
    values = parameter[n, d](init = normal(0.02))
    a = matmul(x, transpose(keys)) * gates
    weights = tanh(a / sqrt(sum(a * a, axis = -1, keep) + 1))
    matmul(weights, values)
  }\n";

#[test]
fn verdicts_agree_with_the_measured_change() {
    let cases = [
        ("nothing said", PATTENTION, "", "n = 20"),
        ("zero keys", PATTENTION, ZERO_KEYS, "n = 20"),
        ("the scale follows at once", PATTENTION, ZERO_KEYS, "n = 20  scale = retune"),
        ("the scale follows later", PATTENTION, ZERO_KEYS, "n = 20  scale = retune(over = 2K)"),
        ("as released", PATTENTION, "init = model", "n = 20  scale = retune"),
        ("some instances", PATTENTION, ZERO_KEYS, "block[1..].n = 20"),
        ("split", PATTENTION, "init = split", "n = 16  scale = retune"),
        ("split, the scale stays", PATTENTION, "init = split", "n = 16  scale = keep"),
        ("split with noise", PATTENTION, "init = split(noise = 1%)", "n = 16  scale = retune"),
        ("softmax", SOFTMAX, ZERO_KEYS, "n = 20"),
        ("softmax, split", SOFTMAX, "init = split", "n = 24  scale = retune"),
        ("a fixed scale", JAX, ZERO_KEYS, "n = 20  scale = retune"),
        ("a fixed scale, split", JAX, "init = split", "n = 16"),
        ("an eps", WITH_EPS, ZERO_KEYS, "n = 20"),
        ("an eps, split", WITH_EPS, "init = split", "n = 16  scale = retune"),
        ("nested dropout", DROPPED, ZERO_KEYS, "n = 20"),
        ("a variant of one's own", OWN, ZERO_KEYS, "n = 20"),
        ("a variant of one's own, random keys", OWN, "init = model", "n = 20"),
    ];
    let mut table = String::new();
    for (name, f, grow, stage) in cases {
        let (sources, model) = sources_and_model(&source(f, grow, stage));
        let (proofs, diagnostics) = prove_all(&model);
        assert!(diagnostics.is_empty(), "{name}:\n{}", render_all(&sources, &diagnostics, Color::Never));
        let verdict = &proofs[1].as_ref().expect("the second stage grows").verdict;
        let change = measured(&model);
        match verdict {
            Verdict::Preserves { .. } => assert!(change < 1e-13, "{name}: {change}"),
            // The noise is not put into the weights here.
            Verdict::NearlyPreserves { .. } => assert!(change < 1e-4, "{name}: {change}"),
            Verdict::Changes { .. } => assert!(change > 1e-3, "{name}: {change}"),
            Verdict::Unproven { .. } => panic!("{name}: {verdict}"),
        }
        table += &format!("{name}:\n    {verdict}\n");
    }
    insta::assert_snapshot!(table);
}

/// What `tfc check` says of growing the official 354M as it was released, and as it preserves what it had learned.
#[test]
fn the_official_growth_and_its_corrected_form() {
    let said = |name: &str| {
        let (proofs, diagnostics) = prove_all(&spec(name));
        assert!(diagnostics.is_empty(), "{diagnostics:?}");
        proofs[1].as_ref().expect("the second stage grows").verdict.to_string()
    };
    let released = "changes it: the row norm sees the new columns: new keys are random";
    assert_eq!(said("grow-official-354m-to-757m-released"), released);
    let corrected = "preserves the function, because new columns of X·Kᵀ are zero, a row norm does not see zeros, \
                     the scale stays the number it was, gelu(0) = 0, and a contraction drops zero terms";
    assert_eq!(said("grow-official-354m-to-757m"), corrected);
}

#[test]
fn mistakes() {
    let both_zero = "init = (keys = zero, values = zero)";
    let cases = [
        (PATTENTION, both_zero, "n = 20"),
        (OWN, both_zero, "n = 20"),
        (PATTENTION, ZERO_KEYS, "n = 20  scale = retune  expect preserve(1e-6)"),
        (SOFTMAX, ZERO_KEYS, "n = 20  expect preserve(1e-6)"),
        (PATTENTION, "init = split", "n = 16  scale = retune  optimizer = reset"),
    ];
    let answer = |(f, grow, stage): (&str, &str, &str)| {
        let text = source(f, grow, stage);
        let (sources, _, diagnostics) = proven(&text);
        format!("{text}\n{}", render_all(&sources, &diagnostics, Color::Never))
    };
    let answers = cases.map(answer).join("\n------------------------------------------------------------\n\n");
    insta::assert_snapshot!(answers);
}

#[test]
fn what_is_right_is_not_warned_of() {
    for (f, grow, stage) in [
        (SOFTMAX, "init = (keys = zero, values = zero)", "n = 20"),
        (PATTENTION, "init = split", "n = 16  scale = retune"),
        (PATTENTION, "init = split(noise = 1%)", "n = 16  scale = retune  optimizer = reset  expect preserve(5%)"),
        (WITH_EPS, "init = split", "n = 16  scale = retune  expect preserve(5%)"),
        (PATTENTION, ZERO_KEYS, "n = 20  expect preserve(1e-6)"),
    ] {
        let (sources, _, diagnostics) = proven(&source(f, grow, stage));
        assert!(diagnostics.is_empty(), "{}", render_all(&sources, &diagnostics, Color::Never));
    }
}

#[test]
fn the_examples_of_proofs_cause_their_codes() {
    for code in [Code::NeverLearns, Code::NotPreserved, Code::CopiesNeverPart] {
        let (_, _, diagnostics) = proven(code.example().unwrap());
        assert_eq!(diagnostics.iter().map(|d| d.code).collect::<Vec<_>>(), [code]);
    }
}

/// Not because of how they are drawn.
#[test]
fn new_tokens_that_the_loss_does_not_follow_from() {
    let f = "  layer f(x: [.., d]) {\n    g = pattention(x, n)\n    x\n  }\n";
    let (_, _, diagnostics) = proven(&source(f, "", "n = 12"));
    let [diagnostic] = diagnostics.as_slice() else { panic!("{diagnostics:?}") };
    assert_eq!(diagnostic.code, Code::NeverLearns);
    assert_eq!(diagnostic.message, "new tokens can never learn: the loss does not follow from them");
}
