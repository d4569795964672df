//! A plan at given sizes: every launch with its addresses and numbers, so that a call evaluates nothing.

use super::laps::Laps;
use super::launch::Launch;
use super::memory::Memory;
use super::pool::Pool;
use super::storages::Storages;
use super::{shape_at, tables};
use crate::Result;
use std::sync::Arc;
use tfc_compiler::graph::DType;
use tfc_compiler::kernel::{Access, Kernel, Operand};
use tfc_compiler::plan::{self, Argument, Layout, Place, Plan, Spot};
use tfc_compiler::size::{Size, SizeValues, Symbol};
use tfc_compiler::storage::Storage;

/// Good for as long as what it was made of stays where it is: code, arena, storages and scratch.
pub struct Prepared {
    pub sizes: SizeValues,
    pub inputs: Vec<Memory>,
    pub outputs: Vec<Memory>,
    tables: Vec<Memory>,
    /// Chunks one after the other.
    steps: Vec<Step>,
}

enum Step {
    Launch(Ready),
    Zero { start: *mut u8, bytes: usize },
}

pub struct Ready {
    launch: Arc<Launch>,
    extent: i64,
    /// What is computed, in the graph's words.
    pub label: String,
    /// The f32 that it writes to, to the ends of their buffers.
    written: Vec<(*mut u8, usize)>,
}

/// What plans run on.
pub struct Ground<'a> {
    pub kernels: &'a [Kernel],
    /// Of the kernels' code.
    pub addresses: &'a [usize],
    pub storages: &'a Storages,
    pub arena: &'a Memory,
    /// One per thread.
    pub scratch: &'a [Memory],
}

impl Prepared {
    pub fn new(plan: &Plan, layout: &Layout, sizes: &SizeValues, ground: &Ground) -> Result<Prepared> {
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

    fn place(&self, plan: &Plan, layout: &Layout, buffer: usize, ground: &Ground) -> *mut u8 {
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
    /// # Safety
    /// What the plan was prepared on is where it was, and nobody else uses it.
    pub unsafe fn run(&self, pool: &Pool, laps: &mut Laps, inspect: &mut dyn FnMut(&Ready) -> bool) {
        for step in &self.steps {
            match step {
                Step::Launch(ready) => {
                    // SAFETY: as the caller promises; the kernel's operands and sizes are those of the verified plan.
                    unsafe { ready.launch.run(pool, ready.extent) };
                    laps.lap();
                    if !inspect(ready) {
                        return;
                    }
                }
                Step::Zero { start, bytes } => {
                    // SAFETY: the buffer is that large at these sizes; the caller promises that it is there and not used by others.
                    unsafe { std::ptr::write_bytes(*start, 0, *bytes) };
                    laps.lap();
                }
            }
        }
    }
}

impl Ready {
    /// Whether all that the launch has written are numbers.
    ///
    /// # Safety
    /// As for [`Prepared::run`], during which this is called.
    pub unsafe fn wrote_numbers(&self) -> bool {
        self.written.iter().all(|(start, elements)| {
            // SAFETY: the buffer is that large, and its memory was zeroed when it was made, so every element is a number.
            let written = unsafe { std::slice::from_raw_parts(start.cast::<f32>(), *elements) };
            written.iter().all(|x| x.is_finite())
        })
    }
}

struct Preparation<'a> {
    plan: &'a Plan,
    ground: &'a Ground<'a>,
    buffers: Vec<*mut u8>,
    steps: &'a mut Vec<Step>,
}

impl Preparation<'_> {
    fn steps(&mut self, steps: &[plan::Step], sizes: &mut SizeValues) {
        for step in steps {
            match step {
                plan::Step::Launch(launch) => {
                    let ready = self.launch(launch, sizes);
                    self.steps.push(Step::Launch(ready));
                }
                plan::Step::Zero(buffer) => {
                    let (start, elements) = self.rest(&Argument { buffer: *buffer, offset: Size::constant(0) }, sizes);
                    self.steps.push(Step::Zero { start, bytes: 4 * elements });
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

    fn launch(&self, launch: &plan::Launch, sizes: &SizeValues) -> Ready {
        let kernel = &self.ground.kernels[launch.kernel as usize];
        let numbers: Vec<i64> = launch.sizes.iter().map(|s| s.eval(sizes)).collect();
        let arguments: Vec<(*mut u8, usize)> = launch.arguments.iter().map(|a| self.rest(a, sizes)).collect();
        let is_written =
            |operand: &Operand| operand.dtype == DType::F32 && matches!(operand.access, Access::Write | Access::Update);
        let written = arguments.iter().zip(&kernel.operands).filter(|(_, operand)| is_written(operand));
        Ready {
            extent: kernel.extent(&numbers),
            label: launch.label.clone(),
            written: written.map(|(argument, _)| *argument).collect(),
            launch: Arc::new(Launch {
                address: self.ground.addresses[launch.kernel as usize],
                buffers: arguments.iter().map(|(start, _)| *start).collect(),
                sizes: numbers,
                scratch: self.ground.scratch.iter().map(Memory::address).collect(),
            }),
        }
    }

    /// Where an argument starts, and how many elements its buffer has from there on.
    fn rest(&self, argument: &Argument, sizes: &SizeValues) -> (*mut u8, usize) {
        let buffer = argument.buffer.0 as usize;
        let offset = argument.offset.eval(sizes) as usize;
        let elements = self.plan.buffers[buffer].elements.eval(sizes) as usize;
        (self.buffers[buffer].wrapping_add(4 * offset), elements.saturating_sub(offset))
    }
}
