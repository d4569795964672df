//! Registers of tiles, which multiply pairs of bf16 (AMX): only where [`crate::vectors::Vectors::tiles`] says so.
//!
//! A tile has 16 rows of 64 bytes: 16 numbers of C, or 16 pairs. A row of the first factor is a row of A, of 32 k; a row of the second is two k of B, of
//! 16 columns. The registers are named by whoever uses them, and what is in them survives a call.

use super::function::Function;
use super::value::{I8, Index, Int8, Pointer};

/// Rows of a tile, and words of four bytes in each.
pub const TILE: i64 = 16;

/// One of eight registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tile(pub u8);

impl<'f> Function<'f> {
    /// What is done with tiles, if with any: between, they are the thread's own.
    pub fn with_tiles(&'f self, are_used: bool, body: impl FnOnce()) {
        if are_used {
            self.begin_tiles();
        }
        body();
        if are_used {
            self.end_tiles();
        }
    }

    /// Before anything else is done with tiles, in each thread: all have 16 rows of 64 bytes.
    fn begin_tiles(&'f self) {
        // Which kind of configuration it is; then, of each tile, two bytes for how long its rows are, and one for how many there are.
        let mut words = [0; 16];
        words[0] = 1;
        words[4..8].fill(0x0040_0040);
        words[12..14].fill(0x1010_1010);
        let configuration = self.stack(words.len() as i64);
        for (i, word) in words.into_iter().enumerate() {
            configuration.store_int(self.index(i as i64), self.int32(word));
        }
        self.instruct("llvm.x86.ldtilecfg", &[configuration.raw]);
    }

    /// When no more is done with tiles: what is in them need not be saved where threads take turns.
    fn end_tiles(&'f self) {
        self.instruct("llvm.x86.tilerelease", &[]);
    }

    pub fn zero_tile(&'f self, tile: Tile) {
        self.instruct("llvm.x86.tilezero", &[tile.number(self).raw]);
    }

    /// `sum` += A · B for the pairs of `a` and `b`: first the products of all that come first in their pairs, then of the others.
    pub fn add_tile_product(&'f self, sum: Tile, a: Tile, b: Tile) {
        self.instruct("llvm.x86.tdpbf16ps", &[sum, a, b].map(|tile| tile.number(self).raw));
    }
}

impl Tile {
    fn number<'f>(self, f: &'f Function<'f>) -> Int8<'f> {
        f.literal(f.integer(f.ty::<I8>(), self.0.into()))
    }
}

impl<'f> Pointer<'f> {
    /// 16 rows, `stride` bytes apart.
    pub fn load_tile(self, tile: Tile, stride: Index<'f>) {
        let number = tile.number(self.function);
        self.function.instruct("llvm.x86.tileloadd64", &[number.raw, self.raw, stride.raw]);
    }

    /// The same of what goes by, while other tiles are read again and again.
    pub fn pass_tile(self, tile: Tile, stride: Index<'f>) {
        let number = tile.number(self.function);
        self.function.instruct("llvm.x86.tileloaddt164", &[number.raw, self.raw, stride.raw]);
    }

    pub fn store_tile(self, tile: Tile, stride: Index<'f>) {
        let number = tile.number(self.function);
        self.function.instruct("llvm.x86.tilestored64", &[number.raw, self.raw, stride.raw]);
    }
}
