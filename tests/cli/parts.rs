//! Parts of a checkpoint: what it has beyond another, what it is without its last tokens, what is left when tokens are taken away.

use super::{SPEC, Workplace};
use serde_json::Value;

fn evaluated(workplace: &Workplace, arguments: &[&str]) -> Value {
    let text = workplace.succeed(&[&["eval"], arguments, &["--format", "json"]].concat());
    serde_json::from_str(&text).expect("JSON")
}

fn loss(workplace: &Workplace, arguments: &[&str]) -> f64 {
    evaluated(workplace, arguments)[0]["loss"].as_f64().expect("a number")
}

/// A trained model whose new tokens alone are tuned, and the small file that they are.
#[test]
fn a_delta_is_small_and_goes_onto_its_base_alone() {
    let tuned = "stage \"tuned\" { qkv += 1  steps = 6  on * { freeze }  on new { freeze = false } }";
    let large = r#"stage "large" { qkv = 12  steps = 20  expect preserve(1e-5) }"#;
    let workplace = Workplace::with_spec(&SPEC.replace(large, tuned));
    workplace.succeed(&["train", "tiny.tfm", "--out", "run", "--set", "train.checkpoint=every(20)"]);
    let base = "run/checkpoints/step-20";
    workplace.succeed(&["export", "run", "--delta", base, "-o", "tuned.safetensors"]);
    let [delta, whole] =
        ["tuned.safetensors", "run/checkpoints/step-26/model.safetensors"].map(|file| workplace.read(file).len());
    // One of 9 tokens in each Pattention of qkv, two of 18 in each of ffn; and none of the rest.
    let beside =
        ["model.tfm", "checkpoints/step-26/state.json"].map(|file| workplace.read(&format!("run/{file}")).len());
    assert!(delta < whole / 4 + 2 * beside.iter().sum::<usize>(), "{delta} of {whole} bytes");
    workplace.succeed(&["import", "tuned.safetensors", "--delta", base, "-o", "again"]);
    let weights = |run: &str, step: u64| workplace.read(&format!("{run}/checkpoints/step-{step}/model.safetensors"));
    assert!(weights("again", 0) == weights("run", 26), "to the bit");
    assert_eq!(evaluated(&workplace, &["again"]), evaluated(&workplace, &["run"]));

    workplace.succeed(&["train", "tiny.tfm", "--out", "other", "--set", "train.seed=4", "--steps", "20"]);
    let message = workplace.fail(1, &["import", "tuned.safetensors", "--delta", "other", "-o", "wrong"]);
    assert!(message.contains("was made for another base than `other/checkpoints/step-20"), "{message}");
    let no_delta = "run/checkpoints/step-20/model.safetensors";
    let message = workplace.fail(1, &["import", no_delta, "--delta", base, "-o", "wrong"]);
    assert!(message.contains("is no delta: it has no note `base`"), "{message}");
    assert!(workplace.fail(2, &["export", "run", "-o", "nothing"]).contains("--delta"));
    assert!(!workplace.path("wrong").exists(), "a run that came to nothing leaves nothing");
    let mut damaged = workplace.read("tuned.safetensors");
    *damaged.last_mut().expect("it has tensors") ^= 1;
    workplace.write("damaged.safetensors", &damaged);
    let message = workplace.fail(1, &["import", "damaged.safetensors", "--delta", base, "-o", "wrong"]);
    assert!(message.contains("`damaged.safetensors` is damaged"), "{message}");
    let said = workplace.run(&["compare", "run", "again", "other"]);
    assert!(
        said.code == Some(0) && said.stderr.contains("`again` has measured nothing and is left out"),
        "{}",
        said.stderr
    );

    // More tokens than the two files have rows: what is said of them is looked after as they are.
    let file = workplace.read("tuned.safetensors");
    let (length, rest) = file.split_at(8);
    let (header, tensors) = rest.split_at(u64::from_le_bytes(length.try_into().expect("8 bytes")) as usize);
    let claimed = String::from_utf8_lossy(header).replace(r#"\"block.0.qkv\": 9"#, r#"\"block.0.qkv\": 900000000"#);
    assert_eq!(claimed.len(), header.len() + 8);
    workplace.write(
        "claims.safetensors",
        &[&(claimed.len() as u64).to_le_bytes()[..], claimed.as_bytes(), tensors].concat(),
    );
    let message = workplace.fail(1, &["import", "claims.safetensors", "--delta", base, "-o", "claimed"]);
    assert!(message.contains("`claims.safetensors` is damaged"), "{message}");
}

/// Nested dropout: the cut model is what the whole one computes with the last tokens masked.
#[test]
fn a_cut_model_computes_what_the_masked_one_does() {
    let nested =
        "pattention(layernorm(y), ffn, mask = first(uniform(25%, 100%)), theta = l2_gelu(scale = sqrt(active)))";
    let spec = SPEC.replace("pattention(layernorm(y), ffn)", nested).replace("expect preserve(1e-5)", "");
    let workplace = Workplace::with_spec(&spec);
    workplace.succeed(&["train", "tiny.tfm", "--out", "run", "--steps", "20"]);
    let said = workplace.run(&["export", "run", "--tokens", "50%", "-o", "half"]);
    assert!(said.code == Some(0) && said.stdout.contains("validation: loss "), "{}{}", said.stdout, said.stderr);
    // Of 24 and 12: the stage "large" has begun.
    let state: Value = serde_json::from_slice(&workplace.read("half/checkpoints/step-0/state.json")).expect("JSON");
    assert_eq!(
        state["tokens"],
        serde_json::json!({ "block.0.ffn": 12, "block.0.qkv": 12, "block.1.ffn": 12, "block.1.qkv": 12 })
    );
    for device in ["cpu", "reference"] {
        let cut = loss(&workplace, &["half", "--device", device]);
        let masked = loss(&workplace, &["run", "--tokens", "50%", "--device", device]);
        let whole = loss(&workplace, &["run", "--device", device]);
        assert!((cut - masked).abs() < 1e-6, "{device}: {cut} is not {masked}");
        assert!((whole - masked).abs() > 1e-5, "{device}: half of the tokens are something else than all of them");
    }
    workplace.succeed(&["generate", "half", "--prompt", "The", "--tokens", "4"]);
    // Of however small a part one is left.
    workplace.succeed(&["export", "run", "--tokens", "1e-50", "-o", "least"]);
    let plain = Workplace::new();
    plain.succeed(&["train", "tiny.tfm", "--out", "run", "--steps", "5"]);
    let message = plain.fail(1, &["export", "run", "--tokens", "50%", "-o", "half"]);
    assert!(message.contains("no tokens of the model were trained to be cut"), "{message}");
    let message = plain.fail(1, &["eval", "run", "--tokens", "50%"]);
    assert!(message.contains("no tokens of the model were trained to be hidden"), "{message}");
    assert!(plain.fail(2, &["eval", "run", "--tokens", "0%"]).contains("write a part of all, such as 50%"));
}

/// Tokens that weigh least are taken away between two stages, and training goes on.
#[test]
fn a_stage_prunes_by_importance() {
    let large = r#"stage "large" { qkv = 12  steps = 20  expect preserve(1e-5) }"#;
    let pruned = r#"stage "pruned" { qkv = 5 by importance  steps = 10 }"#;
    let workplace = Workplace::with_spec(&SPEC.replace(large, pruned));
    let checked = workplace.succeed(&["check", "tiny.tfm"]);
    assert!(checked.contains("changes it: tokens of `block.0.qkv` are taken away"), "{checked}");
    workplace.succeed(&["train", "tiny.tfm", "--out", "run"]);
    let state: Value = serde_json::from_slice(&workplace.read("run/checkpoints/step-30/state.json")).expect("JSON");
    assert_eq!((&state["tokens"]["block.1.qkv"], &state["tokens"]["block.1.ffn"]), (&5.into(), &10.into()));
    assert!(loss(&workplace, &["run"]).is_finite());
}
