//! Memory of the host for tensors: aligned for the widest vectors, zeroed, and refused in one sentence where there is too little.

use crate::{Failure, Kind, Result};
use memmap2::MmapMut;

/// Pages of zeros, which the machine provides as they are touched. There may be room for more than is used: addresses, no memory.
pub struct Memory {
    pages: MmapMut,
    bytes: usize,
    /// The most bytes that were in use at once: what lies behind them is zero still.
    touched: usize,
}

/// From here on large pages are asked for: a matrix of a few megabytes stands on more small ones than the processor keeps addresses of.
#[cfg(target_os = "linux")]
const LARGE: usize = 2 << 20;

impl Memory {
    pub fn new(bytes: usize) -> Result<Memory> {
        Memory::with_room(bytes, bytes)
    }

    /// Memory that can become as large as `room` where it is.
    pub fn with_room(bytes: usize, room: usize) -> Result<Memory> {
        let refused = |_| {
            let message = format!(
                "the machine has no {} of memory left; a smaller batch or model needs less",
                readable(bytes as u64)
            );
            Failure::new(Kind::Machine, message)
        };
        let room = room.max(bytes).max(1);
        let pages = MmapMut::map_anon(room).map_err(refused)?;
        let memory = Memory { pages, bytes, touched: bytes };
        memory.ask_for_large_pages();
        Ok(memory)
    }

    pub fn room(&self) -> usize {
        self.pages.len()
    }

    /// Uses more or less of the room, of which new bytes are zero.
    ///
    /// # Panics
    /// There is no room for it.
    pub fn resize(&mut self, bytes: usize) {
        let stale = self.bytes..bytes.min(self.touched);
        if !stale.is_empty() {
            self.pages[stale].fill(0);
        }
        assert!(bytes <= self.room(), "bug in tfc: there is no room for {bytes} bytes");
        self.bytes = bytes;
        self.touched = self.touched.max(bytes);
        self.ask_for_large_pages();
    }

    /// As many as are full: a last one would take memory for room that is not used.
    fn ask_for_large_pages(&self) {
        #[cfg(target_os = "linux")]
        if self.bytes >= LARGE {
            let whole = if self.room() > self.bytes { self.bytes / LARGE * LARGE } else { self.bytes };
            // Not every kernel has them; without, all is only a little slower.
            let _ = self.pages.advise_range(memmap2::Advice::HugePage, 0, whole);
        }
    }

    pub fn len(&self) -> usize {
        self.bytes
    }

    /// The address, for kernels.
    pub fn address(&self) -> *mut u8 {
        self.pages.as_ptr().cast_mut()
    }

    pub fn bytes(&self) -> &[u8] {
        &self.pages[..self.bytes]
    }

    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.pages[..self.bytes]
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

#[cfg(test)]
mod tests {
    use super::Memory;

    #[test]
    fn what_was_given_up_comes_back_as_zeros() {
        let mut memory = Memory::with_room(4, 12).unwrap();
        memory.bytes_mut().fill(7);
        memory.resize(2);
        assert_eq!(memory.bytes(), [7, 7]);
        memory.resize(8);
        assert_eq!(memory.bytes(), [7, 7, 0, 0, 0, 0, 0, 0]);
    }
}
