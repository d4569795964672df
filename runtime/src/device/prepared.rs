//! A plan at given sizes: every launch with its addresses and numbers, so that a call evaluates nothing.

use super::engine::{Engine, Memory, Span};
use super::laps::Laps;
use super::storages::Storages;
use super::{shape_at, tables};
use crate::Result;
use tfc_compiler::graph::DType;
use tfc_compiler::kernel::{Access, Kernel, Operand};
use tfc_compiler::plan::{self, Argument, BufferId, Layout, Place, Plan, Spot};
use tfc_compiler::size::{Size, SizeValues};
use tfc_compiler::storage::Storage;

/// Good for as long as what it was made of stays where it is: the engine's code, arena and storages.
pub struct Prepared<E: Engine> {
    pub sizes: SizeValues,
    pub inputs: Vec<E::Memory>,
    pub outputs: Vec<E::Memory>,
    tables: Vec<E::Memory>,
    /// Chunks one after the other.
    steps: Vec<Step<E::Launch>>,
    /// Whether it has run; what runs twice is worth recording.
    has_run: bool,
    recording: Option<E::Recording>,
    /// Of the plan when it was prepared for other sizes or places.
    before: Option<E::Recording>,
}

enum Step<L> {
    Launch(Ready<L>),
    /// One after the other, or as one launch.
    RowEpilogue {
        launches: [Ready<L>; 2],
        as_one: Option<L>,
    },
    Zero(Span),
}

pub struct Ready<L> {
    launch: L,
    /// What is computed, in the graph's words.
    pub label: String,
    /// The real numbers that it writes to, to the ends of their buffers.
    pub written: Vec<Span>,
    /// The buffers of the arena that it is the first to touch: there may be anything in them.
    begun: Vec<Span>,
}

/// What plans run on.
pub struct Ground<'a, E: Engine> {
    pub kernels: &'a [Kernel],
    pub engine: &'a mut E,
    pub storages: &'a Storages<E::Memory>,
    pub arena: &'a E::Memory,
}

/// Sees each launch when it has been asked for, and may end the call.
pub type Inspect<'a, E> = dyn FnMut(&mut E, &Ready<<E as Engine>::Launch>) -> Result<bool> + 'a;

impl<E: Engine> Prepared<E> {
    pub fn new(
        plan: &Plan,
        layout: &Layout,
        sizes: &SizeValues,
        ground: &mut Ground<E>,
        before: Option<E::Recording>,
    ) -> Result<Prepared<E>> {
        let memory = |shape| {
            let bytes = 4 * shape_at(shape, sizes).iter().product::<usize>();
            ground.engine.allocate(bytes, bytes)
        };
        let table = |table| {
            let values = tables::compute(table, sizes);
            let bytes: &[u8] = bytemuck::cast_slice(&values);
            let mut memory = ground.engine.allocate(bytes.len(), bytes.len())?;
            memory.write(0..bytes.len(), &mut |place, part| part.copy_from_slice(&bytes[place]))?;
            Ok(memory)
        };
        let mut prepared = Prepared {
            sizes: sizes.clone(),
            inputs: plan.inputs.iter().map(|input| memory(&input.ty.shape)).collect::<Result<_>>()?,
            outputs: plan.outputs.iter().map(|output| memory(&output.shape)).collect::<Result<_>>()?,
            tables: plan.tables.iter().map(table).collect::<Result<_>>()?,
            steps: Vec::new(),
            has_run: false,
            recording: None,
            before,
        };
        let buffers = (0..plan.buffers.len()).map(|buffer| prepared.place(plan, layout, buffer, ground)).collect();
        let begun = vec![false; plan.buffers.len()];
        Preparation { plan, ground, buffers, begun, steps: &mut prepared.steps }.steps(&plan.steps, sizes)?;
        Ok(prepared)
    }

    /// What was recorded last of it.
    pub fn into_recording(self) -> Option<E::Recording> {
        self.recording.or(self.before)
    }

    fn place(&self, plan: &Plan, layout: &Layout, buffer: usize, ground: &Ground<E>) -> *mut u8 {
        match &plan.buffers[buffer].place {
            Place::Arena { .. } => {
                let Spot { lender, offset } =
                    layout.spots[buffer].expect("bug in tfc: a buffer of the arena has no place");
                let region = match lender {
                    Some(lender) => self.place(plan, layout, lender.0 as usize, ground),
                    None => ground.arena.address(),
                };
                region.wrapping_add(offset as usize)
            }
            Place::Storage(Storage::Input(i)) => self.inputs[*i as usize].address(),
            Place::Storage(Storage::Output(i)) => self.outputs[*i as usize].address(),
            Place::Storage(Storage::Table(i)) => self.tables[*i as usize].address(),
            Place::Storage(storage) => ground.storages.memory(*storage).address(),
        }
    }

    /// Runs all steps: at first one by one, and always so where each is timed, then as they were recorded, which is the same.
    ///
    /// # Errors
    /// The engine gave up.
    ///
    /// # Safety
    /// What the plan was prepared on is where it was, and nobody else uses it.
    pub unsafe fn run(&mut self, engine: &mut E, laps: &mut Laps<E>) -> Result<()> {
        if laps.are_wanted() {
            // SAFETY: as the caller promises.
            return unsafe { self.run_steps(engine, laps) };
        }
        if self.has_run && self.recording.is_none() {
            let before = self.before.take();
            // SAFETY: as the caller promises.
            let mut steps = |engine: &mut E| unsafe { self.run_steps(engine, &mut Laps::none()) };
            self.recording = engine.record(before, &mut steps)?;
        }
        self.has_run = true;
        match &self.recording {
            // SAFETY: as the caller promises.
            Some(recording) => unsafe { engine.repeat(recording) },
            // SAFETY: as the caller promises.
            None => unsafe { self.run_steps(engine, laps) },
        }
    }

    /// Runs one step after the other.
    unsafe fn run_steps(&self, engine: &mut E, laps: &mut Laps<E>) -> Result<()> {
        for step in &self.steps {
            match step {
                Step::RowEpilogue { as_one: Some(launch), .. } => {
                    // SAFETY: as for the two launches.
                    unsafe { engine.run(launch)? };
                    laps.lap(engine)?;
                    laps.lap_with_last();
                }
                Step::Launch(_) | Step::RowEpilogue { as_one: None, .. } => {
                    for ready in step.launches() {
                        // SAFETY: as the caller promises; the kernel's operands and sizes are those of the verified plan.
                        unsafe { engine.run(&ready.launch)? };
                        laps.lap(engine)?;
                    }
                }
                Step::Zero(span) => {
                    // SAFETY: the buffer is that large at these sizes; the caller promises that it is there and not used by others.
                    unsafe { engine.zero(span)? };
                    laps.lap(engine)?;
                }
            }
        }
        Ok(())
    }

    /// Runs one launch after the other, each of them by itself, and shows what it has done.
    ///
    /// # Errors
    /// The engine gave up.
    ///
    /// # Safety
    /// As of [`Prepared::run`].
    pub unsafe fn run_one_by_one(&self, engine: &mut E, inspect: &mut Inspect<'_, E>) -> Result<()> {
        for step in &self.steps {
            if let Step::Zero(span) = step {
                // SAFETY: as in `run_steps`.
                unsafe { engine.zero(span)? };
            }
            for ready in step.launches() {
                // What stood there before would be taken for a result where it is written in parts.
                for span in &ready.begun {
                    // SAFETY: as in `run_steps`; no other buffer is there any more.
                    unsafe { engine.zero(span)? };
                }
                // SAFETY: as in `run_steps`.
                unsafe { engine.run(&ready.launch)? };
                if !inspect(engine, ready)? {
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

impl<L> Step<L> {
    fn launches(&self) -> &[Ready<L>] {
        match self {
            Step::Launch(ready) => std::slice::from_ref(ready),
            Step::RowEpilogue { launches, .. } => launches,
            Step::Zero(_) => &[],
        }
    }
}

struct Preparation<'a, 'g, E: Engine> {
    plan: &'a Plan,
    ground: &'a mut Ground<'g, E>,
    buffers: Vec<*mut u8>,
    /// Which of them a launch has touched, or a step has zeroed.
    begun: Vec<bool>,
    steps: &'a mut Vec<Step<E::Launch>>,
}

impl<E: Engine> Preparation<'_, '_, E> {
    fn steps(&mut self, steps: &[plan::Step], sizes: &SizeValues) -> Result<()> {
        for step in steps {
            match step {
                plan::Step::Launch(launch) => {
                    let ready = self.launch(launch, sizes)?;
                    self.steps.push(Step::Launch(ready));
                }
                plan::Step::RowEpilogue { product, rows } => {
                    let launches = [self.launch(product, sizes)?, self.launch(rows, sizes)?];
                    let as_one = self.ground.engine.row_epilogue(&launches[0].launch, &launches[1].launch);
                    self.steps.push(Step::RowEpilogue { launches, as_one });
                }
                plan::Step::Zero(buffer) => {
                    self.begun[buffer.0 as usize] = true;
                    let whole = self.whole(*buffer, sizes);
                    self.steps.push(Step::Zero(whole));
                }
                plan::Step::Chunks { rows, chunk, body } => {
                    plan::chunks(sizes, rows, *chunk).try_for_each(|sizes| self.steps(body, &sizes))?;
                }
            }
        }
        Ok(())
    }

    fn launch(&mut self, launch: &plan::Launch, sizes: &SizeValues) -> Result<Ready<E::Launch>> {
        let kernel = &self.ground.kernels[launch.kernel as usize];
        let numbers: Vec<i64> = launch.sizes.iter().map(|s| s.eval(sizes)).collect();
        let arguments: Vec<Span> = launch.arguments.iter().map(|a| self.rest(a, sizes)).collect();
        let is_written =
            |operand: &Operand| operand.dtype != DType::I32 && matches!(operand.access, Access::Write | Access::Update);
        let written = arguments.iter().zip(&kernel.operands).filter(|(_, operand)| is_written(operand));
        let mut begun = Vec::new();
        for Argument { buffer, .. } in &launch.arguments {
            let is_first = !std::mem::replace(&mut self.begun[buffer.0 as usize], true);
            if is_first && matches!(self.plan.buffers[buffer.0 as usize].place, Place::Arena { .. }) {
                begun.push(self.whole(*buffer, sizes));
            }
        }
        Ok(Ready {
            label: launch.label.clone(),
            begun,
            written: written.map(|(argument, _)| *argument).collect(),
            launch: self.ground.engine.prepare(launch.kernel as usize, &launch.label, &arguments, numbers)?,
        })
    }

    fn whole(&self, buffer: BufferId, sizes: &SizeValues) -> Span {
        self.rest(&Argument { buffer, offset: Size::constant(0) }, sizes)
    }

    fn rest(&self, argument: &Argument, sizes: &SizeValues) -> Span {
        let place = argument.buffer.0 as usize;
        let buffer = &self.plan.buffers[place];
        let offset = argument.offset.eval(sizes) as usize;
        let elements = buffer.elements.eval(sizes) as usize;
        Span {
            start: self.buffers[place].wrapping_add(buffer.dtype.bytes() * offset),
            elements: elements.saturating_sub(offset),
            dtype: buffer.dtype,
        }
    }
}
