//! How many sequences go through the model at once.

use crate::{Failure, Kind, Result};

/// The most sequences, up to `batch`, with which a session needs at most `budget` bytes; `memory` gives the bytes for a number
/// of sequences and grows with it.
///
/// # Errors
/// Not even one fits.
pub fn fitting(batch: u64, budget: u64, memory: &dyn Fn(u64) -> u64) -> Result<u64> {
    let fits = |rows: u64| memory(rows) <= budget;
    if !fits(1) {
        let [needed, given] = [memory(1), budget].map(|bytes| bytes as f64 / f64::from(1 << 30));
        let why = format!("one sequence needs {needed:.2} GiB of memory, but there are {given:.2} GiB");
        return Err(Failure::new(Kind::Machine, format!("{why}; make the model or `context` smaller")));
    }
    let (mut fitting, mut above) = (1, batch.max(1) + 1);
    while fitting + 1 < above {
        let middle = fitting + (above - fitting) / 2;
        if fits(middle) { fitting = middle } else { above = middle }
    }
    Ok(fitting)
}

/// The micro-batch for batches of `batch` if `most` sequences fit: as few micro-batches as possible, as even as possible, so
/// that only the last is smaller, and by less than their number.
pub fn micro_batch(batch: u64, most: u64) -> u64 {
    let batch = batch.max(1);
    batch.div_ceil(batch.div_ceil(most.max(1)))
}

/// First sequence and length of each micro-batch, in order.
pub fn micro_batches(batch: u64, micro_batch: u64) -> impl Iterator<Item = (u64, u64)> {
    let cut = move |first: u64| (first, micro_batch.min(batch - first));
    (0..batch).step_by(micro_batch.max(1) as usize).map(cut)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_most_that_fits(batch in 1u64..1000, each in 1u64..100, fixed in 0u64..100, budget in 0u64..20_000) {
            let memory = |rows: u64| fixed + each * rows;
            match fitting(batch, budget, &memory) {
                Ok(rows) => {
                    prop_assert!(memory(rows) <= budget && rows >= 1);
                    prop_assert!(rows == batch || memory(rows + 1) > budget);
                }
                Err(_) => prop_assert!(memory(1) > budget),
            }
        }

        #[test]
        fn micro_batches_are_few_even_and_whole(batch in 1u64..1000, most in 1u64..1000) {
            let size = micro_batch(batch, most);
            let cut: Vec<(u64, u64)> = micro_batches(batch, size).collect();
            prop_assert!(size <= most);
            prop_assert_eq!(cut.len() as u64, batch.div_ceil(most));
            prop_assert_eq!(cut.iter().fold(0, |end, (first, rows)| { assert_eq!(*first, end); end + rows }), batch);
            prop_assert!(cut.iter().all(|(_, rows)| size - rows < cut.len() as u64));
            prop_assert!(cut[..cut.len() - 1].iter().all(|(_, rows)| *rows == size));
        }
    }

    #[test]
    fn what_cannot_fit_is_said() {
        let failure = fitting(8, 1 << 30, &|rows| rows << 31).unwrap_err();
        let message =
            "one sequence needs 2.00 GiB of memory, but there are 1.00 GiB; make the model or `context` smaller";
        assert_eq!((failure.message.as_str(), failure.kind), (message, Kind::Machine));
    }
}
