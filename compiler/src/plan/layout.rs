//! Offsets in the arena: a pure function of the plan and one number per symbol.
//!
//! Buffers that are never needed at the same time share memory. The largest are placed first, each into the smallest gap that takes it
//! between those that it meets in time, or after all of them.

use super::{Buffer, Place, Plan, Step, chunks};
use crate::size::{SizeValues, Symbol};

/// In bytes. Every offset is a multiple of [`ALIGNMENT`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// For each buffer of the plan, where in the arena it starts; None for a storage.
    pub offsets: Vec<Option<u64>>,
    pub arena_bytes: u64,
    /// The most that is needed at one step: no layout can do with less.
    pub live_bytes: u64,
}

pub const ALIGNMENT: u64 = 64;

/// A buffer with numbers in the place of sizes.
struct Piece {
    buffer: usize,
    bytes: u64,
    first: u32,
    last: u32,
}

pub fn layout(plan: &Plan, sizes: &SizeValues) -> Layout {
    let mut pieces = pieces(plan, sizes);
    let live_bytes = live_bytes(&pieces, plan.steps.len());
    pieces.sort_by_key(|piece| (std::cmp::Reverse(piece.bytes), piece.first, piece.buffer));
    let mut offsets = vec![None; plan.buffers.len()];
    let mut placed: Vec<(u64, Piece)> = Vec::new();
    for piece in pieces {
        let offset = smallest_gap(&placed, &piece);
        offsets[piece.buffer] = Some(offset);
        let place = placed.partition_point(|(other, _)| *other <= offset);
        placed.insert(place, (offset, piece));
    }
    let arena_bytes = placed.iter().map(|(offset, piece)| offset.saturating_add(piece.bytes)).max().unwrap_or(0);
    Layout { offsets, arena_bytes, live_bytes }
}

fn pieces(plan: &Plan, sizes: &SizeValues) -> Vec<Piece> {
    let piece = |(buffer, description): (usize, &Buffer)| match description.place {
        Place::Storage(_) => None,
        Place::Arena { first, last } => {
            let sizes = plan.sizes_at(first, sizes);
            let elements = u64::try_from(description.elements.eval(&sizes)).expect("bug in tfc: a negative size");
            let bytes = elements.saturating_mul(4).max(1).checked_next_multiple_of(ALIGNMENT).unwrap_or(u64::MAX);
            Some(Piece { buffer, bytes, first, last })
        }
    };
    plan.buffers.iter().enumerate().filter_map(piece).collect()
}

/// `placed` is sorted by offset.
fn smallest_gap(placed: &[(u64, Piece)], piece: &Piece) -> u64 {
    let meets = |other: &Piece| other.first <= piece.last && piece.first <= other.last;
    let mut end = 0;
    let mut best: Option<(u64, u64)> = None;
    for (offset, other) in placed.iter().filter(|(_, other)| meets(other)) {
        let gap = offset.saturating_sub(end);
        if gap >= piece.bytes && best.is_none_or(|(smallest, _)| gap < smallest) {
            best = Some((gap, end));
        }
        end = end.max(offset.saturating_add(other.bytes));
    }
    best.map_or(end, |(_, offset)| offset)
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
            Step::Launch(_) | Step::Zero(_) => sizes.clone(),
            Step::Chunks { rows, chunk, .. } => {
                let rows = chunks(rows.eval(sizes), *chunk).next().map_or(0, |(_, rows)| rows);
                sizes.clone().with(Symbol::CHUNK_START, 0).with(Symbol::CHUNK_ROWS, rows)
            }
        }
    }
}
