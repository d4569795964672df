//! What the lanes of a warp do together: each waits until all that take part have come.

use crate::block::{Block, State};
use crate::checker::{LANES, LaneAccess, conflicts};
use crate::fiber::{Answer, Request};
use crate::finding::Kind;
use crate::memory::Located;
use crate::{product, shuffle};
use tfc_compiler::simulation::{MemoryAccess, Multiplicands, Operation, Shuffle, Space, WORDS};

/// What each lane hands over; zeros where it takes no part.
type Words = [[u64; WORDS]; LANES];
type Answers = [Answer; LANES];

const ROW_BYTES: usize = 16;
const ROWS: usize = 8;

impl Block<'_, '_> {
    pub(super) fn wait_for_warp(&mut self, thread: usize, request: Request) {
        if self.members(&request) >> (thread % LANES) & 1 == 0 {
            self.find(Kind::DivergentWarp, request.site, thread, None, || "its own lane is not in its mask".into());
            return self.let_go_on(thread, [request.words[1], 0, 0, 0]);
        }
        self.threads[thread] = State::Waiting(request);
    }

    /// Carries out one operation for which all lanes that take part are here; whether there was one.
    pub(super) fn complete_collective(&mut self, warp: usize) -> bool {
        let lanes = || (0..LANES).filter_map(|lane| self.waiting(warp, lane));
        let all_here = |request: &&Request| {
            let members = self.members(request);
            let same = |other: &Request| other.site == request.site && self.members(other) == members;
            let is_here = |lane| members >> lane & 1 == 0 || self.waiting(warp, lane).is_some_and(same);
            members != 0 && (0..LANES).all(is_here)
        };
        let Some(request) = lanes().find(all_here) else { return false };
        let (site, members) = (request.site, self.members(request));
        let words: Words = std::array::from_fn(|lane| {
            let taking_part = self.waiting(warp, lane).filter(|_| members >> lane & 1 == 1);
            taking_part.map_or([0; WORDS], |request| request.words)
        });
        let answers = match self.around.sites[site as usize].operation {
            Operation::WarpBarrier => self.warp_barrier(warp, members),
            Operation::Shuffle(mode) => self.shuffle(warp, site, mode, members, &words),
            Operation::LoadMatrices { matrices, transposed } => {
                self.load_matrices(warp, site, matrices, transposed, &words)
            }
            Operation::Multiply(multiplicands) => self.multiply(multiplicands, &words),
            Operation::Access(_)
            | Operation::Barrier { .. }
            | Operation::CopyAsync { .. }
            | Operation::CommitCopies
            | Operation::AwaitCopies
            | Operation::AwaitAllCopies => unreachable!("bug in tfc: no lane waits for its warp there"),
        };
        for lane in (0..LANES).filter(|lane| members >> lane & 1 == 1) {
            self.let_go_on(warp * LANES + lane, answers[lane]);
        }
        true
    }

    /// What a lane waits with for its warp.
    fn waiting(&self, warp: usize, lane: usize) -> Option<&Request> {
        match self.threads.get(warp * LANES + lane)? {
            State::Waiting(request) => {
                let operation = self.around.sites[request.site as usize].operation;
                (!matches!(operation, Operation::Barrier { .. })).then_some(request)
            }
            State::Ready(_) | State::Finished => None,
        }
    }

    /// The lanes that take part, as a mask.
    fn members(&self, request: &Request) -> u32 {
        match self.around.sites[request.site as usize].operation {
            Operation::WarpBarrier | Operation::Shuffle(_) => request.words[0] as u32,
            _ => u32::MAX,
        }
    }

    /// One of some lanes orders less than the checker's clocks can tell: it is taken for none.
    fn warp_barrier(&mut self, warp: usize, members: u32) -> Answers {
        let lanes = (self.threads.len() - warp * LANES).min(LANES) as u32;
        if let (Some(checker), true) = (&mut self.around.checker, members.count_ones() == lanes) {
            checker.synchronise(&[warp]);
        }
        Answers::default()
    }

    fn shuffle(&mut self, warp: usize, site: u32, mode: Shuffle, members: u32, words: &Words) -> Answers {
        std::array::from_fn(|lane| {
            let [_, _, operand, clamp, ..] = words[lane];
            let (from, in_range) = shuffle::source(mode, lane as u32, operand as u32, clamp as u32);
            if members >> lane & 1 == 1 && members >> from & 1 == 0 {
                self.find(Kind::DivergentWarp, site, warp * LANES + lane, None, || {
                    format!("takes the value of lane {from}, which takes no part")
                });
            }
            [words[from as usize][1], u64::from(in_range), 0, 0]
        })
    }

    fn multiply(&mut self, multiplicands: Multiplicands, words: &Words) -> Answers {
        self.products += 1;
        product::multiply(multiplicands, words)
    }

    /// `ldmatrix`: eight lanes tell the rows of a matrix of 8 × 8 numbers of 16 bits; each lane gets two of them that lie next to each other in
    /// a row, or in a column where it is transposed.
    fn load_matrices(&mut self, warp: usize, site: u32, matrices: usize, transposed: bool, words: &Words) -> Answers {
        let access = MemoryAccess { writes: false, space: Space::Shared, alignment: ROW_BYTES };
        let mut answers = Answers::default();
        let mut passes = 0;
        for matrix in 0..matrices {
            let rows: [Option<Located>; ROWS] = std::array::from_fn(|row| {
                let lane = matrix * ROWS + row;
                self.locate(warp * LANES + lane, site, access, words[lane][0], ROW_BYTES)
            });
            self.note_matrix(warp, site, &rows, transposed);
            passes += conflicts_of(&rows);
            let read = |row: &Option<Located>| row.map_or([0xff; ROW_BYTES], |row| self.around.memory.read_row(row));
            let rows: [[u8; ROW_BYTES]; ROWS] = std::array::from_fn(|row| read(&rows[row]));
            let element =
                |row: usize, column: usize| u16::from_le_bytes([rows[row][2 * column], rows[row][2 * column + 1]]);
            for (lane, answer) in answers.iter_mut().enumerate() {
                let (group, first) = (lane / 4, lane % 4 * 2);
                let [low, high] =
                    [first, first + 1].map(|i| if transposed { element(i, group) } else { element(group, i) });
                answer[matrix] = u64::from(low) | u64::from(high) << 16;
            }
        }
        if let Some(checker) = &mut self.around.checker {
            checker.add_conflicts(site, passes);
        }
        answers
    }

    /// Each lane reads the elements that it gets.
    fn note_matrix(&mut self, warp: usize, site: u32, rows: &[Option<Located>; ROWS], transposed: bool) {
        if self.around.checker.is_none() {
            return;
        }
        for (r, row) in rows.iter().enumerate() {
            let Some(row) = row else { continue };
            for column in 0..ROW_BYTES / 2 {
                let lane = if transposed { column * 4 + r / 2 } else { r * 4 + column / 2 };
                self.note(warp * LANES + lane, site, &row.part(2 * column, 2), 2, false);
            }
        }
    }
}

/// Of the rows of a matrix.
fn conflicts_of(rows: &[Option<Located>; ROWS]) -> u64 {
    let rows = rows.iter().flatten().enumerate();
    let accesses: Vec<_> = rows.map(|(lane, row)| LaneAccess { lane, address: row.host }).collect();
    conflicts(&accesses, ROW_BYTES)
}
