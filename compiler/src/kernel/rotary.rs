//! Rotary embeddings that are part of the kernel that makes the rows.

use super::contraction::Contraction;

/// The first `turned` channels of each head of `channels` are turned where they have just been stored, as [`super::Rope`] turns them in place.
///
/// Three operands more, after all others: cosines `[positions, turned / 2]`, sines, position i32 or, in `documents`, positions i32 `[B, T]`. Row r of the rows that are made is token r of `[B, T]`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Rotary {
    pub channels: u32,
    pub turned: u32,
    pub inverse: bool,
    pub documents: bool,
}

impl Rotary {
    pub const OPERANDS: usize = 3;

    /// Whether what is turned of a head never lies in two blocks of columns: whoever makes whole blocks can turn them.
    pub fn fits(&self) -> bool {
        let [channels, turned, block] = [self.channels.into(), self.turned.into(), Contraction::ROTARY_COLUMNS];
        turned <= channels && (0..block).all(|head| head * channels % block + turned <= block)
    }

    /// Elements of its operands, of `rows` rows, at `positions` of a sequence.
    pub(crate) fn elements<T: Clone + From<i64> + std::ops::Mul<Output = T>>(&self, rows: T, positions: T) -> [T; 3] {
        let table = positions * T::from(i64::from(self.turned / 2));
        [table.clone(), table, if self.documents { rows } else { T::from(1) }]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Head after head, in blocks of 64 columns.
    #[test]
    fn heads_fit_that_are_turned_within_a_block() {
        let fits = |channels, turned| Rotary { channels, turned, inverse: false, documents: false }.fits();
        for (channels, turned) in [(64, 16), (64, 64), (32, 32), (128, 64), (96, 24), (96, 32), (8, 8), (256, 64)] {
            assert!(fits(channels, turned), "{turned} of {channels}");
        }
        for (channels, turned) in [(128, 66), (80, 20), (96, 34), (37, 10), (48, 48), (64, 66)] {
            assert!(!fits(channels, turned), "{turned} of {channels}");
        }
    }
}
