//! `mma.sync`: the product of fragments of two matrices, added to a third. Fragments lie in the lanes as the PTX manual says
//! (section "Matrix multiply-accumulate operation using mma instruction").
//!
//! Products of bf16 and of tf32 numbers are exact in f32 or nearly so, and are added in f32 in the order of k. How a device rounds
//! inside an instruction is not specified.

use crate::fiber::Answer;
use tfc_compiler::simulation::{Multiplicands, WORDS};

const LANES: usize = 32;
const ROWS: usize = 16;
const COLUMNS: usize = 8;
const MOST_K: usize = 16;

/// d = a·b + c of a warp.
pub fn multiply(multiplicands: Multiplicands, words: &[[u64; WORDS]; LANES]) -> [Answer; LANES] {
    let mut a = [[0f32; MOST_K]; ROWS];
    let mut b = [[0f32; COLUMNS]; MOST_K];
    let mut d = [[0f32; COLUMNS]; ROWS];
    for (lane, words) in words.iter().enumerate() {
        let (group, member) = (lane / 4, lane % 4);
        for (i, word) in words[..4].iter().enumerate() {
            let row = group + 8 * (i % 2);
            for (k, x) in elements(multiplicands, member, i / 2, *word) {
                a[row][k] = x;
            }
        }
        for (i, word) in words[4..6].iter().enumerate() {
            for (k, x) in elements(multiplicands, member, i, *word) {
                b[k][group] = x;
            }
        }
        for (i, word) in words[6..10].iter().enumerate() {
            d[group + 8 * (i / 2)][2 * member + i % 2] = f32::from_bits(*word as u32);
        }
    }
    let most_k = match multiplicands {
        Multiplicands::Bf16 => 16,
        Multiplicands::Tf32 => 8,
    };
    for (a, d) in a.iter().zip(&mut d) {
        for (x, b) in a[..most_k].iter().zip(&b) {
            for (d, y) in d.iter_mut().zip(b) {
                *d += x * y;
            }
        }
    }
    std::array::from_fn(|lane| {
        let (group, member) = (lane / 4, lane % 4);
        std::array::from_fn(|i| u64::from(d[group + 8 * (i / 2)][2 * member + i % 2].to_bits()))
    })
}

/// The places along k, and the values, that one register of the lane `member` of its group holds: in the lower or upper `half` of k.
fn elements(multiplicands: Multiplicands, member: usize, half: usize, word: u64) -> impl Iterator<Item = (usize, f32)> {
    let word = word as u32;
    let (first, values, count) = match multiplicands {
        Multiplicands::Bf16 => {
            (2 * member + 8 * half, [f32::from_bits(word << 16), f32::from_bits(word & 0xffff_0000)], 2)
        }
        // The device ignores the bits that tf32 has not.
        Multiplicands::Tf32 => (member + 4 * half, [f32::from_bits(word & 0xffff_e000), 0.0], 1),
    };
    (first..).zip(values).take(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every element of a in its lane and register by the manual's formulas, b being the identity in its columns: d is a's columns.
    #[test]
    fn fragments_lie_where_the_manual_says() {
        for (multiplicands, most_k, per_word) in [(Multiplicands::Bf16, 16, 2), (Multiplicands::Tf32, 8, 1)] {
            let a = |row: usize, k: usize| (row * 16 + k) as f32 / 2.0;
            for shift in 0..most_k / 8 {
                let b = |k: usize, column: usize| if k == column + 8 * shift { 1.0 } else { 0.0 };
                let pack = |values: [f32; 2]| match multiplicands {
                    Multiplicands::Bf16 => u64::from(values[0].to_bits() >> 16 | values[1].to_bits() & 0xffff_0000),
                    Multiplicands::Tf32 => u64::from(values[0].to_bits()),
                };
                let mut words = [[0u64; WORDS]; LANES];
                for (lane, words) in words.iter_mut().enumerate() {
                    let (group, member) = (lane >> 2, lane % 4);
                    let k = |i: usize, high: bool| member * per_word + i + if high { most_k / 2 } else { 0 };
                    let of_a = |row, high| pack([a(row, k(0, high)), a(row, k(1, high))]);
                    let of_b = |high| pack([b(k(0, high), group), b(k(1, high), group)]);
                    words[..6].copy_from_slice(&[
                        of_a(group, false),
                        of_a(group + 8, false),
                        of_a(group, true),
                        of_a(group + 8, true),
                        of_b(false),
                        of_b(true),
                    ]);
                    words[6..].fill(u64::from(0.25f32.to_bits()));
                }
                let d = multiply(multiplicands, &words);
                for (lane, d) in d.iter().enumerate() {
                    for (i, d) in d.iter().enumerate() {
                        let (row, column) = ((lane >> 2) + if i < 2 { 0 } else { 8 }, (lane % 4) * 2 + (i & 1));
                        let want = a(row, column + 8 * shift) + 0.25;
                        assert_eq!(f32::from_bits(*d as u32), want, "{multiplicands:?}, row {row}, column {column}");
                    }
                }
            }
        }
    }
}
