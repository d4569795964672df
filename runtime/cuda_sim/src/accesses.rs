//! What threads do to memory: loads, stores, copies.

use crate::block::Block;
use crate::checker::{Flaw, Guilt, Other};
use crate::copies::Copy;
use crate::fiber::{Answer, Request};
use crate::finding::{Kind, Place};
use crate::memory::Located;
use tfc_compiler::simulation::{MemoryAccess, Space};

impl Block<'_, '_> {
    /// Where a load or a store may go.
    pub(super) fn access(&mut self, thread: usize, request: &Request, access: MemoryAccess) -> Answer {
        let [address, bytes, ..] = request.words;
        if bytes == 0 {
            return [address, bytes, 0, 0];
        }
        let Some(located) = self.locate(thread, request.site, access, address, bytes as usize) else {
            let (address, bytes) = self.around.memory.nowhere(bytes);
            return [address, bytes, 0, 0];
        };
        self.note(thread, request.site, &located, bytes as usize, access.writes);
        if let (Some(checker), true) = (&mut self.around.checker, located.is_shared()) {
            checker.count_banks(thread, request.site, located.host, bytes as usize, access.alignment);
        }
        [located.host as u64, bytes, 0, 0]
    }

    /// The bytes that a thread wants to access; None where it may not, which is then found.
    pub(super) fn locate(
        &mut self,
        thread: usize,
        site: u32,
        access: MemoryAccess,
        address: u64,
        bytes: usize,
    ) -> Option<Located> {
        let located = self.around.memory.locate(access.space, address, bytes, &self.fibers[thread].stack);
        let does = if access.writes { "writes" } else { "reads" };
        match located {
            Err(near) => {
                let belongs = if near.is_some() { "" } else { " of nothing that the kernel was given" };
                self.find(Kind::OutOfBounds, site, thread, near, || format!("{does} {bytes} bytes{belongs}"));
                None
            }
            Ok(located) if self.around.checker.is_none() => Some(located),
            Ok(located) if !address.is_multiple_of(access.alignment as u64) => {
                let alignment = access.alignment;
                self.find(Kind::Misaligned, site, thread, located.place, || {
                    format!("{does} {bytes} bytes that are not aligned to {alignment}")
                });
                None
            }
            Ok(located) if access.writes && !located.writable => {
                self.find(Kind::ReadOnly, site, thread, located.place, || format!("writes {bytes} bytes"));
                None
            }
            Ok(located) => Some(located),
        }
    }

    /// Lets the checker know of an access.
    pub(super) fn note(&mut self, thread: usize, site: u32, located: &Located, bytes: usize, writes: bool) {
        let Some(checker) = &mut self.around.checker else { return };
        if let Some(guilt) = checker.access(located, bytes, writes, thread) {
            self.accuse(thread, site, located.place, guilt, if writes { "writes" } else { "reads" });
        }
    }

    pub(super) fn start_copy(&mut self, thread: usize, request: &Request, bytes: usize, sized: bool) {
        let [to, from, size, ..] = request.words;
        let site = request.site;
        let size = if sized { size as u32 as usize } else { bytes };
        if size > bytes {
            self.find(Kind::Operand, site, thread, None, || format!("copies {size} bytes of at most {bytes}"));
        }
        let size = size.min(bytes);
        let reads = MemoryAccess { writes: false, space: Space::Global, alignment: bytes };
        let writes = MemoryAccess { writes: true, space: Space::Shared, alignment: bytes };
        let from = if size > 0 { self.locate(thread, site, reads, from, size) } else { None };
        let Some(to) = self.locate(thread, site, writes, to, bytes) else { return };
        if let Some(from) = &from {
            self.note(thread, site, from, size, false);
        }
        if let (Some(checker), Some(place)) = (&mut self.around.checker, to.place)
            && let Some(guilt) = checker.start_copy(place, bytes, thread)
        {
            self.accuse(thread, site, to.place, guilt, "copies to");
        }
        self.copies_begun += 1;
        self.copies[thread].start(Copy { from, to });
    }

    pub(super) fn finish_copies(&mut self, thread: usize, copies: Vec<Copy>) {
        for copy in copies {
            self.around.memory.copy(copy.from, copy.to);
            if let (Some(checker), Some(place)) = (&mut self.around.checker, copy.to.place) {
                checker.finish_copy(place, copy.to.bytes(), thread);
            }
        }
    }

    pub(super) fn accuse(&mut self, thread: usize, site: u32, place: Option<Place>, guilt: Guilt, does: &str) {
        let dimensions = self.around.dimensions;
        let other = |thread: usize| dimensions.thread(thread);
        let (kind, details) = match guilt {
            Guilt::InShared(Flaw::Uninitialized) => (Kind::Uninitialized, format!("{does} what no thread has written")),
            Guilt::InShared(Flaw::Unfinished { by }) => {
                let by = other(by);
                (Kind::UnfinishedCopy, format!("{does} where a copy that thread {by:?} started is not awaited"))
            }
            Guilt::InShared(Flaw::WrittenBy(by)) => {
                (Kind::Race, format!("{does} what thread {:?} wrote, with no barrier between", other(by)))
            }
            Guilt::InShared(Flaw::ReadBy(by)) => {
                (Kind::Race, format!("{does} what thread {:?} read, with no barrier between", other(by)))
            }
            Guilt::InShared(Flaw::ReadByWarpOf(by)) => {
                let by = other(by);
                (Kind::Race, format!("{does} what lanes of the warp of thread {by:?} read, with no barrier between"))
            }
            Guilt::InBuffer(Other { block, thread, wrote }) => {
                let by = self.who(u64::from(block), thread);
                let did = if wrote { "wrote" } else { "read" };
                let (thread, block) = (by.thread, by.block);
                (
                    Kind::Race,
                    format!("{does} what thread {thread:?} of block {block:?} {did}, with nothing that orders them"),
                )
            }
        };
        self.find(kind, site, thread, place, || details);
    }
}
