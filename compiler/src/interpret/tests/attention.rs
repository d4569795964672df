//! Attention against the textbook: a masked softmax of a whole matrix of scores; rotary embedding against complex numbers.

use super::*;
use crate::graph::AttentionMask;
use crate::rotary;

const MASKS: [AttentionMask; 4] =
    [AttentionMask::Full, AttentionMask::Causal, AttentionMask::Window(1), AttentionMask::Window(3)];

fn sees(mask: AttentionMask, query: usize, key: usize) -> bool {
    match mask {
        AttentionMask::Full => true,
        AttentionMask::Causal => key <= query,
        AttentionMask::Window(n) => key <= query && query - key < n as usize,
    }
}

/// Attention of one query position over `keys` rows, as exp(score) / Σ exp(score).
fn textbook(mask: AttentionMask, scale: f64, [q, k, v]: [&Tensor; 3]) -> Tensor {
    let group = q.shape[2] / k.shape[2];
    from_fn(&q.shape, |i| {
        let [b, t, h, c] = i[..] else { unreachable!() };
        let weight = |s: usize| {
            let score: f64 = (0..q.shape[3]).map(|c| at(q, &[b, t, h, c]) * at(k, &[b, s, h / group, c])).sum();
            if sees(mask, t, s) { (scale * score).exp() } else { 0.0 }
        };
        let total: f64 = (0..k.shape[1]).map(weight).sum();
        (0..k.shape[1]).map(|s| weight(s) / total * at(v, &[b, s, h / group, c])).sum()
    })
}

#[test]
fn forward_is_the_textbook() {
    for mask in MASKS {
        for groups in [1, 2, 4] {
            let q = noise(0, &[2, 5, 4, 3]);
            let [k, v] = [1, 2].map(|stream| noise(stream, &[2, 5, groups, 3]));
            let got = one(Op::Attention { mask, scale: 0.7 }, &[&q, &k, &v]);
            assert_near(&got, &textbook(mask, 0.7, [&q, &k, &v]));
        }
    }
}

/// What was said in one document has no effect on the next, and each is what it is alone.
#[test]
fn documents_do_not_see_each_other() {
    for mask in [AttentionMask::Full, AttentionMask::Causal, AttentionMask::Window(3)] {
        let [q, k, v] = [0, 1, 2].map(|stream| noise(stream, &[1, 7, 2, 4]));
        let op = Op::Attention { mask, scale: 0.7 };
        let rope = Op::Rope { channels: 4, base: 100.0, inverse: false };
        let whole = ids(&[1, 7], &[0, 1, 2, 0, 1, 2, 3]);
        let [turned_q, turned_k] = [&q, &k].map(|x| one(rope.clone(), &[x, &whole]));
        let together = one(op.clone(), &[&turned_q, &turned_k, &v, &whole]);
        for (start, length) in [(0, 3), (3, 4)] {
            let part = |x: &Tensor| {
                one(Op::Slice { axis: 1, start: Size::constant(start), length: Size::constant(length) }, &[x])
            };
            let turned = |x: &Tensor| one(rope.clone(), &[&part(x), &ids(&[], &[0])]);
            assert_near(&part(&together), &one(op.clone(), &[&turned(&q), &turned(&k), &part(&v)]));
        }
    }
}

/// Position by position with a cache of larger capacity, causal and windowed attention give what they give at once.
#[test]
fn a_cache_changes_nothing() {
    for mask in [AttentionMask::Causal, AttentionMask::Window(3)] {
        let q = noise(0, &[2, 6, 4, 3]);
        let [k, v] = [1, 2].map(|stream| noise(stream, &[2, 6, 2, 3]));
        let whole = one(Op::Attention { mask, scale: 0.7 }, &[&q, &k, &v]);
        let mut caches = [(); 2].map(|()| Tensor::f32(vec![2, 9, 2, 3], vec![f64::NAN; 2 * 9 * 6]));
        for (start, length) in [(0, 3), (3, 1), (4, 2)] {
            let part = |x: &Tensor| {
                one(Op::Slice { axis: 1, start: Size::constant(start), length: Size::constant(length) }, &[x])
            };
            let position = ids(&[], &[start as i32]);
            for (cache, new) in caches.iter_mut().zip([&k, &v]) {
                *cache = one(Op::CacheWrite, &[cache, &part(new), &position]);
            }
            let [keys, values] = caches.clone();
            let got = one(Op::CachedAttention { mask, scale: 0.7 }, &[&part(&q), &keys, &values, &position]);
            assert_near(&got, &part(&whole));
        }
    }
}

#[test]
fn rope_turns_pairs_and_its_inverse_turns_them_back() {
    let x = noise(0, &[2, 3, 2, 7]);
    let position = ids(&[], &[10]);
    let rope = |inverse| Op::Rope { channels: 4, base: 100.0, inverse };
    let turned = one(rope(false), &[&x, &position]);
    let expected = from_fn(&x.shape, |i| {
        let [b, t, h, c] = i[..] else { unreachable!() };
        if c >= 4 {
            return at(&x, i);
        }
        let pair = c % 2;
        let [re, im] = [at(&x, &[b, t, h, pair]), at(&x, &[b, t, h, pair + 2])];
        let place = 10 + t as i64;
        let [cos, sin] = [rotary::cosine(place, pair, 4, 100.0), rotary::sine(place, pair, 4, 100.0)].map(f64::from);
        if c < 2 { re * cos - im * sin } else { re * sin + im * cos }
    });
    assert_near(&turned, &expected);
    let back = one(rope(true), &[&turned, &position]);
    back.floats().iter().zip(x.floats()).for_each(|(back, x)| assert!((back - x).abs() < 1e-6));
}
