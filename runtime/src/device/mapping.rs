//! Parts of what the system maps: addresses, under which it puts pages of zeros as they are touched.
//!
//! Parts that stand side by side have their pages in common. So small matrices stand on large pages as well: on small ones a model of some megabytes would
//! have more of them than a processor keeps addresses of.

#[cfg(target_os = "linux")]
use memmap2::{Advice, UncheckedAdvice};
use memmap2::{MmapMut, MmapRaw};
use std::io;
use std::ops::Range;
use std::sync::Arc;

/// Its own alone: no two parts of a mapping overlap.
pub struct Part {
    mapping: Arc<MmapRaw>,
    places: Range<usize>,
}

/// Where a part starts: two lines of the cache, so that no two parts share what a processor fetches at once.
const ALIGNMENT: usize = 128;

impl Part {
    /// A mapping of its own.
    ///
    /// # Errors
    /// The system has no such range of addresses.
    pub fn alone(bytes: usize) -> io::Result<Part> {
        Ok(Part::side_by_side(&[bytes])?.remove(0))
    }

    /// Parts of one mapping, of so many bytes each.
    ///
    /// # Errors
    /// The system has no such range of addresses.
    pub fn side_by_side(bytes: &[usize]) -> io::Result<Vec<Part>> {
        let mut places = Vec::with_capacity(bytes.len());
        let mut end = 0_usize;
        for bytes in bytes {
            let start = end.checked_next_multiple_of(ALIGNMENT).ok_or(io::ErrorKind::OutOfMemory)?;
            end = start.checked_add(*bytes).ok_or(io::ErrorKind::OutOfMemory)?;
            places.push(start..end);
        }
        // No system maps nothing.
        let mapping = Arc::new(MmapRaw::from(MmapMut::map_anon(end.max(1))?));
        Ok(places.into_iter().map(|places| Part { mapping: Arc::clone(&mapping), places }).collect())
    }

    pub fn address(&self) -> *mut u8 {
        self.mapping.as_mut_ptr().wrapping_add(self.places.start)
    }

    pub fn len(&self) -> usize {
        self.places.len()
    }

    pub fn bytes(&self) -> &[u8] {
        // SAFETY: mapped as long as the part is there, zeros from the start, and only this part's.
        unsafe { std::slice::from_raw_parts(self.address(), self.len()) }
    }

    pub fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above; `&mut self` keeps everyone else away.
        unsafe { std::slice::from_raw_parts_mut(self.address(), self.len()) }
    }

    /// Of the pages under some of it, and so of what others have on the first and the last.
    #[cfg(target_os = "linux")]
    pub fn advise(&self, advice: Advice, bytes: Range<usize>) {
        // Not every kernel can do what it is advised; without, all is only a little slower.
        let _ = self.mapping.advise_range(advice, self.places.start + bytes.start, bytes.len());
    }

    /// Of the pages under all parts that stand beside it.
    #[cfg(target_os = "linux")]
    pub fn advise_all(&self, advice: Advice) {
        let _ = self.mapping.advise(advice);
    }
}

/// What others stay beside gives its pages back: what has grown stands somewhere else.
#[cfg(target_os = "linux")]
impl Drop for Part {
    fn drop(&mut self) {
        let Range { start, end } = pages_within(self.mapping.as_ptr().addr(), &self.places);
        if Arc::strong_count(&self.mapping) > 1 && start < end {
            // Or a large page would be put there again, of what is around.
            let _ = self.mapping.advise_range(Advice::NoHugePage, start, end - start);
            // SAFETY: these pages are under nothing but this part, which nobody reads again.
            let _ = unsafe { self.mapping.unchecked_advise_range(UncheckedAdvice::DontNeed, start, end - start) };
        }
    }
}

/// The places of the pages that are under some places alone, in a mapping from an address on; none if the end is not behind the start.
#[cfg(target_os = "linux")]
fn pages_within(base: usize, places: &Range<usize>) -> Range<usize> {
    /// The largest page that a system has where it is not asked for larger ones.
    const PAGE: usize = 64 << 10;
    let start = (base + places.start).next_multiple_of(PAGE) - base;
    let end = ((base + places.end) / PAGE * PAGE).saturating_sub(base);
    start..end
}

#[cfg(test)]
mod tests {
    use super::{ALIGNMENT, Part};

    #[test]
    fn parts_stand_side_by_side_and_keep_what_is_theirs() {
        let lengths = [3, 0, 1 << 20, 300_000, 129];
        let mut parts = Part::side_by_side(&lengths).unwrap();
        for (number, (part, length)) in parts.iter_mut().zip(lengths).enumerate() {
            assert_eq!(part.address().addr() % ALIGNMENT, 0);
            assert_eq!(part.bytes(), vec![0; length]);
            part.bytes_mut().fill(number as u8 + 1);
        }
        drop(parts.remove(2));
        for (part, (number, length)) in parts.iter().zip([(1, 3), (2, 0), (4, 300_000), (5, 129)]) {
            assert_eq!(part.bytes(), vec![number; length]);
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn pages_are_given_back_that_nobody_else_stands_on() {
        let page = 1 << 16;
        for (base, places, pages) in [
            (page, 0..page, 0..page),
            (page, 1..3 * page - 1, page..2 * page),
            (page + 4096, 0..2 * page, page - 4096..2 * page - 4096),
        ] {
            assert_eq!(super::pages_within(base, &places), pages);
        }
        for places in [0..0, 5..page, page - 1..page + 1, 1..2 * page - 1, 3 * page..3 * page] {
            assert!(super::pages_within(page, &places).is_empty(), "{places:?}");
        }
    }

    #[test]
    fn more_than_there_are_addresses_is_refused() {
        assert!(Part::side_by_side(&[1, usize::MAX]).is_err());
        assert!(Part::alone(usize::MAX / 2).is_err());
    }
}
