//! Who is blamed where a result is not finite: nobody whose memory held something else before.

use crate::support::{Device, model, session, write_parameters};
use tfc_compiler::compiled::Entry;
use tfc_runtime::bench::RandomInputs;
use tfc_runtime::device::HostTensor;
use tfc_runtime::train::Batches;

/// What is concatenated is written in parts, as bf16, where numbers of f32 were, whose lower halves would be anything.
const SPEC: &str = "model parts {
  forward(x: [96], label: class[7]) {
    a = linear(x, 200)
    b = linear(tanh(a), 200)
    c = concat(linear(tanh(b), 120), linear(x, 80))
    logits = linear(c, 7)
  }
  loss = cross_entropy(logits, label)
}
train { batch = 64  precision = bf16  optimizer = adamw(lr = 1e-3)  steps = 1 }
";

#[test]
fn parts_that_are_not_written_yet_are_nobodys_results() {
    let model = model(SPEC, &[]);
    let mut session = session(model.clone(), &[Entry::Gradient], Device::Cpu { threads: 2 }, 64, 1);
    write_parameters(session.as_mut(), &model);
    let mut inputs = RandomInputs::new(&model, session.sizes()).inputs(0, 64).expect("inputs");
    inputs.push(("loss_weight".to_string(), HostTensor::scalar(1.0)));
    assert_eq!(session.first_non_finite("gradient", &[], &inputs), None);
}
