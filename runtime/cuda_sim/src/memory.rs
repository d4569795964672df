//! The memory that a launch may touch: which addresses of the kernel are which of the host, and access to those.
//!
//! Where the checker is on, a kernel is not given the addresses of its buffers but of windows, a terabyte apart: so an access past the end
//! of a buffer meets no other one, and a stray pointer tells where it comes from.

use crate::Argument;
use crate::finding::{Object, Place};
use std::ops::Range;
use tfc_compiler::simulation::Space;

/// The size of a window.
const WINDOW: u64 = 1 << 40;

/// So many low bits of an address are those of the buffer: no kernel asks for more alignment.
const ALIGNMENT_MASK: usize = 255;

/// Where an access that is not allowed goes instead, so that the kernel can go on: zeros when it starts.
const NOWHERE: usize = 4096;

/// Aligned for any load of the host.
#[repr(align(64))]
struct Nowhere([u8; NOWHERE]);

pub struct Memory {
    /// On the host; the variable that a launch sizes is cut to what it asks for.
    shared: Vec<Range<usize>>,
    buffers: Vec<Buffer>,
    checked: bool,
    nowhere: Box<Nowhere>,
}

struct Buffer {
    argument: usize,
    /// For the kernel.
    start: u64,
    host: usize,
    bytes: usize,
    writable: bool,
}

/// Bytes that the kernel may access.
#[derive(Clone, Copy, Debug)]
pub struct Located {
    /// None for a thread's own variables.
    pub place: Option<Place>,
    pub host: usize,
    bytes: usize,
    pub writable: bool,
}

impl Located {
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    pub fn is_shared(&self) -> bool {
        self.place.is_some_and(|place| matches!(place.object, Object::Shared(_)))
    }

    /// Some of the bytes.
    pub fn part(&self, first: usize, bytes: usize) -> Located {
        assert!(first + bytes <= self.bytes, "bug in tfc: a part lies outside the whole");
        let place = self.place.map(|place| Place { offset: place.offset + first as i64, ..place });
        Located { place, host: self.host + first, bytes, writable: self.writable }
    }
}

impl Memory {
    /// Also gives the words that the kernel is called with.
    pub fn new(shared: Vec<Range<usize>>, arguments: &[Argument], checked: bool) -> (Memory, Vec<u64>) {
        let mut buffers: Vec<Buffer> = Vec::new();
        let word = |(argument, value): (usize, &Argument)| match *value {
            Argument::Number(number) => number as u64,
            Argument::Buffer { address, bytes, writable } => {
                let host = address as usize;
                let window = WINDOW * (argument as u64 + 1) + (host & ALIGNMENT_MASK) as u64;
                let start = if checked { window } else { host as u64 };
                buffers.push(Buffer { argument, start, host, bytes, writable });
                start
            }
        };
        let words = arguments.iter().enumerate().map(word).collect();
        (Memory { shared, buffers, checked, nowhere: Box::new(Nowhere([0; NOWHERE])) }, words)
    }

    /// Makes every byte of shared memory one that no kernel has written: as floating-point numbers, NaN.
    pub fn forget_shared(&mut self) {
        for range in &self.shared {
            // SAFETY: the variables are of the object that runs the launch, whose owner lends it to one launch at a time.
            unsafe { std::ptr::write_bytes(range.start as *mut u8, 0xff, range.len()) };
        }
    }

    pub fn shared_bytes(&self) -> impl Iterator<Item = usize> {
        self.shared.iter().map(Range::len)
    }

    /// The bytes at an address of the kernel. Without the checker, any are believed to be its.
    ///
    /// # Errors
    /// The kernel has no such bytes; what they are near, if anything.
    pub fn locate(
        &self,
        space: Space,
        address: u64,
        bytes: usize,
        stack: &Range<usize>,
    ) -> Result<Located, Option<Place>> {
        let start = address as usize;
        if !self.checked {
            return Ok(Located { place: None, host: start, bytes, writable: true });
        }
        let inside = |range: &Range<usize>| range.contains(&start) && bytes <= range.end - start;
        if space != Space::Global {
            if let Some(k) = self.shared.iter().position(inside) {
                let place = self.place_in_shared(k, address);
                return Ok(Located { place: Some(place), host: start, bytes, writable: true });
            }
            if space == Space::Generic && inside(stack) {
                return Ok(Located { place: None, host: start, bytes, writable: true });
            }
        }
        if space == Space::Shared {
            let near = |k: &usize| self.shared[*k].start.abs_diff(start) <= 1 << 20;
            let nearest = (0..self.shared.len()).filter(near).min_by_key(|k| self.shared[*k].start.abs_diff(start));
            return Err(nearest.map(|k| self.place_in_shared(k, address)));
        }
        let near = |buffer: &&Buffer| buffer.start.abs_diff(address) < WINDOW / 2;
        let Some(buffer) = self.buffers.iter().find(near) else { return Err(None) };
        let offset = address.wrapping_sub(buffer.start) as i64;
        let place = Place { object: Object::Argument(buffer.argument), offset, bytes: buffer.bytes };
        match usize::try_from(offset) {
            Ok(offset) if offset <= buffer.bytes && bytes <= buffer.bytes - offset => {
                Ok(Located { place: Some(place), host: buffer.host + offset, bytes, writable: buffer.writable })
            }
            _ => Err(Some(place)),
        }
    }

    fn place_in_shared(&self, k: usize, address: u64) -> Place {
        let range = &self.shared[k];
        let offset = address.wrapping_sub(range.start as u64) as i64;
        Place { object: Object::Shared(k), offset, bytes: range.len() }
    }

    /// Address and bytes for an access that is not allowed.
    pub fn nowhere(&mut self, bytes: u64) -> (u64, u64) {
        (self.nowhere.0.as_mut_ptr() as u64, bytes.min(NOWHERE as u64))
    }

    pub fn read_row(&self, row: Located) -> [u8; 16] {
        assert!(row.bytes == 16, "bug in tfc: a row of a matrix has 16 bytes");
        // SAFETY: `locate` has found these bytes in memory that the launch was given, or the launch's caller vouches for the kernel.
        unsafe { (row.host as *const [u8; 16]).read_unaligned() }
    }

    /// Copies all of `from`, and fills the rest of `to` with zeros.
    pub fn copy(&self, from: Option<Located>, to: Located) {
        let copied = from.map_or(0, |from| from.bytes);
        assert!(copied <= to.bytes, "bug in tfc: a copy is larger than its destination");
        // SAFETY: as in `read_row`; global and shared memory do not overlap.
        unsafe {
            if let Some(from) = from {
                std::ptr::copy_nonoverlapping(from.host as *const u8, to.host as *mut u8, copied);
            }
            std::ptr::write_bytes((to.host + copied) as *mut u8, 0, to.bytes - copied);
        }
    }
}
