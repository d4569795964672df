//! Sums over keys: a row of channels for each query, to which every block of keys adds.

use super::head::{Scores, Shape, Sum};
use super::tiles::{self, Quad};
use crate::gemm::{Block, Layout, Rows, TILE_STEP, pack_columns};
use crate::mlir::{Function, Index, Pointer, TILE, Vector, transpose};

/// Where they are until all keys have gone by.
#[derive(Clone, Copy)]
pub enum OverKeys<'f> {
    /// Where they will be in the end.
    Rows(Rows<'f>),
    /// In scratch, for tile registers: of each panel of queries a row for each channel.
    Columns(Pointer<'f>),
}

impl Shape {
    /// f32 of the sums of `queries` where they are in scratch.
    pub fn sums_elements(self, queries: i64) -> i64 {
        if self.in_tiles { queries * self.wide } else { 0 }
    }

    /// f32 of a block of keys or values as sums over keys read them.
    pub fn summed_elements(self) -> i64 {
        match self.in_tiles {
            true => Layout::of_a(self.numbers, self.vectors).elements(self.wide, self.block),
            false => self.block * self.pitch,
        }
    }

    /// Copies the first `count` rows as sums over keys read them: in steps across them, in tiles turned.
    pub fn copy_summed<'f>(self, f: &'f Function<'f>, rows: Rows<'f>, count: Index<'f>, to: Pointer<'f>) {
        if !self.in_tiles {
            return self.copy_across(f, rows, count, to);
        }
        let layout = Layout::of_a(self.numbers, self.vectors);
        let (source, lanes, distance) =
            (rows.pointer.into(), f.index(self.channels), layout.distance(f.index(self.block)));
        pack_columns(f, layout, Block { source, leading: rows.stride, lanes, depth: count, distance }, to);
    }

    /// The sums of queries whose rows are `rows` in the end, before the first key.
    pub fn begin_sums<'f>(
        self,
        f: &'f Function<'f>,
        rows: Rows<'f>,
        count: Index<'f>,
        scratch: Pointer<'f>,
    ) -> OverKeys<'f> {
        if self.in_tiles {
            let all = count.round_up(self.panel) * self.wide;
            f.each(f.index(0), all, TILE, |i| scratch.store_vector(i, f.vector(0.0)));
            return OverKeys::Columns(scratch);
        }
        f.times(count, |query| {
            let row = rows.row(query);
            self.each_register(f, |channel, lanes| row.store_lanes(channel, f.vector(0.0), lanes));
        });
        OverKeys::Rows(rows)
    }

    /// sums += weightsᵀ · rows for the panel of queries that begins with `query`, of which `count` exist, over the keys `[begin, end)`, in steps of them; what was there
    /// before is multiplied by a factor for each query. Of a tile of queries `end` tells where what it looks at ends.
    pub fn sum_over_keys<'f>(
        self,
        f: &'f Function<'f>,
        sums: OverKeys<'f>,
        [query, count]: [Index<'f>; 2],
        (weights, begin, end): (Scores<'f>, Index<'f>, impl Fn(Index<'f>) -> Index<'f>),
        rows: Pointer<'f>,
        fade: Option<Pointer<'f>>,
    ) {
        let columns = match sums {
            OverKeys::Columns(columns) => columns.at(query * self.wide),
            OverKeys::Rows(out) => {
                return f.each(f.index(0), count.or_at_most(f.index(self.panel)), self.queries, |tile| {
                    let sum = Sum {
                        out: out.from(query + tile),
                        last_row: count - tile - 1,
                        fade: fade.map(|fade| fade.at(tile)),
                    };
                    self.sum_rows_over_keys(f, weights.from(tile), (begin, end(tile)), rows, sum);
                });
            }
        };
        if let Some(fade) = fade {
            let fade: Vec<Vector> = self.panel_registers(f).into_iter().map(|lane| fade.load_vector(lane)).collect();
            f.times(f.index(self.channels), |channel| {
                let row = columns.at(channel * self.panel);
                for (lane, fade) in self.panel_registers(f).into_iter().zip(&fade) {
                    row.store_vector(lane, row.load_vector(lane) * *fade);
                }
            });
        }
        let (begin, end) = (begin / TILE_STEP, end(f.index(0)).ceiling_division(TILE_STEP));
        let distance = Layout::of_a(self.numbers, self.vectors).distance(f.index(self.block));
        for first in (0..self.wide).step_by(2 * TILE as usize) {
            let (panel, step) = (rows.at(distance * (first / (2 * TILE))), 2 * TILE * TILE);
            let quad = Quad {
                a: Rows { pointer: panel.at(begin * step), stride: f.index(TILE) },
                a_step: f.index(step),
                b: Rows { pointer: weights.at(begin * TILE, f.index(0)), stride: f.index(weights.pitch) },
                b_step: f.index(weights.pitch * TILE),
                b_beside: TILE,
                steps: end - begin,
                out: Rows { pointer: columns.at(f.index(first * self.panel)), stride: f.index(self.panel) },
            };
            tiles::multiply(f, true, quad);
        }
    }

    /// The sums of `count` queries to their rows, once all keys have gone by; each divided by a number of its own.
    pub fn finish_sums<'f>(
        self,
        f: &'f Function<'f>,
        sums: OverKeys<'f>,
        (out, count): (Rows<'f>, Index<'f>),
        divisors: Option<Pointer<'f>>,
    ) {
        match (sums, divisors) {
            (OverKeys::Rows(_), None) => {}
            (OverKeys::Rows(_), Some(divisors)) => f.times(count, |query| {
                let (row, scale) = (out.row(query), (f.scalar(1.0) / divisors.load(query)).splat());
                self.each_register(f, |channel, lanes| {
                    row.store_lanes(channel, row.load_lanes(channel, lanes) * scale, lanes);
                });
            }),
            (OverKeys::Columns(columns), _) => f.each(f.index(0), count, TILE, |query| {
                let (panel, lane) = (query / self.panel * (self.panel * self.wide), query % self.panel);
                let scale = divisors.map(|divisors| f.vector(1.0) / divisors.load_vector(query));
                let last = (count - query - 1).or_at_most(f.index(TILE - 1));
                self.each_register(f, |channel, lanes| {
                    let of_channel = |i: i64| {
                        let sums = columns.at(panel + lane + (channel + i) * self.panel).load_vector(f.index(0));
                        scale.map_or(sums, |scale| sums * scale)
                    };
                    let rows = transpose(&(0..TILE).map(of_channel).collect::<Vec<_>>());
                    // From the last to the first: that which exists is written last.
                    for (i, row) in rows.iter().enumerate().rev() {
                        let to = out.row(query + f.index(i as i64).or_at_most(last));
                        to.store_lanes(channel, *row, lanes);
                    }
                });
            }),
        }
    }
}
