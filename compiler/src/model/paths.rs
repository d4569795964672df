//! Patterns over the paths of parameters and token axes: one meaning in rules, stages, `inspect` and export.
//!
//! A path is a chain of parts with dots between, some followed by a repeat index: `block.3.attend.q.keys`. A pattern is a chain of
//! parts, too, and fits every path that contains it, part by part:
//!
//! - a name fits the part of that name, and without an index whatever index it has: `block.ffn` is the `ffn` of every block;
//! - `block[8..12]` and `block.3` ask for the index as well;
//! - `*` fits one part or several.

use std::ops::Range;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathPattern {
    pub parts: Vec<PatternPart>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PatternPart {
    /// `*`
    Any,
    Named {
        name: String,
        /// The repeat indices it asks for; None: any, or none.
        indices: Option<Range<u64>>,
    },
}

/// One part of a path, with the repeat index behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathPart<'a> {
    pub name: &'a str,
    pub index: Option<u64>,
}

/// The parts of a path, in order.
pub fn path_parts(path: &str) -> Vec<PathPart<'_>> {
    let mut parts: Vec<PathPart> = Vec::new();
    for word in path.split('.') {
        match (word.parse(), parts.last_mut()) {
            (Ok(index), Some(part)) if part.index.is_none() => part.index = Some(index),
            (Ok(_), _) | (Err(_), _) => parts.push(PathPart { name: word, index: None }),
        }
    }
    parts
}

impl PathPattern {
    pub fn fits(&self, path: &str) -> bool {
        let path = path_parts(path);
        (0..path.len()).any(|start| fits_here(&self.parts, &path[start..]))
    }
}

/// Whether the pattern fits the beginning of the path.
fn fits_here(pattern: &[PatternPart], path: &[PathPart]) -> bool {
    match (pattern, path) {
        ([], _) => true,
        (_, []) => false,
        ([PatternPart::Any, rest @ ..], _) => (1..=path.len()).any(|taken| fits_here(rest, &path[taken..])),
        ([PatternPart::Named { name, indices }, rest @ ..], [part, after @ ..]) => {
            let in_range = |range: &Range<u64>| part.index.is_some_and(|index| range.contains(&index));
            part.name == name && indices.as_ref().is_none_or(in_range) && fits_here(rest, after)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(parts: &[(&str, Option<Range<u64>>)]) -> PathPattern {
        let part = |(name, indices): &(&str, Option<Range<u64>>)| match *name {
            "*" => PatternPart::Any,
            name => PatternPart::Named { name: name.into(), indices: indices.clone() },
        };
        PathPattern { parts: parts.iter().map(part).collect() }
    }

    #[test]
    fn a_pattern_fits_the_paths_that_contain_it() {
        let path = "block.3.attend.q.keys";
        let fits = |parts: &[(&str, Option<Range<u64>>)]| pattern(parts).fits(path);
        assert!(fits(&[("*", None)]));
        assert!(fits(&[("block", None)]));
        assert!(fits(&[("block", Some(3..4)), ("attend", None), ("q", None), ("keys", None)]));
        assert!(fits(&[("block", Some(0..12)), ("*", None), ("keys", None)]));
        assert!(fits(&[("q", None)]));
        assert!(fits(&[("q", None), ("keys", None)]));
        assert!(!fits(&[("block", Some(4..12))]));
        assert!(!fits(&[("block", None), ("q", None)]));
        assert!(!fits(&[("attend", Some(0..1))]));
        assert!(!fits(&[("block", None), ("*", None), ("attend", None)]));
        assert!(!fits(&[("que", None)]));
        assert!(!fits(&[("keys", None), ("*", None)]));
    }
}
