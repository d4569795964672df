//! Rotary embeddings as part of the launch that makes what they turn: rows of a product, gradients of attention.
//!
//! The fuser has each as a kernel of its own that turns rows in place, and here, where it is known who makes them and when what it takes besides is there,
//! it goes into the maker. That is then launched as early as it can be: in its own place, or in that of the embedding.

use super::{Argument, BufferId, Launch, Plan, Program, Step};
use crate::kernel::{Access, AttentionBackward, Body, Contraction, ContractionAccess, Kernel, Operand, Rotary};
use crate::size::Size;
use std::ops::Range;

/// The plan with fewer launches, and its kernels.
pub fn turn(kernels: Vec<Kernel>, plan: Plan) -> (Vec<Kernel>, Plan) {
    let Plan { steps, .. } = &plan;
    let mut turning = Turning { program: Program { kernels, plans: Vec::new() }, steps: steps.clone() };
    let mut at = 0;
    while at < turning.steps.len() {
        // What is taken out stood behind, or here: then something else does now.
        if !turning.give_to_product(at) {
            turning.give_to_attention(at);
            at += 1;
        }
    }
    turning.finish(plan)
}

struct Turning {
    program: Program,
    steps: Vec<Step>,
}

/// An embedding in place, as a launch that takes it over needs it.
#[derive(Clone, PartialEq)]
struct Turned {
    rotary: Rotary,
    /// Cosines, sines and positions.
    arguments: Vec<Argument>,
    /// B, T and H.
    sizes: [Size; 3],
}

impl Turning {
    /// Whether the embedding at a step went into the product that makes its rows.
    fn give_to_product(&mut self, at: usize) -> bool {
        let Some((rows, turned)) = self.turned(at) else { return false };
        let Some(maker) = (0..at).rev().find(|step| self.steps[*step].buffers().contains(&rows.buffer)) else {
            return false;
        };
        let Step::Launch(launch) = &self.steps[maker] else { return false };
        let Body::Contraction(body) = &self.kernel(launch).body else { return false };
        if !self.makes_heads(launch, body, &rows, &turned) {
            return false;
        }
        let takes = launch.arguments.clone();
        let place = match (self.writes_none(maker + 1..at, &turned.arguments), self.writes_none(maker + 1..at, &takes))
        {
            (true, _) => maker,
            (false, true) => at,
            (false, false) => return false,
        };
        let (body, [_, positions, _]) = (body.clone(), turned.sizes.clone());
        let body = Body::Contraction(Contraction { rotary: Some(turned.rotary.clone()), ..body });
        let mut launch = self.with_tables(launch.clone(), body, &turned);
        launch.sizes.push(positions);
        self.steps[place] = Step::Launch(launch);
        self.steps.remove(if place == maker { at } else { maker });
        true
    }

    /// Takes over the embeddings of both gradients that the attention at a step makes, if they are the same and come before anybody else sees what they turn.
    fn give_to_attention(&mut self, at: usize) {
        let Step::Launch(launch) = &self.steps[at] else { return };
        let Body::AttentionBackward(body) = &self.kernel(launch).body else { return };
        let first = 6 + usize::from(body.documents);
        let next = |gradient: &Argument| {
            let step =
                (at + 1..self.steps.len()).find(|step| self.steps[*step].buffers().contains(&gradient.buffer))?;
            let (rows, turned) = self.turned(step)?;
            (rows == *gradient && turned.rotary.channels == body.channels).then_some((step, turned))
        };
        let (Some((of_q, turned)), Some((of_k, other))) =
            (next(&launch.arguments[first]), next(&launch.arguments[first + 1]))
        else {
            return;
        };
        let [[batch, positions, _], [other_batch, other_positions, _]] = [&turned.sizes, &other.sizes];
        let same = (&turned.rotary, &turned.arguments, batch, positions)
            == (&other.rotary, &other.arguments, other_batch, other_positions);
        let there = self.writes_none(at + 1..of_q.max(of_k), &turned.arguments);
        if body.rotary.is_some() || !same || !there || [batch, positions] != [&launch.sizes[0], &launch.sizes[1]] {
            return;
        }
        let body = AttentionBackward { rotary: Some(turned.rotary.clone()), ..body.clone() };
        let launch = self.with_tables(launch.clone(), Body::AttentionBackward(body), &turned);
        self.steps[at] = Step::Launch(launch);
        self.steps.remove(of_q.max(of_k));
        self.steps.remove(of_q.min(of_k));
    }

    /// The rows that an embedding at a step turns in place, if its heads can be turned by whoever makes them.
    fn turned(&self, at: usize) -> Option<(Argument, Turned)> {
        let Step::Launch(launch) = &self.steps[at] else { return None };
        let kernel = self.kernel(launch);
        let Body::Rope(body) = &kernel.body else { return None };
        let number = |i: usize| launch.sizes[i].as_constant().and_then(|number| u32::try_from(number).ok());
        let rotary =
            Rotary { channels: number(3)?, turned: number(4)?, inverse: body.inverse, documents: body.documents };
        let sizes = [0, 1, 2].map(|i| launch.sizes[i].clone());
        let (rows, arguments) = (launch.arguments[0].clone(), launch.arguments[1..].to_vec());
        (kernel.turns_in_place() && rotary.fits()).then_some((rows, Turned { rotary, arguments, sizes }))
    }

    /// Whether a product makes nothing but these rows, which stand side by side.
    fn makes_heads(&self, launch: &Launch, body: &Contraction, rows: &Argument, turned: &Turned) -> bool {
        let [batch, positions, heads] = turned.sizes.clone();
        let width = heads * Size::constant(turned.rotary.channels.into());
        let operands = &self.kernel(launch).operands;
        let writes = |operand: &Operand| operand.access != Access::Read;
        let &[(stored, _)] = body.stores.as_slice() else { return false };
        let stored = usize::from(stored);
        let sizes = body.sizes(&launch.sizes);
        launch.arguments[stored] == *rows
            && operands[stored] == Operand::WRITE
            && operands.iter().filter(|operand| writes(operand)).count() == 1
            && body.access[stored - 2] == ContractionAccess::Matrix
            && body.rotary.is_none()
            && sizes.outer.is_one()
            && sizes.m == batch * positions
            && sizes.n == width
            && sizes.operands[stored - 2].outer[1] == width
    }

    /// Whether steps write to none of these.
    fn writes_none(&self, steps: Range<usize>, arguments: &[Argument]) -> bool {
        let is_one = |buffer: &BufferId| arguments.iter().any(|argument| argument.buffer == *buffer);
        self.steps[steps].iter().all(|step| !step.written(&self.program.kernels).iter().any(is_one))
    }

    /// The launch of another body, which takes besides what an embedding does.
    fn with_tables(&mut self, mut launch: Launch, body: Body, turned: &Turned) -> Launch {
        let tables = [Operand::READ, Operand::READ, Operand::READ_I32];
        let operands = self.kernel(&launch).operands.iter().copied().chain(tables).collect();
        launch.kernel = self.program.kernel(Kernel { body, operands });
        launch.arguments.extend(turned.arguments.iter().cloned());
        launch.label.push_str(" rope");
        launch
    }

    fn kernel(&self, launch: &Launch) -> &Kernel {
        &self.program.kernels[launch.kernel as usize]
    }

    fn finish(self, mut plan: Plan) -> (Vec<Kernel>, Plan) {
        plan.steps = self.steps;
        let kernels = plan.renumber(&self.program.kernels);
        (kernels, plan)
    }
}
