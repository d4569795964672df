//! The kernels for CUDA on the simulated device, with the checker on: what the reference device computes, as near as tf32 comes.

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
