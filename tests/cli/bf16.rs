//! Training in bf16 learns as training in f32 does.

use super::{SPEC, Workplace};

#[test]
fn bf16_changes_the_losses_by_much_less_than_another_seed_does() {
    let workplace = Workplace::new();
    let train = |precision: &str, seed: &str| {
        let out = format!("{precision}-{seed}");
        let (precision, seed) = (format!("train.precision={precision}"), format!("train.seed={seed}"));
        workplace.succeed(&["train", "tiny.tfm", "--out", &out, "--set", &precision, "--set", &seed]);
        validation_losses(&workplace, &out)
    };
    // Means over four seeds: how far a run of so small a model goes astray is luck, be it from rounding or from another seed.
    let seeds = ["3", "4", "5", "6"];
    let exact = seeds.map(|seed| train("f32", seed));
    let rounded = seeds.map(|seed| train("bf16", seed));
    let rounding = mean(rounded.iter().zip(&exact).map(|(bf16, f32)| mean_difference(bf16, f32)));
    let pairs = exact.iter().enumerate().flat_map(|(i, one)| exact[..i].iter().map(move |other| (one, other)));
    let noise = mean(pairs.map(|(one, other)| mean_difference(one, other)));
    assert!(rounding > 0.0, "nothing was rounded");
    assert!(rounding < noise / 6.0, "rounding changes the losses by {rounding}, another seed by {noise}");
}

/// Not in that of the first.
#[test]
fn a_stage_is_measured_in_its_precision() {
    let workplace =
        Workplace::with_spec(&SPEC.replace("stage \"large\" {", "stage \"large\" {\n    precision = bf16\n   "));
    for what in ["decode", "forward", "train"] {
        for (stage, precision) in [("small", "f32"), ("large", "bf16")] {
            let work = ["explain", "tiny.tfm", "--what", what, "--stage", stage, "--repetitions", "1"];
            let text = workplace.succeed(&[&work[..], &["--format", "json"]].concat());
            let explained: serde_json::Value = serde_json::from_str(&text).expect("JSON");
            let kernels = explained["kernels"].as_array().expect("a list");
            let texts = kernels.iter().filter_map(|kernel| kernel["text"].as_str());
            let products: Vec<&str> = texts.filter(|text| text.starts_with("contraction")).collect();
            let rounds = |text: &&str| text.starts_with("contraction in bf16");
            assert_eq!(products.iter().all(rounds), precision == "bf16", "{what} {stage}: {products:?}");
        }
    }
}

fn validation_losses(workplace: &Workplace, run: &str) -> Vec<f64> {
    let text = String::from_utf8(workplace.read(&format!("{run}/metrics.jsonl"))).expect("UTF-8");
    let entries = text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON"));
    let validations = entries.filter(|entry: &serde_json::Value| entry["event"] == "validate");
    validations.filter_map(|entry| entry["values"]["loss"].as_f64()).collect()
}

fn mean_difference(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), 4, "the runs evaluate at steps 10, 20, 30 and 40");
    mean(a.iter().zip(b).map(|(a, b)| (a - b).abs()))
}

fn mean(numbers: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = numbers.fold((0.0, 0), |(sum, count), x| (sum + x, count + 1));
    sum / f64::from(count)
}
