//! Rotary embeddings of what a block has made.

use crate::kernels::rotary::place;
use crate::mlir::{Function, GpuLaunch, Index, Pointer};
use tfc_compiler::kernel::Rotary;

/// What a kernel takes that turns the heads it has made.
#[derive(Clone)]
pub struct Turning<'f> {
    rotary: Rotary,
    cosines: Pointer<'f>,
    sines: Pointer<'f>,
    position: Pointer<'f>,
    /// Of a sequence.
    positions: Index<'f>,
}

impl<'f> Turning<'f> {
    /// Its operands are those from `first` on.
    pub fn new(launch: &GpuLaunch<'f>, first: usize, rotary: &Rotary, positions: Index<'f>) -> Turning<'f> {
        let [cosines, sines, position] = [0, 1, 2].map(|i| launch.buffers[first + i]);
        Turning { rotary: rotary.clone(), cosines, sines, position, positions }
    }

    /// Turns so many heads that the threads of a block have stored, each with its token: a pair of channels to a thread. For all of them.
    pub fn heads(
        &self,
        f: &'f Function<'f>,
        threads: i64,
        count: Index<'f>,
        head: impl Fn(Index<'f>) -> (Pointer<'f>, Index<'f>),
    ) {
        // What one has stored another reads.
        f.barrier();
        let half = i64::from(self.rotary.turned / 2);
        f.each(f.thread().to_index(), count * half, threads, |pair| {
            let ((head, token), i) = (head(pair / half), pair % half);
            let place = place(f, self.position, token, self.positions, self.rotary.documents) * half + i;
            let table = [self.cosines, self.sines].map(|table| table.at(place));
            turn(f, [head.at(i); 2], table, f.index(half), self.rotary.inverse);
        });
    }
}

/// Turns one pair of channels, `half` apart, on its way from one row to another, or in its place.
pub fn turn<'f>(
    f: &'f Function<'f>,
    [from, to]: [Pointer<'f>; 2],
    [cosine, sine]: [Pointer<'f>; 2],
    half: Index<'f>,
    inverse: bool,
) {
    let first = f.index(0);
    let (a, b) = (from.load(first), from.load(half));
    let (cosine, sine) = (cosine.load(first), sine.load(first));
    let sine = if inverse { -sine } else { sine };
    to.store(first, a * cosine - b * sine);
    to.store(half, b * cosine + a * sine);
}
