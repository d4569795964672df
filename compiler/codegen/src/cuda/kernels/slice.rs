//! A slice of A or B in shared memory: where its numbers are, and fragments of it.
//!
//! A slice has as many lanes (rows of A or columns of B) as the tile and a part of k. It lies as the matrix does: a row for each lane, or for each k. What is
//! written and read at once are chunks of 16 bytes; the chunks of a row change places by its number, so that what a warp touches at once is in different
//! banks: eight lanes of one part of k, eight k of the same lanes, or, of tf32 where a row is a k, four k of eight lanes. A slice whose rows are lanes of tf32 is
//! also read the other way round, every second of eight rows at once.

use crate::mlir::{Fragment, Function, Int32, Multiplicand, Shared};

/// Which matrix a slice is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    A,
    B,
}

#[derive(Clone, Copy, Debug)]
pub struct Slice {
    pub side: Side,
    pub multiplicand: Multiplicand,
    /// Whether a row is a lane, and k its columns.
    pub along_k: bool,
    pub lanes: i64,
    pub depth: i64,
}

/// Of what is written, read and copied at once.
pub const CHUNK_BYTES: i64 = 16;
/// Of a chunk, in words of four bytes: what addresses are counted in.
const CHUNK_WORDS: i64 = 4;
/// Chunks that all banks hold side by side.
const BANKS: i64 = 8;

/// A chunk: its row and its number there, each as the sum of what a thread knows and what all know; the two have no bit in common.
#[derive(Clone, Copy)]
pub struct Place<'f> {
    pub row: Int32<'f>,
    pub rows: i64,
    pub chunk: Int32<'f>,
    pub chunks: i64,
}

impl Slice {
    /// Numbers of a chunk.
    pub fn chunk(self) -> i64 {
        CHUNK_BYTES / self.multiplicand.bytes()
    }

    /// Chunks of a row.
    pub fn chunks_of_row(self) -> i64 {
        let columns = if self.along_k { self.depth } else { self.lanes };
        columns / self.chunk()
    }

    pub fn chunks(self) -> i64 {
        self.lanes * self.depth / self.chunk()
    }

    pub fn bytes(self) -> i64 {
        self.lanes * self.depth * self.multiplicand.bytes()
    }

    /// The chunk that a thread takes in the `turn`-th turn of all threads.
    pub fn chunk_of<'f>(self, thread: Int32<'f>, threads: i64, turn: i64) -> Place<'f> {
        let of_row = self.chunks_of_row();
        match threads % of_row == 0 {
            // The same chunk of another row.
            true => Place {
                row: thread / of_row as i32,
                rows: turn * (threads / of_row),
                chunk: thread % of_row as i32,
                chunks: 0,
            },
            false => {
                let number = thread + (turn * threads) as i32;
                Place { row: number / of_row as i32, rows: 0, chunk: number % of_row as i32, chunks: 0 }
            }
        }
    }

    /// The address of a chunk. What all threads know becomes a distance that costs no register, as far as chunks do not change places by it.
    pub fn at<'f>(self, slice: Shared<'f>, place: Place<'f>) -> Shared<'f> {
        self.word_at(slice, place, None)
    }

    /// The same for a word of the chunk.
    fn word_at<'f>(self, slice: Shared<'f>, place: Place<'f>, word: Option<Int32<'f>>) -> Shared<'f> {
        let known = place.chunks ^ self.exchange_of(place.rows);
        let (near, far) = (known % BANKS, known / BANKS * BANKS);
        let moved = place.chunk.exclusive_or(self.exchange(place.row)).exclusive_or(place.row.constant(near as i32));
        let words = place.row * self.words_of_row() as i32 + moved * CHUNK_WORDS as i32;
        let words = word.map_or(words, |word| words + word);
        let f = slice.function();
        slice.at(words.to_index()).at(f.index(place.rows * self.words_of_row() + far * CHUNK_WORDS))
    }

    fn words_of_row(self) -> i64 {
        self.chunks_of_row() * CHUNK_WORDS
    }

    /// What a row's numbers of chunks are combined with. Rows of 64 bytes lie in pairs.
    fn exchange<'f>(self, row: Int32<'f>) -> Int32<'f> {
        let (divisor, modulus, factor) = self.exchanges();
        row / divisor as i32 % modulus as i32 * factor as i32
    }

    fn exchange_of(self, row: i64) -> i64 {
        let (divisor, modulus, factor) = self.exchanges();
        row / divisor % modulus * factor
    }

    fn exchanges(self) -> (i64, i64, i64) {
        let abreast = self.chunks_of_row().min(BANKS);
        match (self.along_k, self.multiplicand) {
            (true, _) => (BANKS / abreast, abreast, 1),
            (false, Multiplicand::Bf16) => (1, 8, 1),
            (false, Multiplicand::Tf32) => (1, 4, 2),
        }
    }

    /// The fragment of the 16 lanes from `first` + `lanes` on and of the `step`-th part of k: for A one, for B two of 8 lanes each, one after the other. `lanes` is
    /// a multiple of 16, below the greatest power of two that divides `first`.
    pub fn fragment<'f>(
        self,
        f: &'f Function<'f>,
        slice: Shared<'f>,
        lane: Int32<'f>,
        (first, lanes): (Int32<'f>, i64),
        step: i64,
    ) -> Fragment<'f> {
        let depth = self.multiplicand.depth();
        match (self.along_k, self.multiplicand) {
            (true, _) => {
                let (of_lanes, of_k) = self.halves(lane / 8 % 2, lane / 16);
                let row = first + of_lanes * 8 + lane % 8;
                f.load_fragment(self.at(slice, Place { row, rows: lanes, chunk: of_k, chunks: step * 2 }), false)
            }
            (false, Multiplicand::Bf16) => {
                let (of_lanes, of_k) = self.halves(lane / 8 % 2, lane / 16);
                let (row, chunk) = (of_k * 8 + lane % 8, first / 8 + of_lanes);
                let place = Place { row, rows: step * depth, chunk, chunks: lanes / 8 };
                f.load_fragment(self.at(slice, place), true)
            }
            (false, Multiplicand::Tf32) => {
                let one = |i: i64| {
                    let (of_lanes, of_k) = self.halves(i % 2, i / 2);
                    let (rows, chunks) = (of_k * 4 + step * depth, (lanes + of_lanes * 8) / CHUNK_WORDS);
                    let place = Place { row: lane % 4, rows, chunk: first / 4 + lane / 16, chunks };
                    self.word_at(slice, place, Some(lane / 4 % 4)).load_int(f.index(0))
                };
                (0..4).map(one).collect()
            }
        }
    }

    /// The fragment of B where this slice, of tf32 and with a row for each lane, takes part with lanes as k: of the `step`-th eight rows, in the order 0, 2, 4, 6,
    /// 1, 3, 5, 7, and of eight columns from `first` on. In that order a thread has the numbers of A where sums of an earlier product left them.
    pub fn turned_fragment<'f>(self, slice: Shared<'f>, lane: Int32<'f>, first: i64, step: i64) -> Fragment<'f> {
        let one = |i: i64| {
            let place = Place { row: lane % 4 * 2, rows: step * 8 + i, chunk: lane / 16, chunks: first / CHUNK_WORDS };
            self.word_at(slice, place, Some(lane / 4 % 4)).load_int(slice.function().index(0))
        };
        (0..2).map(one).collect()
    }

    /// Which half of the lanes and which of k a register of a fragment has, by the lower and the upper bit of its number.
    fn halves<T>(self, lower: T, upper: T) -> (T, T) {
        match self.side {
            Side::A => (lower, upper),
            Side::B => (upper, lower),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{BANKS, CHUNK_WORDS, Multiplicand, Side, Slice};
    use std::collections::BTreeSet;

    const SLICES: [(Multiplicand, bool, i64, i64); 8] = [
        (Multiplicand::Bf16, true, 128, 32),
        (Multiplicand::Tf32, true, 128, 16),
        (Multiplicand::Tf32, true, 64, 32),
        (Multiplicand::Tf32, true, 64, 96),
        (Multiplicand::Bf16, false, 128, 32),
        (Multiplicand::Bf16, false, 256, 32),
        (Multiplicand::Tf32, false, 64, 16),
        (Multiplicand::Tf32, false, 256, 16),
    ];

    fn slices() -> impl Iterator<Item = Slice> {
        let slice =
            |(multiplicand, along_k, lanes, depth)| Slice { side: Side::A, multiplicand, along_k, lanes, depth };
        SLICES.into_iter().map(slice)
    }

    /// The word where a chunk begins.
    fn word(slice: Slice, row: i64, chunk: i64) -> i64 {
        row * slice.words_of_row() + (chunk ^ slice.exchange_of(row)) * CHUNK_WORDS
    }

    #[test]
    fn every_chunk_has_a_place_of_its_own() {
        for slice in slices() {
            let rows = slice.chunks() / slice.chunks_of_row();
            let all = (0..rows).flat_map(|row| (0..slice.chunks_of_row()).map(move |chunk| word(slice, row, chunk)));
            let places: BTreeSet<i64> = all.collect();
            assert_eq!(places.len() as i64, slice.chunks(), "{slice:?}");
            assert_eq!(places.last().unwrap() + CHUNK_WORDS, slice.bytes() / 4, "{slice:?}");
        }
    }

    #[test]
    fn what_is_read_at_once_is_in_different_banks() {
        for slice in slices() {
            for chunk in 0..slice.chunks_of_row() {
                let bank = |row: i64, chunk: i64| word(slice, row, chunk) / CHUNK_WORDS % BANKS;
                let banks: BTreeSet<i64> = match (slice.along_k, slice.multiplicand) {
                    (true, _) | (false, Multiplicand::Bf16) => (8..16).map(|row| bank(row, chunk)).collect(),
                    // Eight lanes are two chunks.
                    (false, Multiplicand::Tf32) => {
                        let pair = chunk / 2 * 2;
                        (4..8).flat_map(|row| [bank(row, pair), bank(row, pair + 1)]).collect()
                    }
                };
                assert_eq!(banks.len() as i64, BANKS, "chunk {chunk} of {slice:?}");
            }
        }
    }

    /// Where rows are lanes, every second of eight rows, two chunks of each.
    #[test]
    fn so_is_what_is_read_turned() {
        let turned = |slice: &Slice| slice.along_k && slice.chunks_of_row() >= BANKS;
        for slice in slices().filter(turned) {
            for (first, pair) in [(0, 0), (1, 0), (8, 2), (9, 6)] {
                let rows = (0..4).map(|i| first + 2 * i);
                let bank = |row: i64, chunk: i64| word(slice, row, chunk) / CHUNK_WORDS % BANKS;
                let banks: BTreeSet<i64> = rows.flat_map(|row| [bank(row, pair), bank(row, pair + 1)]).collect();
                assert_eq!(banks.len() as i64, BANKS, "{slice:?}");
            }
        }
    }
}
