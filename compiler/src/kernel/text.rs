//! Kernels as text: what was grouped, in the words of the graph.
//!
//! Operands are `#0`, `#1`, … in the order of the launch, a result that is used more than once is a `$` with a line of its own.

use super::program::{Number, Program, ProgramOp, Register};
use super::{Access, Body, ColumnReduction, Contraction, ContractionAccess, Inner, Kernel, Rotary, RowProgram};
use crate::graph::{AttentionMask, DType, Reduction};
use crate::precision::Precision;
use crate::scalar::Binary;
use std::fmt::{Display, Formatter, Result};

impl Display for Kernel {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match &self.body {
            Body::Contraction(body) => contraction(self, body, f),
            Body::Rows(body) => rows(self, body, f),
            Body::Columns(body) => columns(self, body, f),
            Body::Gather(_) => plain(self, "gather", f),
            Body::ScatterAdd(_) => plain(self, "scatter_add", f),
            Body::Rope(body) => plain(self, rope(body), f),
            Body::CacheWrite(_) => plain(self, "cache_write", f),
            Body::Attention(body) => {
                let name = format!("attention{}", in_precision(body.precision));
                attention(self, &name, (body.channels, body.mask, body.documents, body.scale), f)
            }
            Body::AttentionBackward(body) => {
                let name = format!("attention_backward{}", in_precision(body.precision));
                attention(self, &name, (body.channels, body.mask, body.documents, body.scale), f)?;
                let first = 6 + usize::from(body.documents);
                let line = |rotary| writeln!(f, "  #{first}, #{} <- {}", first + 1, turned(rotary));
                body.rotary.iter().try_for_each(line)
            }
            Body::CachedAttention(body) => {
                attention(self, "cached_attention", (body.channels, body.mask, false, body.scale), f)
            }
        }
    }
}

fn contraction(kernel: &Kernel, body: &Contraction, f: &mut Formatter<'_>) -> Result {
    let transposed = |yes: bool| if yes { "ᵀ" } else { "" };
    let precision = in_precision(body.precision);
    writeln!(f, "contraction{precision} #0{} · #1{}", transposed(body.transpose_a), transposed(body.transpose_b))?;
    let name = |access: &ContractionAccess| match access {
        ContractionAccess::Matrix => "matrix",
        ContractionAccess::PerRow => "per row",
        ContractionAccess::PerColumn => "per column",
        ContractionAccess::Scalar => "scalar",
    };
    let tables = body.rotary.iter().flat_map(|_| [""; Rotary::OPERANDS]);
    let access: Vec<&str> = ["matrix"; 2].into_iter().chain(body.access.iter().map(name)).chain(tables).collect();
    operands(kernel, &access, f)?;
    for (operand, prologue) in [(0, &body.prologue_a), (1, &body.prologue_b)] {
        if let Some((program, register)) = prologue {
            let given = format!("#{operand}");
            let text = ProgramText::new(program, &given, &[*register]);
            text.named_lines(f)?;
            writeln!(f, "  #{operand} <- {}", text.of(*register))?;
        }
    }
    stores(&body.epilogue, "sum", &body.stores, f)?;
    let stored = body.stores.first().map_or(0, |(operand, _)| *operand);
    body.rotary.iter().try_for_each(|rotary| writeln!(f, "  #{stored} <- {}", turned(rotary)))
}

fn rows(kernel: &Kernel, body: &RowProgram, f: &mut Formatter<'_>) -> Result {
    writeln!(f, "rows, outer rank {}", body.outer_rank)?;
    let access: Vec<&str> = body.access.iter().map(|a| inner(a.inner)).collect();
    operands(kernel, &access, f)?;
    stores(&body.program, "", &body.stores, f)
}

fn columns(kernel: &Kernel, body: &ColumnReduction, f: &mut Formatter<'_>) -> Result {
    writeln!(f, "columns, outer rank {}", body.outer_rank)?;
    let access: Vec<&str> = body.access.iter().map(|a| inner(a.inner)).chain(["per column"]).collect();
    operands(kernel, &access, f)?;
    let text = ProgramText::new(&body.program, "", &[body.value]);
    text.named_lines(f)?;
    let out = kernel.operands.len() - 1;
    let sign = if kernel.operands[out].access == Access::Update { "+=" } else { "=" };
    writeln!(f, "  #{out} {sign} sum over rows of {}", text.of(body.value))
}

fn plain(kernel: &Kernel, name: &str, f: &mut Formatter<'_>) -> Result {
    writeln!(f, "{name}")?;
    operands(kernel, &vec![""; kernel.operands.len()], f)
}

fn rope(body: &super::Rope) -> &'static str {
    match (body.inverse, body.documents) {
        (false, false) => "rope",
        (false, true) => "rope in documents",
        (true, false) => "rope inverse",
        (true, true) => "rope inverse in documents",
    }
}

/// `rope, 16 of 64 channels`
fn turned(rotary: &Rotary) -> String {
    let Rotary { channels, turned, inverse, documents } = *rotary;
    format!("{}, {turned} of {channels} channels", rope(&super::Rope { inverse, documents }))
}

fn in_precision(precision: Precision) -> &'static str {
    match precision {
        Precision::F32 => "",
        Precision::Bf16 => " in bf16",
    }
}

fn attention(
    kernel: &Kernel,
    name: &str,
    (channels, mask, documents, scale): (u32, AttentionMask, bool, Number),
    f: &mut Formatter<'_>,
) -> Result {
    let mask = match mask {
        AttentionMask::Full => "full".to_string(),
        AttentionMask::Causal => "causal".to_string(),
        AttentionMask::Window(n) => format!("window {n}"),
    };
    let documents = if documents { " in documents" } else { "" };
    writeln!(f, "{name} {mask}{documents}, {channels} channels, scale {}", scale.0)?;
    operands(kernel, &vec![""; kernel.operands.len()], f)
}

fn inner(inner: Inner) -> &'static str {
    match inner {
        Inner::Unit => "unit",
        Inner::Row => "row",
        Inner::Strided => "strided",
    }
}

/// One line: `#0 read matrix, #1 read i32 row, …`.
fn operands(kernel: &Kernel, how: &[&str], f: &mut Formatter<'_>) -> Result {
    let one = |(i, (operand, how)): (usize, (&super::Operand, &&str))| {
        let access = match operand.access {
            Access::Read => "read",
            Access::Write => "write",
            Access::Update => "update",
        };
        let dtype = match operand.dtype {
            DType::F32 => "",
            DType::BF16 | DType::I32 => operand.dtype.name(),
        };
        let words: Vec<&str> = [access, dtype, how].into_iter().filter(|word| !word.is_empty()).collect();
        format!("#{i} {}", words.join(" "))
    };
    let all: Vec<String> = kernel.operands.iter().zip(how).enumerate().map(one).collect();
    writeln!(f, "  {}", all.join(", "))
}

fn stores(program: &Program, given: &str, stores: &[(u16, Register)], f: &mut Formatter<'_>) -> Result {
    let results: Vec<Register> = stores.iter().map(|(_, register)| *register).collect();
    let text = ProgramText::new(program, given, &results);
    text.named_lines(f)?;
    stores.iter().try_for_each(|(operand, register)| writeln!(f, "  #{operand} = {}", text.of(*register)))
}

/// A program as expressions.
struct ProgramText<'a> {
    program: &'a Program,
    /// What `Given` is called.
    given: &'a str,
    /// Of each register, whether it has a name: it is more than a name itself, and used more than once or nested too deeply.
    named: Vec<bool>,
}

/// Expressions are read by people, and written by recursion.
const DEEPEST: usize = 100;

impl<'a> ProgramText<'a> {
    fn new(program: &'a Program, given: &'a str, results: &[Register]) -> ProgramText<'a> {
        let mut uses = vec![0; program.ops.len()];
        let used = program.ops.iter().flat_map(ProgramOp::operands).chain(results.iter().copied());
        used.for_each(|register| uses[register.0 as usize] += 1);
        let (mut named, mut depths) = (Vec::new(), Vec::new());
        for (op, uses) in program.ops.iter().zip(uses) {
            let deepest = op.operands().into_iter().map(|operand| depths[operand.0 as usize] + 1).max();
            let is_named = deepest.is_some_and(|depth| uses > 1 || depth == DEEPEST);
            depths.push(if is_named { 0 } else { deepest.unwrap_or(0) });
            named.push(is_named);
        }
        ProgramText { program, given, named }
    }

    fn named_lines(&self, f: &mut Formatter<'_>) -> Result {
        for register in (0..self.program.ops.len()).filter(|register| self.named[*register]) {
            writeln!(f, "  ${register} = {}", self.expression(register))?;
        }
        Ok(())
    }

    fn of(&self, register: Register) -> String {
        let register = register.0 as usize;
        if self.named[register] { format!("${register}") } else { self.expression(register) }
    }

    fn expression(&self, register: usize) -> String {
        match &self.program.ops[register] {
            ProgramOp::Load(operand) => format!("#{operand}"),
            ProgramOp::Constant(number) => format!("{}", number.0),
            ProgramOp::Size(index) => format!("size{index}"),
            ProgramOp::Unary(function, x) => format!("{}({})", function.name(), self.of(*x)),
            ProgramOp::Binary(function, a, b) => binary(*function, &self.of(*a), &self.of(*b)),
            ProgramOp::Select(c, a, b) => format!("select({}, {}, {})", self.of(*c), self.of(*a), self.of(*b)),
            ProgramOp::InnerIndex => "inner_index".to_string(),
            ProgramOp::OuterIndex(dimension) => format!("outer_index{dimension}"),
            ProgramOp::Given => self.given.to_string(),
            ProgramOp::Reduce(reduction, x) => format!("{}({})", reduction_name(*reduction), self.of(*x)),
            ProgramOp::KthLargest(x, k) => format!("row_kth_largest({}, {})", self.of(*x), self.of(*k)),
            ProgramOp::Uniform { seed, stream } => format!("uniform(#{seed}, size{stream})"),
        }
    }
}

fn binary(function: Binary, a: &str, b: &str) -> String {
    let sign = match function {
        Binary::Add => "+",
        Binary::Subtract => "-",
        Binary::Multiply => "*",
        Binary::Divide => "/",
        Binary::Less => "<",
        Binary::LessOrEqual => "<=",
        Binary::Equal => "==",
        Binary::Power | Binary::Maximum | Binary::Minimum => return format!("{}({a}, {b})", function.name()),
    };
    format!("({a} {sign} {b})")
}

fn reduction_name(reduction: Reduction) -> &'static str {
    match reduction {
        Reduction::Sum => "row_sum",
        Reduction::Maximum => "row_maximum",
        Reduction::L2Norm => "row_norm",
    }
}
