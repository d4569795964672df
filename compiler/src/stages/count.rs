//! Counts parameters: by token group, and what the rules of a stage let train.

use super::GroupRow;
use crate::model::{Model, Rows, Rule};
use crate::size::{Size, SizeValues};

/// Every group that the model uses, in the order of their declaration. What grows with several is counted with the first.
pub(super) fn groups(model: &Model, sizes: &SizeValues) -> Vec<GroupRow> {
    let row = |(index, group): (usize, &crate::model::TokenGroup)| {
        let axes = model.token_axes.iter().filter(|axis| axis.group == index);
        let tokens = axes.map(|axis| sizes.get(axis.symbol));
        let range = tokens.fold(None, |range: Option<(i64, i64)>, n| match range {
            None => Some((n, n)),
            Some((low, high)) => Some((low.min(n), high.max(n))),
        })?;
        let grows = model
            .parameters
            .iter()
            .filter(|p| p.grows.first().is_some_and(|(_, a)| model.token_axes[*a].group == index));
        let parameters = grows.map(|p| Size::product(&p.shape).eval(sizes)).fold(0, i64::saturating_add);
        Some(GroupRow { name: group.name.clone(), tokens: range, parameters })
    };
    model.token_groups.iter().enumerate().filter_map(row).collect()
}

/// None for a stage that is not trained.
pub(super) fn trainable(model: &Model, stage: usize) -> Option<i64> {
    let rules = &model.experiment.stages[stage].train.as_ref()?.rules;
    let sizes = model.stage_sizes(stage);
    let before = sizes_before_last_growth(model, stage);
    let count = |index: usize| {
        let shape = &model.parameters[index].shape;
        let all = Size::product(shape).eval(&sizes);
        // Of those that have been taken away since, nobody knows here how many were old: as many as can be stay.
        let old = before.as_ref().map(|before| Size::product(shape).eval(before).min(all));
        let trains = |rows: Rows| !is_frozen(rules, index, rows);
        let counted = |count: i64, rows| if trains(rows) { count } else { 0 };
        match old {
            Some(old) if !model.parameters[index].grows.is_empty() => {
                counted(old, Rows::Old).saturating_add(counted(all - old, Rows::New))
            }
            Some(_) | None => counted(all, Rows::All),
        }
    };
    Some((0..model.parameters.len()).map(count).fold(0, i64::saturating_add))
}

/// The sizes before the last growth up to a stage; None where nothing has grown: no row is old or new then.
fn sizes_before_last_growth(model: &Model, stage: usize) -> Option<SizeValues> {
    let stages = &model.experiment.stages;
    let grows = |i: &usize| stages[*i].tokens.iter().zip(&stages[i - 1].tokens).any(|(now, before)| now > before);
    let grown = (1..=stage).rev().find(grows)?;
    Some(model.stage_sizes(grown - 1))
}

/// Whether some rows of a parameter are frozen: later rules win. `Rows::All` stands for rows that are neither old nor new.
fn is_frozen(rules: &[Rule], parameter: usize, rows: Rows) -> bool {
    let concerns = |rule: &&Rule| rule.parameters.contains(&parameter) && (rule.rows == Rows::All || rule.rows == rows);
    rules.iter().filter(concerns).filter_map(|rule| rule.freeze).next_back().unwrap_or(false)
}
