//! Puts a part of a file into a whole one.

use crate::page::{files, read, root};

/// The line of a context that a block replaces says this and a name.
const HERE: &str = "// HERE: ";

/// The context with a line for the name, if there is one.
pub fn find(name: &str) -> Option<String> {
    let contexts = files(&root().join("compiler/tests/docs/contexts"), ".tfm");
    let place = format!("{HERE}{name}");
    contexts.iter().map(|path| read(path)).find(|text| text.lines().any(|line| line.trim() == place))
}

/// The block in its context, in the place of `name`. What the block defines is left out of the context's block around that place.
pub fn put(block: &str, name: &str, context: &str) -> String {
    let lines: Vec<&str> = context.lines().collect();
    let place = format!("{HERE}{name}");
    let here = lines.iter().position(|line| line.trim() == place).unwrap_or(0);
    let depth = depth(name, context);
    let outside = |line: &&str| !line.is_empty() && indent(line) < depth;
    let start = lines[..here].iter().rposition(outside).unwrap_or(0);
    let end = here + lines[here..].iter().position(outside).unwrap_or(lines.len() - here);
    let defined: Vec<&str> = block.lines().filter(|line| indent(line) == 0).flat_map(definitions).collect();
    let is_defined = |line: &str| indent(line) == depth && definitions(line).iter().any(|name| defined.contains(name));
    let mut whole: Vec<String> = Vec::new();
    let mut in_left_out = false;
    for (index, line) in lines.iter().enumerate() {
        if in_left_out {
            in_left_out = indent(line) > depth || line.is_empty();
        } else if index == here {
            whole.extend(at_depth(block, depth).lines().map(String::from));
        } else if (start..end).contains(&index) && is_defined(line) {
            in_left_out = line.ends_with('{');
        } else if !line.trim().starts_with(HERE) {
            whole.push(line.to_string());
        }
    }
    tidy(&whole)
}

/// The depth at which a context has the place `name`.
pub fn depth(name: &str, context: &str) -> usize {
    let place = format!("{HERE}{name}");
    context.lines().find(|line| line.trim() == place).map_or(0, indent)
}

/// The block, indented.
pub fn at_depth(block: &str, depth: usize) -> String {
    let indented = |line: &str| if line.is_empty() { "\n".into() } else { format!("{:depth$}{line}\n", "") };
    block.lines().map(indented).collect()
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// Without the empty lines that stand where something was left out.
fn tidy(lines: &[String]) -> String {
    let mut text = String::new();
    for (i, line) in lines.iter().enumerate() {
        let after_opening = text.is_empty() || text.ends_with("{\n") || text.ends_with("\n\n");
        let before_closing = lines[i + 1..].iter().find(|line| !line.is_empty()).is_none_or(|next| next.trim() == "}");
        if !line.is_empty() || !(after_opening || before_closing) {
            text.extend([line, "\n"]);
        }
    }
    text
}

/// What a line defines: `batch` and `seed` in `batch = 8  seed = 1`, `layer block` in `layer block(x) {`, `data {`.
fn definitions(line: &str) -> Vec<&str> {
    line.split("  ").filter_map(|statement| definition(statement.trim_start())).collect()
}

fn definition(statement: &str) -> Option<&str> {
    let word = |text: &str| text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
    let (name, rest) = statement.split_at(word(statement));
    match name {
        "layer" | "let" | "tokens" if rest.starts_with(' ') => Some(&statement[..name.len() + 1 + word(&rest[1..])]),
        "data" | "train" | "grow" if rest == " {" => Some(statement),
        "forward" => Some(name),
        "" => None,
        name => rest.trim_start().starts_with("= ").then_some(name),
    }
}

#[test]
fn a_block_takes_the_place_of_what_it_defines() {
    let context = "\
model m {
  let width = 4

  layer f(x) {
    y = x
    y
  }

  // HERE: model
}

train {
  batch = 8
  // HERE: train
}
";
    let whole = "\
model m {
  let width = 4

  layer f(x) { x }
}

train {
  batch = 8
}
";
    assert_eq!(put("layer f(x) { x }\n", "model", context), whole);
    assert!(put("seed = 1  batch = 16\n", "train", context).ends_with("train {\n  seed = 1  batch = 16\n}\n"));
}
