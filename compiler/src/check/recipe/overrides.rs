//! `--set train.optimizer.lr=1e-3`, `--set grow."757M".steps=10K`: settings are put into the blocks before these are read, so that a
//! setting is checked as if it were written there.

use crate::check::names::{Names, ScopeId};
use crate::check::settings::Setting;
use std::collections::BTreeMap;
use tfc_grammar::ast::{
    Arg, Assign, Block, EntryKind, Expr, ExprKind, Field, Name, Part, PartKind, Pattern, Section, SectionKind, Stage,
    Statement, Trivia,
};
use tfc_grammar::{Code, Diagnostic, Span, did_you_mean};

pub(in crate::check) type Sections = BTreeMap<SectionKind, (Section, ScopeId)>;

/// The experiment's blocks, as the command line wants them.
pub(in crate::check) fn sections(names: &Names) -> Sections {
    let mut sections: Sections = names
        .experiment
        .sections
        .iter()
        .map(|(kind, (section, scope))| (*kind, ((*section).clone(), *scope)))
        .collect();
    for setting in &names.experiment.settings {
        if let Err(diagnostic) = apply(&mut sections, setting, names) {
            names.report.push(diagnostic);
        }
    }
    sections
}

fn apply(sections: &mut Sections, setting: &Setting, names: &Names) -> Result<(), Diagnostic> {
    let (first, rest) = setting.target.parts.split_first().expect("a pattern has a part");
    let word = plain(first)?;
    let Some(kind) = SectionKind::ALL.into_iter().find(|kind| kind.keyword() == word) else {
        let diagnostic = Diagnostic::new(Code::UnknownOverride, format!("nothing is named `{word}`"));
        let diagnostic = diagnostic.at(first.span, "no constant, no tokens, and none of the blocks");
        let known = names.visible(names.experiment.scope).into_iter().chain(SectionKind::ALL.map(SectionKind::keyword));
        return Err(suggest(diagnostic, word, first.span, known));
    };
    let inherited = inherited_fields(sections);
    let Some((section, _)) = sections.get_mut(&kind) else {
        return Err(Diagnostic::new(Code::UnknownOverride, format!("the experiment has no `{word}`"))
            .at(first.span, "there is nothing to set"));
    };
    let Some((second, deeper)) = rest.split_first() else {
        return Err(Diagnostic::new(Code::UnknownOverride, format!("`{word}` is a whole block"))
            .at(first.span, "name one of its fields")
            .help(format!("for example `--set {word}.FIELD=VALUE`")));
    };
    match stage(section, second) {
        Some(stage) => match deeper.split_first() {
            Some((field, deeper)) => set_field(&mut stage.block, field, deeper, &setting.value, &inherited),
            None => {
                Err(Diagnostic::new(Code::UnknownOverride, format!("stage \"{}\" is a whole block", stage.name.value))
                    .at(second.span, "name one of its fields"))
            }
        },
        None if matches!(second.kind, PartKind::Text(_)) => Err(unknown_stage(section, second)),
        None => set_field(&mut section.block, second, deeper, &setting.value, &[]),
    }
}

/// What a stage inherits, for a setting that changes one argument of it.
fn inherited_fields(sections: &Sections) -> Vec<Field> {
    let fields = |(section, _): &(Section, ScopeId)| -> Vec<Field> {
        let field = |entry: &Statement<EntryKind>| as_field(&entry.kind).cloned();
        section.block.statements.iter().filter_map(field).collect()
    };
    sections.values().flat_map(fields).collect()
}

fn as_field(entry: &EntryKind) -> Option<&Field> {
    match entry {
        EntryKind::Field(field) => Some(field),
        EntryKind::Flag(_) | EntryKind::Rule(_) | EntryKind::Stage(_) | EntryKind::Expect(_) => None,
    }
}

/// The stage of `grow` that a part names.
fn stage<'s>(section: &'s mut Section, part: &Part) -> Option<&'s mut Stage> {
    let wanted = match &part.kind {
        PartKind::Text(text) | PartKind::Name(text) => text,
        PartKind::Any => return None,
    };
    section.block.statements.iter_mut().find_map(|entry| match &mut entry.kind {
        EntryKind::Stage(stage) if stage.name.value == *wanted => Some(stage),
        EntryKind::Stage(_) | EntryKind::Field(_) | EntryKind::Flag(_) | EntryKind::Rule(_) | EntryKind::Expect(_) => {
            None
        }
    })
}

fn unknown_stage(section: &Section, part: &Part) -> Diagnostic {
    let wanted = match &part.kind {
        PartKind::Text(text) | PartKind::Name(text) => text.as_str(),
        PartKind::Any => "*",
    };
    let diagnostic = Diagnostic::new(Code::UnknownOverride, format!("there is no stage \"{wanted}\""));
    let stages: Vec<&str> = section
        .block
        .statements
        .iter()
        .filter_map(|entry| match &entry.kind {
            EntryKind::Stage(stage) => Some(stage.name.value.as_str()),
            EntryKind::Field(_) | EntryKind::Flag(_) | EntryKind::Rule(_) | EntryKind::Expect(_) => None,
        })
        .collect();
    let known = stages.iter().map(|stage| format!("\"{stage}\"")).collect::<Vec<_>>().join(", ");
    diagnostic.at(part.span, "unknown stage").note(format!("the stages are {known}"))
}

/// A part that is nothing but a name.
fn plain(part: &Part) -> Result<&str, Diagnostic> {
    match (&part.kind, &part.index) {
        (PartKind::Name(name), None) => Ok(name),
        (PartKind::Name(_) | PartKind::Text(_) | PartKind::Any, _) => {
            Err(Diagnostic::new(Code::UnknownOverride, "only a name can stand here").at(part.span, "not a name"))
        }
    }
}

/// Sets a field of a block, or an argument (`deeper`) of one; what the block does not say it gets.
fn set_field(
    block: &mut Block<EntryKind>,
    part: &Part,
    deeper: &[Part],
    value: &Expr,
    inherited: &[Field],
) -> Result<(), Diagnostic> {
    let name = plain(part)?;
    let is_named = |field: &Field| field.target.as_name() == Some(name) && field.assign == Assign::Set;
    let said = block.statements.iter_mut().find_map(|entry| match &mut entry.kind {
        EntryKind::Field(field) if is_named(field) => Some(field),
        EntryKind::Field(_) | EntryKind::Flag(_) | EntryKind::Rule(_) | EntryKind::Stage(_) | EntryKind::Expect(_) => {
            None
        }
    });
    if let Some(field) = said {
        return set_value(&mut field.value, deeper, value);
    }
    let target = Pattern { parts: vec![part.clone()], span: part.span };
    let mut field = match inherited.iter().find(|field| is_named(field)) {
        Some(field) if !deeper.is_empty() => Field { target, ..field.clone() },
        Some(_) | None => Field { target, assign: Assign::Set, value: value.clone(), by: None },
    };
    set_value(&mut field.value, deeper, value)?;
    block.statements.push(Statement { kind: EntryKind::Field(field), span: part.span, trivia: Trivia::default() });
    Ok(())
}

/// Sets an expression, or the argument of it that the path leads to.
fn set_value(expr: &mut Expr, path: &[Part], value: &Expr) -> Result<(), Diagnostic> {
    let Some((part, deeper)) = path.split_first() else {
        *expr = value.clone();
        return Ok(());
    };
    let name = plain(part)?;
    let span = expr.span;
    if let ExprKind::Name(_) = expr.kind {
        let callee = Box::new(expr.clone());
        expr.kind = ExprKind::Call { callee, args: Vec::new() };
    }
    let (ExprKind::Call { args, .. } | ExprKind::Tuple(args)) = &mut expr.kind else {
        let diagnostic = Diagnostic::new(Code::UnknownOverride, format!("there is no argument `{name}` to set"));
        return Err(diagnostic.at(part.span, "the value has no arguments").see(span, "the value"));
    };
    match args.iter_mut().find(|arg| arg.name.as_ref().is_some_and(|n| n.text == name)) {
        Some(arg) => set_value(&mut arg.value, deeper, value),
        None if deeper.is_empty() => {
            let name = Name { text: name.to_string(), span: part.span };
            let span = part.span;
            args.push(Arg { name: Some(name), value: value.clone(), share: None, span, trivia: Trivia::default() });
            Ok(())
        }
        None => Err(Diagnostic::new(Code::UnknownOverride, format!("there is no argument `{name}`"))
            .at(part.span, "not said")
            .see(span, "in this value")),
    }
}

fn suggest<'n>(diagnostic: Diagnostic, name: &str, span: Span, known: impl IntoIterator<Item = &'n str>) -> Diagnostic {
    match did_you_mean(name, known) {
        Some(near) => diagnostic.suggest("there is a similar name", span, near),
        None => diagnostic,
    }
}
