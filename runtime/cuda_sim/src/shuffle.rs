//! `shfl.sync`: which lane another takes its value from.

use tfc_compiler::simulation::Shuffle;

/// The lane that `lane` takes from, and whether it lies in range; out of range it is `lane` itself. `clamp` holds the last lane of a segment
/// in its lower five bits and the mask of segments in bits 8 to 12, as the PTX manual has it.
pub fn source(mode: Shuffle, lane: u32, operand: u32, clamp: u32) -> (u32, bool) {
    let (by, segment) = (operand & 31, clamp >> 8 & 31);
    let first = lane & segment;
    let last = first | clamp & 31 & !segment;
    let (from, in_range) = match mode {
        // Here the clamp is the first lane: the segment's own for zero.
        Shuffle::Up => (lane.wrapping_sub(by), i64::from(lane) - i64::from(by) >= i64::from(last)),
        Shuffle::Down => (lane + by, lane + by <= last),
        Shuffle::Butterfly => (lane ^ by, lane ^ by <= last),
        Shuffle::Index => {
            let from = first | by & !segment;
            (from, from <= last)
        }
    };
    if in_range { (from, true) } else { (lane, false) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(mode: Shuffle, operand: u32, clamp: u32) -> Vec<u32> {
        (0..32).map(|lane| source(mode, lane, operand, clamp).0).collect()
    }

    #[test]
    fn whole_warps() {
        assert_eq!(sources(Shuffle::Butterfly, 1, 31), (0..32).map(|l| l ^ 1).collect::<Vec<_>>());
        assert_eq!(sources(Shuffle::Down, 4, 31), (0..32).map(|l| if l < 28 { l + 4 } else { l }).collect::<Vec<_>>());
        assert_eq!(sources(Shuffle::Up, 3, 0), (0..32).map(|l| if l < 3 { l } else { l - 3 }).collect::<Vec<_>>());
        assert_eq!(sources(Shuffle::Index, 7, 31), vec![7; 32]);
        assert!(!source(Shuffle::Down, 30, 4, 31).1);
    }

    /// `__shfl_sync(…, 8)`: segments of eight lanes have the clamp `(32 - 8) << 8 | 7`.
    #[test]
    fn segments() {
        let clamp = 24 << 8 | 31;
        assert_eq!(sources(Shuffle::Index, 3, clamp), (0..32).map(|l| l / 8 * 8 + 3).collect::<Vec<_>>());
        let down = |l: u32| if l % 8 < 6 { l + 2 } else { l };
        assert_eq!(sources(Shuffle::Down, 2, clamp), (0..32).map(down).collect::<Vec<_>>());
        let up = |l: u32| if l % 8 < 2 { l } else { l - 2 };
        assert_eq!(sources(Shuffle::Up, 2, 24 << 8), (0..32).map(up).collect::<Vec<_>>());
    }
}
