//! What kernels mean: the plainest evaluation of each, in f64.

use tfc_compiler::graph::Reduction;
use tfc_compiler::kernel::{Body, Contraction, ContractionAccess, Kernel, Program, ProgramOp, Register};

/// Runs a kernel on whole buffers.
pub fn run(kernel: &Kernel, buffers: &mut [Vec<f64>], sizes: &[i64]) {
    match &kernel.body {
        Body::Contraction(body) => contraction(body, buffers, sizes),
        _ => todo!(),
    }
}

/// The value of one register; `leaf` answers what depends on the place.
fn evaluate(program: &Program, register: Register, leaf: &dyn Fn(Register, &ProgramOp) -> f64) -> f64 {
    let value = |r: &Register| evaluate(program, *r, leaf);
    match &program.ops[register.0 as usize] {
        ProgramOp::Constant(number) => number.0,
        ProgramOp::Unary(function, x) => function.eval(value(x)),
        ProgramOp::Binary(function, a, b) => function.eval(value(a), value(b)),
        ProgramOp::Select(condition, a, b) => value(if value(condition) != 0.0 { a } else { b }),
        op => leaf(register, op),
    }
}

fn contraction(body: &Contraction, buffers: &mut [Vec<f64>], sizes: &[i64]) {
    let [outer, m, n, k, a_outer, a_leading, b_outer, b_leading] = sizes[..8] else { panic!("sizes") };
    let mut rest = sizes[8..].iter();
    let strides: Vec<[i64; 3]> = body
        .access
        .iter()
        .map(|access| match access {
            ContractionAccess::Matrix => [*rest.next().unwrap(), *rest.next().unwrap(), 1],
            ContractionAccess::PerRow => [*rest.next().unwrap(), *rest.next().unwrap(), 0],
            ContractionAccess::PerColumn => [0, 0, 1],
            ContractionAccess::Scalar => [0; 3],
        })
        .collect();
    let numbers: Vec<f64> = rest.map(|s| *s as f64).collect();
    let address = |operand: u16, place: [i64; 3]| {
        place.iter().zip(strides[operand as usize - 2]).map(|(p, s)| p * s).sum::<i64>() as usize
    };
    let old = buffers.to_vec();
    let leaf = |op: &ProgramOp, given: f64, place: [i64; 3]| match op {
        ProgramOp::Load(operand) => old[*operand as usize][address(*operand, place)],
        ProgramOp::Size(i) => numbers[*i as usize],
        ProgramOp::InnerIndex => place[2] as f64,
        ProgramOp::Given => given,
        op => panic!("{op:?}"),
    };
    // An element as it is stored, after its prologue.
    let element = |buffer: usize, strides: [i64; 2], prologue: &Option<(Program, Register)>, place: [i64; 3]| {
        let given = old[buffer][(place[0] * strides[0] + place[1] * strides[1] + place[2]) as usize];
        match prologue {
            None => given,
            Some((program, register)) => evaluate(program, *register, &|_, op| leaf(op, given, place)),
        }
    };
    for o in 0..outer {
        for i in 0..m {
            for j in 0..n {
                let sum: f64 = (0..k)
                    .map(|p| {
                        let (a, b) = (
                            if body.transpose_a { [o, p, i] } else { [o, i, p] },
                            if body.transpose_b { [o, j, p] } else { [o, p, j] },
                        );
                        element(0, [a_outer, a_leading], &body.prologue_a, a)
                            * element(1, [b_outer, b_leading], &body.prologue_b, b)
                    })
                    .sum();
                for (operand, register) in &body.stores {
                    let place = [o, i, j];
                    buffers[*operand as usize][address(*operand, place)] =
                        evaluate(&body.epilogue, *register, &|_, op| leaf(op, sum, place));
                }
            }
        }
    }
}

#[allow(unused)]
fn reduce(reduction: Reduction, values: &[f64]) -> f64 {
    match reduction {
        Reduction::Sum => values.iter().sum(),
        Reduction::Maximum => values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        Reduction::L2Norm => values.iter().map(|x| x * x).sum::<f64>().sqrt(),
    }
}
