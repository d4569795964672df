//! One head's rows and how they are packed.

use super::KEYS;
use crate::gemm::{Block, Layout, Panels, multiply, pack_columns, pack_rows, round_up};
use crate::mlir::{Function, Index, Pointer, Vector, transpose};
use crate::vectors::Vectors;

/// Rows of `channels` numbers, `stride` apart: the queries, keys, … of one head.
#[derive(Clone, Copy)]
pub struct Rows<'f> {
    pub pointer: Pointer<'f>,
    pub stride: Index<'f>,
}

impl<'f> Rows<'f> {
    /// The rows of one head in `[…, heads, channels]`, from row `first` on.
    pub fn of_head(
        tensor: Pointer<'f>,
        channels: i64,
        first: Index<'f>,
        heads: Index<'f>,
        head: Index<'f>,
    ) -> Rows<'f> {
        let stride = heads * channels;
        Rows { pointer: tensor.at(first * stride + head * channels), stride }
    }

    pub fn row(self, index: Index<'f>) -> Pointer<'f> {
        self.pointer.at(index * self.stride)
    }

    /// The rows from one on.
    pub fn from(self, first: Index<'f>) -> Rows<'f> {
        Rows { pointer: self.row(first), ..self }
    }
}

/// The channels of a head and how its rows are packed.
#[derive(Clone, Copy)]
pub struct Shape {
    pub channels: i64,
    pub a: Layout,
    pub b: Layout,
    pub width: i64,
}

impl Shape {
    pub fn new(channels: u32, vectors: Vectors) -> Shape {
        let (a, b) = (Layout::of_a(vectors), Layout::of_b(vectors));
        Shape { channels: channels.into(), a, b, width: vectors.width as i64 }
    }

    /// Rows of a tile over channels: whole micro-tiles, and whole registers for the transpose.
    pub fn channel_rows(self) -> i64 {
        round_up(round_up(self.channels, self.a.lanes), self.width)
    }

    /// f32 in a tile of a block of keys by a panel of queries.
    pub fn score_elements(self) -> i64 {
        round_up(KEYS, self.a.lanes) * self.b.lanes
    }

    /// Packs the first `count` rows as lanes, k being the channels.
    pub fn as_lanes<'f>(self, f: &'f Function<'f>, layout: Layout, rows: Rows<'f>, count: Index<'f>, to: Pointer<'f>) {
        let depth = f.index(self.channels);
        pack_rows(f, layout, Block { source: rows.pointer, leading: rows.stride, lanes: count, depth }, to);
    }

    /// Packs the first `count` rows as steps of k, the channels being lanes.
    pub fn as_steps<'f>(self, f: &'f Function<'f>, layout: Layout, rows: Rows<'f>, count: Index<'f>, to: Pointer<'f>) {
        let lanes = f.index(self.channels);
        pack_columns(f, layout, Block { source: rows.pointer, leading: rows.stride, lanes, depth: count }, to);
    }

    /// The panels that [`Shape::as_lanes`] packs.
    pub fn lanes<'f>(self, f: &'f Function<'f>, layout: Layout, packed: Pointer<'f>) -> Panelled<'f> {
        let k = f.index(self.channels);
        Panelled { first: packed, distance: layout.distance(k), k }
    }

    /// The panels that [`Shape::as_steps`] packs of `count` rows.
    pub fn steps<'f>(self, layout: Layout, packed: Pointer<'f>, count: Index<'f>) -> Panelled<'f> {
        Panelled { first: packed, distance: layout.distance(count), k: count }
    }

    /// out (+)= A · B over `count` rows of A and one panel of B; `out` is `[count, columns]`.
    pub fn product<'f>(
        self,
        f: &'f Function<'f>,
        a: Panelled<'f>,
        count: Index<'f>,
        b: Pointer<'f>,
        out: Pointer<'f>,
        accumulate: bool,
    ) {
        f.each(f.index(0), count, self.a.lanes, |row| {
            let (a, k, tile) = (a.panel(row / self.a.lanes), a.k, out.at(row * self.b.lanes));
            multiply(f, Panels { a, b, k, tile, accumulate: f.truth(accumulate) });
        });
    }

    /// Stores `count` of a register of rows that stand as lanes of `[channels, columns]`: squares of lanes are transposed, then their rows copied.
    pub fn store_lanes<'f>(
        self,
        f: &'f Function<'f>,
        lanes: Pointer<'f>,
        scale: Option<Vector<'f>>,
        rows: Rows<'f>,
        count: Index<'f>,
    ) {
        let square = f.stack(self.width * self.width);
        f.strips(f.index(0), f.index(self.channels), |channel, edge| {
            let load = |i| lanes.load_vector((channel + i) * self.b.lanes);
            let channels: Vec<Vector> =
                (0..self.width).map(|i| scale.map_or(load(i), |scale| load(i) * scale)).collect();
            let transposed = transpose(&channels);
            transposed
                .iter()
                .enumerate()
                .for_each(|(i, row)| square.store_vector(f.index(i as i64 * self.width), *row));
            f.times(count, |i| rows.row(i).store_lanes(channel, square.load_vector(i * self.width), edge));
        });
    }
}

/// Panels at equal distances.
#[derive(Clone, Copy)]
pub struct Panelled<'f> {
    pub first: Pointer<'f>,
    pub distance: Index<'f>,
    pub k: Index<'f>,
}

impl<'f> Panelled<'f> {
    pub fn panel(self, index: Index<'f>) -> Pointer<'f> {
        self.first.at(index * self.distance)
    }
}
