//! The CPU: plans run as compiled kernels on a pool of threads.

use super::laps::{CallProfile, Laps};
use super::launch::Launch;
use super::memory::Memory;
use super::pool::Pool;
use super::storages::Storages;
use super::{HostTensor, Named, Session, SessionMemory, input_of, tables};
use crate::{Failure, Result};
use std::sync::Arc;
use tfc_compiler::compiled::Compiled;
use tfc_compiler::executable::{Backend, Code, Loaded};
use tfc_compiler::graph::{DType, Type};
use tfc_compiler::kernel::Access;
use tfc_compiler::plan::{self, Argument, Layout, Place, Plan, Step, layout};
use tfc_compiler::precision::Precision;
use tfc_compiler::size::{SizeValues, Symbol};
use tfc_compiler::storage::Storage;

pub struct CpuSession {
    compiled: Arc<Compiled>,
    code: Loaded,
    pool: Pool,
    sizes: SizeValues,
    precision: Precision,
    storages: Storages,
    arena: Memory,
    /// One per thread, as large as the greediest kernel asks.
    scratch: Vec<Memory>,
    /// What a plan needs for given sizes; kept, for the next call mostly has the same.
    prepared: Vec<Option<Prepared>>,
    laps: Laps,
}

/// A plan at given sizes.
struct Prepared {
    sizes: SizeValues,
    layout: Layout,
    tables: Vec<Memory>,
}

impl CpuSession {
    /// Opens a session on loaded code; sizes and storages come with the first [`Session::resize`].
    ///
    /// # Errors
    /// The code is not for this machine, or there is too little memory.
    pub fn new(compiled: Arc<Compiled>, code: &Code, backend: &dyn Backend, threads: usize) -> Result<CpuSession> {
        let loaded = backend.load(code).map_err(|e| Failure::new(crate::Kind::Machine, e.to_string()))?;
        let pool = Pool::new(threads);
        let scratch_bytes = code.functions.iter().map(|f| f.scratch_bytes).max().unwrap_or(0);
        let scratch = (0..pool.threads()).map(|_| Memory::new(scratch_bytes)).collect::<Result<_>>()?;
        Ok(CpuSession {
            sizes: SizeValues::new(&compiled.model.symbols),
            precision: compiled.model.stage_precision(0),
            storages: Storages::new(&compiled),
            prepared: compiled.program.plans.iter().map(|_| None).collect(),
            code: loaded,
            pool,
            arena: Memory::new(0)?,
            scratch,
            laps: Laps::default(),
            compiled,
        })
    }

    /// From now on, writes down how long each operation of each call takes.
    pub fn start_profile(&mut self) {
        self.laps.start();
    }

    /// What was written down; from now on nothing is.
    pub fn take_profile(&mut self) -> Vec<CallProfile> {
        self.laps.take()
    }

    /// Lays the plan out for these sizes, unless it is, and makes the arena large enough.
    fn prepare(&mut self, index: usize, sizes: &SizeValues) -> Result<()> {
        if self.prepared[index].as_ref().is_some_and(|p| p.sizes == *sizes) {
            return Ok(());
        }
        let plan = &self.compiled.program.plans[index];
        let layout = layout(plan, sizes);
        let bytes = usize::try_from(layout.arena_bytes).unwrap_or(usize::MAX);
        if bytes > self.arena.len() {
            self.arena = Memory::new(0)?;
            self.arena = Memory::new(bytes)?;
        }
        let tables = plan.tables.iter().map(|t| tables::compute(t, sizes)).collect::<Result<_>>()?;
        self.prepared[index] = Some(Prepared { sizes: sizes.clone(), layout, tables });
        Ok(())
    }

    /// Runs a plan. `inspect` sees each step's written buffers after it has run, and may stop the call.
    fn call(
        &mut self,
        entry: &str,
        call: &[(Symbol, i64)],
        inputs: &[Named],
        inspect: &mut dyn FnMut(&plan::Launch, &[&[f32]]) -> bool,
    ) -> Result<Vec<Named>> {
        let compiled = Arc::clone(&self.compiled);
        let index = compiled.program.plan(entry, self.precision).unwrap_or_else(|| {
            panic!("bug in tfc: entry `{entry}` was not compiled in {}", self.precision.name());
        });
        let plan = &compiled.program.plans[index];
        let mut sizes = self.sizes.clone();
        call.iter().for_each(|(symbol, value)| sizes.set(*symbol, *value));
        let inputs = collect_inputs(plan, &sizes, inputs)?;
        let outputs = plan.outputs.iter().map(|o| Memory::new(4 * elements(&o.shape, &sizes)));
        let outputs: Vec<Memory> = outputs.collect::<Result<_>>()?;
        self.prepare(index, &sizes)?;
        let prepared = self.prepared[index].as_ref().expect("bug in tfc: the plan was just prepared");
        let place = |buffer: usize| match &plan.buffers[buffer].place {
            Place::Arena { .. } => {
                let offset = prepared.layout.offsets[buffer].expect("bug in tfc: a buffer of the arena has no place");
                self.arena.address().wrapping_add(offset as usize)
            }
            Place::Storage(Storage::Input(i)) => inputs[*i as usize].address(),
            Place::Storage(Storage::Output(i)) => outputs[*i as usize].address(),
            Place::Storage(Storage::Table(i)) => prepared.tables[*i as usize].address(),
            Place::Storage(storage) => self.storages.memory(*storage).address(),
        };
        self.laps.begin(index, &sizes);
        let mut run = Run {
            plan,
            compiled: &compiled,
            code: &self.code,
            pool: &self.pool,
            buffers: (0..plan.buffers.len()).map(place).collect(),
            scratch: self.scratch.iter().map(Memory::address).collect(),
            laps: &mut self.laps,
        };
        run.steps(&plan.steps, &mut sizes, inspect);
        let named = |(output, memory): (&plan::PlannedOutput, &Memory)| {
            let ty = Type { dtype: output.dtype, shape: output.shape.clone() };
            (output.name.clone(), super::storages::to_host(memory, &ty, &sizes))
        };
        Ok(plan.outputs.iter().zip(&outputs).map(named).collect())
    }
}

impl Session for CpuSession {
    fn resize(&mut self, sizes: &SizeValues) -> Result<()> {
        self.storages.resize(sizes)?;
        self.sizes = sizes.clone();
        Ok(())
    }

    fn sizes(&self) -> &SizeValues {
        &self.sizes
    }

    fn set_precision(&mut self, precision: Precision) {
        self.precision = precision;
    }

    fn write(&mut self, storage: Storage, tensor: &HostTensor) {
        self.storages.write(storage, tensor);
    }

    fn read(&self, storage: Storage) -> HostTensor {
        self.storages.read(storage, &self.sizes)
    }

    fn zero(&mut self, storage: Storage) {
        self.storages.zero(storage);
    }

    fn run(&mut self, entry: &str, call: &[(Symbol, i64)], inputs: &[Named]) -> Result<Vec<Named>> {
        self.call(entry, call, inputs, &mut |_, _| true)
    }

    fn first_non_finite(&mut self, entry: &str, call: &[(Symbol, i64)], inputs: &[Named]) -> Option<String> {
        // What an earlier call left in the arena must not be mistaken for a result.
        self.arena.bytes_mut().fill(0);
        let mut found = None;
        let inspect = &mut |launch: &plan::Launch, written: &[&[f32]]| {
            if written.iter().any(|buffer| buffer.iter().any(|x| !x.is_finite())) {
                found = Some(launch.label.clone());
            }
            found.is_none()
        };
        let outcome = self.call(entry, call, inputs, inspect);
        outcome.ok().and(found)
    }

    fn memory(&self) -> SessionMemory {
        let scratch: usize = self.scratch.iter().map(Memory::len).sum();
        SessionMemory { storages: self.storages.bytes(), arena: (self.arena.len() + scratch) as u64 }
    }
}

/// One call of one plan.
struct Run<'a> {
    plan: &'a Plan,
    compiled: &'a Compiled,
    code: &'a Loaded,
    pool: &'a Pool,
    buffers: Vec<*mut u8>,
    scratch: Vec<*mut u8>,
    laps: &'a mut Laps,
}

impl Run<'_> {
    /// Whether to go on.
    fn steps(
        &mut self,
        steps: &[Step],
        sizes: &mut SizeValues,
        inspect: &mut dyn FnMut(&plan::Launch, &[&[f32]]) -> bool,
    ) -> bool {
        for step in steps {
            let go_on = match step {
                Step::Launch(launch) => {
                    self.launch(launch, sizes);
                    self.laps.lap();
                    inspect(launch, &self.written(launch, sizes))
                }
                Step::Zero(buffer) => {
                    self.zero(buffer.0 as usize, sizes);
                    self.laps.lap();
                    true
                }
                Step::Chunks { rows, chunk, body } => {
                    let rows = rows.eval(sizes);
                    let mut go_on = true;
                    for start in (0..rows).step_by(*chunk as usize) {
                        sizes.set(Symbol::CHUNK_START, start);
                        sizes.set(Symbol::CHUNK_ROWS, (*chunk).min(rows - start));
                        go_on = go_on && self.steps(body, sizes, inspect);
                    }
                    go_on
                }
            };
            if !go_on {
                return false;
            }
        }
        true
    }

    fn launch(&self, launch: &plan::Launch, sizes: &SizeValues) {
        let kernel = &self.compiled.program.kernels[launch.kernel as usize];
        let numbers: Vec<i64> = launch.sizes.iter().map(|s| s.eval(sizes)).collect();
        let extent = kernel.extent(&numbers);
        let call = Launch {
            address: self.code.addresses[launch.kernel as usize],
            buffers: launch.arguments.iter().map(|a| self.address(a, sizes)).collect(),
            sizes: numbers,
            scratch: self.scratch.clone(),
        };
        // SAFETY: the plan's verifier has checked operands and sizes against the kernel; the layout gives every live buffer a place
        // of its own; `&mut self` of the session's call keeps everyone else away.
        unsafe { call.run(self.pool, extent) }
    }

    fn address(&self, argument: &Argument, sizes: &SizeValues) -> *mut u8 {
        self.buffers[argument.buffer.0 as usize].wrapping_add(4 * argument.offset.eval(sizes) as usize)
    }

    fn zero(&self, buffer: usize, sizes: &SizeValues) {
        let bytes = 4 * self.plan.buffers[buffer].elements.eval(sizes) as usize;
        // SAFETY: the buffer is that large at these sizes, and nothing else uses it during the call.
        unsafe { std::ptr::write_bytes(self.buffers[buffer], 0, bytes) }
    }

    /// The whole buffers that a launch has written to.
    fn written(&self, launch: &plan::Launch, sizes: &SizeValues) -> Vec<&[f32]> {
        let operands = &self.compiled.program.kernels[launch.kernel as usize].operands;
        let written = launch.arguments.iter().zip(operands).filter(|(_, operand)| {
            operand.dtype == DType::F32 && matches!(operand.access, Access::Write | Access::Update)
        });
        let slice = |(argument, _): (&Argument, _)| {
            let buffer = argument.buffer.0 as usize;
            let elements = self.plan.buffers[buffer].elements.eval(sizes) as usize;
            // SAFETY: as in `zero`; the memory was zeroed when it was made, so every element is a number.
            unsafe { std::slice::from_raw_parts(self.buffers[buffer].cast::<f32>(), elements) }
        };
        written.map(slice).collect()
    }
}

fn elements(shape: &[tfc_compiler::size::Size], sizes: &SizeValues) -> usize {
    super::shape_at(shape, sizes).iter().product()
}

/// The inputs in the plan's order, copied to aligned memory.
fn collect_inputs(plan: &Plan, sizes: &SizeValues, given: &[Named]) -> Result<Vec<Memory>> {
    plan.inputs.iter().map(|input| super::storages::to_memory(input_of(input, sizes, given)?, input.ty.dtype)).collect()
}
