//! The fake driver (runtime/fake_cuda) in this process, in place of NVIDIA's; its kernels run on the simulated device.

use std::cell::RefCell;
use std::ffi::CStr;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};
use tfc_codegen::{Architecture, CudaBackend, cuda_sim};
use tfc_compiler::compiled::Compiled;
use tfc_compiler::executable::Backend;
use tfc_compiler::kernel::{Access, Operand};
use tfc_cuda_sim::{Argument, Dimensions, Launch, Simulator};
use tfc_fake_cuda::{Counters, Launch as Turn, Launcher, Word};
use tfc_runtime::device::{CudaSession, Gpu};

/// Where Cargo has built the library: beside the tests that depend on it.
pub fn library() -> PathBuf {
    let tests = std::env::current_exe().expect("a test is a file");
    tests.with_file_name("libtfc_fake_cuda.so")
}

/// Loaded under the name of NVIDIA's library, so that whoever asks for that gets this one.
static DRIVER: LazyLock<libloading::Library> = LazyLock::new(|| {
    // SAFETY: the library does nothing when it is loaded.
    let library = unsafe { libloading::Library::new(library()) }.expect("Cargo has built the fake driver");
    // SAFETY: the type is that of the function.
    let run_kernels_by = unsafe { library.get::<extern "C" fn(Launcher)>(b"fake_cuda_run_kernels_by") };
    run_kernels_by.expect("the fake driver has it")(launch);
    library
});

/// The kernels that the device has at present.
struct Kernels {
    simulator: Simulator,
    compiled: Arc<Compiled>,
    names: Vec<String>,
    launches: u64,
}

thread_local! {
    static KERNELS: RefCell<Option<Kernels>> = const { RefCell::new(None) };
}

/// A session of the runtime that a GPU has; where kernels are `checked`, they may access no more than the allocations that they are given.
/// The session that was opened before must be gone.
pub fn open(compiled: Arc<Compiled>, checked: bool) -> CudaSession {
    LazyLock::force(&DRIVER);
    let backend = CudaBackend::new(Architecture::BASELINE);
    let kernels = &compiled.program.kernels;
    let simulated = cuda_sim::program(&backend, kernels, checked).expect("kernels compile");
    let names = simulated.simulation.kernels.iter().map(|kernel| kernel.name.clone()).collect();
    let simulator = Simulator::new(simulated.simulation, simulated.loaded);
    KERNELS.set(Some(Kernels { simulator, compiled: Arc::clone(&compiled), names, launches: 0 }));
    let code = backend.emit(kernels).expect("kernels compile");
    let program = backend.program(&code, kernels).expect("it is their code");
    let gpu = Gpu::find(0).expect("the fake driver has a GPU");
    CudaSession::new(compiled, &gpu, program).expect("there is memory")
}

pub fn counters() -> Counters {
    // SAFETY: the type is that of the function.
    let counters = unsafe { DRIVER.get::<extern "C" fn() -> Counters>(b"fake_cuda_counters") };
    counters.expect("the fake driver has it")()
}

pub fn set_memory(bytes: usize) {
    // SAFETY: the type is that of the function.
    let set = unsafe { DRIVER.get::<extern "C" fn(usize)>(b"fake_cuda_set_memory") };
    set.expect("the fake driver has it")(bytes);
}

/// From now on graphs are not updated, so that each is made anew.
pub fn refuse_updates() {
    // SAFETY: the type is that of the function.
    let refuse = unsafe { DRIVER.get::<extern "C" fn()>(b"fake_cuda_refuse_updates") };
    refuse.expect("the fake driver has it")();
}

/// Fails if anything is left that a session has made, or a mistake was found.
#[track_caller]
pub fn assert_clean() {
    let left = Counters { launches: 0, graph_launches: 0, graph_updates: 0, waits: 0, ..counters() };
    assert_eq!(left, Counters::default(), "something is left on the device");
    assert_eq!(findings(), "");
}

pub fn findings() -> String {
    let mut text = vec![0_u8; 1 << 16];
    // SAFETY: the type is that of the function, and there is as much room as is said.
    let count = unsafe {
        let findings = DRIVER.get::<unsafe extern "C" fn(*mut u8, usize) -> usize>(b"fake_cuda_findings");
        findings.expect("the fake driver has it")(text.as_mut_ptr(), text.len())
    };
    String::from_utf8_lossy(&text[..count]).into_owned()
}

/// Runs a kernel when its turn has come.
unsafe extern "C" fn launch(turn: *const Turn) -> i32 {
    // SAFETY: the driver hands over a launch that lives until this returns, with as many words as it says.
    let (turn, kernel, words) = unsafe {
        let turn = &*turn;
        (turn, CStr::from_ptr(turn.kernel), std::slice::from_raw_parts(turn.words, turn.count))
    };
    let ran = KERNELS.with_borrow_mut(|kernels| run(kernels.as_mut()?, turn, kernel.to_str().ok()?, words));
    i32::from(ran.is_none())
}

fn run(kernels: &mut Kernels, turn: &Turn, name: &str, words: &[Word]) -> Option<()> {
    let kernel = kernels.names.iter().position(|known| known == name)?;
    let operands = &kernels.compiled.program.kernels[kernel].operands;
    let (buffers, sizes) = words.split_at_checked(operands.len())?;
    let buffer = |(word, operand): (&Word, &Operand)| {
        let writable = operand.access != Access::Read;
        (!word.host.is_null()).then_some(Argument::Buffer { address: word.host, bytes: word.bytes, writable })
    };
    let buffers = buffers.iter().zip(operands).map(buffer).collect::<Option<Vec<_>>>()?;
    let numbers = sizes.iter().map(|word| Argument::Number(word.value as i64));
    kernels.launches += 1;
    let launch = Launch {
        kernel,
        arguments: &buffers.into_iter().chain(numbers).collect::<Vec<_>>(),
        dimensions: Dimensions { block: [turn.threads, 1, 1], grid: [turn.blocks, 1, 1] },
        dynamic_shared_bytes: turn.shared_bytes as usize,
        seed: kernels.launches,
        allowed_conflicts: u64::MAX,
    };
    // SAFETY: the buffers are memory of the driver, which does nothing else meanwhile; the checker keeps the kernel within them.
    let ran = unsafe { kernels.simulator.launch(&launch) };
    ran.inspect_err(|report| eprintln!("{report}")).ok().map(|_| ())
}
