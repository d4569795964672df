//! The canonical layout.

use tfc_grammar::{Color, Sources, format, parse, render_all};

fn formatted(text: &str) -> String {
    let mut sources = Sources::default();
    let file = sources.add("sketch.tfm", text);
    let (tree, errors) = parse(&sources, file);
    assert!(errors.is_empty(), "{}", render_all(&sources, &errors, Color::Never));
    format(&tree)
}

#[test]
fn the_sketches() {
    for (name, text) in [
        ("growing", include_str!("sketches/growing.tfm")),
        ("sayable", include_str!("sketches/sayable.tfm")),
        ("untidy", include_str!("sketches/untidy.tfm")),
    ] {
        let once = formatted(text);
        assert_eq!(formatted(&once), once, "formatting again changes nothing");
        insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
            insta::assert_snapshot!(format!("formatted_{name}"), once);
        });
    }
}
