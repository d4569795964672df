//! What the simulator has found: in words, each once.

use std::fmt;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The device would refuse the launch.
    Launch,
    /// An access to memory that the kernel was not given.
    OutOfBounds,
    /// An address that is no multiple of the alignment that the code takes for granted.
    Misaligned,
    /// A store to what is only to be read.
    ReadOnly,
    /// A load of shared memory that nothing was written to.
    Uninitialized,
    /// Two accesses to the same bytes, one of which writes, with nothing that orders them.
    Race,
    /// An access to bytes that an asynchronous copy may still be writing.
    UnfinishedCopy,
    /// More passes over the banks of shared memory than were allowed.
    BankConflicts,
    /// A barrier that not all threads come to, or not together.
    DivergentBarrier,
    /// An operation of a warp that not all of its lanes come to.
    DivergentWarp,
    /// An operand that has no meaning.
    Operand,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Launch => "impossible launch",
            Kind::OutOfBounds => "out of bounds",
            Kind::Misaligned => "misaligned",
            Kind::ReadOnly => "write to a read-only buffer",
            Kind::Uninitialized => "uninitialised shared memory",
            Kind::Race => "race",
            Kind::UnfinishedCopy => "unfinished copy",
            Kind::BankConflicts => "bank conflicts",
            Kind::DivergentBarrier => "divergent barrier",
            Kind::DivergentWarp => "divergent warp",
            Kind::Operand => "meaningless operand",
        }
    }
}

/// Memory as the kernel knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Object {
    /// The buffer handed over as this argument.
    Argument(usize),
    /// This variable in shared memory.
    Shared(usize),
}

/// An address relative to what it belongs to or lies near.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub object: Object,
    pub offset: i64,
    /// Of the whole.
    pub bytes: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.object {
            Object::Argument(k) => write!(f, "argument {k}")?,
            Object::Shared(k) => write!(f, "shared variable {k}")?,
        }
        write!(f, " {:+}, which has {} bytes", self.offset, self.bytes)
    }
}

/// A thread of a launch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Who {
    /// `%ctaid`
    pub block: [u32; 3],
    /// `%tid`
    pub thread: [u32; 3],
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub kind: Kind,
    pub kernel: String,
    /// The thread that it was first found of.
    pub who: Option<Who>,
    pub place: Option<Place>,
    /// The instruction, as LLVM writes it.
    pub instruction: Option<String>,
    pub details: String,
    /// How many times it was found of this instruction.
    pub count: u64,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in `{}`", self.kind.name(), self.kernel)?;
        if let Some(Who { block, thread }) = self.who {
            write!(f, ", block {block:?}, thread {thread:?}")?;
        }
        write!(f, ": {}", self.details)?;
        if let Some(place) = self.place {
            write!(f, " at {place}")?;
        }
        if let Some(instruction) = &self.instruction {
            write!(f, "\n    {instruction}")?;
        }
        if self.count > 1 {
            write!(f, "\n    found {} times", self.count)?;
        }
        Ok(())
    }
}

/// Everything found in a launch; there is something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    pub findings: Vec<Finding>,
}

impl Report {
    pub fn has(&self, kind: Kind) -> bool {
        self.findings.iter().any(|finding| finding.kind == kind)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> = self.findings.iter().map(Finding::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
}
