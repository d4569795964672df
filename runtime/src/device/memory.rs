//! Memory of the host for tensors: aligned for the widest vectors, zeroed, and refused in one sentence where there is too little.

use crate::{Failure, Kind, Result};
use memmap2::MmapMut;

/// Pages of zeros, which the machine provides as they are touched.
pub struct Memory {
    pages: MmapMut,
    bytes: usize,
}

/// From here on large pages are asked for: a matrix of a few megabytes stands on more small ones than the processor keeps addresses of.
#[cfg(target_os = "linux")]
const LARGE: usize = 2 << 20;

impl Memory {
    pub fn new(bytes: usize) -> Result<Memory> {
        let refused = |_| {
            let message = format!(
                "the machine has no {} of memory left; a smaller batch or model needs less",
                readable(bytes as u64)
            );
            Failure::new(Kind::Machine, message)
        };
        let pages = MmapMut::map_anon(bytes.max(1)).map_err(refused)?;
        #[cfg(target_os = "linux")]
        if bytes >= LARGE {
            // Not every kernel has them; without, all is only a little slower.
            let _ = pages.advise(memmap2::Advice::HugePage);
        }
        Ok(Memory { pages, bytes })
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
