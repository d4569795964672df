//! `--memory`: what a run does to stay within it, and what it says where it cannot.

use super::{SPEC, Workplace, checkpoint_bytes};
use crate::support;
use serde_json::{Value, json};
use tfc_compiler::budget;
use tfc_compiler::compile::compile;
use tfc_compiler::compiled::Entry;
use tfc_compiler::kernel::Contraction;
use tfc_compiler::precision::Precision;

/// One sequence at a time, so that only computing again makes a training smaller.
fn spec() -> String {
    SPEC.replace("batch = 4", "batch = 1")
}

/// The bytes that the training takes where nothing is computed again.
fn keeping_all() -> u64 {
    let entries = [Entry::Gradient, Entry::Update, Entry::Evaluate, Entry::Named(vec!["logits".into()])];
    budget::bytes(&compile(support::model(&spec(), &[]), &entries), 1)
}

/// The amount that a refusal names.
fn least(refusal: &str) -> &str {
    let (_, rest) = refusal.split_once("at least ").unwrap_or_else(|| panic!("no least amount in: {refusal}"));
    rest.split_once(" of memory").expect("an amount").0
}

/// What the checkpoint after the last step says of its plan.
fn plan(workplace: &Workplace, out: &str) -> Value {
    let state: Value =
        serde_json::from_slice(&workplace.read(&format!("{out}/checkpoints/step-40/state.json"))).expect("JSON");
    state["plan"].clone()
}

#[test]
fn too_little_is_the_machines_fault_and_names_the_least() {
    let workplace = Workplace::with_spec(&spec());
    let refusal = workplace.fail(3, &["train", "tiny.tfm", "--out", "small", "--memory", "1KiB"]);
    assert_eq!(refusal.trim().lines().count(), 1, "{refusal}");
    workplace.succeed(&["train", "tiny.tfm", "--out", "enough", "--memory", least(&refusal), "--steps", "1"]);
}

#[test]
fn decoding_says_what_it_takes() {
    let workplace = Workplace::new();
    let bench = ["bench", "tiny.tfm", "--what", "decode", "--repetitions", "1", "--memory"];
    let refusal = workplace.fail(3, &[&bench[..], &["1KiB"]].concat());
    let (_, rest) = refusal.split_once("decoding a text takes ").unwrap_or_else(|| panic!("{refusal}"));
    let enough = rest.split_once(" of memory").expect("an amount").0;
    workplace.succeed(&[&bench[..], &[enough]].concat());
}

#[test]
fn a_run_that_computes_again_is_the_same_run_and_goes_on_as_it_began() {
    let workplace = Workplace::with_spec(&spec());
    workplace.succeed(&["train", "tiny.tfm", "--out", "whole"]);
    assert_eq!(plan(&workplace, "whole"), json!({ "micro_batch": 1, "recomputed": [] }));
    let budget = (keeping_all() - 1).to_string();
    workplace.succeed(&["train", "tiny.tfm", "--out", "tight", "--memory", &budget, "--steps", "25"]);
    // With more memory than at its beginning, too.
    workplace.succeed(&["train", "tiny.tfm", "--out", "tight", "--resume"]);
    assert_ne!(plan(&workplace, "tight")["recomputed"], json!([]));
    let parameters = |out: &str| workplace.read(&format!("{out}/checkpoints/step-40/model.safetensors"));
    assert!(parameters("whole") == parameters("tight"), "computing again changes the run");

    let refusal = workplace.fail(3, &["train", "tiny.tfm", "--out", "tight", "--resume", "--memory", "1KiB"]);
    assert!(refusal.contains("as it was planned when it began"), "{refusal}");
}

/// Where things are, and what stood there before, changes no bit; also across a growth.
#[test]
fn a_use_of_memory_that_is_switched_off_changes_no_bit() {
    let workplace = Workplace::new();
    let stages = [r#"grow."small".steps=2"#, r#"grow."large".steps=2"#].map(|set| ["--set", set]).concat();
    let checkpoint = |out: &str, disable: &[&str]| {
        workplace.succeed(&[&["train", "tiny.tfm", "--out", out][..], &stages, disable].concat());
        checkpoint_bytes(&workplace.path(&format!("{out}/checkpoints/step-4")))
    };
    let whole = checkpoint("whole", &[]);
    for name in ["written_gradients", "lending", "large_pages"] {
        assert!(checkpoint(name, &["--disable", name]) == whole, "without {name} the run is another");
    }
}

/// A model whose products are just large enough for threads to share what they pack.
fn sharing() -> String {
    let larger = [
        ("context = 16", "context = 64"),
        ("width = 16", "width = 64"),
        ("qkv = 8", "qkv = 64"),
        ("qkv = 12", "qkv = 96"),
    ];
    let product = Contraction::product(Precision::F32, false, false);
    assert!(product.shares_b(&[1, 4 * 64, 64, 64]), "a batch has too few rows to share");
    larger.iter().fold(SPEC.to_string(), |spec, (small, large)| spec.replace(small, large))
}

/// Whoever packs and multiplies what, and for which product while others multiply for the one before, and when the rows of a product are done; also across a
/// growth.
#[test]
fn threads_that_share_what_they_pack_change_no_bit() {
    let workplace = Workplace::with_spec(&sharing());
    let stages = [r#"grow."small".steps=2"#, r#"grow."large".steps=2"#].map(|set| ["--set", set]).concat();
    let checkpoint = |threads: &str, disable: &[&str]| {
        let out = ["run", threads, &disable.concat()].concat();
        let run = ["train", "tiny.tfm", "--out", &out, "--threads", threads];
        workplace.succeed(&[&run[..], &stages, disable].concat());
        checkpoint_bytes(&workplace.path(&format!("{out}/checkpoints/step-4")))
    };
    let [own, one_by_one, behind] =
        [["--disable", "shared_packing"], ["--disable", "joining"], ["--disable", "row_epilogues"]];
    let (own, one_by_one, behind) = (&own[..], &one_by_one[..], &behind[..]);
    let alone = checkpoint("1", &[own, one_by_one].concat());
    for (threads, disable) in [("2", own), ("2", one_by_one), ("2", behind), ("1", &[]), ("2", &[]), ("5", &[])] {
        assert!(checkpoint(threads, disable) == alone, "with {threads} threads and {disable:?} the run is another");
    }
}

/// Every byte that is planned is used, and none but those, scratch, and a little of the program's own; also in a model of which scratch is a large part.
#[test]
fn what_is_planned_is_touched() {
    const OWN: u64 = 2 << 20;
    let large = spec().replace("vocab = 256", "vocab = 65536").replace("width = 16", "width = 64");
    for (spec, least) in [(large, 60 << 20), (sharing(), 3 << 20)] {
        let bench = ["bench", "tiny.tfm", "--what", "train", "--threads", "2", "--format", "json"];
        let report: Value = serde_json::from_str(&Workplace::with_spec(&spec).succeed(&bench)).expect("JSON");
        let number = |name: &str| report[name].as_u64().unwrap_or_else(|| panic!("no `{name}` in {report:#}"));
        let [planned, scratch, touched] = ["planned_bytes", "scratch_bytes", "touched_bytes"].map(number);
        let slack = planned / 50;
        let numbers = format!("{touched} bytes touched, {planned} planned, {scratch} of scratch");
        assert!(planned > least, "too small to tell: {numbers}");
        assert!(touched + slack >= planned, "{numbers}");
        assert!(touched.abs_diff(planned + scratch) <= slack + OWN, "{numbers}");
    }
}
