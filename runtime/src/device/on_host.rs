//! Engines on the host's memory, which are done with a launch when it returns.

use super::engine::{Engine, Growth, Span};
use super::host_memory::{self, Copied, HostMemory, Pages};
use crate::Result;
use std::time::{Duration, Instant};

/// What is left to say of such an engine; see [`Engine`].
pub trait HostEngine {
    type Launch;
    type Recording;

    /// # Errors
    /// There is too little memory.
    fn prepare(&mut self, kernel: usize, arguments: &[Span], sizes: Vec<i64>) -> Result<Self::Launch>;

    /// See [`Engine::row_epilogue`].
    fn row_epilogue(&self, product: &Self::Launch, rows: &Self::Launch) -> Option<Self::Launch>;

    /// # Errors
    /// The device gave up.
    ///
    /// # Safety
    /// As of [`Engine::run`].
    unsafe fn run(&mut self, launch: &Self::Launch) -> Result<()>;

    /// # Safety
    /// As of [`Engine::zero`].
    unsafe fn zero(&mut self, span: &Span) {
        // SAFETY: the caller promises that the span is there and not used by others.
        unsafe { std::ptr::write_bytes(span.start, 0, span.bytes()) };
    }

    /// # Errors
    /// As of [`Engine::record`].
    fn record(&mut self, operations: &mut dyn FnMut(&mut Self) -> Result<()>) -> Result<Option<Self::Recording>>;

    /// # Safety
    /// As of [`Engine::repeat`].
    unsafe fn repeat(&mut self, recording: &Self::Recording);

    fn bytes(&self) -> usize;

    /// Under tensors.
    fn pages(&self) -> Pages;
}

impl<E: HostEngine> Engine for E {
    type Memory = HostMemory;
    type Launch = E::Launch;
    type Recording = E::Recording;
    type Download = Copied;
    type Moment = Instant;

    fn allocate(&self, bytes: usize, room: usize) -> Result<HostMemory> {
        HostMemory::with_room(bytes, room, self.pages())
    }

    fn grow(&self, growths: &[Growth<HostMemory>]) -> Result<Vec<HostMemory>> {
        host_memory::grow(growths, self.pages())
    }

    fn prepare(&mut self, kernel: usize, _: &str, arguments: &[Span], sizes: Vec<i64>) -> Result<E::Launch> {
        HostEngine::prepare(self, kernel, arguments, sizes)
    }

    fn row_epilogue(&self, product: &E::Launch, rows: &E::Launch) -> Option<E::Launch> {
        HostEngine::row_epilogue(self, product, rows)
    }

    unsafe fn run(&mut self, launch: &E::Launch) -> Result<()> {
        // SAFETY: as the caller promises.
        unsafe { HostEngine::run(self, launch) }
    }

    unsafe fn zero(&mut self, span: &Span) -> Result<()> {
        // SAFETY: as the caller promises.
        unsafe { HostEngine::zero(self, span) };
        Ok(())
    }

    unsafe fn is_finite(&self, span: &Span) -> Result<bool> {
        // SAFETY: the caller promises that the span is there; its memory was zeroed when it was made, so every byte is a number.
        let bytes = unsafe { std::slice::from_raw_parts(span.start, span.bytes()) };
        Ok(span.all_finite(bytes))
    }

    fn record(
        &mut self,
        _: Option<E::Recording>,
        operations: &mut dyn FnMut(&mut E) -> Result<()>,
    ) -> Result<Option<E::Recording>> {
        HostEngine::record(self, operations)
    }

    unsafe fn repeat(&mut self, recording: &E::Recording) -> Result<()> {
        // SAFETY: as the caller promises.
        unsafe { HostEngine::repeat(self, recording) };
        Ok(())
    }

    fn download(&self, memories: &[HostMemory]) -> Result<Copied> {
        Ok(Copied::of(memories))
    }

    fn now(&self) -> Result<Instant> {
        Ok(Instant::now())
    }

    fn between(earlier: &Instant, later: &Instant) -> Result<Duration> {
        Ok(*later - *earlier)
    }

    fn bytes(&self) -> usize {
        HostEngine::bytes(self)
    }
}
