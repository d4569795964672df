//! The text of every stage of our own for a tiny model, exact; foreign text is only looked into.

use super::Workplace;

/// One block, so that every line of the snapshot can be read.
const ONE_LAYER: &str = r#"model one {
  let vocab = 11
  let context = 4

  tokens n = 3

  forward(ids: token_ids[context]) {
    e = embed(ids, vocab, 6)
    y = e + pattention(layernorm(e), n)
    logits = unembed(y, tied = e)
  }

  loss = cross_entropy(logits, next(ids))
}
"#;

fn emitted(stage: &str) -> String {
    Workplace::with_spec(ONE_LAYER).succeed(&["compile", "tiny.tfm", "--emit", stage])
}

#[test]
fn ast() {
    insta::assert_snapshot!(emitted("ast"));
}

#[test]
fn model() {
    insta::assert_snapshot!(emitted("model"));
}

#[test]
fn graph() {
    insta::assert_snapshot!(emitted("graph"));
}

#[test]
fn grad() {
    insta::assert_snapshot!(emitted("grad"));
}

#[test]
fn fused() {
    insta::assert_snapshot!(emitted("fused"));
}

#[test]
fn plan() {
    insta::assert_snapshot!(emitted("plan"));
}

#[test]
fn foreign_text_holds_what_it_should() {
    assert!(emitted("dot").starts_with("digraph"));
    assert!(emitted("mlir").contains("scf.for"));
    assert!(emitted("mlir-lowered").contains("llvm.func"));
    assert!(emitted("llvm").contains("define"));
    assert!(emitted("asm").contains("kernel_0"));
}
