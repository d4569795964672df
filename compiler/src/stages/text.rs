//! The table as text, at most 100 columns wide where names and groups are not many.

use super::{Example, StageRow, StageTable};
use crate::quantity::{bytes, flops, grouped, short};

const WIDTH: usize = 100;

/// Two tables, of sizes and of costs, and a paragraph on each growth.
pub fn text(table: &StageTable) -> String {
    let mut parts = vec![aligned(&sizes(table)), aligned(&costs(table))];
    parts.extend(table.rows.iter().filter_map(growth));
    parts.join("\n")
}

/// Stage, parameters, what trains, then per group the tokens and their parameters.
fn sizes(table: &StageTable) -> Vec<Vec<String>> {
    let groups = table.rows.first().map_or(&[][..], |row| &row.groups);
    let mut header: Vec<String> = ["stage", "parameters", "trainable"].map(String::from).to_vec();
    header.extend(groups.iter().flat_map(|group| [group.name.clone(), String::new()]));
    header.push("fixed".into());
    let row = |row: &StageRow| {
        let trainable = match row.trainable {
            None => "-".into(),
            Some(count) if count == row.parameters => "all".into(),
            Some(count) => short(count),
        };
        let mut cells = vec![row.name.clone(), grouped(row.parameters), trainable];
        let tokens = |(low, high): (i64, i64)| if low == high { low.to_string() } else { format!("{low}-{high}") };
        cells.extend(row.groups.iter().flat_map(|group| [tokens(group.tokens), short(group.parameters)]));
        let grown = row.groups.iter().map(|group| group.parameters).fold(0, i64::saturating_add);
        cells.push(short(row.parameters - grown));
        cells
    };
    std::iter::once(header).chain(table.rows.iter().map(row)).collect()
}

fn costs(table: &StageTable) -> Vec<Vec<String>> {
    let (forward, held) = match table.per {
        Example::Token => ("forward/token", "act./sequence"),
        Example::Input => ("forward/input", "act./input"),
    };
    let header = ["stage", forward, "training", "whole stage", "weights", "gradients", "moments", held];
    let row = |row: &StageRow| {
        let none = || "-".to_string();
        let memory = row.memory;
        vec![
            row.name.clone(),
            row.flops.map_or_else(none, |cost| flops(cost.forward)),
            row.flops.map_or_else(none, |cost| flops(cost.training)),
            row.flops.and_then(|cost| cost.stage).map_or_else(none, flops),
            bytes(memory.weights),
            bytes(memory.gradients),
            bytes(memory.moments),
            memory.activations.map_or_else(none, bytes),
        ]
    };
    std::iter::once(header.map(String::from).to_vec()).chain(table.rows.iter().map(row)).collect()
}

fn growth(row: &StageRow) -> Option<String> {
    let growth = row.growth.as_ref()?;
    Some(wrapped(&format!("growth into \"{}\": {}", row.name, growth.verdict)))
}

/// Columns two spaces apart, the first to the left, the others to the right.
fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let cell = |row: &[String], column: usize| row.get(column).map_or(0, |cell| cell.chars().count());
    let widths: Vec<usize> =
        (0..columns).map(|column| rows.iter().map(|row| cell(row, column)).max().unwrap_or(0)).collect();
    let line = |row: &Vec<String>| {
        let padded = row.iter().zip(&widths).enumerate().map(|(column, (cell, width))| match column {
            0 => format!("{cell:<width$}"),
            _ => format!("{cell:>width$}"),
        });
        padded.collect::<Vec<_>>().join("  ").trim_end().to_string() + "\n"
    };
    rows.iter().map(line).collect()
}

/// Broken between words; the lines after the first are indented.
fn wrapped(paragraph: &str) -> String {
    let mut text = String::new();
    let mut column = 0;
    for word in paragraph.split(' ') {
        let length = word.chars().count();
        if column > 0 && column + 1 + length > WIDTH {
            text.push_str("\n    ");
            column = 4;
        } else if column > 0 {
            text.push(' ');
            column += 1;
        }
        text.push_str(word);
        column += length;
    }
    text + "\n"
}
