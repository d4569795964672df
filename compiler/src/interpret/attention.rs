//! Attention between tokens, forward and backward, one query of one head at a time.

use super::{Tensor, norm};
use crate::graph::AttentionMask;
use std::ops::Range;

/// One query: sequence, position among the queries, head.
type Row = (usize, usize, usize);

/// Sizes and the places of heads: q `[B, T, H, C]`, k and v `[B, S, G, C]`; query head h uses key/value head h / (H / G).
struct Heads<'a> {
    mask: AttentionMask,
    scale: f64,
    batch: usize,
    queries: usize,
    heads: usize,
    channels: usize,
    /// Key positions that there is room for, and that are filled.
    capacity: usize,
    filled: usize,
    groups: usize,
    /// Where the first query stands among the keys.
    position: usize,
    /// Where each token stands in its document, if there are several.
    documents: Option<&'a [i32]>,
}

impl<'a> Heads<'a> {
    fn new(mask: AttentionMask, scale: f64, q: &Tensor, k: &Tensor) -> Heads<'a> {
        let [batch, queries, heads, channels] = q.shape[..] else { unreachable!("four axes") };
        let [_, capacity, groups, _] = k.shape[..] else { unreachable!("four axes") };
        Heads {
            mask,
            scale,
            batch,
            queries,
            heads,
            channels,
            capacity,
            filled: capacity,
            groups,
            position: 0,
            documents: None,
        }
    }

    /// Every query, in the order of q.
    fn rows(&self) -> impl Iterator<Item = Row> + use<> {
        let (queries, heads) = (self.queries, self.heads);
        (0..self.batch * queries * heads).map(move |row| (row / heads / queries, row / heads % queries, row % heads))
    }

    fn row_index(&self, (b, t, h): Row) -> usize {
        (b * self.queries + t) * self.heads + h
    }

    fn query(&self, row: Row) -> Range<usize> {
        let index = self.row_index(row);
        index * self.channels..(index + 1) * self.channels
    }

    fn key(&self, (b, _, h): Row, s: usize) -> Range<usize> {
        let index = (b * self.capacity + s) * self.groups + h / (self.heads / self.groups);
        index * self.channels..(index + 1) * self.channels
    }

    /// The keys that query t may see.
    fn visible(&self, (b, t, _): Row) -> Vec<usize> {
        let end = self.position + t + 1;
        let start = self.document_start(b, end - 1);
        let from = |first: usize| (first.max(start.max(0) as usize)..end).collect();
        match self.mask {
            AttentionMask::Full => (0..self.filled).filter(|s| self.document_start(b, *s) == start).collect(),
            AttentionMask::Causal => from(0),
            AttentionMask::Window(n) => from(end.saturating_sub(n as usize)),
        }
    }

    /// Where the document of a key begins; negative where that was before the sequence.
    fn document_start(&self, b: usize, s: usize) -> i64 {
        self.documents.map_or(0, |positions| s as i64 - i64::from(positions[b * self.queries + s]))
    }

    fn scores(&self, row: Row, q: &[f64], k: &[f64]) -> Vec<f64> {
        let q = &q[self.query(row)];
        self.visible(row).into_iter().map(|s| self.scale * dot(q, &k[self.key(row, s)])).collect()
    }

    /// (out, log-sum-exp) of all queries.
    fn attend(&self, q: &[f64], k: &[f64], v: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let mut out = vec![0.0; q.len()];
        let mut log_sum_exps = Vec::new();
        for row in self.rows() {
            let scores = self.scores(row, q, k);
            let log_sum_exp = norm::log_sum_exp(&scores);
            for (s, score) in self.visible(row).into_iter().zip(scores) {
                add_scaled(&mut out[self.query(row)], (score - log_sum_exp).exp(), &v[self.key(row, s)]);
            }
            log_sum_exps.push(log_sum_exp);
        }
        (out, log_sum_exps)
    }
}

/// (q, k, v), and where there are several documents each token's position in its own → (out, log-sum-exp)
pub(super) fn forward(mask: AttentionMask, scale: f64, operands: &[&Tensor]) -> [Tensor; 2] {
    let [q, k, v] = [operands[0], operands[1], operands[2]];
    let documents = operands.get(3).map(|positions| positions.integers());
    let heads = Heads { documents, ..Heads::new(mask, scale, q, k) };
    let (out, log_sum_exp) = heads.attend(q.floats(), k.floats(), v.floats());
    [Tensor::f32(q.shape.clone(), out), Tensor::f32(q.shape[..3].to_vec(), log_sum_exp)]
}

/// Queries from `position` on against caches that are filled up to the last of them.
pub(super) fn cached(
    mask: AttentionMask,
    scale: f64,
    q: &Tensor,
    keys: &Tensor,
    values: &Tensor,
    position: &Tensor,
) -> Tensor {
    let position = position.integers()[0] as usize;
    let filled = position + q.shape[1];
    let heads = Heads { position, filled, ..Heads::new(mask, scale, q, keys) };
    let (out, _) = heads.attend(q.floats(), keys.floats(), values.floats());
    Tensor::f32(q.shape.clone(), out)
}

/// (q, k, v, out, log-sum-exp, gradient of out), and positions as in the forward pass → gradients of (q, k, v).
///
/// P = exp(scale · q·k − lse), dV = Pᵀ·dO, dS = P ∘ (dO·Vᵀ − ⟨dO, O⟩), dQ = scale · dS·K, dK = scale · dSᵀ·Q.
pub(super) fn backward(mask: AttentionMask, scale: f64, operands: &[&Tensor]) -> [Tensor; 3] {
    let documents = operands.get(6).map(|positions| positions.integers());
    let heads = Heads { documents, ..Heads::new(mask, scale, operands[0], operands[1]) };
    let [q, k, v, out, log_sum_exp, gradient] = std::array::from_fn(|i| operands[i].floats());
    let [mut dq, mut dk, mut dv] = [q, k, v].map(|x| vec![0.0; x.len()]);
    for row in heads.rows() {
        let query = heads.query(row);
        let d_out = &gradient[query.clone()];
        let common = dot(d_out, &out[query.clone()]);
        for (s, score) in heads.visible(row).into_iter().zip(heads.scores(row, q, k)) {
            let key = heads.key(row, s);
            let p = (score - log_sum_exp[heads.row_index(row)]).exp();
            let d_score = scale * p * (dot(d_out, &v[key.clone()]) - common);
            add_scaled(&mut dv[key.clone()], p, d_out);
            add_scaled(&mut dk[key.clone()], d_score, &q[query.clone()]);
            add_scaled(&mut dq[query.clone()], d_score, &k[key]);
        }
    }
    [(operands[0], dq), (operands[1], dk), (operands[2], dv)].map(|(x, data)| Tensor::f32(x.shape.clone(), data))
}

/// The cache with `new` from `position` on.
pub(super) fn cache_write(cache: &Tensor, new: &Tensor, position: &Tensor) -> Tensor {
    let row: usize = cache.shape[2..].iter().product();
    let [capacity, length] = [cache.shape[1] * row, new.shape[1] * row];
    let start = position.integers()[0] as usize * row;
    let mut data = cache.floats().to_vec();
    for b in 0..cache.shape[0] {
        let place = b * capacity + start;
        data[place..place + length].copy_from_slice(&new.floats()[b * length..(b + 1) * length]);
    }
    Tensor::f32(cache.shape.clone(), data)
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn add_scaled(sum: &mut [f64], factor: f64, x: &[f64]) {
    sum.iter_mut().zip(x).for_each(|(sum, x)| *sum += factor * x);
}
