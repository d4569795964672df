//! Copying a block of a matrix into panels.

use super::Layout;
use super::layout::Order;
use crate::mlir::{Cache, Function, Index, Lanes, Pointer, Stored, Vector, transpose};
use tfc_compiler::graph::DType;

/// A block to be packed: where its first element is, the distance of its stored rows, its lanes (at least one) and how many k.
#[derive(Clone, Copy)]
pub struct Block<'f> {
    pub source: Stored<'f>,
    pub leading: Index<'f>,
    pub lanes: Index<'f>,
    pub depth: Index<'f>,
    /// From one panel to the next.
    pub distance: Index<'f>,
}

/// Packs a matrix whose stored rows are lanes: k runs along them.
pub fn pack_rows<'f>(f: &'f Function<'f>, layout: Layout, block: Block<'f>, destination: Pointer<'f>) {
    let dtype = block.source.dtype;
    let name = format!("pack_rows_{}{}_{}", layout.name(), from(dtype), layout.lanes);
    f.call(
        &name,
        &[block.source.pointer, destination],
        &[block.leading, block.lanes, block.depth, block.distance],
        |f, pointers, indices| {
            let (&[pointer, destination], &[leading, lanes, depth, distance]) = (pointers, indices) else { return };
            let source = Stored { pointer, dtype };
            f.each(f.index(0), lanes, layout.lanes, |first| {
                let panel = destination.at(first / layout.lanes * distance);
                let block =
                    Block { source: source.at(first * leading), leading, lanes: lanes - first, depth, distance };
                pack_panel(f, layout, block, panel);
            });
        },
    );
}

/// Told apart in the names of helpers.
fn from(dtype: DType) -> &'static str {
    match dtype {
        DType::F32 | DType::I32 => "",
        DType::BF16 => "_from_bf16",
    }
}

/// The same for the first panel alone.
pub fn pack_panel<'f>(f: &'f Function<'f>, layout: Layout, block: Block<'f>, destination: Pointer<'f>) {
    f.each(f.index(0), f.index(layout.lanes), f.vectors().width as i64, |first| {
        // A group wholly beyond the edge repeats the last row.
        let there = first.or_at_most(block.lanes - 1);
        let group = Block { source: block.source.at(there * block.leading), lanes: block.lanes - there, ..block };
        pack_group(f, layout, group, destination.at(layout.lane(first)));
    });
}

/// … for one register of lanes: `destination[step · pitch + lane] = source[lane · leading + k]`, k the first of the step, or whole tiles. Lanes beyond those
/// of the block repeat its last.
pub fn pack_group<'f>(f: &'f Function<'f>, layout: Layout, block: Block<'f>, destination: Pointer<'f>) {
    let Block { source, leading, lanes, depth, .. } = block;
    let (dtype, numbers, pitch) = (source.dtype, layout.numbers, f.index(layout.pitch));
    let name = format!("pack_group_{}{}", layout.name(), from(dtype));
    f.call(&name, &[source.pointer, destination], &[leading, lanes, depth, pitch], |f, pointers, indices| {
        let (&[pointer, destination], &[leading, lanes, depth, pitch]) = (pointers, indices) else { return };
        let source = Stored { pointer, dtype };
        let width = f.vectors().width as i64;
        let row = |r: i64| source.at(f.index(r).or_at_most(lanes - 1) * leading);
        let rows: Vec<_> = (0..width).map(row).collect();
        let square = |k: Index<'_>, there: Option<Index<'_>>| {
            // The rows of the next group, which lie elsewhere.
            if there.is_none() {
                rows.iter().for_each(|row| {
                    row.at(leading * width + k).prefetch(width * numbers.step(), Cache::Passing, false)
                });
            }
            let steps: Vec<_> = rows.iter().map(|row| numbers.along(*row, k, there)).collect();
            let to = destination.at(k / numbers.step() * pitch);
            match layout.order {
                Order::Steps => store_apart(to, &transpose(&steps), pitch),
                Order::Tiles => store_apart(to, &transpose(&steps), f.index(width)),
                Order::TurnedTiles => store_apart(to, &steps, f.index(width)),
            }
        };
        let whole = depth - depth % (width * numbers.step());
        f.each(f.index(0), whole, width * numbers.step(), |k| square(k, None));
        f.when(whole.less(depth), || square(whole, Some(depth - whole)));
    });
}

fn store_apart<'f>(to: Pointer<'f>, registers: &[Vector<'f>], distance: Index<'f>) {
    registers.iter().enumerate().for_each(|(i, register)| to.store_vector(distance * i as i64, *register));
}

/// How many rows ahead a matrix is asked for whose rows are k: a block of A is a few lines of each, which no prefetcher of a processor follows.
pub const AHEAD: i64 = 8;

/// Packs a matrix whose stored rows are k: lanes lie side by side. Rows of the matrix are read through before the next are begun.
pub fn pack_columns<'f>(f: &'f Function<'f>, layout: Layout, block: Block<'f>, destination: Pointer<'f>) {
    let dtype = block.source.dtype;
    let name = format!("pack_columns_{}{}_{}", layout.name(), from(dtype), layout.lanes);
    let (sizes, pointers) =
        ([block.leading, block.lanes, block.depth, block.distance], [block.source.pointer, destination]);
    f.call(&name, &pointers, &sizes, |f, pointers, indices| {
        let (&[pointer, destination], &[leading, lanes, depth, distance]) = (pointers, indices) else { return };
        let source = Stored { pointer, dtype };
        if layout.order == Order::TurnedTiles {
            return pack_squares(f, layout, Block { source, leading, lanes, depth, distance }, destination);
        }
        let step = layout.numbers.step();
        // Panels whose registers all lie within the row.
        let whole = (lanes + (layout.lanes - layout.pitch)).or_at_least(f.index(0)) / layout.lanes;
        let pack_step = |k: Index<'_>, there: i64| {
            let to = destination.at(layout.step(k));
            let rows: Vec<_> = (0..there).map(|row| source.at((k + row) * leading)).collect();
            let panel = |panel: Index<'_>, lanes: Option<Index<'_>>| {
                let first = panel * layout.lanes;
                for row in 0..there {
                    source.at((k + row + AHEAD) * leading + first).prefetch(layout.pitch, Cache::Passing, false);
                }
                let rows: Vec<_> = rows.iter().map(|row| row.at(first)).collect();
                copy_step(f, layout, &rows, to.at(panel * distance), lanes.map(|lanes| lanes - first));
            };
            f.times(whole, |i| panel(i, None));
            f.each(whole, lanes.ceiling_division(layout.lanes), 1, |i| panel(i, Some(lanes)));
        };
        let end = depth - depth % step;
        f.each(f.index(0), end, step, |k| pack_step(k, step));
        // The odd k that makes a step of its own.
        if step > 1 {
            f.when(end.less(depth), || pack_step(end, 1));
        }
        if layout.order == Order::Tiles {
            f.each(depth.round_up(step), depth.round_up(layout.together()), step, |k| {
                f.times(lanes.ceiling_division(layout.lanes), |panel| {
                    let to = destination.at(panel * distance).at(layout.step(k));
                    for first in (0..layout.pitch).step_by(f.vectors().width) {
                        to.store_vector(layout.lane(f.index(first)), f.vector(0.0));
                    }
                });
            });
        }
    });
}

/// The same in turned tiles: registers of lanes are turned into registers of steps.
fn pack_squares<'f>(f: &'f Function<'f>, layout: Layout, block: Block<'f>, destination: Pointer<'f>) {
    let Block { source, leading, lanes, depth, distance } = block;
    let (numbers, width) = (layout.numbers, f.vectors().width as i64);
    f.each(f.index(0), depth, layout.together(), |k| {
        let are_whole = k + layout.together();
        f.each(f.index(0), lanes.round_up(layout.lanes), width, |first| {
            let row = |r: i64| source.at((k + r) * leading + first);
            for r in 0..layout.together() {
                row(r + layout.together()).prefetch(width, Cache::Passing, false);
            }
            let to = destination.at(first / layout.lanes * distance + layout.step(k));
            let to = to.at(layout.lane(first % layout.lanes));
            let store = |steps: Vec<Vector<'f>>| store_apart(to, &transpose(&steps), f.index(width));
            f.either(
                are_whole.at_most(depth) & (first + width).at_most(lanes),
                || {
                    let step = |i: i64| {
                        let rows: Vec<_> = (0..numbers.step()).map(|r| row(i * numbers.step() + r)).collect();
                        numbers.across_rows(&rows, Lanes::All)
                    };
                    store((0..width).map(step).collect());
                },
                || {
                    let number = |r: i64| {
                        let there = (k + r).less(depth).select(lanes - first, f.index(0)).or_at_least(f.index(0));
                        row(r).load_lanes(f.index(0), Lanes::Some(there.lanes()))
                    };
                    store((0..width).map(|i| numbers.across(|r| number(i * numbers.step() + r))).collect());
                },
            );
        });
    });
}

/// Copies one step of a panel, those lanes that are there: rows side by side, as many as there are k.
fn copy_step<'f>(f: &'f Function<'f>, layout: Layout, rows: &[Stored<'f>], to: Pointer<'f>, there: Option<Index<'f>>) {
    for first in (0..layout.pitch).step_by(f.vectors().width) {
        let lanes = there.map_or(Lanes::All, |there| Lanes::Some((there - first).lanes()));
        let rows: Vec<_> = rows.iter().map(|row| row.at(f.index(first))).collect();
        to.store_vector(layout.lane(f.index(first)), layout.numbers.across_rows(&rows, lanes));
    }
}
