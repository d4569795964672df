//! A slice of A or B in shared memory: where its numbers are, and fragments of it.
//!
//! A slice has as many lanes (rows of A or columns of B) as the tile and a part of k. It lies as the matrix does: a row for each lane, or for each k. What is
//! written and read at once are chunks of 16 bytes; the chunks of a row change places by its number, so that what a warp touches at once is in different
//! banks: eight lanes of one part of k, eight k of the same lanes, or, of tf32 where a row is a k, four k of eight lanes.

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

const CHUNK_BYTES: i64 = 16;
/// Of a chunk, in words of four bytes: what addresses are counted in.
const CHUNK_WORDS: i32 = 4;

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

    /// Where a chunk is, in words.
    pub fn place<'f>(self, row: Int32<'f>, chunk: Int32<'f>) -> Int32<'f> {
        let moved = chunk.exclusive_or(self.exchange(row));
        row * self.words_of_row() + moved * CHUNK_WORDS
    }

    fn words_of_row(self) -> i32 {
        self.chunks_of_row() as i32 * CHUNK_WORDS
    }

    /// What a row's numbers of chunks are combined with. Rows of 64 bytes lie in pairs.
    fn exchange(self, row: Int32) -> Int32 {
        match (self.along_k, self.multiplicand) {
            (true, _) => row / (8 / self.chunks_of_row().min(8)) as i32 % self.chunks_of_row().min(8) as i32,
            (false, Multiplicand::Bf16) => row % 8,
            (false, Multiplicand::Tf32) => row % 4 * 2,
        }
    }

    /// The fragment of 16 lanes from `first` on, a multiple of 8, and of the `step`-th part of k: for A one, for B two of 8 lanes each, one after the other.
    pub fn fragment<'f>(
        self,
        f: &'f Function<'f>,
        slice: Shared<'f>,
        lane: Int32<'f>,
        first: Int32<'f>,
        step: i64,
    ) -> Fragment<'f> {
        match (self.along_k, self.multiplicand) {
            (true, _) => {
                let (of_lanes, of_k) = self.halves(lane / 8);
                let (row, chunk) = (first + of_lanes * 8 + lane % 8, of_k + step as i32 * 2);
                f.load_fragment(slice.at(self.place(row, chunk).to_index()), false)
            }
            (false, Multiplicand::Bf16) => {
                let (of_lanes, of_k) = self.halves(lane / 8);
                let row = of_k * 8 + lane % 8 + (step * self.multiplicand.depth()) as i32;
                f.load_fragment(slice.at(self.place(row, first / 8 + of_lanes).to_index()), true)
            }
            (false, Multiplicand::Tf32) => {
                let one = |i| {
                    let (of_lanes, of_k) = self.halves(f.int32(i));
                    let row = of_k * 4 + lane % 4 + (step * self.multiplicand.depth()) as i32;
                    let column = first + of_lanes * 8 + lane / 4;
                    let word = self.place(row, column / CHUNK_WORDS) + column % CHUNK_WORDS;
                    slice.load_int(word.to_index())
                };
                (0..4).map(one).collect()
            }
        }
    }

    /// Which half of the lanes and which of k the register `i` of a fragment has.
    fn halves<'f>(self, i: Int32<'f>) -> (Int32<'f>, Int32<'f>) {
        match self.side {
            Side::A => (i % 2, i / 2),
            Side::B => (i / 2, i % 2),
        }
    }
}
