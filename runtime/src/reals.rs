//! The real numbers a session works in: f64 on the reference device, f32 on the others.

use crate::device::{HostTensor, Session};
use tfc_compiler::compiled::Compiled;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reals {
    F32,
    F64,
}

impl Reals {
    /// As the session hands out its smallest storage.
    pub fn of(compiled: &Compiled, session: &dyn Session) -> Reals {
        let storages = compiled.storages();
        let smallest = storages.iter().min_by_key(|(_, ty)| ty.elements().eval(session.sizes()));
        match smallest.map(|(storage, _)| session.read(*storage)) {
            Some(HostTensor::F64 { .. }) => Reals::F64,
            Some(HostTensor::F32 { .. } | HostTensor::I32 { .. }) | None => Reals::F32,
        }
    }

    pub fn tensor(self, shape: Vec<usize>, numbers: Vec<f64>) -> HostTensor {
        match self {
            Reals::F32 => HostTensor::F32 { shape, data: numbers.into_iter().map(|x| x as f32).collect() },
            Reals::F64 => HostTensor::F64 { shape, data: numbers },
        }
    }

    pub fn scalar(self, number: f64) -> HostTensor {
        self.tensor(Vec::new(), vec![number])
    }

    /// The number that the session computes with.
    pub fn round(self, number: f64) -> f64 {
        match self {
            Reals::F32 => f64::from(number as f32),
            Reals::F64 => number,
        }
    }
}
