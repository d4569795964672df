//! What a kernel does, plainly, in f64: the oracle of the code generators.
//!
//! Operands lie in one flat memory of numbers, i32 as exact f64, each from a given place on. Nothing is blocked and no care is
//! taken of speed; a row program computes one whole row per operation.

mod attention;
mod contraction;
mod moving;
mod rows;

use super::program::{Program, ProgramOp};
use super::sizes::Strides;
use super::{Body, Kernel, Operand};
use crate::graph::{DType, Reduction};
use crate::interpret::kth_largest_of;
use crate::precision::Precision;
use crate::random;
use std::ops::Range;

/// Runs one launch: all work items, in order. `at` has the place of each operand's first element in `memory`.
pub fn evaluate(kernel: &Kernel, sizes: &[i64], memory: &mut [f64], at: &[usize]) {
    assert_eq!(kernel.operands.len(), at.len(), "bug in tfc: operands and places differ in number");
    assert_eq!(kernel.size_count(), sizes.len(), "bug in tfc: a launch hands over another number of sizes");
    let memory = &mut Memory { cells: memory, at, operands: &kernel.operands };
    match &kernel.body {
        Body::Contraction(body) => contraction::evaluate(body, sizes, 0..i64::MAX, memory),
        Body::Rows(body) => rows::evaluate(body, sizes, 0..i64::MAX, memory),
        Body::Columns(body) => rows::evaluate_columns(body, kernel, sizes, memory),
        Body::Gather(_) => moving::gather(sizes, memory),
        Body::ScatterAdd(_) => moving::scatter_add(kernel, sizes, memory),
        Body::Rope(body) => moving::rope(body, kernel, sizes, memory),
        Body::CacheWrite(_) => moving::cache_write(sizes, memory),
        Body::Attention(body) => attention::forward(body, sizes, memory),
        Body::AttentionBackward(body) => attention::backward(body, sizes, memory),
        Body::CachedAttention(body) => attention::cached(body, sizes, memory),
    }
}

/// Some of the rows of a product or of a row program, which others may make in any order.
pub fn evaluate_rows(kernel: &Kernel, sizes: &[i64], rows: Range<i64>, memory: &mut [f64], at: &[usize]) {
    let memory = &mut Memory { cells: memory, at, operands: &kernel.operands };
    match &kernel.body {
        Body::Contraction(body) => contraction::evaluate(body, sizes, rows, memory),
        Body::Rows(body) => rows::evaluate(body, sizes, rows, memory),
        Body::Columns(_)
        | Body::Gather(_)
        | Body::ScatterAdd(_)
        | Body::Rope(_)
        | Body::CacheWrite(_)
        | Body::Attention(_)
        | Body::AttentionBackward(_)
        | Body::CachedAttention(_) => {
            unreachable!("bug in tfc: this kernel is not divided by rows")
        }
    }
}

/// The same with one buffer per operand.
pub fn evaluate_buffers(kernel: &Kernel, sizes: &[i64], buffers: &mut [Vec<f64>]) {
    let mut memory: Vec<f64> = Vec::new();
    let mut at = Vec::new();
    for buffer in buffers.iter() {
        at.push(memory.len());
        memory.extend(buffer);
    }
    evaluate(kernel, sizes, &mut memory, &at);
    for (buffer, start) in buffers.iter_mut().zip(at) {
        let end = start + buffer.len();
        buffer.copy_from_slice(&memory[start..end]);
    }
}

/// The operands of one launch.
struct Memory<'a> {
    cells: &'a mut [f64],
    at: &'a [usize],
    operands: &'a [Operand],
}

impl Memory<'_> {
    fn get(&self, operand: usize, element: i64) -> f64 {
        self.cells[self.at[operand] + element as usize]
    }

    /// Keeps what the operand's type has of a value.
    fn set(&mut self, operand: usize, element: i64, value: f64) {
        let kept = match self.operands[operand].dtype {
            DType::F32 => value,
            DType::BF16 => Precision::Bf16.operand(value),
            DType::I32 => value.trunc(),
        };
        self.cells[self.at[operand] + element as usize] = kept;
    }

    fn add(&mut self, operand: usize, element: i64, value: f64) {
        self.set(operand, element, self.get(operand, element) + value);
    }
}

/// The part of an iteration that shares its outer index: what a program is evaluated on at once.
struct Line<'a> {
    outer: &'a [i64],
    length: i64,
    /// The number of places before this line, for `Uniform`.
    before: i64,
    given: Option<&'a [f64]>,
    numbers: &'a [i64],
}

impl Line<'_> {
    /// The element of an operand at the start of the line.
    fn start(&self, strides: &Strides<i64>) -> i64 {
        self.outer.iter().zip(&strides.outer).map(|(index, stride)| index * stride).sum()
    }

    /// Every register along the line. `strides` are those of all operands of the kernel.
    fn run(&self, program: &Program, strides: &[Strides<i64>], memory: &Memory) -> Vec<Vec<f64>> {
        let mut registers: Vec<Vec<f64>> = Vec::new();
        for op in &program.ops {
            let values = self.apply(op, &registers, strides, memory);
            registers.push(values);
        }
        registers
    }

    fn apply(&self, op: &ProgramOp, registers: &[Vec<f64>], strides: &[Strides<i64>], memory: &Memory) -> Vec<f64> {
        let along = |f: &dyn Fn(usize) -> f64| (0..self.length as usize).map(f).collect::<Vec<f64>>();
        let register = |r: &super::Register| &registers[r.0 as usize];
        match op {
            ProgramOp::Load(operand) => {
                let strides = &strides[*operand as usize];
                let start = self.start(strides);
                along(&|i| memory.get(*operand as usize, start + i as i64 * strides.inner))
            }
            ProgramOp::Constant(number) => along(&|_| number.0),
            ProgramOp::Size(index) => along(&|_| self.numbers[*index as usize] as f64),
            ProgramOp::Unary(f, x) => along(&|i| f.eval(register(x)[i])),
            ProgramOp::Binary(f, a, b) => along(&|i| f.eval(register(a)[i], register(b)[i])),
            ProgramOp::Select(c, a, b) => {
                along(&|i| if register(c)[i] != 0.0 { register(a)[i] } else { register(b)[i] })
            }
            ProgramOp::InnerIndex => along(&|i| i as f64),
            ProgramOp::OuterIndex(dimension) => along(&|_| self.outer[*dimension as usize] as f64),
            ProgramOp::Given => self.given.expect("bug in tfc: nothing is given to this program").to_vec(),
            ProgramOp::Reduce(reduction, x) => {
                let value = reduce(*reduction, register(x));
                along(&|_| value)
            }
            ProgramOp::KthLargest(x, k) => {
                let k = register(k).first().map_or(1, |k| *k as usize);
                let value = kth_largest_of(register(x), k);
                along(&|_| value)
            }
            ProgramOp::Uniform { seed, stream } => {
                let key = [memory.get(*seed as usize, 0) as i32, memory.get(*seed as usize, 1) as i32];
                let stream = self.numbers[*stream as usize] as u32;
                along(&|i| random::uniform(key, stream, self.before as u64 + i as u64))
            }
        }
    }
}

fn reduce(reduction: Reduction, values: &[f64]) -> f64 {
    match reduction {
        Reduction::Sum => values.iter().sum(),
        Reduction::Maximum => values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        Reduction::L2Norm => norm(values),
    }
}

/// The norm by way of the largest magnitude, so that no square leaves the range.
fn norm(values: &[f64]) -> f64 {
    let largest = values.iter().fold(0.0, |m: f64, x| m.max(x.abs()));
    let scale = if largest == 0.0 || largest.is_infinite() { 1.0 } else { largest };
    scale * values.iter().map(|x| (x / scale).powi(2)).sum::<f64>().sqrt()
}
