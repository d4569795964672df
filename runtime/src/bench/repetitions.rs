//! Repetitions, timed.

use super::Work;
use crate::Result;
use crate::device::Session;
use std::time::{Duration, Instant};

/// What is done before anything counts: memory is touched, caches are filled, threads are awake.
const WARM_UP: usize = 2;
/// Short work is repeated for so long.
const LONG_ENOUGH: Duration = Duration::from_secs(1);
const MOST: usize = 101;

/// One number measured several times, in ascending order; at least once.
#[derive(Clone, Debug, PartialEq)]
pub struct Samples(Vec<f64>);

impl Samples {
    pub fn new(mut samples: Vec<f64>) -> Samples {
        assert!(!samples.is_empty(), "bug in tfc: nothing was measured");
        samples.sort_by(f64::total_cmp);
        Samples(samples)
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

/// Seconds of at least so many repetitions, after some that do not count. What they are compared with is measured before each, `beside` it:
/// what a machine can do changes by the second.
pub fn repeat(
    work: &mut Work<'_>,
    session: &mut dyn Session,
    repetitions: usize,
    beside: &mut dyn FnMut(&dyn Session),
) -> Result<Samples> {
    let mut once = || {
        beside(session);
        once(work, session)
    };
    (0..WARM_UP).try_for_each(|_| once().map(|_| ()))?;
    let mut seconds = Vec::new();
    let mut total = Duration::ZERO;
    while seconds.len() < repetitions.max(1) || (total < LONG_ENOUGH && seconds.len() < MOST) {
        let time = once()?;
        total += time;
        seconds.push(time.as_secs_f64());
    }
    Ok(Samples::new(seconds))
}

/// A repetition whenever one is `asked` for, after some that do not count; the seconds of each are `told`.
///
/// # Errors
/// The device gave up, or whoever asks or is told has.
pub fn repeat_when_asked(
    work: &mut Work<'_>,
    session: &mut dyn Session,
    asked: &mut dyn FnMut() -> Result<bool>,
    told: &mut dyn FnMut(f64) -> Result<()>,
) -> Result<()> {
    (0..WARM_UP).try_for_each(|_| once(work, session).map(|_| ()))?;
    while asked()? {
        told(once(work, session)?.as_secs_f64())?;
    }
    Ok(())
}

fn once(work: &mut Work<'_>, session: &mut dyn Session) -> Result<Duration> {
    work.prepare(session)?;
    let start = Instant::now();
    work.run(session)?;
    Ok(start.elapsed())
}
