//! One head: its rows, how blocks of them are copied, and the three products between them.

use super::tile::{Form, Onto, Operands, UNROLL, multiply};
use super::tiles::{self, Quad};
use super::{KEYS, TILES_KEYS};
use crate::gemm::{Block, Layout, Numbers, Rows, TILE_STEP, pack_rows, round_up};
use crate::mlir::{Function, Index, Lanes, Pointer, TILE, Vector};
use crate::vectors::Vectors;
use tfc_compiler::precision::Precision;

/// f32 of a cache line.
const LINE: i64 = 16;

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
}

/// The channels of a head and the tiles that its products are cut into.
#[derive(Clone, Copy)]
pub struct Shape {
    pub channels: i64,
    /// What scores are products of, and what is multiplied in sums over queries and over keys.
    pub numbers: Numbers,
    pub(super) vectors: Vectors,
    /// Whether products are those of tile registers.
    pub in_tiles: bool,
    /// Channels as rows of copies have them: in tile registers whole tiles, what lies behind the last being 0.
    pub(super) wide: i64,
    /// Keys that are copied and scored at once.
    pub block: i64,
    /// Queries of a panel: the columns of a tile of scores.
    pub panel: i64,
    /// Keys of such a tile.
    pub keys: i64,
    /// Queries of a tile of their sums: as many as divide a panel.
    pub queries: i64,
    /// The distance of copied rows: an odd number of cache lines, so that they do not meet in one set of the first cache.
    pub pitch: i64,
    /// The same of rows in steps: as many numbers in a lane as a product takes at once.
    step_pitch: i64,
}

/// Scores, or what became of them: a row for each key of a block, `pitch` apart, a column for each query.
#[derive(Clone, Copy)]
pub struct Scores<'f> {
    pub pointer: Pointer<'f>,
    pub pitch: i64,
}

impl<'f> Scores<'f> {
    pub fn at(self, key: Index<'f>, query: Index<'f>) -> Pointer<'f> {
        self.pointer.at(key * self.pitch + query)
    }

    /// From a query on.
    pub fn from(self, query: Index<'f>) -> Scores<'f> {
        Scores { pointer: self.pointer.at(query), ..self }
    }
}

impl Shape {
    pub fn new(channels: u32, precision: Precision, vectors: Vectors) -> Shape {
        let numbers = Numbers::new(precision, vectors);
        let (rows, panel) = (Layout::of_a(numbers, vectors).lanes, vectors.columns() as i64);
        let (channels, in_tiles) = (channels.into(), numbers.in_tiles(vectors));
        let queries = (1..=rows).rev().find(|rows| panel % rows == 0).unwrap_or(1);
        let pitch = |elements| odd_lines(round_up(elements, vectors.width as i64));
        let wide = if in_tiles { round_up(channels, rows) } else { channels };
        let [pitch, step_pitch] = [wide, round_up(channels, numbers.step()) / numbers.step()].map(pitch);
        let block = if in_tiles { TILES_KEYS } else { KEYS };
        Shape { channels, numbers, vectors, in_tiles, wide, block, panel, keys: rows, queries, pitch, step_pitch }
    }

    /// Lanes of `count` queries as lanes.
    pub fn lane_elements(self, count: i64) -> i64 {
        Layout::of_b(self.numbers, self.vectors).elements(count, self.channels)
    }

    /// Packs the first `count` rows as lanes of panels, repeating the last.
    pub fn as_lanes<'f>(self, f: &'f Function<'f>, rows: Rows<'f>, count: Index<'f>, to: Pointer<'f>) {
        let (source, depth) = (rows.pointer.into(), f.index(self.channels));
        let layout = Layout::of_b(self.numbers, self.vectors);
        let block = Block { source, leading: rows.stride, lanes: count, depth, distance: layout.distance(depth) };
        pack_rows(f, layout, block, to);
    }

    /// The panel of those lanes that begins with `query`.
    pub fn panel_of<'f>(self, lanes: Pointer<'f>, query: Index<'f>) -> Pointer<'f> {
        let distance = Layout::of_b(self.numbers, self.vectors).distance(query.constant(self.channels));
        lanes.at(query / self.panel * distance)
    }

    /// Where the registers of a panel begin.
    pub fn panel_registers<'f>(self, f: &'f Function<'f>) -> Vec<Index<'f>> {
        (0..self.panel).step_by(self.vectors.width).map(|lane| f.index(lane)).collect()
    }

    /// Copies the first `count` rows to where they lie close together, in steps along their channels, as scores are made of.
    pub fn copy_steps<'f>(self, f: &'f Function<'f>, rows: Rows<'f>, count: Index<'f>, to: Pointer<'f>) {
        let width = self.vectors.width as i64;
        f.times(count, |i| {
            let (from, to) = (rows.row(i), to.at(i * self.step_pitch));
            for step in (0..self.step_pitch).step_by(self.vectors.width) {
                let (channel, there) = (step * self.numbers.step(), self.channels - step * self.numbers.step());
                if there > 0 {
                    let edge = (there < width * self.numbers.step()).then(|| f.index(there));
                    to.store_vector(f.index(step), self.numbers.along(from.into(), f.index(channel), edge));
                }
            }
        });
    }

    /// … in steps across them, as sums over them read them: what a step lacks is 0, as is what lies behind their last channel, and for tile registers behind the
    /// last of them.
    pub fn copy_across<'f>(self, f: &'f Function<'f>, rows: Rows<'f>, count: Index<'f>, to: Pointer<'f>) {
        let copy = |step: Index<'f>, there: i64| {
            let (first, to) = (step * self.numbers.step(), to.at(step * self.pitch));
            self.each_register(f, |channel, lanes| {
                let row = |r: i64| match r < there {
                    true => rows.row(first + r).load_lanes(channel, lanes),
                    false => f.vector(0.0),
                };
                to.store_vector(channel, self.numbers.across(row));
            });
            let width = self.vectors.width as i64;
            for channel in (round_up(self.channels, width)..self.wide).step_by(self.vectors.width) {
                to.store_vector(f.index(channel), f.vector(0.0));
            }
        };
        let (whole, steps) = (count / self.numbers.step(), self.numbers.steps(count));
        f.times(whole, |step| copy(step, self.numbers.step()));
        if self.numbers.step() > 1 {
            f.when(whole.less(steps), || copy(whole, 1));
        }
        if self.in_tiles {
            f.each(steps, steps.round_up(TILE), 1, |step| copy(step, 0));
        }
    }

    /// Makes steps of the rows `[begin, end)` of a panel's scores, in their place, as sums over keys read them: for tile registers whole tiles of them, filled up
    /// with 0.
    pub fn steps_of_keys<'f>(self, f: &'f Function<'f>, scores: Scores<'f>, (begin, end): (Index<'f>, Index<'f>)) {
        if self.numbers == Numbers::F32 {
            return;
        }
        let (zero, step) = (f.index(0), self.numbers.step());
        let last = if self.in_tiles { end.round_up(TILE_STEP) } else { end };
        f.each(begin / step, self.numbers.steps(last), 1, |to| {
            for lane in self.panel_registers(f) {
                let row = |r: i64| {
                    let row = to * step + r;
                    let there = (begin.at_most(row) & row.less(end)).select(f.index(self.vectors.width as i64), zero);
                    scores.at(row, lane).load_lanes(zero, Lanes::Some(there.lanes()))
                };
                scores.at(to, lane).store_vector(zero, self.numbers.across(row));
            }
        });
    }

    /// Registers of successive queries, as sums over queries read them: those of a row of scores.
    pub fn store_steps<'f>(self, row: Pointer<'f>, registers: &[Vector<'f>]) {
        let f = row.function();
        let steps: Vec<Vector> = match self.numbers {
            Numbers::F32 => registers.to_vec(),
            Numbers::Bf16 => registers.iter().map(|register| register.rounded_to_bf16()).collect(),
            Numbers::Bf16Pairs => registers.chunks_exact(2).map(|two| two[0].paired_with_neighbours(two[1])).collect(),
        };
        let at = (0..).step_by(self.vectors.width);
        at.zip(steps).for_each(|(at, step)| row.store_vector(f.index(at), step));
    }

    /// Where the registers of a row begin, and how many lanes there are.
    fn registers(self) -> impl Iterator<Item = (i64, i64)> {
        let width = self.vectors.width as i64;
        (0..self.channels).step_by(self.vectors.width).map(move |at| (at, (self.channels - at).min(width)))
    }

    /// The registers of a row, with the lanes that there are.
    pub fn each_register<'f>(self, f: &'f Function<'f>, body: impl Fn(Index<'f>, Lanes<'f>)) {
        let width = self.vectors.width as i64;
        for (channel, there) in self.registers() {
            let lanes = if there < width { Lanes::Some(f.index(there).lanes()) } else { Lanes::All };
            body(f.index(channel), lanes);
        }
    }

    /// Rows of the next head, which lies beside, to be asked for: with each panel another part of those of two tensors.
    pub fn of_next_head<'f>(self, panel: Index<'f>, [a, b]: [Rows<'f>; 2]) -> Rows<'f> {
        let parts = (self.channels + self.panel - 1) / self.panel;
        let part = panel % (2 * parts);
        let is_a = part.less(panel.constant(parts));
        let pointer = is_a.select(a.pointer, b.pointer).at(part % parts * self.panel + self.channels);
        Rows { pointer, stride: is_a.select(a.stride, b.stride) }
    }

    /// scores = keys · queries, for the keys `[begin, end)`, copied in steps, and a panel of queries. What will be read soon is `wanted`: a row
    /// for each key.
    pub fn scores<'f>(
        self,
        f: &'f Function<'f>,
        keys: Pointer<'f>,
        (begin, end): (Index<'f>, Index<'f>),
        queries: Pointer<'f>,
        out: Scores<'f>,
        wanted: Rows<'f>,
    ) {
        if self.in_tiles {
            return self.scores_in_tiles(f, keys, (begin, end), queries, out);
        }
        let width = self.vectors.width as i64;
        let steps = round_up(self.channels, self.numbers.step()) / self.numbers.step();
        let turns = (steps / UNROLL).max(1);
        let form = Form {
            numbers: self.numbers,
            rows: self.keys,
            registers: self.panel / width,
            last_lanes: width,
            a_row: self.step_pitch,
            a_step: 1,
            b_step: self.panel,
            onto: Onto::Overwrite,
            asks: (self.keys + turns - 1) / turns,
        };
        f.each(begin, end, self.keys, |key| {
            let tile = Rows { pointer: out.at(key, f.index(0)), stride: f.index(out.pitch) };
            let (a, k) = (keys.at(key * self.step_pitch), self.numbers.steps(f.index(self.channels)));
            let (last_row, wanted) = (f.index(self.keys), wanted.from(key));
            multiply(f, form, Operands { a, b: queries, k, out: tile, last_row, fade: queries, wanted });
        });
    }

    fn scores_in_tiles<'f>(
        self,
        f: &'f Function<'f>,
        keys: Pointer<'f>,
        (begin, end): (Index<'f>, Index<'f>),
        queries: Pointer<'f>,
        out: Scores<'f>,
    ) {
        f.each(begin, end, self.keys, |key| {
            let quad = Quad {
                a: Rows { pointer: keys.at(key * self.step_pitch), stride: f.index(self.step_pitch) },
                a_step: f.index(TILE),
                b: Rows { pointer: queries, stride: f.index(TILE) },
                b_step: f.index(self.panel * TILE),
                b_beside: TILE * TILE,
                steps: f.index(self.wide / TILE_STEP),
                out: Rows { pointer: out.at(key, f.index(0)), stride: f.index(out.pitch) },
            };
            tiles::multiply(f, false, quad);
        });
    }

    /// out += weightsᵀ · rows for a tile of queries, summed over the keys `[begin, end)`, both in steps of them.
    pub(super) fn sum_rows_over_keys<'f>(
        self,
        f: &'f Function<'f>,
        weights: Scores<'f>,
        (begin, end): (Index<'f>, Index<'f>),
        rows: Pointer<'f>,
        sum: Sum<'f>,
    ) {
        let numbers = self.numbers;
        let step = begin / numbers.step();
        let first = weights.at(step, f.index(0));
        let a = Left { numbers, rows: self.queries, row: 1, step: weights.pitch, first };
        self.add_product(f, a, rows.at(step * self.pitch), numbers.steps(end) - step, sum);
    }

    /// out += weights · rows for a tile of keys, summed over the queries `[begin, end)`, both in steps of them; `begin` is the first of a step.
    pub fn sum_over_queries<'f>(
        self,
        f: &'f Function<'f>,
        weights: Scores<'f>,
        (begin, end): (Index<'f>, Index<'f>),
        rows: Pointer<'f>,
        sum: Sum<'f>,
    ) {
        if self.in_tiles {
            return self.sum_over_queries_in_tiles(f, weights, (begin / TILE_STEP * TILE_STEP, end), rows, sum);
        }
        let numbers = self.numbers;
        let step = begin / numbers.step();
        let first = weights.at(f.index(0), step);
        let a = Left { numbers, rows: self.keys, row: weights.pitch, step: 1, first };
        self.add_product(f, a, rows.at(step * self.pitch), numbers.steps((end - begin).or_at_least(f.index(0))), sum);
    }

    fn sum_over_queries_in_tiles<'f>(
        self,
        f: &'f Function<'f>,
        weights: Scores<'f>,
        (begin, end): (Index<'f>, Index<'f>),
        rows: Pointer<'f>,
        sum: Sum<'f>,
    ) {
        let step = begin / self.numbers.step();
        let quad = |channel: i64, out| Quad {
            a: Rows { pointer: weights.at(f.index(0), step), stride: f.index(weights.pitch) },
            a_step: f.index(TILE),
            b: Rows { pointer: rows.at(step * self.pitch + channel), stride: f.index(self.pitch) },
            b_step: f.index(self.pitch * TILE),
            b_beside: TILE,
            steps: (end - begin).or_at_least(f.index(0)).ceiling_division(TILE_STEP),
            out,
        };
        let kept = Rows { pointer: f.stack(self.keys * self.wide), stride: f.index(self.wide) };
        for channel in (0..self.wide).step_by(self.panel as usize) {
            tiles::multiply(f, false, quad(channel, Rows { pointer: kept.pointer.at(f.index(channel)), ..kept }));
        }
        f.times((sum.last_row + 1).or_at_most(f.index(self.keys)), |row| {
            let (from, to) = (kept.row(row), sum.out.row(row));
            self.each_register(f, |channel, lanes| {
                let sum = from.load_vector(channel) + to.load_lanes(channel, lanes);
                to.store_lanes(channel, sum, lanes);
            });
        });
    }

    /// All channels, a few registers of them at a time: as many as leave the tile in registers.
    fn add_product<'f>(self, f: &'f Function<'f>, a: Left<'f>, b: Pointer<'f>, k: Index<'f>, sum: Sum<'f>) {
        let width = self.vectors.width as i64;
        let all = (self.channels + width - 1) / width;
        let most = (self.vectors.rows * self.vectors.registers) as i64 / a.rows;
        let groups = (all + most - 1) / most;
        for group in 0..groups {
            let (first, end) = (all * group / groups, all * (group + 1) / groups);
            let form = Form {
                numbers: a.numbers,
                rows: a.rows,
                registers: end - first,
                last_lanes: (self.channels - (end - 1) * width).min(width),
                a_row: a.row,
                a_step: a.step,
                b_step: self.pitch,
                onto: if sum.fade.is_some() { Onto::Fade } else { Onto::Add },
                asks: 0,
            };
            let (at, k, fade) = (f.index(first * width), k.or_at_least(f.index(0)), sum.fade.unwrap_or(a.first));
            let out = Rows { pointer: sum.out.pointer.at(at), ..sum.out };
            let last_row = sum.last_row;
            multiply(f, form, Operands { a: a.first, b: b.at(at), k, out, last_row, fade, wanted: out });
        }
    }
}

/// The first operand of a product: a tile of scores, read in one direction or the other.
struct Left<'f> {
    numbers: Numbers,
    rows: i64,
    row: i64,
    step: i64,
    first: Pointer<'f>,
}

/// Where a product is added.
#[derive(Clone, Copy)]
pub struct Sum<'f> {
    pub out: Rows<'f>,
    /// The last row that exists.
    pub last_row: Index<'f>,
    /// Factors for what was there before, one for each row.
    pub fade: Option<Pointer<'f>>,
}

/// Padded to an odd number of cache lines, where it is whole lines.
pub fn odd_lines(elements: i64) -> i64 {
    if elements % (2 * LINE) == 0 { elements + LINE } else { elements }
}
