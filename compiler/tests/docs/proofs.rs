//! The table of docs/language.md that says what growth does to the function: every row is what the prover says of such a stage.

use crate::context;
use crate::page::{read, root};
use crate::verdict::Files;
use tfc_compiler::check::Options;

const HEADER: &str = "| growth | verdict |\n| --- | --- |\n";

#[test]
fn the_table_of_growth_is_proven() {
    let page = read(&root().join("docs/language.md"));
    let start = page.find(HEADER).expect("the page has the table") + HEADER.len();
    let rows: Vec<&str> = page[start..].lines().take_while(|line| line.starts_with('|')).collect();
    assert!(rows.len() >= 4);
    let proven = rows.iter().map(|row| {
        let growth = row.trim_matches('|').split(" | ").next().unwrap_or_default().trim();
        let fields: Vec<&str> = growth.split('`').skip(1).step_by(2).collect();
        format!("| {growth} | {} |", verdict(&fields.join("  ")))
    });
    assert_eq!(rows.join("\n"), proven.collect::<Vec<_>>().join("\n"));
}

/// What is said of doubling all tokens with these fields.
fn verdict(fields: &str) -> String {
    let grown = format!("stage \"grown\" {{ qkv *= 2  proj *= 2  {fields}  steps = 1K }}\n");
    let stages = format!("stage \"small\" {{ steps = 1K }}\n{grown}");
    let context = context::find("grow").expect("there is a place for stages");
    let mut files = Files::default();
    files.0.insert("grown.tfm".into(), context::put(&stages, "grow", &context));
    let verdict = files.check("grown.tfm", &Options { set: vec!["depth=1".into()] });
    let proof = verdict.proofs.get(1).cloned().flatten();
    proof.map_or(verdict.rendered, |proof| proof.verdict.to_string())
}
