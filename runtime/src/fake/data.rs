//! Numbers that a cursor names: targets are a fixed linear function of x.

use crate::device::{HostTensor, Named};
use crate::random::{Purpose, Stream};
use crate::train::Batches;
use crate::{Failure, Kind, Result};

/// Another set for each name.
pub struct Numbers {
    pub name: &'static str,
    pub per_epoch: u64,
    /// The sequence of each epoch in which x is not a number.
    pub poisoned: Option<u64>,
    /// The sequence of each epoch that cannot be read.
    pub missing: Option<u64>,
}

impl Numbers {
    pub fn new(name: &'static str, per_epoch: u64) -> Numbers {
        Numbers { name, per_epoch, poisoned: None, missing: None }
    }

    pub fn row(&self, cursor: u64) -> ([f32; 3], [f32; 2]) {
        let index = cursor % self.per_epoch;
        let stream = Stream::new(3, Purpose::DataOrder, self.name, index);
        let mut x = [0f32; 3];
        stream.fill_normal(0, 1.0, &mut x);
        let target = [x[0] - 0.5 * x[1], 2.0 * x[2] + 0.25];
        if self.poisoned == Some(index) {
            x[1] = f32::NAN;
        }
        (x, target)
    }
}

impl Batches for Numbers {
    fn per_epoch(&self) -> u64 {
        self.per_epoch
    }

    fn hash(&self) -> u64 {
        Stream::new(self.per_epoch, Purpose::DataOrder, self.name, 0).bits(0)
    }

    fn inputs(&self, cursor: u64, rows: u64) -> Result<Vec<Named>> {
        let is_missing = |cursor: &u64| self.missing == Some(cursor % self.per_epoch);
        if let Some(missing) = (cursor..cursor + rows).find(is_missing) {
            return Err(Failure::new(Kind::Broken, format!("sequence {missing} is not there")));
        }
        let all: Vec<_> = (cursor..cursor + rows).map(|cursor| self.row(cursor)).collect();
        let tensor = |width, data| HostTensor::F32 { shape: vec![rows as usize, width], data };
        Ok(vec![
            ("x".to_string(), tensor(3, all.iter().flat_map(|(x, _)| *x).collect())),
            ("target".to_string(), tensor(2, all.iter().flat_map(|(_, target)| *target).collect())),
        ])
    }

    fn targets(&self, _cursor: u64, rows: u64) -> Result<u64> {
        Ok(rows)
    }
}
