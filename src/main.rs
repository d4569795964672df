//! The command line: reads arguments, calls the libraries, prints. All the thinking is elsewhere.
//!
//! Exit codes: 0 fine; 1 the user's mistake, explained on stderr; 2 wrong usage (clap's); 3 the machine's: no memory, a full disk, a
//! missing library. A panic exits with 101 and is a bug of ours.

mod arguments;
mod assembler;
mod checkpoint;
mod commands;
mod console;
#[cfg(test)]
mod documented;
mod interrupt;
mod kernels;
mod memory;
mod meter;
mod output;
mod patience;
mod progress;
mod run_folder;
mod serve;
mod session;
mod shell;
mod spec;
mod stage;
mod stop;
mod target;
mod tuned;
mod workload;

use arguments::{Arguments, Command};
use clap::Parser;
use console::Console;
use std::process::ExitCode;
use stop::Stop;

fn main() -> ExitCode {
    report_panics_as_bugs();
    let arguments = Arguments::parse();
    let console = Console::new(&arguments);
    let outcome = match &arguments.command {
        Command::Check(command) => commands::check::run(command, &console),
        Command::Fmt(command) => commands::fmt::run(command, &console),
        Command::Compile(command) => commands::compile::run(command, &console),
        Command::Train(command) => commands::train::run(command, &console),
        Command::Compare(command) => commands::compare::run(command, &console),
        Command::Grow(command) => commands::grow::run(command, &console),
        Command::Import(command) => commands::import::run(command, &console),
        Command::Export(command) => commands::export::run(command, &console),
        Command::Run(command) => commands::run::run(command, &console),
        Command::Eval(command) => commands::eval::run(command, &console),
        Command::Generate(command) => commands::generate::run(command, &console),
        Command::Serve(command) => commands::serve::run(command, &console),
        Command::Inspect(command) => commands::inspect::run(command, &console),
        Command::Data(command) => commands::data::run(command, &console),
        Command::Bench(command) => commands::bench::run(command, &console),
        Command::Explain(command) => commands::explain::run(command, &console),
        Command::Doctor(command) => commands::doctor::run(command, &console),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(Stop::Explained) => ExitCode::from(1),
        Err(Stop::Failure(failure)) => {
            console.error(&failure.message);
            ExitCode::from(failure.kind.exit_code())
        }
    }
}

/// A panic is a bug of tfc's, and says so after its own words.
fn report_panics_as_bugs() {
    let default = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        default(panic);
        let version = env!("CARGO_PKG_VERSION");
        console::to_stderr(&format!(
            "\nThis is a bug in tfc {version}. Please report it with the command, the .tfm file and the lines above."
        ));
    }));
}
