//! What the backward part computes again changes no bit of a gradient: on the CPU in every precision, and on the reference device.

use super::language_model::{ids, spec};
use crate::support::{Device, golden, model, on_device, write_parameters};
use tfc_compiler::compile::compile_recomputing;
use tfc_compiler::compiled::Entry;
use tfc_compiler::model::Model;
use tfc_compiler::optimization::Disabled;
use tfc_compiler::passes;
use tfc_compiler::recompute::ladder;
use tfc_compiler::size::Symbol;
use tfc_compiler::storage::Storage;
use tfc_runtime::device::HostTensor;

#[test]
fn what_is_computed_again_changes_no_bit_of_a_gradient() {
    for precision in ["f32", "bf16"] {
        let train = format!(
            "train {{ batch = 2  precision = {precision}
               optimizer = adamw(lr = 1e-3, betas = (0.9, 0.95), eps = 1e-8, decay = 0.1)  schedule = constant  steps = 1 }}"
        );
        let model = model(&format!("{}\n{train}", spec("l2_gelu()", true)), &[]);
        let graph = passes::optimize(&tfc_compiler::compile::lowered(&model, &Entry::Gradient), &[], |_, _| {});
        let sizes = model.stage_sizes(0).with(Symbol::BATCH, 2).with(Symbol::SEQUENCE, 16);
        let rungs = ladder(&graph, &sizes, &Disabled::default());
        let devices = [Device::Cpu { threads: 2 }, Device::Reference];
        for device in devices.into_iter().filter(|device| precision == "f32" || *device != Device::Reference) {
            let keeping_all = gradients(&model, device, &rungs[0].recomputed);
            for rung in [&rungs[rungs.len() / 2], &rungs[rungs.len() - 1]] {
                let again = gradients(&model, device, &rung.recomputed);
                assert!(again == keeping_all, "{precision} on {device:?}: {rung:?} changes a gradient");
            }
        }
    }
}

/// The bits of every gradient, and of the loss.
fn gradients(model: &Model, device: Device, recomputed: &[String]) -> Vec<Vec<u64>> {
    let compiled = compile_recomputing(model.clone(), &[Entry::Gradient], &Disabled::default(), recomputed);
    let mut session = on_device(compiled, device, 2, 16);
    write_parameters(session.as_mut(), model);
    session.set_precision(model.stage_precision(0));
    let weight = ("loss_weight".to_string(), HostTensor::scalar(1.0));
    let inputs = [ids(&golden("lm_l2_norm_gelu_f32.safetensors")), weight];
    let loss = session.run("gradient", &[], &inputs).expect("the gradient runs");
    let gradients = (0..model.parameters.len() as u32).map(|i| session.read(Storage::Gradient(i)).expect("it is read"));
    let bits = |tensor: HostTensor| tensor.to_f64().into_iter().map(f64::to_bits).collect();
    gradients.chain(loss.into_iter().map(|(_, loss)| loss)).map(bits).collect()
}
