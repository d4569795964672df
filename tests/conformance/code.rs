//! How code is written, switched off name by name: the small language model's loss and gradients stay what they are.

use super::portable::SPEC;
use crate::support::{assert_close, largest, model, session_on, write_parameters};
use tfc_codegen::CpuBackend;
use tfc_compiler::compiled::Entry;
use tfc_compiler::optimization::Disabled;
use tfc_runtime::device::HostTensor;

/// Of f32, where sums and functions differ by roundings: what the CPU may be off by from the reference.
const TOLERANCE: f64 = 2e-5;
/// These compute the same numbers.
const EXACT: [&str; 4] = ["direct_stores", "edge_tiles", "stored_rows", "prefetching"];

/// The loss and the gradient of each parameter, by name.
fn gradients(precision: &str, disabled: &[&str]) -> Vec<(String, Vec<f64>)> {
    let disabled = Disabled::named(&disabled.iter().map(|name| name.to_string()).collect::<Vec<_>>()).expect("names");
    let model = model(&SPEC.replace("batch = 4", &format!("batch = 4  precision = {precision}")), &[]);
    let backend = CpuBackend::new().without(&disabled);
    let mut session = session_on(model.clone(), &[Entry::Grad], &backend, 2, 24);
    write_parameters(session.as_mut(), &model);
    let ids = HostTensor::I32 { shape: vec![2, 25], data: (0..50).map(|i| i * 7 % 61).collect() };
    let results = session.run("grad", &[], &[("ids".to_string(), ids)]).expect("the entry runs");
    results.into_iter().map(|(name, tensor)| (name, tensor.to_f64())).collect()
}

#[test]
fn gradients_are_the_same_without_each_optimization_of_code() {
    for precision in ["f32", "bf16"] {
        let whole = gradients(precision, &[]);
        for name in Disabled::code().names() {
            // What another rounding of a function does to operands that are rounded to bf16, the tests of kernels hold.
            if precision == "bf16" && !EXACT.contains(&name) {
                continue;
            }
            let tolerance = if EXACT.contains(&name) { 0.0 } else { TOLERANCE };
            for ((parameter, want), (_, got)) in whole.iter().zip(&gradients(precision, &[name])) {
                let what = format!("{parameter} in {precision} without {name}");
                assert_close(&what, got, want, largest(want), tolerance);
            }
        }
    }
}
