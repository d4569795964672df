//! Memory of the device, and pinned memory of the host.

use std::collections::BTreeMap;
use std::ops::Range;

/// The first address of the device: one that no program on the host can have.
const FIRST: u64 = 1 << 48;
/// What an allocation begins at a multiple of; as much is left free between two.
const ALIGNMENT: usize = 256;
/// In memory that nobody has written: as floating-point numbers, NaN.
const POISON: u8 = 0xff;

pub struct Allocation {
    /// With as much in front as makes the rest begin at a multiple.
    memory: Vec<u8>,
    front: usize,
}

impl Allocation {
    fn new(bytes: usize) -> Allocation {
        let memory = vec![POISON; bytes + ALIGNMENT];
        let front = memory.as_ptr().align_offset(ALIGNMENT);
        Allocation { memory, front }
    }

    fn len(&self) -> usize {
        self.memory.len() - ALIGNMENT
    }

    fn bytes(&mut self) -> &mut [u8] {
        let end = self.front + self.len();
        &mut self.memory[self.front..end]
    }
}

/// Allocations by their addresses. No address is given twice, so one that was freed is never valid again.
pub struct DeviceMemory {
    allocations: BTreeMap<u64, Allocation>,
    next: u64,
}

impl DeviceMemory {
    pub fn new() -> DeviceMemory {
        DeviceMemory { allocations: BTreeMap::new(), next: FIRST }
    }

    pub fn allocate(&mut self, bytes: usize) -> u64 {
        let address = self.next;
        self.next += ((bytes.div_ceil(ALIGNMENT) + 1) * ALIGNMENT) as u64;
        self.allocations.insert(address, Allocation::new(bytes));
        address
    }

    /// Whether there was one.
    pub fn free(&mut self, address: u64) -> bool {
        self.allocations.remove(&address).is_some()
    }

    pub fn len(&self) -> usize {
        self.allocations.len()
    }

    pub fn bytes(&self) -> usize {
        self.allocations.values().map(Allocation::len).sum()
    }

    /// From an address to the end of its allocation.
    pub fn rest(&mut self, address: u64) -> Option<&mut [u8]> {
        let (start, allocation) = self.allocations.range_mut(..=address).next_back()?;
        let offset = usize::try_from(address - start).ok()?;
        allocation.bytes().get_mut(offset..)
    }

    /// So many bytes, if an allocation has them all.
    pub fn range(&mut self, address: u64, bytes: usize) -> Option<&mut [u8]> {
        self.rest(address)?.get_mut(..bytes)
    }
}

/// Memory of the host that copies may go on in while the host does.
#[derive(Default)]
pub struct PinnedMemory(BTreeMap<usize, Vec<u8>>);

impl PinnedMemory {
    pub fn allocate(&mut self, bytes: usize) -> *mut u8 {
        let mut memory = vec![POISON; bytes];
        let start = memory.as_mut_ptr();
        self.0.insert(start as usize, memory);
        start
    }

    pub fn free(&mut self, start: usize) -> bool {
        self.0.remove(&start).is_some()
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn has(&self, range: &Range<usize>) -> bool {
        let found = self.0.range(..=range.start).next_back();
        found.is_some_and(|(start, memory)| range.end <= start + memory.len())
    }
}

#[cfg(test)]
mod tests {
    use super::DeviceMemory;

    #[test]
    fn only_what_is_allocated_is_there() {
        let mut memory = DeviceMemory::new();
        let (first, second) = (memory.allocate(100), memory.allocate(8));
        assert_eq!(memory.range(first, 100).map(|bytes| bytes.len()), Some(100));
        assert!(memory.range(first, 101).is_none() && memory.range(first - 1, 1).is_none());
        assert!(memory.range(first + 100, 1).is_none() && memory.range(second + 4, 5).is_none());
        assert!(
            memory
                .rest(second)
                .is_some_and(|bytes| bytes == [0xff; 8] && (bytes.as_ptr() as usize).is_multiple_of(256))
        );
        assert!(memory.free(first) && !memory.free(first) && memory.range(first, 1).is_none());
        assert!(memory.allocate(100) > second);
    }
}
