//! The operations that the language is built on. Everything else is a layer, of the standard library or of the user.
//!
//! To add one: an entry in the table, an arm in [`Elaborator::apply`], a function beside its like.

mod arguments;
mod attention;
mod contraction;
mod losses;
mod moving;
mod pointwise;
mod reduce;
mod repeat;
mod selection;

pub(super) use arguments::Arguments;

use super::Elaborator;
use super::matching::Formal;
use super::value::Value;

/// How an operation takes an argument.
#[derive(Clone, Copy)]
enum Takes {
    One,
    Optional,
    Flag,
    /// All that is given by position.
    Many,
    Layer,
}

macro_rules! builtins {
    ($($variant:ident = $name:literal ($($param:literal $takes:ident),*);)*) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Builtin { $($variant),* }

        impl Builtin {
            const ALL: &'static [Builtin] = &[$(Builtin::$variant),*];

            pub fn name(self) -> &'static str {
                match self { $(Builtin::$variant => $name),* }
            }

            fn params(self) -> &'static [(&'static str, Takes)] {
                match self { $(Builtin::$variant => &[$(($param, Takes::$takes)),*]),* }
            }
        }
    };
}

builtins! {
    // Contractions and tables.
    MatMul = "matmul" ("x" One, "w" One);
    Transpose = "transpose" ("x" One);
    Lookup = "lookup" ("ids" One, "table" One);
    AtPositions = "at_positions" ("table" One, "x" One);

    // Attention.
    Attention = "attention" ("q" One, "k" One, "v" One, "mask" Optional);
    Window = "window" ("positions" One);
    Rope = "rope" ("x" One, "fraction" Optional, "base" Optional);
    SplitHeads = "split_heads" ("x" One, "heads" One);
    MergeHeads = "merge_heads" ("x" One);

    // Rows.
    L2Normalize = "l2_normalize" ("x" One, "eps" Optional);
    Standardize = "standardize" ("x" One, "eps" Optional);
    RmsNormalize = "rms_normalize" ("x" One, "eps" Optional);
    Softmax = "softmax" ("x" One);
    TopK = "top_k" ("x" One, "k" One);
    First = "first" ("x" One, "fraction" One);

    // Pointwise.
    Gelu = "gelu" ("x" One, "form" Optional);
    Silu = "silu" ("x" One);
    Relu = "relu" ("x" One);
    Tanh = "tanh" ("x" One);
    Exp = "exp" ("x" One);
    Sqrt = "sqrt" ("x" One);
    Dropout = "dropout" ("x" One, "rate" One);
    DropPath = "drop_path" ("x" One, "rate" One);

    // Axes.
    Sum = "sum" ("x" One, "axis" Optional, "keep" Flag);
    Mean = "mean" ("x" One, "axis" Optional, "keep" Flag);
    Concat = "concat" ("x" Many, "axis" Optional);
    Patches = "patches" ("x" One, "size" One);

    // Losses.
    CrossEntropy = "cross_entropy" ("logits" One, "labels" One);
    Accuracy = "accuracy" ("logits" One, "labels" One);
    Next = "next" ("ids" One);

    // What is no tensor.
    Normal = "normal" ("std" One);
    Uniform = "uniform" ("low" One, "high" Optional);
    Repeat = "repeat" ("n" One, "layer" Layer, "x" One);
}

impl Builtin {
    pub fn named(name: &str) -> Option<Builtin> {
        Builtin::ALL.iter().copied().find(|builtin| builtin.name() == name)
    }

    pub fn names() -> impl Iterator<Item = &'static str> {
        Builtin::ALL.iter().map(|builtin| builtin.name())
    }

    pub fn formals(self) -> Vec<Formal<'static>> {
        let formal = |(name, takes): &(&'static str, Takes)| Formal {
            name,
            required: matches!(takes, Takes::One | Takes::Many | Takes::Layer),
            place: None,
            flag: matches!(takes, Takes::Flag),
            many: matches!(takes, Takes::Many),
            layer: matches!(takes, Takes::Layer).then(Vec::new),
        };
        self.params().iter().map(formal).collect()
    }
}

impl<'a> Elaborator<'a> {
    /// The result of an operation; None if something is wrong, which is reported.
    pub fn apply(&mut self, builtin: Builtin, args: &Arguments<'a>) -> Option<Value<'a>> {
        let tensor = match builtin {
            Builtin::MatMul => self.matmul(args),
            Builtin::Transpose => self.transpose(args),
            Builtin::Lookup => self.lookup(args),
            Builtin::AtPositions => self.at_positions(args),
            Builtin::Attention => self.attention(args),
            Builtin::Window => return self.window(args),
            Builtin::Rope => self.rope(args),
            Builtin::SplitHeads => self.split_heads(args),
            Builtin::MergeHeads => self.merge_heads(args),
            Builtin::L2Normalize => self.l2_normalize(args),
            Builtin::Standardize => self.standardize(args),
            Builtin::RmsNormalize => self.rms_normalize(args),
            Builtin::Softmax => self.softmax(args),
            Builtin::TopK => self.top_k(args),
            Builtin::DropPath => self.drop_path(args),
            Builtin::First => self.first(args),
            Builtin::Gelu => self.gelu(args),
            Builtin::Silu => self.function(crate::scalar::Unary::Silu, args),
            Builtin::Relu => self.function(crate::scalar::Unary::Relu, args),
            Builtin::Tanh => self.function(crate::scalar::Unary::Tanh, args),
            Builtin::Exp => self.function(crate::scalar::Unary::Exp, args),
            Builtin::Sqrt => return self.sqrt(args),
            Builtin::Dropout => self.dropout(args),
            Builtin::Sum => self.sum(args),
            Builtin::Mean => self.mean(args),
            Builtin::Concat => self.concat(args),
            Builtin::Patches => self.patches(args),
            Builtin::CrossEntropy => self.cross_entropy(args),
            Builtin::Accuracy => self.accuracy(args),
            Builtin::Next => self.next(args),
            Builtin::Normal => return self.normal(args),
            Builtin::Uniform => return self.uniform(args),
            Builtin::Repeat => return self.repeat(args),
        };
        tensor.map(Value::Tensor)
    }
}

#[cfg(test)]
mod tests {
    use super::Builtin;

    /// With its arguments, in their order.
    #[test]
    fn every_operation_is_documented() {
        let page = include_str!("../../../../../docs/language.md");
        for builtin in Builtin::ALL {
            let start = format!("| `{}(", builtin.name());
            let row = page.lines().find(|line| line.starts_with(&start));
            let row = row.unwrap_or_else(|| panic!("docs/language.md has no row `{}(…)`", builtin.name()));
            let signature = row[start.len()..].split(")`").next().unwrap_or_default();
            let mut written = signature.split(", ").map(|argument| argument.split(' ').next().unwrap_or_default());
            for (name, _) in builtin.params() {
                assert!(
                    written.any(|other| other == *name),
                    "`{name}` of `{}` is missing in `{signature}`",
                    builtin.name()
                );
            }
        }
    }
}
