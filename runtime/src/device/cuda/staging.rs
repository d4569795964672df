//! The way from the host to the device: through pinned memory, in two halves. While the device copies out of one, the host writes the other, so
//! that it need not wait for the device before it prepares what comes next.

use super::driver::{Context, Driven, Event, Pinned};
use std::ops::Range;
use std::rc::Rc;

/// Of a half: the ids of many batches.
const HALF: usize = 4 << 20;

pub struct Staging {
    context: Rc<Context>,
    halves: Option<[Half; 2]>,
    current: usize,
    /// Of the current half.
    used: usize,
}

struct Half {
    memory: Pinned,
    /// Behind the last copy out of it.
    copied: Event,
}

impl Staging {
    /// Takes no memory until something is uploaded.
    pub fn new(context: &Rc<Context>) -> Staging {
        Staging { context: Rc::clone(context), halves: None, current: 0, used: 0 }
    }

    /// Uploads what `fill` writes, part by part, each with its place.
    ///
    /// # Safety
    /// All `places` behind `to` are in an allocation of the context.
    pub unsafe fn upload(
        &mut self,
        to: u64,
        places: Range<usize>,
        fill: &mut dyn FnMut(Range<usize>, &mut [u8]),
    ) -> Driven<()> {
        let halves = match &mut self.halves {
            Some(halves) => halves,
            None => self.halves.insert([Half::new(&self.context)?, Half::new(&self.context)?]),
        };
        let mut done = places.start;
        while done < places.end {
            if self.used == HALF {
                halves[self.current].copied.record()?;
                (self.current, self.used) = (1 - self.current, 0);
                halves[self.current].copied.synchronize()?;
            }
            let part = (places.end - done).min(HALF - self.used);
            let staged = &mut halves[self.current].memory.bytes_mut()[self.used..self.used + part];
            fill(done..done + part, staged);
            // SAFETY: the caller's promise; this part of the half is written again only after the event behind the copy.
            unsafe { self.context.upload(staged, to + done as u64)? };
            done += part;
            self.used += part;
        }
        Ok(())
    }

    /// Bytes of pinned memory.
    pub fn bytes(&self) -> usize {
        self.halves.iter().flatten().map(|half| half.memory.len()).sum()
    }
}

impl Half {
    fn new(context: &Rc<Context>) -> Driven<Half> {
        Ok(Half { memory: Pinned::new(context, HALF)?, copied: Event::new(context)? })
    }
}
