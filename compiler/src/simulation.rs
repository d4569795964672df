//! CUDA kernels as code for the simulator of CUDA devices: what the code generator makes and the simulator (`runtime/cuda_sim`) runs.
//!
//! A *site* is an instruction that a thread cannot carry out alone: one that other threads take part in, or, where memory is checked, one
//! that accesses memory. There the code hands a [`Thread`] over to the simulator and goes on when it gets it back.

use crate::executable::Geometry;
use std::any::Any;
use std::ops::Range;

/// The most shared memory that a block can have on any device that we generate code for: 227 KiB, from compute capability 9.0 on.
pub const MOST_SHARED_BYTES: usize = 227 << 10;

/// How many words a site hands over at most: the registers of a matrix product.
pub const WORDS: usize = 10;

/// The symbol under which the code finds the thread that runs: a pointer to its [`Thread`], which the simulator sets before it lets one go on.
pub const CURRENT_THREAD: &str = "cuda_sim.thread";

/// Kernels as an object file for this machine, and what is to be known of them. One that is loaded is like one multiprocessor: its
/// shared memory is a part of it, so it runs one block after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Simulation {
    pub object: Vec<u8>,
    pub kernels: Vec<SimulatedKernel>,
    pub sites: Vec<Site>,
    /// The variables in shared memory; each is filled anew for each block.
    pub shared: Vec<SharedVariable>,
    /// Whether accesses to memory are sites.
    pub checked: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimulatedKernel {
    pub name: String,
    /// The symbol of its function, which takes the address of `parameters` words.
    pub symbol: String,
    pub parameters: usize,
    /// The most threads of a block that the kernel was compiled for, if it says so.
    pub most_threads: Option<u32>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedVariable {
    pub symbol: String,
    /// None for what a launch decides.
    pub bytes: Option<usize>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    pub operation: Operation,
    /// As LLVM writes it.
    pub instruction: String,
}

/// What is done at a site: the words that the thread hands over, and those it gets back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Address and bytes, to the address and the bytes to access instead: those of the host, or a place where no harm is done.
    Access(MemoryAccess),
    /// The barrier's number, and the number of threads if it is `counted`. Threads of a warp come to an `aligned` one together.
    Barrier {
        aligned: bool,
        counted: bool,
    },
    /// The mask of the lanes.
    WarpBarrier,
    /// The mask of the lanes, the value, the lane or distance, the clamp; to the value of the other lane and whether there is one.
    Shuffle(Shuffle),
    /// The address of a row of 16 bytes; to `matrices` fragments.
    LoadMatrices {
        matrices: usize,
        transposed: bool,
    },
    /// The fragments of a (4), b (2) and c (4), to d (4).
    Multiply(Multiplicands),
    /// Where to in shared memory, from where; the bytes to copy if it is `sized`, the rest of `bytes` being zeros.
    CopyAsync {
        bytes: usize,
        sized: bool,
    },
    CommitCopies,
    /// How many of the latest groups may be unfinished.
    AwaitCopies,
    AwaitAllCopies,
}

/// A load or a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryAccess {
    pub writes: bool,
    pub space: Space,
    /// What the code generator of the device takes for granted, in bytes.
    pub alignment: usize,
}

/// What is known of an address at compile time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Space {
    Generic,
    Global,
    Shared,
}

/// Where a lane takes its value from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shuffle {
    Up,
    Down,
    Butterfly,
    Index,
}

/// What is multiplied by `mma.sync`; sums are f32.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Multiplicands {
    /// m16n8k16
    Bf16,
    /// m16n8k8
    Tf32,
}

/// What a thread of the device is to its code: its special registers, and what it hands over at a site.
#[repr(C)]
pub struct Thread {
    /// `%tid`, `%ctaid`, `%ntid`, `%nctaid`, each x, y, z.
    pub registers: [[u32; 3]; 4],
    pub lane: u32,
    pub site: u32,
    /// Called at a site, with this thread.
    pub hand_over: unsafe extern "C" fn(*mut Thread),
    /// A word holds a value in its low bytes.
    pub words: [u64; WORDS],
}

/// A [`Simulation`] in memory.
pub struct LoadedSimulation {
    /// The addresses of the kernels' functions.
    pub kernels: Vec<usize>,
    /// Where the shared variables lie; the one that a launch sizes has [`MOST_SHARED_BYTES`].
    pub shared: Vec<Range<usize>>,
    /// The address of the pointer to the current thread.
    pub thread: usize,
    /// Holds the code in memory.
    pub owner: Box<dyn Any + Send + Sync>,
}

/// The kernels of a program, in its order: in memory, and how each is launched.
pub struct SimulatedProgram {
    pub simulation: Simulation,
    pub loaded: LoadedSimulation,
    pub geometries: Vec<Geometry>,
}
