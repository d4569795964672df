//! A run that is stopped and goes on is, to the bit, the run that never stopped.

use super::{SPEC, Workplace, checkpoint_bytes};
use std::io::{BufRead, BufReader};
use std::process::Stdio;

const LAST: &str = "checkpoints/step-40";

#[test]
fn killed_at_any_step_and_resumed_is_not_having_stopped() {
    let workplace = Workplace::new();
    workplace.succeed(&["train", "tiny.tfm", "--out", "whole"]);
    let whole = checkpoint_bytes(&workplace.path("whole").join(LAST));
    // Before the growth, right after it, and later; the process says every tenth step when it has done it.
    for line in ["step     10", "step     20", "step     30"] {
        let out = format!("killed-{}", line.trim_start_matches(|c: char| !c.is_ascii_digit()));
        kill_at(&workplace, &out, line);
        workplace.succeed(&["train", "tiny.tfm", "--out", &out, "--resume"]);
        let resumed = checkpoint_bytes(&workplace.path(&out).join(LAST));
        assert!(whole == resumed, "killed at `{line}`: the resumed run ends in other bits");
        assert_eq!(losses(&workplace, "whole"), losses(&workplace, &out), "killed at `{line}`: other metrics");
    }
}

#[test]
fn stopping_by_steps_and_resuming_with_other_threads_changes_no_bit() {
    let workplace = Workplace::new();
    workplace.succeed(&["train", "tiny.tfm", "--out", "whole", "--threads", "1"]);
    for steps in ["7", "20", "21", "33"] {
        let out = format!("stopped-{steps}");
        workplace.succeed(&["train", "tiny.tfm", "--out", &out, "--steps", steps, "--threads", "2"]);
        workplace.succeed(&["train", "tiny.tfm", "--out", &out, "--resume", "--threads", "2"]);
        let (a, b) = (workplace.path("whole").join(LAST), workplace.path(&out).join(LAST));
        assert!(checkpoint_bytes(&a) == checkpoint_bytes(&b), "stopped at {steps}: other bits");
    }
}

/// Starts a training and kills it as soon as it prints a line that begins so.
fn kill_at(workplace: &Workplace, out: &str, beginning: &str) {
    let mut child = workplace
        .command(&["train", "tiny.tfm", "--out", out])
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("the command starts");
    let lines = BufReader::new(child.stderr.take().expect("it was piped")).lines();
    let seen = lines.map_while(Result::ok).any(|line| line.starts_with(beginning));
    assert!(seen, "the run never said `{beginning}`");
    child.kill().expect("the process can be killed");
    child.wait().expect("the process ends");
}

/// Every loss of the metrics, as printed.
fn losses(workplace: &Workplace, run: &str) -> Vec<String> {
    let text = String::from_utf8(workplace.read(&format!("{run}/metrics.jsonl"))).expect("UTF-8");
    let loss = |line: &str| {
        let entry: serde_json::Value = serde_json::from_str(line).expect("a line of JSON");
        format!("{} {} {}", entry["event"], entry["step"], entry["values"]["loss"])
    };
    text.lines().map(loss).collect()
}

/// Nothing is cut off where nothing goes on; a change that is taken is noted, even by a run that ends right away; metrics may come and go.
#[test]
fn what_changes_is_noted_before_anything_else() {
    let workplace = Workplace::new();
    workplace.succeed(&["train", "tiny.tfm", "--out", "run", "--steps", "10"]);
    let metrics = "run/metrics.jsonl";
    let further = [
        &workplace.read(metrics)[..],
        b"{\"event\":\"train\",\"step\":11,\"tokens\":1,\"flops\":1.0,\"stage\":\"small\",\"values\":{}}\n",
    ]
    .concat();
    workplace.write(metrics, &further);
    let resume = ["train", "tiny.tfm", "--out", "run", "--resume"];
    let faster = [&resume[..], &["--set", "train.optimizer.lr=1e-3"]].concat();
    assert!(workplace.fail(1, &faster).contains("add `--accept-changes`"));
    assert_eq!(workplace.read(metrics), further);

    std::fs::rename(workplace.path("text"), workplace.path("elsewhere")).expect("the data can be moved");
    workplace.fail(1, &[&faster[..], &["--accept-changes"]].concat());
    std::fs::rename(workplace.path("elsewhere"), workplace.path("text")).expect("and back");
    workplace.succeed(&faster);
    let state = String::from_utf8(workplace.read("run/checkpoints/step-40/state.json")).expect("UTF-8");
    let state: serde_json::Value = serde_json::from_str(&state).expect("JSON");
    let change = &state["changes"][0];
    assert!(
        change["step"] == 10 && change["change"].as_str().is_some_and(|text| text.contains("lr = 0.001")),
        "{change}"
    );

    let loss = "loss = cross_entropy(logits, next(ids))";
    let spec = SPEC.replace(loss, &format!("hits = accuracy(logits, next(ids))\n  {loss}"));
    workplace.write("tiny.tfm", spec.as_bytes());
    workplace.succeed(&[&faster[..], &["--set", "grow.large.steps=25"]].concat());
}

/// Stopped where one stage has ended and the next has not begun: what the first measured last stays.
#[test]
fn a_stage_that_ended_keeps_its_last_evaluation() {
    let workplace = Workplace::new();
    workplace.succeed(&["train", "tiny.tfm", "--out", "whole"]);
    workplace.succeed(&["train", "tiny.tfm", "--out", "run", "--steps", "20"]);
    workplace.succeed(&["train", "tiny.tfm", "--out", "run", "--resume"]);
    assert_eq!(losses(&workplace, "run"), losses(&workplace, "whole"));
    // A stage that becomes longer keeps what it measured at its former end, though nothing is due there.
    let longer = ["train", "tiny.tfm", "--out", "run", "--resume", "--set", "grow.large.steps=25"];
    workplace.succeed(&[&longer[..], &["--set", "train.evaluate=every(7, batches = 2)"]].concat());
    assert!(losses(&workplace, "run").starts_with(&losses(&workplace, "whole")));
}
