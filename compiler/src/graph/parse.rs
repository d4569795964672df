//! Reads the text form of a graph: the inverse of [`super::text`].
//!
//! Any text gets an answer: a graph that [`verify()`] accepts, or the first line that is wrong and why.

use super::{AttentionMask, Builder, DType, Graph, Input, Node, NodeId, Op, Origin, Reduction, Type, Value, verify};
use crate::precision::Precision;
use crate::scalar::{Binary, Unary};
use crate::size::{Size, Symbols};
use crate::storage::{RowState, Storage, WeightForm};
use std::str::FromStr;
use std::sync::Arc;

/// Why a text is no graph: a line, counted from 1, and one sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    pub line: usize,
    pub why: String,
}

impl std::fmt::Display for ParseError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line {}: {}", self.line, self.why)
    }
}

type Parsed<T> = Result<T, String>;

pub fn parse(text: &str) -> Result<Graph, ParseError> {
    let mut lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).peekable();
    let at = |line: usize, why: String| ParseError { line: line + 1, why };
    let (first, name) = lines.next().ok_or(at(0, "no graph".into()))?;
    let name = name.strip_prefix("graph ").ok_or_else(|| at(first, "a graph begins with `graph NAME`".into()))?;

    let mut symbols = Symbols::default();
    while let Some((line, text)) = lines.next_if(|(_, line)| line.starts_with("symbol ")) {
        symbol(text, &mut symbols).map_err(|why| at(line, why))?;
    }
    let mut reader = Reader { builder: Builder::new(name, symbols.clone()), symbols };
    let mut last = first;
    for (line, text) in lines {
        reader.line(text).map_err(|why| at(line, why))?;
        last = line;
    }
    let graph = reader.builder.finish();
    match verify(&graph).into_iter().next() {
        None => Ok(graph),
        Some(violation) => Err(at(last, violation.to_string())),
    }
}

/// `symbol block.0.ffn = tokens 0`
fn symbol(text: &str, symbols: &mut Symbols) -> Parsed<()> {
    let (name, axis) = text["symbol ".len()..].split_once(" = tokens ").ok_or("a symbol is `NAME = tokens AXIS`")?;
    if symbols.find(name).is_some() {
        return Err(format!("two symbols are called `{name}`"));
    }
    symbols.add_tokens(name, number(axis)?);
    Ok(())
}

struct Reader {
    builder: Builder,
    symbols: Symbols,
}

impl Reader {
    fn line(&mut self, line: &str) -> Parsed<()> {
        if let Some(input) = line.strip_prefix("input ") {
            self.input(input)
        } else if line.starts_with('%') {
            self.node(line)
        } else {
            self.output(line)
        }
    }

    /// `ids: i32[batch, sequence]`
    fn input(&mut self, text: &str) -> Parsed<()> {
        let (name, ty) = text.split_once(": ").ok_or("an input is `NAME: TYPE`")?;
        self.builder.declare(Input { name: name.into(), ty: self.ty(ty)? });
        Ok(())
    }

    /// `%3 = slice(%2) {axis=1, start=0}: f32[batch, 4] @ block.0 again`
    fn node(&mut self, text: &str) -> Parsed<()> {
        let (id, text) = text.split_once(" = ").ok_or("a node is `%NUMBER = OPERATION: TYPE`")?;
        if id != format!("%{}", self.builder.graph().len()) {
            return Err(format!("the next node is %{}, not {id}", self.builder.graph().len()));
        }
        let (text, again) = text.strip_suffix(" again").map_or((text, false), |text| (text, true));
        let (text, path) = match text.split_once(" @ ") {
            Some((text, path)) => (text, Some(path.to_string())),
            None => (text, None),
        };
        let (applied, types) = text.split_once(": ").ok_or("a type is missing")?;
        let types = split(types).into_iter().map(|ty| self.ty(ty)).collect::<Parsed<Vec<Type>>>()?;
        if types.is_empty() {
            return Err("a type is missing".into());
        }
        let (applied, attributes) = match applied.strip_suffix('}').and_then(|text| text.split_once(" {")) {
            Some((applied, attributes)) => (applied, split(attributes)),
            None => (applied, Vec::new()),
        };
        let (name, operands) = match applied.strip_suffix(')').and_then(|text| text.split_once('(')) {
            Some((name, operands)) => (name, split(operands)),
            None => (applied, Vec::new()),
        };
        let operands = operands.into_iter().map(|text| self.value(text)).collect::<Parsed<Vec<Value>>>()?;
        let described = Described { attributes, types: &types, symbols: &self.symbols };
        let op = described.op(name)?;
        self.builder.copy(&Arc::new(Node { op, types, origin: Origin { span: None, path, again } }), &operands);
        Ok(())
    }

    /// `gradient.0 += %57 as e.weight`
    fn output(&mut self, text: &str) -> Parsed<()> {
        let shape = "an output is `STORAGE = VALUE as NAME` or `STORAGE += VALUE as NAME`";
        let (stored, name) = text.split_once(" as ").ok_or(shape)?;
        let (target, value) = stored.split_once("= ").ok_or(shape)?;
        let (target, accumulate) = match target.strip_suffix(" +") {
            Some(target) => (target, true),
            None => (target.trim_end(), false),
        };
        let value = self.value(value)?;
        self.builder.store(name, value, storage(target)?, accumulate);
        Ok(())
    }

    /// `%3` or `%3.1`, a value that stands before.
    fn value(&self, text: &str) -> Parsed<Value> {
        let unknown = || format!("there is no value `{text}` here");
        let name = text.strip_prefix('%').ok_or_else(unknown)?;
        let (node, result) = name.split_once('.').unwrap_or((name, "0"));
        let value = Value { node: NodeId(number(node)?), result: number(result)? };
        let graph = self.builder.graph();
        let exists =
            (value.node.0 as usize) < graph.len() && (value.result as usize) < graph.node(value.node).types.len();
        if exists { Ok(value) } else { Err(unknown()) }
    }

    fn ty(&self, text: &str) -> Parsed<Type> {
        let (dtype, shape) = text.split_once('[').ok_or_else(|| format!("`{text}` is no type"))?;
        let shape = shape.strip_suffix(']').ok_or_else(|| format!("`{text}` is no type"))?;
        let dtype = [DType::F32, DType::BF16, DType::I32].into_iter().find(|d| d.name() == dtype);
        let dtype = dtype.ok_or_else(|| format!("`{text}` is no type"))?;
        let shape = split(shape).into_iter().map(|text| size(text, &self.symbols)).collect::<Parsed<Vec<Size>>>()?;
        Ok(Type { dtype, shape })
    }
}

/// What a line says of an operation besides its name and operands.
struct Described<'a> {
    attributes: Vec<&'a str>,
    types: &'a [Type],
    symbols: &'a Symbols,
}

impl Described<'_> {
    fn op(&self, name: &str) -> Parsed<Op> {
        if let Some(function) = Unary::ALL.into_iter().find(|f| f.name() == name) {
            return Ok(Op::Unary(function));
        }
        if let Some(function) = Binary::ALL.into_iter().find(|f| f.name() == name) {
            return Ok(Op::Binary(function));
        }
        if let Some(reduction) = Reduction::ALL.into_iter().find(|r| name.strip_prefix("reduce_") == Some(r.name())) {
            return Ok(Op::Reduce { reduction, axes: self.list("axes")? });
        }
        let op = match name {
            "size_of" => Op::SizeOf(size(self.attribute("of")?, self.symbols)?),
            "iota" => Op::Iota { axis: self.number("axis")? },
            "uniform" => Op::Uniform { stream: self.number("stream")?, shape: self.shape() },
            "select" => Op::Select,
            "to_float" => Op::ToFloat,
            "broadcast" => Op::Broadcast { shape: self.shape() },
            "reshape" => Op::Reshape { shape: self.shape() },
            "transpose" => Op::Transpose { permutation: self.list("permutation")? },
            "slice" => {
                let (axis, start) = (self.number("axis")?, size(self.attribute("start")?, self.symbols)?);
                Op::Slice { axis, start, length: self.axis(axis)? }
            }
            "concat" => Op::Concat { axis: self.number("axis")? },
            "matmul" => Op::MatMul { transpose_a: self.flag("transpose_a"), transpose_b: self.flag("transpose_b") },
            "l2_normalize" => Op::L2Normalize { eps: self.number("eps")? },
            "layer_norm" => Op::LayerNorm { eps: self.number("eps")? },
            "rms_norm" => Op::RmsNorm { eps: self.number("eps")? },
            "softmax" => Op::Softmax,
            "top_k" => Op::TopK { k: size(self.attribute("k")?, self.symbols)? },
            "kth_largest" => Op::KthLargest,
            "embed" => Op::Embed,
            "embed_backward" => Op::EmbedBackward { classes: self.axis(0)? },
            "one_hot" => Op::OneHot { classes: self.axis(self.shape().len().wrapping_sub(1))? },
            "rope" => {
                let (channels, base) = (self.number("channels")?, self.number("base")?);
                Op::Rope { channels, base, inverse: self.flag("inverse") }
            }
            "attention" => Op::Attention { mask: self.mask()?, scale: self.number("scale")? },
            "attention_backward" => Op::AttentionBackward { mask: self.mask()?, scale: self.number("scale")? },
            "cached_attention" => Op::CachedAttention { mask: self.mask()?, scale: self.number("scale")? },
            "cache_write" => Op::CacheWrite,
            "cross_entropy" => Op::CrossEntropy,
            "cross_entropy_backward" => Op::CrossEntropyBackward,
            "vocabulary_loss" => Op::VocabularyLoss,
            "vocabulary_loss_backward" => Op::VocabularyLossBackward,
            "arg_max" => Op::ArgMax,
            "labels_equal" => Op::LabelsEqual,
            _ => return source(name),
        };
        Ok(op)
    }

    fn attribute(&self, name: &str) -> Parsed<&str> {
        let of_name = |text: &&str| text.strip_prefix(name).is_some_and(|rest| rest.starts_with('='));
        let text = self.attributes.iter().copied().find(of_name).ok_or_else(|| format!("`{name}` is missing"))?;
        Ok(&text[name.len() + 1..])
    }

    fn flag(&self, name: &str) -> bool {
        self.attributes.contains(&name)
    }

    fn number<T: FromStr>(&self, name: &str) -> Parsed<T> {
        number(self.attribute(name)?)
    }

    fn list(&self, name: &str) -> Parsed<Vec<usize>> {
        let text = self.attribute(name)?;
        let inner = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
        split(inner.ok_or_else(|| format!("`{text}` is no list"))?).into_iter().map(number).collect()
    }

    fn mask(&self) -> Parsed<AttentionMask> {
        match self.attribute("mask")?.split_once(' ').unwrap_or((self.attribute("mask")?, "")) {
            ("full", "") => Ok(AttentionMask::Full),
            ("causal", "") => Ok(AttentionMask::Causal),
            ("window", n) => Ok(AttentionMask::Window(number(n)?)),
            _ => Err("a mask is full, causal or window N".into()),
        }
    }

    fn shape(&self) -> Vec<Size> {
        self.types[0].shape.clone()
    }

    fn axis(&self, axis: usize) -> Parsed<Size> {
        self.shape().get(axis).cloned().ok_or_else(|| "the type has no such axis".into())
    }
}

/// `load parameter.3` or `constant 0.5`
fn source(text: &str) -> Parsed<Op> {
    match text.split_once(' ') {
        Some(("load", from)) => Ok(Op::Load(storage(from)?)),
        Some(("constant", value)) => Ok(Op::Constant(number(value)?)),
        _ => Err(format!("`{text}` is no operation")),
    }
}

/// `parameter.3`, `rows.3.decay` or `weight.3.bf16.transposed`
fn storage(text: &str) -> Parsed<Storage> {
    let unknown = || format!("`{text}` is no storage");
    let (kind, index) = text.split_once('.').ok_or_else(unknown)?;
    if kind == "rows" {
        let (index, state) = index.split_once('.').ok_or_else(unknown)?;
        let state = RowState::ALL.into_iter().find(|s| s.name() == state).ok_or_else(unknown)?;
        return Ok(Storage::Rows(number(index)?, state));
    }
    if kind == "weight" {
        let (index, form) = index.split_once('.').ok_or_else(unknown)?;
        let (precision, transposed) = match form.strip_suffix(".transposed") {
            Some(precision) => (precision, true),
            None => (form, false),
        };
        let precision = [Precision::F32, Precision::Bf16].into_iter().find(|p| p.name() == precision);
        let form = WeightForm { precision: precision.ok_or_else(unknown)?, transposed };
        return Ok(Storage::Weight(number(index)?, form));
    }
    let index = number(index)?;
    match kind {
        "input" => Ok(Storage::Input(index)),
        "output" => Ok(Storage::Output(index)),
        "parameter" => Ok(Storage::Parameter(index)),
        "gradient" => Ok(Storage::Gradient(index)),
        "first_moment" => Ok(Storage::FirstMoment(index)),
        "second_moment" => Ok(Storage::SecondMoment(index)),
        "scale" => Ok(Storage::Scale(index)),
        "cache" => Ok(Storage::Cache(index)),
        "table" => Ok(Storage::Table(index)),
        _ => Err(unknown()),
    }
}

/// `2*batch*sequence - 3`
fn size(text: &str, symbols: &Symbols) -> Parsed<Size> {
    let mut sum = Size::default();
    let mut sign = 1;
    for word in text.split(' ') {
        match word {
            "+" => sign = 1,
            "-" => sign = -1,
            term => sum = sum + product(term, symbols)? * Size::constant(sign),
        }
    }
    Ok(sum)
}

fn product(text: &str, symbols: &Symbols) -> Parsed<Size> {
    let (sign, text) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text),
    };
    let factor = |name: &str| match symbols.find(name) {
        Some(symbol) => Ok(Size::symbol(symbol)),
        None => number(name).map(Size::constant).map_err(|_| format!("there is no size `{name}`")),
    };
    text.split('*').try_fold(Size::constant(sign), |product, name| Ok(product * factor(name)?))
}

fn number<T: FromStr>(text: &str) -> Parsed<T> {
    text.parse().map_err(|_| format!("`{text}` is not the number that belongs here"))
}

/// The parts between commas that stand in no brackets.
fn split(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut depth, mut start) = (0, 0);
    for (at, c) in text.char_indices() {
        match c {
            '[' => depth += 1,
            ']' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(text[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    if !text.trim().is_empty() {
        parts.push(text[start..].trim());
    }
    parts
}
