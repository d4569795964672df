//! Routing by `top_k`, before and after growth: the reference against a few lines of arithmetic, the CPU and the simulated GPU against the reference.
//!
//! Scores are multiples of 1/8 that every device computes exactly, also by tf32, so that all choose alike; many are equal.

use crate::support::{Device, assert_close, largest, model, session};
use tfc_compiler::compiled::Entry;
use tfc_compiler::model::Model;
use tfc_compiler::scalar::Unary;
use tfc_compiler::storage::Storage;
use tfc_runtime::device::{HostTensor, Session};

const ROWS: usize = 5;
const WIDTH: usize = 9;
const OUT: usize = 7;

/// x and the gradient fed into y are parameters, so that x has a gradient too.
const SPEC: &str = "model routed {
  let rows = 5
  let width = 9
  let out = 7
  tokens chosen = 5
  tokens n = 21
  forward(unused: tensor[1]) {
    x = parameter[rows, width]
    gy = parameter[rows, out]
    y = pattention(x, n, out = out, mask = top_k(chosen), theta = l2_gelu(scale = sqrt(active)))
  }
  loss = sum(y * gy)
}";

/// Multiples of `unit` between −3 and 3 times it.
fn coarse(elements: usize, seed: u64, unit: f64) -> Vec<f64> {
    let mixed = |i: usize| (i as u64 + 1000 * seed).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
    (0..elements).map(|i| (((mixed(i) * mixed(i)) >> 20) % 7) as f64 - 3.0).map(|x| x * unit).collect()
}

fn write(session: &mut dyn Session, model: &Model, path: &str, shape: [usize; 2], data: Vec<f64>) {
    let parameter = model.parameter(path).unwrap_or_else(|| panic!("no parameter {path}")) as u32;
    let tensor = HostTensor::F64 { shape: shape.to_vec(), data };
    session.write(Storage::Parameter(parameter), &tensor).expect("it is written");
}

/// Keys and values of so many tokens: the first ones the same for every number.
fn tokens(n: usize) -> [Vec<f64>; 2] {
    [coarse(n * WIDTH, 2, 0.25), coarse(n * OUT, 3, 0.3)]
}

/// y, then the gradients of x, keys and values; with 21 tokens of which 5 are chosen, with 34 of which 5 are, and with 34 and 13.
fn trial(device: Device) -> [Vec<Vec<f64>>; 3] {
    let model = model(SPEC, &[]);
    let mut session = session(model.clone(), &[Entry::Named(vec!["y".into()]), Entry::Grad], device, 1, 1);
    let session = session.as_mut();
    write(session, &model, "x", [ROWS, WIDTH], coarse(ROWS * WIDTH, 1, 0.5));
    write(session, &model, "gy", [ROWS, OUT], coarse(ROWS * OUT, 4, 0.7));
    [[5, 21], [5, 34], [13, 34]].map(|[chosen, n]| {
        let mut sizes = session.sizes().clone();
        for axis in &model.token_axes {
            let number = if axis.path == "n" { n } else { chosen };
            sizes.set(axis.symbol, number as i64);
        }
        session.resize(&sizes).expect("there is memory");
        let [keys, values] = tokens(n);
        write(session, &model, "y.keys", [n, WIDTH], keys);
        write(session, &model, "y.values", [n, OUT], values);
        let unused = [("unused".to_string(), HostTensor::F32 { shape: vec![1, 1], data: vec![0.0] })];
        let y = session.run("named", &[], &unused).expect("it runs")[0].1.to_f64();
        let gradients = session.run("grad", &[], &unused).expect("it runs");
        let gradient = |path: &str| gradients.iter().find(|(name, _)| name == path).expect("has one").1.to_f64();
        vec![y, gradient("x"), gradient("y.keys"), gradient("y.values")]
    })
}

/// GELU(√k · a/‖a‖)·V, of a's numbers the k that fewer than k are before.
fn expected(k: usize, n: usize) -> Vec<f64> {
    let (x, [keys, values]) = (coarse(ROWS * WIDTH, 1, 0.5), tokens(n));
    let row = |row: usize| {
        let score = |token: usize| (0..WIDTH).map(|i| x[row * WIDTH + i] * keys[token * WIDTH + i]).sum::<f64>();
        let a: Vec<f64> = (0..n).map(score).collect();
        let before = |i: usize, j: usize| a[j] > a[i] || (a[j] == a[i] && j < i);
        let kept = |i: usize| if (0..n).filter(|j| before(i, *j)).count() < k { a[i] } else { 0.0 };
        let kept: Vec<f64> = (0..n).map(kept).collect();
        let norm = kept.iter().map(|a| a * a).sum::<f64>().sqrt();
        let factor = if norm == 0.0 { 0.0 } else { (k as f64).sqrt() / norm };
        let weights: Vec<f64> = kept.iter().map(|a| Unary::Gelu.eval(factor * a)).collect();
        (0..OUT).map(|o| (0..n).map(|i| weights[i] * values[i * OUT + o]).sum()).collect::<Vec<f64>>()
    };
    (0..ROWS).flat_map(row).collect()
}

#[test]
fn every_device_chooses_the_same_tokens_before_and_after_growth() {
    let reference = trial(Device::Reference);
    for (got, [k, n]) in reference.iter().zip([[5, 21], [5, 34], [13, 34]]) {
        let want = expected(k, n);
        assert_close(&format!("{k} of {n}"), &got[0], &want, largest(&want), 1e-12);
        let unchosen = got[2].chunks(WIDTH).filter(|key| key.iter().all(|x| *x == 0.0)).count();
        assert!(k > 5 || unchosen > 0, "some of {n} tokens are never chosen");
    }
    for (device, tolerance) in [(Device::Cpu { threads: 2 }, 1e-5), (Device::CudaSim, 2e-3)] {
        for (stage, (got, want)) in trial(device).iter().zip(&reference).enumerate() {
            for (what, (got, want)) in ["y", "x", "keys", "values"].into_iter().zip(got.iter().zip(want)) {
                assert_close(&format!("{device:?}, {stage}: {what}"), got, want, largest(want), tolerance);
            }
        }
    }
}
