//! Every sketch of the language's description parses.

use tfc_grammar::{Color, Sources, parse, render_all};

#[test]
fn the_sketches_parse() {
    for text in [include_str!("sketches/growing.tfm"), include_str!("sketches/sayable.tfm")] {
        let mut sources = Sources::default();
        let file = sources.add("sketch.tfm", text);
        let (_, errors) = parse(&sources, file);
        assert!(errors.is_empty(), "{}", render_all(&sources, &errors, Color::Never));
    }
}
