//! Token groups: which follow which, and how many tokens each has when the free ones are given.

use super::{Context, Meaning, Names, ScopeId};
use crate::check::mentions::in_expr;
use crate::check::value::{self, Value, ValueKind};
use tfc_grammar::ast::Expr;
use tfc_grammar::{Code, Diagnostic, Span};

/// How far a group's order is known.
#[derive(Clone, Copy, PartialEq)]
enum Mark {
    New,
    Open,
    Ordered,
}

/// Tokens that follow each other in longer chains are refused: nobody writes them, and following them takes stack.
const LONGEST_CHAIN: usize = 100;

impl Names<'_> {
    /// Finds out which groups are derived, and an order in which each comes after those it follows.
    pub(super) fn order_groups(&mut self) {
        for index in 0..self.groups.len() {
            let (value, scope) = self.groups[index].definition.current();
            let (declared, declared_scope) = (self.groups[index].definition.value, self.groups[index].definition.scope);
            let mut follows = self.mentioned_groups(value, scope);
            let declared_follows = self.mentioned_groups(declared, declared_scope);
            if let Some((replacement, _)) = self.groups[index].definition.replaced
                && !declared_follows.is_empty()
            {
                let name = self.groups[index].name().to_string();
                let first = &self.groups[declared_follows[0]].definition.name;
                let diagnostic = Diagnostic::new(Code::DerivedSize, format!("`{name}` follows `{}`", first.text))
                    .at(replacement.span, "derived tokens cannot be set")
                    .see(declared.span, "the formula it was declared with")
                    .help(format!("set `{}`", first.text));
                self.report.push(diagnostic);
                self.groups[index].definition.replaced = None;
                follows = declared_follows;
            }
            self.groups[index].follows = follows;
        }
        let mut marks = vec![Mark::New; self.groups.len()];
        let mut order = Vec::new();
        for index in 0..self.groups.len() {
            self.visit(index, &mut marks, &mut order, 0);
        }
        self.group_order = order;
    }

    fn visit(&self, index: usize, marks: &mut [Mark], order: &mut Vec<usize>, depth: usize) {
        let name = &self.groups[index].definition.name;
        let refuse = |code, message: String, label: &str| self.report.error(code, name.span, message, label);
        match marks[index] {
            Mark::Ordered => {}
            Mark::Open => refuse(
                Code::CyclicDefinition,
                format!("`{}` follows itself", name.text),
                "its formula leads back to it",
            ),
            Mark::New if depth > LONGEST_CHAIN => {
                refuse(Code::NestingTooDeep, format!("`{}` follows too long a chain of tokens", name.text), "")
            }
            Mark::New => {
                marks[index] = Mark::Open;
                for followed in &self.groups[index].follows {
                    self.visit(*followed, marks, order, depth + 1);
                }
                marks[index] = Mark::Ordered;
                order.push(index);
            }
        }
    }

    /// The tokens of every group: the free ones as given, the derived ones by their formulas. None where a formula fails; the
    /// diagnostic marks the formula.
    pub fn group_sizes(&self, free: &dyn Fn(usize) -> Option<i64>) -> Vec<Option<i64>> {
        let mut sizes = vec![None; self.groups.len()];
        for &index in &self.group_order {
            let group = &self.groups[index];
            sizes[index] = if group.is_derived() {
                let (value, scope) = group.definition.current();
                let known = |followed: usize| sizes[followed];
                self.size_said(value, Context { scope, tokens: Some(&known) })
            } else {
                free(index)
            };
        }
        sizes
    }

    /// The tokens of every group as declared.
    pub fn declared_sizes(&self) -> Vec<Option<i64>> {
        self.group_sizes(&|index| {
            let (value, scope) = self.groups[index].definition.current();
            self.size_said(value, Context { scope, tokens: None })
        })
    }

    fn size_said(&self, expr: &Expr, context: Context) -> Option<i64> {
        let value = self.evaluate(expr, context);
        if let ValueKind::Word(word) = &value.kind {
            self.unknown_name(word, value.span, context.scope);
            return None;
        }
        self.size(&value)
    }

    /// A value as a size; what is none is reported where it stands.
    pub fn size(&self, value: &Value) -> Option<i64> {
        match &value.kind {
            ValueKind::Number { value: number, percent: false } => value::size(*number, value.span, self.report),
            ValueKind::Number { percent: true, .. } => {
                self.wrong(Code::UnitNotAllowed, value.span, "a size is no percentage", "write the number itself")
            }
            ValueKind::Text(_)
            | ValueKind::Flag(_)
            | ValueKind::Call { .. }
            | ValueKind::Tuple(_)
            | ValueKind::Comparison { .. } => {
                let label = format!("this is {}", value.describe());
                self.wrong(Code::WrongType, value.span, "a size is a number", &label)
            }
            ValueKind::Word(word) => {
                self.wrong(Code::UnknownName, value.span, &format!("`{word}` is not known"), "expected a size")
            }
            ValueKind::Error => None,
        }
    }

    fn wrong(&self, code: Code, span: Span, message: &str, label: &str) -> Option<i64> {
        self.report.error(code, span, message, label);
        None
    }

    /// The groups that an expression names, each once.
    fn mentioned_groups(&self, expr: &Expr, scope: ScopeId) -> Vec<usize> {
        let mut groups = Vec::new();
        in_expr(expr, &mut |name| {
            if let Some(Meaning::Tokens(group)) = self.find(scope, name)
                && !groups.contains(&group)
            {
                groups.push(group);
            }
        });
        groups
    }
}
