//! Kernels that move rows.

use super::Memory;
use crate::kernel::{Access, Kernel, Rope, Rotary};
use std::ops::Range;

pub fn gather(sizes: &[i64], memory: &mut Memory) {
    let [rows, width] = [sizes[0], sizes[1]];
    for row in 0..rows {
        let id = memory.get(0, row) as i64;
        for i in 0..width {
            memory.set(2, row * width + i, memory.get(1, id * width + i));
        }
    }
}

pub fn scatter_add(kernel: &Kernel, sizes: &[i64], memory: &mut Memory) {
    let [rows, width, classes] = [sizes[0], sizes[1], sizes[2]];
    if kernel.operands[2].access != Access::Update {
        (0..classes * width).for_each(|i| memory.set(2, i, 0.0));
    }
    for row in 0..rows {
        let id = memory.get(0, row) as i64;
        for i in 0..width {
            memory.add(2, id * width + i, memory.get(1, row * width + i));
        }
    }
}

/// Rows of heads that have just been made, a row for each token: where they are, how far apart, of which tokens, and how many positions a sequence has.
pub struct Made {
    pub operand: usize,
    pub stride: i64,
    pub heads: i64,
    pub tokens: Range<i64>,
    pub positions: i64,
}

/// Turns them, by the operands from `tables` on.
pub fn turn(rotary: &Rotary, tables: usize, made: &Made, memory: &mut Memory) {
    let half = i64::from(rotary.turned / 2);
    for token in made.tokens.clone() {
        let place = match rotary.documents {
            true => memory.get(tables + 2, token) as i64,
            false => memory.get(tables + 2, 0) as i64 + token % made.positions,
        };
        for head in 0..made.heads {
            let row = token * made.stride + head * i64::from(rotary.channels);
            for i in 0..half {
                let [cosine, sine] = [tables, tables + 1].map(|table| memory.get(table, place * half + i));
                let (x, y) = (memory.get(made.operand, row + i), memory.get(made.operand, row + i + half));
                let sine = if rotary.inverse { -sine } else { sine };
                memory.set(made.operand, row + i, x * cosine - y * sine);
                memory.set(made.operand, row + i + half, y * cosine + x * sine);
            }
        }
    }
}

pub fn rope(body: &Rope, kernel: &Kernel, sizes: &[i64], memory: &mut Memory) {
    let [b, t, h, c, channels] = [sizes[0], sizes[1], sizes[2], sizes[3], sizes[4]];
    let half = channels / 2;
    let out = if kernel.turns_in_place() { 0 } else { 4 };
    for row in 0..b * t * h {
        let token = row / h;
        let place = if body.documents { memory.get(3, token) as i64 } else { memory.get(3, 0) as i64 + token % t };
        for i in 0..c {
            memory.set(out, row * c + i, memory.get(0, row * c + i));
        }
        for i in 0..half {
            let (x, y) = (memory.get(0, row * c + i), memory.get(0, row * c + i + half));
            let (cosine, sine) = (memory.get(1, place * half + i), memory.get(2, place * half + i));
            let sine = if body.inverse { -sine } else { sine };
            memory.set(out, row * c + i, x * cosine - y * sine);
            memory.set(out, row * c + i + half, y * cosine + x * sine);
        }
    }
}

pub fn cache_write(sizes: &[i64], memory: &mut Memory) {
    let [b, t, s, w] = [sizes[0], sizes[1], sizes[2], sizes[3]];
    let position = memory.get(1, 0) as i64;
    for row in 0..b * t {
        let target = row / t * s + position + row % t;
        for i in 0..w {
            memory.set(2, target * w + i, memory.get(0, row * w + i));
        }
    }
}
