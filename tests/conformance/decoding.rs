//! What decoding computes is what the forward pass does at the last position, whatever a layer does with each position by itself; a model whose
//! positions meet elsewhere than in causal attention is refused.

use crate::support::{Device, assert_close, largest, model, on_device, write_parameters};
use tfc_compiler::compile::compile;
use tfc_compiler::compiled::Entry;
use tfc_compiler::lower::can_decode;
use tfc_compiler::model::Model;
use tfc_compiler::size::Symbol;
use tfc_runtime::device::{HostTensor, Named, Session};

const POSITIONS: usize = 6;
const CLASSES: usize = 13;

/// The layer stands before attention and behind it.
fn with(layer: &str) -> Model {
    let text = format!(
        "model m {{
           layer mix(x: [.., t, d]) {{
             {layer}
           }}
           forward(ids: token_ids[6]) {{
             e = embed(ids, 13, 8)
             h = mix(e)
             q = linear(h, 8) |> split_heads(2) |> rope
             k = linear(h, 8) |> split_heads(2) |> rope
             v = linear(h, 8) |> split_heads(2)
             a = attention(q, k, v, causal) |> merge_heads
             z = mix(h + a)
             logits = linear(z, 13)
           }}
           loss = cross_entropy(logits, next(ids))
         }}"
    );
    model(&text, &[])
}

/// `named` are the inputs of the entry.
fn decode(session: &mut dyn Session, named: &[String], text: &[i32], first: usize) -> Vec<f64> {
    let whole = |name: &str, shape: Vec<usize>, data: Vec<i32>| (name.to_string(), HostTensor::I32 { shape, data });
    let positions: Vec<i32> = (first..first + text.len()).map(|position| position as i32).collect();
    let inputs: [Named; 3] = [
        whole("ids", vec![1, text.len()], text.to_vec()),
        whole("position", Vec::new(), vec![first as i32]),
        whole("positions", vec![text.len()], positions),
    ];
    let call = [(Symbol::BATCH, 1), (Symbol::SEQUENCE, text.len() as i64)];
    let inputs: Vec<Named> = inputs.into_iter().filter(|(name, _)| named.contains(name)).collect();
    session.run("decode", &call, &inputs).expect("decoding runs")[0].1.to_f64()
}

#[test]
fn layers_that_work_by_position_decode_as_they_are() {
    let layers = [
        "layernorm(x, affine) + softmax(x) + top_k(x, 3) * x",
        "x + mean(x, axis = 2, keep) + dropout(x, 0.5) + drop_path(x, 0.5)",
        "x * x[.., 0..1] + linear(concat(x, x), d)",
        "positions(x, 6)",
        "x + transpose(2 * transpose(x))",
        "y = split_heads(x, 2)[.., 0, ..]\nx + concat(y, y)",
        "y = mean(split_heads(x, 2), axis = 2)\nx + concat(y, y)",
        "y = split_heads(x, 2)\nmatmul(y, transpose(y)) |> merge_heads |> linear(d)",
    ];
    let text: Vec<i32> = (0..POSITIONS as i32).map(|position| (position * 5 + 3) % CLASSES as i32).collect();
    for layer in layers {
        let model = with(layer);
        let entries = [Entry::Named(vec!["logits".into()]), Entry::Decode];
        let compiled = compile(model.clone(), &entries);
        let inputs = &compiled.graph("decode").expect("it was asked for").inputs;
        let named: Vec<String> = inputs.iter().map(|input| input.name.clone()).collect();
        let mut session = on_device(compiled, Device::Reference, 1, POSITIONS as i64);
        let sizes = session.sizes().clone().with(Symbol::CAPACITY, POSITIONS as i64);
        session.resize(&sizes).expect("there is memory for a small cache");
        write_parameters(session.as_mut(), &model);
        let ids = HostTensor::I32 { shape: vec![1, POSITIONS], data: text.clone() };
        let forward = session.run("named", &[], &[("ids".into(), ids)]).expect("the forward pass runs")[0].1.to_f64();
        let want = &forward[(POSITIONS - 1) * CLASSES..];
        let prompt = decode(session.as_mut(), &named, &text, 0);
        assert_close(layer, &prompt, want, largest(want), 1e-12);
        let one_by_one = (0..POSITIONS).map(|at| decode(session.as_mut(), &named, &text[at..=at], at)).last();
        assert_close(layer, &one_by_one.expect("there are positions"), want, largest(want), 1e-12);
    }
}

#[test]
fn models_whose_positions_meet_generate_nothing() {
    let met = "positions meet outside of causal attention, and when a text is continued only the new ones are there";
    let length = "a number follows the length of the text, which is not all there when it is continued";
    let later = "attention sees later positions, which are not there yet when a text is continued";
    let layers = [
        ("x + mean(x, axis = 1, keep)", met),
        ("x + sum(x)", met),
        ("x + x[.., 0..1, ..]", met),
        ("x + mean(concat(x, x, axis = 1), axis = 1, keep)", met),
        ("matmul(softmax(matmul(x, transpose(x))), x)", met),
        ("transpose(softmax(transpose(x)))", met),
        ("x / t", length),
        ("y = split_heads(x, 2)\nattention(y, y, y) |> merge_heads", later),
    ];
    for (layer, why) in layers {
        let refused = can_decode(&with(layer)).expect_err(layer);
        assert_eq!(refused.0, why, "{layer}");
        assert!(refused.1.is_some(), "{layer}");
    }
    let peeks = "model m {\n  forward(ids: token_ids[6]) {\n    e = embed(next(ids), 13, 8)\n    logits = linear(e, 13)\n  }\n  loss = cross_entropy(logits, next(ids))\n}\n";
    let refused = can_decode(&model(peeks, &[])).expect_err("it reads what is asked for");
    assert_eq!(refused.0, "`next` is the token that is yet to come");
}
