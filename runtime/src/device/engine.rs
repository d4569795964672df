//! What runs launches of kernels on tensors in the host's memory: the CPU, or a simulated device.

use crate::Result;

pub trait Engine {
    /// One launch of one kernel, at hand with all that it needs.
    type Launch;

    /// Of the kernel of this number in the program.
    fn prepare(&self, kernel: usize, arguments: &[Span], sizes: Vec<i64>) -> Self::Launch;

    /// # Errors
    /// The device gave up.
    ///
    /// # Safety
    /// The launch's arguments are as large as its kernel reads and writes at its sizes, and nothing else accesses what it writes.
    unsafe fn run(&mut self, launch: &Self::Launch) -> Result<()>;

    /// What it needs beside tensors.
    fn bytes(&self) -> usize;
}

/// Elements of four bytes, from where an argument starts to the end of its buffer.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    pub start: *mut u8,
    pub elements: usize,
}
