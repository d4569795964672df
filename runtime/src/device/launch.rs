//! What the CPU's threads do: calling generated code, the one place where an address becomes a function, and zeroing.

use super::engine::Span;
use super::pool::Work;
use std::sync::Arc;

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

/// A product, and a row program of which each row needs that row of the product alone.
pub struct RowEpilogue {
    product: Arc<Launch>,
    rows: Arc<Launch>,
    /// Of an item of the product.
    rows_of_item: i64,
    /// In all.
    row_count: i64,
}

/// Items of a product between two turns of the row program: what they make is in a near cache. Fewer, and a product asks too seldom for what it packs next.
const ITEMS_AT_ONCE: i64 = 16;

impl RowEpilogue {
    /// # Safety
    /// An item of the product makes all of its rows, and a row is an item of `rows`, which shares no row but its own with the product.
    pub unsafe fn new(product: Arc<Launch>, rows: Arc<Launch>, rows_of_item: i64, row_count: i64) -> RowEpilogue {
        RowEpilogue { product, rows, rows_of_item, row_count }
    }
}

impl Work for RowEpilogue {
    fn run(&self, thread: usize, begin: i64, end: i64) {
        let mut first = begin;
        while first < end {
            let last = end.min(first + ITEMS_AT_ONCE);
            self.product.run(thread, first, last);
            let [first_row, last_row] = [first, last].map(|item| self.row_count.min(item * self.rows_of_item));
            self.rows.run(thread, first_row, last_row);
            first = last;
        }
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

    /// Writes the number of each row, seven to an item, to as many numbers as there are.
    unsafe extern "C" fn number(buffers: *const *mut u8, sizes: *const i64, begin: i64, end: i64, _: *mut u8) {
        // SAFETY: the test hands over one buffer of i64, and how many there are.
        unsafe {
            let (numbers, count) = ((*buffers).cast::<i64>(), *sizes);
            (begin * 7..count.min(end * 7)).for_each(|row| *numbers.add(row as usize) = row);
        }
    }

    /// Adds one to each row's number.
    unsafe extern "C" fn add_one(buffers: *const *mut u8, _: *const i64, begin: i64, end: i64, _: *mut u8) {
        // SAFETY: the test hands over one buffer of i64, and no more items than it has.
        unsafe { (begin..end).for_each(|row| *(*buffers).cast::<i64>().add(row as usize) += 1) }
    }

    #[test]
    fn each_row_is_done_once_when_the_product_has_stored_it() {
        const ROWS: i64 = 7 * 50 + 3;
        let mut numbers = vec![100_i64; ROWS as usize];
        let launch = |entry: Entry| {
            let buffers = vec![numbers.as_mut_ptr().cast::<u8>()];
            // SAFETY: both functions are of this convention and access `numbers` alone, which is as large as they take it to be.
            Arc::new(unsafe { Launch::new(entry as usize, buffers, vec![ROWS], vec![std::ptr::null_mut()]) })
        };
        let [product, rows] = [number as Entry, add_one as Entry].map(launch);
        // SAFETY: an item makes seven rows, and a row is changed by its own item alone.
        let both = unsafe { RowEpilogue::new(product, rows, 7, ROWS) };
        [(40, 51), (0, 1), (1, 40)].into_iter().for_each(|(begin, end)| both.run(0, begin, end));
        assert!((1..=ROWS).eq(numbers));
    }

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
