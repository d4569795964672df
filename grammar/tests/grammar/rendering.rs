//! Diagnostics as people see them: several labels, several files, notes and ways out.

use tfc_grammar::{Code, Color, Diagnostic, FileId, Sources, Span, render, render_all};

/// The span of the first occurrence of `part`.
fn find(sources: &Sources, file: FileId, part: &str) -> Span {
    let start = sources.text(file).find(part).expect("the part is there");
    Span::new(file, start, start + part.len())
}

fn shape_mismatch(sources: &mut Sources) -> Diagnostic {
    let model =
        sources.add("specs/model.tfm", "use \"blocks.tfm\"\n\nmodel tiny {\n  let width = 768\n  y = mix(x)\n}\n");
    let blocks = sources.add("specs/blocks.tfm", "layer mix(x: [.., d]) {\n  x + linear(x, 512)\n}\n");
    Diagnostic::new(Code::ShapeMismatch, "cannot add [batch, 768] and [batch, 512]")
        .at(find(sources, blocks, "x + linear(x, 512)"), "768 and 512 differ")
        .see(find(sources, blocks, "512"), "512 comes from here")
        .see(find(sources, model, "width = 768"), "768 comes from here")
        .note("sizes are equal, or one of them is 1")
        .suggest("make them equal", find(sources, blocks, "512"), "d")
}

#[test]
fn labels_in_several_files() {
    let mut sources = Sources::default();
    let error = shape_mismatch(&mut sources);
    insta::assert_snapshot!(render(&sources, &error, Color::Never));
}

#[test]
fn in_colour() {
    let mut sources = Sources::default();
    let error = shape_mismatch(&mut sources);
    let coloured = render(&sources, &error, Color::Always);
    assert!(coloured.contains("\u{1b}["));
    let mut plain = String::new();
    for (position, part) in coloured.split("\u{1b}[").enumerate() {
        plain.push_str(if position == 0 { part } else { part.split_once('m').map_or("", |(_, text)| text) });
    }
    assert_eq!(plain, render(&sources, &error, Color::Never), "colour changes nothing but colour");
}

#[test]
fn warnings_and_what_has_no_place() {
    let mut sources = Sources::default();
    let file = sources.add("model.tfm", "layer f(x) {\n  y = gelu(x)\n  x\n}\n");
    let warning = Diagnostic::new(Code::UnusedBinding, "unused binding `y`").at(find(&sources, file, "y"), "");
    let error = Diagnostic::new(Code::MissingBlock, "this experiment has no `train`").help("add one: `train { … }`");
    insta::assert_snapshot!(render_all(&sources, &[warning, error], Color::Never));
}

/// Text from a file cannot write to the terminal anything but text.
#[test]
fn control_characters_are_not_passed_on() {
    let mut sources = Sources::default();
    let file = sources.add("\u{1b}.tfm", "data {\n  train = \"\u{1b}[31m\u{7}\"\n}\n");
    let path = "\u{1b}[31m\u{7}";
    let error = Diagnostic::new(Code::FileNotFound, format!("no file `{path}`"))
        .at(find(&sources, file, path), format!("`{path}`"))
        .note(path)
        .help(path)
        .suggest(path, find(&sources, file, path), path);
    let rendered = render(&sources, &error, Color::Never);
    assert!(!rendered.contains(['\u{1b}', '\u{7}']), "{rendered:?}");
}
