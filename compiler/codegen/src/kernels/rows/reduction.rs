//! Reductions along a row.

use super::line::{Line, Reduced};
use super::passes::Reducing;
use super::step::{Step, Total};
use crate::mlir::{Bool, Function, Index, Lanes, Scalar, Vector};
use tfc_compiler::graph::Reduction;
use tfc_compiler::kernel::{Program, Register};

/// Registers that are added one after the other before they are added to the total, which is compensated (Kahan): rounding errors grow with this,
/// not with the row.
const RUN: i64 = 64;

/// Outside of this range, what a sum of squares has lost may matter.
pub const SAFE_SQUARES: [f32; 2] = [7.888_609e-31, 1.267_650_6e30]; // 2⁻¹⁰⁰, 2¹⁰⁰

/// The values along a row, a register at a column.
pub type Values<'a, 'f> = &'a dyn Fn(Index<'f>, Lanes<'f>) -> Vector<'f>;

/// What is reduced.
#[derive(Clone, Copy)]
pub struct Row<'a, 'f> {
    pub f: &'f Function<'f>,
    pub line: &'a Line<'a, 'f>,
    pub program: &'a Program,
    pub length: Index<'f>,
    /// Of earlier passes.
    pub known: &'a Reduced<'f>,
}

impl<'f> Row<'_, 'f> {
    /// Registers of the program at a column.
    pub fn at(self, registers: &[Register], column: Index<'f>, lanes: Lanes<'f>) -> Vec<Vector<'f>> {
        self.line.evaluate(self.program, registers, column, lanes, self.known)
    }
}

/// All reductions of one pass along the row.
pub fn reduce<'f>(row: Row<'_, 'f>, all: &[Reducing]) -> Reduced<'f> {
    let Row { f, length, .. } = row;
    let arguments: Vec<Register> = all.iter().map(|r| r.argument).collect();
    let steps = all.iter().map(|r| Step::of(r.reduction)).collect();
    let totals = fold(f, length, steps, |column, lanes| row.at(&arguments, column, lanes));
    let finish = |(r, total): (&Reducing, Vector<'f>)| {
        let values = |column, lanes| row.at(&[r.argument], column, lanes)[0];
        let result = match r.reduction {
            Reduction::Sum => total.sum(),
            Reduction::Maximum => total.largest(),
            Reduction::L2Norm => norm(f, length, total.sum(), &values),
        };
        (r.register, result.splat())
    };
    all.iter().zip(totals).map(finish).collect()
}

/// A register of totals for each step.
pub fn fold<'f>(
    f: &'f Function<'f>,
    length: Index<'f>,
    steps: Vec<Step>,
    values: impl Fn(Index<'f>, Lanes<'f>) -> Vec<Vector<'f>>,
) -> Vec<Vector<'f>> {
    let starts: Vec<_> = steps.iter().map(|s| f.vector(s.start())).collect();
    let run = RUN * f.vectors().width as i64;
    let zeros = vec![f.vector(0.0); steps.len()];
    let (sums, _) = f.carry(f.index(0), length, run, (starts.clone(), zeros), |begin, (sums, lost)| {
        let end = (begin + run).or_at_most(length);
        let of_run = f.carry_strips(begin, end, starts, |column, lanes, sums| {
            let taken = steps.iter().zip(sums).zip(values(column, lanes));
            taken.map(|((step, sum), value)| step.take(sum, lanes.or(value, f.vector(step.start())))).collect()
        });
        let totals = sums.into_iter().zip(lost).map(|(sum, lost)| Total { sum, lost });
        let joined = steps.iter().zip(totals).zip(of_run).map(|((step, total), run)| step.join(total, run));
        joined.map(|Total { sum, lost }| (sum, lost)).unzip()
    });
    sums
}

/// √Σx², from the sum of squares where that is safe, else from the row divided by its largest magnitude.
fn norm<'f>(f: &'f Function<'f>, length: Index<'f>, squares: Scalar<'f>, values: Values<'_, 'f>) -> Scalar<'f> {
    let safe: Bool = f.scalar(SAFE_SQUARES[0]).at_most(squares) & squares.at_most(f.scalar(SAFE_SQUARES[1]));
    f.either(
        safe,
        || squares.square_root(),
        || {
            let largest =
                fold(f, length, vec![Step::Magnitude], |column, lanes| vec![values(column, lanes)])[0].largest();
            let ordinary = f.scalar(0.0).less(largest) & largest.less(f.scalar(f32::INFINITY));
            let scale = ordinary.select(largest, f.scalar(1.0));
            let scaled =
                fold(f, length, vec![Step::AddSquare], |column, lanes| vec![values(column, lanes) / scale.splat()]);
            scale * scaled[0].sum().square_root()
        },
    )
}
