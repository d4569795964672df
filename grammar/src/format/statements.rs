//! Layouts of items, members, lines and entries.

use super::expressions::{delimited, expr, quoted};
use super::layout::{Doc, concat, group, indent, text};
use crate::ast::{
    Block, Comment, Definition, EntryKind, Expr, ExprKind, ItemKind, Layer, LineKind, MemberKind, Param, PartKind,
    Pattern, Section, Statement,
};

/// A whole file.
pub fn items(items: &Block<ItemKind>) -> Doc {
    let opens_paragraph = |item: &ItemKind| matches!(item, ItemKind::Model(_) | ItemKind::Section(_));
    statements(items, item, opens_paragraph)
}

fn item(kind: &ItemKind) -> Doc {
    match kind {
        ItemKind::Use(use_) => {
            let path = text(format!("use {}", quoted(&use_.path.value)));
            match &use_.overrides {
                Some(overrides) => concat([path, text(" "), block(overrides, entry, Shape::Fitting)]),
                None => path,
            }
        }
        ItemKind::Let(constant) => definition("let ", constant),
        ItemKind::Tokens(tokens) => definition("tokens ", tokens),
        ItemKind::Layer(inner) => layer(inner),
        ItemKind::Model(model) => {
            concat([text(format!("model {} ", model.name.text)), block(&model.members, member, Shape::Broken)])
        }
        ItemKind::Section(Section { kind, block: entries, .. }) => {
            concat([text(format!("{} ", kind.keyword())), block(entries, entry, Shape::Broken)])
        }
    }
}

fn member(kind: &MemberKind) -> Doc {
    match kind {
        MemberKind::Let(constant) => definition("let ", constant),
        MemberKind::Tokens(tokens) => definition("tokens ", tokens),
        MemberKind::Layer(inner) => layer(inner),
        MemberKind::Forward(forward) => {
            concat([text("forward"), params(&forward.params), text(" "), block(&forward.body, line, Shape::Broken)])
        }
        MemberKind::Binding(binding) => definition("", binding),
    }
}

fn definition(keyword: &str, definition: &Definition) -> Doc {
    concat([text(format!("{keyword}{} = ", definition.name.text)), expr(&definition.value)])
}

fn layer(layer: &Layer) -> Doc {
    let name = text(format!("layer {}", layer.name.text));
    concat([name, params(&layer.params), text(" "), body(&layer.body)])
}

fn params(params: &[Param]) -> Doc {
    delimited("(", params.iter().map(|item| (param(item), Some(&item.trivia))).collect(), ")")
}

fn param(param: &Param) -> Doc {
    let mut docs = vec![text(param.name.text.as_str())];
    if let Some(annotation) = &param.annotation {
        docs.extend([text(": "), expr(annotation)]);
    }
    if let Some(default) = &param.default {
        docs.extend([text(" = "), expr(default)]);
    }
    concat(docs)
}

/// A body on one line if it is nothing but a short result.
pub fn body(body: &Block<LineKind>) -> Doc {
    let shape = if body.bindings().next().is_some() { Shape::Broken } else { Shape::Fitting };
    block(body, line, shape)
}

fn line(kind: &LineKind) -> Doc {
    match kind {
        LineKind::Binding(binding) => definition("", binding),
        LineKind::Result(result) if begins_with_minus(result) => concat([text("("), expr(result), text(")")]),
        LineKind::Result(result) => expr(result),
    }
}

/// Such a line would read as the rest of the line before it.
fn begins_with_minus(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Negate(_) => true,
        ExprKind::Binary { left, .. } => begins_with_minus(left),
        ExprKind::Pipe { input, .. } => begins_with_minus(input),
        _ => false,
    }
}

fn entry(kind: &EntryKind) -> Doc {
    match kind {
        EntryKind::Field(field) => {
            let mut docs =
                vec![pattern(&field.target), text(format!(" {} ", field.assign.symbol())), expr(&field.value)];
            docs.extend(field.by.as_ref().map(|by| text(format!(" by {}", by.text))));
            concat(docs)
        }
        EntryKind::Flag(name) => text(name.text.as_str()),
        EntryKind::Rule(rule) => {
            concat([text("on "), pattern(&rule.pattern), text(" "), block(&rule.block, entry, Shape::Fitting)])
        }
        EntryKind::Stage(stage) => {
            concat([text(format!("stage {} ", quoted(&stage.name.value))), block(&stage.block, entry, Shape::Fitting)])
        }
        EntryKind::Expect(expectation) => concat([text("expect "), expr(expectation)]),
    }
}

fn pattern(pattern: &Pattern) -> Doc {
    let mut docs = Vec::new();
    for (position, part) in pattern.parts.iter().enumerate() {
        docs.extend((position > 0).then(|| text(".")));
        docs.push(match &part.kind {
            PartKind::Name(name) => text(name.as_str()),
            PartKind::Text(value) => text(quoted(value)),
            PartKind::Any => text("*"),
        });
        docs.extend(part.index.as_ref().map(|index| delimited("[", vec![(expr(index), None)], "]")));
    }
    concat(docs)
}

/// Whether a block may lie on one line.
#[derive(Clone, Copy, PartialEq)]
enum Shape {
    /// If it fits.
    Fitting,
    Broken,
}

fn block<K>(block: &Block<K>, kind: fn(&K) -> Doc, shape: Shape) -> Doc {
    if block.statements.is_empty() && block.opening.is_none() && block.closing.is_empty() {
        return text("{}");
    }
    let mut docs = vec![text("{")];
    docs.extend(block.opening.as_ref().map(comment));
    let start = if shape == Shape::Broken { Doc::Newline } else { Doc::Break(" ") };
    if !block.statements.is_empty() || !block.closing.is_empty() {
        docs.push(indent(concat([start, statements(block, kind, |_| false)])));
    }
    docs.extend([Doc::Break(" "), text("}")]);
    group(concat(docs))
}

/// The statements and the comments around them; `opens_paragraph` says before which an empty line belongs.
fn statements<K>(block: &Block<K>, kind: fn(&K) -> Doc, opens_paragraph: fn(&K) -> bool) -> Doc {
    let mut docs: Vec<Doc> = Vec::new();
    for Statement { kind: inner, trivia, .. } in &block.statements {
        let mut paragraph = opens_paragraph(inner);
        for leading in &trivia.leading {
            next_line(&mut docs, std::mem::take(&mut paragraph) || leading.blank_before);
            docs.push(comment(leading));
        }
        next_line(&mut docs, trivia.blank_before || paragraph);
        docs.push(kind(inner));
        docs.extend(trivia.trailing.as_ref().map(comment));
    }
    for closing in &block.closing {
        next_line(&mut docs, closing.blank_before);
        docs.push(comment(closing));
    }
    concat(docs)
}

fn next_line(docs: &mut Vec<Doc>, blank_before: bool) {
    if !docs.is_empty() {
        docs.push(Doc::Break("  "));
        docs.extend(blank_before.then_some(Doc::EmptyLine));
    }
}

pub fn comment(comment: &Comment) -> Doc {
    Doc::Comment(comment.text.clone())
}
