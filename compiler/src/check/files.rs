//! Which files an experiment is made of: the root, what it uses, what that uses, and the standard library.

use super::{Loader, Report};
use tfc_grammar::ast::{self, EntryKind, ItemKind};
use tfc_grammar::{Code, Diagnostic, FileId, Sources, Span, parse, parse_bytes};

/// No experiment needs more; a chain of uses that doubles at each file would otherwise have no end.
const MOST_UNITS: usize = 200;

const STD: &str = include_str!("../std.tfm");

/// One file as one `use` imports it: a file used twice, with other sizes, is two units.
#[derive(Debug)]
pub(super) struct Unit {
    pub ast: ast::File,
    /// What it uses: the statement's place and the unit.
    pub uses: Vec<(Span, usize)>,
    /// What the `use` that imports it overrides, and the unit that says so.
    pub overrides: Option<(usize, ast::Block<EntryKind>)>,
}

#[derive(Debug)]
pub(super) struct Files {
    /// The first is the standard library, the second the root.
    pub units: Vec<Unit>,
}

impl Files {
    pub const STD: usize = 0;
    pub const ROOT: usize = 1;

    /// None if there is nothing at `root`.
    pub fn load(sources: &mut Sources, root: &str, loader: &dyn Loader, report: &Report) -> Option<Files> {
        let std = sources.add("std.tfm", STD);
        let mut loading = Loading { sources, loader, report, units: Vec::new(), stack: Vec::new() };
        let (ast, errors) = parse(loading.sources, std);
        loading.unit(ast, errors, None);
        match loader.read(root) {
            Ok(bytes) => {
                let (ast, errors) = parse_bytes(loading.sources, root, &bytes);
                loading.unit(ast, errors, None);
                Some(Files { units: loading.units })
            }
            Err(reason) => {
                report.push(Diagnostic::new(Code::FileNotFound, format!("cannot read `{root}`: {reason}")));
                None
            }
        }
    }

    /// The file of the standard library: its text is not the user's fault.
    pub fn std(&self) -> FileId {
        self.units[Files::STD].ast.id
    }
}

struct Loading<'a> {
    sources: &'a mut Sources,
    loader: &'a dyn Loader,
    report: &'a Report,
    units: Vec<Unit>,
    /// The paths of the files whose uses are being followed.
    stack: Vec<String>,
}

impl Loading<'_> {
    fn unit(
        &mut self,
        ast: ast::File,
        errors: Vec<Diagnostic>,
        overrides: Option<(usize, ast::Block<EntryKind>)>,
    ) -> usize {
        self.report.extend(errors);
        let uses: Vec<(Span, ast::Use)> = ast
            .items
            .statements
            .iter()
            .filter_map(|item| match &item.kind {
                ItemKind::Use(used) => Some((item.span, used.clone())),
                ItemKind::Let(_)
                | ItemKind::Tokens(_)
                | ItemKind::Layer(_)
                | ItemKind::Model(_)
                | ItemKind::Section(_) => None,
            })
            .collect();
        let name = self.sources.name(ast.id).to_string();
        let unit = self.units.len();
        self.units.push(Unit { ast, uses: Vec::new(), overrides });
        self.stack.push(name.clone());
        for (span, used) in uses {
            if let Some(imported) = self.import(unit, &name, used) {
                self.units[unit].uses.push((span, imported));
            }
        }
        self.stack.pop();
        unit
    }

    fn import(&mut self, unit: usize, from: &str, used: ast::Use) -> Option<usize> {
        let path = beside(from, &used.path.value);
        let place = used.path.span;
        if self.stack.contains(&path) {
            let chain = self.stack.iter().chain([&path]).map(String::as_str).collect::<Vec<_>>().join(" -> ");
            let message = format!("`{}` uses itself", used.path.value);
            self.report.push(Diagnostic::new(Code::CyclicUse, message).at(place, "").note(format!("uses: {chain}")));
            return None;
        }
        if self.units.len() >= MOST_UNITS {
            let message = format!("more than {MOST_UNITS} files are used");
            self.report.error(Code::NestingTooDeep, place, message, "used here");
            return None;
        }
        match self.loader.read(&path) {
            Ok(bytes) => {
                let (ast, errors) = parse_bytes(self.sources, path, &bytes);
                Some(self.unit(ast, errors, used.overrides.map(|block| (unit, block))))
            }
            Err(reason) => {
                let message = format!("cannot read `{path}`");
                self.report.error(Code::FileNotFound, place, message, reason);
                None
            }
        }
    }
}

/// The path of a file named in another: relative to its folder, `a/../` and `./` removed.
fn beside(from: &str, path: &str) -> String {
    let folder = from.rfind('/').map_or("", |slash| &from[..=slash]);
    let whole = if path.starts_with('/') { path.to_string() } else { format!("{folder}{path}") };
    let mut parts: Vec<&str> = Vec::new();
    for part in whole.split('/') {
        match part {
            "." => {}
            ".." if parts.last().is_some_and(|last| !last.is_empty() && *last != "..") => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::beside;

    #[test]
    fn paths_are_relative_to_the_file_that_says_them() {
        assert_eq!(beside("specs/a.tfm", "b.tfm"), "specs/b.tfm");
        assert_eq!(beside("a.tfm", "./lib/b.tfm"), "lib/b.tfm");
        assert_eq!(beside("specs/x/a.tfm", "../b.tfm"), "specs/b.tfm");
        assert_eq!(beside("a.tfm", "../b.tfm"), "../b.tfm");
        assert_eq!(beside("../a.tfm", "../b.tfm"), "../../b.tfm");
        assert_eq!(beside("specs/a.tfm", "/lib/b.tfm"), "/lib/b.tfm");
    }
}
