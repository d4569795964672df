//! The register tile of attention: a small matrix product whose operands are read where they lie.
//!
//! Unlike [`crate::gemm`]'s, which stream from panels, these operands are blocks in the first two caches: rows of channels, and tiles of scores that
//! are read along rows or along columns. So nothing is turned between one product and the next.

use crate::gemm::{Numbers, Rows};
use crate::mlir::{Cache, Function, Index, Lanes, Pointer, Stored, Vector};

/// Steps of k in one turn of the loop.
pub const UNROLL: i64 = 4;

/// The structure of a product.
#[derive(Clone, Copy)]
pub struct Form {
    /// What the lanes of A and B hold.
    pub numbers: Numbers,
    /// Of the tile; the columns are registers.
    pub rows: i64,
    pub registers: i64,
    /// Lanes of the last register that are stored.
    pub last_lanes: i64,
    /// From one row of A to the next, and from one step of k to the next.
    pub a_row: i64,
    pub a_step: i64,
    pub b_step: i64,
    pub onto: Onto,
    /// Rows that are wanted soon, of which so many are asked for in each turn of the loop: see [`crate::gemm::multiply`].
    pub asks: i64,
}

/// What becomes of the numbers that the product meets.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Onto {
    Overwrite,
    Add,
    /// Each row is multiplied by a factor before the product is added.
    Fade,
}

/// What a product reads and writes.
#[derive(Clone, Copy)]
pub struct Operands<'f> {
    pub a: Pointer<'f>,
    pub b: Pointer<'f>,
    /// Steps of k, at least none.
    pub k: Index<'f>,
    pub out: Rows<'f>,
    /// Rows of the tile beyond this one do not exist: what is computed for them is written to the last one, and overwritten.
    pub last_row: Index<'f>,
    /// For [`Onto::Fade`], a factor for each row.
    pub fade: Pointer<'f>,
    /// As much of each row as a row of the tile has.
    pub wanted: Rows<'f>,
}

impl Form {
    fn name(self) -> String {
        let Form { numbers, rows, registers, last_lanes, a_row, a_step, b_step, onto, asks } = self;
        let onto = match onto {
            Onto::Overwrite => "overwrite",
            Onto::Add => "add",
            Onto::Fade => "fade",
        };
        format!("tile_{}_{rows}x{registers}_{last_lanes}_{a_row}_{a_step}_{b_step}_{onto}_{asks}", numbers.name())
    }
}

/// out ← A · B, added to what is there as `form` says.
pub fn multiply<'f>(f: &'f Function<'f>, form: Form, operands: Operands<'f>) {
    let Operands { a, b, k, out, last_row, fade, wanted } = operands;
    let (pointers, sizes) = ([a, b, out.pointer, fade, wanted.pointer], [k, out.stride, last_row, wanted.stride]);
    f.call(&form.name(), &pointers, &sizes, |f, pointers, indices| {
        let (&[a, b, out, fade, wanted], &[k, stride, last_row, wanted_stride]) = (pointers, indices) else { return };
        let row = |r: i64| out.at(f.index(r).or_at_most(last_row) * stride);
        let lanes = |register: i64| match register == form.registers - 1 && form.last_lanes < width(f) {
            true => Lanes::Some(f.index(form.last_lanes).lanes()),
            false => Lanes::All,
        };
        let before = |r: i64, register: i64| {
            let old = || row(r).load_lanes(f.index(register * width(f)), lanes(register));
            match form.onto {
                Onto::Overwrite => f.vector(0.0),
                Onto::Add => old(),
                Onto::Fade => old() * fade.load(f.index(r)).splat(),
            }
        };
        let tile = || (0..form.rows).flat_map(|r| (0..form.registers).map(move |register| (r, register)));
        let sums: Vec<Vector> = tile().map(|(r, register)| before(r, register)).collect();
        let whole = k - k % UNROLL;
        let sums = f.carry(f.index(0), whole, UNROLL, sums, |k, sums| {
            for i in 0..form.asks {
                let row = Stored::from(wanted.at((k / UNROLL * form.asks + i) * wanted_stride));
                row.prefetch(form.registers * width(f), Cache::Second, false);
            }
            steps(f, form, (a, b), k, UNROLL, sums)
        });
        let sums = f.carry(whole, k, 1, sums, |k, sums| steps(f, form, (a, b), k, 1, sums));
        // From the last row to the first: that which exists is written last.
        for ((r, register), sum) in tile().zip(&sums).collect::<Vec<_>>().into_iter().rev() {
            row(r).store_lanes(f.index(register * width(f)), *sum, lanes(register));
        }
    });
}

/// Adds the products of `count` steps of k, from `k` on.
fn steps<'f>(
    f: &'f Function<'f>,
    form: Form,
    (a, b): (Pointer<'f>, Pointer<'f>),
    k: Index<'f>,
    count: i64,
    mut sums: Vec<Vector<'f>>,
) -> Vec<Vector<'f>> {
    let (a, b) = (a.at(k * form.a_step), b.at(k * form.b_step));
    for step in 0..count {
        let column = |register| b.load_vector(f.index(step * form.b_step + register * width(f)));
        let columns: Vec<Vector> = (0..form.registers).map(column).collect();
        for (r, sums) in sums.chunks_exact_mut(form.registers as usize).enumerate() {
            let element = a.load(f.index(step * form.a_step + r as i64 * form.a_row)).splat();
            sums.iter_mut()
                .zip(&columns)
                .for_each(|(sum, column)| *sum = form.numbers.accumulate(element, *column, *sum));
        }
    }
    sums
}

fn width(f: &Function) -> i64 {
    f.vectors().width as i64
}
