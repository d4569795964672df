//! The sizes of a launch, taken apart: where each operand's elements are along the iteration.
//!
//! Generic over the number, because the same order of arguments holds numbers at run time and expressions in a plan.

use super::contraction::{Contraction, ContractionAccess};
use super::program::{Program, ProgramOp, Register};
use super::rows::{ColumnReduction, Inner, RowAccess, RowProgram};
use super::{Body, Kernel};

/// One operand along an iteration: outer index (o₀, …) and inner index i are at Σ oⱼ · outerⱼ + i · inner.
#[derive(Clone, Debug, PartialEq)]
pub struct Strides<T> {
    pub outer: Vec<T>,
    pub inner: T,
}

/// The sizes of a row program or a column reduction.
#[derive(Clone, Debug, PartialEq)]
pub struct RowSizes<T> {
    pub outer: Vec<T>,
    pub inner: T,
    /// One per operand, the output of a column reduction included.
    pub operands: Vec<Strides<T>>,
    /// What [`ProgramOp::Size`] reads.
    pub numbers: Vec<T>,
}

/// The sizes of a contraction. Outer strides of an operand are those of (outer, row), its inner stride is the column's.
#[derive(Clone, Debug, PartialEq)]
pub struct ContractionSizes<T> {
    pub outer: T,
    pub m: T,
    pub n: T,
    pub k: T,
    pub a: Strides<T>,
    pub b: Strides<T>,
    /// From the third operand on.
    pub operands: Vec<Strides<T>>,
    pub numbers: Vec<T>,
    /// Of a sequence, where heads are turned.
    pub positions: Option<T>,
}

/// The program that an operand of a contraction belongs to, and with it the matrix by whose rows and columns it is addressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loader {
    PrologueA,
    PrologueB,
    Epilogue,
}

impl RowProgram {
    pub fn sizes<T: Clone + From<i64>>(&self, sizes: &[T]) -> RowSizes<T> {
        row_sizes(self.outer_rank, &self.access, sizes)
    }

    fn size_count(&self) -> usize {
        row_size_count(self.outer_rank, &self.access) + self.program.size_arguments()
    }
}

impl ColumnReduction {
    pub fn sizes<T: Clone + From<i64>>(&self, sizes: &[T]) -> RowSizes<T> {
        let mut sizes = row_sizes(self.outer_rank, &self.access, sizes);
        let zeros = vec![T::from(0); self.outer_rank as usize];
        sizes.operands.push(Strides { outer: zeros, inner: T::from(1) });
        sizes
    }

    fn size_count(&self) -> usize {
        row_size_count(self.outer_rank, &self.access) + self.program.size_arguments()
    }
}

impl Contraction {
    pub fn sizes<T: Clone + From<i64>>(&self, sizes: &[T]) -> ContractionSizes<T> {
        let mut sizes = sizes.iter().cloned();
        let mut next = || sizes.next().expect("bug in tfc: a contraction lacks a size");
        let [outer, m, n, k] = [next(), next(), next(), next()];
        let a = Strides { outer: vec![next(), next()], inner: T::from(1) };
        let b = Strides { outer: vec![next(), next()], inner: T::from(1) };
        let mut strides = |access: &ContractionAccess| match access {
            ContractionAccess::Matrix => Strides { outer: vec![next(), next()], inner: T::from(1) },
            ContractionAccess::PerRow => Strides { outer: vec![next(), next()], inner: T::from(0) },
            ContractionAccess::PerColumn => Strides { outer: vec![T::from(0), T::from(0)], inner: T::from(1) },
            ContractionAccess::Scalar => Strides { outer: vec![T::from(0), T::from(0)], inner: T::from(0) },
        };
        let operands = self.access.iter().map(&mut strides).collect();
        let mut numbers: Vec<T> = sizes.collect();
        let positions = self.rotary.as_ref().and_then(|_| numbers.pop());
        ContractionSizes { outer, m, n, k, a, b, operands, numbers, positions }
    }

    /// The three programs, with the register each ends in where it has one.
    pub fn programs(&self) -> Vec<&Program> {
        let prologues = [&self.prologue_a, &self.prologue_b].into_iter().flatten().map(|(program, _)| program);
        prologues.chain([&self.epilogue]).collect()
    }

    /// Which of the three programs an operand from the third on belongs to.
    pub fn loader(&self, operand: u16) -> Loader {
        let loads = |prologue: &Option<(Program, Register)>| {
            prologue.as_ref().is_some_and(|(program, _)| program.ops.contains(&ProgramOp::Load(operand)))
        };
        match (loads(&self.prologue_a), loads(&self.prologue_b)) {
            (true, _) => Loader::PrologueA,
            (false, true) => Loader::PrologueB,
            (false, false) => Loader::Epilogue,
        }
    }

    fn size_count(&self) -> usize {
        let strides = |access: &ContractionAccess| match access {
            ContractionAccess::Matrix | ContractionAccess::PerRow => 2,
            ContractionAccess::PerColumn | ContractionAccess::Scalar => 0,
        };
        let numbers = self.programs().into_iter().map(Program::size_arguments).max().unwrap_or(0);
        8 + self.access.iter().map(strides).sum::<usize>() + numbers + usize::from(self.rotary.is_some())
    }
}

impl Kernel {
    /// How many sizes a launch hands over.
    pub fn size_count(&self) -> usize {
        match &self.body {
            Body::Contraction(body) => body.size_count(),
            Body::Rows(body) => body.size_count(),
            Body::Columns(body) => body.size_count(),
            Body::Gather(_) => 2,
            Body::ScatterAdd(_) => 3,
            Body::Rope(_) => 5,
            Body::CacheWrite(_) => 4,
            Body::Attention(_) => 4,
            Body::AttentionBackward(_) => 4,
            Body::CachedAttention(_) => 5,
        }
    }

    /// For each operand, how many elements from its first on a launch may touch: one more than the largest index. The table of a
    /// gather is touched where the ids say, and counts as untouched.
    pub fn reach(&self, sizes: &[i64]) -> Vec<i64> {
        match &self.body {
            Body::Contraction(body) => contraction_reach(body, sizes),
            Body::Rows(body) => row_reach(&body.program, &body.sizes(sizes)),
            Body::Columns(body) => row_reach(&body.program, &body.sizes(sizes)),
            Body::Gather(_) => vec![sizes[0], 0, sizes[0] * sizes[1]],
            Body::ScatterAdd(_) => vec![sizes[0], sizes[0] * sizes[1], sizes[1] * sizes[2]],
            Body::Rope(body) => rope_reach(body.documents, sizes)[..self.operands.len()].to_vec(),
            Body::CacheWrite(_) => cache_write_reach(sizes),
            Body::Attention(body) => attention_reach(body.channels, body.documents, sizes, 3, 5),
            Body::AttentionBackward(body) => {
                let mut all = attention_reach(body.channels, body.documents, sizes, 6, 9);
                all.extend(body.rotary.iter().flat_map(|rotary| rotary.elements(sizes[0] * sizes[1], sizes[1])));
                all
            }
            Body::CachedAttention(body) => cached_attention_reach(body.channels, sizes),
        }
    }
}

fn row_sizes<T: Clone + From<i64>>(outer_rank: u8, access: &[RowAccess], sizes: &[T]) -> RowSizes<T> {
    let rank = outer_rank as usize;
    let (dimensions, mut rest) = sizes.split_at(rank + 1);
    let mut take = |count: usize| {
        let (taken, left) = rest.split_at(count);
        rest = left;
        taken.to_vec()
    };
    let mut strides = |access: &RowAccess| {
        let outer = take(rank);
        let inner = match access.inner {
            Inner::Unit => T::from(1),
            Inner::Row => T::from(0),
            Inner::Strided => take(1).remove(0),
        };
        Strides { outer, inner }
    };
    let operands = access.iter().map(&mut strides).collect();
    let inner = dimensions[rank].clone();
    RowSizes { outer: dimensions[..rank].to_vec(), inner, operands, numbers: rest.to_vec() }
}

fn row_size_count(outer_rank: u8, access: &[RowAccess]) -> usize {
    let rank = outer_rank as usize;
    let strided = access.iter().filter(|a| a.inner == Inner::Strided).count();
    rank + 1 + access.len() * rank + strided
}

/// One more than the largest index along dimensions with these strides; 0 if nothing is iterated.
fn reach(dimensions: &[(i64, i64)]) -> i64 {
    if dimensions.iter().any(|(size, _)| *size <= 0) {
        return 0;
    }
    dimensions.iter().map(|(size, stride)| (size - 1) * stride).sum::<i64>() + 1
}

fn is_seed(programs: &[&Program], operand: usize) -> bool {
    let seeds =
        |op: &ProgramOp| if let ProgramOp::Uniform { seed, .. } = op { usize::from(*seed) == operand } else { false };
    programs.iter().any(|p| p.ops.iter().any(seeds))
}

fn row_reach(program: &Program, sizes: &RowSizes<i64>) -> Vec<i64> {
    let one = |(operand, strides): (usize, &Strides<i64>)| {
        let outer = sizes.outer.iter().copied().zip(strides.outer.iter().copied());
        let reached = reach(&outer.chain([(sizes.inner, strides.inner)]).collect::<Vec<_>>());
        if is_seed(&[program], operand) { 2 } else { reached }
    };
    sizes.operands.iter().enumerate().map(one).collect()
}

fn contraction_reach(body: &Contraction, sizes: &[i64]) -> Vec<i64> {
    let sizes = body.sizes(sizes);
    let matrix = |rows: i64, columns: i64, at: &Strides<i64>| {
        reach(&[(sizes.outer, at.outer[0]), (rows, at.outer[1]), (columns, at.inner)])
    };
    let (a_rows, a_columns) = if body.transpose_a { (sizes.k, sizes.m) } else { (sizes.m, sizes.k) };
    let (b_rows, b_columns) = if body.transpose_b { (sizes.n, sizes.k) } else { (sizes.k, sizes.n) };
    let mut all = vec![matrix(a_rows, a_columns, &sizes.a), matrix(b_rows, b_columns, &sizes.b)];
    for (i, at) in sizes.operands.iter().enumerate() {
        let (rows, columns) = match body.loader(i as u16 + 2) {
            Loader::PrologueA => (a_rows, a_columns),
            Loader::PrologueB => (b_rows, b_columns),
            Loader::Epilogue => (sizes.m, sizes.n),
        };
        all.push(if is_seed(&body.programs(), i + 2) { 2 } else { matrix(rows, columns, at) });
    }
    let turned = body.rotary.iter().zip(sizes.positions);
    all.extend(turned.flat_map(|(rotary, positions)| rotary.elements(sizes.m, positions)));
    all
}

fn rope_reach(documents: bool, sizes: &[i64]) -> Vec<i64> {
    let [b, t, h, c, channels] = [sizes[0], sizes[1], sizes[2], sizes[3], sizes[4]];
    let table = t * (channels / 2);
    let positions = if documents { b * t } else { 1 };
    vec![b * t * h * c, table, table, positions, b * t * h * c]
}

fn cache_write_reach(sizes: &[i64]) -> Vec<i64> {
    let [b, t, s, w] = [sizes[0], sizes[1], sizes[2], sizes[3]];
    vec![b * t * w, 1, b * s * w]
}

/// q, k, v, out, log-sum-exp, then for the backward pass the gradients of out, q, k, v; the first of them `read`, and after those the
/// positions if there are `documents`.
fn attention_reach(channels: u32, documents: bool, sizes: &[i64], read: usize, operands: usize) -> Vec<i64> {
    let [b, t, h, g] = [sizes[0], sizes[1], sizes[2], sizes[3]];
    let (q, k) = (b * t * h * i64::from(channels), b * t * g * i64::from(channels));
    let mut all = [q, k, k, q, b * t * h, q, q, k, k][..operands].to_vec();
    if documents {
        all.insert(read, b * t);
    }
    all
}

fn cached_attention_reach(channels: u32, sizes: &[i64]) -> Vec<i64> {
    let [b, t, s, h, g] = [sizes[0], sizes[1], sizes[2], sizes[3], sizes[4]];
    let (q, k) = (b * t * h * i64::from(channels), b * s * g * i64::from(channels));
    vec![q, k, k, 1, q]
}
