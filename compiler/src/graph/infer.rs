//! The type of every result, from the operation and the types of its operands: one table, one arm an operation.

use super::{DType, Op, Type};
use crate::size::Size;

/// The types of the results, or why the operation cannot be applied. Sources have no operands to infer from: an error.
pub fn infer(op: &Op, operands: &[&Type]) -> Result<Vec<Type>, String> {
    match op {
        Op::Load(_) | Op::Constant(_) | Op::SizeOf(_) | Op::Iota { .. } => {
            Err("the type of a source must be given".into())
        }
        Op::Uniform { shape, .. } => {
            let [seed] = take(operands)?;
            same(seed, &Type::i32(vec![Size::constant(2)]))?;
            Ok(vec![Type::f32(shape.clone())])
        }
        Op::Unary(_) => {
            let [x] = take(operands)?;
            float(x)?;
            Ok(vec![x.clone()])
        }
        Op::Binary(_) => {
            let [a, b] = take(operands)?;
            float(a)?;
            same(a, b)?;
            Ok(vec![a.clone()])
        }
        Op::Select => {
            let [condition, a, b] = take(operands)?;
            float(condition)?;
            same(condition, a)?;
            same(a, b)?;
            Ok(vec![a.clone()])
        }
        Op::ToFloat => {
            let [x] = take(operands)?;
            integer(x)?;
            Ok(vec![Type::f32(x.shape.clone())])
        }
        Op::Broadcast { shape } => {
            let [x] = take(operands)?;
            broadcast(x, shape)
        }
        Op::Reshape { shape } => {
            let [x] = take(operands)?;
            require(x.elements() == Size::product(shape), || "a reshape keeps the number of elements".into())?;
            Ok(vec![Type { dtype: x.dtype, shape: shape.clone() }])
        }
        Op::Transpose { permutation } => {
            let [x] = take(operands)?;
            let mut sorted = permutation.clone();
            sorted.sort();
            require(sorted.iter().copied().eq(0..x.rank()), || "a transposition permutes all axes".into())?;
            Ok(vec![Type { dtype: x.dtype, shape: permutation.iter().map(|i| x.shape[*i].clone()).collect() }])
        }
        Op::Slice { axis, length, .. } => {
            let [x] = take(operands)?;
            Ok(vec![with_axis(x, *axis, length.clone())?])
        }
        Op::Concat { axis } => concat(operands, *axis),
        Op::Reduce { axes, .. } => {
            let [x] = take(operands)?;
            float(x)?;
            require(axes.is_sorted_by(|a, b| a < b) && axes.iter().all(|a| *a < x.rank()), || {
                "axes of a reduction ascend".into()
            })?;
            let keep = |(i, size): (usize, &Size)| if axes.contains(&i) { Size::constant(1) } else { size.clone() };
            Ok(vec![Type::f32(x.shape.iter().enumerate().map(keep).collect())])
        }
        Op::MatMul { transpose_a, transpose_b } => {
            let [a, b] = take(operands)?;
            matmul(a, b, *transpose_a, *transpose_b)
        }
        Op::L2Normalize { .. } | Op::LayerNorm { .. } | Op::RmsNorm { .. } | Op::Softmax | Op::TopK { .. } => {
            let [x] = take(operands)?;
            float(x)?;
            require(x.rank() > 0, || "there is no last axis".into())?;
            Ok(vec![x.clone()])
        }
        Op::Embed => {
            let [ids, table] = take(operands)?;
            integer(ids)?;
            real(table)?;
            require(table.rank() == 2, || "the table of an embedding has two axes".into())?;
            Ok(vec![Type::f32([ids.shape.as_slice(), &table.shape[1..]].concat())])
        }
        Op::EmbedBackward { classes } => {
            let [ids, gradient] = take(operands)?;
            integer(ids)?;
            let (width, rows) = split_last(gradient)?;
            require(rows == ids.shape, || "one row of gradient per id".into())?;
            Ok(vec![Type::f32(vec![classes.clone(), width])])
        }
        Op::OneHot { classes } => {
            let [labels] = take(operands)?;
            integer(labels)?;
            Ok(vec![Type::f32([labels.shape.as_slice(), std::slice::from_ref(classes)].concat())])
        }
        Op::Rope { .. } => {
            let [x, position] = take(operands)?;
            float(x)?;
            require(x.rank() == 4, || "rotary embedding needs [batch, positions, heads, channels]".into())?;
            if position.rank() == 0 {
                scalar_integer(position)?
            } else {
                document_positions(x, position)?
            }
            Ok(vec![x.clone()])
        }
        Op::Attention { .. } => {
            let [q, k, v] = take_with_positions(operands)?;
            Ok(vec![q.clone(), attention(q, k, v)?])
        }
        Op::AttentionBackward { .. } => {
            let [q, k, v, out, log_sum_exp, gradient] = take_with_positions(operands)?;
            same(&attention(q, k, v)?, log_sum_exp)?;
            same(q, out)?;
            same(q, gradient)?;
            Ok(vec![q.clone(), k.clone(), v.clone()])
        }
        Op::CachedAttention { .. } => {
            let [q, k, v, position] = take(operands)?;
            heads(q, k)?;
            same(k, v)?;
            scalar_integer(position)?;
            Ok(vec![q.clone()])
        }
        Op::CacheWrite => {
            let [cache, new, position] = take(operands)?;
            require(cache.rank() == 4 && new.rank() == 4, || "a cache has four axes".into())?;
            require(cache.shape[2..] == new.shape[2..], || "cache and new rows differ in heads or channels".into())?;
            scalar_integer(position)?;
            Ok(vec![cache.clone()])
        }
        Op::CrossEntropy => {
            let [logits, labels] = take(operands)?;
            let row = loss_row(logits, labels)?;
            Ok(vec![row.clone(), row])
        }
        Op::CrossEntropyBackward => {
            let [logits, labels, lse, gradient] = take(operands)?;
            let row = loss_row(logits, labels)?;
            same(&row, lse)?;
            same(&row, gradient)?;
            Ok(vec![logits.clone()])
        }
        Op::VocabularyLoss => {
            let [h, w, labels] = take(operands)?;
            let row = loss_row(h, labels)?;
            vocabulary(h, w)?;
            Ok(vec![row.clone(), row])
        }
        Op::VocabularyLossBackward => {
            let [h, w, labels, lse, gradient] = take(operands)?;
            let row = loss_row(h, labels)?;
            vocabulary(h, w)?;
            same(&row, lse)?;
            same(&row, gradient)?;
            Ok(vec![h.clone(), w.clone()])
        }
        Op::KthLargest => {
            let [x, k] = take(operands)?;
            float(x)?;
            let (_, rows) = split_last(x)?;
            same(k, &Type::f32([rows.as_slice(), &[Size::constant(1)]].concat()))?;
            Ok(vec![k.clone()])
        }
        Op::ArgMax => {
            let [x] = take(operands)?;
            float(x)?;
            Ok(vec![Type::i32(split_last(x)?.1)])
        }
        Op::LabelsEqual => {
            let [a, b] = take(operands)?;
            integer(a)?;
            same(a, b)?;
            Ok(vec![Type::f32(a.shape.clone())])
        }
    }
}

fn require(condition: bool, why: impl FnOnce() -> String) -> Result<(), String> {
    if condition { Ok(()) } else { Err(why()) }
}

fn take<'a, const N: usize>(operands: &[&'a Type]) -> Result<[&'a Type; N], String> {
    operands.try_into().map_err(|_| format!("takes {N} operands, {} given", operands.len()))
}

/// The operands of an attention, after which may stand the position of each token in its document.
fn take_with_positions<'a, const N: usize>(operands: &[&'a Type]) -> Result<[&'a Type; N], String> {
    if let (true, Some((positions, rest))) = (operands.len() == N + 1, operands.split_last()) {
        document_positions(rest[0], positions)?;
        return take(rest);
    }
    take(operands)
}

/// Whether there is a position for each token of x `[B, T, …]`.
fn document_positions(x: &Type, positions: &Type) -> Result<(), String> {
    integer(positions)?;
    require(x.rank() == 4 && x.shape[..2] == positions.shape[..], || "there is one position for each token".into())
}

fn float(x: &Type) -> Result<(), String> {
    require(x.dtype == DType::F32, || "takes f32".into())
}

/// An operand that may be stored as it is multiplied.
fn real(x: &Type) -> Result<(), String> {
    require(x.dtype != DType::I32, || "takes f32 or bf16".into())
}

fn integer(x: &Type) -> Result<(), String> {
    require(x.dtype == DType::I32, || "takes i32".into())
}

fn scalar_integer(x: &Type) -> Result<(), String> {
    integer(x)?;
    require(x.rank() == 0, || "a position is a scalar".into())
}

fn same(a: &Type, b: &Type) -> Result<(), String> {
    require(a == b, || format!("types differ: {a:?} and {b:?}"))
}

fn split_last(x: &Type) -> Result<(Size, Vec<Size>), String> {
    let (last, rows) = x.shape.split_last().ok_or("there is no last axis")?;
    Ok((last.clone(), rows.to_vec()))
}

fn with_axis(x: &Type, axis: usize, size: Size) -> Result<Type, String> {
    let mut shape = x.shape.clone();
    *shape.get_mut(axis).ok_or("no such axis")? = size;
    Ok(Type { dtype: x.dtype, shape })
}

fn broadcast(x: &Type, shape: &[Size]) -> Result<Vec<Type>, String> {
    require(x.rank() == shape.len(), || "a broadcast keeps the rank".into())?;
    let fits = x.shape.iter().zip(shape).all(|(from, to)| from == to || from.is_one());
    require(fits, || "a broadcast repeats only axes of size 1".into())?;
    Ok(vec![Type { dtype: x.dtype, shape: shape.to_vec() }])
}

fn concat(operands: &[&Type], axis: usize) -> Result<Vec<Type>, String> {
    let first = *operands.first().ok_or("nothing to concatenate")?;
    let mut total = Size::default();
    for x in operands {
        total = total + x.shape.get(axis).ok_or("no such axis")?.clone();
        let aligned = with_axis(x, axis, first.shape[axis].clone())?;
        same(&aligned, first)?;
    }
    Ok(vec![with_axis(first, axis, total)?])
}

fn matmul(a: &Type, b: &Type, transpose_a: bool, transpose_b: bool) -> Result<Vec<Type>, String> {
    float(a)?;
    real(b)?;
    require(a.rank() >= 2 && b.rank() >= 2, || "a matrix has two axes".into())?;
    let (outer_a, a) = a.shape.split_at(a.rank() - 2);
    let (outer_b, b) = b.shape.split_at(b.rank() - 2);
    require(outer_b.is_empty() || outer_a == outer_b, || "leading axes differ".into())?;
    let (m, k) = if transpose_a { (&a[1], &a[0]) } else { (&a[0], &a[1]) };
    let (k_b, n) = if transpose_b { (&b[1], &b[0]) } else { (&b[0], &b[1]) };
    require(k == k_b, || format!("contracts {k:?} with {k_b:?}"))?;
    Ok(vec![Type::f32([outer_a, &[m.clone(), n.clone()]].concat())])
}

fn heads(q: &Type, k: &Type) -> Result<(), String> {
    require(q.rank() == 4 && k.rank() == 4, || "attention needs [batch, positions, heads, channels]".into())?;
    require(q.shape[0] == k.shape[0] && q.shape[3] == k.shape[3], || {
        "queries and keys differ in batch or channels".into()
    })?;
    let divides = q.shape[2].checked_div(&k.shape[2]).is_some();
    require(divides, || "the heads are no multiple of the key/value heads".into())
}

/// The type of the log-sum-exp, if the positions of queries and keys are the same.
fn attention(q: &Type, k: &Type, v: &Type) -> Result<Type, String> {
    float(q)?;
    heads(q, k)?;
    same(k, v)?;
    require(q.shape[1] == k.shape[1], || "queries and keys differ in positions".into())?;
    Ok(Type::f32(q.shape[..3].to_vec()))
}

fn loss_row(x: &Type, labels: &Type) -> Result<Type, String> {
    float(x)?;
    integer(labels)?;
    let (_, rows) = split_last(x)?;
    require(rows == labels.shape, || "one label per row".into())?;
    Ok(Type::f32([rows.as_slice(), &[Size::constant(1)]].concat()))
}

fn vocabulary(h: &Type, w: &Type) -> Result<(), String> {
    real(w)?;
    require(w.rank() == 2 && h.shape.last() == w.shape.last(), || "w is [classes, width of h]".into())
}
