//! NVIDIA's driver, with owners for what it hands out: the one place that calls it.
//!
//! All work of a [`Context`] is on one stream, so it is done in the order in which it was asked for. What is freed waits for the stream.

use cudarc::driver::result::{self, DriverError, stream::StreamKind};
use cudarc::driver::sys::{
    self, CUdevice, CUdevice_attribute, CUevent, CUevent_flags, CUfunction, CUfunction_attribute, CUgraph, CUgraphExec,
    CUgraphInstantiate_flags, CUjit_option, CUmodule, CUstream, CUstreamCaptureMode,
};
use std::ffi::{CStr, CString, c_void};
use std::rc::Rc;
use std::time::Duration;

pub type Driven<T> = std::result::Result<T, DriverError>;

/// Whether there is a driver's library. Nothing else of this module may be called where there is none.
pub fn is_present() -> bool {
    // SAFETY: it loads the library and runs what that runs when it is loaded; whoever asks for a GPU trusts the driver.
    unsafe { sys::is_culib_present() }
}

/// The newest version of CUDA that the driver knows: 12040 is 12.4. May be asked before [`start`].
pub fn version() -> Driven<i32> {
    let mut version = 0;
    // SAFETY: the pointer is of a number that outlives the call.
    unsafe { sys::cuDriverGetVersion(&mut version) }.result()?;
    Ok(version)
}

pub fn start() -> Driven<()> {
    result::init()
}

pub fn devices() -> Driven<i32> {
    result::device::get_count()
}

/// The device of a number that is smaller than [`devices`].
pub fn device(number: i32) -> Driven<CUdevice> {
    result::device::get(number)
}

pub fn name(device: CUdevice) -> Driven<String> {
    result::device::get_name(device)
}

pub fn attribute(device: CUdevice, attribute: CUdevice_attribute) -> Driven<i32> {
    // SAFETY: devices come from [`device`].
    unsafe { result::device::get_attribute(device, attribute) }
}

/// The primary context of a device, and a stream in it.
pub struct Context {
    device: CUdevice,
    context: sys::CUcontext,
    stream: CUstream,
}

impl Context {
    pub fn of(device: CUdevice) -> Driven<Context> {
        // SAFETY: devices come from [`device`]; the context is retained until this is dropped.
        let context = unsafe {
            let context = result::primary_ctx::retain(device)?;
            result::ctx::set_current(context)?;
            context
        };
        let mut made = Context { device, context, stream: std::ptr::null_mut() };
        made.stream = result::stream::create(StreamKind::NonBlocking)?;
        Ok(made)
    }

    /// The stream, when its context is this thread's.
    fn stream(&self) -> Driven<CUstream> {
        // SAFETY: the context is retained.
        unsafe { result::ctx::set_current(self.context)? };
        Ok(self.stream)
    }

    /// Waits until everything that was asked for is done.
    pub fn synchronize(&self) -> Driven<()> {
        let stream = self.stream()?;
        // SAFETY: the stream lives as long as this.
        unsafe { result::stream::synchronize(stream) }
    }

    /// Bytes of the device's memory that are free, and all.
    pub fn memory(&self) -> Driven<(usize, usize)> {
        self.stream()?;
        result::mem_get_info()
    }

    /// # Safety
    /// The bytes lie in an [`Allocation`] of this context, and live until the next synchronisation.
    pub unsafe fn zero(&self, address: u64, bytes: usize) -> Driven<()> {
        let stream = self.stream()?;
        // SAFETY: the caller's promise.
        unsafe { result::memset_d8_async(address, 0, bytes, stream) }
    }

    /// # Safety
    /// As of [`Context::zero`], for both; they do not overlap.
    pub unsafe fn copy(&self, from: u64, to: u64, bytes: usize) -> Driven<()> {
        let stream = self.stream()?;
        // SAFETY: the caller's promise.
        unsafe { result::memcpy_dtod_async(to, from, bytes, stream) }
    }

    /// # Safety
    /// As of [`Context::zero`]; `from` is as it is until the copy is done.
    pub unsafe fn upload(&self, from: &[u8], to: u64) -> Driven<()> {
        let stream = self.stream()?;
        // SAFETY: the caller's promise.
        unsafe { result::memcpy_htod_async(to, from, stream) }
    }

    /// # Safety
    /// As of [`Context::zero`]; nobody else accesses `to` until the copy is done.
    pub unsafe fn download(&self, from: u64, to: &mut [u8]) -> Driven<()> {
        let stream = self.stream()?;
        // SAFETY: the caller's promise.
        unsafe { result::memcpy_dtoh_async(to, from, stream) }
    }

    /// Lets a kernel run. `words` are its arguments, each of eight bytes.
    ///
    /// # Safety
    /// The kernel takes as many, and may access what it accesses through them until the next synchronisation.
    pub unsafe fn launch(&self, function: &Function, shape: LaunchShape, words: &[u64]) -> Driven<()> {
        let stream = self.stream()?;
        let mut words: Vec<*mut c_void> = words.iter().map(|word| std::ptr::from_ref(word).cast_mut().cast()).collect();
        let (grid, block) = ((shape.blocks, 1, 1), (shape.threads, 1, 1));
        // SAFETY: the caller's promise; the driver copies the words before it returns.
        unsafe { result::launch_kernel(function.function, grid, block, shape.shared_bytes, stream, &mut words) }
    }

    /// Lets a graph run.
    ///
    /// # Safety
    /// As of each of its operations.
    pub unsafe fn launch_graph(&self, graph: &Graph) -> Driven<()> {
        let stream = self.stream()?;
        // SAFETY: the graph is alive; the rest is the caller's promise.
        unsafe { result::graph::launch(graph.executable, stream) }
    }

    /// From now on, work is not done but written down.
    pub fn start_capture(&self) -> Driven<()> {
        let stream = self.stream()?;
        // SAFETY: the stream lives as long as this.
        unsafe { result::stream::begin_capture(stream, CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL) }
    }

    /// What was written down since. If it differs from what `before` does only in places and sizes, that becomes it, which takes less time than a new one.
    pub fn end_capture(self: &Rc<Self>, before: Option<Graph>) -> Driven<Graph> {
        let stream = self.stream()?;
        // SAFETY: the stream lives as long as this, and hands over a graph that is owned from here on.
        let graph = unsafe { result::stream::end_capture(stream)? };
        let mut captured = Graph { context: Rc::clone(self), graph, executable: std::ptr::null_mut() };
        if let Some(mut before) = before
            && before.become_like(&captured)
        {
            std::mem::swap(&mut captured.executable, &mut before.executable);
            return Ok(captured);
        }
        // SAFETY: the graph is alive.
        captured.executable = unsafe { result::graph::instantiate(graph, CUgraphInstantiate_flags(0))? };
        Ok(captured)
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: both are owned by this alone, and whatever else is in the context holds it. Errors have no one left to act on them.
        unsafe {
            if !self.stream.is_null() {
                let _ = self.stream().and_then(|stream| result::stream::destroy(stream));
            }
            let _ = result::primary_ctx::release(self.device);
        }
    }
}

/// Memory of the device, of any content at first.
pub struct Allocation {
    context: Rc<Context>,
    address: u64,
}

impl Allocation {
    /// `bytes` is not 0.
    pub fn new(context: &Rc<Context>, bytes: usize) -> Driven<Allocation> {
        context.stream()?;
        // SAFETY: memory of bytes, which every content suits.
        let address = unsafe { result::malloc_sync(bytes)? };
        Ok(Allocation { context: Rc::clone(context), address })
    }

    pub fn address(&self) -> u64 {
        self.address
    }
}

impl Drop for Allocation {
    fn drop(&mut self) {
        let _ = self.context.synchronize();
        // SAFETY: it is owned by this alone, and what used it is done.
        let _ = unsafe { result::free_sync(self.address) };
    }
}

/// Memory of the host that the device copies from and to while the host goes on.
pub struct Pinned {
    context: Rc<Context>,
    start: *mut u8,
    bytes: usize,
}

impl Pinned {
    /// `bytes` is not 0.
    pub fn new(context: &Rc<Context>, bytes: usize) -> Driven<Pinned> {
        context.stream()?;
        // SAFETY: plain memory, which is zeroed before anyone sees it.
        let start = unsafe {
            let start = result::malloc_host(bytes, 0)?.cast::<u8>();
            std::ptr::write_bytes(start, 0, bytes);
            start
        };
        Ok(Pinned { context: Rc::clone(context), start, bytes })
    }

    pub fn len(&self) -> usize {
        self.bytes
    }

    pub fn bytes(&self) -> &[u8] {
        // SAFETY: it is that large, and was zeroed.
        unsafe { std::slice::from_raw_parts(self.start, self.bytes) }
    }

    pub fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above; `&mut self` keeps the rest of the host away.
        unsafe { std::slice::from_raw_parts_mut(self.start, self.bytes) }
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        let _ = self.context.synchronize();
        // SAFETY: it is owned by this alone, and what used it is done.
        let _ = unsafe { result::free_host(self.start.cast()) };
    }
}

/// A point in the stream.
pub struct Event {
    context: Rc<Context>,
    event: CUevent,
}

impl Event {
    pub fn new(context: &Rc<Context>) -> Driven<Event> {
        Event::with(context, CUevent_flags::CU_EVENT_DISABLE_TIMING)
    }

    /// One that also keeps when the stream came to it.
    pub fn timed(context: &Rc<Context>) -> Driven<Event> {
        Event::with(context, CUevent_flags::CU_EVENT_DEFAULT)
    }

    fn with(context: &Rc<Context>, flags: CUevent_flags) -> Driven<Event> {
        context.stream()?;
        let event = result::event::create(flags)?;
        Ok(Event { context: Rc::clone(context), event })
    }

    /// Moves it to behind all that was asked for.
    pub fn record(&self) -> Driven<()> {
        let stream = self.context.stream()?;
        // SAFETY: both are alive.
        unsafe { result::event::record(self.event, stream) }
    }

    /// Waits until all before it is done.
    pub fn synchronize(&self) -> Driven<()> {
        self.context.stream()?;
        // SAFETY: it is alive.
        unsafe { result::event::synchronize(self.event) }
    }

    /// How long the stream took to come here from an earlier event; both were made to keep that, and recorded.
    pub fn after(&self, earlier: &Event) -> Driven<Duration> {
        self.synchronize()?;
        // SAFETY: both are alive.
        let milliseconds = unsafe { result::event::elapsed(earlier.event, self.event)? };
        Ok(Duration::from_secs_f64(1e-3 * f64::from(milliseconds.max(0.0))))
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        // SAFETY: it is owned by this alone; the driver lets one that is waited for live on.
        let _ = self.context.stream().and_then(|_| unsafe { result::event::destroy(self.event) });
    }
}

/// Kernels in the device's memory.
pub struct Module {
    context: Rc<Context>,
    module: CUmodule,
}

/// Why a module was not loaded: what the driver's compiler says, where it says something.
pub struct Unloadable {
    pub error: DriverError,
    pub log: String,
}

impl Module {
    /// From PTX.
    pub fn new(context: &Rc<Context>, ptx: &[u8]) -> Result<Module, Unloadable> {
        let unlogged = |error| Unloadable { error, log: String::new() };
        context.stream().map_err(unlogged)?;
        let text = CString::new(ptx).map_err(|_| unlogged(DriverError(sys::CUresult::CUDA_ERROR_INVALID_PTX)))?;
        let mut log = vec![0_u8; 4096];
        let mut options = [CUjit_option::CU_JIT_ERROR_LOG_BUFFER, CUjit_option::CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES];
        // The second value is the number itself.
        let mut values = [log.as_mut_ptr().cast::<c_void>(), (log.len() - 1) as *mut c_void];
        let mut module = std::ptr::null_mut();
        // SAFETY: the text ends with a zero; there are as many options as values, of their types; the log is larger than is said.
        let loaded = unsafe {
            sys::cuModuleLoadDataEx(&mut module, text.as_ptr().cast(), 2, options.as_mut_ptr(), values.as_mut_ptr())
        };
        loaded.result().map_err(|error| {
            let log = CStr::from_bytes_until_nul(&log).map_or(String::new(), |log| log.to_string_lossy().into_owned());
            Unloadable { error, log }
        })?;
        Ok(Module { context: Rc::clone(context), module })
    }

    /// A kernel; it may have `shared_bytes` of shared memory for a block.
    pub fn function(self: &Rc<Self>, name: &str, shared_bytes: u32) -> Driven<Function> {
        self.context.stream()?;
        let symbol = CString::new(name).map_err(|_| DriverError(sys::CUresult::CUDA_ERROR_NOT_FOUND))?;
        let attribute = CUfunction_attribute::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
        // SAFETY: the module is alive, and the function lives as long.
        let function = unsafe {
            let function = result::module::get_function(self.module, symbol)?;
            result::function::set_function_attribute(function, attribute, shared_bytes as i32)?;
            function
        };
        Ok(Function { name: name.to_string(), function, _module: Rc::clone(self) })
    }
}

impl Drop for Module {
    fn drop(&mut self) {
        let _ = self.context.synchronize();
        // SAFETY: it is owned by this alone; its functions hold it, and what ran of them is done.
        let _ = unsafe { result::module::unload(self.module) };
    }
}

pub struct Function {
    pub name: String,
    function: CUfunction,
    _module: Rc<Module>,
}

/// Of a grid and a block of one dimension.
#[derive(Clone, Copy, Debug)]
pub struct LaunchShape {
    pub blocks: u32,
    pub threads: u32,
    pub shared_bytes: u32,
}

/// Work that was written down, and can be done again and again.
pub struct Graph {
    context: Rc<Context>,
    graph: CUgraph,
    executable: CUgraphExec,
}

impl Graph {
    /// Whether the driver could give it the operations of another graph.
    fn become_like(&mut self, other: &Graph) -> bool {
        // SAFETY: all zeros are a success without nodes.
        let mut result = unsafe { std::mem::zeroed::<sys::CUgraphExecUpdateResultInfo>() };
        // SAFETY: both are alive, and of one context, which is this thread's: a capture has just ended. Launches under way stay what they are.
        let updated = unsafe { sys::cuGraphExecUpdate_v2(self.executable, other.graph, &mut result) };
        updated.result().is_ok()
    }
}

impl Drop for Graph {
    fn drop(&mut self) {
        let _ = self.context.synchronize();
        // SAFETY: both are owned by this alone, and have run to their ends.
        unsafe {
            if !self.executable.is_null() {
                let _ = result::graph::exec_destroy(self.executable);
            }
            let _ = result::graph::destroy(self.graph);
        }
    }
}
