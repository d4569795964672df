//! Links between pages lead somewhere. Pictures are left out: they are drawn by runs.

use crate::page::{files, name, read, root};
use std::collections::BTreeSet;
use std::path::Path;

#[test]
fn every_link_leads_somewhere() {
    let mut broken = Vec::new();
    for page in files(&root(), ".md") {
        let folder = page.parent().expect("a page lies in a folder");
        for target in targets(&prose(&read(&page))) {
            let (path, anchor) = target.split_once('#').unwrap_or((&target, ""));
            let file = if path.is_empty() { page.clone() } else { folder.join(path) };
            let leads = file.exists() && (anchor.is_empty() || anchors(&file).contains(anchor));
            if !leads {
                broken.push(format!("{}: {target}", name(&page)));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// A page without its fenced blocks.
fn prose(text: &str) -> String {
    text.split("\n```").step_by(2).collect::<Vec<_>>().join("\n")
}

/// What the links of a page name, but for addresses of the web.
fn targets(text: &str) -> Vec<String> {
    let links = text.match_indices("](").filter(|(at, _)| {
        let label = text[..*at].rfind('[').unwrap_or(0);
        !text[..label].ends_with('!')
    });
    let target = |(at, _): (usize, &str)| text[at + 2..].split(')').next().unwrap_or_default().to_string();
    links.map(target).filter(|target| !target.contains("://")).collect()
}

/// The names by which the headings of a page are reached.
fn anchors(page: &Path) -> BTreeSet<String> {
    let text = read(page);
    let headings = text.lines().filter(|line| line.starts_with('#'));
    let anchor = |heading: &str| {
        let words = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = words.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    headings.map(anchor).collect()
}
