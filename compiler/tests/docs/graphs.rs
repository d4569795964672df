//! Graphs in the documentation are graphs, and the operations on the page are those of the compiler.

use crate::page::{blocks, files, read, root};
use tfc_compiler::graph::{Reduction, parse, verify};
use tfc_compiler::scalar::{Binary, Unary};

#[test]
fn graphs_are_read_verified_and_printed_back() {
    for page in files(&root(), ".md") {
        for block in blocks(&page).iter().filter(|block| block.words[0] == "graph") {
            let graph = parse(&block.text).unwrap_or_else(|error| panic!("{}: {error}", block.place));
            let violations = verify(&graph);
            assert!(violations.is_empty(), "{}: {violations:?}", block.place);
            assert_eq!(graph.to_string(), block.text, "{}", block.place);
        }
    }
}

#[test]
fn every_scalar_function_and_reduction_is_documented() {
    let page = read(&root().join("docs/operations.md"));
    let scalar = Unary::ALL.map(Unary::name).into_iter().chain(Binary::ALL.map(Binary::name));
    let rows = scalar.map(|name| format!("| `{name}` |"));
    let reductions = Reduction::ALL.map(|reduction| format!("| `reduce_{} ", reduction.name()));
    for row in rows.chain(reductions) {
        assert!(page.contains(&row), "docs/operations.md has no row {row}");
    }
}

/// Each row has an example, so it is an operation.
#[test]
fn every_documented_operation_exists() {
    let page = root().join("docs/operations.md");
    let graphs: String = blocks(&page).into_iter().filter(|block| block.words[0] == "graph").map(|b| b.text).collect();
    let scalar: Vec<&str> = Unary::ALL.map(Unary::name).into_iter().chain(Binary::ALL.map(Binary::name)).collect();
    for row in read(&page).lines().filter_map(|line| line.strip_prefix("| `")) {
        let name = row.split(['`', '(', ' ']).next().unwrap_or_default();
        let is_shown = graphs.contains(&format!("= {name}(")) || graphs.contains(&format!("= {name} "));
        assert!(is_shown || scalar.contains(&name), "docs/operations.md shows no example of `{name}`");
    }
}
