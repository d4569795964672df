//! The page about diagnostics says what the table says.

use std::path::Path;

use tfc_grammar::diagnostics_page;

/// With `UPDATE_DOCS` set, the page is written instead.
#[test]
fn the_page_is_that_of_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/diagnostics.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::create_dir_all(path.parent().expect("the page lies in a folder")).expect("docs/ can be made");
        std::fs::write(&path, diagnostics_page()).expect("the page can be written");
    }
    let page = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        page == diagnostics_page(),
        "docs/diagnostics.md is not what grammar/src/codes.rs says; to write it anew: UPDATE_DOCS=1 cargo test -p tfc-grammar"
    );
}
