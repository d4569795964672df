//! Training in bf16 learns as training in f32 does.

use super::Workplace;

#[test]
fn bf16_changes_the_losses_by_much_less_than_another_seed_does() {
    let workplace = Workplace::new();
    let train = |precision: &str, seed: &str| {
        let out = format!("{precision}-{seed}");
        let (precision, seed) = (format!("train.precision={precision}"), format!("train.seed={seed}"));
        workplace.succeed(&["train", "tiny.tfm", "--out", &out, "--set", &precision, "--set", &seed]);
        validation_losses(&workplace, &out)
    };
    let (one, other) = (train("f32", "3"), train("f32", "4"));
    let noise = mean_difference(&one, &other);
    let rounding = [(train("bf16", "3"), one), (train("bf16", "4"), other)]
        .map(|(bf16, f32)| mean_difference(&bf16, &f32))
        .into_iter()
        .fold(0.0, f64::max);
    assert!(rounding > 0.0, "nothing was rounded");
    assert!(rounding < noise / 4.0, "rounding changes the losses by {rounding}, another seed by {noise}");
}

fn validation_losses(workplace: &Workplace, run: &str) -> Vec<f64> {
    let text = String::from_utf8(workplace.read(&format!("{run}/metrics.jsonl"))).expect("UTF-8");
    let entries = text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON"));
    let validations = entries.filter(|entry: &serde_json::Value| entry["event"] == "validate");
    validations.filter_map(|entry| entry["values"]["loss"].as_f64()).collect()
}

fn mean_difference(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), 4, "the runs evaluate at steps 10, 20, 30 and 40");
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).sum::<f64>() / a.len() as f64
}
