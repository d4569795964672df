//! What grows with the depth of a model: launches, not kernels, and nothing that takes the stack.

use crate::check::tests::model;
use crate::compile::compile;
use crate::compiled::Entry;

/// Kernels of the gradient of so many layers, each of which draws random numbers of its own.
fn kernels(depth: u32) -> usize {
    let text = format!(
        "model deep {{
           tokens ffn = 8
           layer block(x: [.., d]) {{
             y = x + pattention(layernorm(x), ffn, mask = first(uniform(25%, 100%))) |> dropout(10%)
             dropout(y * 2, 20%)
           }}
           forward(ids: token_ids[16]) {{
             e = embed(ids, 31, 8)
             logits = unembed(layernorm(repeat({depth}, block, e), affine), tied = e)
           }}
           loss = cross_entropy(logits, next(ids))
         }}"
    );
    compile(model(&text), &[Entry::Gradient]).program.kernels.len()
}

#[test]
fn layers_share_their_kernels_whatever_they_draw() {
    let counts = [3, 6, 9].map(kernels);
    assert!(counts[0] == counts[1] && counts[1] == counts[2], "kernels of 3, 6 and 9 layers: {counts:?}");
}

#[test]
fn thousands_of_views_in_a_row_are_walked_in_parts() {
    let text = "model turning {
           layer turn(x: [.., a, d]) { transpose(x) |> merge_heads |> split_heads(8) }
           forward(x: [8, 16]) { y = repeat(1000, turn, x) }
           loss = sum(y * y)
         }";
    compile(model(text), &[Entry::Evaluate]);
}
