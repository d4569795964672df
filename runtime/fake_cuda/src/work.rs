//! Work that was asked for and is yet to be done.

use crate::module::Entry;

#[derive(Clone, Debug)]
pub enum Work {
    Fill { to: u64, bytes: usize, value: u8 },
    Copy { from: u64, to: u64, bytes: usize },
    Upload { from: Source, to: u64 },
    Download { from: u64, to: usize, bytes: usize },
    Launch(Turn),
    Record(u64),
}

impl Work {
    /// Whether it is the same but for numbers.
    pub fn is_like(&self, other: &Work) -> bool {
        match (self, other) {
            (Work::Launch(turn), Work::Launch(other)) => turn.entry == other.entry,
            _ => std::mem::discriminant(self) == std::mem::discriminant(other),
        }
    }

    /// How long it takes, as the device has it: launches longer the more shared memory a block has, so that which is slower is known beforehand.
    pub fn nanoseconds(&self) -> u64 {
        match self {
            Work::Launch(turn) => 1000 + u64::from(turn.shared_bytes),
            Work::Fill { .. } | Work::Copy { .. } | Work::Upload { .. } | Work::Download { .. } => 1000,
            Work::Record(_) => 0,
        }
    }
}

/// Of the host.
#[derive(Clone, Debug)]
pub enum Source {
    /// Read when the copy is done.
    Pinned { start: usize, bytes: usize },
    /// What memory that is not pinned held when the copy was asked for.
    Taken(Vec<u8>),
}

#[derive(Clone, Debug)]
pub struct Turn {
    pub entry: Entry,
    pub words: Vec<u64>,
    pub blocks: u32,
    pub threads: u32,
    pub shared_bytes: u32,
}

#[derive(Default)]
pub struct Stream {
    pub queue: std::collections::VecDeque<Work>,
    /// What was asked for since a capture began.
    pub capture: Option<Vec<Work>>,
}

impl Stream {
    pub fn ask(&mut self, work: Work) {
        match &mut self.capture {
            Some(captured) => captured.push(work),
            None => self.queue.push_back(work),
        }
    }
}
