//! A model whose feed-forward is routed by `top_k`: it learns, grows on the way, and says what growth does to its choice.

use super::{SPEC, Workplace, checkpoint_bytes};

fn routed(preserve: bool) -> Workplace {
    let mask = "pattention(layernorm(y), ffn, mask = top_k(5), theta = l2_gelu(scale = sqrt(active)))";
    let spec = SPEC.replace("pattention(layernorm(y), ffn)", mask);
    assert_ne!(spec, SPEC);
    Workplace::with_spec(&if preserve { spec } else { spec.replace("  expect preserve(1e-5)", "") })
}

#[test]
fn it_learns_and_the_threads_choose_alike() {
    let workplace = routed(false);
    for threads in ["1", "2"] {
        workplace.succeed(&["train", "tiny.tfm", "--out", threads, "--threads", threads]);
    }
    let [a, b] = ["1", "2"].map(|run| checkpoint_bytes(&workplace.path(run).join("checkpoints/step-40")));
    assert!(a == b, "one thread and two come to other bits");
    // Scores are bf16 in memory: many are equal.
    workplace.succeed(&["train", "tiny.tfm", "--out", "bf16", "--set", "train.precision=bf16"]);
    for run in ["1", "bf16"] {
        let metrics = String::from_utf8(workplace.read(&format!("{run}/metrics.jsonl"))).expect("UTF-8");
        let entries = metrics.lines().map(|line| serde_json::from_str(line).expect("a line of JSON"));
        let validations = entries.filter(|entry: &serde_json::Value| entry["event"] == "validate");
        let losses: Vec<f64> = validations.filter_map(|entry| entry["values"]["loss"].as_f64()).collect();
        // ln 256 = 5.5 where nothing is known.
        assert!(losses[0] < 4.5 && losses[3] < losses[0] - 0.3, "{run}: {losses:?}");
    }
}

#[test]
fn zero_keys_do_not_preserve_a_choice() {
    let refused = routed(true).fail(1, &["check", "tiny.tfm"]);
    assert!(refused.contains("error[E0508]: stage \"large\" does not preserve the function"), "{refused}");
    let why = "top_k may choose new tokens: new keys are zero, and zero is above every negative score";
    assert!(refused.contains(why), "{refused}");
}
