//! The files that docs/checkpoints.md shows are files of ours.

use crate::checkpoint::State;
use crate::metrics;

const PAGE: &str = include_str!("../../../../docs/checkpoints.md");

/// The block of the page that begins with this line.
fn block(first: &str) -> &'static str {
    let start = PAGE.find(first).expect("the page has the block") + first.len();
    let rest = &PAGE[start..];
    &rest[..rest.find("```").expect("the block ends")]
}

#[test]
fn the_state_is_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.json");
    std::fs::write(&path, block("```json,state\n")).unwrap();
    let state = State::read(&path).unwrap();
    let fields: serde_json::Value = serde_json::from_str(&state.to_json()).unwrap();
    for field in fields.as_object().unwrap().keys() {
        assert!(block("```json,state\n").contains(&format!("\"{field}\"")), "`{field}` is not shown");
    }
}

#[test]
fn the_measurements_are_some() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("metrics.jsonl");
    std::fs::write(&path, block("```json,metrics\n")).unwrap();
    assert_eq!(metrics::read(&path).unwrap().len(), 2);
}
