//! What is wrong outside is said in one sentence, with the documented exit code, and nothing is lost.

use super::{SPEC, Workplace, checkpoint_bytes};
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use tfc_runtime::device::{HostTensor, write_named};

#[test]
fn files_that_are_missing_or_no_specs() {
    let workplace = Workplace::new();
    let said = workplace.fail(1, &["check", "nowhere.tfm"]);
    assert_eq!(said, "error[E0204]: cannot read `nowhere.tfm`: there is no such file or folder; check the path\n\n");
    let said = workplace.fail(1, &["check", "/dev/zero"]);
    assert_eq!(said, "error[E0204]: cannot read `/dev/zero`: it is larger than 16 MiB, and no spec\n\n");
    for (name, text) in [("empty.tfm", ""), ("library.tfm", "layer twice(x) {\n  x + x\n}\n")] {
        workplace.write(name, text.as_bytes());
        let said = workplace.fail(1, &["check", name]);
        let way_out = "add `model NAME { … }`, or name the file that uses this one";
        assert_eq!(said, format!("error: `{name}` describes no model; {way_out}\n"));
    }
    workplace.write("latin.tfm", b"model caf\xe9 {}");
    let said = workplace.fail(1, &["check", "latin.tfm"]);
    assert!(said.contains("UTF-8"), "{said}");
    workplace.fail(2, &["check"]);
    workplace.fail(2, &["frobnicate"]);
}

#[test]
fn data_that_cannot_be_trained_on() {
    let empty = Workplace::with_spec(&SPEC.replace("\"text\"", "\"empty.txt\""));
    empty.write("empty.txt", b"");
    let said = empty.fail(1, &["train", "tiny.tfm", "--out", "run"]);
    assert!(said.contains("empty.txt"), "{said}");

    let short = Workplace::with_spec(&SPEC.replace("\"text\"", "\"short.txt\""));
    short.write("short.txt", b"too short");
    let said = short.fail(1, &["train", "tiny.tfm", "--out", "run"]);
    assert!(said.contains("short.txt") && said.contains("context"), "{said}");

    let latin = Workplace::with_spec(&SPEC.replace("\"text\"", "\"latin.txt\""));
    latin.write("latin.txt", &b"caf\xe9 ".repeat(100));
    let said = latin.fail(1, &["train", "tiny.tfm", "--out", "run"]);
    assert!(said.contains("latin.txt") && said.contains("UTF-8"), "{said}");

    let missing = Workplace::with_spec(&SPEC.replace("\"text\"", "\"nowhere\""));
    let said = missing.fail(1, &["train", "tiny.tfm", "--out", "run"]);
    assert!(said.contains("nowhere"), "{said}");
}

#[test]
fn a_run_that_could_not_start_is_no_run() {
    let workplace = Workplace::with_spec(&SPEC.replace("\"text\"", "\"later\""));
    workplace.fail(1, &["train", "tiny.tfm", "--out", "run"]);
    workplace.fail(1, &["train", "tiny.tfm", "--out", "run", "--threads", "0"]);
    workplace.write("later", &b"now there is something to learn. ".repeat(40));
    workplace.succeed(&["train", "tiny.tfm", "--out", "run", "--steps", "2"]);
    workplace.fail(1, &["train", "tiny.tfm", "--out", "run", "--steps", "2"]);
    let said = workplace.fail(1, &["eval", "run", "--threads", "99999"]);
    assert_eq!(said, "error: no processor has use for 99999 threads; use --threads 1024 or fewer\n");
}

/// Whoever read along is gone after the first line.
#[test]
fn a_training_nobody_reads_along_goes_on() {
    let workplace = Workplace::new();
    let mut child = workplace.command(&["train", "tiny.tfm", "--out", "run"]).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stderr.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(workplace.path("run/checkpoints/step-40").exists());
}

#[test]
fn checkpoints_that_are_broken_or_another_models() {
    let workplace = Workplace::new();
    workplace.succeed(&["train", "tiny.tfm", "--steps", "5", "--out", "run"]);
    let model = workplace.read("run/checkpoints/step-5/model.safetensors");

    workplace.write("run/checkpoints/step-5/model.safetensors", &model[..model.len() / 2]);
    let said = workplace.fail(1, &["generate", "run", "--prompt", "x"]);
    assert!(said.contains("truncated"), "{said}");
    workplace.write("run/checkpoints/step-5/model.safetensors", b"GIF89a, not a tensor in sight");
    let said = workplace.fail(1, &["eval", "run"]);
    assert!(said.contains("model.safetensors"), "{said}");
    workplace.write("run/checkpoints/step-5/model.safetensors", &model);

    // A tokenizer whose ids would be looked up beyond the embedding.
    workplace.succeed(&["data", "text", "--tokenizer", "bpe:300", "-o", "larger"]);
    let own = workplace.read("run/checkpoints/step-5/tokenizer.json");
    workplace.write("run/checkpoints/step-5/tokenizer.json", &workplace.read("larger/tokenizer.json"));
    let said = workplace.fail(1, &["generate", "run", "--prompt", "quick brown fox"]);
    let what = "has 300 entries, the model knows only 256; copy the one it was trained with there";
    assert!(said.contains(what), "{said}");
    workplace.write("run/checkpoints/step-5/tokenizer.json", &own);

    workplace.write("other.tfm", SPEC.replace("let width = 16", "let width = 8").as_bytes());
    let said = workplace.fail(1, &["train", "other.tfm", "--out", "run", "--resume"]);
    assert!(said.contains("another model") && said.contains("`e.weight` is [256, 8]"), "{said}");
    let said = workplace.fail(1, &["train", "tiny.tfm", "--out", "run"]);
    assert!(said.contains("--resume"), "{said}");

    // A diagnostic names the file that is there.
    workplace.write("run/model.tfm", b"model nothing {");
    for checkpoint in ["run", "run/checkpoints/step-5"] {
        let said = workplace.fail(1, &["eval", checkpoint]);
        assert!(said.contains("--> run/model.tfm:1:"), "{said}");
    }
}

#[test]
fn a_loss_that_is_not_finite_stops_the_run_and_keeps_the_last_good_checkpoint() {
    let workplace = Workplace::new();
    workplace.succeed(&["train", "tiny.tfm", "--steps", "5", "--out", "run"]);
    let good = checkpoint_bytes(&workplace.path("run/checkpoints/step-5"));
    let arguments =
        ["train", "tiny.tfm", "--out", "run", "--resume", "--accept-changes", "--set", "train.optimizer.lr=1e38"];
    let said = workplace.fail(1, &arguments);
    assert!(said.contains("step") && said.contains("step-5"), "{said}");
    // But for the change, which its state notes.
    let kept = checkpoint_bytes(&workplace.path("run/checkpoints/step-5"));
    assert!(good[..2] == kept[..2] && String::from_utf8_lossy(&kept[2]).contains("lr = 100000"));
}

/// A process that may write no file larger than a few kilobytes fails as on a full disk, in the middle of a file.
#[test]
fn a_disk_that_is_full_loses_nothing() {
    let workplace = Workplace::new();
    workplace.succeed(&["train", "tiny.tfm", "--steps", "5", "--out", "run"]);
    let good = checkpoint_bytes(&workplace.path("run/checkpoints/step-5"));
    let script =
        format!("trap '' XFSZ; ulimit -f 8; exec {} train tiny.tfm --out run --resume", env!("CARGO_BIN_EXE_tfc"));
    let output = std::process::Command::new("sh")
        .args(["-c", &script])
        .current_dir(workplace.folder.path())
        .env("TFC_CACHE", super::CODE)
        .output()
        .expect("the shell starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(good == checkpoint_bytes(&workplace.path("run/checkpoints/step-5")));
    workplace.succeed(&["train", "tiny.tfm", "--out", "run", "--resume"]);
}

/// One sentence, whoever writes the file.
#[test]
fn an_export_to_a_full_disk_says_so_once() {
    let spec =
        SPEC.replace("pattention(qkv)", "pattention(proj)").replace("tokens ffn", "tokens proj = qkv\n  tokens ffn");
    let workplace = Workplace::with_spec(&spec);
    workplace.succeed(&["train", "tiny.tfm", "--steps", "5", "--out", "run"]);
    for like in ["neox", "hf"] {
        let script =
            format!("trap '' XFSZ; ulimit -f 8; exec {} export run --like {like} -o out", env!("CARGO_BIN_EXE_tfc"));
        let output =
            std::process::Command::new("sh").args(["-c", &script]).current_dir(workplace.folder.path()).output();
        let done = super::Done::of(output.expect("the shell starts"));
        assert_eq!(done.code, Some(3), "{}", done.stderr);
        assert!(
            done.stderr.starts_with("error: cannot write `out`: ") && done.stderr.lines().count() == 1,
            "{}",
            done.stderr
        );
        let left = |name: &str| workplace.path(name).exists();
        assert!(!left("out") && !left(".out.partial"));
    }
}

#[test]
fn inputs_of_run_that_do_not_fit() {
    let workplace = Workplace::new();
    workplace.succeed(&["train", "tiny.tfm", "--steps", "1", "--out", "run"]);
    let weights = "run/checkpoints/step-1/model.safetensors";
    workplace.write("bad.safetensors", b"nothing");
    let common = ["run", "tiny.tfm", "--weights", weights, "-o", "out.safetensors"];
    let said = workplace.fail(1, &[&common[..], &["--entry", "logits", "--inputs", "bad.safetensors"]].concat());
    assert!(said.contains("bad.safetensors"), "{said}");
    for (shape, what) in [
        (vec![0, 5], "`ids` is an empty batch: its shape is [0, 5]"),
        (vec![5], "`ids` must have the shape [batch, sequence]; it has [5]"),
    ] {
        let ids = HostTensor::I32 { data: vec![0; shape.iter().product()], shape };
        write_named(&workplace.path("ids.safetensors"), &[("ids".to_string(), ids)]).expect("there is room");
        let inputs = [&common[..], &["--entry", "logits", "--inputs", "ids.safetensors"]].concat();
        assert_eq!(workplace.fail(1, &inputs), format!("error: {what}\n"));
    }
    let twice = [&common[..], &["--entry", "loss,loss", "--inputs", "ids.safetensors"]].concat();
    assert_eq!(workplace.fail(1, &twice), "error: the entry `loss` is asked for twice; ask once\n");
    let said = workplace.fail(1, &[&common[..], &["--entry", "logit", "--inputs", weights]].concat());
    let has = "it has e, y, h, logits, loss, grad";
    assert_eq!(said, format!("error: the model has no entry `logit`; did you mean `logits`? {has}\n"));
    let said = workplace.fail(1, &[&common[..], &["--entry", "logits,grad", "--inputs", weights]].concat());
    assert_eq!(said, "error: `grad` is an entry of its own; ask for the others without it\n");
    let said = workplace.fail(1, &[&common[..], &["--entry", "logits", "--inputs", weights]].concat());
    assert!(said.contains("`ids`") && said.contains("missing"), "{said}");
}

/// Labels that the logits have no column for: a table of positions taken for that of the ids, and a class that is none.
#[test]
fn labels_without_logits() {
    let workplace = Workplace::with_spec(&SPEC.replace("tied = e)", "16)"));
    let said = workplace.fail(1, &["train", "tiny.tfm", "--out", "run"]);
    assert!(said.starts_with("error[E0701]: the tokenizer makes 256 ids and the logits have 16 columns\n"), "{said}");
    workplace.write(
        "classes.tfm",
        b"model classes {\n  forward(x: [2], label: class[3]) {\n    logits = linear(x, 3)\n  }\n  loss = cross_entropy(logits, label)\n}\n",
    );
    let numbers = |numbers: &[f32]| numbers.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<_>>();
    let header = r#"{"logits.weight":{"dtype":"F32","shape":[3,2],"data_offsets":[0,24]},"x":{"dtype":"F32","shape":[1,2],"data_offsets":[24,32]},"label":{"dtype":"I32","shape":[1],"data_offsets":[32,36]}}"#;
    let file = |label: i32| {
        let length = (header.len() as u64).to_le_bytes();
        [&length[..], header.as_bytes(), &numbers(&[0.0; 8]), &label.to_le_bytes()].concat()
    };
    for label in [-1, 3] {
        workplace.write("x.safetensors", &file(label));
        let arguments = ["--weights", "x.safetensors", "--inputs", "x.safetensors", "-o", "out.safetensors"];
        let said = workplace.fail(1, &[&["run", "classes.tfm", "--entry", "loss"], &arguments[..]].concat());
        assert_eq!(said, format!("error: `label` holds the label {label}; labels are 0 to 2\n"));
    }
}

/// A file system may hold names that are no text, and so may the folder that a spec's own paths begin with.
#[test]
#[cfg(target_os = "linux")]
fn names_of_specs_that_are_not_utf_8() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let workplace = Workplace::new();
    let folder = workplace.folder.path().join(OsStr::from_bytes(b"caf\xe9"));
    std::fs::create_dir_all(folder.join("lib")).expect("the folder can be made");
    std::fs::write(folder.join("lib/sizes.tfm"), "let width = 16\n").expect("the file can be written");
    let spec = SPEC.replace("  let width = 16\n", "");
    let name = OsStr::from_bytes(b"na\xefve.tfm");
    std::fs::write(folder.join(name), format!("use \"./lib/sizes.tfm\"\n\n{spec}")).expect("the file can be written");
    let path = std::path::Path::new(".").join(folder.file_name().expect("it has one")).join(name);
    let run = |arguments: &[&OsStr]| {
        let output = workplace.command(&[]).args(arguments).output().expect("the command starts");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let arguments = ["train", "--out", "run", "--steps", "1", "-q"].map(OsStr::new);
    assert_eq!(run(&[&arguments[..], &[path.as_os_str()]].concat()), (Some(0), String::new()));
    assert!(workplace.path("run/checkpoints/step-1").exists());
    let missing = folder.join("none.tfm");
    let (code, said) = run(&[OsStr::new("check"), missing.as_os_str()]);
    assert_eq!(code, Some(1));
    assert!(said.contains("caf\u{fffd}/none.tfm`: there is no such file or folder"), "{said}");
}

/// Nobody waits for a step that ends after years.
#[test]
fn a_step_that_takes_years_is_refused() {
    let workplace = Workplace::new();
    let said = workplace.fail(1, &["train", "tiny.tfm", "--out", "run", "--set", "train.batch=1e12"]);
    let start = "error: a step of stage \"small\" takes at least ";
    let end = " days, at all that the device can do; use a smaller `batch`\n";
    assert!(said.starts_with(start) && said.ends_with(end), "{said}");
    assert!(!workplace.path("run").exists());
    let said = workplace.fail(1, &["check", "tiny.tfm", "--set", "train.batch=9007199254740992"]);
    assert!(said.contains("9007199254740992 sequences of 16 tokens are more than 2^53"), "{said}");
}

/// Said before the training, not when it is to generate.
#[test]
fn an_end_of_documents_is_one_token() {
    let joined = "tokenizer = bytes\n  documents = join(end = \"<|endoftext|>\")";
    let workplace = Workplace::with_spec(&SPEC.replace("tokenizer = bytes", joined));
    let said = workplace.fail(1, &["train", "tiny.tfm", "--out", "run"]);
    let what = "the end of documents `<|endoftext|>` is 13 tokens of the tokenizer; name a single one";
    assert_eq!(said, format!("error: {what}\n"));
}

/// What a loss may see of a text is not there when it is continued.
#[test]
fn a_model_that_looks_ahead_is_trained_and_does_not_generate() {
    let workplace =
        Workplace::with_spec(&SPEC.replace("repeat(2, block, e)", "repeat(2, block, e + mean(e, axis = 1, keep))"));
    workplace.succeed(&["train", "tiny.tfm", "--out", "run", "--steps", "1"]);
    let said = workplace.fail(1, &["generate", "run", "--prompt", "The"]);
    let why = "positions meet outside of causal attention, and when a text is continued only the new ones are there";
    let place = "`mean(e, axis = 1, keep)`, in line 24 of the spec";
    assert_eq!(said, format!("error: this model generates nothing: {why}: {place}\n"));
}
