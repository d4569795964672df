//! A small algebra of layouts: a group lies on one line if it fits, or else breaks at all its breaks.

pub enum Doc {
    Text(String),
    /// A comment; the line ends behind it.
    Comment(String),
    /// A new line if the group around it is broken, or else this text.
    Break(&'static str),
    /// An empty line if the group around it is broken, or else nothing.
    EmptyLine,
    Newline,
    Concat(Vec<Doc>),
    Indent(Box<Doc>),
    Group {
        broken: bool,
        doc: Box<Doc>,
    },
}

pub fn text(text: impl Into<String>) -> Doc {
    Doc::Text(text.into())
}

pub fn concat(docs: impl IntoIterator<Item = Doc>) -> Doc {
    Doc::Concat(docs.into_iter().collect())
}

pub fn indent(doc: Doc) -> Doc {
    Doc::Indent(Box::new(doc))
}

pub fn group(doc: Doc) -> Doc {
    Doc::Group { broken: doc.must_break(), doc: Box::new(doc) }
}

impl Doc {
    fn must_break(&self) -> bool {
        match self {
            Doc::Text(_) | Doc::Break(_) | Doc::EmptyLine => false,
            Doc::Comment(_) | Doc::Newline => true,
            Doc::Concat(docs) => docs.iter().any(Doc::must_break),
            Doc::Indent(doc) => doc.must_break(),
            Doc::Group { broken, .. } => *broken,
        }
    }
}

/// A line of output, with the comment behind it.
#[derive(Default)]
pub struct Line {
    indent: usize,
    text: String,
    comment: Option<String>,
}

impl Line {
    /// Whether the line below belongs to the same paragraph: a line that ends a broken group ends its paragraph too.
    fn same_paragraph(&self, below: &Line) -> bool {
        let filled = !self.text.is_empty() && !below.text.is_empty();
        filled && self.indent == below.indent && !self.text.starts_with([')', ']', '}'])
    }
}

/// What is still to be printed, and how.
#[derive(Clone, Copy)]
struct Task<'a> {
    indent: usize,
    flat: bool,
    doc: &'a Doc,
}

pub fn lines(doc: &Doc, width: usize) -> Vec<Line> {
    let mut lines = vec![Line::default()];
    let mut tasks = vec![Task { indent: 0, flat: false, doc }];
    while let Some(task @ Task { indent, flat, doc }) = tasks.pop() {
        let line = lines.last_mut().expect("there is always a line");
        match doc {
            Doc::Text(text) => line.text.push_str(text),
            Doc::Break(text) if flat => line.text.push_str(text),
            Doc::Comment(comment) if line.text.is_empty() => line.text.push_str(comment),
            Doc::Comment(comment) => line.comment = Some(comment.clone()),
            Doc::EmptyLine if flat => {}
            Doc::Break(_) | Doc::EmptyLine | Doc::Newline => lines.push(Line { indent, ..Line::default() }),
            Doc::Concat(docs) => tasks.extend(docs.iter().rev().map(|doc| Task { doc, ..task })),
            Doc::Indent(doc) => tasks.push(Task { indent: indent + 2, doc, ..task }),
            Doc::Group { broken, doc } => {
                let room = width.saturating_sub(line.indent + line.text.chars().count());
                let flat = flat || !broken && fits(doc, &tasks, room);
                tasks.push(Task { flat, doc, ..task });
            }
        }
    }
    lines
}

/// Whether `doc` on one line, and what follows it up to where that may break, fits into `room` columns.
fn fits(doc: &Doc, following: &[Task], mut room: usize) -> bool {
    let mut following = following.iter().rev();
    let mut tasks = vec![(true, doc)];
    loop {
        let Some((flat, doc)) = tasks.pop().or_else(|| following.next().map(|task| (task.flat, task.doc))) else {
            return true;
        };
        let columns = match doc {
            Doc::Text(text) => text.chars().count(),
            Doc::Break(text) if flat => text.len(),
            Doc::EmptyLine if flat => 0,
            Doc::Comment(_) | Doc::Break(_) | Doc::EmptyLine | Doc::Newline => return true,
            Doc::Concat(docs) => {
                tasks.extend(docs.iter().rev().map(|doc| (flat, doc)));
                0
            }
            Doc::Indent(doc) | Doc::Group { doc, .. } => {
                tasks.push((flat, doc));
                0
            }
        };
        match room.checked_sub(columns) {
            Some(rest) => room = rest,
            None => return false,
        }
    }
}

/// The text of the lines, the comments behind the lines of one paragraph in one column.
pub fn align_comments(lines: &[Line]) -> String {
    let mut text = String::new();
    for paragraph in lines.chunk_by(Line::same_paragraph) {
        let commented = paragraph.iter().filter(|line| line.comment.is_some());
        let column = commented.map(|line| line.text.chars().count()).max().unwrap_or(0);
        for line in paragraph {
            let mut written = format!("{}{}", " ".repeat(line.indent), line.text);
            if let Some(comment) = &line.comment {
                let gap = column - line.text.chars().count() + 2;
                written = format!("{written}{}{comment}", " ".repeat(gap));
            }
            text.push_str(written.trim_end());
            text.push('\n');
        }
    }
    text
}
