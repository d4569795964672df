//! Diagnostics as text for people, the way rustc shows them.

use annotate_snippets::{AnnotationKind, Group, Level, Patch, Renderer, Snippet};

use crate::codes::Severity;
use crate::diagnostic::{Diagnostic, Suggestion};
use crate::span::{FileId, Sources};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Color {
    Never,
    /// ANSI escapes.
    Always,
}

/// One diagnostic, without a line end.
pub fn render(sources: &Sources, diagnostic: &Diagnostic, color: Color) -> String {
    let renderer = match color {
        Color::Never => Renderer::plain(),
        Color::Always => Renderer::styled(),
    };
    let mut report = vec![problem(sources, diagnostic)];
    report.extend(diagnostic.suggestions.iter().map(|suggestion| way_out(sources, suggestion)));
    renderer.render(&report)
}

/// All of them, an empty line between two.
pub fn render_all(sources: &Sources, diagnostics: &[Diagnostic], color: Color) -> String {
    let rendered: Vec<String> =
        diagnostics.iter().map(|diagnostic| render(sources, diagnostic, color) + "\n").collect();
    rendered.join("\n")
}

fn problem<'a>(sources: &'a Sources, diagnostic: &'a Diagnostic) -> Group<'a> {
    let level = match diagnostic.severity() {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    // The file of the first primary label comes first; the others follow in the order of the labels.
    let mut files: Vec<FileId> = diagnostic.span().iter().map(|span| span.file).collect();
    for label in &diagnostic.labels {
        if !files.contains(&label.span.file) {
            files.push(label.span.file);
        }
    }
    let snippets = files.into_iter().map(|file| {
        let labels = diagnostic.labels.iter().filter(move |label| label.span.file == file);
        let annotations = labels.map(|label| {
            let kind = if label.primary { AnnotationKind::Primary } else { AnnotationKind::Context };
            let annotation = kind.span(label.span.start..label.span.end);
            if label.text.is_empty() { annotation } else { annotation.label(printable(&label.text)) }
        });
        Snippet::source(sources.text(file)).path(printable(sources.name(file))).annotations(annotations)
    });
    level
        .primary_title(diagnostic.message.as_str())
        .id(diagnostic.code.id())
        .elements(snippets)
        .elements(diagnostic.notes.iter().map(|note| Level::NOTE.message(printable(note))))
}

fn way_out<'a>(sources: &'a Sources, suggestion: &'a Suggestion) -> Group<'a> {
    let help = Level::HELP.secondary_title(printable(&suggestion.message));
    let mut files: Vec<FileId> = suggestion.edits.iter().map(|edit| edit.span.file).collect();
    files.dedup();
    help.elements(files.into_iter().map(|file| {
        let edits = suggestion.edits.iter().filter(move |edit| edit.span.file == file);
        let patches = edits.map(|edit| Patch::new(edit.span.start..edit.span.end, printable(&edit.text)));
        Snippet::source(sources.text(file)).path(printable(sources.name(file))).patches(patches)
    }))
}

/// Text from a file must not command the terminal. The renderer cleans titles and source lines; the rest it takes as is.
fn printable(text: &str) -> String {
    text.replace(|c: char| c.is_control() && c != '\n', "\u{FFFD}")
}
