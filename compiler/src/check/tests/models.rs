//! What right files become.

use super::{model, model_with};

const TINY: &str = "
model tiny {
  let vocab = 64
  let context = 16
  let width = 8
  let heads = 2
  let depth = 2

  tokens qkv = 6
  tokens proj = 6
  tokens ffn = 4 * qkv

  layer attend(x: [.., d]) {
    q = pattention(x, qkv) |> split_heads(heads) |> rope(fraction = 0.5)
    k = pattention(x, qkv) |> split_heads(heads) |> rope(fraction = 0.5)
    v = pattention(x, qkv) |> split_heads(heads)
    attention(q, k, v, causal) |> merge_heads |> pattention(proj)
  }

  layer block(x: [.., d]) {
    y = x + attend(layernorm(x))
    y + pattention(layernorm(y), ffn)
  }

  forward(ids: token_ids[context]) {
    e = embed(ids, vocab, width)
    y = repeat(depth, block, e)
    logits = unembed(layernorm(y, affine), tied = e)
  }

  loss = cross_entropy(logits, next(ids))
  hits = accuracy(logits, next(ids))
}
";

#[test]
fn a_tiny_language_model() {
    insta::assert_snapshot!(model(TINY).to_string());
}
