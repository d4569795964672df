//! Rotary embeddings, a pair of channels to a thread.

use crate::kernels::rotary::{Turning, turned};
use crate::mlir::{Function, Index, Pointer};

/// Turns so many heads that the threads of a block have stored, each with its token. For all of them.
pub fn turn_heads<'f>(
    f: &'f Function<'f>,
    turning: &Turning<'f>,
    threads: i64,
    count: Index<'f>,
    head: impl Fn(Index<'f>) -> (Pointer<'f>, Index<'f>),
) {
    // What one has stored another reads.
    f.barrier();
    let half = i64::from(turning.rotary.turned / 2);
    f.each(f.thread().to_index(), count * half, threads, |pair| {
        let ((head, token), i) = (head(pair / half), pair % half);
        let tables = turning.tables(f, token).map(|table| table.at(i));
        turn(f, [head.at(i); 2], tables, f.index(half), turning.rotary.inverse);
    });
}

/// Turns one pair of channels, `half` apart, on its way from one row to another, or in its place.
pub fn turn<'f>(
    f: &'f Function<'f>,
    [from, to]: [Pointer<'f>; 2],
    tables: [Pointer<'f>; 2],
    half: Index<'f>,
    inverse: bool,
) {
    let first = f.index(0);
    let pair = [first, half].map(|channel| from.load(channel));
    let [a, b] = turned(pair, tables.map(|table| table.load(first)), inverse);
    to.store(first, a);
    to.store(half, b);
}
