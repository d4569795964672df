//! The small language model in bf16: how far rounding the operands of products takes it from the exact one.

use super::THETAS;
use super::language_model::{golden_name, ids, shorter, spec, write_parameters};
use crate::support::{Device, assert_close, golden, largest, model, numbers, session};
use tfc_compiler::compiled::Entry;
use tfc_compiler::storage::Storage;
use tfc_runtime::device::HostTensor;

/// Between the ids and the logits stand 17 products one behind the other: three Pattentions of two products each and the two products of attention
/// in both blocks, and the unembedding. Each adds the roundings of its two operands, at most 2⁻⁹ of each, each Pattention the rounding of its scores where they
/// are stored, and the norms between them keep errors from growing.
pub const FORWARD: f64 = (17.0 * 2.0 + 6.0) / 512.0;
/// A gradient has come the same way back, from logits that were stored: such a rounding moves the probability of a class by up to 2⁻⁹ of its logit, whose
/// `largest` that is.
fn backward(largest: f64) -> f64 {
    2.0 * FORWARD + largest / 512.0
}

#[test]
fn the_language_model_in_bf16_is_off_by_the_rounding_of_operands() {
    for (kind, theta) in THETAS {
        let exact = golden(&format!("lm_{kind}_f64.safetensors"));
        let train = "train { batch = 2  precision = bf16  optimizer = adamw(lr = 1e-3)  steps = 1 }";
        let model = model(&format!("{}\n{train}", spec(theta, true)), &[]);
        let entries = [Entry::Named(vec!["logits".into()]), Entry::Gradient];
        let mut session = session(model.clone(), &entries, Device::Cpu { threads: 2 }, 2, 16);
        write_parameters(session.as_mut(), &model, &exact, "w0.");
        let close = |name: &str, got: &[f64], want: &[f64], tolerance| {
            assert_close(&format!("{kind} {name}"), got, want, largest(want), tolerance);
        };

        let ids = ids(&exact);
        let logits = session.run("named", &[], &[shorter(&ids.1)]).expect("the forward pass runs")[0].1.to_f64();
        let want = numbers(&exact, "logits");
        close("logits", &logits, &want, FORWARD);
        let off = logits.iter().zip(&want).map(|(got, want)| (got - want).abs()).fold(0.0, f64::max);
        assert!(off > 1e-4 * largest(&want), "{kind}: nothing was rounded");

        let weight = ("loss_weight".to_string(), HostTensor::F64 { shape: Vec::new(), data: vec![1.0] });
        let loss = session.run("gradient", &[], &[ids, weight]).expect("the gradient runs")[0].1.to_f64();
        close("loss", &loss, &numbers(&exact, "losses")[..1], FORWARD);
        for (i, parameter) in model.parameters.iter().enumerate() {
            let name = format!("g.{}", golden_name(&parameter.path));
            let got = session.read(Storage::Gradient(i as u32)).expect("it is read").to_f64();
            close(&name, &got, &numbers(&exact, &name), backward(largest(&want)));
        }
    }
}
