//! Sessions that run plans on an engine.

use super::engine::{Download, Engine, Memory};
use super::laps::{CallProfile, Laps};
use super::prepared::{Ground, Inspect, Prepared};
use super::storages::{self, Storages};
use super::{Call, Fill, HostTensor, Named, Profiled, Session, SessionMemory, TensorView, input_of, shape_at};
use crate::Result;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use tfc_compiler::compiled::Compiled;
use tfc_compiler::graph::Type;
use tfc_compiler::plan::{self, Place, layout};
use tfc_compiler::precision::Precision;
use tfc_compiler::size::{SizeValues, Symbol};
use tfc_compiler::storage::Storage;

pub struct PlanSession<E: Engine> {
    compiled: Arc<Compiled>,
    engine: E,
    sizes: SizeValues,
    precision: Precision,
    storages: Storages<E::Memory>,
    arena: E::Memory,
    /// Of each plan, for the sizes of its last call: the next mostly has the same.
    prepared: Vec<Option<Prepared<E>>>,
    /// Of plans that were prepared once and are no longer: what is recorded next may be made of it.
    recordings: Vec<Option<E::Recording>>,
    laps: Laps<E>,
    /// Calls whose outputs nobody has taken.
    running: BTreeMap<u64, Running<E::Download>>,
    /// That were started so far.
    calls: u64,
}

struct Running<D> {
    /// The plan's.
    index: usize,
    sizes: SizeValues,
    download: D,
}

impl<E: Engine> PlanSession<E> {
    /// On an engine that has the kernels of `compiled`; sizes and storages come with the first [`Session::resize`].
    ///
    /// # Errors
    /// There is too little memory.
    pub fn on(engine: E, compiled: Arc<Compiled>) -> Result<PlanSession<E>> {
        Ok(PlanSession {
            sizes: SizeValues::new(&compiled.model.symbols),
            precision: compiled.model.stage_precision(0),
            storages: Storages::new(&compiled, &engine)?,
            prepared: compiled.program.plans.iter().map(|_| None).collect(),
            recordings: compiled.program.plans.iter().map(|_| None).collect(),
            arena: engine.allocate(0, 0)?,
            engine,
            laps: Laps::none(),
            running: BTreeMap::new(),
            calls: 0,
            compiled,
        })
    }

    /// Makes the plan ready for these sizes, unless it is, and the arena large enough.
    fn prepare(&mut self, index: usize, sizes: &SizeValues) -> Result<()> {
        if self.prepared[index].as_ref().is_some_and(|p| p.sizes == *sizes) {
            return Ok(());
        }
        self.forget_one(index);
        let compiled = Arc::clone(&self.compiled);
        let plan = &compiled.program.plans[index];
        let layout = layout(plan, sizes);
        let bytes = usize::try_from(layout.arena_bytes).unwrap_or(usize::MAX);
        if bytes > self.arena.len() {
            self.forget();
            // The old one goes first: there may be no room for both.
            self.arena = self.engine.allocate(0, 0)?;
            self.arena = self.engine.allocate(bytes, bytes)?;
        }
        let mut ground = Ground {
            kernels: &compiled.program.kernels,
            engine: &mut self.engine,
            storages: &self.storages,
            arena: &self.arena,
        };
        let violations = plan::verify_at(&compiled.program, plan, sizes);
        assert!(violations.is_empty(), "bug in tfc: {} at these sizes: {}", plan.name, violations.join("; "));
        let before = self.recordings[index].take();
        self.prepared[index] = Some(Prepared::new(plan, &layout, sizes, &mut ground, before)?);
        Ok(())
    }

    /// What was prepared is so no longer: storages or arena move.
    fn forget(&mut self) {
        (0..self.prepared.len()).for_each(|index| self.forget_one(index));
    }

    fn forget_one(&mut self, index: usize) {
        if let Some(prepared) = self.prepared[index].take() {
            self.recordings[index] = prepared.into_recording();
        }
    }

    /// The index of the plan of an entry in the present precision.
    fn plan(&self, entry: &str) -> usize {
        self.compiled.program.plan(entry, self.precision).unwrap_or_else(|| {
            panic!("bug in tfc: entry `{entry}` was not compiled in {}", self.precision.name());
        })
    }

    /// Makes the plan of an entry ready, and hands it its inputs; gives its index and its sizes.
    fn enter(&mut self, entry: &str, call: &[(Symbol, i64)], inputs: &[Named]) -> Result<(usize, SizeValues)> {
        let compiled = Arc::clone(&self.compiled);
        let index = self.plan(entry);
        let plan = &compiled.program.plans[index];
        let mut sizes = self.sizes.clone();
        call.iter().for_each(|(symbol, value)| sizes.set(*symbol, *value));
        self.prepare(index, &sizes)?;
        let prepared = self.prepared[index].as_mut().expect("bug in tfc: the plan was just prepared");
        for (input, memory) in plan.inputs.iter().zip(&mut prepared.inputs) {
            storages::fill(memory, input_of(input, &sizes, inputs)?, input.ty.dtype)?;
        }
        Ok((index, sizes))
    }

    /// Runs an entry, or lets it run; gives the index of its plan and its sizes.
    fn launch(&mut self, entry: &str, call: &[(Symbol, i64)], inputs: &[Named]) -> Result<(usize, SizeValues)> {
        let (index, sizes) = self.enter(entry, call, inputs)?;
        self.laps.begin(index, &sizes, &self.engine)?;
        let prepared = self.prepared[index].as_mut().expect("bug in tfc: the plan was just prepared");
        // SAFETY: whatever moves storages or arena forgets what was prepared; `&mut self` keeps everyone else away. The plan's verifier
        // has checked operands and sizes against the kernels, and the layout gives every live buffer a place of its own.
        unsafe { prepared.run(&mut self.engine, &mut self.laps)? };
        Ok((index, sizes))
    }

    /// Where an entry that was launched hands back its outputs.
    fn written(&self, index: usize) -> &[E::Memory] {
        self.prepared[index].as_ref().map_or(&[], |prepared| &prepared.outputs)
    }

    /// What an entry that was launched has handed back.
    fn outputs(&self, index: usize, sizes: &SizeValues, words: Vec<Vec<u32>>) -> Vec<Named> {
        let named = |(output, words): (&plan::PlannedOutput, Vec<u32>)| {
            let ty = Type { dtype: output.dtype, shape: output.shape.clone() };
            (output.name.clone(), storages::to_host(words, &ty, sizes))
        };
        self.compiled.program.plans[index].outputs.iter().zip(words).map(named).collect()
    }

    fn find_non_finite(&mut self, entry: &str, call: &[(Symbol, i64)], inputs: &[Named]) -> Result<Option<String>> {
        // What an earlier call left in gradients that lend their memory must not be mistaken for a result.
        let compiled = Arc::clone(&self.compiled);
        let plan = &compiled.program.plans[self.plan(entry)];
        for lender in &plan.lenders {
            if let Place::Storage(storage) = plan.buffers[lender.buffer.0 as usize].place {
                self.storages.zero(storage)?;
            }
        }
        let (index, _) = self.enter(entry, call, inputs)?;
        let prepared = self.prepared[index].as_ref().expect("bug in tfc: the plan was just prepared");
        let mut found = None;
        let inspect: &mut Inspect<'_, E> = &mut |engine, ready| {
            for span in &ready.written {
                // SAFETY: during the call, so as for the call itself.
                if !unsafe { engine.is_finite(span)? } {
                    found = Some(ready.label.clone());
                }
            }
            Ok(found.is_none())
        };
        // SAFETY: as in `launch`.
        unsafe { prepared.run_one_by_one(&mut self.engine, inspect)? };
        Ok(found)
    }
}

impl<E: Engine> Session for PlanSession<E> {
    fn resize(&mut self, sizes: &SizeValues) -> Result<()> {
        if *sizes != self.sizes {
            self.forget();
        }
        self.storages.resize(&self.engine, sizes)?;
        self.sizes = sizes.clone();
        Ok(())
    }

    fn sizes(&self) -> &SizeValues {
        &self.sizes
    }

    fn set_precision(&mut self, precision: Precision) {
        self.precision = precision;
    }

    fn write(&mut self, storage: Storage, tensor: &HostTensor) -> Result<()> {
        self.storages.write(storage, tensor)
    }

    fn fill(&mut self, storage: Storage, places: Range<usize>, fill: Fill<'_>) -> Result<()> {
        self.storages.fill(storage, places, fill, &self.sizes)
    }

    fn read(&self, storage: Storage) -> Result<HostTensor> {
        self.storages.read(storage, &self.sizes)
    }

    fn bytes(&self, storage: Storage) -> Option<&[u8]> {
        self.storages.bytes_of(storage)
    }

    fn zero(&mut self, storage: Storage) -> Result<()> {
        self.storages.zero(storage)
    }

    fn run(&mut self, entry: &str, call: &[(Symbol, i64)], inputs: &[Named]) -> Result<Vec<Named>> {
        let call = self.start(entry, call, inputs)?;
        self.finish(call)
    }

    fn run_and_look(
        &mut self,
        entry: &str,
        call: &[(Symbol, i64)],
        inputs: &[Named],
        look: &mut dyn FnMut(&str, TensorView<'_>),
    ) -> Result<()> {
        let (index, sizes) = self.launch(entry, call, inputs)?;
        let Some(bytes) = self.written(index).iter().map(Memory::on_host).collect::<Option<Vec<_>>>() else {
            let words = self.engine.download(self.written(index))?.finish()?;
            self.outputs(index, &sizes, words).iter().for_each(|(name, tensor)| look(name, tensor.view()));
            return Ok(());
        };
        for (output, bytes) in self.compiled.program.plans[index].outputs.iter().zip(bytes) {
            let shape = shape_at(&output.shape, &sizes);
            look(&output.name, TensorView { shape: &shape, numbers: storages::numbers(bytes, output.dtype) });
        }
        Ok(())
    }

    fn start(&mut self, entry: &str, call: &[(Symbol, i64)], inputs: &[Named]) -> Result<Call> {
        let (index, sizes) = self.launch(entry, call, inputs)?;
        let download = self.engine.download(self.written(index))?;
        self.calls += 1;
        self.running.insert(self.calls, Running { index, sizes, download });
        Ok(Call::Running(self.calls))
    }

    fn finish(&mut self, call: Call) -> Result<Vec<Named>> {
        let found = if let Call::Running(number) = call { self.running.remove(&number) } else { None };
        let running = found.expect("bug in tfc: a call is finished on another session than it was started on");
        let words = running.download.finish()?;
        Ok(self.outputs(running.index, &running.sizes, words))
    }

    fn first_non_finite(&mut self, entry: &str, call: &[(Symbol, i64)], inputs: &[Named]) -> Option<String> {
        self.find_non_finite(entry, call, inputs).ok().flatten()
    }

    fn memory(&self) -> SessionMemory {
        let scratch = self.engine.bytes() as u64;
        SessionMemory { storages: self.storages.bytes(), arena: self.arena.len() as u64, scratch }
    }
}

impl<E: Engine> Profiled for PlanSession<E> {
    fn start_profile(&mut self) {
        self.laps.start();
    }

    fn take_profile(&mut self) -> Result<Vec<CallProfile>> {
        self.laps.take()
    }
}
