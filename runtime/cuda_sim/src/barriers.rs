//! The sixteen barriers of a block.

/// A thread that waits, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    pub thread: usize,
    pub site: u32,
}

#[derive(Default)]
struct Barrier {
    expected: usize,
    waiting: Vec<Waiting>,
}

pub struct Barriers {
    all: [Barrier; Barriers::COUNT],
}

/// What came of a thread's arrival.
#[derive(Debug, PartialEq, Eq)]
pub enum Arrival {
    /// It waits.
    Waits,
    /// It waits, but for another number of threads than those that wait already.
    Disagrees { others: usize },
    /// It was the last: all of these go on.
    Completes(Vec<Waiting>),
}

impl Barriers {
    pub const COUNT: usize = 16;

    pub fn new() -> Barriers {
        Barriers { all: std::array::from_fn(|_| Barrier::default()) }
    }

    pub fn arrive(&mut self, number: usize, expected: usize, who: Waiting) -> Arrival {
        let barrier = &mut self.all[number];
        let others = barrier.expected;
        let disagrees = !barrier.waiting.is_empty() && others != expected;
        if barrier.waiting.is_empty() {
            barrier.expected = expected;
        }
        barrier.waiting.push(who);
        if barrier.waiting.len() >= barrier.expected {
            return Arrival::Completes(std::mem::take(&mut barrier.waiting));
        }
        if disagrees { Arrival::Disagrees { others } } else { Arrival::Waits }
    }
}
