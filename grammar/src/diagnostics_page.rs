//! The page of the documentation that explains every diagnostic.

use std::fmt::Write;

use crate::codes::Code;

/// The text of `docs/diagnostics.md`.
pub fn diagnostics_page() -> String {
    let mut page = String::from(
        "# Diagnostics\n\nEvery error and warning of `tfc`, with the smallest text that causes it where one can. This page is made \
         from\nthe table in `grammar/src/codes.rs`; a test keeps the two equal.\n",
    );
    for (family, codes) in Code::families() {
        write!(page, "\n## {family}\n").expect("writing to a string succeeds");
        for code in codes {
            write!(page, "\n### {}: {}\n\n{}\n", code.id(), code.title(), code.explanation())
                .expect("writing to a string succeeds");
            if let Some(example) = code.example() {
                write!(page, "\n```tfm\n{example}```\n").expect("writing to a string succeeds");
            }
        }
    }
    page
}
