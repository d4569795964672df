//! A model as text: what `tfc compile --emit model` prints and snapshots compare.

mod stages;

use super::{
    Application, Constant, ConstantValue, Init, InputKind, Model, ModelInput, Parameter, Primitive, Role, ValueType,
};
use crate::graph::AttentionMask;
use crate::size::Size;
use std::fmt;

impl fmt::Display for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "model {}", self.name)?;
        section(f, "constants", self.constants.iter().map(constant))?;
        section(
            f,
            "tokens",
            self.token_groups.iter().map(|g| format!("{}{}", g.name, if g.derived { " derived" } else { "" })),
        )?;
        section(f, "inputs", self.inputs.iter().map(input))?;
        section(f, "parameters", self.parameters.iter().map(|parameter| self.parameter_text(parameter)))?;
        section(
            f,
            "scales",
            self.scales.iter().map(|scale| format!("{} = {}", scale.path, scale.rule.display(&|s| self.size(s)))),
        )?;
        let values = self.program.values.iter().enumerate();
        section(f, "program", values.map(|(index, value)| self.application(index, value)))?;
        section(f, "names", self.program.names.iter().map(|(name, id)| format!("{name} = %{}", id.0)))?;
        section(f, "loss", self.program.loss.iter().map(|id| format!("%{}", id.0)))?;
        section(f, "metrics", self.program.metrics.iter().map(|(name, id)| format!("{name} = %{}", id.0)))?;
        section(f, "stages", self.experiment.stages.iter().flat_map(|stage| self.stage_text(stage)))
    }
}

/// A heading and its lines; nothing if there is none.
fn section(f: &mut fmt::Formatter<'_>, heading: &str, lines: impl Iterator<Item = String>) -> fmt::Result {
    let mut lines = lines.peekable();
    if lines.peek().is_some() {
        writeln!(f, "\n{heading}")?;
    }
    lines.try_for_each(|line| writeln!(f, "  {line}"))
}

fn constant(constant: &Constant) -> String {
    let value = match &constant.value {
        ConstantValue::Number(number) => number.to_string(),
        ConstantValue::Name(name) => name.clone(),
        ConstantValue::Flag(flag) => flag.to_string(),
    };
    format!("{} = {value}", constant.name)
}

fn input(input: &ModelInput) -> String {
    let kind = match &input.kind {
        InputKind::TokenIds { context } => format!("token_ids[{context}]"),
        InputKind::Image { channels, height, width } => format!("image[{channels}, {height}, {width}]"),
        InputKind::Class { classes } => format!("class[{classes}]"),
        InputKind::Tensor { shape } => format!("{shape:?}"),
    };
    format!("{}: {kind}", input.name)
}

impl Model {
    fn size(&self, size: &Size) -> String {
        size.display(&self.symbols).to_string()
    }

    /// `[block.3.ffn, 768]`
    pub fn shape_text(&self, shape: &[Size]) -> String {
        let sizes: Vec<String> = shape.iter().map(|size| self.size(size)).collect();
        format!("[{}]", sizes.join(", "))
    }

    fn parameter_text(&self, Parameter { path, shape, role, init, .. }: &Parameter) -> String {
        let init = self.init_text(init);
        format!("{path} {} {} {init}", self.shape_text(shape), role.name())
    }

    fn init_text(&self, init: &Init) -> String {
        let amount = |amount: &super::Amount| match amount.as_constant() {
            Some(number) => number.to_string(),
            None => amount.display(&|size| self.size(size)),
        };
        match init {
            Init::Zero => "zero".to_string(),
            Init::One => "one".to_string(),
            Init::Normal { std } => format!("normal({})", amount(std)),
            Init::Uniform { bound } => format!("uniform({})", amount(bound)),
        }
    }

    fn application(&self, index: usize, value: &Application) -> String {
        let operands: Vec<String> = value.operands.iter().map(|operand| format!("%{}", operand.0)).collect();
        let path = if value.path.is_empty() { String::new() } else { format!("  // {}", value.path) };
        let words: Vec<String> = [self.primitive(&value.primitive), operands.join(" ")]
            .into_iter()
            .filter(|word| !word.is_empty())
            .collect();
        format!("%{index} = {} : {}{path}", words.join(" "), self.value_type(&value.ty))
    }

    fn value_type(&self, ty: &ValueType) -> String {
        format!("{}{}", ty.dtype.name(), self.shape_text(&ty.shape))
    }

    fn primitive(&self, primitive: &Primitive) -> String {
        match primitive {
            Primitive::Input(index) => format!("input {}", self.inputs[*index].name),
            Primitive::Next(index) => format!("next {}", self.inputs[*index].name),
            Primitive::Parameter(index) => format!("parameter {}", self.parameters[*index].path),
            Primitive::Number(number) => format!("number {number:?}"),
            Primitive::Scale(index) => format!("scale {}", self.scales[*index].path),
            Primitive::Size(size) => format!("size {}", self.size(size)),
            Primitive::Unary(function) => function.name().to_string(),
            Primitive::Binary(function) => function.name().to_string(),
            Primitive::MatMul { transposed: false } => "matmul".to_string(),
            Primitive::MatMul { transposed: true } => "matmul transposed".to_string(),
            Primitive::Embed => "embed".to_string(),
            Primitive::Attention { mask: AttentionMask::Full } => "attention full".to_string(),
            Primitive::Attention { mask: AttentionMask::Causal } => "attention causal".to_string(),
            Primitive::Attention { mask: AttentionMask::Window(n) } => format!("attention window({n})"),
            Primitive::Rope { channels, base } => format!("rope channels={channels} base={base}"),
            Primitive::L2Normalize { eps } => format!("l2_normalize eps={eps:?}"),
            Primitive::LayerNorm { eps } => format!("layer_norm eps={eps:?}"),
            Primitive::RmsNorm { eps } => format!("rms_norm eps={eps:?}"),
            Primitive::Softmax => "softmax".to_string(),
            Primitive::TopK { k } => format!("top_k k={}", self.size(k)),
            Primitive::Sum { axes } => format!("sum {axes:?}"),
            Primitive::Mean { axes } => format!("mean {axes:?}"),
            Primitive::Concat { axis } => format!("concat axis={axis}"),
            Primitive::Slice { axis, start, length } => {
                format!("slice axis={axis} start={} length={}", self.size(start), self.size(length))
            }
            Primitive::Reshape => "reshape".to_string(),
            Primitive::Transpose { permutation } => format!("transpose {permutation:?}"),
            Primitive::Positions => "positions".to_string(),
            Primitive::SplitHeads { heads } => format!("split_heads {heads}"),
            Primitive::MergeHeads => "merge_heads".to_string(),
            Primitive::Patches { size } => format!("patches {size}"),
            Primitive::Expand => "expand".to_string(),
            Primitive::Dropout { rate, stream } => format!("dropout {rate} stream={stream}"),
            Primitive::DropPath { rate, stream } => format!("drop_path {rate} stream={stream}"),
            Primitive::First { low, high, shown: _, stream } => format!("first {low}..{high} stream={stream}"),
            Primitive::CrossEntropy => "cross_entropy".to_string(),
            Primitive::Accuracy => "accuracy".to_string(),
        }
    }
}

impl Role {
    pub fn name(self) -> &'static str {
        match self {
            Role::Keys => "keys",
            Role::Values => "values",
            Role::Embedding => "embedding",
            Role::Linear => "linear",
            Role::Positions => "positions",
            Role::NormWeight => "norm_weight",
            Role::NormBias => "norm_bias",
            Role::Bias => "bias",
            Role::Free => "free",
        }
    }
}
