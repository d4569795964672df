//! The kernels for CUDA on the simulated device, with the checker on: what the reference device computes, as near as tf32 comes.

use super::language_model::{ids, spec, train_step, write_parameters as write_golden};
use super::portable::SPEC;
use super::{THETAS, pattention};
use crate::support::{Device, assert_close, golden, largest, model, session, write_parameters};
use tfc_compiler::compiled::Entry;
use tfc_runtime::device::HostTensor;

#[test]
fn pattention_equals_the_official_one() {
    for (kind, theta) in THETAS {
        let file = golden(&format!("patt_{kind}_f32.safetensors"));
        for case in ["T1_d5_n3_e2", "T33_d65_n129_e31"] {
            pattention::check(&file, kind, theta, "f32", Device::CudaSim, case);
        }
    }
}

#[test]
fn gradients_of_a_language_model() {
    let run = |device| {
        let mut session = session(model(SPEC, &[]), &[Entry::Grad], device, 2, 24);
        write_parameters(session.as_mut(), &model(SPEC, &[]));
        let ids = HostTensor::I32 { shape: vec![2, 25], data: (0..50).map(|i| i * 7 % 61).collect() };
        session.run("grad", &[], &[("ids".to_string(), ids)]).expect("the entry runs")
    };
    let (want, got) = (run(Device::Reference), run(Device::CudaSim));
    for ((name, want), (_, got)) in want.iter().zip(&got) {
        let want = want.to_f64();
        // A dozen products in tf32, one after the other.
        assert_close(name, &got.to_f64(), &want, largest(&want), 1e-2);
    }
}

/// The golden language model, ten steps on the golden ids. Each of the 25 products that a logit goes through (two layers of four Pattentions and attention, and the
/// head) rounds two operands to u = 2⁻¹¹ (tf32) or 2⁻⁹ (bf16) of themselves; errors of different signs add up as √50, and a loss moves by at most twice what the
/// largest logit, near 1 here, does. Weights drift apart by what that does to gradients, which a step of 10⁻³ makes small beside it.
fn ten_steps_of_the_golden_language_model(precision: &str, unit: f64) {
    let train = format!(
        "train {{ batch = 2  precision = {precision}  optimizer = adamw(lr = 1e-3)  schedule = constant  steps = 1 }}"
    );
    let run = |device| {
        let model = model(&format!("{}\n{train}", spec("l2_gelu()", true)), &[]);
        let mut session = session(model.clone(), &[Entry::Gradient, Entry::Update], device, 2, 16);
        let file = golden("lm_l2_norm_gelu_f64.safetensors");
        write_golden(session.as_mut(), &model, &file, "w0.");
        let step = |t| train_step(session.as_mut(), &model, &ids(&file), t, |_| ()).0;
        (1..=10).map(step).collect::<Vec<f64>>()
    };
    let (want, got) = (run(Device::Reference), run(Device::CudaSim));
    assert!(want[9] < want[0] - 0.1, "the reference learns nothing: {want:?}");
    assert_close(precision, &got, &want, 1.0, 2.0 * unit * 50f64.sqrt());
}

#[test]
fn ten_steps_in_tf32() {
    ten_steps_of_the_golden_language_model("f32", 2f64.powi(-11));
}

#[test]
fn ten_steps_in_bf16() {
    ten_steps_of_the_golden_language_model("bf16", 2f64.powi(-9));
}
