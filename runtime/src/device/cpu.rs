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
use tfc_compiler::executable::{Backend, Code, Extent, Loaded};
use tfc_compiler::kernel::{Contraction, Division};
use tfc_compiler::optimization::Optimization;

pub struct Cpu {
    compiled: Arc<Compiled>,
    code: Loaded,
    pool: Pool,
    /// One per thread, as large as the greediest kernel asks.
    scratch: Vec<HostMemory>,
    /// One for all threads, as large as the greediest launch asks that was prepared; unless they are to share none.
    shared: Option<HostMemory>,
    /// What each kernel asks.
    shared_bytes: Vec<Extent>,
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
        let scratch_bytes = code.functions.iter().map(|f| f.scratch_bytes).max().unwrap_or(0);
        let pages = Pages::of(&compiled);
        let scratch = (0..pool.threads()).map(|_| HostMemory::new(scratch_bytes, pages)).collect::<Result<_>>()?;
        let shares = !compiled.disabled.has(Optimization::SharedPacking);
        let shared = shares.then(|| HostMemory::with_room(0, Contraction::SHARED_ROOM, pages)).transpose()?;
        let shared_bytes = code.functions.iter().map(|f| f.shared_bytes.clone()).collect();
        let engine = Cpu { compiled: Arc::clone(&compiled), code: loaded, pool, scratch, shared, shared_bytes };
        PlanSession::on(engine, compiled)
    }
}

impl Cpu {
    /// Where threads share as many bytes: at the same place for all launches, whatever comes later.
    fn shared(&mut self, bytes: usize) -> Result<*mut u8> {
        let shared = self.shared.as_mut().expect("bug in tfc: a launch is divided as if threads shared memory");
        if shared.len() < bytes {
            shared.resize(bytes)?;
        }
        Ok(shared.address())
    }
}

impl HostEngine for Cpu {
    type Launch = CpuLaunch;

    fn prepare(&mut self, kernel: usize, arguments: &[Span], sizes: Vec<i64>) -> Result<CpuLaunch> {
        let division = self.compiled.program.kernels[kernel].division(&sizes, self.shared.is_some());
        let shared = match division.preparation {
            0 => std::ptr::null_mut(),
            _ => self.shared(self.shared_bytes[kernel].evaluate(&sizes) as usize)?,
        };
        let launch = Launch {
            address: self.code.addresses[kernel],
            buffers: arguments.iter().map(|argument| argument.start).chain([shared]).collect(),
            sizes,
            scratch: self.scratch.iter().map(HostMemory::address).collect(),
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
