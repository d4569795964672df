//! Copying a block of a matrix into panels.

use super::layout::Layout;
use crate::mlir::{Function, Index, Lanes, Pointer, transpose};

/// A block to be packed: where its first element is, the distance of its stored rows, its lanes (at least one) and its steps of k.
#[derive(Clone, Copy)]
pub struct Block<'f> {
    pub source: Pointer<'f>,
    pub leading: Index<'f>,
    pub lanes: Index<'f>,
    pub depth: Index<'f>,
}

/// Packs a matrix whose stored rows are lanes: k runs along them.
pub fn pack_rows<'f>(f: &'f Function<'f>, layout: Layout, block: Block<'f>, destination: Pointer<'f>) {
    let name = format!("pack_rows_{}", layout.lanes);
    f.call(&name, &[block.source, destination], &[block.leading, block.lanes, block.depth], |f, pointers, indices| {
        let (&[source, destination], &[leading, lanes, depth]) = (pointers, indices) else { return };
        f.each(f.index(0), lanes, layout.lanes, |first| {
            let panel = destination.at(first / layout.lanes * layout.distance(depth));
            let block = Block { source: source.at(first * leading), leading, lanes: lanes - first, depth };
            pack_panel(f, layout, block, panel);
        });
    });
}

/// The same for the first panel alone.
pub fn pack_panel<'f>(f: &'f Function<'f>, layout: Layout, block: Block<'f>, destination: Pointer<'f>) {
    f.each(f.index(0), f.index(layout.lanes), f.vectors().width as i64, |first| {
        // A group wholly beyond the edge repeats the last row.
        let there = first.or_at_most(block.lanes - 1);
        let group = Block { source: block.source.at(there * block.leading), lanes: block.lanes - there, ..block };
        pack_group(f, group, destination.at(first), f.index(layout.pitch));
    });
}

/// … for one register of lanes: `destination[k · pitch + lane] = source[lane · leading + k]`. Lanes beyond those of the block repeat its last.
pub fn pack_group<'f>(f: &'f Function<'f>, block: Block<'f>, destination: Pointer<'f>, pitch: Index<'f>) {
    let Block { source, leading, lanes, depth } = block;
    f.call("pack_group", &[source, destination], &[leading, lanes, depth, pitch], |f, pointers, indices| {
        let (&[source, destination], &[leading, lanes, depth, pitch]) = (pointers, indices) else { return };
        let width = f.vectors().width as i64;
        let row = |r: i64| source.at(f.index(r).or_at_most(lanes - 1) * leading);
        let rows: Vec<_> = (0..width).map(row).collect();
        f.strips(f.index(0), depth, |k, edge| {
            let columns = transpose(&rows.iter().map(|row| row.load_lanes(k, edge)).collect::<Vec<_>>());
            for (i, column) in columns.iter().enumerate() {
                destination.store_vector((k + i as i64) * pitch, *column);
            }
        });
    });
}

/// Packs a matrix whose stored rows are steps of k: lanes lie side by side. A row of the matrix is read through before the next is begun.
pub fn pack_columns<'f>(f: &'f Function<'f>, layout: Layout, block: Block<'f>, destination: Pointer<'f>) {
    let name = format!("pack_columns_{}", layout.lanes);
    f.call(&name, &[block.source, destination], &[block.leading, block.lanes, block.depth], |f, pointers, indices| {
        let (&[source, destination], &[leading, lanes, depth]) = (pointers, indices) else { return };
        let distance = layout.distance(depth);
        // Panels whose registers all lie within the row.
        let whole = (lanes + (layout.lanes - layout.pitch)).or_at_least(f.index(0)) / layout.lanes;
        f.times(depth, |k| {
            let (from, to) = (source.at(k * leading), destination.at(k * layout.pitch));
            f.times(whole, |panel| copy_panel(f, layout, from.at(panel * layout.lanes), to.at(panel * distance), None));
            f.each(whole, lanes.ceiling_division(layout.lanes), 1, |panel| {
                let first = panel * layout.lanes;
                copy_panel(f, layout, from.at(first), to.at(panel * distance), Some(lanes - first));
            });
        });
    });
}

/// Copies the registers of a panel, those lanes that are there.
fn copy_panel<'f>(f: &'f Function<'f>, layout: Layout, from: Pointer<'f>, to: Pointer<'f>, there: Option<Index<'f>>) {
    for first in (0..layout.pitch).step_by(f.vectors().width) {
        let lanes = there.map_or(Lanes::All, |there| Lanes::Some((there - first).lanes()));
        to.store_vector(f.index(first), from.load_lanes(f.index(first), lanes));
    }
}
