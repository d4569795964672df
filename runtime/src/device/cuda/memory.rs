//! Tensors in the memory of a GPU.

use super::driver::{Allocation, Context, Driven};
use super::staging::Staging;
use super::trouble::{gave_up, no_memory};
use crate::Result;
use crate::device::engine::Memory;
use std::cell::RefCell;
use std::ops::Range;
use std::rc::Rc;

/// What memories share.
#[derive(Clone)]
pub struct Access {
    pub context: Rc<Context>,
    pub staging: Rc<RefCell<Staging>>,
}

/// Room is taken when it is made: a GPU without memory for the largest stage says so before the first step.
pub struct CudaMemory {
    access: Access,
    /// None where there is no room.
    allocation: Option<Allocation>,
    bytes: usize,
    room: usize,
}

impl CudaMemory {
    pub fn new(access: &Access, bytes: usize, room: usize) -> Result<CudaMemory> {
        let room = room.max(bytes);
        let allocate = || Allocation::new(&access.context, room);
        let allocation = (room > 0).then(allocate).transpose().map_err(|e| no_memory(&access.context, room, e))?;
        let mut memory = CudaMemory { access: access.clone(), allocation, bytes, room };
        memory.zero()?;
        Ok(memory)
    }

    pub(super) fn start(&self) -> u64 {
        self.allocation.as_ref().map_or(0, Allocation::address)
    }

    fn zero_range(&self, range: Range<usize>) -> Driven<()> {
        if range.is_empty() {
            return Ok(());
        }
        // SAFETY: callers stay within the room; whoever frees an allocation waits for the stream.
        unsafe { self.access.context.zero(self.start() + range.start as u64, range.len()) }
    }
}

impl Memory for CudaMemory {
    fn address(&self) -> *mut u8 {
        self.start() as *mut u8
    }

    fn len(&self) -> usize {
        self.bytes
    }

    fn room(&self) -> usize {
        self.room
    }

    fn resize(&mut self, bytes: usize) -> Result<()> {
        assert!(bytes <= self.room, "bug in tfc: there is no room for {bytes} bytes");
        self.zero_range(self.bytes..bytes).map_err(gave_up)?;
        self.bytes = bytes;
        Ok(())
    }

    fn write(&mut self, places: Range<usize>, fill: &mut dyn FnMut(Range<usize>, &mut [u8])) -> Result<()> {
        assert!(places.end <= self.bytes, "bug in tfc: a write leaves its memory");
        let mut staging = self.access.staging.borrow_mut();
        // SAFETY: just checked.
        unsafe { staging.upload(self.start(), places, fill).map_err(gave_up) }
    }

    fn read(&self, into: &mut [u8]) -> Result<()> {
        assert!(into.len() == self.bytes, "bug in tfc: memory is read into another size");
        if into.is_empty() {
            return Ok(());
        }
        // SAFETY: the memory is that large, and `into` is there until the copy is done.
        unsafe { self.access.context.download(self.start(), into).map_err(gave_up)? };
        self.access.context.synchronize().map_err(gave_up)
    }

    fn zero(&mut self) -> Result<()> {
        self.zero_range(0..self.bytes).map_err(gave_up)
    }

    fn copy(&mut self, from: &CudaMemory, runs: &mut dyn Iterator<Item = (usize, usize, usize)>) -> Result<()> {
        for (start, place, count) in runs {
            assert!(start + count <= from.bytes && place + count <= self.bytes, "bug in tfc: a copy leaves its memory");
            // SAFETY: just checked; two memories do not overlap.
            unsafe { self.access.context.copy(from.start() + start as u64, self.start() + place as u64, count) }
                .map_err(gave_up)?;
        }
        Ok(())
    }

    fn on_host(&self) -> Option<&[u8]> {
        None
    }
}
