//! Memory of the host for tensors: aligned for the widest vectors, zeroed, and refused in one sentence where there is too little.

use crate::{Failure, Kind, Result};
use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::ptr::NonNull;

/// Bytes aligned to a cache line, zeroed when made. Large ones are only touched when used.
pub struct Memory {
    start: NonNull<u8>,
    bytes: usize,
}

// SAFETY: the memory is owned by this value alone; what is shared of it is governed by borrows of the value.
unsafe impl Send for Memory {}
// SAFETY: as above: shared references only read.
unsafe impl Sync for Memory {}

const ALIGNMENT: usize = 64;

impl Memory {
    pub fn new(bytes: usize) -> Result<Memory> {
        let refused = || {
            let message = format!(
                "the machine has no {} of memory left; a smaller batch or model needs less",
                readable(bytes as u64)
            );
            Failure::new(Kind::Machine, message)
        };
        let layout = Layout::from_size_align(bytes.max(ALIGNMENT), ALIGNMENT).map_err(|_| refused())?;
        // SAFETY: the layout's size is not zero.
        let start = NonNull::new(unsafe { alloc_zeroed(layout) }).ok_or_else(refused)?;
        Ok(Memory { start, bytes })
    }

    pub fn len(&self) -> usize {
        self.bytes
    }

    /// The address, for kernels.
    pub fn address(&self) -> *mut u8 {
        self.start.as_ptr()
    }

    pub fn bytes(&self) -> &[u8] {
        // SAFETY: `bytes` bytes were allocated at `start` and initialised to zero; they live as long as `self`.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.bytes) }
    }

    pub fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `bytes`; the exclusive borrow makes the slice the only one.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.bytes) }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        let layout = Layout::from_size_align(self.bytes.max(ALIGNMENT), ALIGNMENT);
        if let Ok(layout) = layout {
            // SAFETY: allocated in `new` with this very layout.
            unsafe { dealloc(self.start.as_ptr(), layout) }
        }
    }
}

/// `1.5 GiB`
pub fn readable(bytes: u64) -> String {
    let units = ["bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let mut size = bytes as f64;
    let mut unit = 0;
    while size >= 1024.0 && unit + 1 < units.len() {
        size /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{bytes} bytes") } else { format!("{size:.1} {}", units[unit]) }
}
