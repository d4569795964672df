//! `tfc import` and `tfc export`: out of a run into the official layout, and in again as a run.

use super::{SPEC, Workplace};

/// The small model with the layers of the official ones, half-way through its first stage.
fn trained() -> Workplace {
    let spec =
        SPEC.replace("tokens ffn", "tokens proj = qkv\n  tokens ffn").replace("pattention(qkv)", "pattention(proj)");
    let workplace = Workplace::with_spec(&spec);
    workplace.succeed(&["train", "tiny.tfm", "--steps", "10", "--out", "run"]);
    workplace
}

#[test]
fn a_checkpoint_goes_out_and_comes_in_again() {
    let workplace = trained();
    for (like, file, run) in [("neox", "pytorch_model.bin", "torch"), ("hf", "model.safetensors", "hf")] {
        workplace.succeed(&["export", "run", "--like", like, "-o", file]);
        workplace.succeed(&["import", file, "tiny.tfm", "--like", like, "-o", run]);
        let weights = |checkpoint: &str| workplace.read(&format!("{checkpoint}/model.safetensors"));
        assert!(weights("run/checkpoints/step-10") == weights(&format!("{run}/checkpoints/step-0")));
        assert_eq!(workplace.succeed(&["eval", "run"]), workplace.succeed(&["eval", run]));
    }
    let message = workplace.fail(1, &["import", "pytorch_model.bin", "tiny.tfm", "--like", "neox", "-o", "torch"]);
    assert!(message.contains("holds a run already"), "{message}");
}

/// It talks, is trained on with new moments, and grows; and what has grown with its scale kept is no official model.
#[test]
fn an_imported_checkpoint_is_one_like_any_other() {
    let workplace = trained();
    workplace.succeed(&["export", "run", "--like", "neox", "-o", "pytorch_model.bin"]);
    workplace.succeed(&["import", "pytorch_model.bin", "tiny.tfm", "--like", "neox", "-o", "again"]);
    assert!(workplace.succeed(&["generate", "again", "--prompt", "The", "--tokens", "5"]).starts_with("The"));
    workplace.succeed(&["grow", "again", "--stage", "large", "-o", "grown"]);
    let message = workplace.fail(1, &["export", "grown", "--like", "neox", "-o", "grown.bin"]);
    assert!(message.contains("cannot stand in the official layout") && message.contains("scale = retune"), "{message}");
    workplace.succeed(&["train", "tiny.tfm", "--out", "grown", "--resume", "--steps", "2"]);
    workplace.succeed(&["train", "tiny.tfm", "--out", "again", "--resume", "--steps", "2"]);
    let state: serde_json::Value =
        serde_json::from_slice(&workplace.read("again/checkpoints/step-2/state.json")).expect("JSON");
    assert_eq!(
        state["plan"]["micro_batch"], 4,
        "how much goes through the model at once is decided where it is trained"
    );

    let spec = String::from_utf8(workplace.read("tiny.tfm")).expect("UTF-8");
    let from =
        spec.replace("stage \"small\" { steps = 20 }", "stage \"small\" { from = \"again/checkpoints/step-0\" }");
    assert_ne!(from, spec);
    workplace.write("from.tfm", from.as_bytes());
    workplace.succeed(&["train", "from.tfm", "--out", "from", "--steps", "2"]);
}

#[test]
fn a_tokenizer_comes_along_that_fits() {
    let workplace = trained();
    workplace.succeed(&["export", "run", "--like", "neox", "-o", "pytorch_model.bin"]);
    workplace.succeed(&["data", "text", "--tokenizer", "bpe:280", "-o", "tokens"]);
    let import = ["import", "pytorch_model.bin", "tiny.tfm", "--like", "neox"];
    let message = workplace.fail(1, &[&import[..], &["--tokenizer", "tokens/tokenizer.json", "-o", "a"]].concat());
    assert!(message.contains("the tokenizer has 280 entries, the model only 256"), "{message}");
    let same = "run/checkpoints/step-10/tokenizer.json";
    workplace.succeed(&[&import[..], &["--tokenizer", same, "-o", "b"]].concat());
    assert!(workplace.read(same) == workplace.read("b/checkpoints/step-0/tokenizer.json"));
}
