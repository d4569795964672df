//! Every diagnostic code of the compiler, in one table: to add one, add an entry here.
//!
//! A number is never reused. `docs/diagnostics.md` is made from this table.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    Error,
    Warning,
}

/// What the first letters of an id say, in the order of the table.
const FAMILIES: [(&str, &str); 8] = [
    ("E01", "Syntax"),
    ("E02", "Names"),
    ("E03", "Types and shapes"),
    ("E04", "Values and fields"),
    ("E05", "Stages and growth"),
    ("E06", "Not yet supported"),
    ("E07", "Data"),
    ("W", "Warnings"),
];

/// One row of the table.
struct Entry {
    id: &'static str,
    title: &'static str,
    explanation: &'static str,
    example: Option<&'static str>,
}

macro_rules! codes {
    ($($name:ident = $id:literal, $title:literal, $explanation:literal, $example:expr;)*) => {
        /// The kind of a diagnostic.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code { $($name),* }

        impl Code {
            /// All codes, in the order of the table.
            pub const ALL: &'static [Code] = &[$(Code::$name),*];

            fn entry(self) -> Entry {
                match self {
                    $(Code::$name => Entry {
                        id: $id,
                        title: $title,
                        explanation: $explanation,
                        example: $example,
                    },)*
                }
            }
        }
    };
}

impl Code {
    /// `E0201`
    pub fn id(self) -> &'static str {
        self.entry().id
    }

    /// What is wrong, in a few words.
    pub fn title(self) -> &'static str {
        self.entry().title
    }

    /// Why it is wrong and what to do.
    pub fn explanation(self) -> &'static str {
        self.entry().explanation
    }

    /// A `.tfm` text that causes it, if one can: the smallest that makes sense.
    pub fn example(self) -> Option<&'static str> {
        self.entry().example
    }

    /// The kinds of codes, each with its name and its members, in the order of the table.
    pub fn families() -> impl Iterator<Item = (&'static str, Vec<Code>)> {
        FAMILIES.into_iter().map(|(prefix, name)| {
            let members = Code::ALL.iter().copied().filter(|code| code.id().starts_with(prefix));
            (name, members.collect())
        })
    }

    pub fn severity(self) -> Severity {
        if self.id().starts_with('W') { Severity::Warning } else { Severity::Error }
    }
}

/// A small model, before what goes wrong with it.
macro_rules! tiny {
    ($rest:literal) => {
        concat!(
            "model tiny {\n  tokens qkv = 64\n  forward(x: [16]) {\n    y = pattention(x, qkv)\n  }\n  loss = mean(y)\n}\n",
            $rest
        )
    };
}

/// The same, with a recipe.
macro_rules! trained {
    ($rest:literal) => {
        concat!(tiny!("train {\n  batch = 8  optimizer = adamw(lr = 1e-3)  steps = 1K\n}\n"), $rest)
    };
}

codes! {
    // Syntax.
    UnexpectedText = "E0101", "unexpected text",
        "The text does not fit the grammar where it stands. The message names what could stand there.",
        Some("model tiny {\n  let width 64\n}\n");
    UnclosedDelimiter = "E0102", "unclosed delimiter",
        "A `{`, `(` or `[` has no partner, or the partner is of another kind.",
        Some("model tiny {\n  let width = (64 + 64\n}\n");
    UnterminatedString = "E0103", "unterminated string",
        "A string ends on the line on which it begins, with a `\"`.",
        Some("data {\n  train = \"data/train\n}\n");
    UnknownEscape = "E0104", "unknown escape in a string",
        "In a string, `\\` begins one of `\\\"`, `\\\\`, `\\n` and `\\t`.",
        Some("data {\n  train = \"data\\validate\"\n}\n");
    NumberOutOfRange = "E0105", "number out of range",
        "Numbers are 64-bit floating point numbers: from about 1e-308 to 1e308.",
        Some("train {\n  seed = 1e999\n}\n");
    MissingSeparator = "E0106", "two statements without a separator",
        "Statements are separated by a new line or by two spaces.",
        Some("train {\n  batch = 8 seed = 1\n}\n");
    LeadingOperator = "E0107", "a statement cannot begin with an operator",
        "A new line or two spaces end a statement, except inside parentheses and brackets and before `|>`. To continue on \
         the next line, end the line with the operator.",
        Some("model tiny {\n  let width = 64\n    + 64\n}\n");
    ResultNotLast = "E0108", "an expression that is not the last line",
        "The result of a layer is its last line; every other line binds a name: `name = expression`.",
        Some("layer twice(x: [.., d]) {\n  x + x\n  y = x\n}\n");
    NestingTooDeep = "E0109", "nesting too deep",
        "Braces, brackets and parentheses nest at most 64 deep, and an expression chains at most 256 operators and calls. \
         Bind a part of it to a name.",
        Some("layer deep(x) {\n  \
              ((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((x))))))))))))))))))))))))))))))))))))))))))))))\
              ))))))))))))))))))))\n}\n");
    NotUtf8 = "E0110", "not UTF-8",
        "A `.tfm` file is text in UTF-8. Save it in that encoding.",
        None;
    InvalidCharacter = "E0111", "a character that has no meaning here",
        "Outside strings and comments, a `.tfm` file is written in ASCII. Characters copied from typeset text, such as \
         curly quotes and non-breaking spaces, look right but are not.",
        Some("model tiny {\n  let width = 64 \u{2212} 4\n}\n");
    PipeIntoValue = "E0112", "`|>` into a value",
        "What follows `|>` is the name of a layer or a call, to which the left side becomes the first argument. \
         Arithmetic binds tighter than `|>`: write `(x |> gelu) * 2`.",
        Some("layer twice(x: [.., d]) {\n  x |> gelu * 2\n}\n");

    // Names.
    UnknownName = "E0201", "unknown name",
        "No constant, binding, parameter, layer or operation of this name is in scope.",
        Some("model tiny {\n  let width = 64\n  let hidden = 4 * widht\n}\n");
    DuplicateName = "E0202", "duplicate definition",
        "A name is defined once in each scope.",
        Some("model tiny {\n  let width = 64\n  let width = 128\n}\n");
    CyclicUse = "E0203", "cyclic use",
        "A file cannot import itself, directly or through others.",
        Some("use \"this.tfm\"\n");
    FileNotFound = "E0204", "file not found",
        "The file of a `use` is looked up beside the file that says it.",
        Some("use \"nowhere.tfm\"\n");
    CyclicDefinition = "E0205", "cyclic definition",
        "A constant or a derived size cannot depend on itself.",
        Some("model tiny {\n  tokens qkv = 4 * ffn\n  tokens ffn = 4 * qkv\n}\n");
    RecursiveLayer = "E0206", "recursive layer",
        "A layer cannot call itself, directly or through others: the model would have no end.",
        Some("layer again(x) {\n  again(x)\n}\nmodel tiny {\n  forward(x: [16]) {\n    y = again(x)\n  }\n}\n");
    EqualPaths = "E0207", "two parameters with one path",
        "A parameter's path names it in checkpoints, rules and stages, so no two may be equal. Bind one of the calls to a \
         name: the binding becomes its part of the path.",
        Some("model tiny {\n  forward(x: [16]) {\n    y = gelu(linear(x, 4)) * linear(x, 4)\n  }\n}\n");
    MissingBlock = "E0208", "missing block",
        "The command needs a part of the experiment that the file does not have.",
        Some("train {\n  batch = 8\n}\n");
    DuplicateBlock = "E0209", "duplicate block",
        "An experiment has one `model`, one `data`, one `train` and one `grow`.",
        Some("train {\n  batch = 8\n}\ntrain {\n  batch = 16\n}\n");
    MissingForward = "E0210", "missing forward",
        "A model says what it computes in `forward`.",
        Some("model tiny {\n  let width = 64\n}\n");
    MissingLoss = "E0211", "missing loss",
        "Training needs a binding `loss` in the model.",
        Some("model tiny {\n  forward(x: [16]) {\n    y = linear(x, 4)\n  }\n}\ntrain {\n  batch = 8  steps = 10  optimizer = adamw(lr = 1e-3)\n}\n");
    UnknownOverride = "E0212", "nothing of this name to override",
        "`--set` and the block of a `use` change a `let`, a free `tokens` or a field that exists.",
        Some("use \"lib.tfm\" { colour = 4 }\n");

    // Types and shapes.
    WrongType = "E0301", "wrong type",
        "A value of another kind is needed here.",
        Some("model tiny {\n  let width = 64 + \"wide\"\n}\n");
    ShapeMismatch = "E0302", "shapes do not fit",
        "The operation needs sizes that agree. The labels show both shapes and where each size was declared.",
        Some("model tiny {\n  forward(x: [16], y: [8]) {\n    z = x + y\n  }\n}\n");
    WrongRank = "E0303", "wrong number of axes",
        "The operation or the annotation needs another number of axes.",
        Some("model tiny {\n  forward(x: [16]) {\n    y = x[0, 0..4, 0..4]\n  }\n}\n");
    WrongArgumentCount = "E0304", "wrong number of arguments",
        "The call has more arguments than the layer has parameters, or leaves out one without a default.",
        Some("layer half(x: [.., d]) {\n  gelu(x, 2, 3)\n}\n");
    UnknownArgument = "E0305", "unknown argument",
        "The layer or operation has no parameter or flag of this name.",
        Some("layer soft(x: [.., d]) {\n  linear(x, d, width = 4)\n}\n");
    DuplicateArgument = "E0306", "argument given twice",
        "Each parameter gets one value, by position or by name.",
        Some("layer soft(x: [.., d]) {\n  linear(x, d, out = d)\n}\n");
    NotCallable = "E0307", "not callable",
        "Only layers and operations can be called.",
        Some("model tiny {\n  let width = 64\n  let hidden = width(4)\n}\n");
    NoResult = "E0308", "a layer without a result",
        "The last line of a layer is an expression: its result.",
        Some("layer nothing(x: [.., d]) {\n  y = x\n}\n");
    NotDivisible = "E0309", "size not divisible",
        "The size must be a multiple of the other, as the width is of the number of heads.",
        Some("layer split(x: [.., d]) {\n  split_heads(x, 7)\n}\nmodel tiny {\n  forward(x: [16]) {\n    y = split(x)\n  }\n}\n");
    IndexOutOfRange = "E0310", "index out of range",
        "A slice must lie within its axis.",
        Some("model tiny {\n  forward(x: [16]) {\n    y = x[.., 0..20]\n  }\n}\n");
    NotConstant = "E0311", "not a constant",
        "Sizes, conditions of `if`, and options are known before the model runs; a tensor is not.",
        Some("model tiny {\n  forward(x: [16]) {\n    y = linear(x, x)\n  }\n}\n");
    NotScalar = "E0312", "not a scalar",
        "`loss` and the metrics beside it are single numbers: take the `mean` or the `sum`.",
        Some("model tiny {\n  forward(x: [16]) {\n    y = linear(x, 4)\n  }\n  loss = y\n}\n");

    // Values and fields.
    MissingField = "E0401", "missing field",
        "The block needs this field and it has no default.",
        Some("train {\n  batch = 8\n}\n");
    UnknownField = "E0402", "unknown field",
        "The block has no field of this name.",
        Some("train {\n  bacth = 8\n}\n");
    DuplicateField = "E0403", "field given twice",
        "A field is said once in a block.",
        Some("train {\n  batch = 8\n  batch = 16\n}\n");
    NotAnInteger = "E0404", "not a whole number",
        "Sizes and counts are whole numbers.",
        Some("model tiny {\n  tokens qkv = 0.5\n}\n");
    NegativeSize = "E0405", "negative or zero size",
        "A size is at least one.",
        Some("model tiny {\n  tokens qkv = 4 - 8\n}\n");
    SizeOverflow = "E0406", "size too large",
        "The size, or a product of sizes, does not fit 2^53, the largest whole number the language counts to.",
        Some("model tiny {\n  tokens qkv = 1e18 * 1K\n}\n");
    DivisionByZero = "E0407", "division by zero",
        "A constant is divided by zero.",
        Some("model tiny {\n  let width = 64 / 0\n}\n");
    ValueOutOfRange = "E0408", "value out of range",
        "The field documents the values it takes.",
        Some("train {\n  optimizer = adamw(lr = -1)\n}\n");
    UnknownOption = "E0409", "unknown option",
        "The field or argument takes one of a few words, and this is none of them.",
        Some("train {\n  precision = bf17\n}\n");
    UnitNotAllowed = "E0410", "a percentage where none makes sense",
        "`%` is a part of what the field documents; this one takes an absolute number.",
        Some("train {\n  batch = 8%\n}\n");
    MisplacedEntry = "E0411", "not allowed in this block",
        "Stages belong in `grow`; rules in `train` and in stages; `expect` in stages.",
        Some("data {\n  stage \"large\" { steps = 1 }\n}\n");
    SharesNotWhole = "E0412", "shares do not add up to 100 %",
        "The parts of a `mix` are shares of one whole.",
        Some("data {\n  train = mix(\"a\" : 70%, \"b\" : 70%)\n}\n");
    NoMatch = "E0413", "the pattern matches nothing",
        "No parameter of the model has a path that fits the pattern.",
        Some(tiny!(
            "train {\n  batch = 8  optimizer = adamw(lr = 1e-3)  steps = 10\n  on blok { freeze }\n}\n"
        ));

    // Stages and growth.
    FixedSize = "E0501", "growing a fixed size",
        "A stage sets free `tokens`. A `let` is a part of the architecture: changing it would leave no weight in place.",
        Some("model tiny {\n  let width = 64\n}\ngrow {\n  stage \"wide\" { width = 128 }\n}\n");
    DerivedSize = "E0502", "setting derived tokens",
        "These tokens follow others by the formula they were declared with. Set the ones they follow.",
        Some("model tiny {\n  tokens qkv = 64\n  tokens ffn = 4 * qkv\n}\ngrow {\n  stage \"more\" { ffn = 512 }\n}\n");
    CannotAddress = "E0503", "nothing at this address",
        "The pattern names no instance that holds growable tokens.",
        Some(tiny!("grow {\n  stage \"small\" { }\n  stage \"more\" { block[8..12].qkv = 128 }\n}\n"));
    NeverLearns = "E0504", "new tokens can never learn",
        "With keys and values both zero, the gradient of each is zero as well: the new tokens stay as they are. Draw one \
         of the two: `init = (keys = zero, values = normal(0.02))`. Nor does a token learn that `top_k` never chooses.",
        Some(trained!(
            "grow {\n  init = (keys = zero, values = zero)\n  stage \"small\" { }\n  stage \"more\" { qkv *= 2 }\n}\n"
        ));
    UnknownLength = "E0505", "a span without a known length",
        "A percentage or a schedule needs to know how long the stage is. Give it `steps`, `tokens` or `flops`.",
        Some(tiny!("train {\n  batch = 8  optimizer = adamw(lr = 1e-3)  schedule = cosine(warmup = 1%)\n}\n"));
    DuplicateStage = "E0507", "two stages with one name",
        "Checkpoints and `--stage` find a stage by its name.",
        Some("grow {\n  stage \"a\" { steps = 1 }\n  stage \"a\" { steps = 1 }\n}\n");
    NotPreserved = "E0508", "growth that changes the function",
        "The stage expects growth to preserve the function and it provably does not. The notes say why.",
        Some(trained!(
            "grow {\n  scale = retune\n  stage \"small\" { }\n  stage \"more\" { qkv *= 2  expect preserve(1e-6) }\n}\n"
        ));
    NotAMultiple = "E0509", "split into unequal parts",
        "`init = split` repeats every token the same number of times: the new size must be a multiple of the old.",
        Some(tiny!("grow {\n  stage \"small\" { }\n  stage \"more\" { qkv = 100  init = split }\n}\n"));
    EndlessStage = "E0510", "a stage without an end",
        "A stage ends after `steps`, `tokens` or `flops`, or it is loaded with `from`.",
        Some(tiny!("train {\n  batch = 8  optimizer = adamw(lr = 1e-3)\n}\n"));

    // Not yet supported.
    NotYetSupported = "E0601", "not yet supported",
        "The language can say this, the compiler cannot do it yet. The message says what works instead.",
        Some("data {\n  train = mix(\"a\" : 70%, \"b\" : 30%)\n}\n");

    // Data.
    VocabularyTooSmall = "E0701", "tokenizer larger than the vocabulary",
        "The tokenizer makes ids that the model's embedding has no row for, or its logits no column.",
        Some("model tiny {\n  forward(ids: token_ids[8]) {\n    e = embed(ids, 16, 4)\n  }\n}\ndata {\n  train = \"books\"  tokenizer = bytes\n}\n");

    // Warnings.
    UnusedBinding = "W0201", "unused binding",
        "The value is computed and nothing uses it.",
        Some("layer wasteful(x: [.., d]) {\n  y = gelu(x)\n  x\n}\n");
    UnusedDefinition = "W0202", "unused definition",
        "Nothing uses this constant, size or layer.",
        Some("model tiny {\n  let width = 64\n  forward(x: [16]) {\n    y = gelu(x)\n  }\n}\n");
    StageNameOff = "W0501", "the stage's name is not its size",
        "The name of the stage reads as a number of parameters and is off by more than 2 %.",
        Some(tiny!("grow {\n  stage \"900M\" { }\n}\n"));
    CopiesNeverPart = "W0502", "copies that stay equal",
        "`init = split` makes equal tokens, equal tokens have equal gradients, and `optimizer = reset` gives them equal moments: \
         they would stay equal, and the larger model would be worth no more than the small one. Say `optimizer = keep`, or \
         `init = split(noise = 1%)`.",
        Some(trained!(
            "grow {\n  init = split  optimizer = reset\n  stage \"small\" { }\n  stage \"more\" { qkv *= 2 }\n}\n"
        ));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_families_hold_all_codes_in_order() {
        let codes: Vec<Code> = Code::families().flat_map(|(_, members)| members).collect();
        assert_eq!(codes, Code::ALL);
    }

    #[test]
    fn ids_are_unique_and_well_formed() {
        let mut ids: Vec<&str> = Code::ALL.iter().map(|code| code.id()).collect();
        for id in &ids {
            assert!(id.len() == 5 && id.starts_with(['E', 'W']) && id[1..].parse::<u16>().is_ok(), "{id}");
        }
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), Code::ALL.len());
    }
}
