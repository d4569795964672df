//! Matches the arguments of a call with what is called: by position, by name, and flags by their name alone.

use super::Elaborator;
use super::frame::Frame;
use super::value::Value;
use tfc_grammar::ast::{Arg, Expr, ExprKind, Param};
use tfc_grammar::{Code, Diagnostic, Span, did_you_mean};

/// What a call can be given.
#[derive(Clone, Debug)]
pub(super) struct Formal<'a> {
    pub name: &'a str,
    pub required: bool,
    /// Where a layer of the user's declares it.
    pub place: Option<Span>,
    /// Said by its name alone: `bias` is `bias = true`.
    pub flag: bool,
    /// Takes every argument given by position.
    pub many: bool,
    /// Takes a layer, or a call that waits for its first argument, whose other arguments may use these names.
    pub layer: Option<Vec<&'a str>>,
}

/// What one formal is given.
#[derive(Clone, Debug)]
pub(super) enum Actual<'a> {
    /// What a `|>` passes on.
    Value(Value<'a>, Span),
    /// An expression, and the index of the list of arguments it is in.
    Expr(&'a Expr, usize),
    True(Span),
}

/// Arguments as written, and the names they were written among.
#[derive(Clone, Copy)]
pub(super) struct Written<'f, 'a> {
    pub args: &'a [Arg],
    pub frame: &'f Frame<'a>,
}

impl<'a> Formal<'a> {
    pub fn of(param: &'a Param) -> Formal<'a> {
        let flag = param.default.as_ref().is_some_and(|default| matches!(default.kind, ExprKind::Flag(_)));
        let layer = param.annotation.as_ref().and_then(waiting_names);
        let (name, place) = (&param.name.text, Some(param.name.span));
        Formal { name, required: param.default.is_none(), place, flag, many: false, layer }
    }
}

/// What is called and with what, if an expression is a call.
pub(super) fn called(expr: &Expr) -> Option<(&Expr, &[Arg])> {
    if let ExprKind::Call { callee, args } = &expr.kind { Some((callee, args)) } else { None }
}

/// The names in the annotation `layer(n, active)`; None in any other annotation.
fn waiting_names(annotation: &Expr) -> Option<Vec<&str>> {
    let (callee, args) = called(annotation).unwrap_or((annotation, &[]));
    let names = || args.iter().filter_map(|arg| arg.value.as_name()).collect();
    (callee.as_name() == Some("layer")).then(names)
}

impl<'a> Elaborator<'a> {
    /// What each formal is given; None if the arguments do not fit, which is reported. `first` is what a `|>` passes on.
    pub fn matched(
        &self,
        callee: &str,
        formals: &[Formal<'a>],
        first: Option<(Value<'a>, Span)>,
        lists: &[Written<'_, 'a>],
        span: Span,
    ) -> Option<Vec<Vec<Actual<'a>>>> {
        let mut matching =
            Matching { made: self, callee, formals, actuals: vec![Vec::new(); formals.len()], fits: true };
        if let Some((value, place)) = first {
            matching.by_position(Actual::Value(value, place), place);
        }
        for (list, Written { args, frame }) in lists.iter().enumerate() {
            for arg in *args {
                matching.argument(arg, list, frame);
            }
        }
        matching.missing(span);
        matching.fits.then_some(matching.actuals)
    }
}

struct Matching<'m, 'a> {
    made: &'m Elaborator<'a>,
    callee: &'m str,
    formals: &'m [Formal<'a>],
    actuals: Vec<Vec<Actual<'a>>>,
    fits: bool,
}

impl<'a> Matching<'_, 'a> {
    fn argument(&mut self, arg: &'a Arg, list: usize, frame: &Frame<'a>) {
        if let Some(share) = &arg.share {
            return self.refuse(Code::WrongType, share.span, "a share has no meaning here".into(), "unexpected share");
        }
        let actual = Actual::Expr(&arg.value, list);
        if let Some(name) = &arg.name {
            return match self.formals.iter().position(|formal| formal.name == name.text) {
                Some(index) => self.give(index, actual, arg.span),
                None => self.unknown(&name.text, name.span),
            };
        }
        let flag = arg.value.as_name().and_then(|name| self.formals.iter().position(|f| f.flag && f.name == name));
        match flag {
            Some(index) => match self.made.known_flag(&arg.value, frame) {
                Known::Nothing => self.give(index, Actual::True(arg.span), arg.span),
                Known::Flag => self.give(index, actual, arg.span),
                Known::Other => self.by_position(actual, arg.span),
            },
            None => self.by_position(actual, arg.span),
        }
    }

    fn by_position(&mut self, actual: Actual<'a>, span: Span) {
        match (0..self.formals.len()).find(|index| self.actuals[*index].is_empty() || self.formals[*index].many) {
            Some(index) => self.actuals[index].push(actual),
            None => {
                let most = self.formals.len();
                let message = format!("`{}` takes at most {most} argument{}", self.callee, plural(most));
                self.refuse(Code::WrongArgumentCount, span, message, "one too many");
            }
        }
    }

    fn give(&mut self, index: usize, actual: Actual<'a>, span: Span) {
        if !self.actuals[index].is_empty() {
            let message = format!("`{}` is given twice", self.formals[index].name);
            return self.refuse(Code::DuplicateArgument, span, message, "given already");
        }
        self.actuals[index].push(actual);
    }

    fn missing(&mut self, span: Span) {
        for (formal, actual) in self.formals.iter().zip(&self.actuals) {
            if formal.required && actual.is_empty() && self.fits {
                let message = format!("`{}` needs `{}`", self.callee, formal.name);
                let mut diagnostic = Diagnostic::new(Code::WrongArgumentCount, message)
                    .at(self.made.place(span), format!("`{}` is missing", formal.name));
                if let Some(place) = formal.place.filter(|place| place.file != self.made.names.std) {
                    diagnostic = diagnostic.see(place, "declared here, without a default");
                }
                self.made.report(diagnostic, span);
                self.fits = false;
            }
        }
    }

    fn unknown(&mut self, name: &str, span: Span) {
        let place = self.made.place(span);
        let mut diagnostic =
            Diagnostic::new(Code::UnknownArgument, format!("`{}` has no parameter `{name}`", self.callee))
                .at(place, "unknown");
        let names = || self.formals.iter().map(|formal| formal.name);
        diagnostic = match did_you_mean(name, names()) {
            Some(near) => diagnostic.suggest("there is a similar one", place, near),
            None => diagnostic.note(format!("it has: {}", names().collect::<Vec<_>>().join(", "))),
        };
        self.made.report(diagnostic, span);
        self.fits = false;
    }

    fn refuse(&mut self, code: Code, span: Span, message: String, label: &str) {
        self.made.fail(code, span, message, label);
        self.fits = false;
    }
}

/// What a flag's name stands for where a call says it.
enum Known {
    Nothing,
    Flag,
    Other,
}

impl<'a> Elaborator<'a> {
    /// `bias` says `bias = true`, unless something of that name is in scope: a flag is passed on, anything else is an argument as any other.
    fn known_flag(&self, expr: &'a Expr, frame: &Frame<'a>) -> Known {
        match expr.as_name().map(|name| self.name(name, expr.span, frame)) {
            Some(Value::Flag(_)) => Known::Flag,
            Some(Value::Word(_) | Value::Layer(_)) | None => Known::Nothing,
            Some(
                Value::Tensor(_)
                | Value::Amount(_)
                | Value::Distribution(_)
                | Value::Window(_)
                | Value::Tuple(_)
                | Value::Error,
            ) => Known::Other,
        }
    }
}

fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}
