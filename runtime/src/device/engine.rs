//! What runs launches of kernels, and the memory that they work on: a processor, a simulated GPU, a GPU.

use crate::Result;
use half::bf16;
use std::ops::Range;
use std::time::Duration;
use tfc_compiler::graph::DType;

pub trait Engine {
    type Memory: Memory;
    /// One launch of one kernel, at hand with all that it needs.
    type Launch;
    /// The operations of a whole call, to be repeated as one.
    type Recording;
    /// Memory on its way to the host.
    type Download: Download;
    /// A point in the order of what was asked for.
    type Moment;

    /// Zeros, which can become as many bytes as `room` where they are.
    ///
    /// # Errors
    /// There is too little memory.
    fn allocate(&self, bytes: usize, room: usize) -> Result<Self::Memory>;

    /// Memory for tensors of other shapes: what both shapes have, and zeros.
    ///
    /// # Errors
    /// There is too little memory for all of them.
    fn grow(&self, growths: &[Growth<Self::Memory>]) -> Result<Vec<Self::Memory>> {
        let grown = |growth: &Growth<Self::Memory>| {
            let mut grown = self.allocate(growth.bytes(), growth.room)?;
            growth.copy_to(&mut grown)?;
            Ok(grown)
        };
        growths.iter().map(grown).collect()
    }

    /// Of the kernel of this number in the program; `label` says what is computed.
    ///
    /// # Errors
    /// There is too little memory.
    fn prepare(&mut self, kernel: usize, label: &str, arguments: &[Span], sizes: Vec<i64>) -> Result<Self::Launch>;

    /// A launch of a product and one of a row program behind it as one, which does rows as soon as they are stored; None if that gains nothing on this device
    /// or at these sizes.
    fn row_epilogue(&self, product: &Self::Launch, rows: &Self::Launch) -> Option<Self::Launch>;

    /// Runs a launch, or lets it run after all that was asked for before.
    ///
    /// # Errors
    /// The device gave up.
    ///
    /// # Safety
    /// The launch's arguments are as large as its kernel reads and writes at its sizes, and nothing else accesses what it writes.
    unsafe fn run(&mut self, launch: &Self::Launch) -> Result<()>;

    /// Zeroes a span, in the same order.
    ///
    /// # Errors
    /// The device gave up.
    ///
    /// # Safety
    /// The span lies in memory of this engine that nothing else accesses.
    unsafe fn zero(&mut self, span: &Span) -> Result<()>;

    /// Whether all real numbers of a span are finite, when everything before has been done.
    ///
    /// # Errors
    /// The device gave up.
    ///
    /// # Safety
    /// The span lies in memory of this engine.
    unsafe fn is_finite(&self, span: &Span) -> Result<bool>;

    /// Writes down what `operations` asks for instead of doing it; nothing, and it asks for nothing, where that gains nothing. What was recorded
    /// `before`, of the same plan at other sizes or places, may become it.
    ///
    /// # Errors
    /// The device gave up.
    fn record(
        &mut self,
        before: Option<Self::Recording>,
        operations: &mut dyn FnMut(&mut Self) -> Result<()>,
    ) -> Result<Option<Self::Recording>>;

    /// Does what was recorded.
    ///
    /// # Errors
    /// The device gave up.
    ///
    /// # Safety
    /// As of each operation.
    unsafe fn repeat(&mut self, recording: &Self::Recording) -> Result<()>;

    /// Lets memory be copied to the host after all that was asked for before.
    ///
    /// # Errors
    /// The device gave up.
    fn download(&self, memories: &[Self::Memory]) -> Result<Self::Download>;

    /// When all is done that was asked for before.
    ///
    /// # Errors
    /// The device gave up.
    fn now(&self) -> Result<Self::Moment>;

    /// How long it was from one moment to a later one, which is waited for.
    ///
    /// # Errors
    /// The device gave up.
    fn between(earlier: &Self::Moment, later: &Self::Moment) -> Result<Duration>;

    /// What it needs beside tensors.
    fn bytes(&self) -> usize;
}

/// Memory of an engine. What is written and read is in order with the engine's launches.
pub trait Memory {
    /// For kernels; the host may not be able to go there.
    fn address(&self) -> *mut u8;

    fn len(&self) -> usize;

    fn room(&self) -> usize;

    /// Uses more or less of the room, of which new bytes are zero.
    ///
    /// # Errors
    /// The device gave up.
    ///
    /// # Panics
    /// There is no room for it.
    fn resize(&mut self, bytes: usize) -> Result<()>;

    /// Writes the bytes in `places`: `fill` is given one part after the other, each with the bytes that it replaces.
    ///
    /// # Errors
    /// The device gave up.
    fn write(&mut self, places: Range<usize>, fill: &mut dyn FnMut(Range<usize>, &mut [u8])) -> Result<()>;

    /// Reads all of it.
    ///
    /// # Errors
    /// The device gave up.
    fn read(&self, into: &mut [u8]) -> Result<()>;

    /// # Errors
    /// The device gave up.
    fn zero(&mut self) -> Result<()>;

    /// Copies runs of bytes: their places in `from`, their places here, their lengths.
    ///
    /// # Errors
    /// The device gave up.
    fn copy(&mut self, from: &Self, runs: &mut dyn Iterator<Item = (usize, usize, usize)>) -> Result<()>;

    /// Where the host reads it as it lies.
    fn on_host(&self) -> Option<&[u8]>;
}

pub trait Download {
    /// Waits for what was asked for until the download, and hands over the words of each memory.
    ///
    /// # Errors
    /// The device gave up on something that was asked for before.
    fn finish(self) -> Result<Vec<Vec<u32>>>;
}

/// A tensor, and another shape that it is to have.
pub struct Growth<'a, M> {
    pub from: &'a M,
    pub element_bytes: usize,
    pub from_shape: &'a [usize],
    pub to_shape: &'a [usize],
    /// The bytes that it will take in the end.
    pub room: usize,
}

impl<M: Memory> Growth<'_, M> {
    pub fn bytes(&self) -> usize {
        self.element_bytes * self.to_shape.iter().product::<usize>()
    }

    /// What both shapes have, to zeros.
    ///
    /// # Errors
    /// The device gave up.
    pub fn copy_to(&self, grown: &mut M) -> Result<()> {
        if self.from.len() == 0 {
            return Ok(());
        }
        let runs = super::overlap::runs(self.from_shape, self.to_shape);
        let size = self.element_bytes;
        grown.copy(self.from, &mut runs.into_iter().map(|(from, to, count)| (size * from, size * to, size * count)))
    }
}

/// Elements from where an argument starts to the end of its buffer.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    pub start: *mut u8,
    pub elements: usize,
    pub dtype: DType,
}

impl Span {
    pub fn bytes(&self) -> usize {
        self.elements * self.dtype.bytes()
    }

    /// Whether all real numbers among what it holds are finite.
    pub fn all_finite(&self, bytes: &[u8]) -> bool {
        match self.dtype {
            DType::F32 => bytes.as_chunks().0.iter().all(|x| f32::from_le_bytes(*x).is_finite()),
            DType::BF16 => bytes.as_chunks().0.iter().all(|x| bf16::from_le_bytes(*x).is_finite()),
            DType::I32 => true,
        }
    }
}
