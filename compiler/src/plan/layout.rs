//! Where in memory everything is: a pure function of the plan and one number per symbol.
//!
//! Buffers that are never needed at the same time share memory. The largest are placed first, each into the smallest gap that takes it
//! between those that it meets in time: in a gradient that is written later ([`super::lending`]), the first such one; else in the arena, or after
//! all that stands there.

use super::{Buffer, BufferId, Lender, Place, Plan, Step, chunks};
use crate::size::{SizeValues, Symbol};

/// In bytes. Every offset is a multiple of [`ALIGNMENT`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// For each buffer of the plan, where it is; None for a storage.
    pub spots: Vec<Option<Spot>>,
    pub arena_bytes: u64,
    /// The most that is needed at one step, wherever it is: without what gradients lend, no arena can do with less.
    pub live_bytes: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spot {
    /// The buffer of a storage that lends its memory; None in the arena.
    pub lender: Option<BufferId>,
    pub offset: u64,
}

pub const ALIGNMENT: u64 = 64;

/// A buffer with numbers in the place of sizes.
struct Piece {
    buffer: usize,
    bytes: u64,
    first: u32,
    last: u32,
}

/// A range of memory and what has been placed there, by offset.
struct Region {
    lender: Option<Lender>,
    /// The arena takes what is needed.
    bytes: u64,
    placed: Vec<(u64, Piece)>,
}

pub fn layout(plan: &Plan, sizes: &SizeValues) -> Layout {
    let mut pieces = pieces(plan, sizes);
    let live_bytes = live_bytes(&pieces, plan.steps.len());
    pieces.sort_by_key(|piece| (std::cmp::Reverse(piece.bytes), piece.first, piece.buffer));
    let mut regions = regions(plan, sizes);
    let mut spots = vec![None; plan.buffers.len()];
    for piece in pieces {
        let fitting = regions.iter_mut().find_map(|region| region.gap(&piece).map(|offset| (region, offset)));
        let (region, offset) = fitting.expect("bug in tfc: the arena has no end");
        spots[piece.buffer] = Some(Spot { lender: region.lender.map(|lender| lender.buffer), offset });
        region.place(offset, piece);
    }
    let arena = regions.last().expect("bug in tfc: there is always an arena");
    let arena_bytes = arena.placed.iter().map(|(offset, piece)| offset.saturating_add(piece.bytes)).max().unwrap_or(0);
    Layout { spots, arena_bytes, live_bytes }
}

/// What lends, the earliest first; then the arena.
fn regions(plan: &Plan, sizes: &SizeValues) -> Vec<Region> {
    let lent = |lender: &Lender| {
        let bytes = plan.buffers[lender.buffer.0 as usize].bytes(sizes);
        Region { lender: Some(*lender), bytes, placed: Vec::new() }
    };
    let arena = Region { lender: None, bytes: u64::MAX, placed: Vec::new() };
    plan.lenders.iter().map(lent).chain([arena]).collect()
}

impl Region {
    /// The offset of the smallest gap that takes a piece, if there is one.
    fn gap(&self, piece: &Piece) -> Option<u64> {
        if piece.bytes > self.bytes || self.lender.is_some_and(|lender| lender.until <= piece.last) {
            return None;
        }
        let meets = |other: &Piece| other.first <= piece.last && piece.first <= other.last;
        let mut end = 0;
        let mut best: Option<(u64, u64)> = None;
        for (offset, other) in self.placed.iter().filter(|(_, other)| meets(other)) {
            let gap = offset.saturating_sub(end);
            if gap >= piece.bytes && best.is_none_or(|(smallest, _)| gap < smallest) {
                best = Some((gap, end));
            }
            end = end.max(offset.saturating_add(other.bytes));
        }
        let after = (end <= self.bytes - piece.bytes || self.lender.is_none()).then_some(end);
        best.map(|(_, offset)| offset).or(after)
    }

    fn place(&mut self, offset: u64, piece: Piece) {
        let place = self.placed.partition_point(|(other, _)| *other <= offset);
        self.placed.insert(place, (offset, piece));
    }
}

fn pieces(plan: &Plan, sizes: &SizeValues) -> Vec<Piece> {
    let piece = |(buffer, description): (usize, &Buffer)| match description.place {
        Place::Storage(_) => None,
        Place::Arena { first, last } => {
            let bytes = description.bytes(&plan.sizes_at(first, sizes));
            let bytes = bytes.max(1).checked_next_multiple_of(ALIGNMENT).unwrap_or(u64::MAX);
            Some(Piece { buffer, bytes, first, last })
        }
    };
    plan.buffers.iter().enumerate().filter_map(piece).collect()
}

fn live_bytes(pieces: &[Piece], steps: usize) -> u64 {
    let at = |step: u32| {
        let live = pieces.iter().filter(|piece| piece.first <= step && step <= piece.last);
        live.fold(0u64, |sum, piece| sum.saturating_add(piece.bytes))
    };
    (0..steps as u32).map(at).max().unwrap_or(0)
}

impl Plan {
    /// The sizes that hold in a step; for one that is done in chunks, those of its first and largest chunk.
    pub fn sizes_at(&self, step: u32, sizes: &SizeValues) -> SizeValues {
        match &self.steps[step as usize] {
            Step::Launch(_) | Step::RowEpilogue { .. } | Step::Zero(_) => sizes.clone(),
            Step::Chunks { rows, chunk, .. } => {
                let none = || sizes.clone().with(Symbol::CHUNK_START, 0).with(Symbol::CHUNK_ROWS, 0);
                chunks(sizes, rows, *chunk).next().unwrap_or_else(none)
            }
        }
    }
}
