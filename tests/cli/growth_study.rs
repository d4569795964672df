//! The script of the growth study that collects what its runs came to.

use super::{CODE, Done, Workplace};
use std::process::Command;

#[test]
fn finished_runs_are_collected() {
    let workplace = Workplace::new();
    for (name, seed) in [("large", 1), ("large", 2), ("small", 1), ("grown", 1), ("grown", 2)] {
        let run = format!("runs/{name}-s{seed}");
        workplace.succeed(&[
            "train",
            "tiny.tfm",
            "--steps",
            "10",
            "--set",
            &format!("train.seed={seed}"),
            "--out",
            &run,
        ]);
        if run != "runs/grown-s2" {
            workplace.write(&format!("{run}/finished"), b"");
        }
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/growth-study/collect.sh");
    let mut command = Command::new(script);
    command.env("TFC", env!("CARGO_BIN_EXE_tfc")).env("TFC_CACHE", CODE);
    command.env("RUNS", workplace.path("runs")).env("OUT", workplace.path(""));
    let done = Done::of(command.output().expect("the script starts"));
    assert_eq!(done.code, Some(0), "{}", done.stderr);

    let rows = done.stdout.lines().skip(1).map(|line| line.split_whitespace().take(2).collect::<Vec<_>>());
    assert_eq!(rows.collect::<Vec<_>>(), [["large", "2"], ["small", "1"], ["grown", "1"]], "{}", done.stdout);
    for picture in ["comparison.svg", "small.svg"] {
        assert!(String::from_utf8_lossy(&workplace.read(picture)).contains("<svg"), "{picture}");
    }
}
