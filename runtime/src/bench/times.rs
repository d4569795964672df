//! How long a repetition takes.

use super::Work;
use crate::Result;
use crate::device::Session;
use std::time::{Duration, Instant};

/// What is done before anything counts: memory is touched, caches are filled, threads are awake.
const WARM_UP: usize = 2;
/// Short work is repeated for so long.
const LONG_ENOUGH: Duration = Duration::from_secs(1);
const MOST: usize = 101;

/// In seconds, ascending; at least one.
#[derive(Clone, Debug, PartialEq)]
pub struct Times(Vec<f64>);

impl Times {
    pub fn new(mut seconds: Vec<f64>) -> Times {
        assert!(!seconds.is_empty(), "bug in tfc: nothing was timed");
        seconds.sort_by(f64::total_cmp);
        Times(seconds)
    }

    pub fn count(&self) -> usize {
        self.0.len()
    }

    pub fn least(&self) -> f64 {
        self.0[0]
    }

    pub fn median(&self) -> f64 {
        let middle = self.0.len() / 2;
        if self.0.len().is_multiple_of(2) { (self.0[middle - 1] + self.0[middle]) / 2.0 } else { self.0[middle] }
    }
}

/// Times at least so many repetitions, after some that do not count.
pub fn repeat(work: &mut Work<'_>, session: &mut dyn Session, repetitions: usize) -> Result<Times> {
    let mut once = || {
        work.prepare(session)?;
        let start = Instant::now();
        work.run(session)?;
        Ok(start.elapsed())
    };
    (0..WARM_UP).try_for_each(|_| once().map(|_| ()))?;
    let mut seconds = Vec::new();
    let mut total = Duration::ZERO;
    while seconds.len() < repetitions.max(1) || (total < LONG_ENOUGH && seconds.len() < MOST) {
        let time = once()?;
        total += time;
        seconds.push(time.as_secs_f64());
    }
    Ok(Times::new(seconds))
}
