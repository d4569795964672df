//! Documents kept apart: in a sequence of several each is what it is alone, and both devices agree on it.

use super::DEVICES;
use crate::support::{Device, assert_close, largest, model, session, write_parameters};
use tfc_compiler::compiled::Entry;
use tfc_runtime::device::{HostTensor, Named};

/// Learned and rotary positions; attention to all that was before, to a window of grouped keys, and to all that there is.
const SPEC: &str = "model apart {
  let vocab = 256
  let context = 40
  let width = 12
  tokens qkv = 10
  layer attend(x: [.., d]) {
    q = pattention(x, qkv) |> split_heads(2) |> rope
    k = pattention(x, qkv) |> split_heads(2) |> rope
    v = pattention(x, qkv) |> split_heads(2)
    attention(q, k, v, causal) |> merge_heads |> pattention(qkv)
  }
  layer nearby(x: [.., d]) {
    q = linear(x, d) |> split_heads(4)
    k = linear(x, 3) |> split_heads(1)
    v = linear(x, 3) |> split_heads(1)
    merged = attention(q, k, v, window(5)) |> merge_heads
    o = linear(merged, d)
    o
  }
  layer around(x: [.., d]) {
    q = linear(x, d) |> split_heads(2) |> rope
    k = linear(x, d) |> split_heads(2) |> rope
    v = linear(x, d) |> split_heads(2)
    attention(q, k, v, full) |> merge_heads
  }
  layer block(x: [.., d]) {
    y = x + attend(layernorm(x))
    z = y + around(layernorm(y))
    z + nearby(layernorm(z))
  }
  forward(ids: token_ids[context]) {
    e = embed(ids, vocab, width)
    p = positions(e, length = context)
    y = repeat(2, block, p)
    logits = unembed(layernorm(y, affine), tied = e)
  }
  loss = cross_entropy(logits, next(ids))
}
data { train = \"documents\"  documents = separate }
train { batch = 2  steps = 1  optimizer = adamw(lr = 1e-3) }";

/// The lengths of the documents of two sequences of 23 ids; the last of each goes on after it.
const LENGTHS: [&[usize]; 2] = [&[7, 1, 15], &[23]];

fn ids(length: usize) -> Vec<i32> {
    (0..2 * length).map(|i| (i * i * 7 % 251) as i32).collect()
}

fn named(name: &str, shape: [usize; 2], data: Vec<i32>) -> Named {
    (name.to_string(), HostTensor::I32 { shape: shape.to_vec(), data })
}

fn places(lengths: &[usize]) -> Vec<i32> {
    lengths.iter().flat_map(|length| 0..*length as i32).collect()
}

/// Logits of some sequences.
fn logits(device: Device, ids: Vec<i32>, positions: Vec<i32>, rows: usize) -> Vec<f64> {
    let (model, length) = (model(SPEC, &[]), ids.len() / rows);
    let entries = [Entry::Named(vec!["logits".into()])];
    let mut session = session(model.clone(), &entries, device, rows as i64, length as i64);
    write_parameters(session.as_mut(), &model);
    let inputs = [named("ids", [rows, length], ids), named("positions", [rows, length], positions)];
    session.run("named", &[], &inputs).unwrap()[0].1.to_f64()
}

#[test]
fn each_document_is_what_it_is_alone() {
    let (all, [first, second]) = (ids(23), LENGTHS);
    for (_, device) in DEVICES {
        let together = logits(device, all.clone(), [places(first), places(second)].concat(), 2);
        let mut start = 0;
        for length in first.iter().chain(second) {
            let alone = logits(device, all[start..start + length].to_vec(), places(&[*length]), 1);
            let part = &together[start * 256..(start + length) * 256];
            let tolerance = if device == Device::Reference { 1e-12 } else { 1e-5 };
            assert_close(&format!("{device:?} from {start}"), part, &alone, largest(&alone), tolerance);
            start += length;
        }
        // As one document they are something else.
        let joined = logits(device, all.clone(), [places(&[23]), places(&[23])].concat(), 2);
        let change = together.iter().zip(&joined).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(change > 0.01 * largest(&joined), "{device:?}: positions change nothing");
    }
}

#[test]
fn the_gradients_of_both_devices_agree() {
    let model = model(SPEC, &[]);
    let [reference, cpu] = DEVICES.map(|(_, device)| {
        let mut session = session(model.clone(), &[Entry::Grad], device, 2, 23);
        write_parameters(session.as_mut(), &model);
        let positions = LENGTHS.iter().flat_map(|lengths| places(lengths)).collect();
        session.run("grad", &[], &[named("ids", [2, 24], ids(24)), named("positions", [2, 23], positions)]).unwrap()
    });
    for ((name, want), (_, got)) in reference.iter().zip(&cpu) {
        let want = want.to_f64();
        assert_close(name, &got.to_f64(), &want, largest(&want), 2e-5);
    }
}
