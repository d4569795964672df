//! Builds the scopes: gathers every file's definitions, what it imports, and what overrides them.

use super::{Definition, Experiment, Group, LayerDefinition, Meaning, Names, Scope, ScopeId, State};
use crate::check::Report;
use crate::check::files::{Files, Unit};
use crate::check::settings::{Setting, Settings};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use tfc_grammar::ast::{self, Assign, EntryKind, Expr, ItemKind, MemberKind};
use tfc_grammar::{Code, Diagnostic, Span, did_you_mean};

struct Builder<'a> {
    files: &'a Files,
    names: Names<'a>,
}

/// A model and the blocks around it, as one file gives them to whoever uses it.
struct Parts<'a> {
    file: ScopeId,
    experiment: Experiment<'a>,
}

impl<'a> Names<'a> {
    pub fn new(files: &'a Files, settings: &'a Settings, report: &'a Report) -> Names<'a> {
        let names = Names {
            report,
            std: files.std(),
            constants: Vec::new(),
            groups: Vec::new(),
            layers: Vec::new(),
            experiment: Experiment::new(ScopeId(0)),
            scopes: Vec::new(),
            states: RefCell::default(),
            depth: Cell::new(0),
            group_order: Vec::new(),
        };
        let mut builder = Builder { files, names };
        builder.unit(&files.units[Files::STD]);
        builder.names.experiment = builder.unit(&files.units[Files::ROOT]).experiment;
        settings.0.iter().for_each(|setting| builder.setting(setting));
        let mut names = builder.names;
        names.states = RefCell::new(vec![State::Waiting; names.constants.len()]);
        names.order_groups();
        names
    }
}

impl<'a> Experiment<'a> {
    fn new(scope: ScopeId) -> Experiment<'a> {
        Experiment { model: None, sections: BTreeMap::new(), scope, settings: Vec::new() }
    }
}

impl<'a> Builder<'a> {
    fn unit(&mut self, unit: &'a Unit) -> Parts<'a> {
        // The standard library is built first.
        let std = (!self.names.scopes.is_empty()).then_some(ScopeId::STD);
        let imports = self.add(Scope { parents: std.into_iter().collect(), ..Scope::default() });
        let file = self.add(Scope { parents: vec![imports], ..Scope::default() });
        let mut own = self.items(&unit.ast, file);
        let mut imported = Experiment::new(file);
        for (place, used) in &unit.uses {
            let parts = self.unit(&self.files.units[*used]);
            if let Some((_, block)) = &self.files.units[*used].overrides {
                self.overrides(block, &parts, file);
            }
            self.import(imports, parts.file, *place);
            self.merge(&mut imported, parts.experiment, *place);
        }
        // An experiment that takes its model from another file sees that model's sizes.
        if let (None, Some((_, scope))) = (own.model, imported.model) {
            own.scope = self.add(Scope { parents: vec![file, scope], ..Scope::default() });
        }
        let scope = own.scope;
        own.sections.values_mut().for_each(|section| section.1 = scope);
        let Experiment { model, mut sections, .. } = imported;
        sections.extend(own.sections);
        Parts { file, experiment: Experiment { model: own.model.or(model), sections, scope, settings: Vec::new() } }
    }

    /// What stands at the top of a file.
    fn items(&mut self, ast: &'a ast::File, file: ScopeId) -> Experiment<'a> {
        let mut experiment = Experiment::new(file);
        for item in &ast.items.statements {
            match &item.kind {
                ItemKind::Use(_) => {}
                ItemKind::Let(definition) => self.constant(definition, file),
                ItemKind::Tokens(definition) => self.tokens(definition, file),
                ItemKind::Layer(layer) => self.layer(layer, file),
                ItemKind::Model(model) => {
                    let scope = self.add(Scope { parents: vec![file], ..Scope::default() });
                    self.members(model, scope);
                    let first = experiment.model.map(|(first, _): (&ast::Model, _)| first.name.span);
                    if self.is_first("model", model.name.span, first) {
                        experiment.model = Some((model, scope));
                        experiment.scope = scope;
                    }
                }
                ItemKind::Section(section) => {
                    let first = experiment.sections.get(&section.kind).map(|(first, _)| first.keyword);
                    if self.is_first(section.kind.keyword(), section.keyword, first) {
                        experiment.sections.insert(section.kind, (section, file));
                    }
                }
            }
        }
        experiment
    }

    fn members(&mut self, model: &'a ast::Model, scope: ScopeId) {
        for member in &model.members.statements {
            match &member.kind {
                MemberKind::Let(definition) => self.constant(definition, scope),
                MemberKind::Tokens(definition) => self.tokens(definition, scope),
                MemberKind::Layer(layer) => self.layer(layer, scope),
                MemberKind::Forward(_) | MemberKind::Binding(_) => {}
            }
        }
    }

    fn constant(&mut self, ast::Definition { name, value }: &'a ast::Definition, scope: ScopeId) {
        let meaning = Meaning::Constant(self.names.constants.len());
        self.names.constants.push(Definition { name, value, scope, replaced: None });
        self.define(scope, &name.text, meaning, name.span);
    }

    fn tokens(&mut self, ast::Definition { name, value }: &'a ast::Definition, scope: ScopeId) {
        // Stages and rules find a group by its name alone, wherever it was declared.
        if let Some(first) = self.names.groups.iter().find(|group| group.name() == name.text) {
            let message = format!("two token groups are named `{}`", name.text);
            let diagnostic = Diagnostic::new(Code::DuplicateName, message).at(name.span, "declared again");
            self.names.report.push(diagnostic.see(first.definition.name.span, "first declared here"));
            return;
        }
        let meaning = Meaning::Tokens(self.names.groups.len());
        let definition = Definition { name, value, scope, replaced: None };
        self.names.groups.push(Group { definition, follows: Vec::new() });
        self.define(scope, &name.text, meaning, name.span);
    }

    fn layer(&mut self, ast: &'a ast::Layer, scope: ScopeId) {
        let meaning = Meaning::Layer(self.names.layers.len());
        self.names.layers.push(LayerDefinition { ast, scope });
        self.define(scope, &ast.name.text, meaning, ast.name.span);
    }

    fn define(&mut self, scope: ScopeId, name: &'a str, meaning: Meaning, place: Span) {
        let entries = &mut self.names.scopes[scope.0].entries;
        if let Some((_, first)) = entries.get(name) {
            let diagnostic = Diagnostic::new(Code::DuplicateName, format!("`{name}` is defined twice"));
            self.names.report.push(diagnostic.at(place, "defined again").see(*first, "first defined here"));
            return;
        }
        entries.insert(name, (meaning, place));
    }

    /// Everything that the used file defines becomes visible, at the place of the `use`.
    fn import(&mut self, imports: ScopeId, used: ScopeId, place: Span) {
        let exported: Vec<(&str, Meaning)> =
            self.names.scopes[used.0].entries.iter().map(|(name, (meaning, _))| (*name, *meaning)).collect();
        for (name, meaning) in exported {
            self.define(imports, name, meaning, place);
        }
    }

    fn merge(&mut self, into: &mut Experiment<'a>, from: Experiment<'a>, place: Span) {
        if let Some((model, scope)) = from.model {
            let first = into.model.map(|(first, _)| first.name.span);
            if self.is_first("model", place, first) {
                into.model = Some((model, scope));
            }
        }
        for (kind, section) in from.sections {
            let first = into.sections.get(&kind).map(|(first, _)| first.keyword);
            if self.is_first(kind.keyword(), place, first) {
                into.sections.insert(kind, section);
            }
        }
    }

    fn is_first(&self, what: &str, place: Span, first: Option<Span>) -> bool {
        let Some(first) = first else { return true };
        let diagnostic = Diagnostic::new(Code::DuplicateBlock, format!("two `{what}` blocks"));
        self.names.report.push(diagnostic.at(place, "the second").see(first, "the first"));
        false
    }

    /// `use "file.tfm" { heads = 4 }`
    fn overrides(&mut self, block: &'a ast::Block<EntryKind>, used: &Parts<'a>, scope: ScopeId) {
        for entry in &block.statements {
            match &entry.kind {
                EntryKind::Field(ast::Field { target, assign: Assign::Set, value, by: None }) => {
                    let meaning = target.as_name().and_then(|name| self.names.find(used.experiment.scope, name));
                    self.replace(meaning, target, used.experiment.scope, (value, scope));
                }
                EntryKind::Field(_)
                | EntryKind::Flag(_)
                | EntryKind::Rule(_)
                | EntryKind::Stage(_)
                | EntryKind::Expect(_) => {
                    let message = "a `use` overrides sizes and constants: `name = value`";
                    self.names.report.error(Code::MisplacedEntry, entry.span, message, "not allowed here");
                }
            }
        }
    }

    /// `--set name=value`: a name of the root or of its model; a longer path is the recipe's.
    fn setting(&mut self, setting: &'a Setting) {
        let Setting { target, value } = setting;
        let Some(name) = target.as_name() else {
            self.names.experiment.settings.push(setting);
            return;
        };
        let scope = self.names.experiment.scope;
        let meaning = self.names.find(scope, name);
        self.replace(meaning, target, scope, (value, scope));
    }

    fn replace(
        &mut self,
        meaning: Option<Meaning>,
        target: &'a ast::Pattern,
        seen: ScopeId,
        value: (&'a Expr, ScopeId),
    ) {
        let name = target.as_name().unwrap_or_default();
        match meaning {
            Some(Meaning::Constant(index)) => self.names.constants[index].replaced = Some(value),
            Some(Meaning::Tokens(index)) => self.names.groups[index].definition.replaced = Some(value),
            Some(Meaning::Layer(index)) => {
                let diagnostic = Diagnostic::new(Code::UnknownOverride, format!("`{name}` is a layer"));
                let place = self.names.layers[index].ast.name.span;
                let diagnostic = diagnostic.at(target.span, "only constants and tokens can be overridden");
                self.names.report.push(diagnostic.see(place, "the layer"));
            }
            None => {
                let visible = self.names.visible(seen);
                let mut diagnostic = Diagnostic::new(Code::UnknownOverride, format!("nothing is named `{name}`"))
                    .at(target.span, "neither a constant nor tokens");
                if let Some(near) = did_you_mean(name, visible) {
                    diagnostic = diagnostic.suggest("there is a similar name", target.span, near);
                }
                self.names.report.push(diagnostic);
            }
        }
    }

    fn add(&mut self, scope: Scope<'a>) -> ScopeId {
        self.names.scopes.push(scope);
        ScopeId(self.names.scopes.len() - 1)
    }
}
