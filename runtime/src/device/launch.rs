//! What the CPU's threads do: calling generated code, the one place where an address becomes a function, and zeroing.

use super::engine::Span;
use super::pool::Work;

/// The calling convention of every kernel (`tfc_compiler::kernel`).
type Entry = unsafe extern "C" fn(*const *mut u8, *const i64, i64, i64, *mut u8);

/// One launch of one kernel: plain addresses and numbers.
pub struct Launch {
    address: usize,
    /// The operands' first bytes, in the kernel's order; then the memory that threads share, or null.
    buffers: Vec<*mut u8>,
    sizes: Vec<i64>,
    /// One per thread.
    scratch: Vec<*mut u8>,
}

impl Launch {
    /// # Safety
    /// While its items are done, `address` is a kernel's, loaded and alive; `buffers`, `sizes` and `scratch` are what that kernel documents, as large as it
    /// reads and writes at these sizes, and nothing else accesses what it writes.
    pub unsafe fn new(address: usize, buffers: Vec<*mut u8>, sizes: Vec<i64>, scratch: Vec<*mut u8>) -> Launch {
        Launch { address, buffers, sizes, scratch }
    }
}

// SAFETY: the addresses are of memory that the session holds for the whole launch, and threads write disjoint parts of it: a work item
// computes its own output elements only, and what it makes for others nobody reads before all of its kind are done.
unsafe impl Send for Launch {}
// SAFETY: as above; `run` reads the launch itself only.
unsafe impl Sync for Launch {}

impl Work for Launch {
    fn run(&self, thread: usize, begin: i64, end: i64) {
        // SAFETY: as `Launch::new` was promised, the address is a kernel of this convention.
        let entry = unsafe { std::mem::transmute::<usize, Entry>(self.address) };
        // SAFETY: as `Launch::new` was promised, the operands fit the kernel; the pool has each item done once, and knows threads apart.
        unsafe { entry(self.buffers.as_ptr(), self.sizes.as_ptr(), begin, end, self.scratch[thread]) }
    }
}

/// A span to be zeroed.
pub struct Zeros(Span);

/// Bytes of one item.
const ZEROED: usize = 1 << 18;

// SAFETY: the address is of memory that the session holds while it is zeroed, and items are disjoint.
unsafe impl Send for Zeros {}
// SAFETY: as above; `run` reads the span itself only.
unsafe impl Sync for Zeros {}

impl Zeros {
    /// # Safety
    /// While its items are done, the span is there, and nothing else accesses it.
    pub unsafe fn new(span: Span) -> Zeros {
        Zeros(span)
    }

    pub fn items(&self) -> i64 {
        self.0.bytes().div_ceil(ZEROED) as i64
    }
}

impl Work for Zeros {
    fn run(&self, _: usize, begin: i64, end: i64) {
        let [begin, end] = [begin, end].map(|item| (item as usize * ZEROED).min(self.0.bytes()));
        // SAFETY: as `Zeros::new` was promised; the bytes are within the span.
        unsafe { std::ptr::write_bytes(self.0.start.add(begin), 0, end - begin) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tfc_compiler::graph::DType;

    #[test]
    fn a_span_is_zeroed_item_by_item_and_nothing_else() {
        let mut bytes = vec![1_u8; 3 * ZEROED];
        let span = Span { start: bytes[16..].as_mut_ptr(), elements: ZEROED / 2 + 5, dtype: DType::F32 };
        // SAFETY: the bytes are there, and nobody looks at them before all items are done.
        let zeros = unsafe { Zeros::new(span) };
        assert_eq!(zeros.items(), 3);
        [2, 0, 1].into_iter().for_each(|item| zeros.run(0, item, item + 1));
        let is_inside = |i: usize| (16..16 + span.bytes()).contains(&i);
        assert!(bytes.iter().enumerate().all(|(i, byte)| (*byte == 0) == is_inside(i)));
    }
}
