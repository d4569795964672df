//! Row programs and column reductions.

use super::{Line, Memory};
use crate::kernel::sizes::{RowSizes, Strides};
use crate::kernel::{Access, ColumnReduction, Kernel, RowProgram};
use std::ops::Range;

/// Rows of all that the outer dimensions have, as far as there are so many.
pub fn evaluate(body: &RowProgram, sizes: &[i64], rows: Range<i64>, memory: &mut Memory) {
    let sizes = body.sizes(sizes);
    each_line(&sizes, rows, |line| {
        let registers = line.run(&body.program, &sizes.operands, memory);
        for (operand, register) in &body.stores {
            let operand = *operand as usize;
            let Strides { inner, .. } = sizes.operands[operand];
            let start = line.start(&sizes.operands[operand]);
            for (i, value) in registers[register.0 as usize].iter().enumerate() {
                memory.set(operand, start + i as i64 * inner, *value);
            }
        }
    });
}

pub fn evaluate_columns(body: &ColumnReduction, kernel: &Kernel, sizes: &[i64], memory: &mut Memory) {
    let sizes = body.sizes(sizes);
    let out = kernel.operands.len() - 1;
    if kernel.operands[out].access != Access::Update {
        (0..sizes.inner).for_each(|column| memory.set(out, column, 0.0));
    }
    each_line(&sizes, 0..i64::MAX, |line| {
        let registers = line.run(&body.program, &sizes.operands, memory);
        for (column, value) in registers[body.value.0 as usize].iter().enumerate() {
            memory.add(out, column as i64, *value);
        }
    });
}

/// The outer indices of some rows, the last dimension fastest.
fn each_line(sizes: &RowSizes<i64>, rows: Range<i64>, mut visit: impl FnMut(&Line)) {
    let all: i64 = sizes.outer.iter().product();
    for row in rows.start..rows.end.min(all) {
        let mut rest = row;
        let mut outer = vec![0; sizes.outer.len()];
        for (index, size) in outer.iter_mut().zip(&sizes.outer).rev() {
            *index = rest % size;
            rest /= size;
        }
        let (length, before) = (sizes.inner, row * sizes.inner);
        visit(&Line { outer: &outer, length, before, given: None, numbers: &sizes.numbers });
    }
}
