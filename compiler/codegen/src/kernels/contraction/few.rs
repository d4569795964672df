//! A contraction with few rows: decoding above all. The columns of C are divided, the matrices are read where they stand.

use super::epilogue;
use super::operand::{Arguments, Place};
use crate::gemm::{Few, Numbers};
use crate::kernels::program::evaluate;
use crate::kernels::scratch::Scratch;
use crate::mlir::{Function, Index, Lanes, Launch, Pointer, Vector};
use tfc_compiler::kernel::Contraction;

/// Columns of C whose sums are kept until the epilogue takes them.
const RUN: i64 = 768;
/// The distance of their rows: not a multiple of the cache's page.
const RUN_LEADING: i64 = RUN + 16;

/// Between rows of A that stand in scratch, so that they do not fall on each other.
const GAP: i64 = 16;

/// What passes over k are a multiple of: a register of pairs.
const DEPTH_STEP: i64 = 32;

/// The most lanes of k of the most rows of A that are computed or rounded at once.
const COMPUTED: i64 = 4096;

/// f32 of scratch: A where it is computed or rounded, and a run of C.
fn parts() -> [i64; 2] {
    [Contraction::FEW_ROWS * (COMPUTED + GAP), Contraction::FEW_ROWS * RUN_LEADING]
}

pub fn scratch_elements() -> i64 {
    Scratch::total(&parts())
}

pub fn emit<'f>(f: &'f Function<'f>, launch: Launch<'f>, arguments: &Arguments<'f>, body: &Contraction) {
    let [computed, sums] = Scratch::divide(launch.scratch, parts());
    let numbers = Numbers::new(body.precision, f.vectors());
    let product = Product { f, body, numbers, arguments, computed, sums };
    let items = arguments.n.ceiling_division(Contraction::FEW_COLUMNS);
    // Of no rows there is no last that could stand in for those beyond the edge.
    f.when(launch.begin.less(launch.end) & f.index(0).less(arguments.m), || {
        f.each(launch.begin / items, (launch.end + items - 1) / items, 1, |outer| {
            let first = (launch.begin - outer * items).or_at_least(f.index(0));
            let end = (launch.end - outer * items).or_at_most(items);
            let end = (end * Contraction::FEW_COLUMNS).or_at_most(arguments.n);
            product.columns(outer, first * Contraction::FEW_COLUMNS, end);
        });
    });
}

struct Product<'a, 'f> {
    f: &'f Function<'f>,
    body: &'a Contraction,
    numbers: Numbers,
    arguments: &'a Arguments<'f>,
    computed: Pointer<'f>,
    sums: Pointer<'f>,
}

impl<'f> Product<'_, 'f> {
    /// Columns `[first, end)` of C.
    fn columns(&self, outer: Index<'f>, first: Index<'f>, end: Index<'f>) {
        let (f, Arguments { m, k, a, .. }) = (self.f, self.arguments);
        let in_place = self.body.prologue_a.is_none() && self.numbers == Numbers::F32;
        // As much of k as there is room for if A does not stay where it is: mostly all of it.
        let depth = match in_place {
            true => k.or_at_least(f.index(1)),
            false => (f.index(parts()[0]) / m.or_at_least(f.index(1)) - GAP) / DEPTH_STEP * DEPTH_STEP,
        };
        let one_pass = k.at_most(depth);
        f.each(first, end, RUN, |column| {
            let columns = (end - column).or_at_most(f.index(RUN));
            f.each_by(f.index(0), k.or_at_least(f.index(1)), depth, |step| {
                let steps = (*k - step).or_at_most(depth);
                let (a, a_leading) = match in_place {
                    true => (a.elements.at(outer * a.outer + step).pointer, a.leading),
                    false => {
                        let (stale, leading) = (column.equals(first) | !one_pass, depth + GAP);
                        f.when(stale, || self.compute(outer, step, steps, leading));
                        (self.computed, leading)
                    }
                };
                self.multiply((a, a_leading), outer, [step, steps], [column, columns]);
            });
            self.store(outer, column, columns);
            self.arguments.turn(f, self.body, [f.index(0), self.arguments.m], [column, column + columns]);
        });
    }

    /// `steps` columns of A from `step` on, as they are multiplied, its rows `leading` apart.
    fn compute(&self, outer: Index<'f>, step: Index<'f>, steps: Index<'f>, leading: Index<'f>) {
        let (f, arguments, numbers) = (self.f, self.arguments, self.numbers);
        let a = arguments.a;
        f.times(arguments.m, |row| {
            let source = a.elements.at(outer * a.outer + row * a.leading + step);
            f.each(f.index(0), steps, f.vectors().width as i64 * numbers.step(), |i| {
                let element = |after: i64| {
                    let lanes = Lanes::Some((steps - i - after).lanes());
                    let place = Place { outer, row, column: step + i + after, lanes };
                    lanes.or(self.element(source.load_lanes(i + after, lanes), place), f.vector(0.0))
                };
                self.computed.store_vector(row * leading + i / numbers.step(), numbers.rounded(element));
            });
        });
    }

    /// A register of A.
    fn element(&self, given: Vector<'f>, place: Place<'f>) -> Vector<'f> {
        let (f, arguments) = (self.f, self.arguments);
        match &self.body.prologue_a {
            None => given,
            Some((program, register)) => {
                evaluate(f, arguments.accuracy, program, &[*register], &mut |_, op| arguments.leaf(op, given, place))[0]
            }
        }
    }

    /// Adds `steps` of k, from `step` on, to the sums of `columns` columns.
    fn multiply(
        &self,
        a: (Pointer<'f>, Index<'f>),
        outer: Index<'f>,
        [step, steps]: [Index<'f>; 2],
        [column, columns]: [Index<'f>; 2],
    ) {
        let (f, b) = (self.f, self.arguments.b);
        let start = match self.body.transpose_b {
            true => column * b.leading + step,
            false => step * b.leading + column,
        };
        let few = Few {
            numbers: self.numbers,
            a: a.0,
            a_leading: a.1,
            rows: self.arguments.m,
            b: b.elements.at(outer * b.outer + start),
            b_leading: b.leading,
            columns,
            depth: steps,
            sums: self.sums,
            sums_leading: f.index(RUN_LEADING),
            accumulate: f.index(0).less(step),
        };
        match self.body.transpose_b {
            true => few.dots(f),
            false => few.combinations(f),
        }
    }

    fn store(&self, outer: Index<'f>, column: Index<'f>, columns: Index<'f>) {
        let (f, width) = (self.f, self.f.vectors().width as i64);
        f.times(self.arguments.m, |row| {
            f.each(f.index(0), columns, width, |c| {
                let place = Place { outer, row, column: column + c, lanes: Lanes::Some((columns - c).lanes()) };
                let sum = self.sums.load_vector(row * RUN_LEADING + c);
                epilogue::store_register(f, self.arguments, self.body, sum, place);
            });
        });
    }
}
