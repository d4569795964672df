//! Threads that share a row.

use super::line::{Line, Reduced};
use crate::cuda::kernels::launch::{QUAD, Taken, Thread, WARPS};
use crate::kernels::rows::{Step, Total, counted, negated};
use crate::mlir::{Bool, F32, F32s, Function, Index, Scalar, Shared, Value};
use tfc_compiler::kernel::{Program, Register};

/// What a thread adds one after the other before it adds that to its total: rounding errors grow with this, not with the row.
const RUN: i64 = 64;

#[derive(Clone, Copy)]
pub struct Team<'f> {
    /// The thread's number in it.
    pub lane: Index<'f>,
    pub threads: Index<'f>,
}

/// Columns of a row: up to `whole` a register at a time, from there on one by one.
#[derive(Clone, Copy)]
pub struct Segment<'f> {
    pub begin: Index<'f>,
    pub whole: Index<'f>,
    pub end: Index<'f>,
}

impl<'f> Segment<'f> {
    /// `begin` is a multiple of a register.
    pub fn new(line: &Line<'_, 'f>, begin: Index<'f>, end: Index<'f>) -> Segment<'f> {
        Segment { begin, whole: line.is_aligned().select(end - (end - begin) % QUAD, begin), end }
    }

    /// Nothing of it unless the condition holds.
    pub fn only_if(self, condition: Bool<'f>) -> Segment<'f> {
        let up_to = |end: Index<'f>| condition.select(end, self.begin);
        Segment { begin: self.begin, whole: up_to(self.whole), end: up_to(self.end) }
    }
}

/// What is done with the columns that a thread takes up.
pub trait Visit<'f> {
    fn visit<K: Taken>(&self, column: Index<'f>);
}

/// What is reduced.
pub struct Arguments<'a, 'f> {
    pub line: &'a Line<'a, 'f>,
    pub program: &'a Program,
    pub registers: &'a [Register],
    /// Of earlier passes.
    pub reduced: &'a Reduced<'f>,
    pub then: Then<'f>,
}

/// What is made of the values before they are taken up.
#[derive(Clone, Copy)]
pub enum Then<'f> {
    AsTheyAre,
    Divided(Scalar<'f>),
    /// See [`counted`].
    Counted(Scalar<'f>),
    /// See [`negated`].
    Negated(Scalar<'f>),
}

impl<'f> Then<'f> {
    fn of<K: Taken>(self, value: Value<'f, K>) -> Value<'f, K> {
        match self {
            Then::AsTheyAre => value,
            Then::Divided(divisor) => value / K::splat(divisor),
            Then::Counted(least) => counted(value, K::splat(least)),
            Then::Negated(least) => negated(value, K::splat(least)),
        }
    }
}

impl<'f> Arguments<'_, 'f> {
    fn at<K: Taken>(&self, column: Index<'f>) -> Vec<Value<'f, K>> {
        let values = self.line.evaluate::<K>(self.program, self.registers, column, self.reduced);
        values.into_iter().map(|value| self.then.of(value)).collect()
    }
}

impl<'f> Team<'f> {
    /// Visits every column of a segment, each by one thread.
    pub fn each(self, f: &'f Function<'f>, segment: Segment<'f>, visitor: &impl Visit<'f>) {
        let quads = (segment.begin + self.lane * QUAD, segment.whole, self.threads * QUAD);
        f.each_by(quads.0, quads.1, quads.2, |column| visitor.visit::<F32s>(column));
        f.each_by(segment.whole + self.lane, segment.end, self.threads, |column| visitor.visit::<F32>(column));
    }

    /// What one thread's columns come to, for each step.
    pub fn fold(
        self,
        f: &'f Function<'f>,
        segment: Segment<'f>,
        steps: &[Step],
        arguments: &Arguments<'_, 'f>,
    ) -> Vec<Scalar<'f>> {
        let starts = steps.iter().map(|step| f.vector(step.start())).collect();
        let quads = self.runs::<F32s>(f, (segment.begin, segment.whole), steps, starts, arguments);
        let joined = steps.iter().zip(quads).map(|(step, quad)| {
            quad.scalars().into_iter().reduce(|a, b| step.combine(a, b)).expect("a register has lanes")
        });
        self.runs::<F32>(f, (segment.whole, segment.end), steps, joined.collect(), arguments)
    }

    fn runs<K: Taken>(
        self,
        f: &'f Function<'f>,
        (begin, end): (Index<'f>, Index<'f>),
        steps: &[Step],
        totals: Vec<Value<'f, K>>,
        arguments: &Arguments<'_, 'f>,
    ) -> Vec<Value<'f, K>> {
        let starts: Vec<_> = steps.iter().map(|step| K::constant(f, step.start())).collect();
        let lost = vec![K::constant(f, 0.0); steps.len()];
        let (first, turn) = (begin + self.lane * K::WIDTH, self.threads * K::WIDTH);
        let run = turn * RUN;
        let (totals, _) = f.carry_by(first, end, run, (totals, lost), |column, (sums, lost)| {
            let end = (column + run).or_at_most(end);
            let of_run = f.carry_by(column, end, turn, starts, |column, sums| {
                let taken = steps.iter().zip(sums).zip(arguments.at::<K>(column));
                taken.map(|((step, sum), value)| step.take(sum, value)).collect()
            });
            let totals = sums.into_iter().zip(lost).map(|(sum, lost)| Total { sum, lost });
            let joined = steps.iter().zip(totals).zip(of_run).map(|((step, total), run)| step.join(total, run));
            joined.map(|Total { sum, lost }| (sum, lost)).unzip()
        });
        totals
    }
}

/// Totals of the threads of a team, in every thread: whether it is a warp or the block, all threads of the block come here together.
pub struct Combiner<'f> {
    pub thread: Thread<'f>,
    pub team_is_block: Bool<'f>,
    pub shared: Shared<'f>,
    /// Totals that have a place in shared memory so far: each has its own, so that no thread need wait before it writes.
    pub places: std::cell::Cell<i64>,
}

impl<'f> Combiner<'f> {
    pub fn combine(&self, f: &'f Function<'f>, steps: &[Step], totals: Vec<Scalar<'f>>) -> Vec<Scalar<'f>> {
        let first = self.places.replace(self.places.get() + steps.len() as i64);
        let place = |i: usize| self.shared.at(f.index((first + i as i64) * WARPS));
        let of_warp = steps.iter().zip(totals).map(|(step, total)| total.across_warp(|a, b| step.combine(a, b)));
        let of_warp: Vec<Scalar> = of_warp.collect();
        f.when(self.thread.lane.equals(f.index(0)), || {
            of_warp.iter().enumerate().for_each(|(i, total)| place(i).store(self.thread.warp, *total));
        });
        f.barrier();
        let of_team = |(i, (step, of_warp)): (usize, (&Step, Scalar<'f>))| {
            let quads = (0..WARPS).step_by(QUAD as usize).map(|warp| place(i).load_aligned::<F32s>(f.index(warp)));
            let all = quads.reduce(|a, b| step.combine(a, b)).expect("a block has warps").scalars();
            let of_block = all.into_iter().reduce(|a, b| step.combine(a, b)).expect("a register has lanes");
            self.team_is_block.select(of_block, of_warp)
        };
        steps.iter().zip(of_warp).enumerate().map(of_team).collect()
    }
}
