//! Long products in segments of k: the gradient of what a vocabulary's logits are made of adds up as many terms as there are classes.
//!
//! Threads share the panels of a B that stays in the last cache. Of a longer one each would pack all, read from memory, and keep its tiles in the last cache from
//! pass to pass; segments are small enough to share, and each but the first adds to what the one before has left: sums of f32, that none of them rounds.
//!
//! Where texts are continued a token at a time nothing is shared: there each product stays one, whose B is read from one end to the other.

use super::{Argument, Launch, Plan, Program, Step};
use crate::compiled::Entry;
use crate::graph::DType;
use crate::kernel::{Access, Body, Contraction, Kernel, Operand, ProgramOp};
use crate::scalar::Binary;
use crate::size::Size;

/// The plan with segments in place of long products, and its kernels.
pub fn divide(kernels: Vec<Kernel>, mut plan: Plan) -> (Vec<Kernel>, Plan) {
    if plan.name == Entry::Decode.name() {
        return (kernels, plan);
    }
    let mut program = Program { kernels, plans: Vec::new() };
    plan.steps = divided(&mut program, plan.steps);
    let kernels = plan.renumber(&program.kernels);
    (kernels, plan)
}

fn divided(program: &mut Program, steps: Vec<Step>) -> Vec<Step> {
    let mut all = Vec::new();
    for step in steps {
        match step {
            Step::Launch(launch) => match Long::find(program, &launch) {
                Some(long) => all.extend(long.segments(program, &launch).map(Step::Launch)),
                None => all.push(Step::Launch(launch)),
            },
            Step::Chunks { rows, chunk, body } => {
                all.push(Step::Chunks { rows, chunk, body: divided(program, body) });
            }
            Step::RowEpilogue { .. } | Step::Zero(_) => all.push(step),
        }
    }
    all
}

/// A product that only stores its sums, or adds them to what is there, and is known to be long.
struct Long {
    body: Contraction,
    operands: Vec<Operand>,
    k: i64,
    /// From one k to the next in A and in B.
    strides: [Size; 2],
}

impl Long {
    fn find(program: &Program, launch: &Launch) -> Option<Long> {
        let Kernel { body, operands } = &program.kernels[launch.kernel as usize];
        let Body::Contraction(body) = body else { return None };
        let sizes = body.sizes(&launch.sizes);
        let (n, k) = (sizes.n.as_constant()?, sizes.k.as_constant()?);
        let adds = adding(body, operands);
        let is_plain = *body == stored(body) || (*body == adds.0 && *operands == adds.1);
        let is_long = sizes.outer.is_one() && body.has_segments(n, k);
        if !(is_plain && is_long && operands[2].dtype == DType::F32) {
            return None;
        }
        let stride = |along_rows: bool, leading: &Size| if along_rows { Size::constant(1) } else { leading.clone() };
        let strides = [stride(!body.transpose_a, &sizes.a.outer[1]), stride(body.transpose_b, &sizes.b.outer[1])];
        Some(Long { body: body.clone(), operands: operands.clone(), k, strides })
    }

    fn segments(self, program: &mut Program, whole: &Launch) -> impl Iterator<Item = Launch> {
        let (body, operands) = adding(&self.body, &self.operands);
        let adds = program.kernel(Kernel { body: Body::Contraction(body), operands });
        let (whole, first) = (whole.clone(), whole.kernel);
        let mut start = 0;
        lengths(self.k).into_iter().map(move |length| {
            let mut launch = Launch { kernel: if start == 0 { first } else { adds }, ..whole.clone() };
            for (argument, stride) in launch.arguments.iter_mut().zip(&self.strides) {
                let Argument { buffer, offset } = argument.clone();
                *argument = Argument { buffer, offset: offset + Size::constant(start) * stride.clone() };
            }
            launch.sizes[3] = Size::constant(length);
            start += length;
            launch
        })
    }
}

/// How long each segment of so many k is: what is left for the last two they share, so that neither is too short to be shared by threads, or to be worth its pass
/// over C.
fn lengths(k: i64) -> Vec<i64> {
    let mut lengths = vec![Contraction::SEGMENT; (k / Contraction::SEGMENT) as usize];
    let rest = k % Contraction::SEGMENT;
    match lengths.pop() {
        Some(last) if rest > 0 && rest < Contraction::SEGMENT / 2 => {
            let half = ((last + rest) / 2 + LINE - 1) / LINE * LINE;
            lengths.extend([half, last + rest - half]);
        }
        last => lengths.extend(last.into_iter().chain((rest > 0).then_some(rest))),
    }
    lengths
}

/// bf16 of a cache line.
const LINE: i64 = 32;

/// The bare product of the same matrices.
fn stored(body: &Contraction) -> Contraction {
    let bare = Contraction::product(body.precision, body.transpose_a, body.transpose_b);
    Contraction { few_rows: body.few_rows, ..bare }
}

/// The same, added to what is there.
fn adding(body: &Contraction, operands: &[Operand]) -> (Contraction, Vec<Operand>) {
    let mut adding = stored(body);
    let before = adding.epilogue.push(ProgramOp::Load(2));
    let sum = adding.epilogue.push(ProgramOp::Binary(Binary::Add, before, adding.stores[0].1));
    adding.stores = vec![(2, sum)];
    let added = |(place, operand): (usize, &Operand)| match place {
        2 => Operand { access: Access::Update, ..*operand },
        _ => *operand,
    };
    (adding, operands.iter().enumerate().map(added).collect())
}
