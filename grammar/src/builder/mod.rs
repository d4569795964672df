//! From the pairs of the grammar to the syntax tree.
//!
//! What the grammar lets through and the language does not (a number out of range, an unknown escape, a result that is
//! not last, a chain too long to walk) is reported here; the statement that holds it is left out of the tree.

mod comments;
mod expressions;
mod statements;
pub(crate) mod words;

use std::iter::Peekable;

use pest::iterators::Pair;

use crate::ast::{Block, Name, Statement, Text, Trivia};
use crate::diagnostic::Diagnostic;
use crate::parse::Rule;
use crate::span::{FileId, Span};
use comments::{Comments, blank_before};

type Built<T> = Result<T, Diagnostic>;

pub(crate) struct Builder<'a> {
    file: FileId,
    text: &'a str,
    comments: Comments<'a>,
    /// How deep the expression being built lies in its tree.
    depth: usize,
    pub errors: Vec<Diagnostic>,
}

impl<'a> Builder<'a> {
    pub fn new(file: FileId, text: &'a str) -> Builder<'a> {
        Builder { file, text, comments: Comments::new(file, text), depth: 0, errors: Vec::new() }
    }

    fn span(&self, pair: &Pair<Rule>) -> Span {
        let span = pair.as_span();
        Span::new(self.file, span.start(), span.end())
    }

    fn name(&self, pair: Pair<Rule>) -> Name {
        Name { text: pair.as_str().to_owned(), span: self.span(&pair) }
    }

    fn string(&self, pair: Pair<Rule>) -> Built<Text> {
        let span = self.span(&pair);
        Ok(Text { value: words::unescape(pair.as_str(), span)?, span })
    }

    /// The statements of a block in braces, each made by `kind`.
    fn block<K>(&mut self, pair: Pair<Rule>, kind: fn(&mut Self, Pair<Rule>) -> Built<K>) -> Block<K> {
        let span = self.span(&pair);
        self.comments.hoist_before(span.start);
        let opening = self.comments.behind(span.start + 1);
        let statements = self.statements(pair, kind);
        Block { statements, span, opening, closing: self.comments.before(span.end) }
    }

    fn statements<K>(&mut self, pair: Pair<Rule>, kind: fn(&mut Self, Pair<Rule>) -> Built<K>) -> Vec<Statement<K>> {
        let mut statements = Vec::new();
        for pair in parts(pair) {
            let span = self.span(&pair);
            let depth = self.depth;
            match self.with_trivia(span, |builder| kind(builder, pair)) {
                Ok((kind, trivia)) => statements.push(Statement { kind, span, trivia }),
                Err(error) => self.errors.push(error),
            }
            self.depth = depth;
        }
        statements
    }

    /// Builds what `span` covers, and gathers the comments above it, inside it and behind it.
    fn with_trivia<T>(&mut self, span: Span, build: impl FnOnce(&mut Self) -> Built<T>) -> Built<(T, Trivia)> {
        let mut leading = self.comments.before(span.start);
        let mut blank_before = blank_before(self.text, span.start);

        let outer = std::mem::take(&mut self.comments.hoisted);
        let built = build(self);
        self.comments.hoist_before(span.end);
        let mut hoisted = std::mem::replace(&mut self.comments.hoisted, outer);

        if let Some(first) = hoisted.first_mut() {
            first.blank_before = std::mem::take(&mut blank_before);
        }
        leading.append(&mut hoisted);
        let trailing = self.comments.behind(span.end);
        Ok((built?, Trivia { blank_before, leading, trailing }))
    }
}

/// The parts of a pair that carry meaning: all but the signs the grammar names for its errors' sake.
fn parts(pair: Pair<Rule>) -> Peekable<impl Iterator<Item = Pair<Rule>> + Clone> {
    let carries_meaning = |part: &Pair<Rule>| {
        !matches!(
            part.as_rule(),
            Rule::open
                | Rule::close
                | Rule::open_paren
                | Rule::close_paren
                | Rule::open_bracket
                | Rule::close_bracket
                | Rule::comma
                | Rule::colon
                | Rule::equals
                | Rule::else_
                | Rule::by
        )
    };
    pair.into_inner().filter(carries_meaning).peekable()
}

/// The next part, where the grammar has one.
fn take<'i>(parts: &mut impl Iterator<Item = Pair<'i, Rule>>) -> Pair<'i, Rule> {
    parts.next().expect("the grammar and the builder agree on what a rule holds")
}

/// The next part, if it is of the rule.
fn take_if<'i>(parts: &mut Peekable<impl Iterator<Item = Pair<'i, Rule>>>, rule: Rule) -> Option<Pair<'i, Rule>> {
    parts.next_if(|part| part.as_rule() == rule)
}
