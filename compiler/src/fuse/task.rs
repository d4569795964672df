//! A task: what will be one kernel and one launch, before it is known where its values stand in memory.

use super::place::Address;
use crate::graph::{Graph, NodeId, Value};
use crate::kernel::{Attention, AttentionBackward, CachedAttention, Program, Register, Rope};
use crate::size::Size;

/// What needs memory: a value of the graph, or the tensor of an output that is no value's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Slot {
    Value(Value),
    /// Index into `Graph::outputs`.
    Output(usize),
}

/// A slot as a task reads or writes it: along each dimension of the task a stride. Tasks on dense tensors have no dimensions.
#[derive(Clone, Debug, PartialEq)]
pub struct Access {
    pub slot: Slot,
    pub strides: Vec<Size>,
    pub offset: Size,
}

#[derive(Clone, Debug)]
pub struct Task {
    /// What it does of the graph, in order.
    pub nodes: Vec<NodeId>,
    pub work: Work,
    pub reads: Vec<Access>,
    pub writes: Vec<Access>,
    /// What `ProgramOp::Size` reads.
    pub numbers: Vec<Size>,
    /// The slot that the first write adds to or changes part of: it must stand where that write goes.
    pub onto: Option<Slot>,
}

/// Programs load `Task::reads` and, in a contraction, the first two reads are its matrices.
#[derive(Clone, Debug)]
pub enum Work {
    Rows(RowWork),
    Columns(ColumnWork),
    Contraction(ContractionWork),
    Dense(DenseWork),
    Chunks(Chunks),
}

/// Dimensions of accesses: outer …, inner.
#[derive(Clone, Debug, PartialEq)]
pub struct RowWork {
    pub outer: Vec<Size>,
    pub inner: Size,
    pub program: Program,
    /// One per write.
    pub results: Vec<Register>,
}

/// Dimensions of reads: outer …, inner.
#[derive(Clone, Debug, PartialEq)]
pub struct ColumnWork {
    pub outer: Vec<Size>,
    pub inner: Size,
    pub program: Program,
    pub result: Register,
}

/// Dimensions of accesses: outer, row, column; of the matrices as they are stored.
#[derive(Clone, Debug, PartialEq)]
pub struct ContractionWork {
    pub outer: Size,
    pub m: Size,
    pub n: Size,
    pub k: Size,
    pub transpose_a: bool,
    pub transpose_b: bool,
    pub prologue_a: Option<(Program, Register)>,
    pub prologue_b: Option<(Program, Register)>,
    pub epilogue: Program,
    pub result: Register,
}

/// Kernels on dense tensors: operands are the reads, then the writes, in the order of the kernel's documentation. In which precision is for the plan to say.
#[derive(Clone, Debug, PartialEq)]
pub enum DenseWork {
    Gather { rows: Size, width: Size },
    ScatterAdd { rows: Size, width: Size, classes: Size },
    Rope { body: Rope, sizes: Vec<Size>, channels: u32, base: f64, positions: Size },
    CacheWrite { sizes: Vec<Size> },
    Attention { body: Attention, sizes: Vec<Size> },
    AttentionBackward { body: AttentionBackward, sizes: Vec<Size> },
    CachedAttention { body: CachedAttention, sizes: Vec<Size> },
}

/// The same graph for each chunk of rows: its inputs are the reads, its outputs the writes, the rows `Symbol::CHUNK_ROWS`.
#[derive(Clone, Debug)]
pub struct Chunks {
    pub rows: Size,
    /// The most rows in a chunk.
    pub chunk: i64,
    pub body: Graph,
    /// For each read and write, the width of its rows, of which a chunk sees its own; None if each chunk sees all.
    pub read_widths: Vec<Option<Size>>,
    pub write_widths: Vec<Option<Size>>,
}

impl Task {
    /// Whether it reads a slot or needs what stands there.
    pub fn touches(&self, slot: Slot) -> bool {
        self.onto == Some(slot) || self.reads.iter().any(|access| access.slot == slot)
    }

    /// What a write may overwrite: a slot that is read but once, at the very elements that are written (or with them, as what a rotary embedding
    /// turns), and not while a matrix is packed; or what it adds to.
    pub fn overwritable(&self, write: usize) -> Vec<Slot> {
        let target = &self.writes[write];
        let elementwise = |read: u16| match &self.work {
            Work::Rows(_) => true,
            Work::Contraction(work) => work.epilogue.loads().contains(&read),
            Work::Dense(DenseWork::Rope { .. }) => read == 0,
            Work::Columns(_) | Work::Dense(_) | Work::Chunks(_) => false,
        };
        let same = |read: &Access| read.strides == target.strides && read.offset == target.offset;
        let once = |slot: Slot| self.reads.iter().filter(|read| read.slot == slot).count() == 1;
        let reads = self.reads.iter().enumerate();
        let found = reads.filter(|(i, read)| elementwise(*i as u16) && same(read) && once(read.slot));
        let added_to = self.onto.filter(|slot| write == 0 && self.reads.iter().all(|read| read.slot != *slot));
        found.map(|(_, read)| read.slot).chain(added_to).collect()
    }

    /// The place in the order of the graph.
    pub fn last_node(&self) -> NodeId {
        self.nodes.iter().copied().max().expect("bug in tfc: a task does something")
    }
}

impl Access {
    pub fn dense(value: Value) -> Access {
        Access { slot: Slot::Value(value), strides: Vec::new(), offset: Size::default() }
    }

    /// An access along groups of dimensions, each with the stride of its fastest.
    pub fn along<'a>(slot: Slot, address: &Address, groups: impl Iterator<Item = &'a Vec<usize>>) -> Access {
        let stride = |group: &Vec<usize>| group.last().map_or(Size::default(), |d| address.strides[*d].clone());
        Access { slot, strides: groups.map(stride).collect(), offset: address.offset.clone() }
    }
}
