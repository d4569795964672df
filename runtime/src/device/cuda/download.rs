//! The way back from the device: into pinned memory, with an event behind it, so that the host waits when it wants the numbers and not before.

use super::driver::{Context, Driven, Event, Pinned};
use super::memory::CudaMemory;
use super::trouble::gave_up;
use crate::Result;
use crate::device::engine::{Download, Memory};
use bytemuck::allocation::pod_collect_to_vec;
use std::cell::RefCell;
use std::ops::Range;
use std::rc::Rc;

/// Pinned memory that is not in use, for downloads to come: making it takes longer than most calls.
#[derive(Default)]
pub struct Spare(Vec<Pinned>);

impl Spare {
    fn take(&mut self, context: &Rc<Context>, bytes: usize) -> Driven<Pinned> {
        match self.0.iter().position(|memory| memory.len() >= bytes) {
            Some(found) => Ok(self.0.swap_remove(found)),
            None => Pinned::new(context, bytes.next_power_of_two()),
        }
    }

    pub fn bytes(&self) -> usize {
        self.0.iter().map(Pinned::len).sum()
    }
}

pub struct CudaDownload {
    spare: Rc<RefCell<Spare>>,
    memory: Pinned,
    copied: Event,
    ranges: Vec<Range<usize>>,
}

impl CudaDownload {
    pub fn start(context: &Rc<Context>, spare: &Rc<RefCell<Spare>>, memories: &[CudaMemory]) -> Driven<CudaDownload> {
        let mut end = 0;
        let range = |memory: &CudaMemory| {
            let start = end;
            end += memory.len();
            start..end
        };
        let ranges: Vec<Range<usize>> = memories.iter().map(range).collect();
        let mut memory = spare.borrow_mut().take(context, end.max(1))?;
        for (from, range) in memories.iter().zip(&ranges).filter(|(_, range)| !range.is_empty()) {
            // SAFETY: the memory is that large; `finish` looks at the copy after the event behind it, and whoever frees either waits.
            unsafe { context.download(from.start(), &mut memory.bytes_mut()[range.clone()])? };
        }
        let copied = Event::new(context)?;
        copied.record()?;
        Ok(CudaDownload { spare: Rc::clone(spare), memory, copied, ranges })
    }
}

impl Download for CudaDownload {
    fn finish(self) -> Result<Vec<Vec<u32>>> {
        self.copied.synchronize().map_err(gave_up)?;
        let words = |range: &Range<usize>| pod_collect_to_vec(&self.memory.bytes()[range.clone()]);
        let outputs = self.ranges.iter().map(words).collect();
        self.spare.borrow_mut().0.push(self.memory);
        Ok(outputs)
    }
}
