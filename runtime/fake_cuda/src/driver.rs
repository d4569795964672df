//! The state of the driver, and what its functions do to it.

use crate::control::{Counters, Launch, Launcher, Word};
use crate::memory::{DeviceMemory, PinnedMemory};
use crate::module::{self, Entry, Module};
use crate::settings::{Kernels, Settings};
use crate::work::{Source, Stream, Turn, Work};
use std::collections::BTreeMap;
use std::ffi::CString;
use std::sync::{LazyLock, Mutex, MutexGuard};

/// What a function of the driver hands back where it does not succeed: the numbers of `CUresult`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    InvalidValue = 1,
    OutOfMemory = 2,
    NotInitialized = 3,
    NoDevice = 100,
    InvalidDevice = 101,
    InvalidContext = 201,
    NoBinaryForGpu = 209,
    InvalidPtx = 218,
    InvalidHandle = 400,
    NotFound = 500,
    NotReady = 600,
    IllegalAddress = 700,
    LaunchOutOfResources = 701,
    CaptureUnsupported = 900,
    CaptureInvalidated = 901,
    GraphExecUpdateFailure = 910,
}

pub type Outcome<T> = Result<T, Refusal>;

/// Shared memory that a block may have without asking.
const SHARED_BYTES: u32 = 48 << 10;
const MOST_THREADS: u32 = 1024;

pub struct Driver {
    pub settings: Settings,
    pub launcher: Option<Launcher>,
    /// What no correct program does.
    pub findings: Vec<String>,
    is_initialized: bool,
    contexts: usize,
    memory: DeviceMemory,
    pinned: PinnedMemory,
    /// By handle, which is never given twice.
    streams: BTreeMap<u64, Stream>,
    events: BTreeMap<u64, Event>,
    modules: BTreeMap<u64, Module>,
    functions: BTreeMap<u64, Function>,
    graphs: BTreeMap<u64, Vec<Work>>,
    last_handle: u64,
    /// What a kernel did wrong; nothing works after that.
    broken: Option<Refusal>,
    /// Nanoseconds that all work has taken so far.
    clock: u64,
    launches: usize,
    graph_launches: usize,
    graph_updates: usize,
    waits: usize,
}

struct Event {
    is_timed: bool,
    is_done: bool,
    /// When it was.
    at: u64,
}

struct Function {
    module: u64,
    entry: Entry,
    shared_bytes: u32,
}

pub fn driver() -> MutexGuard<'static, Driver> {
    static DRIVER: LazyLock<Mutex<Driver>> = LazyLock::new(|| Mutex::new(Driver::new()));
    DRIVER.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

impl Driver {
    fn new() -> Driver {
        Driver {
            settings: Settings::of_environment(),
            launcher: None,
            findings: Vec::new(),
            is_initialized: false,
            contexts: 0,
            memory: DeviceMemory::new(),
            pinned: PinnedMemory::default(),
            streams: BTreeMap::new(),
            events: BTreeMap::new(),
            modules: BTreeMap::new(),
            functions: BTreeMap::new(),
            graphs: BTreeMap::new(),
            last_handle: 0,
            broken: None,
            clock: 0,
            launches: 0,
            graph_launches: 0,
            graph_updates: 0,
            waits: 0,
        }
    }

    pub fn counters(&self) -> Counters {
        Counters {
            allocations: self.memory.len(),
            pinned: self.pinned.len(),
            streams: self.streams.len(),
            events: self.events.len(),
            modules: self.modules.len(),
            graphs: self.graphs.len(),
            contexts: self.contexts,
            launches: self.launches,
            graph_launches: self.graph_launches,
            graph_updates: self.graph_updates,
            waits: self.waits,
        }
    }

    fn handle(&mut self) -> u64 {
        self.last_handle += 1;
        self.last_handle
    }

    fn find(&mut self, finding: impl Into<String>, refusal: Refusal) -> Refusal {
        self.findings.push(finding.into());
        refusal
    }

    pub fn initialize(&mut self) -> Outcome<()> {
        self.is_initialized = true;
        if self.settings.devices == 0 { Err(Refusal::NoDevice) } else { Ok(()) }
    }

    pub fn devices(&self) -> Outcome<i32> {
        if self.is_initialized { Ok(self.settings.devices) } else { Err(Refusal::NotInitialized) }
    }

    pub fn device(&self, number: i32) -> Outcome<i32> {
        if (0..self.devices()?).contains(&number) { Ok(number) } else { Err(Refusal::InvalidDevice) }
    }

    /// Those that are asked for, by the numbers of `CUdevice_attribute`.
    pub fn attribute(&self, attribute: i32, device: i32) -> Outcome<i32> {
        self.device(device)?;
        match attribute {
            75 => Ok(self.settings.capability / 10),
            76 => Ok(self.settings.capability % 10),
            97 => Ok(self.shared_bytes_of_block() as i32),
            _ => Err(Refusal::InvalidValue),
        }
    }

    fn shared_bytes_of_block(&self) -> u32 {
        match self.settings.capability {
            86 | 89 | 120 => 99 << 10,
            90.. => 227 << 10,
            _ => 163 << 10,
        }
    }

    pub fn retain(&mut self, device: i32) -> Outcome<()> {
        self.device(device)?;
        self.contexts += 1;
        Ok(())
    }

    pub fn release(&mut self) -> Outcome<()> {
        if self.contexts == 0 {
            return Err(self.find("a context is released that nobody has", Refusal::InvalidContext));
        }
        self.contexts -= 1;
        Ok(())
    }

    /// Whether work may go on: there is a context, and no kernel has broken it.
    pub fn ready(&self) -> Outcome<()> {
        if self.contexts == 0 {
            return Err(Refusal::InvalidContext);
        }
        self.broken.map_or(Ok(()), Err)
    }

    /// As [`Driver::ready`], for what may not be done while a stream is captured.
    fn ready_outside_captures(&mut self) -> Outcome<()> {
        self.ready()?;
        let capturing = self.streams.values_mut().find_map(|stream| stream.capture.as_mut());
        match capturing {
            Some(captured) => {
                captured.clear();
                Err(self.find("something is done during a capture that invalidates it", Refusal::CaptureUnsupported))
            }
            None => Ok(()),
        }
    }

    fn is_idle(&self) -> bool {
        self.streams.values().all(|stream| stream.queue.is_empty())
    }

    pub fn create_stream(&mut self) -> Outcome<u64> {
        self.ready()?;
        let handle = self.handle();
        self.streams.insert(handle, Stream::default());
        Ok(handle)
    }

    pub fn destroy_stream(&mut self, stream: u64) -> Outcome<()> {
        self.streams.remove(&stream).map(|_| ()).ok_or(Refusal::InvalidHandle)
    }

    fn stream(&mut self, stream: u64) -> Outcome<&mut Stream> {
        self.ready()?;
        self.streams.get_mut(&stream).ok_or(Refusal::InvalidHandle)
    }

    /// Does all that was asked for.
    pub fn synchronize(&mut self, stream: u64) -> Outcome<()> {
        self.ready_outside_captures()?;
        self.waits += 1;
        while let Some(work) = self.stream(stream)?.queue.pop_front() {
            self.work(work)?;
        }
        Ok(())
    }

    /// By the flags of `CUevent_flags`.
    pub fn create_event(&mut self, flags: u32) -> Outcome<u64> {
        self.ready()?;
        let handle = self.handle();
        self.events.insert(handle, Event { is_timed: flags & 2 == 0, is_done: true, at: 0 });
        Ok(handle)
    }

    pub fn destroy_event(&mut self, event: u64) -> Outcome<()> {
        self.events.remove(&event).map(|_| ()).ok_or(Refusal::InvalidHandle)
    }

    pub fn record(&mut self, event: u64, stream: u64) -> Outcome<()> {
        self.events.get_mut(&event).ok_or(Refusal::InvalidHandle)?.is_done = false;
        self.stream(stream)?.ask(Work::Record(event));
        Ok(())
    }

    /// Does what was asked for before the event was last recorded, and no more.
    pub fn wait(&mut self, event: u64) -> Outcome<()> {
        self.ready_outside_captures()?;
        self.waits += 1;
        let streams: Vec<u64> = self.streams.keys().copied().collect();
        for stream in streams {
            while !self.events.get(&event).ok_or(Refusal::InvalidHandle)?.is_done {
                let Some(work) = self.stream(stream)?.queue.pop_front() else { break };
                self.work(work)?;
            }
        }
        Ok(())
    }

    /// Milliseconds from one event to another.
    pub fn elapsed(&mut self, start: u64, end: u64) -> Outcome<f32> {
        self.ready()?;
        let [start, end] = [start, end].map(|event| self.events.get(&event).ok_or(Refusal::InvalidHandle));
        let (start, end) = (start?, end?);
        if !start.is_timed || !end.is_timed {
            return Err(Refusal::InvalidHandle);
        }
        if !start.is_done || !end.is_done {
            return Err(Refusal::NotReady);
        }
        Ok((end.at as f32 - start.at as f32) / 1e6)
    }

    pub fn memory_left(&self) -> Outcome<(usize, usize)> {
        self.ready()?;
        Ok((self.settings.memory.saturating_sub(self.memory.bytes()), self.settings.memory))
    }

    pub fn allocate(&mut self, bytes: usize) -> Outcome<u64> {
        self.ready_outside_captures()?;
        let (free, _) = self.memory_left()?;
        match bytes {
            0 => Err(Refusal::InvalidValue),
            _ if bytes > free => Err(Refusal::OutOfMemory),
            _ => Ok(self.memory.allocate(bytes)),
        }
    }

    pub fn free(&mut self, address: u64) -> Outcome<()> {
        self.ready_outside_captures()?;
        if !self.is_idle() {
            self.findings.push("memory is freed while there is work to do that may use it".into());
        }
        if self.memory.free(address) {
            Ok(())
        } else {
            Err(self.find("memory is freed that is none", Refusal::InvalidValue))
        }
    }

    pub fn allocate_pinned(&mut self, bytes: usize) -> Outcome<*mut u8> {
        self.ready_outside_captures()?;
        Ok(self.pinned.allocate(bytes))
    }

    pub fn free_pinned(&mut self, start: usize) -> Outcome<()> {
        self.ready_outside_captures()?;
        if !self.is_idle() {
            self.findings.push("pinned memory is freed while there is work to do that may use it".into());
        }
        if self.pinned.free(start) {
            Ok(())
        } else {
            Err(self.find("pinned memory is freed that is none", Refusal::InvalidValue))
        }
    }

    /// As the driver looks at the arguments of a copy before it takes it.
    fn check(&mut self, address: u64, bytes: usize) -> Outcome<()> {
        match self.memory.range(address, bytes) {
            Some(_) => Ok(()),
            None => {
                Err(self.find(format!("{bytes} bytes at {address:#x} are in no allocation"), Refusal::InvalidValue))
            }
        }
    }

    pub fn fill(&mut self, to: u64, value: u8, bytes: usize, stream: u64) -> Outcome<()> {
        self.check(to, bytes)?;
        self.stream(stream)?.ask(Work::Fill { to, bytes, value });
        Ok(())
    }

    pub fn copy(&mut self, from: u64, to: u64, bytes: usize, stream: u64) -> Outcome<()> {
        self.check(from, bytes)?;
        self.check(to, bytes)?;
        self.stream(stream)?.ask(Work::Copy { from, to, bytes });
        Ok(())
    }

    /// `taken` copies the bytes at `start`.
    pub fn upload(
        &mut self,
        start: usize,
        to: u64,
        bytes: usize,
        stream: u64,
        taken: impl FnOnce() -> Vec<u8>,
    ) -> Outcome<()> {
        self.check(to, bytes)?;
        let is_pinned = self.pinned.has(&(start..start + bytes));
        let from = if is_pinned { Source::Pinned { start, bytes } } else { Source::Taken(taken()) };
        self.stream(stream)?.ask(Work::Upload { from, to });
        Ok(())
    }

    /// To memory that is not pinned the copy is done at once, with all that comes before it.
    pub fn download(&mut self, from: u64, to: usize, bytes: usize, stream: u64) -> Outcome<()> {
        self.check(from, bytes)?;
        self.stream(stream)?.ask(Work::Download { from, to, bytes });
        if self.pinned.has(&(to..to + bytes)) { Ok(()) } else { self.synchronize(stream) }
    }

    pub fn load(&mut self, ptx: &str) -> Outcome<u64> {
        self.ready_outside_captures()?;
        let module = module::parse(ptx).ok_or(Refusal::InvalidPtx)?;
        if module.target > self.settings.capability {
            return Err(Refusal::NoBinaryForGpu);
        }
        let handle = self.handle();
        self.modules.insert(handle, module);
        Ok(handle)
    }

    pub fn unload(&mut self, module: u64) -> Outcome<()> {
        self.ready_outside_captures()?;
        self.functions.retain(|_, function| function.module != module);
        self.modules.remove(&module).map(|_| ()).ok_or(Refusal::InvalidHandle)
    }

    pub fn function(&mut self, module: u64, name: &str) -> Outcome<u64> {
        self.ready()?;
        let of = self.modules.get(&module).ok_or(Refusal::InvalidHandle)?;
        let entry = of.entries.iter().find(|entry| entry.name == name).cloned().ok_or(Refusal::NotFound)?;
        let handle = self.handle();
        self.functions.insert(handle, Function { module, entry, shared_bytes: SHARED_BYTES });
        Ok(handle)
    }

    /// The one that is set is the most shared memory that a launch may ask for.
    pub fn set_attribute(&mut self, function: u64, attribute: i32, value: i32) -> Outcome<()> {
        let most = self.shared_bytes_of_block();
        let function = self.functions.get_mut(&function).ok_or(Refusal::InvalidHandle)?;
        match (attribute, u32::try_from(value)) {
            (8, Ok(bytes)) if bytes <= most => {
                function.shared_bytes = bytes.max(SHARED_BYTES);
                Ok(())
            }
            _ => Err(Refusal::InvalidValue),
        }
    }

    pub fn parameters(&self, function: u64) -> Outcome<usize> {
        self.ready()?;
        self.functions.get(&function).map(|function| function.entry.parameters).ok_or(Refusal::InvalidHandle)
    }

    pub fn launch(
        &mut self,
        function: u64,
        grid: [u32; 3],
        block: [u32; 3],
        shared_bytes: u32,
        stream: u64,
        words: Vec<u64>,
    ) -> Outcome<()> {
        let function = self.functions.get(&function).ok_or(Refusal::InvalidHandle)?;
        let most = function.entry.most_threads.unwrap_or(MOST_THREADS).min(MOST_THREADS);
        let [blocks, threads] = [grid, block].map(|[x, y, z]| if y == 1 && z == 1 { x } else { 0 });
        let possible = threads > 0 && blocks > 0 && blocks <= i32::MAX as u32 && shared_bytes <= function.shared_bytes;
        let turn = Turn { entry: function.entry.clone(), words, blocks, threads, shared_bytes };
        if !possible {
            return Err(Refusal::InvalidValue);
        }
        if threads > most || (self.launcher.is_none() && self.settings.kernels == Kernels::Refused) {
            return Err(Refusal::LaunchOutOfResources);
        }
        self.stream(stream)?.ask(Work::Launch(turn));
        Ok(())
    }

    pub fn start_capture(&mut self, stream: u64) -> Outcome<()> {
        let stream = self.stream(stream)?;
        if stream.capture.is_some() {
            return Err(Refusal::CaptureInvalidated);
        }
        stream.capture = Some(Vec::new());
        Ok(())
    }

    pub fn end_capture(&mut self, stream: u64) -> Outcome<u64> {
        let captured = self.stream(stream)?.capture.take().ok_or(Refusal::CaptureInvalidated)?;
        self.add_graph(captured)
    }

    fn add_graph(&mut self, work: Vec<Work>) -> Outcome<u64> {
        let handle = self.handle();
        self.graphs.insert(handle, work);
        Ok(handle)
    }

    pub fn instantiate(&mut self, graph: u64) -> Outcome<u64> {
        self.ready()?;
        let work = self.graphs.get(&graph).cloned().ok_or(Refusal::InvalidHandle)?;
        self.add_graph(work)
    }

    /// Gives a graph that can run the operations of another, of which only numbers may differ.
    pub fn update(&mut self, executable: u64, graph: u64) -> Outcome<()> {
        self.ready()?;
        let [old, new] = [executable, graph].map(|graph| self.graphs.get(&graph).ok_or(Refusal::InvalidHandle));
        let (old, new) = (old?, new?.clone());
        let is_alike = old.len() == new.len() && old.iter().zip(&new).all(|(old, new)| old.is_like(new));
        if self.settings.refuses_updates || !is_alike {
            return Err(Refusal::GraphExecUpdateFailure);
        }
        self.graph_updates += 1;
        self.graphs.insert(executable, new);
        Ok(())
    }

    pub fn launch_graph(&mut self, executable: u64, stream: u64) -> Outcome<()> {
        let work = self.graphs.get(&executable).cloned().ok_or(Refusal::InvalidHandle)?;
        self.graph_launches += 1;
        let stream = self.stream(stream)?;
        work.into_iter().for_each(|work| stream.ask(work));
        Ok(())
    }

    pub fn destroy_graph(&mut self, graph: u64) -> Outcome<()> {
        self.graphs.remove(&graph).map(|_| ()).ok_or(Refusal::InvalidHandle)
    }

    /// Memory was there when the work was asked for; now it is looked up again.
    fn work(&mut self, work: Work) -> Outcome<()> {
        self.clock += work.nanoseconds();
        let done = match work {
            Work::Fill { to, bytes, value } => self.memory.range(to, bytes).map(|memory| memory.fill(value)),
            Work::Copy { from, to, bytes } => {
                let taken = self.memory.range(from, bytes).map(|memory| memory.to_vec());
                taken.and_then(|taken| self.put(to, &taken))
            }
            Work::Upload { from, to } => {
                let bytes = match from {
                    Source::Taken(bytes) => Some(bytes),
                    Source::Pinned { start, bytes } => self.pinned.has(&(start..start + bytes)).then(|| {
                        // SAFETY: pinned memory that is alive; the program's threads are those that call the driver.
                        unsafe { std::slice::from_raw_parts(start as *const u8, bytes) }.to_vec()
                    }),
                };
                bytes.and_then(|bytes| self.put(to, &bytes))
            }
            Work::Download { from, to, bytes } => self.memory.range(from, bytes).map(|memory| {
                // SAFETY: the program that asked for the copy vouches for the memory until it has waited for it.
                unsafe { std::ptr::copy_nonoverlapping(memory.as_ptr(), to as *mut u8, bytes) };
            }),
            Work::Launch(turn) => self.run(&turn),
            Work::Record(event) => {
                // One that was destroyed meanwhile stays so.
                if let Some(event) = self.events.get_mut(&event) {
                    (event.is_done, event.at) = (true, self.clock);
                }
                Some(())
            }
        };
        done.ok_or_else(|| {
            self.broken = Some(Refusal::IllegalAddress);
            Refusal::IllegalAddress
        })
    }

    fn put(&mut self, to: u64, bytes: &[u8]) -> Option<()> {
        self.memory.range(to, bytes.len()).map(|memory| memory.copy_from_slice(bytes))
    }

    fn run(&mut self, turn: &Turn) -> Option<()> {
        self.launches += 1;
        if self.launcher.is_none() && self.settings.kernels == Kernels::Idle {
            return Some(());
        }
        let kernel = CString::new(turn.entry.name.as_str()).ok()?;
        let word = |value: &u64| {
            let (host, bytes) =
                self.memory.rest(*value).map_or((std::ptr::null_mut(), 0), |rest| (rest.as_mut_ptr(), rest.len()));
            Word { value: *value, host, bytes }
        };
        let words: Vec<Word> = turn.words.iter().map(word).collect();
        let launch = Launch {
            kernel: kernel.as_ptr(),
            words: words.as_ptr(),
            count: words.len(),
            blocks: turn.blocks,
            threads: turn.threads,
            shared_bytes: turn.shared_bytes,
        };
        let launcher = self.launcher?;
        // SAFETY: the launch and what it points to live until the call returns; the launcher's maker vouches for what it does.
        let outcome = unsafe { launcher(&launch) };
        (outcome == 0).then_some(())
    }
}
