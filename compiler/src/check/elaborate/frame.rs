//! Frames: the names of a body and their values, where the body is evaluated.

use super::value::Value;
use crate::check::names::ScopeId;
use std::rc::Rc;
use tfc_grammar::Span;

/// Cheap to clone: what waits to be called keeps the names it was written among.
#[derive(Clone, Debug)]
pub(super) struct Frame<'a> {
    /// Where names that are not local are looked up.
    pub scope: ScopeId,
    locals: Rc<Vec<Local<'a>>>,
}

#[derive(Clone, Debug)]
pub(super) struct Local<'a> {
    pub name: &'a str,
    pub value: Value<'a>,
    /// Where it is bound.
    pub span: Span,
    /// Where a call says it, if it is a parameter that is given.
    pub said: Option<Span>,
}

impl<'a> Frame<'a> {
    /// Without locals.
    pub fn new(scope: ScopeId) -> Frame<'a> {
        Frame { scope, locals: Rc::default() }
    }

    /// The innermost local of a name.
    pub fn find(&self, name: &str) -> Option<&Local<'a>> {
        self.locals.iter().rev().find(|local| local.name == name)
    }

    /// In the order in which they were bound.
    pub fn locals(&self) -> &[Local<'a>] {
        &self.locals
    }

    pub fn bind(&mut self, name: &'a str, value: Value<'a>, span: Span) {
        self.add(Local { name, value, span, said: None });
    }

    pub fn add(&mut self, local: Local<'a>) {
        Rc::make_mut(&mut self.locals).push(local);
    }
}
