//! The numbers of tokens in each stage: free groups as the stages set them, derived ones by their formulas, instance by instance.

use super::Recipe;
use super::block::Block;
use super::patterns::fits_nothing;
use crate::check::names::{Context, Meaning, ScopeId};
use crate::check::value::size;
use crate::model::TokenAxis;
use std::cell::RefCell;
use std::collections::BTreeMap;
use tfc_grammar::ast::{self, Assign, PartKind};
use tfc_grammar::{Code, Diagnostic, Span};

/// How those tokens are chosen that stay.
const IMPORTANCE: &str = "importance";

/// A group in a repeat instance (`block.3`; empty outside of repeats).
type Place = (String, usize);

/// The free groups' tokens in each place. None: reported already.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tokens(BTreeMap<Place, Option<i64>>);

/// A setting of a stage, with what it is about.
struct Assignment<'b> {
    field: &'b ast::Field,
    targets: Vec<Place>,
}

/// The evaluation of one stage's settings: a value may need others, in any order.
struct Evaluation<'e> {
    recipe: &'e Recipe<'e>,
    before: &'e Tokens,
    assignments: &'e [Assignment<'e>],
    scope: ScopeId,
    /// None while a value is being computed.
    done: RefCell<BTreeMap<Place, Option<Option<i64>>>>,
}

impl Recipe<'_> {
    /// As the model declares them.
    pub fn declared_tokens(&self) -> Tokens {
        let sizes = self.names.declared_sizes();
        let of_instance = |instance: String| {
            self.free_groups().map(|group| ((instance.clone(), group), sizes[group])).collect::<Vec<_>>()
        };
        Tokens(self.instances().into_iter().flat_map(of_instance).collect())
    }

    /// After the settings of a stage.
    pub fn set_tokens(&self, before: &Tokens, stage: &Block) -> Tokens {
        let fields = stage.tokens.iter().copied();
        let assignments: Vec<Assignment> =
            fields.filter_map(|field| Some(Assignment { field, targets: self.targets(field, stage.scope)? })).collect();
        self.each_set_once(&assignments);
        let scope = stage.scope;
        let evaluation =
            Evaluation { recipe: self, before, assignments: &assignments, scope, done: RefCell::default() };
        Tokens(before.0.keys().map(|key| (key.clone(), evaluation.value(key))).collect())
    }

    /// The tokens of every axis; None if one of them is wrong.
    pub fn axis_tokens(&self, tokens: &Tokens) -> Option<Vec<i64>> {
        let axis = |axis: &TokenAxis| {
            let instance = instance_of(&axis.path);
            let free = |group: usize| tokens.0.get(&(instance.to_string(), group)).copied().flatten();
            self.names.group_sizes(&free).get(self.group(axis.group)?).copied().flatten()
        };
        self.axes().iter().map(axis).collect()
    }

    /// Fewer tokens than before need a choice of those that stay, and where there are not fewer, nothing is to be chosen.
    pub fn chooses_what_stays(&self, stage: &Block, before: &[i64], after: &[i64]) {
        let shrinks = |axis: &usize| after[*axis] < before[*axis];
        let sets = |field: &ast::Field, axis: usize| {
            let group = self.group(self.axes()[axis].group);
            let named = field.target.parts.last().is_some_and(|part| match &part.kind {
                PartKind::Name(name) => group.is_some_and(|group| self.names.groups[group].name() == name),
                PartKind::Any => true,
                PartKind::Text(_) => false,
            });
            named || group.is_some_and(|group| self.names.groups[group].is_derived())
        };
        let by_importance = |field: &&&ast::Field| field.by.as_ref().is_some_and(|choice| choice.text == IMPORTANCE);
        for field in stage.tokens.iter().filter(by_importance) {
            if !(0..before.len()).filter(shrinks).any(|axis| sets(field, axis)) {
                let place = field.target.span.to(field.value.span);
                let message = "nothing is to be chosen here: the tokens do not become fewer";
                self.report.error(Code::ValueOutOfRange, place, message, "leave `by importance` out");
            }
        }
        let chosen = |axis: &usize| stage.tokens.iter().any(|field| field.by.is_some() && sets(field, *axis));
        let Some(axis) = (0..before.len()).filter(shrinks).find(|axis| !chosen(axis)) else { return };
        let path = &self.axes()[axis].path;
        let message = format!("`{path}` shrinks from {} to {} tokens: which of them stay?", before[axis], after[axis]);
        let place = stage.tokens.first().map_or(stage.place, |field| field.target.span.to(field.value.span));
        let diagnostic = Diagnostic::new(Code::MissingField, message).at(place, "makes tokens fewer");
        self.report.push(diagnostic.help("keep those that weigh most: `… by importance`"));
    }

    pub fn axes(&self) -> &[TokenAxis] {
        self.model.map_or(&[], |model| &model.token_axes)
    }

    fn free_groups(&self) -> impl Iterator<Item = usize> {
        (0..self.names.groups.len()).filter(|group| !self.names.groups[*group].is_derived())
    }

    /// The repeat instances that hold tokens, and what is outside of all.
    fn instances(&self) -> Vec<String> {
        let paths = self.axes().iter().map(|axis| instance_of(&axis.path).to_string());
        let mut instances: Vec<String> = paths.chain([String::new()]).collect();
        instances.sort();
        instances.dedup();
        instances
    }

    /// The group of the source that a group of the model is.
    fn group(&self, group: usize) -> Option<usize> {
        let name = &self.model?.token_groups[group].name;
        self.names.groups.iter().position(|group| group.name() == name)
    }

    /// The instances and groups that a setting is about; None if there are none, which is reported.
    fn targets(&self, field: &ast::Field, scope: ScopeId) -> Option<Vec<Place>> {
        if let Some(choice) = field.by.as_ref().filter(|choice| choice.text != IMPORTANCE) {
            let message = format!("`{}` is no way to choose tokens", choice.text);
            self.report.error(Code::UnknownOption, choice.span, message, "expected `importance`");
            return None;
        }
        let (last, path) = field.target.parts.split_last()?;
        let groups = match (&last.kind, &last.index) {
            (PartKind::Name(name), None) => vec![self.settable(name, last.span, scope)?],
            (PartKind::Any, None) => self.free_groups().collect(),
            (PartKind::Name(_) | PartKind::Any | PartKind::Text(_), _) => {
                let message = "tokens are addressed by their name";
                self.report.error(Code::CannotAddress, last.span, message, "for example `block[8..12].ffn`");
                return None;
            }
        };
        if path.is_empty() {
            let all = |instance: String| groups.iter().map(|group| (instance.clone(), *group)).collect::<Vec<_>>();
            return Some(self.instances().into_iter().flat_map(all).collect());
        }
        self.addressed(&field.target, &groups, scope)
    }

    fn addressed(&self, target: &ast::Pattern, groups: &[usize], scope: ScopeId) -> Option<Vec<Place>> {
        let pattern = self.pattern(&target.parts, scope)?;
        let axes = self.axes().iter().filter_map(|axis| Some((axis, self.group(axis.group)?)));
        let free: Vec<(&str, usize)> =
            axes.filter(|(_, group)| groups.contains(group)).map(|(axis, group)| (axis.path.as_str(), group)).collect();
        let fitting: Vec<Place> = free
            .iter()
            .filter(|(path, _)| pattern.fits(path))
            .map(|(path, group)| (instance_of(path).to_string(), *group))
            .collect();
        if fitting.is_empty() && self.model.is_some() {
            let paths: Vec<&str> = free.iter().map(|(path, _)| *path).collect();
            let message = "the pattern fits no tokens".to_string();
            self.report.push(fits_nothing(Code::CannotAddress, message, target.span, &target.parts, &pattern, &paths));
            return None;
        }
        Some(fitting)
    }

    /// The free group of a name; what else it may be is an error that says why.
    fn settable(&self, name: &str, span: Span, scope: ScopeId) -> Option<usize> {
        let groups = &self.names.groups;
        match groups.iter().position(|group| group.name() == name) {
            Some(group) if !groups[group].is_derived() => Some(group),
            Some(group) => {
                let followed: Vec<&str> = groups[group].follows.iter().map(|group| groups[*group].name()).collect();
                let diagnostic =
                    Diagnostic::new(Code::DerivedSize, format!("`{name}` follows `{}`", followed.join("`, `")))
                        .at(span, "derived tokens cannot be set")
                        .see(groups[group].definition.name.span, "declared here, with its formula");
                self.report.push(diagnostic.help(format!("set `{}`", followed.join("` and `"))));
                None
            }
            None => {
                self.report.push(self.not_tokens(name, span, scope));
                None
            }
        }
    }

    fn not_tokens(&self, name: &str, span: Span, scope: ScopeId) -> Diagnostic {
        let free: Vec<&str> = self.free_groups().map(|group| self.names.groups[group].name()).collect();
        if let Some(constant @ Meaning::Constant(_)) = self.names.find(scope, name) {
            let diagnostic = Diagnostic::new(Code::FixedSize, format!("`{name}` is fixed: stages grow tokens"))
                .at(span, "cannot change")
                .see(self.names.place(constant), "a `let` is a part of the architecture")
                .note("every weight would have another shape, and none would stay in its place");
            return match free.as_slice() {
                [] => diagnostic.help("declare what shall grow with `tokens`"),
                free => diagnostic.help(format!("what can grow: {}", free.join(", "))),
            };
        }
        let diagnostic = Diagnostic::new(Code::UnknownField, format!("no tokens are named `{name}`"));
        let diagnostic = diagnostic.at(span, "unknown tokens");
        match tfc_grammar::did_you_mean(name, free.iter().copied()) {
            Some(near) => diagnostic.suggest("there is a similar name", span, near),
            None => diagnostic,
        }
    }

    /// Two `=` for one number of tokens contradict each other; a relative one may follow.
    fn each_set_once(&self, assignments: &[Assignment]) {
        for (i, later) in assignments.iter().enumerate().filter(|(_, a)| a.field.assign == Assign::Set) {
            let same = |earlier: &&Assignment| earlier.targets == later.targets;
            if let Some(first) = assignments[..i].iter().find(same) {
                let diagnostic = Diagnostic::new(Code::DuplicateField, "these tokens are set twice");
                let diagnostic = diagnostic.at(later.field.target.span, "set again");
                self.report.push(diagnostic.see(first.field.target.span, "first set here"));
            }
        }
    }
}

impl Evaluation<'_> {
    /// The new number of tokens of a group, free or derived, in one instance.
    fn value(&self, key: &Place) -> Option<i64> {
        let known = self.done.borrow().get(key).copied();
        match known {
            Some(Some(value)) => return value,
            Some(None) => return self.cyclic(key),
            None => {}
        }
        self.done.borrow_mut().insert(key.clone(), None);
        let value = self.compute(key);
        self.done.borrow_mut().insert(key.clone(), Some(value));
        value
    }

    fn compute(&self, key: &Place) -> Option<i64> {
        let (instance, group) = key;
        let tokens = |group: usize| self.value(&(instance.clone(), group));
        let definition = &self.recipe.names.groups[*group];
        if definition.is_derived() {
            let (formula, scope) = definition.definition.current();
            return self
                .recipe
                .names
                .size(&self.recipe.names.evaluate(formula, Context { scope, tokens: Some(&tokens) }));
        }
        let mut value = self.before.0.get(key).copied().flatten();
        for Assignment { field, .. } in self.assignments.iter().filter(|a| a.targets.contains(key)) {
            let context = Context { scope: self.scope, tokens: Some(&tokens) };
            let right = self.recipe.number(&self.recipe.names.evaluate(&field.value, context));
            let number = match (field.assign, value, right) {
                (Assign::Set, _, right) => right,
                (Assign::Add, Some(old), Some(right)) => Some(old as f64 + right),
                (Assign::Multiply, Some(old), Some(right)) => Some(old as f64 * right),
                (Assign::Add | Assign::Multiply, _, _) => None,
            };
            value = number.and_then(|number| size(number, field.value.span, self.recipe.report));
        }
        value
    }

    fn cyclic(&self, (_, group): &Place) -> Option<i64> {
        let name = self.recipe.names.groups[*group].name();
        let setting = self.assignments.iter().find(|a| a.targets.iter().any(|(_, g)| g == group));
        if let Some(Assignment { field, .. }) = setting {
            let message = format!("the new number of `{name}` depends on itself");
            let diagnostic = Diagnostic::new(Code::CyclicDefinition, message).at(field.value.span, "leads back to it");
            let help = format!(
                "right sides see the new values; for a change relative to the old write `{name} += …` or `{name} *= …`"
            );
            self.recipe.report.push(diagnostic.help(help));
        }
        None
    }
}

/// The repeat instance of an axis: its path without the group.
fn instance_of(path: &str) -> &str {
    path.rfind('.').map_or("", |dot| &path[..dot])
}
