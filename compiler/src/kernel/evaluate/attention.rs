//! Attention by its definition, one query after the other.

use super::Memory;
use super::moving::{Made, turn};
use crate::graph::AttentionMask;
use crate::kernel::{Attention, AttentionBackward, CachedAttention};
use crate::precision::Precision;

/// The shape of one attention: B sequences, T queries, S keys of which query t stands at `offset + t`, H heads, G key/value heads.
struct Shape {
    precision: Precision,
    b: i64,
    t: i64,
    s: i64,
    h: i64,
    g: i64,
    channels: i64,
    offset: i64,
    /// The operand with each token's position in its document.
    positions: Option<usize>,
    mask: AttentionMask,
    scale: f64,
}

/// One query: its row among all queries, its sequence and its position.
struct Query {
    row: i64,
    batch: i64,
    position: i64,
    /// The first key of its document.
    start: i64,
    group: i64,
}

impl Shape {
    fn queries(&self, memory: &Memory) -> Vec<Query> {
        let Shape { b, t, h, g, offset, .. } = *self;
        let query = |row: i64| {
            let (token, head) = (row / h, row % h);
            let position = offset + token % t;
            let batch = token / t;
            Query { row, batch, position, start: self.start(memory, batch, position), group: head / (h / g) }
        };
        (0..b * t * h).map(query).collect()
    }

    fn key_row(&self, query: &Query, key: i64) -> i64 {
        (query.batch * self.s + key) * self.g + query.group
    }

    fn sees(&self, memory: &Memory, query: &Query, key: i64) -> bool {
        match self.mask {
            AttentionMask::Full => key < self.offset + self.t && self.start(memory, query.batch, key) == query.start,
            AttentionMask::Causal => key >= query.start && key <= query.position,
            AttentionMask::Window(width) => {
                key >= query.start && key <= query.position && key > query.position - i64::from(width)
            }
        }
    }

    /// The first key of a token's document.
    fn start(&self, memory: &Memory, batch: i64, position: i64) -> i64 {
        self.positions.map_or(0, |operand| position - memory.get(operand, batch * self.t + position) as i64)
    }

    /// The same of rounded operands.
    fn rounded_dot(&self, memory: &Memory, (a, x): (usize, i64), (b, y): (usize, i64)) -> f64 {
        let c = self.channels;
        let rounded = |operand, element| self.precision.operand(memory.get(operand, element));
        (0..c).map(|i| rounded(a, x * c + i) * rounded(b, y * c + i)).sum()
    }

    /// Σ over channels of row `x` of one operand times row `y` of another.
    fn dot(&self, memory: &Memory, (a, x): (usize, i64), (b, y): (usize, i64)) -> f64 {
        let c = self.channels;
        (0..c).map(|i| memory.get(a, x * c + i) * memory.get(b, y * c + i)).sum()
    }

    /// The probabilities of a query over the keys it sees, and the log-sum-exp. q and k are operands 0 and 1.
    fn probabilities(&self, memory: &Memory, query: &Query) -> (Vec<(i64, f64)>, f64) {
        let keys = (0..self.s).filter(|key| self.sees(memory, query, *key)).map(|key| self.key_row(query, key));
        let scores: Vec<(i64, f64)> =
            keys.map(|key| (key, self.scale * self.rounded_dot(memory, (0, query.row), (1, key)))).collect();
        let largest = scores.iter().fold(f64::NEG_INFINITY, |m, (_, s)| m.max(*s));
        let lse = largest + scores.iter().map(|(_, s)| (s - largest).exp()).sum::<f64>().ln();
        (scores.into_iter().map(|(key, s)| (key, (s - lse).exp())).collect(), lse)
    }

    /// Writes Σ probability · value to the row of `out`; v is operand 2. Gives the log-sum-exp.
    fn attend(&self, memory: &mut Memory, query: &Query, out: usize) -> f64 {
        let c = self.channels;
        let (probabilities, lse) = self.probabilities(memory, query);
        for i in 0..c {
            let rounded = |value| self.precision.operand(value);
            let value = probabilities.iter().map(|(key, p)| rounded(*p) * rounded(memory.get(2, key * c + i))).sum();
            memory.set(out, query.row * c + i, value);
        }
        lse
    }
}

pub fn forward(body: &Attention, sizes: &[i64], memory: &mut Memory) {
    let positions = body.documents.then_some(3);
    let shape = training_shape(body.precision, body.channels, body.mask, positions, body.scale.0, sizes);
    let out = 3 + usize::from(body.documents);
    for query in shape.queries(memory) {
        let lse = shape.attend(memory, &query, out);
        memory.set(out + 1, query.row, lse);
    }
}

/// dv = p·do, ds = p ∘ (do·v − do·out), dq = scale · ds·k, dk = scale · ds·q.
pub fn backward(body: &AttentionBackward, sizes: &[i64], memory: &mut Memory) {
    let positions = body.documents.then_some(6);
    let shape = training_shape(body.precision, body.channels, body.mask, positions, body.scale.0, sizes);
    let c = shape.channels;
    let (queries, keys) = (shape.b * shape.t * shape.h * c, shape.b * shape.t * shape.g * c);
    let [d_q, d_k, d_v] = [6, 7, 8].map(|operand| operand + usize::from(body.documents));
    for (operand, elements) in [(d_q, queries), (d_k, keys), (d_v, keys)] {
        (0..elements).for_each(|i| memory.set(operand, i, 0.0));
    }
    for query in shape.queries(memory) {
        let (probabilities, _) = shape.probabilities(memory, &query);
        let through_out = shape.dot(memory, (5, query.row), (3, query.row));
        for (key, p) in probabilities {
            let d_p = shape.rounded_dot(memory, (5, query.row), (2, key)) - through_out;
            let score = shape.scale * p * d_p;
            let rounded = |value| shape.precision.operand(value);
            for i in 0..c {
                let (q, k) = (query.row * c + i, key * c + i);
                memory.add(d_q, q, rounded(score) * rounded(memory.get(1, k)));
                memory.add(d_k, k, rounded(score) * rounded(memory.get(0, q)));
                memory.add(d_v, k, rounded(p) * rounded(memory.get(5, q)));
            }
        }
    }
    for (operand, heads) in [(d_q, shape.h), (d_k, shape.g)] {
        let made = Made { operand, stride: heads * c, heads, tokens: 0..shape.b * shape.t, positions: shape.t };
        body.rotary.iter().for_each(|rotary| turn(rotary, d_v + 1, &made, memory));
    }
}

pub fn cached(body: &CachedAttention, sizes: &[i64], memory: &mut Memory) {
    let [b, t, s, h, g] = [sizes[0], sizes[1], sizes[2], sizes[3], sizes[4]];
    let offset = memory.get(3, 0) as i64;
    let (channels, mask, scale) = (i64::from(body.channels), body.mask, body.scale.0);
    let precision = Precision::F32;
    let shape = Shape { precision, b, t, s, h, g, channels, offset, positions: None, mask, scale };
    for query in shape.queries(memory) {
        shape.attend(memory, &query, 4);
    }
}

fn training_shape(
    precision: Precision,
    channels: u32,
    mask: AttentionMask,
    positions: Option<usize>,
    scale: f64,
    sizes: &[i64],
) -> Shape {
    let [b, t, h, g] = [sizes[0], sizes[1], sizes[2], sizes[3]];
    Shape { precision, b, t, s: t, h, g, channels: i64::from(channels), offset: 0, positions, mask, scale }
}
