//! What the official layout cannot hold, and files that are not of the spec, are refused with the reason.

use super::{golden_model, golden_model_with, golden_path, imported};
use tfc_runtime::checkpoint::State;
use tfc_runtime::official::{Form, Import, export};

/// What is said of the golden file where the golden spec has `with` in the place of `what`.
#[track_caller]
fn refused(what: &str, with: &str) -> String {
    let model = golden_model_with(|spec| {
        assert!(spec.contains(what), "{spec}");
        spec.replace(what, with)
    });
    let import = Import::open(&golden_path("official.bin"), Form::Neox, &model, 0);
    let failure = import.err().expect("it is refused");
    assert_eq!(failure.kind.exit_code(), 1);
    failure.message.replace(&format!("{}/tests/golden/", env!("CARGO_MANIFEST_DIR")), "")
}

#[test]
fn a_file_of_other_sizes_is_refused_with_a_diff() {
    insta::assert_snapshot!(refused("tokens ffn = 96", "tokens ffn = 100"), @r"
    `official.bin` is not of the spec's model (- the file, + the spec):
      - sequential.2.mlp.key_param_tokens [96, 32]
      + sequential.2.mlp.key_param_tokens [100, 32]  `block.0.ffn.keys`
      - sequential.2.mlp.value_param_tokens [96, 32]
      + sequential.2.mlp.value_param_tokens [100, 32]  `block.0.ffn.values`
      - sequential.3.mlp.key_param_tokens [96, 32]
      + sequential.3.mlp.key_param_tokens [100, 32]  `block.1.ffn.keys`
      - sequential.3.mlp.value_param_tokens [96, 32]
      + sequential.3.mlp.value_param_tokens [100, 32]  `block.1.ffn.values`
    the file: 2 blocks, width 32, vocabulary 61, tokens 48 (qkv), 48 (proj), 96 (ffn)
    the spec: 2 blocks, width 32, vocabulary 61, tokens 48 (qkv), 48 (proj), 100 (ffn)
    ");
}

/// The nearest names stand together: those of the last norm have moved by one.
#[test]
fn a_file_with_other_names_is_refused_with_the_nearest() {
    insta::assert_snapshot!(refused("repeat(2, block, e)", "repeat(1, block, e)"), @r"
    `official.bin` is not of the spec's model (- the file, + the spec):
      - sequential.5.norm.weight [32]
      + sequential.4.norm.weight [32]  `h.weight`
      - sequential.5.norm.bias [32]
      + sequential.4.norm.bias [32]  `h.bias`
      - sequential.3.attention.key.key_param_tokens [48, 32]
      - sequential.3.attention.key.value_param_tokens [48, 32]
      - sequential.3.attention.proj.key_param_tokens [48, 32]
      - sequential.3.attention.proj.value_param_tokens [48, 32]
      - sequential.3.attention.query.key_param_tokens [48, 32]
      - sequential.3.attention.query.value_param_tokens [48, 32]
      - sequential.3.attention.value.key_param_tokens [48, 32]
      - sequential.3.attention.value.value_param_tokens [48, 32]
      … 2 more
    the file: 2 blocks, width 32, vocabulary 61, tokens 48 (qkv), 48 (proj), 96 (ffn)
    the spec: 1 blocks, width 32, vocabulary 61, tokens 48 (qkv), 48 (proj), 96 (ffn)
    ");
    insta::assert_snapshot!(refused("unembed(h, tied = e)", "unembed(h, vocab)"), @r"
    `official.bin` is not of the spec's model (- the file, + the spec):
      + sequential.6.final_linear.weight [61, 32]  `logits.weight`
    the file: 2 blocks, width 32, vocabulary 61, tokens 48 (qkv), 48 (proj), 96 (ffn)
    the spec: 2 blocks, width 32, vocabulary 61, tokens 48 (qkv), 48 (proj), 96 (ffn)
    ");
}

#[test]
fn a_spec_of_other_layers_is_refused() {
    let has = "an embedding, a last norm, and in each block Pattentions q, k, v, proj and ffn";
    let stranger = refused("pattention(layernorm(y), ffn,", "pattention(linear(layernorm(y), d), ffn,");
    let what = format!("`block.0.linear.weight` has no place in the official layout, which has {has}");
    assert_eq!(stranger, format!("{what}; name or leave out its layer"));
    let twice = refused("repeat(2, block, e)", "repeat(2, block, layernorm(e, affine))");
    let what =
        "`layernorm.weight` and `h.weight` have the same place in the official layout, `sequential.5.norm.weight`";
    assert_eq!(twice, format!("{what}; the official models have one of them"));
}

/// The official code has no other scale than √n.
#[test]
fn a_spec_of_another_scale_is_refused() {
    let why =
        "the official code takes sqrt(48) = 6.928203 from the 48 tokens it finds, so it would compute another function";
    for (scale, is) in [("7", "does not follow its tokens"), ("sqrt(4 * n)", "is 13.856406")] {
        let reason = format!("the scale of `block.0.attend.q` {is}; {why}");
        assert_eq!(
            refused("theta = l2_gelu()", &format!("theta = l2_gelu(scale = {scale})")),
            format!("the spec's model is no official one: {reason}; use `theta = l2_gelu()`")
        );
    }
}

/// A growth that keeps the scale leaves such a model.
#[test]
fn a_scale_that_is_not_the_square_root_of_the_tokens_is_not_exported() {
    let (folder, model) = (tempfile::tempdir().unwrap(), golden_model());
    let checkpoint = imported(&golden_path("official.bin"), Form::Neox, &model, &folder.path().join("run"));
    let mut state = State::read(&checkpoint.join("state.json")).unwrap();
    let scale = state.scales.iter_mut().find(|scale| scale.scale == "block.1.ffn.scale").unwrap();
    assert_eq!(scale.value, 96f64.sqrt());
    scale.value = 8.0;
    std::fs::write(checkpoint.join("state.json"), state.to_json()).unwrap();
    let out = folder.path().join("out.bin");
    for form in [Form::Neox, Form::HuggingFace] {
        let failure = export(&checkpoint, &model, form, &out).unwrap_err();
        let why = "the official code takes sqrt(96) = 9.797959 from the 96 tokens it finds, so it would compute another function";
        let what = format!("`{}` cannot stand in the official layout", checkpoint.display());
        let way_out = "bring the scale to its rule first, in a stage with `scale = retune`";
        let reason = format!("the scale of `block.1.ffn` is 8.000000; {why}");
        assert_eq!(failure.message, format!("{what}: {reason}; {way_out}"));
        assert!(!out.exists());
    }
}

/// A folder that holds no weights, and one that holds half of a model.
#[test]
fn folders_are_looked_through() {
    let folder = tempfile::tempdir().unwrap();
    let refused = || {
        let failure = Import::open(folder.path(), Form::Neox, &golden_model(), 0).err().expect("it is refused");
        failure.message.replace(&folder.path().display().to_string(), "DIR")
    };
    let none = "`DIR` has no `pytorch_model.bin` or `mp_rank_00_model_states.pt`; name the file itself";
    assert_eq!(refused(), none);
    for rank in 0..2 {
        std::fs::write(folder.path().join(format!("mp_rank_0{rank}_model_states.pt")), b"").unwrap();
    }
    assert_eq!(refused(), "`DIR` holds a model that several machines share; merge it with GPT-NeoX's tools first");
}
