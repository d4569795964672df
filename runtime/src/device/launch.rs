//! Calling generated code: the one place where an address becomes a function.

use super::pool::{Pool, Work};
use std::sync::Arc;
use tfc_compiler::kernel::Division;

/// The calling convention of every kernel (`tfc_compiler::kernel`).
type Entry = unsafe extern "C" fn(*const *mut u8, *const i64, i64, i64, *mut u8);

/// One launch of one kernel: plain addresses and numbers.
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

impl Launch {
    /// Runs the kernel over its work items: first those that others need, if there are any.
    ///
    /// # Safety
    /// `address` is a kernel's, loaded and alive; `buffers`, `sizes` and `scratch` are what that kernel documents, as large as it
    /// reads and writes at these sizes, and nothing else accesses what it writes until this returns.
    pub unsafe fn run(self: &Arc<Self>, pool: &Pool, division: Division) {
        let Division { preparation, items, in_pieces } = division;
        if preparation > 0 {
            pool.run(Arc::clone(self) as Arc<dyn Work + Send>, -preparation..0, true);
        }
        pool.run(Arc::clone(self) as Arc<dyn Work + Send>, 0..items, in_pieces);
    }
}

impl Work for Launch {
    fn run(&self, thread: usize, begin: i64, end: i64) {
        // SAFETY: `Launch::run`'s caller promised that the address is a kernel of this convention.
        let entry = unsafe { std::mem::transmute::<usize, Entry>(self.address) };
        // SAFETY: `Launch::run`'s caller promised that the operands fit the kernel; the pool calls each thread with a part of its own.
        unsafe { entry(self.buffers.as_ptr(), self.sizes.as_ptr(), begin, end, self.scratch[thread]) }
    }
}
