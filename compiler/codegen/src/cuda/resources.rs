//! What a kernel takes of a multiprocessor, and how many of its blocks run there side by side.

use super::architecture::Architecture;

/// Of one block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resources {
    pub threads: i64,
    /// Of a thread.
    pub registers: i64,
    pub shared_bytes: i64,
}

/// The same on all three architectures: tables of the CUDA C++ Programming Guide, "Technical Specifications per Compute Capability".
const WARPS: i64 = 64;
const BLOCKS: i64 = 32;
const LANES: i64 = 32;
/// Registers are handed out to a warp in these units, shared memory to a block; the system takes some of it for each block.
const REGISTER_UNIT: i64 = 256;
const SHARED_UNIT: i64 = 128;
const SHARED_OF_SYSTEM: i64 = 1024;

impl Resources {
    /// How many blocks a multiprocessor has at once.
    pub fn blocks(self, architecture: Architecture) -> i64 {
        let up = |amount: i64, unit: i64| (amount + unit - 1) / unit * unit;
        let of_warp = up(self.registers.max(1) * LANES, REGISTER_UNIT);
        let by_registers = architecture.registers / of_warp / self.warps();
        let by_shared = architecture.shared_bytes / up(self.shared_bytes + SHARED_OF_SYSTEM, SHARED_UNIT);
        by_registers.min(by_shared).min(WARPS / self.warps()).min(BLOCKS)
    }

    /// Warps that are there at once, as a fraction of the most that can be.
    pub fn occupancy(self, architecture: Architecture) -> f64 {
        (self.blocks(architecture) * self.warps()) as f64 / WARPS as f64
    }

    fn warps(self) -> i64 {
        (self.threads + LANES - 1) / LANES
    }
}

#[cfg(test)]
mod tests {
    use super::{Architecture, Resources};

    #[test]
    fn the_scarcest_decides() {
        let [a100, h100, _] = Architecture::ALL;
        let of = |threads, registers, shared_bytes| Resources { threads, registers, shared_bytes };
        // 65536 / (8 warps of 128 · 32) = 2; one register more takes 8 of them, and then one block.
        assert_eq!(of(256, 128, 0).blocks(a100), 2);
        assert_eq!(of(256, 129, 0).blocks(a100), 1);
        assert_eq!(of(256, 128, 0).occupancy(a100), 0.25);
        // 164 KiB and 228 KiB, with a KiB of each block for the system.
        assert_eq!(of(128, 32, 64 << 10).blocks(a100), 2);
        assert_eq!(of(128, 32, 64 << 10).blocks(h100), 3);
        // 64 warps, 32 blocks.
        assert_eq!(of(256, 16, 0).blocks(a100), 8);
        assert_eq!(of(32, 16, 0).blocks(a100), 32);
        assert_eq!(of(256, 32, 230 << 10).blocks(a100), 0);
    }
}
