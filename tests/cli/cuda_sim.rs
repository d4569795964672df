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
    let done = workplace().run(&["check", "tiny.tfm", "--kernels"]);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    assert!(done.stderr.contains("kernels ran on the simulated GPU, and nothing was found"), "{}", done.stderr);
}
