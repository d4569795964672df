//! The graph of the optimizer: AdamW as tokenformer.md gives it.
//!
//! ‖g‖ over the trained rows of all parameters; g ← g·min(1, clip/(‖g‖ + 1e-6)); m ← β₁m + (1 − β₁)g; v ← β₂v + (1 − β₂)g²;
//! w ← w·(1 − lr·decay) − lr·m̂/(√v̂ + ε), with m̂ = m/(1 − β₁ᵗ), v̂ = v/(1 − β₂ᵗ).
//!
//! What can differ between rows is a row state ([`RowState`]): whether it is trained, the factor on its learning rate, its decay,
//! and its corrections, for t counts from a row's birth. A row that is not trained keeps its weights and moments bit for bit, and so
//! do all rows where ‖g‖ is not finite. What a stage may override is an input, so that nothing is compiled for it; no clipping is
//! `clip` = ∞.

use crate::graph::{Builder, Graph, Op, Origin, Reduction, Type, Value};
use crate::model::Parameter;
use crate::scalar::{Binary, Unary};
use crate::size::{Size, Symbols};
use crate::storage::{RowState, Storage};

/// The entry `update`: from the gradients in storage to new weights and moments in place; hands back `gradient_norm`.
pub fn update(symbols: &Symbols, parameters: &[Parameter]) -> Graph {
    let mut b = Builder::new("update", symbols.clone());
    let recipe = Recipe::inputs(&mut b);
    let mut states = Vec::new();
    for (i, parameter) in parameters.iter().enumerate() {
        b.origin = Origin { span: Some(parameter.span), path: Some(parameter.path.clone()), again: false };
        states.push(State::load(&mut b, i as u32, parameter));
    }
    let norm = norm_of_all(&mut b, &states);
    let clipping = Clipping::new(&mut b, norm, recipe.clip);
    for (i, (state, parameter)) in states.iter().zip(parameters).enumerate() {
        b.origin = Origin { span: Some(parameter.span), path: Some(parameter.path.clone()), again: false };
        let [weight, first, second] = state.step(&mut b, &recipe, &clipping);
        let i = i as u32;
        b.store(&parameter.path, weight, Storage::Parameter(i), false);
        b.store(&parameter.path, first, Storage::FirstMoment(i), false);
        b.store(&parameter.path, second, Storage::SecondMoment(i), false);
    }
    b.output("gradient_norm", norm);
    b.finish()
}

/// Scalars that the stage and the step decide. 1 − β comes along because f32 would lose it.
struct Recipe {
    learning_rate: Value,
    /// β and 1 − β, for each moment.
    betas: [[Value; 2]; 2],
    eps: Value,
    clip: Value,
}

impl Recipe {
    fn inputs(b: &mut Builder) -> Recipe {
        let mut scalar = |name| b.input(name, Type::f32(vec![]));
        Recipe {
            learning_rate: scalar("learning_rate"),
            betas: [["beta1", "one_minus_beta1"], ["beta2", "one_minus_beta2"]].map(|pair| pair.map(&mut scalar)),
            eps: scalar("eps"),
            clip: scalar("clip"),
        }
    }
}

/// What the norm decides for all parameters, scalars.
struct Clipping {
    factor: Value,
    /// 1 where the norm is finite.
    finite: Value,
}

impl Clipping {
    fn new(b: &mut Builder, norm: Value, clip: Value) -> Clipping {
        let [one, guard, largest] = [1.0, 1e-6, f64::from(f32::MAX)].map(|number| b.like(norm, number));
        let guarded = b.binary(Binary::Add, norm, guard);
        let ratio = b.binary(Binary::Divide, clip, guarded);
        let factor = b.binary(Binary::Minimum, one, ratio);
        Clipping { factor, finite: b.binary(Binary::LessOrEqual, norm, largest) }
    }
}

/// What is stored for one parameter.
struct State {
    weight: Value,
    /// 0 in the rows that are not trained.
    gradient: Value,
    moments: [Value; 2],
    /// Per row, as all below.
    trainable: Value,
    learning_rate: Value,
    decay: Value,
    corrections: [Value; 2],
}

impl State {
    fn load(b: &mut Builder, i: u32, parameter: &Parameter) -> State {
        let ty = Type::f32(parameter.shape.clone());
        let rows = Type::f32(parameter.row_shape());
        let mut row = |state| b.load(Storage::Rows(i, state), rows.clone());
        let [trainable, learning_rate, decay, first, second] = RowState::ALL.map(&mut row);
        let mut whole = |storage| b.load(storage, ty.clone());
        let [weight, gradient] = [Storage::Parameter(i), Storage::Gradient(i)].map(&mut whole);
        let moments = [Storage::FirstMoment(i), Storage::SecondMoment(i)].map(&mut whole);
        let zero = b.like(gradient, 0.0);
        let trained = b.broadcast(trainable, &ty.shape);
        let gradient = b.add(Op::Select, &[trained, gradient, zero]);
        State { weight, gradient, moments, trainable, learning_rate, decay, corrections: [first, second] }
    }

    /// The new weights and moments.
    fn step(&self, b: &mut Builder, recipe: &Recipe, clipping: &Clipping) -> [Value; 3] {
        let shape = b.ty(self.weight).shape.clone();
        let factor = b.spread(clipping.factor, self.gradient);
        let gradient = b.multiply(self.gradient, factor);
        let square = b.multiply(gradient, gradient);
        let first = moving_average(b, self.moments[0], gradient, recipe.betas[0]);
        let second = moving_average(b, self.moments[1], square, recipe.betas[1]);
        let weight = self.moved(b, recipe, first, second);

        let finite = b.spread(clipping.finite, self.trainable);
        let trained = b.multiply(self.trainable, finite);
        let trained = b.broadcast(trained, &shape);
        let [old_first, old_second] = self.moments;
        [(weight, self.weight), (first, old_first), (second, old_second)]
            .map(|(new, old)| b.add(Op::Select, &[trained, new, old]))
    }

    fn moved(&self, b: &mut Builder, recipe: &Recipe, first: Value, second: Value) -> Value {
        let shape = b.ty(self.weight).shape.clone();
        // Per row: the learning rate, and what decay leaves of a weight.
        let rate = b.spread(recipe.learning_rate, self.learning_rate);
        let rate = b.multiply(rate, self.learning_rate);
        let lost = b.multiply(rate, self.decay);
        let one = b.like(lost, 1.0);
        let kept = b.binary(Binary::Subtract, one, lost);

        let [rate, kept] = [rate, kept].map(|row| b.broadcast(row, &shape));
        let [first, second] = [(first, 0), (second, 1)].map(|(moment, which)| {
            let correction = b.broadcast(self.corrections[which], &shape);
            b.binary(Binary::Divide, moment, correction)
        });
        let root = b.unary(Unary::Sqrt, second);
        let eps = b.spread(recipe.eps, root);
        let scale = b.binary(Binary::Add, root, eps);
        let direction = b.binary(Binary::Divide, first, scale);
        let step = b.multiply(rate, direction);
        let kept = b.multiply(self.weight, kept);
        b.binary(Binary::Subtract, kept, step)
    }
}

/// β·m + (1 − β)·x.
fn moving_average(b: &mut Builder, m: Value, x: Value, [beta, one_minus_beta]: [Value; 2]) -> Value {
    let [beta, one_minus_beta] = [beta, one_minus_beta].map(|scalar| b.spread(scalar, m));
    let [old, new] = [b.multiply(beta, m), b.multiply(one_minus_beta, x)];
    b.binary(Binary::Add, old, new)
}

/// ‖g‖ over all parameters, as the norm of their norms, so that no square of a large one overflows.
fn norm_of_all(b: &mut Builder, states: &[State]) -> Value {
    b.origin = Origin::default();
    let norms: Vec<Value> = states.iter().map(|state| norm_of_one(b, state.gradient)).collect();
    if norms.is_empty() {
        return b.constant(0.0, Type::f32(vec![]));
    }
    let all = b.add(Op::Concat { axis: 0 }, &norms);
    let norm = b.reduce(Reduction::L2Norm, &[0], all);
    b.reshape(norm, &[])
}

/// Shape `[1]`.
fn norm_of_one(b: &mut Builder, gradient: Value) -> Value {
    let axes: Vec<usize> = (0..b.ty(gradient).rank()).collect();
    let norm = b.reduce(Reduction::L2Norm, &axes, gradient);
    b.reshape(norm, &[Size::constant(1)])
}

#[cfg(test)]
mod tests;
