//! Copying a block of a matrix into a panel.

use crate::mlir::{Function, Index, Lanes, Pointer, transpose};

/// A matrix whose rows become the lanes of a panel: `width` rows at most, k along each.
///
/// `destination[k · stride + row] = source[row · leading + k]` for all `k < length` and the first register of rows. Rows past `rows`, which is at least 1, repeat the
/// last. A multiple of the register's width is written along k, and a register's width along the rows: the caller fills panels in
/// ascending order.
pub fn pack_transposed<'f>(
    f: &'f Function<'f>,
    source: Pointer<'f>,
    leading: Index<'f>,
    rows: Index<'f>,
    length: Index<'f>,
    destination: Pointer<'f>,
    stride: Index<'f>,
) {
    f.call("pack_transposed", &[source, destination], &[leading, rows, length, stride], |f, pointers, indices| {
        let (&[source, destination], &[leading, rows, length, stride]) = (pointers, indices) else { return };
        let width = f.vectors().width as i64;
        let row = |r: i64| source.at(f.index(r).or_at_most(rows - 1) * leading);
        let sources: Vec<_> = (0..width).map(row).collect();
        f.strips(f.index(0), length, |k, lanes| {
            let columns = transpose(&sources.iter().map(|row| row.load_lanes(k, lanes)).collect::<Vec<_>>());
            for (i, column) in columns.iter().enumerate() {
                destination.store_vector((k + i as i64) * stride, *column);
            }
        });
    });
}

/// A matrix whose columns are the lanes of a panel.
///
/// `destination[k · stride + column] = source[k · leading + column]` for all `k < length` and the first `stride` columns, of which `columns` are there.
pub fn pack_straight<'f>(
    f: &'f Function<'f>,
    source: Pointer<'f>,
    leading: Index<'f>,
    columns: Index<'f>,
    length: Index<'f>,
    destination: Pointer<'f>,
    stride: i64,
) {
    f.call(
        &format!("pack_straight_{stride}"),
        &[source, destination],
        &[leading, columns, length],
        |f, pointers, indices| {
            let (&[source, destination], &[leading, columns, length]) = (pointers, indices) else { return };
            let width = f.vectors().width as i64;
            let registers = (stride + width - 1) / width;
            let copy = |lanes: &[Lanes]| {
                f.times(length, |k| {
                    let (from, to) = (source.at(k * leading), destination.at(k * stride));
                    for (register, lanes) in lanes.iter().enumerate() {
                        let at = f.index(register as i64 * width);
                        to.store_vector(at, from.load_lanes(at, *lanes));
                    }
                });
            };
            let whole = f.index(registers * width).at_most(columns);
            let edge: Vec<Lanes> = (0..registers).map(|r| Lanes::Some((columns - r * width).lanes())).collect();
            f.either(whole, || copy(&vec![Lanes::All; edge.len()]), || copy(&edge));
        },
    );
}
