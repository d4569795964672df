//! What the command line sets: `--set name=value`.

use super::Report;
use tfc_grammar::ast::{Expr, Pattern};
use tfc_grammar::{Code, Diagnostic, Sources, parse_expr, parse_pattern};

/// What to say where a value is read as names or signs that mean nothing: the shell takes the quotes that stand alone.
pub(super) const QUOTED: &str = "a text, such as a path, keeps its quotes: --set 'data.train=\"my/text\"'";

/// One `--set`, parsed; its text is a source of its own, so that errors can show it.
#[derive(Debug)]
pub(super) struct Setting {
    pub target: Pattern,
    pub value: Expr,
}

#[derive(Debug, Default)]
pub(super) struct Settings(pub Vec<Setting>);

impl Settings {
    pub fn parse(sources: &mut Sources, texts: &[String], report: &Report) -> Settings {
        let parse = |text: &String| setting(sources, text).map_err(|diagnostic| report.push(diagnostic)).ok();
        Settings(texts.iter().filter_map(parse).collect())
    }
}

fn setting(sources: &mut Sources, text: &str) -> Result<Setting, Diagnostic> {
    let Some((target, value)) = text.split_once('=') else {
        return Err(Diagnostic::new(Code::UnexpectedText, format!("`--set {text}` has no `=`"))
            .help(format!("say what it is set to: `--set {text}=VALUE`")));
    };
    let place = sources.add("--set", target.trim());
    let target = parse_pattern(sources, place)?;
    let place = sources.add("--set", value.trim());
    Ok(Setting { target, value: parse_expr(sources, place).map_err(|diagnostic| diagnostic.help(QUOTED))? })
}
