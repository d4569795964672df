//! What the CPU's threads do: calling generated code, the one place where an address becomes a function, and zeroing.

use super::engine::Span;
use super::pool::Work;

/// The calling convention of every kernel (`tfc_compiler::kernel`).
type Entry = unsafe extern "C" fn(*const *mut u8, *const i64, i64, i64, *mut u8);

/// One launch of one kernel: plain addresses and numbers. Whoever has its items done promises that `address` is a kernel's, loaded and alive, that `buffers`,
/// `sizes` and `scratch` are what that kernel documents, as large as it reads and writes at these sizes, and that nothing else accesses what it writes until
/// they are done.
pub struct Launch {
    pub address: usize,
    /// The operands' first bytes, in the kernel's order; then the memory that threads share, or null.
    pub buffers: Vec<*mut u8>,
    pub sizes: Vec<i64>,
    /// One per thread.
    pub scratch: Vec<*mut u8>,
}

// SAFETY: the addresses are of memory that the session holds for the whole launch, and threads write disjoint parts of it: a work item
// computes its own output elements only, and what it makes for others nobody reads before all of its kind are done.
unsafe impl Send for Launch {}
// SAFETY: as above; `run` reads the launch itself only.
unsafe impl Sync for Launch {}

impl Work for Launch {
    fn run(&self, thread: usize, begin: i64, end: i64) {
        // SAFETY: it was promised that the address is a kernel of this convention.
        let entry = unsafe { std::mem::transmute::<usize, Entry>(self.address) };
        // SAFETY: it was promised that the operands fit the kernel; the pool calls each thread with a part of its own.
        unsafe { entry(self.buffers.as_ptr(), self.sizes.as_ptr(), begin, end, self.scratch[thread]) }
    }
}

/// A span to be zeroed, as one item. Whoever has it done promises that it is there and that nothing else accesses it.
pub struct Zeros(pub Span);

// SAFETY: the address is of memory that the session holds while it is zeroed.
unsafe impl Send for Zeros {}
// SAFETY: as above; `run` reads the span itself only.
unsafe impl Sync for Zeros {}

impl Work for Zeros {
    fn run(&self, _: usize, begin: i64, end: i64) {
        if begin < end {
            // SAFETY: the promise.
            unsafe { std::ptr::write_bytes(self.0.start, 0, self.0.bytes()) };
        }
    }
}
