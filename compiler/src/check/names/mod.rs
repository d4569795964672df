//! Names at the level of files and models: constants, token groups and layers, with the scopes in which they are seen.
//!
//! A scope is searched first, then its parents in order: model → file → what the file uses → standard library. What a file
//! defines itself hides what it uses; two uses that bring one name are an error.

mod build;
mod evaluate;
mod groups;

pub(super) use evaluate::Context;

use super::Report;
use super::settings::Setting;
use super::value::Value;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use tfc_grammar::ast::{self, Expr, SectionKind};
use tfc_grammar::{FileId, Span};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ScopeId(usize);

impl ScopeId {
    /// The standard library.
    pub const STD: ScopeId = ScopeId(1);
}

/// What a name stands for: an index into the table of its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Meaning {
    Constant(usize),
    Tokens(usize),
    Layer(usize),
}

/// A `let` or a `tokens`.
#[derive(Debug)]
pub(super) struct Definition<'a> {
    pub name: &'a ast::Name,
    pub value: &'a Expr,
    /// Where the names of its value are looked up.
    pub scope: ScopeId,
    /// What a `use` or `--set` puts in place of the value, with the scope of its names.
    pub replaced: Option<(&'a Expr, ScopeId)>,
}

#[derive(Debug)]
pub(super) struct Group<'a> {
    pub definition: Definition<'a>,
    /// The groups its formula names; none if it is free.
    pub follows: Vec<usize>,
}

#[derive(Debug)]
pub(super) struct LayerDefinition<'a> {
    pub ast: &'a ast::Layer,
    pub scope: ScopeId,
}

/// The one model and the blocks around it, gathered from the root and what it uses.
#[derive(Debug)]
pub(super) struct Experiment<'a> {
    pub model: Option<(&'a ast::Model, ScopeId)>,
    /// With the scope of the names in them.
    pub sections: BTreeMap<SectionKind, (&'a ast::Section, ScopeId)>,
    /// What the command line sees: the root and its model.
    pub scope: ScopeId,
    /// The settings that name no constant and no tokens: paths of fields, for the recipe to take.
    pub settings: Vec<&'a Setting>,
}

#[derive(Debug, Default)]
struct Scope<'a> {
    entries: BTreeMap<&'a str, (Meaning, Span)>,
    parents: Vec<ScopeId>,
}

/// Where the evaluation of a constant stands.
#[derive(Clone, Debug)]
enum State {
    Waiting,
    Running,
    Done(Value),
}

#[derive(Debug)]
pub(super) struct Names<'a> {
    pub report: &'a Report,
    /// The file of the standard library.
    pub std: FileId,
    pub constants: Vec<Definition<'a>>,
    pub groups: Vec<Group<'a>>,
    pub layers: Vec<LayerDefinition<'a>>,
    pub experiment: Experiment<'a>,
    scopes: Vec<Scope<'a>>,
    states: RefCell<Vec<State>>,
    /// How deep the evaluation of constants is.
    depth: Cell<usize>,
    /// The order in which derived groups can be computed.
    group_order: Vec<usize>,
}

impl<'a> Definition<'a> {
    /// The expression that counts, and where its names are looked up.
    pub fn current(&self) -> (&'a Expr, ScopeId) {
        self.replaced.unwrap_or((self.value, self.scope))
    }
}

impl Group<'_> {
    pub fn is_derived(&self) -> bool {
        !self.follows.is_empty()
    }

    pub fn name(&self) -> &str {
        &self.definition.name.text
    }
}

impl Names<'_> {
    pub fn find(&self, scope: ScopeId, name: &str) -> Option<Meaning> {
        let Scope { entries, parents } = &self.scopes[scope.0];
        match entries.get(name) {
            Some((meaning, _)) => Some(*meaning),
            None => parents.iter().find_map(|parent| self.find(*parent, name)),
        }
    }

    /// Every name that can be seen from a scope, for suggestions.
    pub fn visible(&self, scope: ScopeId) -> Vec<&str> {
        let Scope { entries, parents } = &self.scopes[scope.0];
        let own = entries.keys().copied();
        own.chain(parents.iter().flat_map(|parent| self.visible(*parent))).collect()
    }

    /// Where a name was defined.
    pub fn place(&self, meaning: Meaning) -> Span {
        match meaning {
            Meaning::Constant(index) => self.constants[index].name.span,
            Meaning::Tokens(index) => self.groups[index].definition.name.span,
            Meaning::Layer(index) => self.layers[index].ast.name.span,
        }
    }
}
