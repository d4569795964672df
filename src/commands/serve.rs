//! `tfc serve`: a checkpoint answers requests for completions over HTTP.

use crate::arguments::Serve;
use crate::checkpoint::Opened;
use crate::console::Console;
use crate::serve::{Answerer, Event, Job, serve};
use crate::stop::Outcome;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::panic::resume_unwind;
use std::sync::mpsc::channel;
use std::thread;
use tfc_compiler::compiled::Entry;
use tfc_compiler::optimization::Disabled;
use tfc_runtime::generate::named_logits;
use tfc_runtime::{Failure, Kind, Result};

pub fn run(command: &Serve, console: &Console) -> Outcome {
    let entries = |model: &mut tfc_compiler::model::Model| {
        let logits = named_logits(model).map(|logits| Entry::Named(vec![logits.to_string()]));
        Ok([Entry::Decode].into_iter().chain(logits).collect())
    };
    let opened = Opened::with(&command.checkpoint, &entries, &command.device, &Disabled::default(), console)?;
    let name = opened.compiled.model.name.clone();
    let mut answerer = Answerer::new(opened)?;
    let listener = listen(command.host, command.port)?;
    let place = listener.local_addr().map_err(|error| cannot("listen", &error))?;
    if !place.ip().is_loopback() {
        console.say("whoever reaches this machine can use the model: nobody is asked who they are");
    }
    console.print(&format!("http://{place}/v1\n"))?;

    let (jobs, asked) = channel::<Job>();
    let http = thread::spawn(move || serve(listener, &name, jobs));
    for Job { asked, answer } in asked {
        // Whoever does not listen any more misses nothing.
        let mut send = |piece| answer.blocking_send(Event::Piece(piece)).is_ok();
        let end = match answerer.answer(&asked, &mut send) {
            Ok(usage) => Event::Done(usage),
            Err(failure) => Event::Failed(failure),
        };
        let _ = answer.blocking_send(end);
    }
    ended(http.join())
}

/// How HTTP has ended. What its thread died of it has said.
fn ended(http: thread::Result<std::io::Result<()>>) -> Outcome {
    match http {
        Ok(served) => Ok(served.map_err(|error| cannot("serve", &error))?),
        Err(panic) => resume_unwind(panic),
    }
}

fn listen(host: IpAddr, port: u16) -> Result<TcpListener> {
    let place = SocketAddr::new(host, port);
    TcpListener::bind(place).map_err(|error| {
        let why = format!("cannot listen at {place}: {error}");
        Failure::new(Kind::Machine, format!("{why}; choose another --port"))
    })
}

fn cannot(action: &str, error: &std::io::Error) -> Failure {
    Failure::new(Kind::Machine, format!("cannot {action}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_panics_is_no_success() {
        let panicked = || thread::spawn(|| panic!("on purpose")).join();
        assert!(std::panic::catch_unwind(|| ended(panicked())).is_err());
    }
}
