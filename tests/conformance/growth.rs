//! Growth by 16 tokens with zero keys: τ kept leaves the l2 norms' function as it was, τ retuned gives the official result.

use super::language_model::{golden_name, ids, shorter, spec, write_parameters};
use super::{DEVICES, THETAS};
use crate::support::{Device, assert_close, golden, largest, model, numbers, session, write_scales};
use tfc_compiler::compiled::Entry;
use tfc_compiler::model::Model;
use tfc_compiler::size::SizeValues;
use tfc_compiler::storage::Storage;
use tfc_runtime::device::HostTensor;
use tfc_runtime::device::Session;
use tfc_runtime::storage::TensorFile;

#[test]
fn growth_equals_the_official_model_with_the_same_new_tokens() {
    for (dtype, device) in DEVICES {
        for (kind, theta) in THETAS {
            check(kind, theta, dtype, device);
        }
    }
}

fn check(kind: &str, theta: &str, dtype: &str, device: Device) {
    let file = golden(&format!("grow_{kind}_{dtype}.safetensors"));
    let tolerance = if dtype == "f64" { 1e-7 } else { 1e-5 };
    let close = |name: &str, got: &[f64], want: &[f64]| {
        assert_close(&format!("{kind} {dtype} {name}"), got, want, largest(want), tolerance);
    };
    let model = model(&spec(theta, true), &[]);
    let mut session = session(model.clone(), &[Entry::Named(vec!["logits".into()]), Entry::Grad], device, 2, 16);
    write_parameters(session.as_mut(), &model, &file, "w0.");
    let ids = ids(&file);
    let shorter = shorter(&ids.1);
    let logits = |session: &mut dyn Session| {
        session.run("named", &[], std::slice::from_ref(&shorter)).expect("runs")[0].1.to_f64()
    };
    let old = logits(session.as_mut());
    close("old_logits", &old, &numbers(&file, "old_logits"));

    let mut sizes = session.sizes().clone();
    for axis in &model.token_axes {
        sizes.set(axis.symbol, sizes.get(axis.symbol) + 16);
    }
    session.resize(&sizes).expect("there is memory");
    write_new_values(session.as_mut(), &model, &file);

    let kept = logits(session.as_mut());
    close("logits_keep_tau", &kept, &numbers(&file, "logits_keep_tau"));
    if kind != "softmax" {
        close("logits after growth", &kept, &old);
    }
    let gradients = session.run("grad", &[], &[ids]).expect("the gradient runs");
    for (path, gradient) in gradients.iter().filter(|(name, _)| name != "loss") {
        let name = format!("g_keep.{}", golden_name(path));
        close(&name, &gradient.to_f64(), &numbers(&file, &name));
    }
    retune(session.as_mut(), &model, &sizes);
    close("logits_new_tau", &logits(session.as_mut()), &numbers(&file, "logits_new_tau"));
}

fn retune(session: &mut dyn Session, model: &Model, sizes: &SizeValues) {
    write_scales(session, model, sizes);
}

/// New keys are zero, as `resize` left them; new values are the golden ones.
fn write_new_values(session: &mut dyn Session, model: &Model, file: &TensorFile) {
    for (i, parameter) in model.parameters.iter().enumerate().filter(|(_, p)| p.path.ends_with(".values")) {
        let storage = Storage::Parameter(i as u32);
        let whole = session.read(storage).expect("it is read");
        let shape = whole.shape().to_vec();
        let name = golden_name(&parameter.path);
        let new = numbers(file, &format!("newv.{}", name.trim_end_matches(".value_param_tokens")));
        let mut data = whole.to_f64();
        let start = data.len() - new.len();
        data[start..].copy_from_slice(&new);
        session.write(storage, &HostTensor::F64 { shape, data }).expect("it is written");
    }
}
