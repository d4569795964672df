//! How many sequences go through the model at once.

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
}
