//! What goes to the terminal: results to stdout, everything else to stderr.

use crate::arguments::{Arguments, Color};
use std::io::{IsTerminal, Write};
use tfc_grammar::{Diagnostic, Sources};
use tfc_runtime::{Failure, Kind, Result};

pub struct Console {
    color: bool,
    quiet: bool,
    verbose: bool,
}

impl Console {
    pub fn new(arguments: &Arguments) -> Console {
        let color = match arguments.color {
            Color::Auto => std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none(),
            Color::Always => true,
            Color::Never => false,
        };
        Console { color, quiet: arguments.quiet, verbose: arguments.verbose }
    }

    /// Whether a progress bar makes sense: a person is watching.
    pub fn is_watched(&self) -> bool {
        !self.quiet && std::io::stderr().is_terminal()
    }

    pub fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// A result, to stdout, without a line end of its own. A reader that went away (`| head`) ends the command quietly.
    pub fn print(&self, text: &str) -> Result<()> {
        let mut out = std::io::stdout().lock();
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
            Err(error) => Err(Failure::new(Kind::Machine, format!("cannot write to the standard output: {error}"))),
        }
    }

    /// What a command is doing; silent with -q.
    pub fn say(&self, text: &str) {
        if !self.quiet {
            to_stderr(text);
        }
    }

    /// Details; only with -v.
    pub fn detail(&self, text: &str) {
        if self.verbose {
            to_stderr(text);
        }
    }

    pub fn error(&self, message: &str) {
        let label = if self.color { "\u{1b}[1;31merror\u{1b}[0m" } else { "error" };
        to_stderr(&format!("{label}: {message}"));
    }

    pub fn diagnostics(&self, sources: &Sources, diagnostics: &[Diagnostic]) {
        let color = if self.color { tfc_grammar::Color::Always } else { tfc_grammar::Color::Never };
        if !diagnostics.is_empty() {
            to_stderr(&tfc_grammar::render_all(sources, diagnostics, color));
        }
    }
}

/// A line for whoever reads along. That nobody does is no reason to stop: a training goes on behind `2>&1 | head`.
pub fn to_stderr(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
