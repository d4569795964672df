//! Who is blamed where a result is not finite: nobody whose memory held something else before.

use crate::support::{Device, model, session};
use tfc_compiler::compiled::Entry;
use tfc_compiler::storage::Storage;
use tfc_runtime::bench::RandomInputs;
use tfc_runtime::device::HostTensor;
use tfc_runtime::train::Batches;

/// What is concatenated is written in parts, as bf16, where numbers of f32 were, whose lower halves would be anything.
const SPEC: &str = "model parts {
  forward(ids: token_ids[16]) {
    h = linear(embed(ids, 64, 640), 48)
    left = linear(h, 40)
    right = linear(h, 24)
    logits = linear(concat(left, right), 64)
  }
  loss = cross_entropy(logits, next(ids))
}
train { batch = 8  precision = bf16  optimizer = adamw(lr = 1e-3)  steps = 1 }
";

#[test]
fn parts_that_are_not_written_yet_are_nobodys_results() {
    let model = model(SPEC, &[]);
    let mut session = session(model.clone(), &[Entry::Evaluate], Device::Cpu { threads: 2 }, 8, 16);
    for i in 0..model.parameters.len() as u32 {
        let shape = session.read(Storage::Parameter(i)).expect("it is read").shape().to_vec();
        // With every bit of an f32.
        let data = (0..shape.iter().product()).map(|element: usize| (element as f64).sin() / 8.0).collect();
        session.write(Storage::Parameter(i), &HostTensor::F64 { shape, data }).expect("it is written");
    }
    let inputs = RandomInputs::new(&model, session.sizes()).inputs(0, 8).expect("inputs");
    let results = session.run("evaluate", &[], &inputs).expect("it runs");
    assert!(results.iter().all(|(_, tensor)| tensor.to_f64().iter().all(|x| x.is_finite())), "{results:?}");
    assert_eq!(session.first_non_finite("evaluate", &[], &inputs), None);
}
