//! What a launch computes and moves: for `explain`, `bench --tune` and the roofline.
//!
//! Operations are counted as written, one for each scalar function whatever it takes, but for searches; what several workers pack twice counts once. Bytes are
//! those of every operand that is read or written, once, as if nothing stayed in a cache between launches.

use super::Launch;
use crate::graph::AttentionMask;
use crate::kernel::{self, Access, Body, Kernel, ProgramOp, Strides};
use crate::size::{Size, SizeValues};

/// Operations of a search for the k-th largest, for each number of the row. `top_k` searches twice: in rows of hundreds of ordinary numbers it finds the k-th
/// largest after twelve counts on average, the last of its equals after three, and each after a walk more to the least of what is left. Every walk
/// compares and adds: 2 · 17 for two searches.
const SEARCH: i64 = 17;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    pub flops: i64,
    /// Those of matrix products: what tensor cores can do.
    pub product_flops: i64,
    pub bytes: i64,
    /// Those that are written: the others are read.
    pub written_bytes: i64,
}

/// The cost of one launch.
pub fn launch_cost(kernel: &Kernel, launch: &Launch, values: &SizeValues) -> Cost {
    // Numbers from here on, as sizes, which saturate.
    let sizes: Vec<Size> = launch.sizes.iter().map(|size| Size::constant(size.eval(values))).collect();
    let product_flops = product_flops(&kernel.body, &sizes);
    let flops = product_flops.clone() + scalar_flops(&kernel.body, &sizes);
    let [read, written] = bytes(kernel, &sizes).map(|bytes| bytes.eval(values));
    let [flops, product_flops] = [flops, product_flops].map(|number| number.eval(values));
    Cost { flops, product_flops, bytes: read.saturating_add(written), written_bytes: written }
}

fn product_flops(body: &Body, sizes: &[Size]) -> Size {
    let number = Size::constant;
    match body {
        Body::Contraction(body) => {
            let kernel::ContractionSizes { outer, m, n, k, .. } = body.sizes(sizes);
            Size::product([&outer, &m, &n, &k]) * number(2)
        }
        Body::Attention(body) => pairs(body.mask, &sizes[1]) * heads(&sizes[0], &sizes[2], body.channels) * number(2),
        Body::AttentionBackward(body) => {
            pairs(body.mask, &sizes[1]) * heads(&sizes[0], &sizes[2], body.channels) * number(5)
        }
        Body::CachedAttention(body) => {
            let keys = sizes[1].clone() * sizes[2].clone();
            keys * heads(&sizes[0], &sizes[3], body.channels) * number(4)
        }
        Body::Rows(_) | Body::Columns(_) | Body::Gather(_) | Body::ScatterAdd(_) => Size::default(),
        Body::Rope(_) | Body::CacheWrite(_) => Size::default(),
    }
}

/// All others.
fn scalar_flops(body: &Body, sizes: &[Size]) -> Size {
    match body {
        Body::Contraction(body) => fused_flops(body, sizes),
        Body::Rows(body) => {
            let rank = body.outer_rank as usize;
            Size::product(&sizes[..=rank]) * operations(&body.program)
        }
        Body::Columns(body) => {
            let rank = body.outer_rank as usize;
            Size::product(&sizes[..=rank]) * (operations(&body.program) + Size::constant(1))
        }
        Body::ScatterAdd(_) => sizes[0].clone() * sizes[1].clone(),
        Body::Rope(_) => Size::product([&sizes[0], &sizes[1], &sizes[2], &sizes[4]]) * Size::constant(3),
        Body::Gather(_) | Body::CacheWrite(_) => Size::default(),
        Body::AttentionBackward(body) => {
            let turned = |rotary| turned_flops(rotary, sizes[0].clone() * sizes[1].clone());
            let heads = sizes[2].clone() + sizes[3].clone();
            body.rotary.as_ref().map_or(Size::default(), |rotary| turned(rotary) * heads)
        }
        Body::Attention(_) | Body::CachedAttention(_) => Size::default(),
    }
}

/// Of so many tokens, for each of their heads.
fn turned_flops(rotary: &kernel::Rotary, tokens: Size) -> Size {
    tokens * Size::constant(3 * i64::from(rotary.turned))
}

/// What is done to operands of a product as they are loaded, and to its result as it is stored.
fn fused_flops(body: &kernel::Contraction, sizes: &[Size]) -> Size {
    let kernel::ContractionSizes { outer, m, n, k, .. } = body.sizes(sizes);
    let prologue = |prologue: &Option<(kernel::Program, kernel::Register)>, size: &Size| match prologue {
        Some((program, _)) => Size::product([&outer, size, &k]) * operations(program),
        None => Size::default(),
    };
    let loaded = prologue(&body.prologue_a, &m) + prologue(&body.prologue_b, &n);
    let stored = Size::product([&outer, &m, &n]) * operations(&body.epilogue);
    let turned = |rotary: &kernel::Rotary| {
        let heads = n.as_constant().map_or(0, |n| n / i64::from(rotary.channels));
        turned_flops(rotary, m.clone()) * Size::constant(heads)
    };
    loaded + stored + body.rotary.as_ref().map_or(Size::default(), turned)
}

fn operations(program: &kernel::Program) -> Size {
    let one = |op: &ProgramOp| match op {
        ProgramOp::Unary(..) | ProgramOp::Binary(..) | ProgramOp::Select(..) => 1,
        ProgramOp::Reduce(..) | ProgramOp::Uniform { .. } => 1,
        ProgramOp::KthLargest(..) => SEARCH,
        ProgramOp::Load(_) | ProgramOp::Constant(_) | ProgramOp::Size(_) => 0,
        ProgramOp::InnerIndex | ProgramOp::OuterIndex(_) | ProgramOp::Given => 0,
    };
    Size::constant(program.ops.iter().map(one).sum())
}

/// Twice the pairs of a query and a key that it sees, over T positions.
fn pairs(mask: AttentionMask, positions: &Size) -> Size {
    let causal = |positions: &Size| positions.clone() * (positions.clone() + Size::constant(1));
    match mask {
        AttentionMask::Full => positions.clone() * positions.clone() * Size::constant(2),
        AttentionMask::Causal => causal(positions),
        AttentionMask::Window(width) => {
            // Both are numbers. The first `width` queries see 1, 2, … keys, the others `width`.
            let width = Size::constant(width.into()).min(positions.clone());
            causal(&width) + (positions.clone() - width.clone()) * width * Size::constant(2)
        }
    }
}

fn heads(batch: &Size, heads: &Size, channels: u32) -> Size {
    Size::product([batch, heads]) * Size::constant(i64::from(channels))
}

/// The bytes of all operands that are read, and that are written: those that are updated are both.
fn bytes(kernel: &Kernel, sizes: &[Size]) -> [Size; 2] {
    let elements = elements(kernel, sizes);
    let of_those = |count: fn(Access) -> bool| {
        let operands = kernel.operands.iter().zip(&elements).filter(|(operand, _)| count(operand.access));
        let bytes = operands.map(|(operand, elements)| elements.clone() * Size::constant(operand.dtype.bytes() as i64));
        bytes.fold(Size::default(), |sum, bytes| sum + bytes)
    };
    [of_those(|access| access != Access::Write), of_those(|access| access != Access::Read)]
}

/// How many elements of each operand are touched.
fn elements(kernel: &Kernel, sizes: &[Size]) -> Vec<Size> {
    let s = |i: usize| sizes[i].clone();
    let of = |indices: &[usize]| Size::product(indices.iter().map(|i| &sizes[*i]));
    match &kernel.body {
        Body::Contraction(body) => contraction_elements(body, sizes),
        Body::Rows(body) => line_elements(&body.sizes(sizes)),
        Body::Columns(body) => line_elements(&body.sizes(sizes)),
        Body::Gather(_) => vec![s(0), of(&[0, 1]), of(&[0, 1])],
        Body::ScatterAdd(_) => {
            // All of the table is zeroed, or only the rows that are added to are touched.
            let table = if kernel.operands[2].access == Access::Write { of(&[1, 2]) } else { of(&[0, 1]) };
            vec![s(0), of(&[0, 1]), table]
        }
        Body::Rope(body) => {
            let half = s(4).checked_div(&Size::constant(2)).expect("bug in tfc: an odd number of channels is turned");
            let table = s(1) * half;
            let positions = if body.documents { of(&[0, 1]) } else { Size::constant(1) };
            // In place, only what is turned.
            let x = if kernel.turns_in_place() { of(&[0, 1, 2, 4]) } else { of(&[0, 1, 2, 3]) };
            vec![x.clone(), table.clone(), table, positions, x]
        }
        Body::CacheWrite(_) => vec![of(&[0, 1, 3]), Size::constant(1), of(&[0, 1, 3])],
        Body::Attention(body) => {
            let mut all = attention_elements(&of(&[0, 1, 2]), &of(&[0, 1, 3]), body.channels, 5);
            all.splice(3..3, body.documents.then(|| of(&[0, 1])));
            all
        }
        Body::AttentionBackward(body) => {
            let mut all = attention_elements(&of(&[0, 1, 2]), &of(&[0, 1, 3]), body.channels, 9);
            all.splice(6..6, body.documents.then(|| of(&[0, 1])));
            all.extend(body.rotary.iter().flat_map(|rotary| rotary.elements(of(&[0, 1]), s(1))));
            all
        }
        Body::CachedAttention(body) => {
            let channels = Size::constant(i64::from(body.channels));
            let (q, keys) = (of(&[0, 1, 3]) * channels.clone(), of(&[0, 2, 4]) * channels);
            vec![q.clone(), keys.clone(), keys, Size::constant(1), q]
        }
    }
}

fn attention_elements(queries: &Size, keys: &Size, channels: u32, operands: usize) -> Vec<Size> {
    let channels = Size::constant(i64::from(channels));
    let (q, k) = (queries.clone() * channels.clone(), keys.clone() * channels);
    let all = [&q, &k, &k, &q, queries, &q, &q, &k, &k];
    all[..operands].iter().map(|size| (*size).clone()).collect()
}

/// A dimension along which an operand stands still is not touched more than once.
fn moved(dimensions: &[(&Size, &Size)]) -> Size {
    let moving = dimensions.iter().filter(|(_, stride)| **stride != Size::default());
    Size::product(moving.map(|(size, _)| *size))
}

fn line_elements(sizes: &kernel::RowSizes<Size>) -> Vec<Size> {
    let one = |strides: &Strides<Size>| {
        let outer = sizes.outer.iter().zip(&strides.outer);
        moved(&outer.chain([(&sizes.inner, &strides.inner)]).collect::<Vec<_>>())
    };
    sizes.operands.iter().map(one).collect()
}

fn contraction_elements(body: &kernel::Contraction, sizes: &[Size]) -> Vec<Size> {
    let sizes = body.sizes(sizes);
    let of = |rows: &Size, columns: &Size, strides: &Strides<Size>| {
        moved(&[(&sizes.outer, &strides.outer[0]), (rows, &strides.outer[1]), (columns, &strides.inner)])
    };
    let (a_rows, a_columns) = if body.transpose_a { (&sizes.k, &sizes.m) } else { (&sizes.m, &sizes.k) };
    let (b_rows, b_columns) = if body.transpose_b { (&sizes.n, &sizes.k) } else { (&sizes.k, &sizes.n) };
    let mut all = vec![of(a_rows, a_columns, &sizes.a), of(b_rows, b_columns, &sizes.b)];
    for (i, strides) in sizes.operands.iter().enumerate() {
        let (rows, columns) = match body.loader(i as u16 + 2) {
            kernel::Loader::PrologueA => (a_rows, a_columns),
            kernel::Loader::PrologueB => (b_rows, b_columns),
            kernel::Loader::Epilogue => (&sizes.m, &sizes.n),
        };
        all.push(of(rows, columns, strides));
    }
    let turned = body.rotary.iter().zip(&sizes.positions);
    all.extend(turned.flat_map(|(rotary, positions)| rotary.elements(sizes.m.clone(), positions.clone())));
    all
}

#[cfg(test)]
mod tests {
    use super::{AttentionMask, Body, Kernel, Size, bytes, pairs};
    use crate::kernel::{Contraction, Operand, ScatterAdd};
    use crate::precision::Precision;

    /// Read, and written.
    fn moved(kernel: &Kernel, sizes: &[i64]) -> [i64; 2] {
        let sizes: Vec<Size> = sizes.iter().copied().map(Size::constant).collect();
        bytes(kernel, &sizes).map(|bytes| bytes.as_constant().unwrap())
    }

    #[test]
    fn what_is_updated_is_read_and_written() {
        let body = Body::Contraction(Contraction::product(Precision::F32, false, false));
        let sizes = [1, 2, 3, 5, 0, 5, 0, 3, 0, 3];
        let kernel = |c| Kernel { body: body.clone(), operands: vec![Operand::READ, Operand::READ, c] };
        assert_eq!(moved(&kernel(Operand::WRITE), &sizes), [4 * (2 * 5 + 5 * 3), 4 * 2 * 3]);
        assert_eq!(moved(&kernel(Operand::UPDATE), &sizes), [4 * (2 * 5 + 5 * 3 + 2 * 3), 4 * 2 * 3]);
    }

    #[test]
    fn of_a_table_that_is_not_zeroed_only_the_rows_count_that_are_added_to() {
        let body = Body::ScatterAdd(ScatterAdd);
        let kernel = |table| Kernel { body: body.clone(), operands: vec![Operand::READ_I32, Operand::READ, table] };
        assert_eq!(moved(&kernel(Operand::UPDATE), &[7, 8, 1000]), [4 * (7 + 7 * 8 + 7 * 8), 4 * 7 * 8]);
        assert_eq!(moved(&kernel(Operand::WRITE), &[7, 8, 1000]), [4 * (7 + 7 * 8), 4 * 8 * 1000]);
    }

    #[test]
    fn a_window_is_counted_by_the_keys_in_it() {
        let counted = |mask, positions: i64| pairs(mask, &Size::constant(positions)).as_constant().unwrap();
        let sees = |width: i64, query: i64, key: i64| key <= query && key > query - width;
        for (width, positions) in [(1, 5), (3, 8), (8, 8), (2, 1), (100, 8), (u32::MAX, 1024)] {
            let seen = |query| (0..positions).filter(|key| sees(width.into(), query, *key)).count() as i64;
            let all: i64 = (0..positions).map(seen).sum();
            assert_eq!(counted(AttentionMask::Window(width), positions), 2 * all, "{width} of {positions}");
        }
        assert_eq!(counted(AttentionMask::Window(8), 8), counted(AttentionMask::Causal, 8));
    }
}
