//! Norms, softmax, losses and indexing, row by row.

use super::*;
use crate::scalar::{Binary, Unary};

fn row(numbers: &[f64]) -> Tensor {
    Tensor::f32(vec![1, numbers.len()], numbers.to_vec())
}

#[test]
fn pointwise_operations_apply_the_scalar_functions() {
    let [a, b] = [noise(0, &[2, 3]), noise(1, &[2, 3])];
    assert_eq!(one(Op::Unary(Unary::Gelu), &[&a]), from_fn(&[2, 3], |i| Unary::Gelu.eval(at(&a, i))));
    let less = one(Op::Binary(Binary::Less), &[&a, &b]);
    assert_eq!(less, from_fn(&[2, 3], |i| f64::from(at(&a, i) < at(&b, i))));
    assert_eq!(one(Op::Select, &[&less, &a, &b]), from_fn(&[2, 3], |i| at(&a, i).min(at(&b, i))));
}

#[test]
fn l2_normalize_guards_the_ends_of_the_range() {
    for scale in [1.0, 1e-200, 1e200, 1e-310] {
        let y = one(Op::L2Normalize { eps: 0.0 }, &[&row(&[3.0 * scale, -4.0 * scale])]);
        assert!((y.floats()[0] - 0.6).abs() < 1e-12 && (y.floats()[1] + 0.8).abs() < 1e-12, "{scale}: {y:?}");
    }
    for eps in [0.0, 1e-5] {
        assert_eq!(one(Op::L2Normalize { eps }, &[&row(&[0.0, 0.0])]), row(&[0.0, 0.0]));
    }
    assert_near(&one(Op::L2Normalize { eps: 5.0 }, &[&row(&[3.0, 4.0])]), &row(&[0.3, 0.4]));
}

/// x = (1, 3): mean 2, variance 1, mean square 5.
#[test]
fn layer_norm_and_rms_norm() {
    assert_near(&one(Op::LayerNorm { eps: 3.0 }, &[&row(&[1.0, 3.0])]), &row(&[-0.5, 0.5]));
    assert_near(&one(Op::RmsNorm { eps: 4.0 }, &[&row(&[1.0, 3.0])]), &row(&[1.0 / 3.0, 1.0]));
}

#[test]
fn softmax_is_stable() {
    let expected = row(&[0.25, 0.75]);
    for shift in [0.0, 1e4, -1e4] {
        let y = one(Op::Softmax, &[&row(&[shift, shift + 3f64.ln()])]);
        y.floats().iter().zip(expected.floats()).for_each(|(y, e)| assert!((y - e).abs() < 1e-11, "{y} at {shift}"));
    }
    assert_near(&one(Op::Softmax, &[&row(&[0.0, f64::NEG_INFINITY])]), &row(&[1.0, 0.0]));
}

/// Each number is told by how many are before it: larger, or equal and earlier.
#[test]
fn the_k_largest_are_those_that_fewer_than_k_precede() {
    let coarse = from_fn(&[3, 4, 9], |i| (at(&noise(7, &[3, 4, 9]), i) * 3.0).round());
    for x in [noise(0, &[3, 4, 9]), coarse] {
        for k in 1..=9 {
            let want = from_fn(&[3, 4, 9], |i| {
                let other = |j: usize| at(&x, &[i[0], i[1], j]);
                let before = (0..9).filter(|j| other(*j) > other(i[2]) || other(*j) == other(i[2]) && *j < i[2]);
                f64::from(before.count() < k)
            });
            assert_eq!(one(Op::TopK { k: Size::constant(k as i64) }, &[&x]), want);
        }
    }
}

#[test]
fn the_k_largest_at_the_ends_of_the_range() {
    let mask = |numbers: &[f64], k: i64| one(Op::TopK { k: Size::constant(k) }, &[&row(numbers)]);
    let (nan, inf) = (f64::NAN, f64::INFINITY);
    assert_eq!(mask(&[0.0, -0.0, 0.0, -1.0], 2), row(&[1.0, 1.0, 0.0, 0.0]));
    assert_eq!(mask(&[-inf, inf, -inf, 5.0], 3), row(&[1.0, 1.0, 0.0, 1.0]));
    assert_eq!(mask(&[nan, 1.0, nan, 2.0], 1), row(&[0.0, 0.0, 0.0, 1.0]));
    assert_eq!(mask(&[nan, 1.0, nan, -inf], 3), row(&[0.0, 1.0, 0.0, 1.0]));
    assert_eq!(mask(&[nan, nan], 1), row(&[0.0, 0.0]));
    let kth = |numbers: &[f64], k: f64| one(Op::KthLargest, &[&row(numbers), &row(&[k])]).floats()[0];
    assert_eq!([1.0, 2.0, 3.0, 4.0].map(|k| kth(&[2.0, 7.0, nan, 7.0], k)), [7.0, 7.0, 2.0, 2.0]);
    assert_eq!((kth(&[nan], 1.0), kth(&[-inf, nan], 2.0)), (inf, -inf));
}

#[test]
fn cross_entropy_of_a_row_and_of_a_product() {
    let logits = Tensor::f32(vec![2, 2], vec![1000.0, 1000.0 + 3f64.ln(), 0.0, 0.0]);
    let labels = ids(&[2], &[0, 1]);
    let loss = one(Op::CrossEntropy, &[&logits, &labels]);
    assert!((loss.floats()[0] - 4f64.ln()).abs() < 1e-12 && (loss.floats()[1] - 2f64.ln()).abs() < 1e-15);

    let [h, w, labels] = [noise(0, &[2, 3, 4]), noise(1, &[5, 4]), ids(&[2, 3], &[0, 4, 2, 2, 1, 3])];
    let logits = one(Op::MatMul { transpose_a: false, transpose_b: true }, &[&h, &w]);
    let expected = results(Op::CrossEntropy, &[&logits, &labels]);
    assert_eq!(results(Op::VocabularyLoss, &[&h, &w, &labels]), expected);

    let [log_sum_exp, gradient] = [&expected[1], &noise(2, &[2, 3, 1])];
    let d_logits = one(Op::CrossEntropyBackward, &[&logits, &labels, log_sum_exp, gradient]);
    let d_h = one(Op::MatMul { transpose_a: false, transpose_b: false }, &[&d_logits, &w]);
    let got = results(Op::VocabularyLossBackward, &[&h, &w, &labels, log_sum_exp, gradient]);
    assert_near(&got[0], &d_h);
    let d_w = |i: &[usize]| {
        let rows = (0..6).map(|r| [r / 3, r % 3]);
        rows.map(|r| at(&d_logits, &[r[0], r[1], i[0]]) * at(&h, &[r[0], r[1], i[1]])).sum()
    };
    assert_near(&got[1], &from_fn(&[5, 4], d_w));
}

#[test]
fn indexing() {
    let table = noise(0, &[3, 2]);
    let tokens = ids(&[2, 2], &[2, 0, 2, 2]);
    let rows = one(Op::Embed, &[&tokens, &table]);
    let row_of = |i: &[usize]| tokens.integers()[i[0] * 2 + i[1]] as usize;
    assert_eq!(rows, from_fn(&[2, 2, 2], |i| at(&table, &[row_of(i), i[2]])));
    let scattered = one(Op::EmbedBackward { classes: Size::constant(3) }, &[&tokens, &rows]);
    assert_near(&scattered, &from_fn(&[3, 2], |i| [1.0, 0.0, 3.0][i[0]] * at(&table, i)));

    let hot = one(Op::OneHot { classes: Size::constant(3) }, &[&tokens]);
    assert_eq!(hot, from_fn(&[2, 2, 3], |i| f64::from(row_of(i) == i[2])));
    let largest = one(Op::ArgMax, &[&Tensor::f32(vec![3, 2], vec![1.0, 2.0, 5.0, 5.0, -1.0, -2.0])]);
    assert_eq!(largest, ids(&[3], &[1, 0, 0]));
    let equal = one(Op::LabelsEqual, &[&largest, &ids(&[3], &[1, 1, 0])]);
    assert_eq!(equal, Tensor::f32(vec![3], vec![1.0, 0.0, 1.0]));
}
