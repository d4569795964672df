//! Places in source text: a span names a file and a byte range, `Sources` holds the texts it points into.
//!
//! Nothing here reads files; whoever does adds them by name and text.

/// One text held by a [`Sources`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(u32);

/// The half-open byte range `start..end` of one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    pub file: FileId,
    pub start: usize,
    pub end: usize,
}

impl Span {
    pub fn new(file: FileId, start: usize, end: usize) -> Span {
        debug_assert!(start <= end);
        Span { file, start, end }
    }

    /// The smallest span that covers both; both lie in one file.
    pub fn to(self, other: Span) -> Span {
        debug_assert_eq!(self.file, other.file);
        Span::new(self.file, self.start.min(other.start), self.end.max(other.end))
    }

    /// The empty span where this one begins: the place to insert before it.
    pub fn before(self) -> Span {
        Span { end: self.start, ..self }
    }

    /// The empty span where this one ends: the place to insert after it.
    pub fn after(self) -> Span {
        Span { start: self.end, ..self }
    }
}

/// A place as people count: both from 1, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineColumn {
    pub line: usize,
    pub column: usize,
}

/// The texts of one run of the compiler, by the id that spans carry.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    files: Vec<SourceFile>,
}

#[derive(Clone, Debug)]
struct SourceFile {
    name: String,
    text: String,
    line_starts: Vec<usize>,
}

impl Sources {
    pub fn add(&mut self, name: impl Into<String>, text: impl Into<String>) -> FileId {
        let (name, text) = (name.into(), text.into());
        let line_starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        self.files.push(SourceFile { name, text, line_starts });
        FileId(self.files.len() as u32 - 1)
    }

    /// The name the file was added under, as diagnostics show it.
    pub fn name(&self, file: FileId) -> &str {
        &self.file(file).name
    }

    pub fn text(&self, file: FileId) -> &str {
        &self.file(file).text
    }

    /// The text a span covers.
    pub fn snippet(&self, span: Span) -> &str {
        &self.text(span.file)[span.start..span.end]
    }

    /// Where a span begins.
    pub fn line_column(&self, span: Span) -> LineColumn {
        let file = self.file(span.file);
        let line = file.line_starts.partition_point(|&start| start <= span.start);
        let column = file.text[file.line_starts[line - 1]..span.start].chars().count() + 1;
        LineColumn { line, column }
    }

    fn file(&self, file: FileId) -> &SourceFile {
        &self.files[file.0 as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_count_from_one_in_characters() {
        let mut sources = Sources::default();
        sources.add("other.tfm", "x");
        let file = sources.add("model.tfm", "ab\n\"äß\" x\n");
        let place = |start| {
            let LineColumn { line, column } = sources.line_column(Span::new(file, start, start));
            (line, column)
        };
        assert_eq!(place(0), (1, 1));
        assert_eq!(place(2), (1, 3));
        assert_eq!(place(3), (2, 1));
        assert_eq!(place(10), (2, 6));
        assert_eq!(place(12), (3, 1));
        assert_eq!(sources.snippet(Span::new(file, 10, 11)), "x");
    }
}
