//! Memory of the host for tensors: aligned for the widest vectors, zeroed, and refused in one sentence where there is too little.

use super::engine::{Download, Growth, Memory};
use super::mapping::Part;
use crate::{Failure, Kind, Result};
use bytemuck::allocation::pod_collect_to_vec;
#[cfg(target_os = "linux")]
use memmap2::Advice;
use std::num::NonZero;
use std::ops::Range;
use tfc_compiler::compiled::Compiled;
use tfc_compiler::optimization::Optimization;

/// Pages of zeros, which the machine provides as they are touched. There may be room for more than is used: addresses, no memory.
pub struct HostMemory {
    part: Part,
    bytes: usize,
    /// The most bytes that were in use at once: what lies behind them is zero still.
    touched: usize,
    kind: Pages,
}

/// What a machine is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pages {
    Large,
    /// Even where the machine would give large ones unasked.
    Small,
}

impl Pages {
    pub fn of(compiled: &Compiled) -> Pages {
        if compiled.disabled.has(Optimization::LargePages) { Pages::Small } else { Pages::Large }
    }
}

/// From here on large pages are asked for: a matrix of a few megabytes stands on more small ones than the processor keeps addresses of.
const LARGE: usize = 2 << 20;

impl HostMemory {
    pub fn new(bytes: usize, kind: Pages) -> Result<HostMemory> {
        HostMemory::with_room(bytes, bytes, kind)
    }

    /// Memory that can become as large as `room` where it is.
    pub fn with_room(bytes: usize, room: usize, kind: Pages) -> Result<HostMemory> {
        let part = Part::alone(room.max(bytes)).map_err(|_| refused(bytes))?;
        let memory = HostMemory { part, bytes, touched: bytes, kind };
        memory.ask_for_pages();
        Ok(memory)
    }

    /// Of so many bytes each and with no room for more, on pages that they have in common.
    fn side_by_side(bytes: &[usize], kind: Pages) -> Result<Vec<HostMemory>> {
        let parts = Part::side_by_side(bytes)
            .map_err(|_| refused(bytes.iter().fold(0, |sum, bytes| bytes.saturating_add(sum))))?;
        #[cfg(target_os = "linux")]
        if let Some(part) = parts.first() {
            part.advise_all(if kind == Pages::Large { Advice::HugePage } else { Advice::NoHugePage });
        }
        let memory = |(part, bytes): (Part, &usize)| HostMemory { part, bytes: *bytes, touched: *bytes, kind };
        Ok(parts.into_iter().zip(bytes).map(memory).collect())
    }

    /// As many large ones as are full: a last one would take memory for room that is not used, also where the machine gives it unasked.
    fn ask_for_pages(&self) {
        #[cfg(target_os = "linux")]
        {
            let large = match self.kind {
                Pages::Large if self.bytes == self.room() => self.bytes,
                Pages::Large => self.bytes / LARGE * LARGE,
                Pages::Small => 0,
            };
            let ask = |advice, from: usize, to: usize| {
                if to - from >= LARGE {
                    self.part.advise(advice, from..to);
                }
            };
            ask(Advice::HugePage, 0, large);
            ask(Advice::NoHugePage, large, self.room());
        }
    }

    pub fn bytes(&self) -> &[u8] {
        &self.part.bytes()[..self.bytes]
    }

    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.part.bytes_mut()[..self.bytes]
    }
}

impl Memory for HostMemory {
    fn address(&self) -> *mut u8 {
        self.part.address()
    }

    fn len(&self) -> usize {
        self.bytes
    }

    fn room(&self) -> usize {
        self.part.len()
    }

    fn resize(&mut self, bytes: usize) -> Result<()> {
        let stale = self.bytes..bytes.min(self.touched);
        if !stale.is_empty() {
            self.part.bytes_mut()[stale].fill(0);
        }
        assert!(bytes <= self.room(), "bug in tfc: there is no room for {bytes} bytes");
        self.bytes = bytes;
        self.touched = self.touched.max(bytes);
        self.ask_for_pages();
        Ok(())
    }

    fn write(&mut self, places: Range<usize>, fill: &mut dyn FnMut(Range<usize>, &mut [u8])) -> Result<()> {
        fill(places.clone(), &mut self.bytes_mut()[places]);
        Ok(())
    }

    fn read(&self, into: &mut [u8]) -> Result<()> {
        into.copy_from_slice(self.bytes());
        Ok(())
    }

    fn zero(&mut self) -> Result<()> {
        self.bytes_mut().fill(0);
        Ok(())
    }

    fn copy(&mut self, from: &HostMemory, runs: &mut dyn Iterator<Item = (usize, usize, usize)>) -> Result<()> {
        for (start, place, count) in runs {
            self.bytes_mut()[place..place + count].copy_from_slice(&from.bytes()[start..start + count]);
        }
        Ok(())
    }

    fn on_host(&self) -> Option<&[u8]> {
        Some(self.bytes())
    }
}

/// What is to become large has room of its own; all else stands side by side, and moves if it grows: room for it would be touched with what stands around it.
/// Most of the time goes into the kernel's zeroing of new memory: threads share it.
pub fn grow(growths: &[Growth<HostMemory>], kind: Pages) -> Result<Vec<HostMemory>> {
    let has_room = |growth: &Growth<HostMemory>| growth.room > growth.bytes().max(LARGE);
    let roomless: Vec<usize> = growths.iter().filter(|growth| !has_room(growth)).map(Growth::bytes).collect();
    let mut roomless = HostMemory::side_by_side(&roomless, kind)?.into_iter();
    let place = |growth| match has_room(growth) {
        true => HostMemory::with_room(growth.bytes(), growth.room, kind),
        false => Ok(roomless.next().expect("bug in tfc: a tensor has no place beside the others")),
    };
    let mut grown: Vec<HostMemory> = growths.iter().map(place).collect::<Result<_>>()?;
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
    let mut shares: Vec<Vec<(&Growth<_>, &mut HostMemory)>> = (0..threads).map(|_| Vec::new()).collect();
    let tensors = growths.iter().zip(&mut grown).enumerate();
    tensors.for_each(|(i, tensor)| shares[i % threads].push(tensor));
    std::thread::scope(|scope| {
        let copy = |share: Vec<(&Growth<_>, _)>| share.into_iter().try_for_each(|(growth, to)| growth.copy_to(to));
        let copying: Vec<_> = shares.into_iter().map(|share| scope.spawn(move || copy(share))).collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, _>| {
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        copying.into_iter().try_for_each(join)
    })?;
    Ok(grown)
}

fn refused(bytes: usize) -> Failure {
    let bytes = readable(bytes as u64);
    let message = format!("the machine has no {bytes} of memory left; a smaller batch or model needs less");
    Failure::new(Kind::Machine, message)
}

/// What the host has need not be waited for.
pub struct Copied(Vec<Vec<u32>>);

impl Copied {
    pub fn of(memories: &[HostMemory]) -> Copied {
        Copied(memories.iter().map(|memory| pod_collect_to_vec(memory.bytes())).collect())
    }
}

impl Download for Copied {
    fn finish(self) -> Result<Vec<Vec<u32>>> {
        Ok(self.0)
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
    use super::{Growth, HostMemory, Memory, Pages, grow};

    /// Of rows of a kilobyte, to as many as there is room for and then to fewer.
    #[test]
    fn what_becomes_large_stays_where_it_is_and_what_is_small_moves() {
        let none = HostMemory::new(0, Pages::Large).unwrap();
        let growth = |from, rows: [&'static [usize; 2]; 2], most: usize| Growth {
            from,
            element_bytes: 1,
            from_shape: rows[0],
            to_shape: rows[1],
            room: most * 1024,
        };
        let first = [growth(&none, [&[0, 1024], &[1000, 1024]], 3000), growth(&none, [&[0, 1024], &[1, 1024]], 2)];
        let [mut large, mut small] = <[HostMemory; 2]>::try_from(grow(&first, Pages::Large).unwrap()).ok().unwrap();
        assert_eq!([&large, &small].map(Memory::room), [3000 * 1024, 1024]);
        [&mut large, &mut small].into_iter().for_each(|memory| memory.bytes_mut().fill(7));
        let address = large.address();
        large.resize(3000 * 1024).unwrap();
        assert_eq!(large.address(), address);
        let moved = grow(&[growth(&small, [&[1, 1024], &[2, 1024]], 2)], Pages::Large).unwrap().remove(0);
        for (memory, kept) in [(&large, 1000 * 1024), (&moved, 1024)] {
            let (before, new) = memory.bytes().split_at(kept);
            assert!(before.iter().all(|byte| *byte == 7) && new.iter().all(|byte| *byte == 0));
        }
    }

    #[test]
    fn what_was_given_up_comes_back_as_zeros() {
        let mut memory = HostMemory::with_room(4, 12, Pages::Large).unwrap();
        memory.bytes_mut().fill(7);
        memory.resize(2).unwrap();
        assert_eq!(memory.bytes(), [7, 7]);
        memory.resize(8).unwrap();
        assert_eq!(memory.bytes(), [7, 7, 0, 0, 0, 0, 0, 0]);
    }
}
