//! The CPU: kernels run on a pool of threads.

use super::engine::{Memory, Span};
use super::host_memory::{HostMemory, Pages};
use super::launch::Launch;
use super::on_host::HostEngine;
use super::planned::PlanSession;
use super::pool::Pool;
use crate::{Failure, Result};
use std::sync::Arc;
use tfc_compiler::compiled::Compiled;
use tfc_compiler::executable::{Backend, Code, Function, Loaded, Room};
use tfc_compiler::kernel::Division;
use tfc_compiler::optimization::Optimization;

pub struct Cpu {
    compiled: Arc<Compiled>,
    code: Loaded,
    pool: Pool,
    /// Of each kernel.
    functions: Vec<Function>,
    /// One per thread.
    scratch: Vec<HostMemory>,
    /// One for all threads, unless they are to share none.
    shared: Option<HostMemory>,
}

pub type CpuSession = PlanSession<Cpu>;

/// A launch and how it is divided.
pub struct CpuLaunch {
    launch: Arc<Launch>,
    division: Division,
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
        let memory = |room: fn(&Function) -> &Room| {
            let most = functions.iter().map(|function| room(function).most).max().unwrap_or(0);
            HostMemory::with_room(0, most, Pages::of(&compiled))
        };
        let scratch = (0..pool.threads()).map(|_| memory(|f| &f.scratch)).collect::<Result<_>>()?;
        let shares = !compiled.disabled.has(Optimization::SharedPacking);
        let shared = shares.then(|| memory(|f| &f.shared)).transpose()?;
        PlanSession::on(
            Cpu { compiled: Arc::clone(&compiled), code: loaded, pool, functions, scratch, shared },
            compiled,
        )
    }
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

    fn prepare(&mut self, kernel: usize, arguments: &[Span], sizes: Vec<i64>) -> Result<CpuLaunch> {
        let division = self.compiled.program.kernels[kernel].division(&sizes, self.shared.is_some());
        let function = &self.functions[kernel];
        let shared = match &mut self.shared {
            Some(shared) if division.preparation > 0 => with_bytes(shared, function.shared.of(&sizes))?,
            _ => std::ptr::null_mut(),
        };
        let scratch_bytes = function.scratch.of(&sizes);
        let scratch = self.scratch.iter_mut().map(|scratch| with_bytes(scratch, scratch_bytes));
        let launch = Launch {
            address: self.code.addresses[kernel],
            buffers: arguments.iter().map(|argument| argument.start).chain([shared]).collect(),
            scratch: scratch.collect::<Result<_>>()?,
            sizes,
        };
        Ok(CpuLaunch { launch: Arc::new(launch), division })
    }

    unsafe fn run(&mut self, CpuLaunch { launch, division }: &CpuLaunch) -> Result<()> {
        // SAFETY: the address is of the kernel's code, which this engine holds; the rest is the caller's promise.
        unsafe { launch.run(&self.pool, *division) };
        Ok(())
    }

    fn bytes(&self) -> usize {
        self.scratch.iter().chain(&self.shared).map(HostMemory::len).sum()
    }

    fn pages(&self) -> Pages {
        Pages::of(&self.compiled)
    }
}
