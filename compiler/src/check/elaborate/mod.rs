//! The model half: `forward`, `loss` and the metrics as primitives on typed values, layer calls and repeats unrolled.
//!
//! Expressions are evaluated once per instance of the layer they stand in; the value of an expression is a tensor of the program, an
//! amount, or something that a call takes ([`value::Value`]). Only the operations of [`builtin`] add to the program; what
//! else the language offers is written in the standard library.
//!
//! - What is wrong inside a layer of the standard library is the fault of the call that reached it, and is reported there.
//! - Recursion, repeats and arithmetic are bounded, so that every file is answered in time and within the stack.

mod amount;
mod annotation;
mod blame;
mod builtin;
mod call;
mod callee;
mod emit;
mod expression;
mod finish;
mod forward;
mod frame;
mod instance;
mod layer;
mod matching;
mod operator;
mod parameter;
mod slice;
mod value;

use super::Names;
use crate::model::{Amount, Application, Init, Model, ModelInput, Role};
use crate::size::{Size, Symbol, Symbols};
use instance::{InstanceId, Instances};
use std::collections::{BTreeMap, BTreeSet};
use tfc_grammar::Span;
use value::Tensor;

/// Steps of evaluation, primitives of a program and nested expressions that no model needs. Reaching one ends the elaboration.
const MOST_STEPS: usize = 500_000;
const MOST_VALUES: usize = 100_000;
const DEEPEST: usize = 150;

/// The model without its experiment; None if there is no model, or nothing to make of it.
pub(super) fn elaborate(names: &Names) -> Option<Model> {
    let mut elaborator = Elaborator::new(names);
    let made = elaborator.forward();
    elaborator.uncalled_layers();
    made.filter(|_| !names.report.has_errors()).map(|made| elaborator.finish(made))
}

struct Elaborator<'a> {
    names: &'a Names<'a>,
    /// How many tokens each group has at first: what sizes are estimated with.
    tokens: Vec<i64>,

    // What has been made so far.
    /// By provisional names: paths are known at the end.
    symbols: Symbols,
    token_axes: Vec<TokenAxis>,
    axis_of: BTreeMap<(usize, InstanceId), usize>,
    inputs: Vec<ModelInput>,
    context: Option<i64>,
    next_of: Option<usize>,
    parameters: Vec<Parameter>,
    parameter_of: BTreeMap<(InstanceId, String), usize>,
    scales: Vec<Scale>,
    values: Vec<Application>,
    /// The instance each value belongs to.
    instance_of: Vec<InstanceId>,
    instances: Instances,
    /// Random streams of the program.
    streams: u32,

    // Where the evaluation is.
    instance: InstanceId,
    calls: Vec<Call>,
    /// The product of the repeats around.
    repeats: f64,
    /// Layers that were entered at least once.
    called: BTreeSet<usize>,
    /// Whether only the arguments of calls are checked: for layers that nothing calls.
    dry: bool,
    steps: usize,
    depth: usize,
    /// A limit was reached; all that follows is silent.
    stopped: bool,
}

/// A layer that is being evaluated.
struct Call {
    layer: usize,
    /// The call's place.
    span: Span,
}

/// The tokens of a group in one repeat instance.
struct TokenAxis {
    symbol: Symbol,
    group: usize,
    repeat: InstanceId,
}

struct Parameter {
    instance: InstanceId,
    name: String,
    shape: Vec<Size>,
    role: Role,
    init: Init,
    grows: Vec<(usize, usize)>,
    span: Span,
    value: Tensor,
}

struct Scale {
    instance: InstanceId,
    name: String,
    rule: Amount,
    span: Span,
}

impl<'a> Elaborator<'a> {
    fn new(names: &'a Names<'a>) -> Elaborator<'a> {
        Elaborator {
            names,
            tokens: names.declared_sizes().into_iter().map(|size| size.unwrap_or(1)).collect(),
            symbols: Symbols::default(),
            token_axes: Vec::new(),
            axis_of: BTreeMap::new(),
            inputs: Vec::new(),
            context: None,
            next_of: None,
            parameters: Vec::new(),
            parameter_of: BTreeMap::new(),
            scales: Vec::new(),
            values: Vec::new(),
            instance_of: Vec::new(),
            instances: Instances::default(),
            streams: 0,
            instance: InstanceId::ROOT,
            calls: Vec::new(),
            repeats: 1.0,
            called: BTreeSet::new(),
            dry: false,
            steps: 0,
            depth: 0,
            stopped: false,
        }
    }
}
