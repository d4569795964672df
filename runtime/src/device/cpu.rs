//! The CPU: kernels run on a pool of threads.

use super::engine::{Memory, Span};
use super::host_memory::{HostMemory, Pages};
use super::joined::{Operation, Stage, Touched, jobs};
use super::launch::{Launch, RowEpilogue, Zeros};
use super::on_host::HostEngine;
use super::planned::PlanSession;
use super::pool::{Job, Pool, Stretch};
use crate::{Failure, Result};
use std::ops::Range;
use std::sync::Arc;
use tfc_compiler::compiled::Compiled;
use tfc_compiler::executable::{Backend, Code, Function, Loaded, Room};
use tfc_compiler::graph::DType;
use tfc_compiler::kernel::{Access, Division, Kernel};
use tfc_compiler::optimization::Optimization;

pub struct Cpu {
    /// Its threads end before the code does that they run.
    pool: Pool,
    compiled: Arc<Compiled>,
    code: Loaded,
    /// Of each kernel.
    functions: Vec<Function>,
    /// One per thread.
    scratch: Vec<HostMemory>,
    /// The rooms of all threads; none if they are to share none.
    shared: Vec<HostMemory>,
    /// What is asked for while a call is recorded.
    recorded: Option<Vec<Operation>>,
}

pub type CpuSession = PlanSession<Cpu>;

pub struct CpuLaunch {
    launch: Arc<Launch>,
    division: Division,
    operation: Operation,
    /// By itself.
    alone: Arc<[Job]>,
}

impl CpuSession {
    /// Opens a session on loaded code.
    ///
    /// # Errors
    /// The code is not for this machine, or there is too little memory, or no thread to be had.
    pub fn new(compiled: Arc<Compiled>, code: &Code, backend: &dyn Backend, threads: usize) -> Result<CpuSession> {
        let loaded = backend.load(code).map_err(|e| Failure::new(crate::Kind::Machine, e.to_string()))?;
        let pool = Pool::new(threads)?;
        let functions = code.functions.clone();
        let memories = |count: usize, room: fn(&Function) -> &Room| -> Result<Vec<HostMemory>> {
            let most = functions.iter().map(|function| room(function).most).max().unwrap_or(0);
            (0..count).map(|_| HostMemory::with_room(0, most, Pages::of(&compiled))).collect()
        };
        let scratch = memories(pool.threads(), |f| &f.scratch)?;
        let has = |optimization| !compiled.disabled.has(optimization);
        // Where several threads go on to the next launch, one room is written while the other is read.
        let rooms = match has(Optimization::SharedPacking) {
            true if has(Optimization::Joining) && pool.threads() > 1 => 2,
            true => 1,
            false => 0,
        };
        let shared = memories(rooms, |f| &f.shared)?;
        let own = Arc::clone(&compiled);
        PlanSession::on(Cpu { pool, compiled: own, code: loaded, functions, scratch, shared, recorded: None }, compiled)
    }
}

impl Cpu {
    /// Where a launch finds what threads share, if it has a preparation: launches have the rooms in turn.
    fn room(&mut self, kernel: usize, sizes: &[i64], division: Division) -> Result<Option<Span>> {
        if division.preparation == 0 {
            return Ok(None);
        }
        self.shared.rotate_left(1);
        let bytes = self.functions[kernel].shared.of(sizes);
        let start = with_bytes(&mut self.shared[0], bytes)?;
        Ok(Some(Span { start, elements: bytes / 4, dtype: DType::F32 }))
    }
}

/// What a launch touches, its preparation and its items.
fn touched(kernel: &Kernel, arguments: &[Span], room: Option<&Span>) -> [Touched; 2] {
    let addresses_of = |is_meant: fn(Access) -> bool| {
        let operands = kernel.operands.iter().zip(arguments);
        operands.filter(move |(operand, _)| is_meant(operand.access)).map(|(_, argument)| addresses(argument))
    };
    let room = || room.map(addresses);
    let prepared = kernel.prepared_operands().into_iter().map(|operand| addresses(&arguments[operand]));
    let preparation = Touched { read: prepared.collect(), written: room().into_iter().collect() };
    let read = addresses_of(|access| access == Access::Read).chain(room()).collect();
    [preparation, Touched { read, written: addresses_of(|access| access != Access::Read).collect() }]
}

fn addresses(span: &Span) -> Range<usize> {
    span.start.addr()..span.start.addr() + span.bytes()
}

/// Where there are so many bytes. There are addresses for those of any launch, so that nothing moves, and memory for the launches that were prepared.
fn with_bytes(memory: &mut HostMemory, bytes: usize) -> Result<*mut u8> {
    if memory.len() < bytes {
        memory.resize(bytes)?;
    }
    Ok(memory.address())
}

impl HostEngine for Cpu {
    type Launch = CpuLaunch;
    type Recording = Arc<[Job]>;

    fn prepare(&mut self, kernel: usize, arguments: &[Span], sizes: Vec<i64>) -> Result<CpuLaunch> {
        let sharing = (!self.shared.is_empty()).then_some(self.functions[kernel].rows_of_item);
        let division = self.compiled.program.kernels[kernel].division(&sizes, sharing);
        let room = self.room(kernel, &sizes, division)?;
        let Function { scratch, scratch_of_sharing, .. } = &self.functions[kernel];
        let scratch_bytes = if room.is_some() { scratch_of_sharing } else { scratch }.of(&sizes);
        let scratch = self.scratch.iter_mut().map(|scratch| with_bytes(scratch, scratch_bytes));
        let scratch = scratch.collect::<Result<_>>()?;
        let shared = room.as_ref().map_or(std::ptr::null_mut(), |room| room.start);
        let buffers = arguments.iter().map(|argument| argument.start).chain([shared]).collect();
        // SAFETY: the address is of the kernel's code, which this engine holds; its items are done by `run` and `repeat` alone, whose callers promise the rest.
        let launch = Arc::new(unsafe { Launch::new(self.code.addresses[kernel], buffers, sizes, scratch) });
        let [preparation, items] = touched(&self.compiled.program.kernels[kernel], arguments, room.as_ref());
        let stage = |items: Range<i64>, in_pieces: bool, touched: Touched| {
            let work = Arc::clone(&launch) as _;
            Stage { stretch: Stretch { work, items, in_pieces }, touched }
        };
        let operation = Operation {
            preparation: room.map(|_| stage(-division.preparation..0, true, preparation)),
            items: stage(0..division.items, division.in_pieces, items),
        };
        Ok(CpuLaunch { launch, division, alone: jobs([&operation]), operation })
    }

    fn row_epilogue(&self, product: &CpuLaunch, rows: &CpuLaunch) -> Option<CpuLaunch> {
        let (launch, behind) = (Arc::clone(&product.launch), Arc::clone(&rows.launch));
        let (rows_of_item, row_count) = (product.division.rows_of_item?, rows.division.items);
        if rows.division.rows_of_item != Some(1) {
            return None;
        }
        // SAFETY: the plan has the row program behind the product because it needs nothing of other rows, and both divisions are by rows.
        let work = unsafe { RowEpilogue::new(Arc::clone(&launch), behind, rows_of_item, row_count) };
        let stretch = Stretch { work: Arc::new(work), ..product.operation.items.stretch.clone() };
        let touched = product.operation.items.touched.clone().and(&rows.operation.items.touched);
        let operation = Operation { items: Stage { stretch, touched }, ..product.operation.clone() };
        Some(CpuLaunch { launch, division: product.division, alone: jobs([&operation]), operation })
    }

    unsafe fn run(&mut self, launch: &CpuLaunch) -> Result<()> {
        match &mut self.recorded {
            Some(recorded) => recorded.push(launch.operation.clone()),
            None => self.pool.run(&launch.alone),
        }
        Ok(())
    }

    unsafe fn zero(&mut self, span: &Span) {
        let touched = Touched { read: Vec::new(), written: vec![addresses(span)] };
        // SAFETY: done by this and `repeat`, whose callers promise that the span is there and not used by others.
        let zeros = unsafe { Zeros::new(*span) };
        let items = 0..zeros.items();
        let stretch = Stretch { work: Arc::new(zeros), items, in_pieces: true };
        let operation = Operation { preparation: None, items: Stage { stretch, touched } };
        match &mut self.recorded {
            Some(recorded) => recorded.push(operation),
            None => self.pool.run(&jobs([&operation])),
        }
    }

    fn record(&mut self, operations: &mut dyn FnMut(&mut Cpu) -> Result<()>) -> Result<Option<Arc<[Job]>>> {
        if self.compiled.disabled.has(Optimization::Joining) {
            return Ok(None);
        }
        self.recorded = Some(Vec::new());
        let asked = operations(self);
        let recorded = self.recorded.take().unwrap_or_default();
        asked.map(|()| Some(jobs(&recorded)))
    }

    unsafe fn repeat(&mut self, recording: &Arc<[Job]>) {
        self.pool.run(recording);
    }

    fn bytes(&self) -> usize {
        self.scratch.iter().chain(&self.shared).map(HostMemory::len).sum()
    }

    fn pages(&self) -> Pages {
        Pages::of(&self.compiled)
    }
}
