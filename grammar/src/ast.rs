//! The syntax tree: what a `.tfm` file says, before it is asked what that means.
//!
//! The tree is general on purpose: a block holds fields of the form `name = expression`, and which fields exist, what
//! types they have and where a rule or a stage makes sense is the checker's knowledge. Everything carries the span of
//! its text. Parentheses are not kept (the formatter puts them where precedence asks for them); comments are: they are
//! attached as [`Trivia`] to the statement, argument or parameter they stand beside.

use crate::span::{FileId, Span};

/// One `.tfm` file: experiments have a model, data, training and growth; libraries have layers and constants.
#[derive(Clone, Debug, PartialEq)]
pub struct File {
    pub id: FileId,
    pub items: Block<ItemKind>,
}

/// A statement of any kind, with its comments.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement<K> {
    pub kind: K,
    pub span: Span,
    pub trivia: Trivia,
}

/// The statements between two braces, or of a whole file.
#[derive(Clone, Debug, PartialEq)]
pub struct Block<K> {
    pub statements: Vec<Statement<K>>,
    /// With the braces.
    pub span: Span,
    /// The comment on the line of the opening brace.
    pub opening: Option<Comment>,
    /// The comments after the last statement.
    pub closing: Vec<Comment>,
}

pub type Item = Statement<ItemKind>;
pub type Member = Statement<MemberKind>;
pub type Line = Statement<LineKind>;
pub type Entry = Statement<EntryKind>;

/// What stands at the top of a file.
#[derive(Clone, Debug, PartialEq)]
pub enum ItemKind {
    Use(Use),
    Let(Definition),
    Tokens(Definition),
    Layer(Layer),
    Model(Model),
    Section(Section),
}

/// `use "file.tfm" { heads = 4 }`
#[derive(Clone, Debug, PartialEq)]
pub struct Use {
    pub path: Text,
    pub overrides: Option<Block<EntryKind>>,
}

/// `name = value`, whether it follows `let`, `tokens` or nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct Definition {
    pub name: Name,
    pub value: Expr,
}

/// `model name { … }`
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    pub name: Name,
    pub members: Block<MemberKind>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum MemberKind {
    Let(Definition),
    Tokens(Definition),
    Layer(Layer),
    Forward(Forward),
    /// `loss = …` and every other value computed beside it.
    Binding(Definition),
}

/// `layer name(params) { … }`
#[derive(Clone, Debug, PartialEq)]
pub struct Layer {
    pub name: Name,
    pub params: Vec<Param>,
    pub body: Body,
}

/// `forward(params) { … }`
#[derive(Clone, Debug, PartialEq)]
pub struct Forward {
    /// Of the word `forward`.
    pub keyword: Span,
    pub params: Vec<Param>,
    pub body: Body,
}

/// `name: annotation = default`
#[derive(Clone, Debug, PartialEq)]
pub struct Param {
    pub name: Name,
    pub annotation: Option<Expr>,
    pub default: Option<Expr>,
    pub span: Span,
    pub trivia: Trivia,
}

/// Bindings, then at most one result; the parser sees to it that the result comes last.
pub type Body = Block<LineKind>;

#[derive(Clone, Debug, PartialEq)]
pub enum LineKind {
    Binding(Definition),
    Result(Expr),
}

/// `data { … }`, `train { … }`, `grow { … }`
#[derive(Clone, Debug, PartialEq)]
pub struct Section {
    pub kind: SectionKind,
    /// Of the word that opens it.
    pub keyword: Span,
    pub block: Block<EntryKind>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SectionKind {
    Data,
    Train,
    Grow,
}

/// What stands in the block of a section, a stage, a rule or a `use`.
#[derive(Clone, Debug, PartialEq)]
pub enum EntryKind {
    Field(Field),
    /// A name alone, `freeze`: short for `freeze = true`.
    Flag(Name),
    Rule(Rule),
    Stage(Stage),
    /// `expect preserve(1e-6)`
    Expect(Expr),
}

/// `target = value`, `target += value`, `target *= value`, `target = value by choice`
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    pub target: Pattern,
    pub assign: Assign,
    pub value: Expr,
    pub by: Option<Name>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Assign {
    Set,
    Add,
    Multiply,
}

/// `on pattern { … }`
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    pub pattern: Pattern,
    pub block: Block<EntryKind>,
}

/// `stage "name" { … }`
#[derive(Clone, Debug, PartialEq)]
pub struct Stage {
    pub name: Text,
    pub block: Block<EntryKind>,
}

/// A path that may stand for several: `qkv`, `block[8..12].ffn`, `*`, `block.3.attend.q.keys`, `grow."757M".steps`.
#[derive(Clone, Debug, PartialEq)]
pub struct Pattern {
    /// Never empty.
    pub parts: Vec<Part>,
    pub span: Span,
}

/// One part of a path, with the repeat index or range of indices that follows it, as `[8..12]` or `.3`.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    pub kind: PartKind,
    pub index: Option<Expr>,
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq)]
pub enum PartKind {
    Name(String),
    Text(String),
    /// `*`
    Any,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Expr {
    pub kind: ExprKind,
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq)]
pub enum ExprKind {
    Number(Number),
    Text(String),
    /// `true` or `false`
    Flag(bool),
    /// A constant, a layer, a parameter, a word such as `bf16`, or a flag argument such as `causal`.
    Name(String),
    Negate(Box<Expr>),
    Binary {
        op: BinaryOp,
        left: Box<Expr>,
        right: Box<Expr>,
    },
    /// `input |> call`: the input becomes the call's first argument.
    Pipe {
        input: Box<Expr>,
        call: Box<Expr>,
    },
    Call {
        callee: Box<Expr>,
        args: Vec<Arg>,
    },
    /// `base[a, b]`: a slice, or the shape of an input or a parameter.
    Index {
        base: Box<Expr>,
        indices: Vec<Expr>,
    },
    /// `base.name`: a field of a tuple.
    Member {
        base: Box<Expr>,
        name: Name,
    },
    /// `[a, b]`: a shape.
    List(Vec<Expr>),
    /// `(0.9, 0.95)` or `(keys = zero, values = normal(0.02))`
    Tuple(Vec<Arg>),
    /// `0..5`, `..`; only as an element of an index or a list.
    Range {
        start: Option<Box<Expr>>,
        end: Option<Box<Expr>>,
    },
    /// `if condition { … } else { … }`: decided when the model is checked, by flags and constants.
    If(Box<If>),
}

#[derive(Clone, Debug, PartialEq)]
pub struct If {
    pub condition: Expr,
    pub then: Body,
    pub otherwise: Body,
}

/// `value`, `name = value`, or `value : share`
#[derive(Clone, Debug, PartialEq)]
pub struct Arg {
    pub name: Option<Name>,
    pub value: Expr,
    /// The weight in `mix("a" : 70%, "b" : 30%)`.
    pub share: Option<Expr>,
    pub span: Span,
    pub trivia: Trivia,
}

/// A number as written and as meant.
#[derive(Clone, Debug, PartialEq)]
pub struct Number {
    pub spelling: String,
    /// With its unit applied: `600K` is 600000, `10%` is 0.1. Always finite.
    pub value: f64,
    pub percent: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BinaryOp {
    Add,
    Subtract,
    Multiply,
    Divide,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    Equal,
    NotEqual,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    pub text: String,
    pub span: Span,
}

/// A string, without its quotes and escapes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    pub value: String,
    pub span: Span,
}

/// The comments beside a node.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trivia {
    /// An empty line stood right before the node.
    pub blank_before: bool,
    /// The lines above the node, `///` among them.
    pub leading: Vec<Comment>,
    /// The comment behind it on its last line.
    pub trailing: Option<Comment>,
}

/// One `//` or `///` comment.
#[derive(Clone, Debug, PartialEq)]
pub struct Comment {
    /// With its slashes, without the line's end.
    pub text: String,
    /// An empty line stood right before it.
    pub blank_before: bool,
    pub span: Span,
}

impl Trivia {
    /// The text of the `///` lines above the node.
    pub fn docs(&self) -> String {
        let lines: Vec<&str> = self.leading.iter().filter_map(Comment::doc).collect();
        lines.join("\n")
    }
}

impl Comment {
    /// What a `///` comment says.
    pub fn doc(&self) -> Option<&str> {
        let text = self.text.strip_prefix("///")?;
        if text.starts_with('/') {
            return None;
        }
        Some(text.strip_prefix(' ').unwrap_or(text))
    }
}

impl Block<LineKind> {
    pub fn bindings(&self) -> impl Iterator<Item = &Definition> {
        self.statements.iter().filter_map(|line| match &line.kind {
            LineKind::Binding(binding) => Some(binding),
            LineKind::Result(_) => None,
        })
    }

    pub fn result(&self) -> Option<&Expr> {
        match &self.statements.last()?.kind {
            LineKind::Binding(_) => None,
            LineKind::Result(expr) => Some(expr),
        }
    }
}

impl Pattern {
    /// The name, if the pattern is nothing but one.
    pub fn as_name(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [Part { kind: PartKind::Name(name), index: None, .. }] => Some(name),
            _ => None,
        }
    }
}

impl Expr {
    pub fn as_name(&self) -> Option<&str> {
        match &self.kind {
            ExprKind::Name(name) => Some(name),
            _ => None,
        }
    }
}

impl Number {
    /// The value, if it is a whole number that `f64` holds exactly.
    pub fn as_integer(&self) -> Option<u64> {
        const EXACT: f64 = (1u64 << f64::MANTISSA_DIGITS) as f64;
        let exact = self.value >= 0.0 && self.value < EXACT && self.value.fract() == 0.0;
        exact.then_some(self.value as u64)
    }
}

impl SectionKind {
    pub const ALL: [SectionKind; 3] = [SectionKind::Data, SectionKind::Train, SectionKind::Grow];

    pub fn keyword(self) -> &'static str {
        match self {
            SectionKind::Data => "data",
            SectionKind::Train => "train",
            SectionKind::Grow => "grow",
        }
    }
}

impl Assign {
    pub fn symbol(self) -> &'static str {
        match self {
            Assign::Set => "=",
            Assign::Add => "+=",
            Assign::Multiply => "*=",
        }
    }
}

/// Of `|>`, between the comparisons and the sums.
pub const PIPE_PRECEDENCE: u8 = 2;

impl BinaryOp {
    pub const ALL: [BinaryOp; 10] = [
        BinaryOp::Add,
        BinaryOp::Subtract,
        BinaryOp::Multiply,
        BinaryOp::Divide,
        BinaryOp::Less,
        BinaryOp::LessEqual,
        BinaryOp::Greater,
        BinaryOp::GreaterEqual,
        BinaryOp::Equal,
        BinaryOp::NotEqual,
    ];

    /// What binds tighter has the higher number: `a + b |> f < c` is `((a + b) |> f) < c`.
    pub fn precedence(self) -> u8 {
        match self {
            BinaryOp::Less
            | BinaryOp::LessEqual
            | BinaryOp::Greater
            | BinaryOp::GreaterEqual
            | BinaryOp::Equal
            | BinaryOp::NotEqual => 1,
            BinaryOp::Add | BinaryOp::Subtract => PIPE_PRECEDENCE + 1,
            BinaryOp::Multiply | BinaryOp::Divide => PIPE_PRECEDENCE + 2,
        }
    }

    pub fn symbol(self) -> &'static str {
        match self {
            BinaryOp::Add => "+",
            BinaryOp::Subtract => "-",
            BinaryOp::Multiply => "*",
            BinaryOp::Divide => "/",
            BinaryOp::Less => "<",
            BinaryOp::LessEqual => "<=",
            BinaryOp::Greater => ">",
            BinaryOp::GreaterEqual => ">=",
            BinaryOp::Equal => "==",
            BinaryOp::NotEqual => "!=",
        }
    }
}
