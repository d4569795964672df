//! The session of the fake model: everything in f64, rounded to f32 where it is stored, as a device would.

use super::{BIAS, KEYS, VALUES};
use crate::device::{HostTensor, Named, Session, SessionMemory, shape_at};
use crate::{Failure, Result};
use std::collections::BTreeMap;
use tfc_compiler::compiled::Compiled;
use tfc_compiler::precision::Precision;
use tfc_compiler::random::philox;
use tfc_compiler::size::{Size, SizeValues, Symbol};
use tfc_compiler::storage::{RowState, Storage};

pub struct FakeSession {
    storages: Vec<(Storage, Vec<Size>)>,
    sizes: SizeValues,
    pub tensors: BTreeMap<Storage, HostTensor>,
    /// Names of the entries that ran, and the batch of each.
    pub calls: Vec<(String, i64)>,
    /// Row states and scales written, in order.
    pub writes: Vec<Storage>,
    /// Seeds of all calls that compute a gradient.
    pub seeds: Vec<[u32; 2]>,
    /// The gradient overflows in the call with this number of those that compute one.
    pub overflow_at: Option<usize>,
}

impl FakeSession {
    pub fn new(compiled: &Compiled) -> FakeSession {
        FakeSession {
            storages: compiled.storages().into_iter().map(|(storage, ty)| (storage, ty.shape)).collect(),
            sizes: SizeValues::new(&compiled.model.symbols),
            tensors: BTreeMap::new(),
            calls: Vec::new(),
            writes: Vec::new(),
            seeds: Vec::new(),
            overflow_at: None,
        }
    }

    pub fn numbers(&self, storage: Storage) -> Vec<f64> {
        self.tensors[&storage].to_f64()
    }

    fn shape(&self, storage: Storage, sizes: &SizeValues) -> Vec<usize> {
        let (_, shape) = self.storages.iter().find(|(s, _)| *s == storage).expect("a storage of the model");
        shape_at(shape, sizes)
    }

    fn put(&mut self, storage: Storage, numbers: Vec<f64>) {
        let shape = self.shape(storage, &self.sizes);
        self.tensors.insert(storage, f32_tensor(shape, numbers));
    }

    fn parameter(&self, i: usize) -> Vec<f64> {
        self.numbers(Storage::Parameter(i as u32))
    }

    /// Predictions [batch, 2], and for each of the batch the keys' products with x.
    fn predict(&self, x: &[f64]) -> (Vec<f64>, Vec<Vec<f64>>) {
        let [keys, values, bias] = [KEYS, VALUES, BIAS].map(|i| self.parameter(i));
        let scale = self.numbers(Storage::Scale(0))[0];
        let products: Vec<Vec<f64>> = x
            .chunks(3)
            .map(|x| keys.chunks(3).map(|key| key.iter().zip(x).map(|(k, x)| k * x).sum()).collect())
            .collect();
        let predict = |products: &Vec<f64>| {
            [0, 1].map(|c| bias[c] + scale * products.iter().zip(values.chunks(2)).map(|(a, v)| a * v[c]).sum::<f64>())
        };
        (products.iter().flat_map(predict).collect(), products)
    }

    fn gradient(&mut self, x: &[f64], target: &[f64], weight: f64, adds: bool) -> f64 {
        let (predictions, products) = self.predict(x);
        let batch = products.len() as f64;
        let [keys, values] = [KEYS, VALUES].map(|i| self.parameter(i));
        let scale = self.numbers(Storage::Scale(0))[0];
        let before = |i: usize| {
            let before = self.numbers(Storage::Gradient(i as u32));
            if adds { before } else { vec![0.0; before.len()] }
        };
        let mut gradients = [KEYS, VALUES, BIAS].map(before);
        let mut loss = 0.0;
        for (row, products) in products.iter().enumerate() {
            for c in 0..2 {
                let error = predictions[2 * row + c] - target[2 * row + c];
                let upstream = weight * 2.0 * error / batch;
                loss += error * error / batch;
                gradients[BIAS][c] += upstream;
                for (i, product) in products.iter().enumerate() {
                    gradients[VALUES][2 * i + c] += upstream * scale * product;
                    for d in 0..3 {
                        gradients[KEYS][3 * i + d] += upstream * scale * values[2 * i + c] * x[3 * row + d];
                    }
                }
            }
        }
        assert_eq!(keys.len() / 3, values.len() / 2);
        let calls = self.calls.iter().filter(|(entry, _)| entry.ends_with("gradient")).count();
        if self.overflow_at == Some(calls) {
            gradients[KEYS][0] = f64::INFINITY;
        }
        for (i, gradient) in gradients.into_iter().enumerate() {
            self.put(Storage::Gradient(i as u32), gradient);
        }
        loss
    }

    /// AdamW by rows; nothing at all where the norm is not finite.
    fn update(&mut self, number: impl Fn(&str) -> f64) -> f64 {
        let row_state = |session: &Self, i: usize, state: RowState| {
            let rows = session.numbers(Storage::Rows(i as u32, state));
            let width = session.parameter(i).len() / rows.len();
            rows.into_iter().flat_map(|x| std::iter::repeat_n(x, width)).collect::<Vec<f64>>()
        };
        let trained = [KEYS, VALUES, BIAS].map(|i| row_state(self, i, RowState::Trainable));
        let square = |i: usize| {
            let gradient = self.numbers(Storage::Gradient(i as u32));
            gradient.iter().zip(&trained[i]).filter(|(_, t)| **t == 1.0).map(|(g, _)| g * g).sum::<f64>()
        };
        let norm = (square(KEYS) + square(VALUES) + square(BIAS)).sqrt();
        if !norm.is_finite() {
            return norm;
        }
        let clip = (number("clip") / (norm + 1e-6)).min(1.0);
        for i in [KEYS, VALUES, BIAS] {
            let n = i as u32;
            let [g, mut m, mut v, mut w] =
                [Storage::Gradient(n), Storage::FirstMoment(n), Storage::SecondMoment(n), Storage::Parameter(n)]
                    .map(|storage| self.numbers(storage));
            let of = |state| row_state(self, i, state);
            let [lr, decay] = [of(RowState::LearningRate), of(RowState::Decay)];
            let [first, second] = [of(RowState::FirstCorrection), of(RowState::SecondCorrection)];
            for e in (0..w.len()).filter(|e| trained[i][*e] == 1.0) {
                let gradient = g[e] * clip;
                m[e] = number("beta1") * m[e] + number("one_minus_beta1") * gradient;
                v[e] = number("beta2") * v[e] + number("one_minus_beta2") * gradient * gradient;
                let rate = number("learning_rate") * lr[e];
                let step = (m[e] / first[e]) / ((v[e] / second[e]).sqrt() + number("eps"));
                w[e] = w[e] * (1.0 - rate * decay[e]) - rate * step;
            }
            self.put(Storage::FirstMoment(n), m);
            self.put(Storage::SecondMoment(n), v);
            self.put(Storage::Parameter(n), w);
        }
        norm
    }
}

impl Session for FakeSession {
    fn resize(&mut self, sizes: &SizeValues) -> Result<()> {
        for (storage, shape) in self.storages.clone() {
            let new = shape_at(&shape, sizes);
            let mut numbers = vec![0f64; new.iter().product()];
            // Only first axes grow here: the leading part is the leading numbers.
            if let Some(old) = self.tensors.get(&storage) {
                numbers.iter_mut().zip(old.to_f64()).for_each(|(to, from)| *to = from);
            }
            self.tensors.insert(storage, f32_tensor(new, numbers));
        }
        self.sizes = sizes.clone();
        Ok(())
    }

    fn sizes(&self) -> &SizeValues {
        &self.sizes
    }

    fn set_precision(&mut self, _: Precision) {}

    fn write(&mut self, storage: Storage, tensor: &HostTensor) -> Result<()> {
        assert_eq!(tensor.shape(), self.shape(storage, &self.sizes), "{storage:?}");
        if matches!(storage, Storage::Rows(..) | Storage::Scale(_)) {
            self.writes.push(storage);
        }
        self.tensors.insert(storage, f32_tensor(tensor.shape().to_vec(), tensor.to_f64()));
        Ok(())
    }

    fn read(&self, storage: Storage) -> Result<HostTensor> {
        Ok(self.tensors[&storage].clone())
    }

    fn zero(&mut self, storage: Storage) -> Result<()> {
        let zeros = vec![0.0; self.numbers(storage).len()];
        self.put(storage, zeros);
        Ok(())
    }

    fn run(&mut self, entry: &str, call: &[(Symbol, i64)], inputs: &[Named]) -> Result<Vec<Named>> {
        let batch = call.iter().find(|(symbol, _)| *symbol == Symbol::BATCH).map_or(0, |(_, n)| *n);
        assert!(batch <= self.sizes.get(Symbol::BATCH), "more sequences than there is room for");
        self.calls.push((entry.to_string(), batch));
        let input = |name: &str| {
            let found = inputs.iter().find(|(n, _)| n == name);
            found.map(|(_, tensor)| tensor.to_f64()).ok_or_else(|| Failure::mistake(format!("no input `{name}`")))
        };
        let scalar = |name: &str, number: f64| (name.to_string(), f32_tensor(Vec::new(), vec![number]));
        if entry == "update" {
            let norm = self.update(|name| input(name).expect("the optimizer's numbers")[0]);
            return Ok(vec![scalar("gradient_norm", norm)]);
        }
        let (mut x, target) = (input("x")?, input("target")?);
        assert_eq!(x.len(), 3 * batch as usize);
        match entry {
            "gradient" | "add_gradient" => {
                if let Ok(seed) = input("seed") {
                    let seed = [0, 1].map(|i| seed[i] as i32 as u32);
                    self.seeds.push(seed);
                    let drawn = philox([0; 4], seed)[0];
                    x.iter_mut().for_each(|x| *x *= 1.0 + 0.1 * f64::from(drawn) / f64::from(u32::MAX));
                }
                let loss = self.gradient(&x, &target, input("loss_weight")?[0], entry == "add_gradient");
                Ok(vec![scalar("loss", loss)])
            }
            "evaluate" => {
                let (predictions, products) = self.predict(&x);
                let error =
                    |power| predictions.iter().zip(&target).map(|(p, t)| (p - t).abs().powi(power)).sum::<f64>();
                let batch = products.len() as f64;
                Ok(vec![scalar("loss", error(2) / batch), scalar("error", error(1) / batch)])
            }
            "named" => Ok(vec![("p".to_string(), f32_tensor(vec![batch as usize, 2], self.predict(&x).0))]),
            _ => Err(Failure::mistake(format!("no entry `{entry}`"))),
        }
    }

    fn first_non_finite(&mut self, entry: &str, call: &[(Symbol, i64)], inputs: &[Named]) -> Option<String> {
        let outputs = self.run(entry, call, inputs).ok()?;
        let gradients = (0..3).flat_map(|i| self.numbers(Storage::Gradient(i)));
        let finite = outputs.iter().flat_map(|(_, tensor)| tensor.to_f64()).chain(gradients).all(f64::is_finite);
        (!finite).then(|| "the products of `layer`".to_string())
    }

    fn memory(&self) -> SessionMemory {
        SessionMemory::default()
    }
}

/// Numbers as a device of f32 keeps them.
fn f32_tensor(shape: Vec<usize>, numbers: Vec<f64>) -> HostTensor {
    HostTensor::F32 { shape, data: numbers.into_iter().map(|x| x as f32).collect() }
}
