//! One head's rows and how they are packed.

use super::KEYS;
use crate::gemm::{Panels, multiply, pack_straight, pack_transposed};
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

/// The size of the tiles and the channels of a head.
#[derive(Clone, Copy)]
pub struct Shape {
    pub channels: i64,
    /// Rows and columns of the micro-tile.
    pub rows: i64,
    pub columns: i64,
    pub width: i64,
}

impl Shape {
    pub fn new(channels: u32, vectors: Vectors) -> Shape {
        let [rows, columns, width] = [vectors.rows, vectors.columns(), vectors.width].map(|x| x as i64);
        Shape { channels: channels.into(), rows, columns, width }
    }

    /// Channels, as many as packing along them writes.
    pub fn packed_channels(self) -> i64 {
        round_up(self.channels, self.width)
    }

    /// Rows of a tile over channels: whole micro-tiles, and whole registers for the transpose.
    pub fn channel_rows(self) -> i64 {
        round_up(round_up(self.channels, self.rows), self.width)
    }

    /// f32 in `count` rows packed by [`Shape::lanes_of_a`].
    pub fn lanes_of_a_elements(self, count: i64) -> i64 {
        round_up(count, self.rows) * self.packed_channels() + self.width
    }

    pub fn lanes_of_b_elements(self, count: i64) -> i64 {
        round_up(count, self.columns) * self.packed_channels() + self.width
    }

    pub fn channels_of_a_elements(self, count: i64) -> i64 {
        round_up(self.channels, self.rows) * count + self.width
    }

    pub fn channels_of_b_elements(self, count: i64) -> i64 {
        round_up(self.channels, self.columns) * count + self.width
    }

    /// f32 in a tile of a block of keys by a panel of queries.
    pub fn score_elements(self) -> i64 {
        round_up(KEYS, self.rows) * self.columns
    }

    /// Packs rows `[first, first + count)` as lanes of panels of A, k being the channels.
    pub fn lanes_of_a<'f>(
        self,
        f: &'f Function<'f>,
        rows: Rows<'f>,
        first: Index<'f>,
        count: Index<'f>,
        to: Pointer<'f>,
    ) {
        self.pack_lanes(f, rows, first, count, to, self.rows);
    }

    /// … of B.
    pub fn lanes_of_b<'f>(
        self,
        f: &'f Function<'f>,
        rows: Rows<'f>,
        first: Index<'f>,
        count: Index<'f>,
        to: Pointer<'f>,
    ) {
        self.pack_lanes(f, rows, first, count, to, self.columns);
    }

    fn pack_lanes<'f>(
        self,
        f: &'f Function<'f>,
        rows: Rows<'f>,
        first: Index<'f>,
        count: Index<'f>,
        to: Pointer<'f>,
        panel: i64,
    ) {
        f.each(f.index(0), count, panel, |start| {
            let rows = Rows { pointer: rows.row(first + start), ..rows };
            self.pack_panel(
                f,
                rows,
                count - start,
                f.index(self.channels),
                to.at(start * self.packed_channels()),
                panel,
            );
        });
    }

    /// Packs the first of `count` rows as the lanes of one panel, `length` numbers of each.
    pub fn pack_panel<'f>(
        self,
        f: &'f Function<'f>,
        rows: Rows<'f>,
        count: Index<'f>,
        length: Index<'f>,
        to: Pointer<'f>,
        panel: i64,
    ) {
        f.each(f.index(0), f.index(panel), self.width, |lane| {
            let there = lane.or_at_most(count - 1);
            pack_transposed(f, rows.row(there), rows.stride, count - there, length, to.at(lane), f.index(panel));
        });
    }

    /// Packs rows `[first, first + count)` as k, the channels being the lanes of panels of A.
    pub fn channels_of_a<'f>(
        self,
        f: &'f Function<'f>,
        rows: Rows<'f>,
        first: Index<'f>,
        count: Index<'f>,
        to: Pointer<'f>,
    ) {
        self.pack_channels(f, rows, first, count, to, self.rows);
    }

    /// … of B.
    pub fn channels_of_b<'f>(
        self,
        f: &'f Function<'f>,
        rows: Rows<'f>,
        first: Index<'f>,
        count: Index<'f>,
        to: Pointer<'f>,
    ) {
        self.pack_channels(f, rows, first, count, to, self.columns);
    }

    fn pack_channels<'f>(
        self,
        f: &'f Function<'f>,
        rows: Rows<'f>,
        first: Index<'f>,
        count: Index<'f>,
        to: Pointer<'f>,
        panel: i64,
    ) {
        f.each(f.index(0), f.index(self.channels), panel, |channel| {
            let source = rows.row(first).at(channel);
            pack_straight(
                f,
                source,
                rows.stride,
                f.index(self.channels) - channel,
                count,
                to.at(channel * count),
                panel,
            );
        });
    }

    /// out (+)= A · B over `count` rows of A; `out` is `[count, columns]`.
    pub fn product<'f>(
        self,
        f: &'f Function<'f>,
        a: Panelled<'f>,
        count: Index<'f>,
        b: Pointer<'f>,
        out: Pointer<'f>,
        accumulate: bool,
    ) {
        f.each(f.index(0), count, self.rows, |row| {
            let tile = out.at(row * self.columns);
            let accumulate = f.index(accumulate.into());
            multiply(
                f,
                &Panels { a: a.panel(row / self.rows), b, b_stride: f.index(self.columns), k: a.k, tile, accumulate },
            );
        });
    }

    /// What [`Shape::lanes_of_a`] packed.
    pub fn of_lanes<'f>(self, f: &'f Function<'f>, packed: Pointer<'f>) -> Panelled<'f> {
        Panelled { first: packed, distance: f.index(self.packed_channels() * self.rows), k: f.index(self.channels) }
    }

    /// What [`Shape::channels_of_a`] packed of `count` rows.
    pub fn of_channels<'f>(self, packed: Pointer<'f>, count: Index<'f>) -> Panelled<'f> {
        Panelled { first: packed, distance: count * self.rows, k: count }
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
            let load = |i| lanes.load_vector((channel + i) * self.columns);
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

/// Panels of A at equal distances.
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

pub fn round_up(value: i64, unit: i64) -> i64 {
    (value + unit - 1) / unit * unit
}
