//! `tfc bench --paced`: the work whenever somebody asks for it, who times another program in between.
//!
//! What a machine can do changes by the second, where others have a part of it: two programs that are alive at once, and do one repetition in turns, meet the
//! same of it.

use crate::arguments::Bench;
use crate::console::Console;
use crate::session::Device;
use crate::stop::Outcome;
use crate::workload::Workload;
use tfc_runtime::bench::repeat_when_asked;
use tfc_runtime::{Failure, Kind};

/// A line of the standard input asks, whatever it says; a line of the standard output answers, in seconds.
pub fn run(command: &Bench, device: &Device, console: &Console) -> Outcome {
    let (workload, mut session, _) = Workload::open(&command.work, device, console)?;
    let session = &mut *session;
    let mut work = workload.work(session)?;
    let mut lines = std::io::stdin().lines();
    let mut asked = || match lines.next() {
        None => Ok(false),
        Some(Ok(_)) => Ok(true),
        Some(Err(error)) => Err(Failure::new(Kind::Machine, format!("cannot read from the standard input: {error}"))),
    };
    let mut told = |seconds: f64| console.print(&format!("{seconds}\n"));
    Ok(repeat_when_asked(&mut work, session, &mut asked, &mut told)?)
}
