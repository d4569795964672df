//! Commands on the simulated GPU.

use super::{SPEC, Workplace};

fn workplace() -> Workplace {
    Workplace::with_spec(&SPEC.replace("steps = 20", "steps = 2").replace("batch = 4", "batch = 1"))
}

fn losses(workplace: &Workplace, run: &str) -> Vec<f64> {
    let text = String::from_utf8(workplace.read(&format!("{run}/metrics.jsonl"))).expect("UTF-8");
    let entries = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"));
    entries.filter(|e| e["event"] == "train").filter_map(|e| e["values"]["loss"].as_f64()).collect()
}

/// Two stages of two steps, so that the model grows in between: tf32 trains as f32 does.
#[test]
fn training_grows() {
    let workplace = workplace();
    for device in ["cpu", "cuda-sim"] {
        workplace.succeed(&["train", "tiny.tfm", "--out", device, "--device", device]);
    }
    let (cpu, simulated) = (losses(&workplace, "cpu"), losses(&workplace, "cuda-sim"));
    assert_eq!(simulated.len(), 4);
    for (a, b) in cpu.iter().zip(&simulated) {
        assert!((a - b).abs() < 1e-3, "{a} on the CPU, {b} on the simulated GPU");
    }
    workplace.succeed(&["eval", "cuda-sim", "--device", "cuda-sim"]);
}

#[test]
fn kernels_are_checked() {
    for documents in ["join", "separate"] {
        let documents = format!("data.documents={documents}");
        let done = workplace().run(&["check", "tiny.tfm", "--kernels", "--set", &documents]);
        assert_eq!(done.code, Some(0), "{}", done.stderr);
        assert!(done.stderr.contains("kernels ran on the simulated GPU, and nothing was found"), "{}", done.stderr);
    }
}

/// What `make demo` trains, narrower and shorter: two steps, growth, a step, growth, a step.
#[test]
fn the_demo_grows() {
    let workplace = workplace();
    let spec = concat!(env!("CARGO_MANIFEST_DIR"), "/specs/shakespeare.tfm");
    let smaller = "width=32 depth=1 context=16 qkv=7 proj=7 train.batch=2 train.evaluate=every(2,batches=1) \
                   grow.small.steps=2 grow.medium.qkv=9 grow.medium.proj=9 grow.medium.steps=1 \
                   grow.large.qkv=12 grow.large.proj=12 grow.large.steps=1 data.train=\"text\"";
    for device in ["cpu", "cuda-sim"] {
        let sets = smaller.split_whitespace().flat_map(|set| ["--set", set]);
        let train = ["train", spec, "--out", device, "--device", device];
        workplace.succeed(&train.into_iter().chain(sets).collect::<Vec<_>>());
    }
    let (cpu, simulated) = (losses(&workplace, "cpu"), losses(&workplace, "cuda-sim"));
    assert_eq!(simulated.len(), 4);
    for (a, b) in cpu.iter().zip(&simulated) {
        assert!((a - b).abs() < 1e-3, "{a} on the CPU, {b} on the simulated GPU");
    }
}
