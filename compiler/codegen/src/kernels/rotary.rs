//! Rotary embeddings: pairs of channels turned by an angle.

use crate::mlir::{Float, Function, Index, Launch, Pointer, Value};
use tfc_compiler::kernel::Rotary;

/// What a kernel takes that turns the heads it has made.
#[derive(Clone)]
pub struct Turning<'f> {
    pub rotary: Rotary,
    cosines: Pointer<'f>,
    sines: Pointer<'f>,
    position: Pointer<'f>,
    /// Of a sequence.
    positions: Index<'f>,
}

impl<'f> Turning<'f> {
    /// Its operands in the order of [`Rotary`].
    pub fn new(rotary: &Rotary, operands: [Pointer<'f>; Rotary::OPERANDS], positions: Index<'f>) -> Turning<'f> {
        let [cosines, sines, position] = operands;
        Turning { rotary: rotary.clone(), cosines, sines, position, positions }
    }

    /// Its operands are those from `first` on.
    pub fn read(launch: Launch<'f>, first: usize, rotary: &Rotary, positions: Index<'f>) -> Turning<'f> {
        Turning::new(rotary, [0, 1, 2].map(|i| launch.buffers.load_pointer((first + i) as i64)), positions)
    }

    /// Cosines and sines of a token, one of each for every pair.
    pub fn tables(&self, f: &'f Function<'f>, token: Index<'f>) -> [Pointer<'f>; 2] {
        let place = place(f, self.position, token, self.positions, self.rotary.documents);
        [self.cosines, self.sines].map(|table| table.at(place * i64::from(self.rotary.turned / 2)))
    }

    /// Turns the head of a token.
    pub fn head(&self, f: &'f Function<'f>, head: Pointer<'f>, token: Index<'f>) {
        let half = f.index(i64::from(self.rotary.turned / 2));
        turn(f, [head; 2], self.tables(f, token), half, self.rotary.inverse);
    }

    /// Turns those heads in the row of a token that begin in columns `[begin, end)`.
    pub fn columns(&self, f: &'f Function<'f>, row: Pointer<'f>, token: Index<'f>, [begin, end]: [Index<'f>; 2]) {
        let channels = i64::from(self.rotary.channels);
        f.each(begin.ceiling_division(channels), end.ceiling_division(channels), 1, |head| {
            self.head(f, row.at(head * channels), token);
        });
    }
}

/// The place of a token in its sequence, or its document.
pub fn place<'f>(
    f: &'f Function<'f>,
    position: Pointer<'f>,
    token: Index<'f>,
    positions: Index<'f>,
    documents: bool,
) -> Index<'f> {
    match documents {
        false => position.load_int(f.index(0)).to_index() + token % positions,
        true => position.load_int(token).to_index(),
    }
}

/// Pairs turned by angles, or back.
pub fn turned<'f, K: Float>(
    [a, b]: [Value<'f, K>; 2],
    [cosine, sine]: [Value<'f, K>; 2],
    inverse: bool,
) -> [Value<'f, K>; 2] {
    let sine = if inverse { -sine } else { sine };
    [a * cosine - b * sine, b * cosine + a * sine]
}

/// Turns pairs of channels, `half` apart, on their way from one row to another, or in their place.
pub fn turn<'f>(
    f: &'f Function<'f>,
    [from, to]: [Pointer<'f>; 2],
    tables: [Pointer<'f>; 2],
    half: Index<'f>,
    inverse: bool,
) {
    f.strips(f.index(0), half, |i, lanes| {
        let pair = [i, i + half].map(|channel| from.load_lanes(channel, lanes));
        let [a, b] = turned(pair, tables.map(|table| table.load_lanes(i, lanes)), inverse);
        to.store_lanes(i, a, lanes);
        to.store_lanes(i + half, b, lanes);
    });
}
