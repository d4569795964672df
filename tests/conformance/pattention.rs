//! Pattention forward and gradients: every theta, odd shapes, tiny, huge and zero rows.

use super::{DEVICES, THETAS};
use crate::support::{Device, assert_close, golden, largest, model, numbers, session, tensor};
use tfc_compiler::compiled::Entry;
use tfc_compiler::storage::Storage;

const CASES: [&str; 15] = [
    "base_T7_d24_n40_e16",
    "T1_d5_n3_e2",
    "T33_d65_n129_e31",
    "n1",
    "d1_e1",
    "init_scale",
    "zero_x_rows",
    "zero_key_rows",
    "zero_value_rows",
    "all_keys_zero",
    "huge_x_1e4",
    "huge_all_1e4",
    "tiny_x_1e-20",
    "tiny_xk_1e-20",
    "mixed_rows",
];

/// x and the gradient fed into y are parameters, so that x has a gradient too.
fn spec(theta: &str) -> String {
    format!(
        "model golden {{
           let rows = 1
           let width = 1
           let out = 1
           tokens n = 1
           forward(unused: tensor[1]) {{
             x = parameter[rows, width]
             gy = parameter[rows, out]
             y = pattention(x, n, out = out, theta = {theta})
           }}
           loss = sum(y * gy)
         }}"
    )
}

#[test]
fn pattention_equals_the_official_one() {
    for (kind, theta) in THETAS {
        for (dtype, device) in DEVICES {
            let file = golden(&format!("patt_{kind}_{dtype}.safetensors"));
            for case in CASES {
                check(&file, kind, theta, dtype, device, case);
            }
        }
    }
}

pub fn check(
    file: &tfc_runtime::storage::TensorFile,
    kind: &str,
    theta: &str,
    dtype: &str,
    device: Device,
    case: &str,
) {
    let get = |name: &str| tensor(file, &format!("{case}.{name}"));
    let want = |name: &str| numbers(file, &format!("{case}.{name}64"));
    let (x, k, v, gy) = (get("x"), get("k"), get("v"), get("gy"));
    let [rows, width] = [x.shape()[0], x.shape()[1]];
    let [n, out] = [v.shape()[0], v.shape()[1]];
    let sets = [format!("rows={rows}"), format!("width={width}"), format!("out={out}"), format!("n={n}")];
    let model = model(&spec(theta), &sets);
    let parameter = |path: &str| model.parameter(path).unwrap_or_else(|| panic!("no parameter {path}")) as u32;
    let places = [("x", &x), ("gy", &gy), ("y.keys", &k), ("y.values", &v)].map(|(p, t)| (parameter(p), t));
    let unused = ("unused".to_string(), tfc_runtime::device::HostTensor::F32 { shape: vec![1, 1], data: vec![0.0] });

    let mut session = session(model, &[Entry::Named(vec!["y".into()]), Entry::Grad], device, 1, 1);
    for (index, tensor) in places {
        session.write(Storage::Parameter(index), tensor).expect("it is written");
    }
    let run = |session: &mut dyn tfc_runtime::device::Session, entry: &str| {
        session.run(entry, &[], std::slice::from_ref(&unused)).expect("the entry runs")
    };
    let y = run(session.as_mut(), "named")[0].1.to_f64();
    let gradients = run(session.as_mut(), "grad");
    let gradient = |path: &str| gradients.iter().find(|(name, _)| name == path).expect("has a gradient").1.to_f64();
    let (gx, gk, gv) = (gradient("x"), gradient("y.keys"), gradient("y.values"));

    let what = format!("{kind} {dtype} {case}");
    let all = [("y", y), ("gx", gx), ("gk", gk), ("gv", gv)];
    // A is denormal in f32: INDEX.md asks for finite output only.
    if dtype == "f32" && case == "tiny_xk_1e-20" && kind != "softmax" {
        for (name, values) in &all {
            assert!(values.iter().all(|x| x.is_finite()), "{what} {name}: not finite");
        }
        return;
    }
    let tolerance = match device {
        Device::Reference => 1e-9,
        Device::Cpu { .. } => 1e-5,
        // tf32 has ten bits of fraction.
        Device::CudaSim => 2e-3,
    };
    let before_cancellation =
        cancellation(kind, &x.to_f64(), &k.to_f64(), &v.to_f64(), &gy.to_f64(), [rows, width, n, out]);
    for (name, got) in all {
        let want = want(name);
        let scale = match name {
            "gx" => largest(&want).max(before_cancellation * largest(&k.to_f64())),
            "gk" => largest(&want).max(before_cancellation * largest(&x.to_f64())),
            _ => largest(&want),
        };
        assert_close(&format!("{what} {name}"), &got, &want, scale, tolerance);
    }
}

/// r · max|db|: the size of the terms that cancel in dA, for the largest row (tests/golden/INDEX.md). Where the gradient is 0 by
/// cancellation, the reference itself is rounding of this size.
fn cancellation(kind: &str, x: &[f64], k: &[f64], v: &[f64], gy: &[f64], [rows, d, n, e]: [usize; 4]) -> f64 {
    let gelu = |z: f64| tfc_compiler::scalar::Unary::Gelu.eval(z);
    let slope = |z: f64| tfc_compiler::scalar::Unary::GeluDerivative.eval(z);
    let mut worst = 0.0_f64;
    for row in 0..rows {
        let a: Vec<f64> = (0..n).map(|j| (0..d).map(|p| x[row * d + p] * k[j * d + p]).sum()).collect();
        let ds: Vec<f64> = (0..n).map(|j| (0..e).map(|p| gy[row * e + p] * v[j * e + p]).sum()).collect();
        let normed: Vec<f64> = if kind == "gelu_l2_norm" { a.iter().map(|z| gelu(*z)).collect() } else { a.clone() };
        let norm = normed.iter().map(|z| z * z).sum::<f64>().sqrt();
        let tau = if kind == "softmax" { n as f64 } else { (n as f64).sqrt() };
        let r = if kind == "softmax" {
            1.0
        } else if norm == 0.0 {
            0.0
        } else {
            tau / norm
        };
        let db = match kind {
            "l2_norm_gelu" => a.iter().zip(&ds).map(|(a, ds)| (ds * slope(r * a)).abs()).fold(0.0, f64::max),
            "gelu_l2_norm" => a.iter().zip(&ds).map(|(a, ds)| (ds * slope(*a)).abs()).fold(0.0, f64::max),
            _ => tau * largest(&ds),
        };
        worst = worst.max(r * db);
    }
    worst
}
