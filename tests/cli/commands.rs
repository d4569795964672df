//! Each command, once, on a small model.

use super::{Done, SPEC, Workplace, checkpoint_bytes};
use std::io::Write;
use std::process::{Command, Stdio};

/// A run that has done all its stages.
fn trained() -> Workplace {
    let workplace = Workplace::new();
    workplace.succeed(&["train", "tiny.tfm", "--out", "run"]);
    workplace
}

#[test]
fn a_run_is_trained_grown_evaluated_and_talks() {
    let workplace = trained();
    for file in ["model.tfm", "metrics.jsonl", "report.html", "loss.svg", "checkpoints/step-40/tokenizer.json"] {
        assert!(workplace.path("run").join(file).exists(), "{file} is missing");
    }
    let evaluated: serde_json::Value =
        serde_json::from_str(&workplace.succeed(&["eval", "run", "--format", "json"])).expect("JSON");
    let loss = evaluated[0]["loss"].as_f64().expect("a number");
    assert!(loss < 5.0, "the model learnt nothing: {loss}");

    let arguments = ["generate", "run", "--prompt", "The quick", "--tokens", "20", "--seed", "5"];
    let text = workplace.succeed(&arguments);
    assert!(text.starts_with("The quick"), "{text}");
    assert_eq!(text, workplace.succeed(&arguments), "the same seed says the same");
    let on_one_thread = [&arguments[..], &["--threads", "1"]].concat();
    assert_eq!(text, workplace.succeed(&on_one_thread), "threads change nothing");
}

#[test]
fn what_train_suggests_can_be_typed() {
    let done = Workplace::new().run(&["train", "tiny.tfm", "--out", "my (run)"]);
    assert!(done.stderr.contains("`tfc generate 'my (run)' --prompt TEXT` lets it talk"), "{}", done.stderr);
}

#[test]
fn a_checkpoint_is_inspected_and_grown_by_hand() {
    let workplace = trained();
    let inspected: serde_json::Value =
        serde_json::from_str(&workplace.succeed(&["inspect", "run", "--format", "json"])).expect("JSON");
    let keys = inspected["parameters"].as_array().expect("a list").iter().find(|p| p["name"] == "block.1.ffn.keys");
    assert_eq!(keys.expect("is there")["shape"], serde_json::json!([24, 16]));
    let small = workplace.path("run/checkpoints/step-20");
    let small = small.to_str().expect("UTF-8");
    workplace.succeed(&["grow", small, "--stage", "large", "-o", "grown"]);
    let grown: serde_json::Value =
        serde_json::from_str(&workplace.succeed(&["inspect", "grown", "--format", "json"])).expect("JSON");
    let keys = grown["parameters"].as_array().expect("a list").iter().find(|p| p["name"] == "block.1.ffn.keys");
    assert_eq!(keys.expect("is there")["shape"], serde_json::json!([24, 16]));

    let said = workplace.fail(1, &["inspect", "grown", "--stage", "small"]);
    assert!(said.contains("`grown` is a checkpoint, which has its own stage and sizes; leave --stage"), "{said}");
    let said = workplace.fail(1, &["export", "run", "--like", "hf", "-o", "run/model.tfm"]);
    assert_eq!(said, "error: `run/model.tfm` belongs to a run; write to another file\n");

    let said = workplace.fail(1, &["grow", small, "--stage", "small", "-o", "again"]);
    assert_eq!(said, "error: the checkpoint is in stage `small` already; name a later one: `large`\n");
    let said = workplace.fail(1, &["grow", "run", "--stage", "small", "-o", "again"]);
    let way_out = "it is the spec's last; add a stage to the spec, and name that with --spec";
    let what = "the checkpoint is in stage `large`, which comes after `small`";
    assert_eq!(said, format!("error: {what}; {way_out}\n"));
}

#[test]
fn a_spec_is_checked_formatted_and_inspected() {
    let workplace = Workplace::new();
    let table = workplace.succeed(&["check", "tiny.tfm"]);
    assert!(table.contains("small") && table.contains("large") && table.contains("preserves"), "{table}");
    workplace.succeed(&["fmt", "--check", "tiny.tfm"]);
    workplace.write("untidy.tfm", SPEC.replace("  let width = 16", "let   width =16").as_bytes());
    workplace.fail(1, &["fmt", "--check", "untidy.tfm"]);
    workplace.succeed(&["fmt", "untidy.tfm"]);
    assert_eq!(workplace.read("untidy.tfm"), SPEC.as_bytes());

    let inspected: serde_json::Value =
        serde_json::from_str(&workplace.succeed(&["inspect", "tiny.tfm", "--format", "json"])).expect("JSON");
    let names: Vec<&str> =
        inspected["parameters"].as_array().expect("a list").iter().filter_map(|p| p["name"].as_str()).collect();
    assert_eq!(names[..3], ["e.weight", "block.0.attend.q.keys", "block.0.attend.q.values"]);
    let entries = inspected["entries"].as_object().expect("a table");
    for entry in ["logits", "loss", "grad"] {
        assert!(entries[entry]["inputs"].get("ids").is_some(), "{entry}");
    }
}

#[test]
fn runs_are_compared() {
    let workplace = Workplace::new();
    workplace.succeed(&[
        "train",
        "tiny.tfm",
        "--sweep",
        "train.seed=1,2",
        "--sweep",
        "width=8,16",
        "--steps",
        "12",
        "--out",
        "sweep",
    ]);
    let runs = ["tiny-width=8-s1", "tiny-width=8-s2", "tiny-width=16-s1"].map(|run| format!("sweep/{run}"));
    let arguments = ["compare", &runs[0], &runs[1], &runs[2], "--svg", "compared.svg"];
    let text = workplace.succeed(&arguments);
    assert!(text.contains("+ let width = 16"), "{text}");
    assert_eq!(text.matches(" against ").count(), 1, "runs that differ in their seeds alone do not differ: {text}");
    let seeds = |run: &str| text.lines().find(|line| line.starts_with(run)).and_then(|l| l.split_whitespace().nth(1));
    assert_eq!([seeds("tiny-width=8 "), seeds("tiny-width=16 ")], [Some("2"), Some("1")], "{text}");
    assert!(String::from_utf8_lossy(&workplace.read("compared.svg")).contains("<svg"));
    let said = workplace.fail(1, &["compare", &runs[0], &runs[0]]);
    assert_eq!(said, format!("error: `{}` is named twice; name each run once\n", runs[0]));
    // Names that tell only seeds apart may stand for more.
    std::fs::rename(workplace.path(&runs[2]), workplace.path("tiny-width=8-s3")).expect("the run is there");
    let text = workplace.succeed(&["compare", &runs[0], "tiny-width=8-s3"]);
    assert!(text.contains("tiny-width=8-s3") && !text.contains('±'), "{text}");
}

/// A sweep goes on where it was stopped, also with runs that had not begun; mistakes in a later value are found before anything is trained.
#[test]
fn a_sweep_is_resumed() {
    let workplace = Workplace::new();
    let said = workplace.fail(1, &["train", "tiny.tfm", "--sweep", "width=8,7.5", "--out", "sweep"]);
    assert!(said.contains("7.5") && !workplace.path("sweep").exists(), "{said}");
    let said = workplace.fail(1, &["train", "tiny.tfm", "--sweep", "train.seed=1,1", "--out", "sweep"]);
    assert_eq!(said, "error: two runs of the sweep would be `sweep/tiny-s1`; name each value once\n");

    let sweep = ["train", "tiny.tfm", "--sweep", "train.seed=1,2", "--steps", "2", "--out", "sweep"];
    workplace.succeed(&sweep);
    std::fs::remove_dir_all(workplace.path("sweep/tiny-s2")).expect("the run is there");
    let resumed = [&sweep[..], &["--resume"]].concat();
    workplace.succeed(&resumed);
    assert!(workplace.path("sweep/tiny-s2/checkpoints/step-2").exists());
}

#[test]
fn text_becomes_token_files_with_a_trained_tokenizer() {
    let workplace = Workplace::new();
    let text = workplace.succeed(&["data", "text", "--tokenizer", "bpe:300", "-o", "tokens"]);
    assert!(text.contains("20 documents"), "{text}");
    let spec = SPEC
        .replace("train = \"text\"", "train = \"tokens\"")
        .replace("tokenizer = bytes", "tokenizer = \"tokens/tokenizer.json\"");
    workplace.write("bpe.tfm", spec.replace("let vocab = 256", "let vocab = 300").as_bytes());
    workplace.succeed(&["train", "bpe.tfm", "--steps", "3", "--out", "run"]);

    let again = workplace.fail(1, &["data", "text", "--tokenizer", "bpe:400", "-o", "tokens"]);
    let message = "error: cannot create `tokens/data.tokens`: it already exists; remove it or choose another name\n";
    assert_eq!(again, message);
}

#[test]
fn an_update_is_the_same_on_the_reference_device_up_to_rounding() {
    let workplace = Workplace::new();
    for device in ["cpu", "reference"] {
        workplace.succeed(&["train", "tiny.tfm", "--steps", "3", "--out", device, "--device", device]);
    }
    let losses = |run: &str| -> Vec<f64> {
        let text = String::from_utf8(workplace.read(&format!("{run}/metrics.jsonl"))).expect("UTF-8");
        let entries = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"));
        entries.filter(|e| e["event"] == "train").filter_map(|e| e["values"]["loss"].as_f64()).collect()
    };
    let (cpu, reference) = (losses("cpu"), losses("reference"));
    assert_eq!(cpu.len(), 3);
    for (a, b) in cpu.iter().zip(&reference) {
        assert!((a - b).abs() < 1e-5, "{a} on the CPU, {b} on the reference device");
    }
}

/// Attention and learned positions that start anew at each document, in one stage of two; both devices see the same losses.
#[test]
fn documents_are_kept_apart() {
    let spec = SPEC
        .replace("y = repeat(2, block, e)", "p = positions(e, length = context)\n    y = repeat(2, block, p)")
        .replace("qkv = 12  steps = 20", "qkv = 12  steps = 20  documents = separate");
    let workplace = Workplace::with_spec(&spec);
    for i in 0..30 {
        workplace.write(&format!("text/short-{i}.txt"), format!("{i}!").as_bytes());
    }
    let losses = |device: &str| {
        workplace.succeed(&["train", "tiny.tfm", "--steps", "24", "--out", device, "--device", device]);
        let text = String::from_utf8(workplace.read(&format!("{device}/metrics.jsonl"))).expect("UTF-8");
        let loss =
            |line: &str| serde_json::from_str::<serde_json::Value>(line).expect("JSON")["values"]["loss"].as_f64();
        text.lines().filter_map(loss).collect::<Vec<f64>>()
    };
    let [cpu, reference] = ["cpu", "reference"].map(losses);
    assert_eq!(cpu.len(), reference.len());
    assert!(cpu.iter().zip(&reference).all(|(a, b)| (a - b).abs() < 1e-3), "{cpu:?}\n{reference:?}");
    workplace.succeed(&["train", "tiny.tfm", "--out", "cpu", "--resume"]);
    workplace.succeed(&["eval", "cpu"]);
    workplace.succeed(&["generate", "cpu", "--prompt", "The quick", "--tokens", "30"]);
    for what in ["train", "forward"] {
        workplace.succeed(&["bench", "tiny.tfm", "--what", what, "--repetitions", "1"]);
    }
}

#[test]
fn all_work_is_timed_without_data() {
    let workplace = Workplace::new();
    std::fs::remove_dir_all(workplace.path("text")).expect("the text goes");
    for (what, tokens) in [("train", "batch"), ("forward", "batch"), ("decode", "bandwidth")] {
        let arguments = ["bench", "tiny.tfm", "--what", what, "--repetitions", "3", "--format", "json"];
        let measured: serde_json::Value = serde_json::from_str(&workplace.succeed(&arguments)).expect("JSON");
        for number in ["tokens_per_s", "gflops", "fraction_of_peak", "compile_seconds"] {
            assert!(measured[number].as_f64().is_some_and(|number| number > 0.0), "{what}: {number}: {measured}");
        }
        assert!(measured["seconds"]["repetitions"].as_u64().is_some_and(|count| count >= 3), "{measured}");
        assert!(!measured[tokens].is_null(), "{measured}");
    }
    let message = workplace.fail(1, &["bench", "tiny.tfm", "--what", "decode", "--batch", "2"]);
    assert!(message.contains("one text"), "{message}");
}

/// One of another program's in between, or none: a line of seconds for each line, and nothing when these end.
#[test]
fn work_is_done_as_often_as_it_is_asked_for() {
    let workplace = Workplace::new();
    for lines in ["", "\n\n\n", "whatever\nit says"] {
        let mut command = workplace.command(&["bench", "tiny.tfm", "--what", "decode", "--paced"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the command starts");
        child.stdin.take().expect("it is piped").write_all(lines.as_bytes()).expect("it reads");
        let output = child.wait_with_output().expect("it ends");
        let told = String::from_utf8(output.stdout).expect("UTF-8");
        assert!(output.status.success());
        assert_eq!(told.lines().count(), lines.lines().count(), "{told}");
        assert!(told.lines().all(|line| line.parse::<f64>().is_ok_and(|seconds| seconds > 0.0)), "{told}");
    }
}

/// One that always takes half a second, one that takes a fourth of it, and one that is no program that answers.
#[test]
fn programs_are_timed_in_turns() {
    let turns = |commands: &[&str]| {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/turns.py");
        let output = Command::new(script).args(["--rounds", "3", "--rest", "0"]).args(commands).output();
        Done::of(output.expect("it starts"))
    };
    let [slow, fast] = ["0.5", "0.125"].map(|seconds| format!("sh -c 'while read line; do echo {seconds}; done'"));
    let done = turns(&[&slow, &fast]);
    let first = format!("   0.5000 s median    0.5000 s best, 1.000 times as fast as the first (1.00 to 1.00): {slow}");
    let second =
        format!("   0.1250 s median    0.1250 s best, 4.000 times as fast as the first (4.00 to 4.00): {fast}");
    assert_eq!(done.stdout, format!("{first}\n{second}\n"), "{}", done.stderr);
    let done = turns(&["true"]);
    assert_eq!((done.code, done.stderr.as_str()), (Some(1), "`true` has not answered with seconds\n"));
}

/// Nobody waits for what cannot be done before it is said.
#[test]
fn too_large_a_batch_is_said_at_once() {
    let workplace = Workplace::new();
    let said = |code, what, batch| workplace.fail(code, &["bench", "tiny.tfm", "--what", what, "--batch", batch]);
    for batch in ["0", "9007199254740993", "18446744073709551615"] {
        let usage = said(2, "forward", batch);
        assert!(usage.contains("is not in 1..=9007199254740992"), "{usage}");
    }
    let memory = said(3, "forward", "9007199254740992");
    let [start, end] = ["error: a forward pass of 9007199254740992 sequences takes ", "; use a smaller `--batch`\n"];
    assert!(memory.starts_with(start) && memory.ends_with(end), "{memory}");
    // Micro-batches fit always; time does not.
    let time = said(1, "train", "9007199254740992");
    let [start, end] =
        ["error: a repetition takes at least ", " days, at all that the device can do; use a smaller `--batch`\n"];
    assert!(time.starts_with(start) && time.ends_with(end), "{time}");
}

#[test]
fn kernels_and_memory_are_explained() {
    let workplace = Workplace::new();
    for (what, entries) in [("train", 2), ("decode", 1)] {
        let arguments = ["explain", "tiny.tfm", "--what", what, "--repetitions", "1", "--format", "json"];
        let explained: serde_json::Value = serde_json::from_str(&workplace.succeed(&arguments)).expect("JSON");
        let kernels = explained["kernels"].as_array().expect("a list");
        let sum = |number: &str| kernels.iter().filter_map(|kernel| kernel[number].as_f64()).sum::<f64>();
        assert!(sum("seconds") > 0.0 && sum("seconds") <= explained["seconds"].as_f64().expect("a number"));
        assert!(sum("flops") > 0.0 && sum("bytes") > 0.0);
        assert_eq!(explained["memory"]["arenas"].as_array().map(Vec::len), Some(entries));
    }
    let text = workplace.succeed(&["explain", "tiny.tfm", "--what", "forward", "--repetitions", "1"]);
    assert!(text.contains("attention causal") && text.contains("arena of named"), "{text}");
}

/// Without a GPU and without data; registers as ptxas counts them, if the tests have it, or as the cost model expects.
#[test]
fn a_gpu_is_predicted() {
    let workplace = Workplace::new();
    std::fs::remove_dir_all(workplace.path("text")).expect("the text goes");
    let predicted = |what: &str, further: &[&str]| -> serde_json::Value {
        let arguments = ["explain", "tiny.tfm", "--what", what, "--target", "cuda:sm_80", "--format", "json"];
        serde_json::from_str(&workplace.succeed(&[&arguments[..], further].concat())).expect("JSON")
    };
    let train = predicted("train", &[]);
    assert_eq!(train["stages"].as_array().map(Vec::len), Some(2));
    assert!(train["bytes"].as_f64() < train["unfused_bytes"].as_f64(), "{train}");
    for kernel in train["kernels"].as_array().expect("a list").iter().filter(|kernel| !kernel["kernel"].is_null()) {
        assert!(kernel["registers"].as_i64().is_some_and(|registers| registers > 0), "{kernel}");
        assert!(kernel["blocks"].as_i64().is_some_and(|blocks| blocks > 0), "{kernel}");
    }
    let (a100, h100) = (predicted("decode", &[]), predicted("decode", &["--device-name", "h100"]));
    let seconds = |predicted: &serde_json::Value| predicted["least_seconds"].as_f64().expect("a number");
    assert!(seconds(&h100) < seconds(&a100), "{a100} {h100}");
    let refused = |arguments: &[&str]| workplace.fail(1, &[&["explain", "tiny.tfm"], arguments].concat());
    assert!(refused(&["--target", "cuda", "--device-name", "rtx"]).contains("a100, h100, h200, b200"));
    assert!(refused(&["--target", "cuda:sm_90", "--device-name", "a100"]).contains("runs no code for sm_90"));
    assert!(refused(&["--target", "cpu:x86-64-v3"]).contains("only this processor can be measured"));
    assert!(refused(&["--device-name", "h100"]).contains("--target cuda"));
}

#[test]
fn a_cubin_needs_the_assembler() {
    let workplace = Workplace::new();
    let compile = ["compile", "tiny.tfm", "--target", "cuda", "--entry", "generate", "--emit", "cubin"];
    assert!(workplace.fail(1, &compile).contains("-o"));
    let to_folder = [&compile[..], &["-o", "code"]].concat();
    let with_assembler = |program: &std::path::Path| {
        Done::of(workplace.command(&to_folder).env("TFC_PTXAS", program).output().expect("the command starts"))
    };
    let missing = with_assembler("no-such-program".as_ref());
    assert_eq!(missing.code, Some(3), "{}", missing.stderr);
    assert!(missing.stderr.contains("`pip install nvidia-cuda-nvcc`"), "{}", missing.stderr);
    let done = with_assembler(&crate::cuda::assembler());
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    assert!(workplace.read("code/kernels.cubin").starts_with(b"\x7fELF"));
}

/// A step of training on the CPU, up to rounding: losses near 5 in f32.
#[test]
fn an_optimization_that_is_switched_off_changes_nothing_but_speed() {
    let workplace = Workplace::new();
    let losses = |disable: &[&str]| -> Vec<f64> {
        let out = format!("run{}", disable.join("-"));
        let arguments = ["train", "tiny.tfm", "--steps", "2", "--out", &out];
        let disable = disable.iter().flat_map(|name| ["--disable", name]);
        workplace.succeed(&arguments.into_iter().chain(disable).collect::<Vec<_>>());
        let text = String::from_utf8(workplace.read(&format!("{out}/metrics.jsonl"))).expect("UTF-8");
        let entries = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"));
        entries.filter(|e| e["event"] == "train").filter_map(|e| e["values"]["loss"].as_f64()).collect()
    };
    let whole = losses(&[]);
    assert_eq!(whole.len(), 2);
    for disable in
        [&["epilogues", "prologues", "groups", "takeover"][..], &["recomputation"], &["vocabulary", "simplify"]]
    {
        for (a, b) in whole.iter().zip(losses(disable)) {
            assert!((a - b).abs() < 1e-5, "{a}, but {b} without {disable:?}");
        }
    }
    let message = workplace.fail(1, &["compile", "tiny.tfm", "--disable", "expand"]);
    assert!(message.contains("cannot be left out"), "{message}");
}

/// The gradient of a vocabulary's logits, along 50,304 classes.
#[test]
fn long_products_are_done_in_segments_where_threads_share_panels() {
    let workplace = Workplace::new();
    let spec = concat!(env!("CARGO_MANIFEST_DIR"), "/specs/bench-small124.tfm");
    let segments = |more: &[&str]| {
        let in_bf16 = ["compile", spec, "--emit", "plan", "--set", "train.precision=bf16"];
        let plan = workplace.succeed(&[&in_bf16, more].concat());
        plan.matches(", chunk_rows, 768, 1536, ").count()
    };
    assert_eq!(segments(&[]), 32);
    assert_eq!([segments(&["--disable", "segments"]), segments(&["--target", "cuda"])], [0; 2]);
}

#[test]
fn code_for_a_gpu_is_printed_and_written() {
    let workplace = Workplace::new();
    let said = workplace.fail(1, &["compile", "tiny.tfm", "--target", "cuda:sm_75", "--emit", "ptx"]);
    assert_eq!(
        said,
        "error: `cuda:sm_75` is no target; there is `cpu`, which is this machine, `cpu:x86-64-v3`, `cpu:x86-64-v4`, `cpu:sapphirerapids`, `cpu:aarch64`, \
         `cuda`, which is sm_80, `cuda:sm_80`, `cuda:sm_90`, `cuda:sm_100`\n"
    );
    let said = workplace.fail(1, &["compile", "tiny.tfm", "--emit", "ptx"]);
    assert_eq!(said, "error: the last stage of code for `cpu` is printed by `--emit asm`\n");
    let said = workplace.fail(1, &["compile", "tiny.tfm", "--target", "cuda", "--emit", "asm"]);
    assert_eq!(said, "error: the last stage of code for `cuda` is printed by `--emit ptx`\n");
    let ptx = workplace.succeed(&["compile", "tiny.tfm", "--target", "cuda:sm_90", "--emit", "ptx"]);
    assert!(ptx.contains(".target sm_90") && ptx.contains(".visible .entry kernel_0("), "{ptx}");
    workplace.succeed(&["compile", "tiny.tfm", "--target", "cuda:sm_90", "-o", "code"]);
    let written = String::from_utf8(workplace.read("code/kernels.ptx")).expect("UTF-8");
    assert!(written == ptx.trim_end_matches('\n').to_string() + "\n", "what is written is not what is printed");
}

#[test]
fn compiled_code_is_kept_for_the_next_run_where_the_environment_says() {
    let workplace = Workplace::new();
    let folder = workplace.path("code");
    let run = |folder: &std::path::Path, arguments: &[&str]| {
        let output = workplace.command(arguments).env("TFC_CACHE", folder).output().expect("the command starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let entries = || {
        let files = std::fs::read_dir(&folder).expect("the folder is made").map(|file| file.expect("it can be read"));
        files
            .map(|file| (file.file_name(), file.metadata().expect("a file").modified().expect("a time")))
            .collect::<Vec<_>>()
    };
    run(&folder, &["train", "tiny.tfm", "--steps", "1", "--out", "first"]);
    let kept = entries();
    assert_eq!(kept.len(), 1);
    run(&folder, &["train", "tiny.tfm", "--steps", "1", "--out", "second"]);
    assert_eq!(entries(), kept);
    let checkpoints =
        ["first", "second"].map(|run| checkpoint_bytes(&workplace.path(&format!("{run}/checkpoints/step-1"))));
    assert!(checkpoints[0] == checkpoints[1]);

    assert!(run(&folder, &["doctor"]).contains(&format!("kept in {}", folder.display())));
    assert!(run(std::path::Path::new(""), &["doctor"]).contains("not kept"));
}

/// Four images of 28 × 28 and their labels, in MNIST's format.
fn write_images(workplace: &Workplace, set: &str) {
    let header = |kind: u8, sizes: &[u32]| {
        [vec![0, 0, 8, kind], sizes.iter().flat_map(|size| size.to_be_bytes()).collect()].concat()
    };
    let pixels = (0..4 * 28 * 28u32).map(|i| (i * 37 % 251) as u8).collect();
    workplace.write(&format!("{set}-images-idx3-ubyte"), &[header(3, &[4, 28, 28]), pixels].concat());
    workplace.write(&format!("{set}-labels-idx1-ubyte"), &[header(1, &[4]), vec![3, 0, 9, 1]].concat());
}

#[test]
fn a_model_of_images_is_trained_and_evaluated_and_asked_for_no_text() {
    let workplace = Workplace::new();
    for set in ["data/mnist/train", "data/mnist/t10k", "others"] {
        write_images(&workplace, set);
    }
    let spec = concat!(env!("CARGO_MANIFEST_DIR"), "/specs/vision-mnist.tfm");
    let sizes = ["width=8", "heads=2", "depth=1", "patch=14", "qkv=4", "proj=4", "train.batch=4"];
    let stages =
        [r#"grow."small".steps=2"#, r#"grow."large".steps=2"#, r#"grow."large".qkv=6"#, r#"grow."large".proj=6"#];
    let small = [&sizes[..], &stages[..]].concat();
    let sets = small.iter().flat_map(|set| ["--set", set]);
    let train: Vec<&str> = ["train", spec, "--out", "run"].into_iter().chain(sets).collect();
    let done = workplace.run(&train);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    let said = done.stdout + &done.stderr;
    assert!(said.contains("report.html") && !said.contains("generate"), "{said}");
    let evaluated = workplace.succeed(&["eval", "run", "--data", "others"]);
    assert!(evaluated.contains("hits") && evaluated.contains("(4 images)"), "{evaluated}");
    assert!(evaluated.contains("rows are the truth, columns the answers:"), "{evaluated}");
    let json = workplace.succeed(&["eval", "run", "--data", "others", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let counts: Vec<Vec<u64>> = serde_json::from_value(json[0]["confusion"]["matrix"].clone()).expect("a matrix");
    let truths: Vec<u64> = counts.iter().map(|row| row.iter().sum()).collect();
    assert_eq!(truths, [1, 1, 0, 1, 0, 0, 0, 0, 0, 1], "a row for each true class");
    let right: u64 = (0..10).map(|class| counts[class][class]).sum();
    assert_eq!(json[0]["metrics"]["hits"], right as f64 / 4.0);
    let recorded: serde_json::Value = serde_json::from_slice(&workplace.read("run/confusion.json")).expect("JSON");
    assert_eq!(recorded[0]["confusion"]["images"], 4);
    let report = String::from_utf8(workplace.read("run/report.html")).expect("UTF-8");
    assert!(report.contains("rows are the truth"), "{report}");
}

/// One that diverges, and goes on diverging when it is resumed, keeps no other from being trained.
#[test]
fn a_sweep_goes_on_where_a_run_fails() {
    let workplace = Workplace::new();
    let sweep =
        ["--sweep", "train.optimizer.lr=1e30,1e-2", "--set", "grow.small.steps=3", "--set", "grow.large.steps=1"];
    let said = workplace.fail(1, &[&["train", "tiny.tfm", "--out", "sweep"], &sweep[..]].concat());
    let [bad, good] = ["1e30", "1e-2"]
        .map(|lr| format!("sweep/tiny-grow.small.steps=3-grow.large.steps=1-train.optimizer.lr={lr}-s3"));
    assert!(said.contains(&format!("`{bad}` failed: ")), "{said}");
    assert!(said.contains(&format!("error: 1 of 2 runs failed:\n  `{bad}` failed: ")), "{said}");
    assert!(workplace.path(&good).join("checkpoints/step-4").exists(), "{said}");
}

/// The same seed again, elsewhere, is no other sample.
#[test]
fn a_seed_counts_once() {
    let workplace = Workplace::new();
    for out in ["a/tiny-s3", "b/tiny-s3"] {
        workplace.succeed(&["train", "tiny.tfm", "--out", out, "--steps", "2"]);
    }
    workplace.succeed(&["train", "tiny.tfm", "--out", "a/tiny-s4", "--set", "train.seed=4", "--steps", "2"]);
    let text = workplace.succeed(&["compare", "a/tiny-s3", "b/tiny-s3", "a/tiny-s4", "--format", "json"]);
    let groups: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let seeds: Vec<u64> =
        groups.as_array().expect("a list").iter().filter_map(|group| group["seeds"].as_u64()).collect();
    assert_eq!(seeds, [2, 1], "{text}");
    assert!(workplace.fail(1, &["compare", "a/tiny-s3", "a/tiny-s5"]).contains("`a/tiny-s5` holds no run"));
}

/// Neither a spec of the user's own nor what another run has left is taken for an empty folder.
#[test]
fn a_folder_that_is_somebodys_is_not_trained_into() {
    let workplace = Workplace::new();
    workplace.write("own/model.tfm", SPEC.replace("\"text\"", "\"../text\"").as_bytes());
    let said = workplace.fail(1, &["train", "own/model.tfm", "--out", "own", "--steps", "1"]);
    assert!(said.contains("`own` has a `model.tfm` that no run has written; choose another `--out`"), "{said}");
    let own = workplace.read("own/model.tfm");
    let said = workplace.fail(1, &["train", "own/model.tfm", "--out", "own", "--steps", "1", "--resume"]);
    assert!(said.contains("`own` holds no run: no run has written its `model.tfm`"), "{said}");
    assert_eq!(workplace.read("own/model.tfm"), own);
    workplace.succeed(&["train", "tiny.tfm", "--out", "run", "--steps", "2"]);
    std::fs::remove_file(workplace.path("run/model.tfm")).expect("it is there");
    let said = workplace.fail(1, &["train", "tiny.tfm", "--out", "run", "--set", "train.seed=9"]);
    assert!(said.contains("`run` holds a run already"), "{said}");
}

/// What belongs to a whole batch is that of the training's batches; and where the loss compares no logits, the loss tells whether growth preserves.
#[test]
fn a_loss_that_is_of_a_batch_is_measured_as_in_training() {
    let spec = SPEC
        .replace("loss = cross_entropy(logits, next(ids))", "loss = sum(h * h) * 1e-3")
        .replace("batch = 4", "batch = 12")
        .replace(", batches = 2", "");
    let workplace = Workplace::with_spec(&spec);
    workplace.succeed(&[
        "train",
        "tiny.tfm",
        "--out",
        "run",
        "--set",
        "grow.small.steps=2",
        "--set",
        "grow.large.steps=2",
    ]);
    let evaluated: serde_json::Value =
        serde_json::from_str(&workplace.succeed(&["eval", "run", "--format", "json"])).expect("JSON");
    let metrics = String::from_utf8(workplace.read("run/metrics.jsonl")).expect("UTF-8");
    let last: serde_json::Value = serde_json::from_str(metrics.lines().last().expect("a line")).expect("JSON");
    assert_eq!(last["event"], "validate");
    let [evaluated, trained] =
        [&evaluated[0]["loss"], &last["values"]["loss"]].map(|loss| loss.as_f64().expect("a number"));
    assert!((evaluated - trained).abs() < 1e-6 * trained, "{evaluated} is not {trained}");
}
