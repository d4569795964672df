//! Sessions on NVIDIA's GPUs.
//!
//! Storages, the arena, inputs and outputs lie in the device's memory. All work is asked for on one stream, in the order of the plan, so results are the same
//! every time; the host waits only for what it wants to read. The launches of a call are recorded as a CUDA graph when it comes a second time, and repeated from then on;
//! after a growth the graph is updated.
//!
//! - `driver`: the driver's functions and what they hand out;
//! - `gpu`: finding a GPU; `stopwatch`: timing a kernel by itself; `trouble`: the sentences for what goes wrong;
//! - `memory`, `staging`, `download`: tensors, and the ways to and from them.

mod download;
mod driver;
mod gpu;
mod memory;
mod staging;
mod stopwatch;
mod trouble;

pub use gpu::Gpu;

use super::engine::{Engine, Span};
use super::planned::PlanSession;
use crate::{Failure, Kind, Result};
use download::{CudaDownload, Spare};
use driver::{Driven, Event, Function, Graph, LaunchShape, Module};
use memory::{Access, CudaMemory};
use staging::Staging;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tfc_compiler::compiled::Compiled;
use tfc_compiler::executable::{Geometry, GpuProgram};
use trouble::{gave_up, is_of_a_kernel, refused, words};

/// Where it is set and not 0, each launch is waited for, so that one that fails is named: what the variable means to CUDA's own runtime.
const BLOCKING: &str = "CUDA_LAUNCH_BLOCKING";

pub struct Cuda {
    access: Access,
    spare: Rc<RefCell<Spare>>,
    functions: Vec<Function>,
    geometries: Vec<Geometry>,
    is_blocking: bool,
}

pub type CudaSession = PlanSession<Cuda>;

pub struct CudaLaunch {
    kernel: usize,
    label: String,
    blocks: i64,
    /// Addresses, then sizes.
    words: Vec<u64>,
}

impl CudaSession {
    /// Opens a session on the kernels of `compiled`.
    ///
    /// # Errors
    /// The driver refuses them, or there is too little memory.
    pub fn new(compiled: Arc<Compiled>, gpu: &Gpu, program: GpuProgram) -> Result<CudaSession> {
        let context = Rc::clone(&gpu.context);
        let functions = functions(gpu, &program)?;
        let staging = Rc::new(RefCell::new(Staging::new(&context)));
        let cuda = Cuda {
            access: Access { context, staging },
            spare: Rc::default(),
            functions,
            geometries: program.geometries,
            is_blocking: std::env::var(BLOCKING).is_ok_and(|value| !value.is_empty() && value != "0"),
        };
        PlanSession::on(cuda, compiled)
    }
}

/// The kernels, in the program's order.
fn functions(gpu: &Gpu, program: &GpuProgram) -> Result<Vec<Function>> {
    let load = |ptx: &Vec<u8>| {
        Module::new(&gpu.context, ptx).map(Rc::new).map_err(|unloadable| {
            let log = unloadable.log.trim().replace('\n', "; ");
            let log = if log.is_empty() { log } else { format!(": {log}") };
            Failure::new(
                Kind::Machine,
                format!("the GPU's driver does not take the kernels: {}{log}", words(unloadable.error)),
            )
        })
    };
    let modules: Vec<Rc<Module>> = program.modules.iter().map(load).collect::<Result<_>>()?;
    let find = |((module, name), geometry): (&(usize, String), &Geometry)| {
        let (needed, most) = (geometry.shared_bytes, gpu.shared_bytes_of_block);
        if needed > most {
            let message = format!(
                "{name} needs {needed} bytes of shared memory for a block, and the GPU {} has {most}",
                gpu.name
            );
            return Err(Failure::new(Kind::Machine, message));
        }
        modules[*module].function(name, needed).map_err(|error| refused(&format!("prepare {name}"), error))
    };
    program.functions.iter().zip(&program.geometries).map(find).collect()
}

impl Cuda {
    /// The launch of a kernel that there is something to do for.
    ///
    /// # Safety
    /// As of [`Engine::run`].
    unsafe fn launch(&self, launch: &CudaLaunch) -> Driven<()> {
        let geometry = &self.geometries[launch.kernel];
        // What no grid can be is left to the driver to refuse.
        let blocks = u32::try_from(launch.blocks).unwrap_or(u32::MAX);
        let shape = LaunchShape { blocks, threads: geometry.threads, shared_bytes: geometry.shared_bytes };
        // SAFETY: a kernel takes its buffers and its sizes, as they were prepared; the rest is the caller's promise, until the memory is freed.
        unsafe { self.access.context.launch(&self.functions[launch.kernel], shape, &launch.words)? };
        if self.is_blocking { self.access.context.synchronize() } else { Ok(()) }
    }
}

impl Engine for Cuda {
    type Memory = CudaMemory;
    type Launch = CudaLaunch;
    type Recording = Graph;
    type Download = CudaDownload;
    type Moment = Event;

    fn allocate(&self, bytes: usize, room: usize) -> Result<CudaMemory> {
        CudaMemory::new(&self.access, bytes, room)
    }

    fn prepare(&mut self, kernel: usize, label: &str, arguments: &[Span], sizes: Vec<i64>) -> Result<CudaLaunch> {
        let blocks = self.geometries[kernel].blocks.evaluate(&sizes);
        let addresses = arguments.iter().map(|argument| argument.start as u64);
        let words = addresses.chain(sizes.into_iter().map(|size| size as u64)).collect();
        Ok(CudaLaunch { kernel, label: label.to_string(), blocks, words })
    }

    /// A product's tiles have a part of a row each.
    fn row_epilogue(&self, _: &CudaLaunch, _: &CudaLaunch) -> Option<CudaLaunch> {
        None
    }

    unsafe fn run(&mut self, launch: &CudaLaunch) -> Result<()> {
        if launch.blocks == 0 {
            return Ok(());
        }
        // SAFETY: the caller's promise.
        unsafe { self.launch(launch) }.map_err(|error| {
            // Another may be meant that ran before, unless each is waited for.
            if is_of_a_kernel(error) && !self.is_blocking {
                return gave_up(error);
            }
            let kernel = &self.functions[launch.kernel].name;
            let what = format!("the GPU failed to run {kernel}, which computes {}", launch.label);
            Failure::new(Kind::Machine, format!("{what}: {}", words(error)))
        })
    }

    unsafe fn zero(&mut self, span: &Span) -> Result<()> {
        if span.elements == 0 {
            return Ok(());
        }
        // SAFETY: the caller's promise.
        unsafe { self.access.context.zero(span.start as u64, span.bytes()).map_err(gave_up) }
    }

    unsafe fn is_finite(&self, span: &Span) -> Result<bool> {
        if span.elements == 0 {
            return Ok(true);
        }
        let mut bytes = vec![0; span.bytes()];
        // SAFETY: the caller's promise; the bytes are there until the copy is done.
        unsafe { self.access.context.download(span.start as u64, &mut bytes).map_err(gave_up)? };
        self.access.context.synchronize().map_err(gave_up)?;
        Ok(span.all_finite(&bytes))
    }

    fn record(
        &mut self,
        before: Option<Graph>,
        operations: &mut dyn FnMut(&mut Cuda) -> Result<()>,
    ) -> Result<Option<Graph>> {
        if self.is_blocking {
            return Ok(None);
        }
        let context = Rc::clone(&self.access.context);
        context.start_capture().map_err(|error| refused("record the launches", error))?;
        let asked = operations(self);
        // A capture ends also where an operation was refused: the stream is of no use before.
        let graph = context.end_capture(before).map_err(|error| refused("record the launches", error));
        asked?;
        graph.map(Some)
    }

    unsafe fn repeat(&mut self, graph: &Graph) -> Result<()> {
        // SAFETY: the caller's promise.
        unsafe { self.access.context.launch_graph(graph).map_err(|error| refused("repeat the launches", error)) }
    }

    fn download(&self, memories: &[CudaMemory]) -> Result<CudaDownload> {
        CudaDownload::start(&self.access.context, &self.spare, memories).map_err(gave_up)
    }

    fn now(&self) -> Result<Event> {
        let now = || {
            let event = Event::timed(&self.access.context)?;
            event.record()?;
            Ok(event)
        };
        now().map_err(gave_up)
    }

    fn between(earlier: &Event, later: &Event) -> Result<Duration> {
        later.after(earlier).map_err(gave_up)
    }

    /// Pinned memory, which is the host's.
    fn bytes(&self) -> usize {
        self.access.staging.borrow().bytes() + self.spare.borrow().bytes()
    }
}
