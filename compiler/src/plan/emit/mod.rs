//! From a fused graph to a plan: buffers, kernels with their operands, launches with their sizes.

mod contraction;
mod dense;
mod label;
mod rows;
mod zeros;

use super::homes::{Home, Homes, homes};
use super::{Argument, Buffer, BufferId, Launch, Place, Plan, PlannedOutput, Program, Step, Table};
use crate::fuse::{self, Chunks, Fused, Slot, Task, Work};
use crate::graph::{DType, Graph, Type};
use crate::kernel::{Access, Body, Kernel, Operand};
use crate::optimization::{Disabled, Optimization};
use crate::precision::Precision;
use crate::size::{Size, Symbol};
use crate::storage::Storage;
use std::collections::BTreeMap;

/// From a plan and its kernels to better ones.
type Pass = fn(Vec<Kernel>, Plan) -> (Vec<Kernel>, Plan);

/// Fuses and plans one entry in one precision: a program of one plan. Composites must be expanded, but for attention and the vocabulary loss.
pub fn compile_entry(graph: &Graph, precision: Precision, disabled: &Disabled) -> Program {
    let plan = Plan {
        name: graph.name.clone(),
        precision,
        symbols: graph.symbols.clone(),
        inputs: graph.inputs.clone(),
        outputs: handed_back(graph),
        tables: Vec::new(),
        buffers: Vec::new(),
        steps: Vec::new(),
        lenders: Vec::new(),
    };
    let mut emitter = Emitter { program: Program::default(), plan, disabled, storages: BTreeMap::new() };
    if disabled.has(Optimization::WrittenGradients) {
        let (adding, written) = zeros::adding(graph);
        let zeros = written.into_iter().map(|(storage, ty)| emitter.zero(storage, &ty)).collect();
        emitter.emit(&adding, zeros);
    } else {
        emitter.emit(graph, Vec::new());
    }
    let Emitter { program, plan, .. } = emitter;
    let passes: [(Optimization, Pass); 5] = [
        (Optimization::Narrow, super::narrow::narrow),
        (Optimization::Segments, super::segments::divide),
        (Optimization::Rotary, super::rotary::turn),
        (Optimization::RowEpilogues, super::row_epilogues::attach),
        (Optimization::Levels, super::levels::sort),
    ];
    let done = passes.into_iter().filter(|(optimization, _)| !disabled.has(*optimization));
    let (kernels, mut plan) = done.fold((program.kernels, plan), |(kernels, plan), (_, pass)| pass(kernels, plan));
    super::lifetimes::set_lifetimes(&mut plan);
    if !disabled.has(Optimization::Levels) {
        super::levels::keep_apart(&kernels, &mut plan);
    }
    if !disabled.has(Optimization::Lending) {
        plan.lenders = super::lending::lenders(&kernels, &plan);
    }
    let program = Program { kernels, plans: vec![plan] };
    let violations = super::verify(&program, &program.plans[0]);
    assert!(violations.is_empty(), "bug in tfc: an ill-formed plan: {}", violations.join("; "));
    program
}

fn handed_back(graph: &Graph) -> Vec<PlannedOutput> {
    let mut outputs: Vec<(u32, PlannedOutput)> = Vec::new();
    for output in &graph.outputs {
        if let Storage::Output(index) = output.target {
            let Type { dtype, shape } = graph.ty(output.value).clone();
            outputs.push((index, PlannedOutput { name: output.name.clone(), dtype, shape }));
        }
    }
    outputs.sort_by_key(|(index, _)| *index);
    outputs.into_iter().map(|(_, output)| output).collect()
}

struct Emitter<'a> {
    program: Program,
    plan: Plan,
    disabled: &'a Disabled,
    storages: BTreeMap<Storage, BufferId>,
}

/// A fused graph on its way into the plan.
struct Scope<'a> {
    fused: &'a Fused,
    homes: Homes,
    /// The buffers of the pieces.
    pieces: Vec<BufferId>,
    /// What the storages of a chunk's graph stand for.
    bound: BTreeMap<Storage, Argument>,
}

impl Scope<'_> {
    fn ty(&self, slot: Slot) -> &Type {
        match slot {
            Slot::Value(value) => self.fused.graph.ty(value),
            Slot::Output(index) => self.fused.graph.ty(self.fused.graph.outputs[index].value),
        }
    }
}

/// An operand of a launch in the making.
struct Bound {
    operand: Operand,
    argument: Argument,
    strides: Vec<Size>,
}

impl Emitter<'_> {
    /// The steps of the plan: what has to be done first, then the graph.
    fn emit(&mut self, graph: &Graph, first: Vec<Step>) {
        let steps = self.steps(&fuse::fuse(graph, self.disabled), BTreeMap::new());
        self.plan.steps = first.into_iter().chain(steps).collect();
    }

    fn zero(&mut self, storage: Storage, ty: &Type) -> Step {
        Step::Zero(self.storage(storage, ty).buffer)
    }

    fn steps(&mut self, fused: &Fused, bound: BTreeMap<Storage, Argument>) -> Vec<Step> {
        let homes = homes(fused);
        let pieces = homes.pieces.iter().map(|value| {
            let name = label::of_value(&fused.graph, *value);
            self.plan.new_buffer(name, fused.graph.ty(*value), Place::Arena { first: u32::MAX, last: 0 })
        });
        let pieces = pieces.collect();
        let scope = Scope { fused, homes, pieces, bound };
        fused.tasks.iter().flat_map(|task| self.task(&scope, task)).collect()
    }

    fn task(&mut self, scope: &Scope, task: &Task) -> Vec<Step> {
        let mut steps: Vec<Step> = self.bring_base(scope, task).into_iter().map(Step::Launch).collect();
        match &task.work {
            Work::Rows(work) => steps.push(self.rows(scope, task, work)),
            Work::Columns(work) => steps.push(self.columns(scope, task, work)),
            Work::Contraction(work) => steps.push(self.contraction(scope, task, work)),
            Work::Dense(work) => steps.push(self.dense(scope, task, work)),
            Work::Chunks(chunks) => steps.extend(self.chunks(scope, task, chunks)),
        }
        steps
    }

    /// A launch that copies what is added to, where it does not stand there yet.
    fn bring_base(&mut self, scope: &Scope, task: &Task) -> Option<Launch> {
        let from = self.argument(scope, task.onto?, &Size::default());
        let to = self.argument(scope, task.writes[0].slot, &Size::default());
        (from != to).then(|| self.copy(scope.ty(task.writes[0].slot), from, to))
    }

    fn chunks(&mut self, scope: &Scope, task: &Task, chunks: &Chunks) -> Vec<Step> {
        let mut bound = BTreeMap::new();
        let part = |width: &Option<Size>| match width {
            Some(width) => Size::symbol(Symbol::CHUNK_START) * width.clone(),
            None => Size::default(),
        };
        for (index, (read, width)) in task.reads.iter().zip(&chunks.read_widths).enumerate() {
            let argument = self.argument(scope, read.slot, &part(width));
            bound.insert(Storage::Input(index as u32), argument);
        }
        let mut steps = Vec::new();
        for (index, (write, width)) in task.writes.iter().zip(&chunks.write_widths).enumerate() {
            let argument = self.argument(scope, write.slot, &part(width));
            let starts_from_zero = chunks.body.outputs[index].accumulate && (index > 0 || task.onto.is_none());
            if starts_from_zero {
                steps.push(Step::Zero(argument.buffer));
            }
            bound.insert(Storage::Output(index as u32), argument);
        }
        let fused = fuse::fuse(&chunks.body, self.disabled);
        let mut body = self.steps(&fused, bound);
        label::say_whose(&mut body, &scope.fused.graph, task);
        steps.push(Step::Chunks { rows: chunks.rows.clone(), chunk: chunks.chunk, body });
        steps
    }

    /// Where a slot stands, from an offset in elements on.
    fn argument(&mut self, scope: &Scope, slot: Slot, offset: &Size) -> Argument {
        let base = match scope.homes.of(slot) {
            Home::Piece(piece) => Argument { buffer: scope.pieces[piece], offset: Size::default() },
            Home::Storage(storage) => match scope.bound.get(&storage) {
                Some(argument) => argument.clone(),
                None => self.storage(storage, scope.ty(slot)),
            },
        };
        Argument { buffer: base.buffer, offset: base.offset + offset.clone() }
    }

    fn storage(&mut self, storage: Storage, ty: &Type) -> Argument {
        let known = self.storages.get(&storage).copied();
        let buffer = known.unwrap_or_else(|| {
            let name = label::of_storage(storage, &self.plan);
            self.plan.new_buffer(name, ty, Place::Storage(storage))
        });
        self.storages.insert(storage, buffer);
        Argument { buffer, offset: Size::default() }
    }

    /// A table that is computed from the sizes: the same for all that ask for it.
    fn table(&mut self, table: Table) -> Argument {
        let (Table::Cosine { positions, channels, .. } | Table::Sine { positions, channels, .. }) = &table;
        let shape = vec![positions.clone(), Size::constant(i64::from(*channels / 2))];
        let index = self.plan.tables.iter().position(|t| *t == table).unwrap_or_else(|| {
            self.plan.tables.push(table);
            self.plan.tables.len() - 1
        });
        self.storage(Storage::Table(index as u32), &Type::f32(shape))
    }

    /// The operands of a task: reads, then writes; what is written where it was read is one operand. Gives the operand of each write.
    /// `may_update` says which reads a write may share an operand with.
    fn bind(&mut self, scope: &Scope, task: &Task, may_update: impl Fn(usize) -> bool) -> (Vec<Bound>, Vec<u16>) {
        let mut bound: Vec<Bound> = Vec::new();
        for read in &task.reads {
            let argument = self.argument(scope, read.slot, &read.offset);
            let operand = Operand { dtype: scope.ty(read.slot).dtype, access: Access::Read };
            bound.push(Bound { operand, argument, strides: read.strides.clone() });
        }
        let mut stores = Vec::new();
        for write in &task.writes {
            let argument = self.argument(scope, write.slot, &write.offset);
            let same = |(i, b): (usize, &Bound)| may_update(i) && b.argument == argument && b.strides == write.strides;
            let operand = Operand { dtype: scope.ty(write.slot).dtype, access: Access::Write };
            let place = bound.iter().enumerate().take(task.reads.len()).position(same).unwrap_or_else(|| {
                bound.push(Bound { operand, argument, strides: write.strides.clone() });
                bound.len() - 1
            });
            if place < task.reads.len() {
                bound[place].operand.access = Access::Update;
            }
            stores.push(place as u16);
        }
        (bound, stores)
    }

    fn launch(&mut self, scope: &Scope, task: &Task, body: Body, bound: Vec<Bound>, sizes: Vec<Size>) -> Launch {
        let (span, label) = label::of_task(&scope.fused.graph, task);
        let (operands, arguments) = bound.into_iter().map(|b| (b.operand, b.argument)).unzip();
        let kernel = self.kernel(Kernel { body, operands });
        Launch { kernel, arguments, sizes, span, label }
    }

    fn kernel(&mut self, kernel: Kernel) -> u32 {
        debug_assert!(kernel.violations().is_empty(), "bug in tfc: {}\n{kernel}", kernel.violations().join("\n"));
        self.program.kernel(kernel)
    }
}

impl Plan {
    fn new_buffer(&mut self, name: String, ty: &Type, place: Place) -> BufferId {
        let Type { dtype, .. } = *ty;
        self.buffers.push(Buffer { name, dtype, elements: ty.elements(), place });
        BufferId(self.buffers.len() as u32 - 1)
    }
}

/// The operand of a dense tensor that is written or added to.
fn output(dtype: DType, adds: bool) -> Operand {
    Operand { dtype, access: if adds { Access::Update } else { Access::Write } }
}
