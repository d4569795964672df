//! Operations that move elements, and reductions over every set of axes.

use super::*;
use crate::graph::Reduction;

#[test]
fn broadcast_reshape_transpose() {
    for from in [[1, 3, 1], [2, 1, 1], [1, 1, 1], [2, 3, 4]] {
        check("broadcast", &[&noise(0, &from)], |b, x| b.add(Op::Broadcast { shape: sizes(&[2, 3, 4]) }, &[x[0]]));
    }
    check("reshape", &[&noise(0, &[2, 6])], |b, x| b.reshape(x[0], &sizes(&[3, 1, 4])));
    for permutation in [[0, 2, 1], [1, 2, 0], [2, 0, 1], [0, 1, 2]] {
        let op = Op::Transpose { permutation: permutation.to_vec() };
        check("transpose", &[&noise(0, &[2, 3, 4])], |b, x| b.add(op.clone(), &[x[0]]));
    }
}

#[test]
fn slice_and_concat() {
    for (axis, start, length) in [(0, 0, 1), (0, 1, 1), (1, 0, 3), (1, 1, 2), (2, 1, 2), (2, 3, 1)] {
        let op = Op::Slice { axis, start: Size::constant(start), length: Size::constant(length) };
        check("slice", &[&noise(0, &[2, 3, 4])], |b, x| b.add(op.clone(), &[x[0]]));
    }
    let parts = [noise(0, &[2, 1, 2]), noise(1, &[2, 3, 2]), noise(2, &[2, 2, 2])];
    check("concat", &parts.each_ref(), |b, x| b.add(Op::Concat { axis: 1 }, x));
    check("concat with itself", &[&noise(0, &[2, 3])], |b, x| b.add(Op::Concat { axis: 1 }, &[x[0], x[0]]));
}

#[test]
fn reductions() {
    for reduction in [Reduction::Sum, Reduction::Maximum, Reduction::L2Norm] {
        for axes in [vec![0], vec![1], vec![2], vec![0, 2], vec![0, 1, 2]] {
            let op = Op::Reduce { reduction, axes };
            check(&format!("{op:?}"), &[&noise(3, &[2, 3, 5])], |b, x| b.add(op.clone(), &[x[0]]));
        }
    }
}

#[test]
fn equal_maxima_share_and_a_zero_row_has_no_direction() {
    let gradient = |reduction, row: &[f64]| {
        let mut b = Builder::new("row", Symbols::default());
        let x = Tensor::f32(vec![row.len()], row.to_vec());
        let value = b.input("x", type_of(&x));
        let y = b.reduce(reduction, &[0], value);
        let seed = b.like(y, 6.0);
        let gradient = super::super::differentiate(&mut b, y, seed, &[value]);
        b.output("gradient", gradient[0]);
        outputs(&b.finish(), &[&x])[0].floats().to_vec()
    };
    assert_eq!(gradient(Reduction::Maximum, &[1.0, 2.0, 2.0]), [0.0, 3.0, 3.0]);
    assert_eq!(gradient(Reduction::L2Norm, &[0.0, 0.0]), [0.0, 0.0]);
}
