//! Binds the arguments of a call in a recipe, such as `cosine(warmup = 1%, floor = 10%, continue)`, to its parameters.

use super::Recipe;
use super::read::alternatives;
use crate::check::value::{Argument, Value, ValueKind};
use tfc_grammar::{Code, Diagnostic, Span, did_you_mean};

/// What a call takes.
pub(super) struct Signature {
    /// In the order in which unnamed arguments fill them.
    pub parameters: &'static [&'static str],
    /// Words that stand for themselves.
    pub flags: &'static [&'static str],
}

/// A call's arguments, by parameter.
pub(super) struct Arguments<'v> {
    pub callee: &'v str,
    pub span: Span,
    values: Vec<(&'static str, &'v Value)>,
    flags: Vec<(&'static str, Span)>,
}

/// A call, or the name alone of one without arguments.
pub(super) fn as_call(value: &Value) -> Option<(&str, &[Argument])> {
    match &value.kind {
        ValueKind::Call { name, args } => Some((&name.text, args)),
        ValueKind::Word(word) => Some((word, &[])),
        ValueKind::Number { .. }
        | ValueKind::Text(_)
        | ValueKind::Flag(_)
        | ValueKind::Tuple(_)
        | ValueKind::Comparison { .. }
        | ValueKind::Error => None,
    }
}

impl<'v> Arguments<'v> {
    pub fn get(&self, parameter: &str) -> Option<&'v Value> {
        self.values.iter().find(|(name, _)| *name == parameter).map(|(_, value)| *value)
    }

    pub fn flag(&self, flag: &str) -> bool {
        self.flags.iter().any(|(name, _)| *name == flag)
    }
}

impl Recipe<'_> {
    /// Arguments that do not fit are reported and left out.
    pub fn bind<'v>(&self, callee: &'v str, span: Span, args: &'v [Argument], signature: &Signature) -> Arguments<'v> {
        let mut bound = Arguments { callee, span, values: Vec::new(), flags: Vec::new() };
        for arg in args {
            if let Some(share) = &arg.share {
                self.report.error(Code::WrongType, share.span, "a share outside of `mix`", "only a mixture has shares");
            }
            match (&arg.name, &arg.value.kind) {
                (Some(name), _) => match signature.parameters.iter().find(|parameter| **parameter == name.text) {
                    Some(parameter) => self.fill(&mut bound, parameter, &arg.value, arg.span),
                    None => self.unknown_argument(callee, &name.text, name.span, signature),
                },
                (None, ValueKind::Word(word)) if signature.flags.contains(&word.as_str()) => {
                    let flags = signature.flags.iter().filter(|flag| *flag == word);
                    bound.flags.extend(flags.map(|flag| (*flag, arg.span)));
                }
                (None, _) => {
                    let free = |parameter: &&&str| bound.get(parameter).is_none();
                    match signature.parameters.iter().find(free) {
                        Some(parameter) => self.fill(&mut bound, parameter, &arg.value, arg.span),
                        None => {
                            let message = format!("`{callee}` takes no further argument");
                            self.report.error(Code::WrongArgumentCount, arg.span, message, "one too many");
                        }
                    }
                }
            }
        }
        bound
    }

    fn fill<'v>(&self, bound: &mut Arguments<'v>, parameter: &'static str, value: &'v Value, span: Span) {
        if bound.get(parameter).is_some() {
            let message = format!("`{parameter}` is given twice");
            return self.report.error(Code::DuplicateArgument, span, message, "given again");
        }
        bound.values.push((parameter, value));
    }

    fn unknown_argument(&self, callee: &str, name: &str, span: Span, signature: &Signature) {
        let all: Vec<&str> = signature.parameters.iter().chain(signature.flags).copied().collect();
        let diagnostic = Diagnostic::new(Code::UnknownArgument, format!("`{callee}` has no argument `{name}`"));
        let diagnostic = diagnostic.at(span, format!("takes {}", alternatives(&all)));
        self.report.push(match did_you_mean(name, all) {
            Some(near) => diagnostic.suggest("there is a similar one", span, near),
            None => diagnostic,
        });
    }

    /// The argument that the call cannot do without.
    pub fn required<'v>(&self, arguments: &Arguments<'v>, parameter: &str, example: &str) -> Option<&'v Value> {
        let value = arguments.get(parameter);
        if value.is_none() {
            let message = format!("`{}` needs `{parameter}`", arguments.callee);
            let diagnostic = Diagnostic::new(Code::WrongArgumentCount, message).at(arguments.span, "not given");
            self.report.push(diagnostic.help(format!("for example `{example}`")));
        }
        value
    }
}
