//! Gathers what a block says: its fields, rules, stages and growth, each in its place.

use super::Recipe;
use super::field::{BlockKind, FieldName, Home, argument_of};
use crate::check::names::{Meaning, ScopeId};
use crate::check::value::Value;
use tfc_grammar::ast::{self, Assign, EntryKind, Expr, SectionKind};
use tfc_grammar::{Code, Diagnostic, Span, did_you_mean};

/// One block, sorted.
#[derive(Debug)]
pub(super) struct Block<'b> {
    pub kind: BlockKind,
    /// The word or the name that opens it: where what is missing is missed.
    pub place: Span,
    pub scope: ScopeId,
    pub fields: Vec<Field<'b>>,
    pub rules: Vec<&'b ast::Rule>,
    /// Settings of tokens, in a stage.
    pub tokens: Vec<&'b ast::Field>,
    /// In `grow`.
    pub stages: Vec<&'b ast::Stage>,
    /// In a stage.
    pub expect: Option<&'b Expr>,
}

#[derive(Clone, Debug)]
pub(super) struct Field<'b> {
    pub name: FieldName,
    pub value: &'b Expr,
    /// Of the name.
    pub place: Span,
}

impl<'b> Block<'b> {
    pub fn gather(
        recipe: &Recipe,
        kind: BlockKind,
        place: Span,
        block: &'b ast::Block<EntryKind>,
        scope: ScopeId,
    ) -> Block<'b> {
        let mut gathered = Block {
            kind,
            place,
            scope,
            fields: Vec::new(),
            rules: Vec::new(),
            tokens: Vec::new(),
            stages: Vec::new(),
            expect: None,
        };
        for entry in &block.statements {
            gathered.entry(recipe, entry);
        }
        gathered
    }

    pub fn field(&self, name: FieldName) -> Option<&Field<'b>> {
        self.fields.iter().find(|field| field.name == name)
    }

    fn entry(&mut self, recipe: &Recipe, entry: &'b ast::Entry) {
        let is_stage = self.kind == BlockKind::Stage;
        match &entry.kind {
            EntryKind::Field(field) => self.said(recipe, field),
            EntryKind::Flag(name) => {
                let diagnostic = Diagnostic::new(Code::MisplacedEntry, format!("`{}` has no value", name.text));
                recipe.report.push(match argument_of(&name.text) {
                    Some(whole) => diagnostic.at(name.span, "an argument?").help(format!("write `{whole}`")),
                    None => diagnostic.at(name.span, format!("a field needs one: `{} = …`", name.text)),
                });
            }
            EntryKind::Rule(rule) if is_stage || self.kind == BlockKind::Section(SectionKind::Train) => {
                self.rules.push(rule);
            }
            EntryKind::Rule(rule) => self.misplaced(recipe, rule.pattern.span, "a rule", "`train` and in stages"),
            EntryKind::Stage(stage) if self.kind == BlockKind::Section(SectionKind::Grow) => self.stages.push(stage),
            EntryKind::Stage(stage) => self.misplaced(recipe, stage.name.span, "a stage", "`grow`"),
            EntryKind::Expect(expect) if is_stage => match self.expect {
                None => self.expect = Some(expect),
                Some(first) => duplicate(recipe, "expect", expect.span, first.span),
            },
            EntryKind::Expect(expect) => self.misplaced(recipe, expect.span, "an expectation", "stages"),
        }
    }

    fn misplaced(&self, recipe: &Recipe, span: Span, what: &str, home: &str) {
        let message = format!("{what} has no place in `{}`", self.kind.keyword());
        recipe.report.error(Code::MisplacedEntry, span, message, format!("belongs in {home}"));
    }

    fn said(&mut self, recipe: &Recipe, field: &'b ast::Field) {
        let known = field.target.as_name().and_then(|name| FieldName::find(self.kind, name, &field.value));
        match known {
            Some(name) if field.assign == Assign::Set && field.by.is_none() => {
                let place = field.target.span;
                match self.field(name) {
                    None => self.fields.push(Field { name, value: &field.value, place }),
                    Some(first) => duplicate(recipe, name.spelling(), place, first.place),
                }
            }
            Some(name) => {
                let message = format!("`{}` is set by `=`", name.spelling());
                let label = "only tokens are changed relative to what they were";
                recipe.report.error(Code::MisplacedEntry, field.target.span, message, label);
            }
            None if self.sets_tokens(recipe, field) => self.tokens.push(field),
            None => self.unknown(recipe, field),
        }
    }

    /// Whether the target is tokens, or meant to be: the tokens' own checks say more about what is wrong.
    fn sets_tokens(&self, recipe: &Recipe, field: &ast::Field) -> bool {
        let is_named = |name| recipe.names.groups.iter().any(|group| group.name() == name);
        let is_size = |name| matches!(recipe.names.find(self.scope, name), Some(Meaning::Constant(_)));
        let pattern = field.target.as_name().is_none_or(|name| is_named(name) || is_size(name));
        self.kind == BlockKind::Stage && pattern
    }

    fn unknown(&self, recipe: &Recipe, field: &ast::Field) {
        let span = field.target.span;
        let block = self.kind.keyword();
        let Some(name) = field.target.as_name() else {
            let message = format!("a path has no place in `{block}`");
            return recipe.report.error(Code::MisplacedEntry, span, message, "paths are addressed in stages and rules");
        };
        let diagnostic = Diagnostic::new(Code::UnknownField, format!("`{block}` has no field `{name}`"));
        let diagnostic = diagnostic.at(span, "unknown field");
        let groups = recipe.names.groups.iter().filter(|group| self.kind == BlockKind::Stage && !group.is_derived());
        let mut known: Vec<&str> = FieldName::of_block(self.kind).into_iter().map(FieldName::spelling).collect();
        known.extend(groups.map(|group| group.name()));
        let near = did_you_mean(name, known);
        let home = FieldName::home_of(name);
        recipe.report.push(match (home, argument_of(name), near) {
            (Some(Home::Section(kind)), _, _) => diagnostic.help(format!("`{name}` belongs in `{}`", kind.keyword())),
            (Some(Home::Stage), _, _) => diagnostic.help(format!("`{name}` belongs in a stage")),
            (None, Some(whole), _) => diagnostic.help(format!("it is an argument: `{whole}`")),
            (None, None, Some(near)) => diagnostic.suggest("there is a similar field", span, near),
            (None, None, None) => diagnostic,
        });
    }
}

fn duplicate(recipe: &Recipe, name: &str, again: Span, first: Span) {
    let diagnostic = Diagnostic::new(Code::DuplicateField, format!("`{name}` is said twice"));
    recipe.report.push(diagnostic.at(again, "said again").see(first, "first said here"));
}

/// A stage over the sections whose fields it inherits.
pub(super) struct Layers<'l, 'b> {
    pub stage: Option<&'l Block<'b>>,
    pub data: Option<&'l Block<'b>>,
    pub train: Option<&'l Block<'b>>,
    pub grow: Option<&'l Block<'b>>,
}

impl<'l, 'b> Layers<'l, 'b> {
    /// What the stage says or, if it says nothing, its section; with the scope of its names.
    pub fn field(&self, name: FieldName) -> Option<(&'l Field<'b>, ScopeId)> {
        let section = match name.home() {
            Home::Section(SectionKind::Data) => self.data,
            Home::Section(SectionKind::Train) => self.train,
            Home::Section(SectionKind::Grow) => self.grow,
            Home::Stage => None,
        };
        let said = |block: Option<&'l Block<'b>>| block.and_then(|block| Some((block.field(name)?, block.scope)));
        said(self.stage).or_else(|| said(section))
    }

    /// The value of a field and its place.
    pub fn value(&self, recipe: &Recipe, name: FieldName) -> Option<Value> {
        let (field, scope) = self.field(name)?;
        Some(recipe.evaluate(field.value, scope))
    }
}
