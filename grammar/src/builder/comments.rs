//! Hands out the comments of a text, each once, to the nodes they stand beside.

use std::collections::VecDeque;

use crate::ast::Comment;
use crate::lexeme::{Kind, lexemes};
use crate::span::{FileId, Span};

pub struct Comments<'a> {
    text: &'a str,
    /// In the order of the text.
    rest: VecDeque<Comment>,
    /// Those inside the present node that no part of it can hold; they move above it.
    pub hoisted: Vec<Comment>,
}

impl<'a> Comments<'a> {
    pub fn new(file: FileId, text: &'a str) -> Comments<'a> {
        let rest = lexemes(text)
            .filter(|lexeme| lexeme.kind == Kind::Comment)
            .map(|lexeme| Comment {
                text: text[lexeme.range.clone()].trim_end().to_owned(),
                blank_before: blank_before(text, lexeme.range.start),
                span: Span::new(file, lexeme.range.start, lexeme.range.end),
            })
            .collect();
        Comments { text, rest, hoisted: Vec::new() }
    }

    /// All that begin before `position`.
    pub fn before(&mut self, position: usize) -> Vec<Comment> {
        let count = self.rest.partition_point(|comment| comment.span.start < position);
        self.rest.drain(..count).collect()
    }

    pub fn hoist_before(&mut self, position: usize) {
        let comments = self.before(position);
        self.hoisted.extend(comments);
    }

    /// The one that follows `end` on its line, with nothing but white space and perhaps a comma between them.
    pub fn behind(&mut self, end: usize) -> Option<Comment> {
        let between = &self.text[end..self.rest.front()?.span.start];
        let adjacent = between.replacen(',', " ", 1).chars().all(|c| matches!(c, ' ' | '\t'));
        if adjacent { self.rest.pop_front() } else { None }
    }
}

/// Whether an empty line stands right before `position`.
pub fn blank_before(text: &str, position: usize) -> bool {
    let before = &text[..position];
    let space = &before[before.trim_end().len()..];
    space.matches('\n').count() > 1
}
