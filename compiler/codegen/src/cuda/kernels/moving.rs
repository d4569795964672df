//! Kernels that move rows: by index, into a cache, turned by an angle. A warp takes a tile of a row.

use super::launch::{LANES, QUAD, THREADS, Thread, WARPS, first, is_aligned};
use super::rotary::turn;
use crate::kernels::rotary::place;
use crate::mlir::{Bool, F32s, Function, GpuLaunch, Index, Pointer, WARP};
use tfc_compiler::executable::{Extent, Geometry};
use tfc_compiler::kernel::{Access, Kernel, Rope};

/// Columns: a register for each thread of a warp.
const TILE: i64 = LANES * QUAD;

/// Classes whose rows a warp adds to: so many that the ids are read by few warps, so few that there are warps enough.
const CLASSES: i64 = 128;

/// Of a thread, at most.
pub const REGISTERS: i64 = 48;

fn warps(warps: Vec<Extent>) -> Geometry {
    Geometry { threads: THREADS, blocks: Extent::Product(warps).units(WARPS), shared_bytes: 0 }
}

pub fn gather_geometry() -> Geometry {
    warps(vec![Extent::Size(0), Extent::Size(1).units(TILE)])
}

pub fn gather<'f>(f: &'f Function<'f>, launch: &GpuLaunch<'f>) {
    let ([rows, width], [ids, table, out]) = (first(&launch.sizes), first(&launch.buffers));
    each_tile(f, rows, width, |row, tile| {
        tile.copy(f, table.at(ids.load_int(row).to_index() * width), out.at(row * width));
    });
}

pub fn cache_write_geometry() -> Geometry {
    warps(vec![Extent::Size(0), Extent::Size(1), Extent::Size(3).units(TILE)])
}

pub fn cache_write<'f>(f: &'f Function<'f>, launch: &GpuLaunch<'f>) {
    let [batch, positions, capacity, width] = first(&launch.sizes);
    let [new, position, cache] = first(&launch.buffers);
    each_tile(f, batch * positions, width, |row, tile| {
        let place = row / positions * capacity + position.load_int(f.index(0)).to_index() + row % positions;
        tile.copy(f, new.at(row * width), cache.at(place * width));
    });
}

pub fn scatter_add_geometry() -> Geometry {
    warps(vec![Extent::Size(2).units(CLASSES), Extent::Size(1).units(TILE)])
}

/// A warp owns a tile of the rows of some classes: it reads all ids and adds, in their order, the rows that are its own.
pub fn scatter_add<'f>(f: &'f Function<'f>, launch: &GpuLaunch<'f>, kernel: &Kernel) {
    let ([rows, width, classes], [ids, gradient, out]) = (first(&launch.sizes), first(&launch.buffers));
    let lane = f.thread() % WARP;
    each_tile(f, classes.ceiling_division(CLASSES), width, |group, tile| {
        let begin = group * CLASSES;
        let end = (begin + CLASSES).or_at_most(classes);
        if kernel.operands[2].access != Access::Update {
            f.each(begin, end, 1, |class| tile.zero(f, out.at(class * width)));
        }
        f.each(f.index(0), rows, LANES, |first| {
            // One id for each thread; where there is none, a class of nobody.
            let row = first + lane.to_index();
            let none = f.int32(-1);
            let id = f.either(row.less(rows), || ids.load_int(row), || none);
            let mine = |id: Index<'f>| begin.at_most(id) & id.less(end);
            let found = mine(id.to_index()).select(f.scalar(1.0), f.scalar(0.0));
            let any = f.scalar(0.0).less(found.across_warp(|a, b| a.or_at_least(b)));
            f.when(any, || {
                f.times(f.index(LANES), |i| {
                    let id = id.of_lane(i.to_int32()).to_index();
                    f.when(mine(id), || tile.add(f, gradient.at((first + i) * width), out.at(id * width)));
                });
            });
        });
    });
}

pub fn rope_geometry() -> Geometry {
    warps(vec![Extent::Size(0), Extent::Size(1), Extent::Size(2)])
}

/// A warp for each head of each token.
pub fn rope<'f>(f: &'f Function<'f>, launch: &GpuLaunch<'f>, kernel: &Kernel, body: &Rope) {
    let [batch, positions, heads, channels, turned] = first(&launch.sizes);
    let [x, cosines, sines, position] = first(&launch.buffers);
    let out = if kernel.turns_in_place() { x } else { launch.buffers[4] };
    let half = turned / 2;
    let thread = Thread::this(f);
    let number = thread.warp_of_grid();
    f.when(number.less(batch * positions * heads), || {
        let token = number / heads;
        let place = place(f, position, token, positions, body.documents) * half;
        let (x, out) = (x.at(number * channels), out.at(number * channels));
        f.each(thread.lane, half, LANES, |i| {
            let tables = [cosines, sines].map(|table| table.at(place + i));
            turn(f, [x.at(i), out.at(i)], tables, half, body.inverse);
        });
        if !kernel.turns_in_place() {
            f.each(half * 2 + thread.lane, channels, LANES, |i| out.store(i, x.load(i)));
        }
    });
}

/// Does `body` for each tile of each row, a warp for each.
fn each_tile<'f>(f: &'f Function<'f>, rows: Index<'f>, width: Index<'f>, body: impl FnOnce(Index<'f>, Tile<'f>)) {
    let thread = Thread::this(f);
    let tiles = width.ceiling_division(TILE);
    let number = thread.warp_of_grid();
    f.when(number.less(rows * tiles), || {
        let begin = number % tiles * TILE;
        body(number / tiles, Tile { first: begin + thread.lane * QUAD, end: (begin + TILE).or_at_most(width) });
    });
}

/// Columns of a row, four to a thread: always the same thread, so that it sees what it has written.
#[derive(Clone, Copy)]
struct Tile<'f> {
    /// The thread's first, and where the tile ends.
    first: Index<'f>,
    end: Index<'f>,
}

impl<'f> Tile<'f> {
    fn copy(self, f: &'f Function<'f>, from: Pointer<'f>, to: Pointer<'f>) {
        let aligned = is_aligned(from) & is_aligned(to);
        let quad = |i| to.store_aligned::<F32s>(i, from.load_aligned(i));
        self.each(f, aligned, quad, |i| to.store(i, from.load(i)));
    }

    fn zero(self, f: &'f Function<'f>, to: Pointer<'f>) {
        let quad = |i| to.store_aligned(i, f.vector(0.0));
        self.each(f, is_aligned(to), quad, |i| to.store(i, f.scalar(0.0)));
    }

    /// to += from.
    fn add(self, f: &'f Function<'f>, from: Pointer<'f>, to: Pointer<'f>) {
        let aligned = is_aligned(from) & is_aligned(to);
        let quad = |i| to.store_aligned::<F32s>(i, to.load_aligned::<F32s>(i) + from.load_aligned(i));
        self.each(f, aligned, quad, |i| to.store(i, to.load(i) + from.load(i)));
    }

    fn each(self, f: &'f Function<'f>, aligned: Bool<'f>, quad: impl FnOnce(Index<'f>), one: impl FnOnce(Index<'f>)) {
        let next = self.first + QUAD;
        f.either(
            aligned & next.at_most(self.end),
            || quad(self.first),
            || f.each(self.first, next.or_at_most(self.end), 1, one),
        );
    }
}
