//! The one layout of a `.tfm` text: what `tfc fmt` writes.
//!
//! Two spaces indent. A stage, a rule, a layer of one line stay on one line where they fit into 110 columns, with two
//! spaces between their fields; models, sections and layers with bindings never do. Comments stay where they are, those
//! behind the lines of one paragraph in one column; of several empty lines one is left.

mod expressions;
mod layout;
mod statements;

use crate::ast::File;

const WIDTH: usize = 110;

/// The text of a tree. Parsing it gives the same tree, up to spans and empty lines.
pub fn format(file: &File) -> String {
    if file.items.statements.is_empty() && file.items.closing.is_empty() {
        return String::new();
    }
    let lines = layout::lines(&statements::items(&file.items), WIDTH);
    layout::align_comments(&lines)
}
