//! A team of threads for each row: a warp or a block.

use super::line::{Iteration, Line, Reduced};
use super::team::{Arguments, Combiner, Segment, Team, Then, Visit};
use crate::cuda::kernels::launch::{LANES, THREADS, Taken, Thread, WARPS};
use crate::kernels::rows::{Bounds, Reducing, SAFE_SQUARES, STEPS, Step, passes};
use crate::mlir::{F32, Function, GpuLaunch, Index, Scalar};
use tfc_compiler::graph::Reduction;
use tfc_compiler::kernel::{Access, Inner, Kernel, Program, ProgramOp, Register, RowProgram};

/// The most columns of a row that a warp takes: eight registers for each of its threads.
pub const SHORT: i64 = 1024;

/// For each reduction, a number for each warp; a norm may take three (see [`norm`]), and a selection does (see [`select`]).
pub fn shared_bytes(body: &RowProgram) -> u32 {
    let places = |op: &ProgramOp| match op {
        ProgramOp::Reduce(Reduction::Sum | Reduction::Maximum, _) => 1,
        ProgramOp::Reduce(Reduction::L2Norm, _) | ProgramOp::KthLargest(..) => 3,
        _ => 0,
    };
    let places: u32 = body.program.ops.iter().map(places).sum();
    places * WARPS as u32 * size_of::<f32>() as u32
}

pub fn emit<'f>(f: &'f Function<'f>, launch: &GpuLaunch<'f>, kernel: &Kernel, body: &RowProgram) {
    let iteration = Iteration::read(f, launch, kernel, &body.access, |sizes| body.sizes(sizes));
    let thread = Thread::this(f);
    let team_is_block = f.index(SHORT).less(iteration.inner);
    let team = Team {
        lane: team_is_block.select(thread.number, thread.lane),
        threads: team_is_block.select(f.index(THREADS.into()), f.index(LANES)),
    };
    // A team without a row does as the others do, with nothing: they meet at barriers.
    let row = team_is_block.select(thread.block, thread.warp_of_grid());
    let exists = row.less(iteration.rows(f));
    let line = iteration.line(f, exists.select(row, f.index(0)));
    let segment = Segment::new(&line, f.index(0), exists.select(iteration.inner, f.index(0)));
    let combiner = Combiner { thread, team_is_block, shared: f.shared_memory(), places: 0.into() };

    let mut reduced = Reduced::new();
    for pass in passes(&body.program) {
        let all = &pass.reductions;
        let registers: Vec<Register> = all.iter().map(|reducing| reducing.argument).collect();
        let steps: Vec<Step> = all.iter().map(|reducing| Step::of(reducing.reduction)).collect();
        let (program, then) = (&body.program, Then::AsTheyAre);
        let arguments = Arguments { line: &line, program, registers: &registers, reduced: &reduced, then };
        let totals = combiner.combine(f, &steps, team.fold(f, segment, &steps, &arguments));
        let finish = |(reducing, total): (&Reducing, Scalar<'f>)| {
            let arguments = Arguments { registers: &[reducing.argument], ..arguments };
            let result = match reducing.reduction {
                Reduction::Sum | Reduction::Maximum => total,
                Reduction::L2Norm => norm(f, team, segment, &combiner, total, arguments),
            };
            (reducing.register, result)
        };
        let mut results: Reduced = all.iter().zip(totals).map(finish).collect();
        for one in &pass.selections {
            let arguments = Arguments { registers: &[one.argument], ..arguments };
            let k = line.evaluate::<F32>(program, &[one.k], f.index(0), &reduced)[0];
            results.push((one.register, select(f, team, segment, &combiner, k, arguments)));
        }
        reduced.extend(results);
    }

    let is_row = |operand: u16| body.access[usize::from(operand)].inner == Inner::Row;
    let (once, along): (Vec<_>, Vec<_>) = body.stores.iter().partition(|(operand, _)| is_row(*operand));
    let stores = |stores| Stores { line: &line, program: &body.program, stores, reduced: &reduced };
    if !along.is_empty() {
        team.each(f, segment, &stores(along));
    }
    // The number of a row that is read and written: all threads must have read it.
    if once.iter().any(|(operand, _)| kernel.operands[usize::from(*operand)].access == Access::Update) {
        f.barrier();
    }
    if !once.is_empty() {
        let first = team.lane.equals(f.index(0)) & segment.begin.less(segment.end);
        f.when(first, || stores(once).visit::<F32>(f.index(0)));
    }
}

/// What is stored of the columns that a thread takes up.
struct Stores<'a, 'f> {
    line: &'a Line<'a, 'f>,
    program: &'a Program,
    stores: Vec<&'a (u16, Register)>,
    reduced: &'a Reduced<'f>,
}

impl<'f> Visit<'f> for Stores<'_, 'f> {
    fn visit<K: Taken>(&self, column: Index<'f>) {
        let registers: Vec<Register> = self.stores.iter().map(|(_, register)| *register).collect();
        let values = self.line.evaluate::<K>(self.program, &registers, column, self.reduced);
        self.stores
            .iter()
            .zip(values)
            .for_each(|((operand, _), value)| self.line.store(usize::from(*operand), column, value));
    }
}

/// √Σx², from the sum of squares where that is safe, else from the row divided by its largest magnitude. All teams do both, for they meet at barriers; where
/// it is safe the loops are empty.
fn norm<'f>(
    f: &'f Function<'f>,
    team: Team<'f>,
    segment: Segment<'f>,
    combiner: &Combiner<'f>,
    squares: Scalar<'f>,
    arguments: Arguments<'_, 'f>,
) -> Scalar<'f> {
    let safe = f.scalar(SAFE_SQUARES[0]).at_most(squares) & squares.at_most(f.scalar(SAFE_SQUARES[1]));
    let again = segment.only_if(!safe);
    let total = |step: Step, arguments: &Arguments<'_, 'f>| {
        combiner.combine(f, &[step], team.fold(f, again, &[step], arguments))[0]
    };
    let largest = total(Step::Magnitude, &arguments);
    let ordinary = f.scalar(0.0).less(largest) & largest.less(f.scalar(f32::INFINITY));
    let scale = ordinary.select(largest, f.scalar(1.0));
    let scaled = total(Step::AddSquare, &Arguments { then: Then::Divided(scale), ..arguments });
    safe.select(squares.square_root(), scale * scaled.square_root())
}

/// The k-th largest number of the row. All teams take all steps, for they meet at barriers; where the search is over the loops are empty. Two steps a turn, each with a
/// place of its own: none is written before all have passed the barrier behind the last time it was read.
fn select<'f>(
    f: &'f Function<'f>,
    team: Team<'f>,
    segment: Segment<'f>,
    combiner: &Combiner<'f>,
    k: Scalar<'f>,
    arguments: Arguments<'_, 'f>,
) -> Scalar<'f> {
    let total = |step: Step, segment: Segment<'f>, then: Then<'f>| {
        combiner.combine(f, &[step], team.fold(f, segment, &[step], &Arguments { then, ..arguments }))[0]
    };
    let step = |bounds: Bounds<'f>| {
        let goes_on = bounds.are_apart();
        let count = total(Step::Add, segment.only_if(goes_on), Then::Counted(bounds.candidate()));
        let Bounds { low, high } = bounds.narrowed(count, k);
        Bounds { low: goes_on.select(low, bounds.low), high: goes_on.select(high, bounds.high) }
    };
    let all = Bounds::all(f);
    let (low, high) = f.carry(f.index(0), f.index(STEPS / 2), 1, (all.low, all.high), |_, (low, high)| {
        let Bounds { low, high } = step(step(Bounds { low, high }));
        (low, high)
    });
    -total(Step::Maximum, segment, Then::Negated(Bounds { low, high }.found()))
}

const _: () = assert!(STEPS % 2 == 0);
