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
    /// Place by place of the pattern: where in the path it can have come to.
    pub fn fits(&self, path: &str) -> bool {
        let path = path_parts(path);
        let mut reached = vec![true; path.len() + 1];
        for part in &self.parts {
            let mut next = vec![false; path.len() + 1];
            for (end, last) in (1..).zip(&path) {
                next[end] = match part {
                    PatternPart::Any => reached[end - 1] || next[end - 1],
                    PatternPart::Named { name, indices } => reached[end - 1] && last.is(name, indices.as_ref()),
                };
            }
            reached = next;
        }
        reached.contains(&true)
    }
}

impl PathPart<'_> {
    fn is(&self, name: &str, indices: Option<&Range<u64>>) -> bool {
        let in_range = |range: &Range<u64>| self.index.is_some_and(|index| range.contains(&index));
        self.name == name && indices.is_none_or(in_range)
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
    /// Of which there are more ways to fit than could be tried.
    #[test]
    fn many_stars_fit_as_many_parts() {
        let stars: Vec<(&str, Option<Range<u64>>)> = vec![("*", None); 60];
        let path = ["part"; 120].join(".");
        assert!(pattern(&stars).fits(&path));
        assert!(!pattern(&[&stars[..], &[("other", None)]].concat()).fits(&path));
        assert!(!pattern(&vec![("*", None); 121]).fits(&path));
    }
}
