//! The composites over the last axis, and the ends of their range.

use super::*;

const SHAPES: [&[usize]; 4] = [&[7], &[3, 5], &[2, 1, 8], &[4, 2]];

fn check_composite(op: Op) {
    for shape in SHAPES {
        check(&format!("{op:?} {shape:?}"), &[&noise(5, shape)], |b, x| b.add(op.clone(), &[x[0]]));
    }
}

#[test]
fn l2_normalize() {
    [0.0, 1e-5, 0.3].into_iter().for_each(|eps| check_composite(Op::L2Normalize { eps }));
}

#[test]
fn layer_norm() {
    [1e-5, 0.3].into_iter().for_each(|eps| check_composite(Op::LayerNorm { eps }));
}

#[test]
fn rms_norm() {
    [1e-5, 0.3].into_iter().for_each(|eps| check_composite(Op::RmsNorm { eps }));
}

#[test]
fn softmax() {
    check_composite(Op::Softmax);
}

/// The mask has no gradient; what passes through it has. No two of these numbers are as near as the steps of the differences.
#[test]
fn through_the_k_largest() {
    for shape in SHAPES {
        for k in 1..=2 {
            check(&format!("top {k} of {shape:?}"), &[&noise(9, shape)], |b, x| {
                let mask = b.add(Op::TopK { k: Size::constant(k) }, &[x[0]]);
                let kept = b.multiply(x[0], mask);
                b.add(Op::L2Normalize { eps: 0.1 }, &[kept])
            });
        }
    }
}

/// The gradient of ⟨x normalized, g⟩.
fn l2_gradient(eps: f64, x: &Tensor, g: &Tensor) -> Tensor {
    let mut b = Builder::new("rows", Symbols::default());
    let [x_value, g_value] = [("x", x), ("g", g)].map(|(name, t)| b.input(name, type_of(t)));
    let y = b.add(Op::L2Normalize { eps }, &[x_value]);
    let gradient = super::super::differentiate(&mut b, y, g_value, &[x_value]);
    b.output("gradient", gradient[0]);
    outputs(&b.finish(), &[x, g]).remove(0)
}

#[test]
fn a_zero_row_gets_no_gradient() {
    let x = Tensor::f32(vec![3, 2], vec![0.0, 0.0, 3.0, 4.0, 0.0, 0.0]);
    for eps in [0.0, 1e-5] {
        let gradient = l2_gradient(eps, &x, &noise(0, &[3, 2]));
        assert_eq!((&gradient.floats()[..2], &gradient.floats()[4..]), ([0.0; 2].as_slice(), [0.0; 2].as_slice()));
        assert!(gradient.floats()[2..4].iter().all(|x| *x != 0.0 && x.is_finite()));
    }
}

/// Normalizing is homogeneous: the gradient at s·x is that at x divided by s, also where s³ leaves the range.
#[test]
fn the_gradient_scales_with_the_row() {
    let [x, g] = [noise(0, &[4, 6]), noise(1, &[4, 6])];
    let plain = l2_gradient(0.0, &x, &g);
    for scale in [1e-150, 1e-120, 1e120, 1e150] {
        let scaled = Tensor::f32(x.shape.clone(), x.floats().iter().map(|x| x * scale).collect());
        let gradient = l2_gradient(0.0, &scaled, &g);
        for (got, want) in gradient.floats().iter().zip(plain.floats()) {
            assert!((got * scale - want).abs() < 1e-12, "{scale}: {got}, not {want}");
        }
    }
}
