//! The trainer against a plain loop over whole batches, written down once more in f64.

use super::*;
use crate::fake::{BIAS, KEYS, VALUES};
use crate::random::{Purpose, Stream};
use tfc_compiler::model::Schedule;
use tfc_compiler::random::philox;
use tfc_compiler::storage::Storage;

struct Plain {
    /// keys [n, 3], values [n, 2], bias [2]
    weights: [Vec<f64>; 3],
    moments: [[Vec<f64>; 2]; 3],
}

impl Plain {
    fn drawn(n: usize) -> Plain {
        let draw = |path: &str, count, std| {
            let mut numbers = vec![0f32; count];
            Stream::new(7, Purpose::Init, path, 0).fill_normal(0, std, &mut numbers);
            numbers.into_iter().map(f64::from).collect::<Vec<f64>>()
        };
        let weights = [draw("layer.keys", 3 * n, 0.5), draw("layer.values", 2 * n, 0.5), draw("bias.weight", 2, 0.1)];
        let moments = weights.clone().map(|w| [vec![0.0; w.len()], vec![0.0; w.len()]]);
        Plain { weights, moments }
    }

    /// Loss of a batch of (x, target), and central differences of it.
    fn gradient(&self, batch: &[([f64; 3], [f64; 2])]) -> (f64, [Vec<f64>; 3]) {
        let loss = |weights: &[Vec<f64>; 3]| {
            let [keys, values, bias] = weights;
            let tau = ((keys.len() / 3) as f64).sqrt();
            let of_one = |(x, target): &([f64; 3], [f64; 2])| {
                let mut p = [bias[0], bias[1]];
                for (k, v) in keys.chunks(3).zip(values.chunks(2)) {
                    let a = k[0] * x[0] + k[1] * x[1] + k[2] * x[2];
                    p = [p[0] + tau * a * v[0], p[1] + tau * a * v[1]];
                }
                (p[0] - target[0]).powi(2) + (p[1] - target[1]).powi(2)
            };
            batch.iter().map(of_one).sum::<f64>() / batch.len() as f64
        };
        let differences = [0, 1, 2].map(|i| {
            let difference = |e: usize| {
                let h = 1e-6;
                let [mut up, mut down] = [self.weights.clone(), self.weights.clone()];
                up[i][e] += h;
                down[i][e] -= h;
                (loss(&up) - loss(&down)) / (2.0 * h)
            };
            (0..self.weights[i].len()).map(difference).collect()
        });
        (loss(&self.weights), differences)
    }

    fn update(&mut self, gradient: &[Vec<f64>; 3], lr: f64, t: i32) -> f64 {
        let norm = gradient.iter().flatten().map(|g| g * g).sum::<f64>().sqrt();
        let clip = f64::min(1.0, 1.0 / (norm + 1e-6));
        for (i, gradient) in gradient.iter().enumerate() {
            let decay = if i == BIAS { 0.0 } else { 0.1 };
            for (e, g) in gradient.iter().enumerate() {
                let g = g * clip;
                let [m, v] = &mut self.moments[i];
                m[e] = 0.9 * m[e] + 0.1 * g;
                v[e] = 0.95 * v[e] + 0.05 * g * g;
                let [m, v] = [m[e] / (1.0 - 0.9f64.powi(t)), v[e] / (1.0 - 0.95f64.powi(t))];
                let w = &mut self.weights[i][e];
                *w = *w * (1.0 - lr * decay) - lr * m / (v.sqrt() + 1e-8);
            }
        }
        norm
    }
}

/// The batch of a step as the seed of one micro-batch sees it.
fn batch(step: u64, size: u64) -> Vec<([f64; 3], [f64; 2])> {
    let numbers = Numbers::new("train", 23);
    let bits = Stream::new(7, Purpose::Dropout, "", step).bits(0);
    let drawn = philox([0; 4], [bits as u32, (bits >> 32) as u32])[0];
    let factor = 1.0 + 0.1 * f64::from(drawn) / f64::from(u32::MAX);
    (step * size..(step + 1) * size)
        .map(|cursor| {
            let (x, target) = numbers.row(cursor);
            (x.map(|x| f64::from(x) * factor), target.map(f64::from))
        })
        .collect()
}

#[test]
fn ten_updates_are_those_of_the_plain_loop() {
    let folder = tempfile::tempdir().unwrap();
    let stage = fake::stage("small", 4, fake::steps(10));
    let told = run(&[stage], &folder.path().join("run"), Options { micro_batch: 5, ..Options::default() });
    told.outcome.unwrap();

    let mut plain = Plain::drawn(4);
    for step in 0..10u64 {
        let warmup = (step + 1) as f64 / 2.0;
        let progress = step.saturating_sub(2) as f64 / 8.0;
        let cosine = 0.1 + 0.9 * 0.5 * (1.0 + (std::f64::consts::PI * progress).cos());
        let lr = 0.02 * if step < 2 { warmup } else { cosine };
        let (loss, gradient) = plain.gradient(&batch(step, 5));
        let norm = plain.update(&gradient, lr, step as i32 + 1);
        let near = |a: f64, b: f64| (a - b).abs() <= 1e-5 * b.abs();
        assert!(near(told.losses[step as usize], loss), "loss {} is not {loss}", told.losses[step as usize]);
        let said = told.events.iter().find(|event| event.starts_with(&format!("Step {{ step: {},", step + 1))).unwrap();
        let number = |name: &str| -> f64 {
            said.split(&format!("{name}: ")).nth(1).unwrap().split(',').next().unwrap().parse().unwrap()
        };
        assert!(near(number("gradient_norm"), norm) && near(number("learning_rate"), lr), "{said}");
    }
    for i in [KEYS, VALUES, BIAS] {
        let trained = told.session.numbers(Storage::Parameter(i as u32));
        for (a, b) in trained.iter().zip(&plain.weights[i]) {
            assert!((a - b).abs() < 2e-5, "{a} is not {b}");
        }
    }
}

/// 5 sequences in micro-batches of 5, of 3 and 2, of 2, 2 and 1: the same mean, each target once.
#[test]
fn micro_batches_change_nothing_but_rounding() {
    let first = |micro_batch| {
        let folder = tempfile::tempdir().unwrap();
        let stage = fake::stage("small", 4, fake::steps(1));
        let options = Options { micro_batch, random: false, ..Options::default() };
        let told = run(&[stage], &folder.path().join("run"), options);
        told.outcome.unwrap();
        let gradients: Vec<f64> = (0..3).flat_map(|i| told.session.numbers(Storage::Gradient(i))).collect();
        let calls = told.session.calls.iter().filter(|(entry, _)| entry.ends_with("gradient"));
        let (entries, sizes): (Vec<&str>, Vec<i64>) = calls.map(|(entry, n)| (entry.as_str(), *n)).unzip();
        assert_eq!(entries, [&["gradient"][..], &vec!["add_gradient"; sizes.len() - 1]].concat());
        (told.losses[0], gradients, sizes)
    };
    let (whole, gradients, sizes) = first(100);
    assert_eq!(sizes, [5]);
    for (micro_batch, wanted) in [(4, vec![3, 2]), (2, vec![2, 2, 1]), (1, vec![1; 5])] {
        let (loss, others, sizes) = first(micro_batch);
        assert_eq!(sizes, wanted);
        assert!((loss / whole - 1.0).abs() < 1e-6, "{loss} is not {whole}");
        assert!(others.iter().zip(&gradients).all(|(a, b)| (a - b).abs() < 1e-6 * (1.0 + b.abs())));
    }
}

#[test]
fn every_micro_batch_draws_its_own_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let stage = fake::stage("small", 4, fake::steps(4));
    let told = run(&[stage], &folder.path().join("run"), Options { micro_batch: 2, ..Options::default() });
    let mut seeds = told.session.seeds;
    assert_eq!(seeds.len(), 4 * 3);
    let stream = Stream::new(7, Purpose::Dropout, "", 2);
    // The second micro-batch of the third update begins at its sequence 2.
    assert_eq!(seeds[7], [stream.bits(2) as u32, (stream.bits(2) >> 32) as u32]);
    seeds.sort_unstable();
    seeds.dedup();
    assert_eq!(seeds.len(), 4 * 3);
}

#[test]
fn evaluation_is_the_mean_over_all_targets() {
    let folder = tempfile::tempdir().unwrap();
    let stage = fake::stage("small", 4, fake::steps(0));
    let told = run(&[stage], &folder.path().join("run"), Options { micro_batch: 3, ..Options::default() });
    told.outcome.unwrap();
    let plain = Plain::drawn(4);
    let numbers = Numbers::new("validate", 7);
    let all: Vec<_> = (0..7).map(|i| numbers.row(i)).map(|(x, t)| (x.map(f64::from), t.map(f64::from))).collect();
    let (loss, _) = plain.gradient(&all);
    let said = told.events.iter().find(|event| event.starts_with("evaluated `validate` at 0")).unwrap();
    let said: f64 = said.split("loss: ").nth(1).unwrap().split(',').next().unwrap().parse().unwrap();
    assert!((said - loss).abs() < 1e-6 * loss, "{said} is not {loss}");
    assert!(told.session.calls.iter().all(|(entry, n)| entry == "evaluate" && *n <= 3));
}

#[test]
fn a_schedule_over_the_run_does_not_start_again() {
    let over_the_run = |mut stage: Stage| {
        let train = stage.train.as_mut().unwrap();
        train.schedule = Schedule { horizon: tfc_compiler::model::Horizon::Run, ..train.schedule.clone() };
        stage
    };
    let rates = |stages: &[Stage]| -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let told = run(stages, &folder.path().join("run"), Options::default());
        told.outcome.unwrap();
        let steps = told.events.iter().filter(|event| event.starts_with("Step"));
        steps.map(|step| step.split("learning_rate: ").nth(1).unwrap().to_string()).collect()
    };
    let whole = rates(&[fake::stage("a", 4, fake::steps(12))]);
    let cut = [fake::stage("a", 4, fake::steps(5)), fake::stage("b", 4, fake::steps(7))];
    assert_eq!(rates(&cut.clone().map(over_the_run)), whole);
    let own = rates(&cut);
    assert_eq!(own[5], own[0]);
}
