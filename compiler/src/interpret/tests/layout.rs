//! Moving elements, reductions and matrix products against formulas over indices.

use super::*;
use crate::graph::Reduction;

#[test]
fn moves_follow_their_index_formulas() {
    let x = noise(0, &[2, 3, 4]);
    let transposed = one(Op::Transpose { permutation: vec![2, 0, 1] }, &[&x]);
    assert_eq!(transposed, from_fn(&[4, 2, 3], |i| at(&x, &[i[1], i[2], i[0]])));
    let slice = Op::Slice { axis: 1, start: Size::constant(1), length: Size::constant(2) };
    assert_eq!(one(slice, &[&x]), from_fn(&[2, 2, 4], |i| at(&x, &[i[0], i[1] + 1, i[2]])));
    let row = noise(1, &[2, 1, 4]);
    let broadcast = one(Op::Broadcast { shape: sizes(&[2, 3, 4]) }, &[&row]);
    assert_eq!(broadcast, from_fn(&[2, 3, 4], |i| at(&row, &[i[0], 0, i[2]])));
    let reshaped = one(Op::Reshape { shape: sizes(&[6, 4]) }, &[&x]);
    assert_eq!((reshaped.shape.as_slice(), reshaped.floats()), ([6, 4].as_slice(), x.floats()));
    let concat = one(Op::Concat { axis: 1 }, &[&x, &row, &x]);
    let part = |i: &[usize]| match i[1] {
        3 => at(&row, &[i[0], 0, i[2]]),
        j => at(&x, &[i[0], j % 4, i[2]]),
    };
    assert_eq!(concat, from_fn(&[2, 7, 4], part));
}

#[test]
fn integers_move_too() {
    let x = ids(&[2, 2], &[1, 2, 3, 4]);
    assert_eq!(one(Op::Transpose { permutation: vec![1, 0] }, &[&x]), ids(&[2, 2], &[1, 3, 2, 4]));
    assert_eq!(one(Op::Concat { axis: 1 }, &[&x, &x]), ids(&[2, 4], &[1, 2, 1, 2, 3, 4, 3, 4]));
    assert_eq!(one(Op::ToFloat, &[&x]), Tensor::f32(vec![2, 2], vec![1.0, 2.0, 3.0, 4.0]));
}

#[test]
fn reductions_over_every_set_of_axes() {
    let x = noise(0, &[2, 3, 4]);
    for axes in [vec![0], vec![1], vec![2], vec![0, 2], vec![1, 2], vec![0, 1, 2]] {
        let kept = |axis: usize, size: usize| if axes.contains(&axis) { 1 } else { size };
        let shape: Vec<usize> = x.shape.iter().enumerate().map(|(axis, size)| kept(axis, *size)).collect();
        let members = |at: &[usize]| {
            let inside = |i: &[usize]| (0..3).all(|axis| axes.contains(&axis) || i[axis] == at[axis]);
            let mask = from_fn(&x.shape, |i| f64::from(inside(i)));
            let all: Vec<f64> =
                x.floats().iter().zip(mask.floats()).filter(|(_, m)| **m == 1.0).map(|(x, _)| *x).collect();
            all
        };
        let reduce = |reduction| one(Op::Reduce { reduction, axes: axes.clone() }, &[&x]);
        assert_near(&reduce(Reduction::Sum), &from_fn(&shape, |i| members(i).iter().sum()));
        assert_near(&reduce(Reduction::Maximum), &from_fn(&shape, |i| members(i).into_iter().fold(-9.0, f64::max)));
        let norm = |i: &[usize]| members(i).iter().map(|x| x * x).sum::<f64>().sqrt();
        assert_near(&reduce(Reduction::L2Norm), &from_fn(&shape, norm));
    }
}

#[test]
fn norms_stay_in_range() {
    let norm = |row: [f64; 2]| {
        let op = Op::Reduce { reduction: Reduction::L2Norm, axes: vec![0] };
        one(op, &[&Tensor::f32(vec![2], row.to_vec())]).floats()[0]
    };
    assert_eq!(norm([3e-300, 4e-300]), 5e-300);
    assert_eq!(norm([3e300, -4e300]), 5e300);
    assert_eq!(norm([0.0, -0.0]), 0.0);
    assert_eq!(norm([1.0, f64::NEG_INFINITY]), f64::INFINITY);
    assert!(norm([f64::NAN, f64::NAN]).is_nan());
    assert!(norm([1.0, f64::NAN]).is_nan());
}

#[test]
fn matrix_products_in_every_form() {
    for [m, k, n] in [[1, 1, 1], [3, 5, 2], [7, 70, 9], [2, 131, 33]] {
        for (transpose_a, transpose_b) in [(false, false), (false, true), (true, false), (true, true)] {
            for (outer, shared) in [(vec![], true), (vec![2, 3], true), (vec![2, 3], false)] {
                let stored = |transposed, [rows, columns]: [usize; 2]| {
                    if transposed { [columns, rows] } else { [rows, columns] }
                };
                let outer_b = if shared { vec![] } else { outer.clone() };
                let a = noise(0, &[outer.as_slice(), &stored(transpose_a, [m, k])].concat());
                let b = noise(1, &[outer_b.as_slice(), &stored(transpose_b, [k, n])].concat());
                let element = |i: &[usize]| {
                    let (batch, at_c) = i.split_at(i.len() - 2);
                    let batch_b = if shared { &[] } else { batch };
                    let a_at = |l| at(&a, &[batch, &stored(transpose_a, [at_c[0], l])].concat());
                    let b_at = |l| at(&b, &[batch_b, &stored(transpose_b, [l, at_c[1]])].concat());
                    (0..k).map(|l| a_at(l) * b_at(l)).sum()
                };
                let expected = from_fn(&[outer.as_slice(), &[m, n]].concat(), element);
                assert_near(&one(Op::MatMul { transpose_a, transpose_b }, &[&a, &b]), &expected);
            }
        }
    }
}
