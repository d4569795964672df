//! The golden language model, as PyTorch saved it under the official names (make_official.py).

use super::{golden_model, golden_path, imported};
use crate::conformance::{golden_name, ids, shorter};
use crate::support::{Device, assert_close, golden, largest, numbers, open};
use std::path::Path;
use std::sync::Arc;
use tfc_compiler::compile::compile;
use tfc_compiler::compiled::Entry;
use tfc_compiler::size::Symbol;
use tfc_runtime::checkpoint::{State, load};
use tfc_runtime::official::{Form, export};
use tfc_runtime::storage::TensorFile;
use tfc_runtime::torch::TorchFile;

#[test]
fn the_imported_model_computes_the_official_logits() {
    let (folder, model) = (tempfile::tempdir().unwrap(), golden_model());
    let checkpoint = imported(&golden_path("official.bin"), Form::Neox, &model, &folder.path().join("run"));
    let file = golden("lm_l2_norm_gelu_f32.safetensors");
    let state = State::read(&checkpoint.join("state.json")).unwrap();
    for device in [Device::Reference, Device::Cpu { threads: 2 }] {
        let compiled = Arc::new(compile(model.clone(), &[Entry::Named(vec!["logits".into()])]));
        let mut session = open(Arc::clone(&compiled), device);
        session.resize(&state.sizes(&model, 2).unwrap().with(Symbol::SEQUENCE, 16)).unwrap();
        load(&checkpoint, &compiled, session.as_mut(), &state).unwrap();
        let logits = session.run("named", &[], &[shorter(&ids(&file).1)]).unwrap()[0].1.to_f64();
        let wanted = numbers(&file, "logits");
        assert_close("logits", &logits, &wanted, largest(&wanted), 1e-5);
    }
}

/// The parameters of a checkpoint are those of the golden file, each number changed by at most this part of it.
fn assert_golden(checkpoint: &Path, rounding: f64) {
    let (model, file) = (golden_model(), golden("lm_l2_norm_gelu_f32.safetensors"));
    let weights = TensorFile::open(&checkpoint.join("model.safetensors")).unwrap();
    for parameter in &model.parameters {
        let got = numbers(&weights, &parameter.path);
        let wanted = numbers(&file, &format!("w0.{}", golden_name(&parameter.path)));
        assert_eq!(got.len(), wanted.len());
        let close = |(got, wanted): (&f64, &f64)| (got - wanted).abs() <= rounding * wanted.abs().max(1e-4);
        assert!(got.iter().zip(&wanted).all(close), "{}", parameter.path);
    }
}

/// Views with offsets of two shared storages; and fp16 under `module`, beside all that DeepSpeed saves, found through its folder.
#[test]
fn what_pytorch_and_deepspeed_save_is_read() {
    let (folder, model) = (tempfile::tempdir().unwrap(), golden_model());
    let flat = imported(&golden_path("official.bin"), Form::Neox, &model, &folder.path().join("flat"));
    assert_golden(&flat, 0.0);
    let deepspeed = folder.path().join("deepspeed");
    std::fs::create_dir_all(deepspeed.join("global_step3")).unwrap();
    std::fs::write(deepspeed.join("latest"), "global_step3\n").unwrap();
    let states = deepspeed.join("global_step3/mp_rank_00_model_states.pt");
    std::fs::copy(golden_path("official_deepspeed.pt"), &states).unwrap();
    let half = imported(&deepspeed, Form::Neox, &model, &folder.path().join("half"));
    assert_golden(&half, 2f64.powi(-11));
}

#[test]
fn import_and_export_are_inverse_to_the_bit() {
    let (folder, model) = (tempfile::tempdir().unwrap(), golden_model());
    let original = golden_path("official.bin");
    let first = imported(&original, Form::Neox, &model, &folder.path().join("first"));
    let bytes = |checkpoint: &Path| std::fs::read(checkpoint.join("model.safetensors")).unwrap();
    for (form, name) in [(Form::Neox, "back.bin"), (Form::HuggingFace, "back.safetensors")] {
        let back = folder.path().join(name);
        export(&first, &model, form, &back).unwrap();
        let second = imported(&back, form, &model, &folder.path().join(format!("again-{name}")));
        assert!(bytes(&first) == bytes(&second), "{name}");
        assert_eq!(std::fs::read(first.join("state.json")).unwrap(), std::fs::read(second.join("state.json")).unwrap());
    }
    let [original, back] = [original, folder.path().join("back.bin")].map(|path| TorchFile::open(&path).unwrap());
    assert!(original.tensors().eq(back.tensors()), "the same names and shapes");
    for (name, _) in original.tensors() {
        assert!(original.floats(name).unwrap() == back.floats(name).unwrap(), "{name}");
    }
}
