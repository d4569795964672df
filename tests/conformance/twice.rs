//! A parameter whose gradient is one value added to itself: a column sum, a table's rows, a vocabulary's chunks. Nothing stands where it is added yet.

use crate::support::{Device, assert_close, largest, model, session, write_parameters};
use tfc_compiler::compiled::Entry;
use tfc_compiler::storage::Storage;
use tfc_runtime::device::HostTensor;

const IDS: [i32; 8] = [3, 1, 4, 1, 5, 9, 2, 6];

/// A model whose loss is of what `forward` binds.
fn spec(forward: &str, loss: &str) -> String {
    format!(
        "model twice {{
           layer own() {{ weight = parameter[8](init = normal(1))  weight }}
           forward(ids: token_ids[3]) {{ {forward} }}
           loss = {loss}
         }}
         train {{ batch = 2  optimizer = adamw(lr = 1e-3)  steps = 1 }}"
    )
}

/// The gradients of two micro-batches: the first is written, the second added.
fn gradients(text: &str, device: Device) -> Vec<Vec<f64>> {
    let model = model(text, &[]);
    let mut session = session(model.clone(), &[Entry::Gradient, Entry::AddGradient], device, 2, 3);
    write_parameters(session.as_mut(), &model);
    for entry in ["gradient", "add_gradient"] {
        let length = if text.contains("next") { 4 } else { 3 };
        let ids = HostTensor::I32 { shape: vec![2, length], data: IDS[..2 * length].to_vec() };
        let inputs = [("ids".to_string(), ids), ("loss_weight".to_string(), HostTensor::scalar(0.5))];
        session.run(entry, &[], &inputs).expect("the gradient runs");
    }
    (0..model.parameters.len() as u32)
        .map(|i| session.read(Storage::Gradient(i)).expect("it is read").to_f64())
        .collect()
}

#[test]
fn what_is_added_to_itself_is_written_before() {
    let square = "mean(v * v)";
    let heads = "cross_entropy(q, next(ids)) + cross_entropy(r, next(ids))";
    let models = [
        ("e = embed(ids, 256, 8)  w = own()  v = e * w + e * w", square),
        ("e = embed(ids, 256, 8)  y = linear(e, 8, bias)  v = y + y.bias", square),
        ("e = embed(ids, 256, 8)  f = embed(ids, 256, 8, tied = e)  v = e + f", square),
        ("e = embed(ids, 256, 8)  q = unembed(layernorm(e), 256)  r = unembed(layernorm(e), tied = q)", heads),
    ];
    for (forward, loss) in models {
        let text = spec(forward, loss);
        let [want, got] = [Device::Reference, Device::Cpu { threads: 2 }].map(|device| gradients(&text, device));
        for (want, got) in want.iter().zip(&got) {
            assert_close(forward, got, want, largest(want), 1e-5);
        }
    }
}
