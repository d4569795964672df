//! The forward pass, lowered by demand.

use super::{Mode, primitive};
use crate::graph::{Builder, Op, Origin, Type, Value};
use crate::model::{Application, InputKind, Model, Primitive, ValueId};
use crate::size::{Size, Symbol};
use crate::storage::Storage;

pub(crate) struct Forward<'a> {
    pub model: &'a Model,
    pub mode: Mode,
    pub builder: Builder,
    /// Per value of the program, once it has been lowered.
    values: Vec<Option<Value>>,
    /// Whether what is asked for depends on `next(ids)`: the input ids are then one longer than the sequence.
    needs_next: bool,
    inputs: Vec<Option<Value>>,
    parameters: Vec<Option<Value>>,
    seed: Option<Value>,
    step_seed: Option<Value>,
    position: Option<Value>,
    /// Of single tokens, where one number does not tell them all.
    positions: Option<Value>,
}

/// What the graph says of the nodes of an application; the lines of `forward` itself belong to no layer.
pub(super) fn origin(application: &Application) -> Origin {
    let path = (!application.path.is_empty()).then(|| application.path.clone());
    Origin { span: Some(application.span), path, again: false }
}

impl<'a> Forward<'a> {
    /// For an entry whose outputs are computed from the values `wanted`. The builder has made the values that `mode` names.
    pub fn new(model: &'a Model, builder: Builder, mode: Mode, wanted: &[ValueId]) -> Forward<'a> {
        let is_next = |id: &ValueId| matches!(model.program.values[id.0 as usize].primitive, Primitive::Next(_));
        let needs_next = model.program.reachable(wanted, &|_| false).iter().any(is_next);
        Forward {
            model,
            mode,
            builder,
            needs_next,
            values: vec![None; model.program.values.len()],
            inputs: vec![None; model.inputs.len()],
            parameters: vec![None; model.parameters.len()],
            seed: None,
            step_seed: None,
            position: None,
            positions: None,
        }
    }

    /// The graph's value for a value of the program; everything it needs is lowered first, in program order.
    pub fn value(&mut self, id: ValueId) -> Value {
        let is_lowered = |v: ValueId| self.values[v.0 as usize].is_some();
        for needed in self.model.program.reachable(&[id], &is_lowered) {
            let application = &self.model.program.values[needed.0 as usize];
            self.builder.origin = origin(application);
            let operands: Vec<Value> = application.operands.iter().map(|o| self.known(*o)).collect();
            let value = primitive::lower(self, application, &operands);
            self.values[needed.0 as usize] = Some(value);
        }
        self.known(id)
    }

    fn known(&self, id: ValueId) -> Value {
        self.values[id.0 as usize].expect("bug in tfc: operands of the program look back")
    }

    pub fn parameter(&mut self, index: usize) -> Value {
        if let Some(value) = self.parameters[index] {
            return value;
        }
        let parameter = &self.model.parameters[index];
        self.builder.origin = Origin { span: Some(parameter.span), path: Some(parameter.path.clone()), again: false };
        let ty = Type::f32(parameter.shape.clone());
        let value = self.builder.load(Storage::Parameter(index as u32), ty);
        self.parameters[index] = Some(value);
        value
    }

    /// The entry's input for argument `index` of `forward`, as it is handed over.
    pub fn input(&mut self, index: usize) -> Value {
        if let Some(value) = self.inputs[index] {
            return value;
        }
        let input = &self.model.inputs[index];
        let fixed = |sizes: &[i64]| -> Vec<Size> {
            std::iter::once(Size::symbol(Symbol::BATCH)).chain(sizes.iter().map(|s| Size::constant(*s))).collect()
        };
        let ty = match &input.kind {
            InputKind::TokenIds { .. } => {
                let extra = Size::constant(i64::from(self.hands_over_next(index)));
                Type::i32(vec![Size::symbol(Symbol::BATCH), Size::symbol(Symbol::SEQUENCE) + extra])
            }
            InputKind::Image { channels, height, width } => Type::f32(fixed(&[*channels, *height, *width])),
            InputKind::Class { .. } => Type::i32(fixed(&[])),
            InputKind::Tensor { shape } => Type::f32(fixed(shape)),
        };
        let value = self.builder.input(&input.name, ty);
        self.inputs[index] = Some(value);
        value
    }

    /// The ids that `forward` sees, `[batch, sequence]`, or those one place later.
    pub fn ids(&mut self, index: usize, later: bool) -> Value {
        let whole = self.input(index);
        if !self.hands_over_next(index) {
            return whole;
        }
        let start = Size::constant(i64::from(later));
        self.builder.add(Op::Slice { axis: 1, start, length: Size::symbol(Symbol::SEQUENCE) }, &[whole])
    }

    fn hands_over_next(&self, index: usize) -> bool {
        self.model.next_of == Some(index) && self.needs_next
    }

    /// i32 `[2]`: what is drawn for each sequence is drawn from, at this step and for these sequences.
    pub fn seed(&mut self) -> Value {
        *self.seed.get_or_insert_with(|| self.builder.input("seed", Type::i32(vec![Size::constant(2)])))
    }

    /// i32 `[2]`: what is drawn once a step is drawn from, the same for all its micro-batches.
    pub fn step_seed(&mut self) -> Value {
        *self.step_seed.get_or_insert_with(|| self.builder.input("step_seed", Type::i32(vec![Size::constant(2)])))
    }

    /// i32 `[batch, sequence]`: the position of each token in its document, if documents are kept apart.
    pub fn document_positions(&mut self) -> Option<Value> {
        match self.mode {
            Mode::Decode { .. } => None,
            Mode::Train | Mode::Evaluate => self.model.separates_documents().then(|| {
                let ty = Type::i32([Symbol::BATCH, Symbol::SEQUENCE].map(Size::symbol).to_vec());
                *self.positions.get_or_insert_with(|| self.builder.input("positions", ty))
            }),
        }
    }

    /// i32 `[]`: the position of the first of the present ones.
    pub fn position(&mut self) -> Value {
        match &self.mode {
            Mode::Decode { position, .. } => *position,
            Mode::Train | Mode::Evaluate => {
                *self.position.get_or_insert_with(|| self.builder.constant(0.0, Type::i32(Vec::new())))
            }
        }
    }

    /// i32 `[sequence]`: all present positions; only while decoding.
    pub fn positions(&mut self) -> Value {
        let ty = Type::i32(vec![Size::symbol(Symbol::SEQUENCE)]);
        *self.positions.get_or_insert_with(|| self.builder.input("positions", ty))
    }
}
