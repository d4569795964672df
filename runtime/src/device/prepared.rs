//! A plan at given sizes: every launch with its addresses and numbers, so that a call evaluates nothing.

use super::engine::{Engine, Span};
use super::laps::Laps;
use super::memory::Memory;
use super::storages::Storages;
use super::{shape_at, tables};
use crate::Result;
use tfc_compiler::graph::DType;
use tfc_compiler::kernel::{Access, Kernel, Operand};
use tfc_compiler::plan::{self, Argument, Layout, Place, Plan, Spot};
use tfc_compiler::size::{Size, SizeValues, Symbol};
use tfc_compiler::storage::Storage;

/// Good for as long as what it was made of stays where it is: the engine's code, arena and storages.
pub struct Prepared<L> {
    pub sizes: SizeValues,
    pub inputs: Vec<Memory>,
    pub outputs: Vec<Memory>,
    tables: Vec<Memory>,
    /// Chunks one after the other.
    steps: Vec<Step<L>>,
}

enum Step<L> {
    Launch(Ready<L>),
    Zero(Span),
}

pub struct Ready<L> {
    launch: L,
    /// What is computed, in the graph's words.
    pub label: String,
    /// The f32 that it writes to, to the ends of their buffers.
    written: Vec<Span>,
}

/// What plans run on.
pub struct Ground<'a, E> {
    pub kernels: &'a [Kernel],
    pub engine: &'a E,
    pub storages: &'a Storages,
    pub arena: &'a Memory,
}

impl<L> Prepared<L> {
    pub fn new<E: Engine<Launch = L>>(
        plan: &Plan,
        layout: &Layout,
        sizes: &SizeValues,
        ground: &Ground<E>,
    ) -> Result<Prepared<L>> {
        let memory = |shape| Memory::new(4 * shape_at(shape, sizes).iter().product::<usize>());
        let mut prepared = Prepared {
            sizes: sizes.clone(),
            inputs: plan.inputs.iter().map(|input| memory(&input.ty.shape)).collect::<Result<_>>()?,
            outputs: plan.outputs.iter().map(|output| memory(&output.shape)).collect::<Result<_>>()?,
            tables: plan.tables.iter().map(|table| tables::compute(table, sizes)).collect::<Result<_>>()?,
            steps: Vec::new(),
        };
        let buffers = (0..plan.buffers.len()).map(|buffer| prepared.place(plan, layout, buffer, ground)).collect();
        Preparation { plan, ground, buffers, steps: &mut prepared.steps }.steps(&plan.steps, &mut sizes.clone());
        Ok(prepared)
    }

    fn place<E>(&self, plan: &Plan, layout: &Layout, buffer: usize, ground: &Ground<E>) -> *mut u8 {
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

    /// Runs the steps. `inspect` sees each launch when it has run, and may end the call.
    ///
    /// # Errors
    /// The engine gave up.
    ///
    /// # Safety
    /// What the plan was prepared on is where it was, and nobody else uses it.
    pub unsafe fn run<E: Engine<Launch = L>>(
        &self,
        engine: &mut E,
        laps: &mut Laps,
        inspect: &mut dyn FnMut(&Ready<L>) -> bool,
    ) -> Result<()> {
        for step in &self.steps {
            match step {
                Step::Launch(ready) => {
                    // SAFETY: as the caller promises; the kernel's operands and sizes are those of the verified plan.
                    unsafe { engine.run(&ready.launch)? };
                    laps.lap();
                    if !inspect(ready) {
                        return Ok(());
                    }
                }
                Step::Zero(Span { start, elements }) => {
                    // SAFETY: the buffer is that large at these sizes; the caller promises that it is there and not used by others.
                    unsafe { std::ptr::write_bytes(*start, 0, 4 * elements) };
                    laps.lap();
                }
            }
        }
        Ok(())
    }
}

impl<L> Ready<L> {
    /// Whether all that the launch has written are numbers.
    ///
    /// # Safety
    /// As for [`Prepared::run`], during which this is called.
    pub unsafe fn wrote_numbers(&self) -> bool {
        self.written.iter().all(|span| {
            // SAFETY: the buffer is that large, and its memory was zeroed when it was made, so every element is a number.
            let written = unsafe { std::slice::from_raw_parts(span.start.cast::<f32>(), span.elements) };
            written.iter().all(|x| x.is_finite())
        })
    }
}

struct Preparation<'a, E: Engine> {
    plan: &'a Plan,
    ground: &'a Ground<'a, E>,
    buffers: Vec<*mut u8>,
    steps: &'a mut Vec<Step<E::Launch>>,
}

impl<E: Engine> Preparation<'_, E> {
    fn steps(&mut self, steps: &[plan::Step], sizes: &mut SizeValues) {
        for step in steps {
            match step {
                plan::Step::Launch(launch) => {
                    let ready = self.launch(launch, sizes);
                    self.steps.push(Step::Launch(ready));
                }
                plan::Step::Zero(buffer) => {
                    let whole = self.rest(&Argument { buffer: *buffer, offset: Size::constant(0) }, sizes);
                    self.steps.push(Step::Zero(whole));
                }
                plan::Step::Chunks { rows, chunk, body } => {
                    for (start, rows) in plan::chunks(rows.eval(sizes), *chunk) {
                        sizes.set(Symbol::CHUNK_START, start);
                        sizes.set(Symbol::CHUNK_ROWS, rows);
                        self.steps(body, sizes);
                    }
                }
            }
        }
    }

    fn launch(&self, launch: &plan::Launch, sizes: &SizeValues) -> Ready<E::Launch> {
        let kernel = &self.ground.kernels[launch.kernel as usize];
        let numbers: Vec<i64> = launch.sizes.iter().map(|s| s.eval(sizes)).collect();
        let arguments: Vec<Span> = launch.arguments.iter().map(|a| self.rest(a, sizes)).collect();
        let is_written =
            |operand: &Operand| operand.dtype == DType::F32 && matches!(operand.access, Access::Write | Access::Update);
        let written = arguments.iter().zip(&kernel.operands).filter(|(_, operand)| is_written(operand));
        Ready {
            label: launch.label.clone(),
            written: written.map(|(argument, _)| *argument).collect(),
            launch: self.ground.engine.prepare(launch.kernel as usize, &arguments, numbers),
        }
    }

    fn rest(&self, argument: &Argument, sizes: &SizeValues) -> Span {
        let buffer = argument.buffer.0 as usize;
        let offset = argument.offset.eval(sizes) as usize;
        let elements = self.plan.buffers[buffer].elements.eval(sizes) as usize;
        Span { start: self.buffers[buffer].wrapping_add(4 * offset), elements: elements.saturating_sub(offset) }
    }
}
