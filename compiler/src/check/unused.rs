//! Warnings about what the root file defines and nothing mentions. A file without a model is a library: others use its definitions.

use super::Report;
use super::files::Files;
use super::mentions::{in_body, in_entries, in_expr, in_params};
use std::collections::BTreeSet;
use tfc_grammar::ast::{Block, Definition, ItemKind, Layer, LineKind, MemberKind, Model, Name};
use tfc_grammar::{Code, Diagnostic};

pub(super) fn warn(files: &Files, report: &Report) {
    let mut survey = Survey::default();
    for (_, overrides) in files.units.iter().filter_map(|unit| unit.overrides.as_ref()) {
        in_entries(overrides, &mut |name| survey.mention(name));
    }
    survey.items(&files.units[Files::ROOT].ast.items);
    if survey.has_model {
        survey.definitions(report);
    }
    survey.bindings(report);
}

/// What the root file defines, and what it mentions.
#[derive(Default)]
struct Survey<'a> {
    mentioned: BTreeSet<&'a str>,
    defined: Vec<(&'a Name, &'static str)>,
    layers: Vec<&'a Layer>,
    has_model: bool,
}

impl<'a> Survey<'a> {
    fn mention(&mut self, name: &'a str) {
        self.mentioned.insert(name);
    }

    fn items(&mut self, block: &'a Block<ItemKind>) {
        for item in &block.statements {
            match &item.kind {
                ItemKind::Use(_) => {}
                ItemKind::Let(definition) => self.definition(definition, "constant"),
                ItemKind::Tokens(definition) => self.definition(definition, "size"),
                ItemKind::Layer(layer) => self.layer(layer),
                ItemKind::Model(model) => self.model(model),
                ItemKind::Section(section) => in_entries(&section.block, &mut |name| self.mention(name)),
            }
        }
    }

    fn model(&mut self, model: &'a Model) {
        self.has_model = true;
        for member in &model.members.statements {
            match &member.kind {
                MemberKind::Let(definition) => self.definition(definition, "constant"),
                MemberKind::Tokens(definition) => self.definition(definition, "size"),
                MemberKind::Layer(layer) => self.layer(layer),
                MemberKind::Forward(forward) => {
                    in_params(&forward.params, &mut |name| self.mention(name));
                    in_body(&forward.body, &mut |name| self.mention(name));
                }
                MemberKind::Binding(binding) => in_expr(&binding.value, &mut |name| self.mention(name)),
            }
        }
    }

    fn definition(&mut self, definition: &'a Definition, what: &'static str) {
        in_expr(&definition.value, &mut |name| self.mention(name));
        self.defined.push((&definition.name, what));
    }

    fn layer(&mut self, layer: &'a Layer) {
        in_params(&layer.params, &mut |name| self.mention(name));
        in_body(&layer.body, &mut |name| self.mention(name));
        self.defined.push((&layer.name, "layer"));
        self.layers.push(layer);
    }

    fn definitions(&self, report: &Report) {
        for (name, what) in self.defined.iter().filter(|(name, _)| !self.mentioned.contains(name.text.as_str())) {
            let message = format!("nothing uses the {what} `{}`", name.text);
            report.push(Diagnostic::new(Code::UnusedDefinition, message).at(name.span, "defined in vain"));
        }
    }

    /// The bindings of layers that no other line of theirs mentions.
    fn bindings(&self, report: &Report) {
        for layer in &self.layers {
            let mut mentioned = BTreeSet::new();
            in_body(&layer.body, &mut |name| {
                mentioned.insert(name);
            });
            for line in &layer.body.statements {
                if let LineKind::Binding(Definition { name, .. }) = &line.kind
                    && !mentioned.contains(name.text.as_str())
                {
                    let message = format!("nothing uses `{}`", name.text);
                    report.push(Diagnostic::new(Code::UnusedBinding, message).at(name.span, "computed in vain"));
                }
            }
        }
    }
}
