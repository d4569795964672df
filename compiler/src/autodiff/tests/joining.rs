//! Products of matrices in every form, tables, rotary embedding, attention, losses.

use super::*;
use crate::graph::AttentionMask;

#[test]
fn matrix_products() {
    let [m, k, n] = [3, 5, 2];
    for (transpose_a, transpose_b) in [(false, false), (false, true), (true, false), (true, true)] {
        for (outer, shared) in
            [(vec![], true), (vec![2], true), (vec![2], false), (vec![2, 2], true), (vec![2, 2], false)]
        {
            let stored =
                |transposed, [rows, columns]: [usize; 2]| if transposed { [columns, rows] } else { [rows, columns] };
            let outer_b = if shared { vec![] } else { outer.clone() };
            let left = noise(0, &[outer.as_slice(), &stored(transpose_a, [m, k])].concat());
            let right = noise(1, &[outer_b.as_slice(), &stored(transpose_b, [k, n])].concat());
            let op = Op::MatMul { transpose_a, transpose_b };
            check(&format!("{op:?} {outer:?} {shared}"), &[&left, &right], |b, x| b.add(op.clone(), x));
        }
    }
}

#[test]
fn tables() {
    let tokens = ids(&[2, 3], &[4, 0, 4, 1, 4, 0]);
    check("embed", &[&tokens, &noise(0, &[5, 3])], |b, x| b.add(Op::Embed, x));
    let backward = Op::EmbedBackward { classes: Size::constant(5) };
    check("embed backward", &[&tokens, &noise(0, &[2, 3, 4])], |b, x| b.add(backward.clone(), x));
}

#[test]
fn rope() {
    for inverse in [false, true] {
        let op = Op::Rope { channels: 4, base: 100.0, inverse };
        for positions in [ids(&[], &[5]), ids(&[2, 3], &[0, 1, 0, 2, 0, 1])] {
            check("rope", &[&noise(0, &[2, 3, 2, 7]), &positions], |b, x| b.add(op.clone(), x));
        }
    }
}

#[test]
fn attention() {
    for mask in [AttentionMask::Full, AttentionMask::Causal, AttentionMask::Window(1), AttentionMask::Window(2)] {
        for groups in [1, 2, 4] {
            let q = noise(0, &[2, 4, 4, 3]);
            let [k, v] = [1, 2].map(|stream| noise(stream, &[2, 4, groups, 3]));
            let op = Op::Attention { mask, scale: 0.6 };
            check(&format!("{op:?} {groups}"), &[&q, &k, &v], |b, x| b.add(op.clone(), x));
            let positions = ids(&[2, 4], &[0, 1, 0, 1, 2, 3, 4, 0]);
            check(&format!("{op:?} {groups} documents"), &[&q, &k, &v, &positions], |b, x| b.add(op.clone(), x));
        }
    }
}

#[test]
fn losses() {
    let labels = ids(&[2, 3], &[4, 0, 2, 1, 4, 0]);
    check("cross entropy", &[&noise(0, &[2, 3, 5]), &labels], |b, x| b.add(Op::CrossEntropy, x));
    let [h, w] = [noise(0, &[2, 3, 4]), noise(1, &[5, 4])];
    check("vocabulary loss", &[&h, &w, &labels], |b, x| b.add(Op::VocabularyLoss, x));
}
