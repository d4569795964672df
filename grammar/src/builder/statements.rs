//! Items, members, lines and entries.

use pest::iterators::Pair;

use super::{Builder, Built, parts, take, take_if};
use crate::ast::{
    Assign, Block, Body, Definition, EntryKind, Expr, Field, Forward, ItemKind, Layer, LineKind, MemberKind, Model,
    Param, Part, PartKind, Pattern, Rule as OnRule, Section, SectionKind, Stage, Statement, Use,
};
use crate::codes::Code;
use crate::diagnostic::Diagnostic;
use crate::parse::Rule;

impl Builder<'_> {
    /// A whole file.
    pub fn items(&mut self, pair: Pair<Rule>) -> Block<ItemKind> {
        let span = self.span(&pair);
        let statements = self.statements(pair, Self::item);
        Block { statements, span, opening: None, closing: self.comments.before(span.end) }
    }

    fn item(&mut self, pair: Pair<Rule>) -> Built<ItemKind> {
        let inner = take(&mut parts(pair));
        Ok(match inner.as_rule() {
            Rule::use_ => ItemKind::Use(self.use_(inner)?),
            Rule::constant => ItemKind::Let(self.inner_definition(inner)?),
            Rule::tokens => ItemKind::Tokens(self.inner_definition(inner)?),
            Rule::layer => ItemKind::Layer(self.layer(inner)?),
            Rule::model => ItemKind::Model(self.model(inner)?),
            Rule::section => ItemKind::Section(self.section(inner)),
            rule => unreachable!("{rule:?} is no item"),
        })
    }

    fn use_(&mut self, pair: Pair<Rule>) -> Built<Use> {
        let mut parts = parts(pair);
        let path = self.string(take(&mut parts))?;
        let overrides = parts.next().map(|entries| self.block(entries, Self::entry));
        Ok(Use { path, overrides })
    }

    fn model(&mut self, pair: Pair<Rule>) -> Built<Model> {
        let mut parts = parts(pair);
        Ok(Model { name: self.name(take(&mut parts)), members: self.block(take(&mut parts), Self::member) })
    }

    fn section(&mut self, pair: Pair<Rule>) -> Section {
        let mut parts = parts(pair);
        let word = take(&mut parts);
        let kind = match word.as_str() {
            "data" => SectionKind::Data,
            "train" => SectionKind::Train,
            _ => SectionKind::Grow,
        };
        Section { kind, keyword: self.span(&word), block: self.block(take(&mut parts), Self::entry) }
    }

    fn member(&mut self, pair: Pair<Rule>) -> Built<MemberKind> {
        let inner = take(&mut parts(pair));
        Ok(match inner.as_rule() {
            Rule::constant => MemberKind::Let(self.inner_definition(inner)?),
            Rule::tokens => MemberKind::Tokens(self.inner_definition(inner)?),
            Rule::layer => MemberKind::Layer(self.layer(inner)?),
            Rule::forward => MemberKind::Forward(self.forward(inner)?),
            Rule::definition => MemberKind::Binding(self.definition(inner)?),
            rule => unreachable!("{rule:?} is no member"),
        })
    }

    fn layer(&mut self, pair: Pair<Rule>) -> Built<Layer> {
        let mut parts = parts(pair);
        let name = self.name(take(&mut parts));
        let params = self.params(take(&mut parts))?;
        Ok(Layer { name, params, body: self.body(take(&mut parts)) })
    }

    fn forward(&mut self, pair: Pair<Rule>) -> Built<Forward> {
        let mut parts = parts(pair);
        let keyword = self.span(&take(&mut parts));
        let params = self.params(take(&mut parts))?;
        Ok(Forward { keyword, params, body: self.body(take(&mut parts)) })
    }

    fn params(&mut self, pair: Pair<Rule>) -> Built<Vec<Param>> {
        self.comments.hoist_before(self.span(&pair).start);
        parts(pair).map(|param| self.param(param)).collect()
    }

    fn param(&mut self, pair: Pair<Rule>) -> Built<Param> {
        let span = self.span(&pair);
        let ((name, annotation, default), trivia) = self.with_trivia(span, |builder| {
            let mut parts = parts(pair);
            let name = builder.name(take(&mut parts));
            let annotation =
                take_if(&mut parts, Rule::annotation).map(|pair| builder.expr(take(&mut pair.into_inner())));
            let default = parts.next().map(|pair| builder.expr(pair));
            Ok((name, annotation.transpose()?, default.transpose()?))
        })?;
        Ok(Param { name, annotation, default, span, trivia })
    }

    pub(super) fn body(&mut self, pair: Pair<Rule>) -> Body {
        let mut body = self.block(pair, Self::line);
        let last = body.statements.len().saturating_sub(1);
        let mut position = 0;
        body.statements.retain(|line| {
            let misplaced = matches!(line.kind, LineKind::Result(_)) && position < last;
            position += 1;
            if misplaced {
                self.errors.push(result_not_last(line));
            }
            !misplaced
        });
        body
    }

    fn line(&mut self, pair: Pair<Rule>) -> Built<LineKind> {
        let inner = take(&mut parts(pair));
        Ok(match inner.as_rule() {
            Rule::definition => LineKind::Binding(self.definition(inner)?),
            Rule::result => LineKind::Result(self.expr(take(&mut parts(inner)))?),
            rule => unreachable!("{rule:?} is no line"),
        })
    }

    /// The definition behind `let` or `tokens`.
    fn inner_definition(&mut self, pair: Pair<Rule>) -> Built<Definition> {
        self.definition(take(&mut parts(pair)))
    }

    fn definition(&mut self, pair: Pair<Rule>) -> Built<Definition> {
        let mut parts = parts(pair);
        Ok(Definition { name: self.name(take(&mut parts)), value: self.expr(take(&mut parts))? })
    }

    fn entry(&mut self, pair: Pair<Rule>) -> Built<EntryKind> {
        let inner = take(&mut parts(pair));
        Ok(match inner.as_rule() {
            Rule::stage => {
                let mut parts = parts(inner);
                let name = self.string(take(&mut parts))?;
                EntryKind::Stage(Stage { name, block: self.block(take(&mut parts), Self::entry) })
            }
            Rule::on => {
                let mut parts = parts(inner);
                let pattern = self.pattern(take(&mut parts))?;
                EntryKind::Rule(OnRule { pattern, block: self.block(take(&mut parts), Self::entry) })
            }
            Rule::expect => EntryKind::Expect(self.expr(take(&mut parts(inner)))?),
            Rule::field => EntryKind::Field(self.field(inner)?),
            Rule::flag_entry => EntryKind::Flag(self.name(take(&mut parts(inner)))),
            rule => unreachable!("{rule:?} is no entry"),
        })
    }

    fn field(&mut self, pair: Pair<Rule>) -> Built<Field> {
        let mut parts = parts(pair);
        let target = self.pattern(take(&mut parts))?;
        let assign = match take(&mut parts).as_str() {
            "+=" => Assign::Add,
            "*=" => Assign::Multiply,
            _ => Assign::Set,
        };
        let value = self.expr(take(&mut parts))?;
        Ok(Field { target, assign, value, by: parts.next().map(|name| self.name(name)) })
    }

    pub fn pattern(&mut self, pair: Pair<Rule>) -> Built<Pattern> {
        let span = self.span(&pair);
        let parts = parts(pair).map(|part| self.part(part)).collect::<Built<_>>()?;
        Ok(Pattern { parts, span })
    }

    fn part(&mut self, pair: Pair<Rule>) -> Built<Part> {
        let span = self.span(&pair);
        let mut parts = parts(pair);
        let word = take(&mut parts);
        let kind = match word.as_rule() {
            Rule::text => PartKind::Text(self.string(word)?.value),
            Rule::any => PartKind::Any,
            _ => PartKind::Name(word.as_str().to_owned()),
        };
        let index = parts.next().map(|index| self.part_index(index)).transpose()?;
        Ok(Part { kind, index, span })
    }

    fn part_index(&mut self, pair: Pair<Rule>) -> Built<Expr> {
        match pair.as_rule() {
            Rule::part_number => self.number(pair),
            _ => self.element(take(&mut parts(pair))),
        }
    }
}

fn result_not_last(line: &Statement<LineKind>) -> Diagnostic {
    Diagnostic::new(Code::ResultNotLast, "an expression that is not the last line")
        .at(line.span, "its value is lost")
        .help("bind it to a name, or make it the last line")
}
