//! `cuda-sim`: a CUDA device on the CPU. It runs the LLVM IR of kernels as it goes to NVIDIA's code generator (`tfc_codegen::cuda_sim` makes
//! it code for this machine), with a fiber for each thread of a block, and blocks one after the other.
//!
//! A fiber runs until its thread comes to a site (`tfc_compiler::simulation`); there the scheduler ([`block`]) carries out what the
//! operation means for all who take part. With the checker on, loads and stores are sites too, and what is wrong with them is found whatever
//! the order was in which threads ran; that order is drawn from a seed.

mod accesses;
mod barriers;
mod block;
mod checker;
mod collectives;
mod copies;
mod dimensions;
mod fiber;
mod finding;
mod findings;
mod memory;
mod order;
mod product;
mod shuffle;

pub use dimensions::Dimensions;
pub use finding::{Finding, Kind, Object, Place, Report, Who};

use block::{Block, Ended, Surroundings};
use checker::Checker;
use corosensei::stack::DefaultStack;
use fiber::Start;
use findings::Findings;
use memory::Memory;
use order::{Order, Random};
use std::ops::Range;
use tfc_compiler::simulation::{LoadedSimulation, MOST_SHARED_BYTES, SharedVariable, Simulation, Thread};

/// The most threads that a block can have on any device.
const MOST_THREADS: u64 = 1024;
/// The largest grid along x, y, z.
const LARGEST_GRID: [u32; 3] = [i32::MAX as u32, 65535, 65535];

/// A device with the kernels of one [`Simulation`].
pub struct Simulator {
    simulation: Simulation,
    loaded: LoadedSimulation,
    /// Where accesses to memory are sites.
    checker: Option<Checker>,
    /// For fibers to come.
    stacks: Vec<DefaultStack>,
}

/// One launch of one kernel.
#[derive(Clone, Debug)]
pub struct Launch<'a> {
    /// Its number in the simulation.
    pub kernel: usize,
    /// In the order of the kernel's parameters.
    pub arguments: &'a [Argument],
    pub dimensions: Dimensions,
    /// Of shared memory, for the variable that has no size of its own.
    pub dynamic_shared_bytes: usize,
    /// Of the order in which blocks, warps and lanes run.
    pub seed: u64,
    /// How many passes over the banks of shared memory beyond the necessary ones are no finding. Only the checker counts them.
    pub allowed_conflicts: u64,
}

#[derive(Clone, Copy, Debug)]
pub enum Argument {
    /// Memory that the kernel may touch.
    Buffer {
        address: *mut u8,
        bytes: usize,
        writable: bool,
    },
    Number(i64),
}

/// What a launch without a finding did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// `mma.sync` of a warp.
    pub products: u64,
    /// `cp.async` of a thread.
    pub copies: u64,
    /// Passes over the banks of shared memory beyond the necessary ones. Only the checker counts them.
    pub bank_conflicts: u64,
}

impl Simulator {
    /// `loaded` is `simulation` in memory.
    pub fn new(simulation: Simulation, loaded: LoadedSimulation) -> Simulator {
        let checker = simulation.checked.then(Checker::new);
        Simulator { simulation, loaded, checker, stacks: Vec::new() }
    }

    /// Runs a kernel to its end.
    ///
    /// # Errors
    /// What was found wrong with the launch or, by the checker, with the kernel. Without the checker only what keeps a kernel from ending is.
    ///
    /// # Safety
    /// Nothing else accesses the buffers meanwhile. Without the checker, the kernel accesses nothing but its buffers as far as they
    /// go, its own variables, and shared memory.
    pub unsafe fn launch(&mut self, launch: &Launch) -> Result<Statistics, Report> {
        let Simulator { simulation, loaded, checker, stacks } = self;
        let name = &simulation.kernels[launch.kernel].name;
        let mut findings = Findings::new(name, &simulation.sites);
        if let Some(refusal) = refusal(simulation, launch) {
            findings.launch(refusal);
            return findings.into_result().map(|()| Statistics::default());
        }
        let shared = shared(simulation, loaded, launch);
        let (mut memory, words) = Memory::new(shared, launch.arguments, simulation.checked);
        if let Some(checker) = checker {
            checker.start_launch();
        }
        let mut statistics = Statistics::default();
        let dimensions = launch.dimensions;
        for number in Random::new(launch.seed, 0).shuffled(dimensions.blocks()) {
            let start = Start {
                entry: loaded.kernels[launch.kernel],
                arguments: words.as_ptr(),
                current: loaded.thread as *mut *mut Thread,
                registers: [[0; 3], dimensions.who(number, 0).block, dimensions.block, dimensions.grid],
                lane: 0,
            };
            // SAFETY: entry and pointer are of the loaded object, the words have been counted, and the rest is the caller's promise.
            let fibers = match unsafe { fiber::of_block(stacks, start, dimensions) } {
                Ok(fibers) => fibers,
                Err(refused) => {
                    findings.launch(format!("the machine has no memory for the stacks of its threads: {refused}"));
                    break;
                }
            };
            memory.forget_shared();
            let order = Order::new(Random::new(launch.seed, number + 1), simulation.checked);
            let (memory, checker, findings) = (&mut memory, checker.as_mut(), &mut findings);
            let around = Surroundings { dimensions, sites: &simulation.sites, memory, checker, findings };
            let mut block = Block::new(number, fibers, order, around);
            let ended = block.run();
            statistics.products += block.products;
            statistics.copies += block.copies_begun;
            stacks.extend(block.into_stacks());
            if ended == Ended::Stuck {
                break;
            }
        }
        if let Some(checker) = checker {
            statistics.bank_conflicts = checker.conflicts().values().map(|conflicts| conflicts.passes).sum();
            if statistics.bank_conflicts > launch.allowed_conflicts {
                add_conflicts(checker, &mut findings);
            }
        }
        findings.into_result().map(|()| statistics)
    }
}

fn add_conflicts(checker: &Checker, findings: &mut Findings) {
    for (site, conflicts) in checker.conflicts().iter().filter(|(_, conflicts)| conflicts.passes > 0) {
        findings.add(Kind::BankConflicts, Some(*site), None, None, || {
            format!("{} passes too many in {} accesses of a warp", conflicts.passes, conflicts.accesses)
        });
    }
}

/// Why a device would not start.
fn refusal(simulation: &Simulation, launch: &Launch) -> Option<String> {
    let kernel = &simulation.kernels[launch.kernel];
    let (takes, given) = (kernel.parameters, launch.arguments.len());
    if takes != given {
        return Some(format!("it takes {takes} arguments, not {given}"));
    }
    let threads = launch.dimensions.threads();
    let most = kernel.most_threads.map_or(MOST_THREADS, |most| MOST_THREADS.min(u64::from(most)));
    if threads == 0 || threads > most {
        return Some(format!("a block has {threads} threads; it may have 1 to {most}"));
    }
    let grid = launch.dimensions.grid;
    if grid.iter().zip(LARGEST_GRID).any(|(n, most)| *n == 0 || *n > most) {
        return Some(format!("the grid is {grid:?}; it may be up to {LARGEST_GRID:?}, and not empty"));
    }
    let fixed: usize = simulation.shared.iter().filter_map(|variable| variable.bytes).sum();
    let bytes = fixed + launch.dynamic_shared_bytes;
    let most = MOST_SHARED_BYTES;
    (bytes > most).then(|| format!("{bytes} bytes of shared memory; no device has more than {most} for a block"))
}

fn shared(simulation: &Simulation, loaded: &LoadedSimulation, launch: &Launch) -> Vec<Range<usize>> {
    let cut = |(variable, range): (&SharedVariable, &Range<usize>)| {
        range.start..range.start + variable.bytes.unwrap_or(launch.dynamic_shared_bytes)
    };
    simulation.shared.iter().zip(&loaded.shared).map(cut).collect()
}
