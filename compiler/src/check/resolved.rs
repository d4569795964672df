//! The experiment as one text: what it uses inlined, what `--set` and `use` override put in place. A run keeps it, so that it means
//! the same later, whatever has happened to the files.

use super::files::Files;
use super::names::{Definition as Known, Names};
use super::recipe::Sections;
use tfc_grammar::ast::{Definition, File, ItemKind, Member, MemberKind, Model, Statement};
use tfc_grammar::format;

pub(super) fn resolved(files: &Files, names: &Names, sections: &Sections) -> String {
    let mut statements = Vec::new();
    for unit in in_order(files, Files::ROOT) {
        for item in &files.units[unit].ast.items.statements {
            if let Some(kind) = resolve(&item.kind, names, sections) {
                statements.push(Statement { kind, span: item.span, trivia: item.trivia.clone() });
            }
        }
    }
    let root = &files.units[Files::ROOT].ast;
    let mut items = root.items.clone();
    items.statements = statements;
    format(&File { id: root.id, items })
}

/// A unit after what it uses.
fn in_order(files: &Files, unit: usize) -> Vec<usize> {
    let used = files.units[unit].uses.iter().flat_map(|(_, used)| in_order(files, *used));
    used.chain([unit]).collect()
}

/// An item as it stands in the one text; None for a `use`, and for a model or a section in whose place another file has its own.
fn resolve(item: &ItemKind, names: &Names, sections: &Sections) -> Option<ItemKind> {
    Some(match item {
        ItemKind::Use(_) => return None,
        ItemKind::Let(definition) => ItemKind::Let(replaced(definition, &names.constants)),
        ItemKind::Tokens(definition) => ItemKind::Tokens(replaced(definition, group_definitions(names))),
        ItemKind::Layer(layer) => ItemKind::Layer(layer.clone()),
        ItemKind::Model(model) => {
            let (chosen, _) = names.experiment.model?;
            if chosen.name.span != model.name.span {
                return None;
            }
            ItemKind::Model(resolve_model(model, names))
        }
        ItemKind::Section(section) => {
            let (chosen, _) = sections.get(&section.kind)?;
            if chosen.keyword != section.keyword {
                return None;
            }
            ItemKind::Section(chosen.clone())
        }
    })
}

fn resolve_model(model: &Model, names: &Names) -> Model {
    let mut model = model.clone();
    let resolve = |member: &mut Member| match &mut member.kind {
        MemberKind::Let(definition) => *definition = replaced(definition, &names.constants),
        MemberKind::Tokens(definition) => *definition = replaced(definition, group_definitions(names)),
        MemberKind::Layer(_) | MemberKind::Forward(_) | MemberKind::Binding(_) => {}
    };
    model.members.statements.iter_mut().for_each(resolve);
    model
}

fn group_definitions<'a: 'n, 'n>(names: &'n Names<'a>) -> impl Iterator<Item = &'n Known<'a>> {
    names.groups.iter().map(|group| &group.definition)
}

/// The definition with the value that it has in this experiment.
fn replaced<'a: 'n, 'n>(definition: &Definition, known: impl IntoIterator<Item = &'n Known<'a>>) -> Definition {
    let mut definition = definition.clone();
    let found = known.into_iter().find(|known| known.name.span == definition.name.span);
    if let Some((value, _)) = found.and_then(|known| known.replaced) {
        definition.value = value.clone();
    }
    definition
}
