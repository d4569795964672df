//! One matrix product with its programs.

use super::moving::{Made, turn};
use super::{Line, Memory};
use crate::kernel::Contraction;
use crate::kernel::program::{Program, Register};
use crate::kernel::sizes::{ContractionSizes, Strides};
use std::ops::Range;

/// Rows of C, as far as there are so many.
pub fn evaluate(body: &Contraction, sizes: &[i64], rows: Range<i64>, memory: &mut Memory) {
    let sizes = body.sizes(sizes);
    let ContractionSizes { outer, m, n, k, ref a, ref b, .. } = sizes;
    let strides: Vec<Strides<i64>> = [a, b].into_iter().chain(&sizes.operands).cloned().collect();
    let load = |o, operand, prologue, rows, columns, memory: &Memory| {
        let mut loaded =
            matrix(&Loading { outer: o, operand, prologue, rows, columns }, &strides, &sizes.numbers, memory);
        loaded.iter_mut().flatten().for_each(|element| *element = body.precision.operand(*element));
        loaded
    };
    let made = rows.start..rows.end.min(m);
    for o in 0..outer {
        let (rows, columns) = if body.transpose_a { (k, m) } else { (m, k) };
        let a = load(o, 0, &body.prologue_a, rows, columns, memory);
        let (rows, columns) = if body.transpose_b { (n, k) } else { (k, n) };
        let b = load(o, 1, &body.prologue_b, rows, columns, memory);
        let at = |matrix: &[Vec<f64>], transposed: bool, row: i64, column: i64| {
            let (row, column) = if transposed { (column, row) } else { (row, column) };
            matrix[row as usize][column as usize]
        };
        for i in made.clone() {
            let product =
                |j: i64| (0..k).map(|l| at(&a, body.transpose_a, i, l) * at(&b, body.transpose_b, l, j)).sum::<f64>();
            let given: Vec<f64> = (0..n).map(product).collect();
            let line = Line {
                outer: &[o, i],
                length: n,
                before: (o * m + i) * n,
                given: Some(&given),
                numbers: &sizes.numbers,
            };
            let registers = line.run(&body.epilogue, &strides, memory);
            for (operand, register) in &body.stores {
                let start = line.start(&strides[*operand as usize]);
                for (j, value) in registers[register.0 as usize].iter().enumerate() {
                    memory.set(*operand as usize, start + j as i64, *value);
                }
            }
        }
    }
    if let (Some(rotary), Some(positions)) = (&body.rotary, sizes.positions) {
        let (operand, heads) = (usize::from(body.stores[0].0), n / i64::from(rotary.channels));
        let heads_made = Made { operand, stride: strides[operand].outer[1], heads, tokens: made, positions };
        turn(rotary, 2 + body.access.len(), &heads_made, memory);
    }
}

/// One of the two matrices as it is stored.
struct Loading<'a> {
    outer: i64,
    operand: usize,
    prologue: &'a Option<(Program, Register)>,
    rows: i64,
    columns: i64,
}

fn matrix(from: &Loading, strides: &[Strides<i64>], numbers: &[i64], memory: &Memory) -> Vec<Vec<f64>> {
    let row = |i: i64| {
        let mut line = Line { outer: &[from.outer, i], length: from.columns, before: 0, given: None, numbers };
        let start = line.start(&strides[from.operand]);
        let loaded: Vec<f64> = (0..from.columns).map(|j| memory.get(from.operand, start + j)).collect();
        let Some((program, register)) = from.prologue else { return loaded };
        line.given = Some(&loaded);
        line.run(program, strides, memory).swap_remove(register.0 as usize)
    };
    (0..from.rows).map(row).collect()
}
