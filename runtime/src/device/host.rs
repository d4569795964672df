//! Sessions on the host's memory: plans run launch by launch on an engine.

use super::engine::Engine;
use super::laps::{CallProfile, Laps};
use super::memory::Memory;
use super::prepared::{Ground, Prepared, Ready};
use super::storages::{self, Storages};
use super::{HostTensor, Named, Session, SessionMemory, input_of};
use crate::Result;
use std::sync::Arc;
use tfc_compiler::compiled::Compiled;
use tfc_compiler::graph::Type;
use tfc_compiler::plan::{self, Place, layout};
use tfc_compiler::precision::Precision;
use tfc_compiler::size::{SizeValues, Symbol};
use tfc_compiler::storage::Storage;

pub struct HostSession<E: Engine> {
    compiled: Arc<Compiled>,
    engine: E,
    sizes: SizeValues,
    precision: Precision,
    storages: Storages,
    arena: Memory,
    /// Of each plan, for the sizes of its last call: the next mostly has the same.
    prepared: Vec<Option<Prepared<E::Launch>>>,
    laps: Laps,
}

impl<E: Engine> HostSession<E> {
    /// On an engine that has the kernels of `compiled`; sizes and storages come with the first [`Session::resize`].
    ///
    /// # Errors
    /// There is too little memory.
    pub fn on(engine: E, compiled: Arc<Compiled>) -> Result<HostSession<E>> {
        Ok(HostSession {
            sizes: SizeValues::new(&compiled.model.symbols),
            precision: compiled.model.stage_precision(0),
            storages: Storages::new(&compiled),
            prepared: compiled.program.plans.iter().map(|_| None).collect(),
            engine,
            arena: Memory::new(0)?,
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

    /// Makes the plan ready for these sizes, unless it is, and the arena large enough.
    fn prepare(&mut self, index: usize, sizes: &SizeValues) -> Result<()> {
        if self.prepared[index].as_ref().is_some_and(|p| p.sizes == *sizes) {
            return Ok(());
        }
        let compiled = Arc::clone(&self.compiled);
        let plan = &compiled.program.plans[index];
        let layout = layout(plan, sizes);
        let bytes = usize::try_from(layout.arena_bytes).unwrap_or(usize::MAX);
        if bytes > self.arena.len() {
            self.forget();
            self.arena = Memory::new(0)?;
            self.arena = Memory::new(bytes)?;
        }
        let ground = Ground {
            kernels: &compiled.program.kernels,
            engine: &self.engine,
            storages: &self.storages,
            arena: &self.arena,
        };
        self.prepared[index] = Some(Prepared::new(plan, &layout, sizes, &ground)?);
        Ok(())
    }

    /// What was prepared is so no longer: storages or arena move.
    fn forget(&mut self) {
        self.prepared.iter_mut().for_each(|prepared| *prepared = None);
    }

    /// The index of the plan of an entry in the present precision.
    fn plan(&self, entry: &str) -> usize {
        self.compiled.program.plan(entry, self.precision).unwrap_or_else(|| {
            panic!("bug in tfc: entry `{entry}` was not compiled in {}", self.precision.name());
        })
    }

    /// Runs a plan. `inspect` sees each launch when it has run, and may end the call.
    fn call(
        &mut self,
        entry: &str,
        call: &[(Symbol, i64)],
        inputs: &[Named],
        inspect: &mut dyn FnMut(&Ready<E::Launch>) -> bool,
    ) -> Result<Vec<Named>> {
        let compiled = Arc::clone(&self.compiled);
        let index = self.plan(entry);
        let plan = &compiled.program.plans[index];
        let mut sizes = self.sizes.clone();
        call.iter().for_each(|(symbol, value)| sizes.set(*symbol, *value));
        self.prepare(index, &sizes)?;
        let prepared = self.prepared[index].as_mut().expect("bug in tfc: the plan was just prepared");
        for (input, memory) in plan.inputs.iter().zip(&mut prepared.inputs) {
            storages::fill(memory.bytes_mut(), input_of(input, &sizes, inputs)?, input.ty.dtype);
        }
        self.laps.begin(index, &sizes);
        // SAFETY: whatever moves storages or arena forgets what was prepared; `&mut self` keeps everyone else away. The plan's verifier
        // has checked operands and sizes against the kernels, and the layout gives every live buffer a place of its own.
        unsafe { prepared.run(&mut self.engine, &mut self.laps, inspect)? };
        let named = |(output, memory): (&plan::PlannedOutput, &Memory)| {
            let ty = Type { dtype: output.dtype, shape: output.shape.clone() };
            (output.name.clone(), storages::to_host(memory, &ty, &sizes))
        };
        Ok(plan.outputs.iter().zip(&prepared.outputs).map(named).collect())
    }
}

impl<E: Engine> Session for HostSession<E> {
    fn resize(&mut self, sizes: &SizeValues) -> Result<()> {
        if *sizes != self.sizes {
            self.forget();
        }
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

    fn bytes(&self, storage: Storage) -> Option<&[u8]> {
        self.storages.bytes_of(storage)
    }

    fn zero(&mut self, storage: Storage) {
        self.storages.zero(storage);
    }

    fn run(&mut self, entry: &str, call: &[(Symbol, i64)], inputs: &[Named]) -> Result<Vec<Named>> {
        self.call(entry, call, inputs, &mut |_| true)
    }

    fn first_non_finite(&mut self, entry: &str, call: &[(Symbol, i64)], inputs: &[Named]) -> Option<String> {
        // What an earlier call left in the arena, or where gradients lend their memory, must not be mistaken for a result.
        self.arena.bytes_mut().fill(0);
        let compiled = Arc::clone(&self.compiled);
        let plan = &compiled.program.plans[self.plan(entry)];
        for lender in &plan.lenders {
            if let Place::Storage(storage) = plan.buffers[lender.buffer.0 as usize].place {
                self.storages.zero(storage);
            }
        }
        let mut found = None;
        let inspect = &mut |ready: &Ready<E::Launch>| {
            // SAFETY: during the call, so as for the call itself.
            if !unsafe { ready.wrote_numbers() } {
                found = Some(ready.label.clone());
            }
            found.is_none()
        };
        let outcome = self.call(entry, call, inputs, inspect);
        outcome.ok().and(found)
    }

    fn memory(&self) -> SessionMemory {
        let scratch = self.engine.bytes() as u64;
        SessionMemory { storages: self.storages.bytes(), arena: self.arena.len() as u64, scratch }
    }
}
