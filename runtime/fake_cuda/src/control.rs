//! What a test says to the driver, and asks it: functions that NVIDIA's has not.

use crate::driver::driver;
use std::ffi::c_char;

/// An argument of a kernel.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Word {
    pub value: u64,
    /// Where the host has the memory at that address; null if it is no address of live memory.
    pub host: *mut u8,
    /// From there to the end of the allocation.
    pub bytes: usize,
}

/// A kernel's turn.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Launch {
    pub kernel: *const c_char,
    pub words: *const Word,
    pub count: usize,
    pub blocks: u32,
    pub threads: u32,
    pub shared_bytes: u32,
}

/// Runs a kernel to its end; not 0 where it did something that a device does not survive. It must not call the driver.
pub type Launcher = unsafe extern "C" fn(*const Launch) -> i32;

/// What there is, and what has been done.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Alive now.
    pub allocations: usize,
    pub pinned: usize,
    pub streams: usize,
    pub events: usize,
    pub modules: usize,
    pub graphs: usize,
    pub contexts: usize,
    /// Done so far.
    pub launches: usize,
    pub graph_launches: usize,
    pub graph_updates: usize,
    pub waits: usize,
}

/// From now on `launcher` runs kernels.
#[unsafe(no_mangle)]
pub extern "C" fn fake_cuda_run_kernels_by(launcher: Launcher) {
    driver().launcher = Some(launcher);
}

/// From now on the device has so much memory.
#[unsafe(no_mangle)]
pub extern "C" fn fake_cuda_set_memory(bytes: usize) {
    driver().settings.memory = bytes;
}

/// From now on no graph is updated.
#[unsafe(no_mangle)]
pub extern "C" fn fake_cuda_refuse_updates() {
    driver().settings.refuses_updates = true;
}

#[unsafe(no_mangle)]
pub extern "C" fn fake_cuda_counters() -> Counters {
    driver().counters()
}

/// The findings so far, a line each, as UTF-8 of at most `room` bytes; gives their number.
///
/// # Safety
/// There are `room` bytes at `text`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fake_cuda_findings(text: *mut u8, room: usize) -> usize {
    let lines = driver().findings.join("\n");
    let count = lines.len().min(room);
    // SAFETY: the caller's promise.
    unsafe { std::ptr::copy_nonoverlapping(lines.as_ptr(), text, count) };
    count
}
