//! Commands on NVIDIA's GPUs: what goes wrong where there is none that serves, by a driver that says so (runtime/fake_cuda).

use super::{Done, Workplace};
use crate::support::fake_cuda::library;
use tfc_fake_cuda::VARIABLE;
use tfc_runtime::device::Gpu;

/// The command where the dynamic linker finds the fake driver first.
fn run(workplace: &Workplace, device: &str, arguments: &[&str]) -> Done {
    run_with(workplace, &[(VARIABLE, device)], arguments)
}

fn run_with(workplace: &Workplace, variables: &[(&str, &str)], arguments: &[&str]) -> Done {
    let driver = workplace.path("driver");
    if !driver.exists() {
        std::fs::create_dir(&driver).expect("the folder can be made");
        std::os::unix::fs::symlink(library(), driver.join("libcuda.so")).expect("the link can be made");
    }
    let mut command = workplace.command(arguments);
    command.env("LD_LIBRARY_PATH", &driver).envs(variables.iter().copied());
    Done::of(command.output().expect("the command starts"))
}

#[track_caller]
fn refused(device: &str, name: &str, message: &str) {
    let workplace = Workplace::new();
    let done = run(&workplace, device, &["train", "tiny.tfm", "--device", name]);
    assert_eq!((done.code, done.stdout.as_str()), (Some(3), ""), "{}", done.stderr);
    assert_eq!(done.stderr, format!("error: {message}\n"));
    assert!(!workplace.path("runs").exists(), "a run has begun");
}

/// On a machine with a driver there is nothing to see.
#[test]
fn no_driver() {
    if Gpu::find(0).map_or_else(|failure| !failure.message.starts_with("there is no driver"), |_| true) {
        return;
    }
    let said = Workplace::new().fail(3, &["train", "tiny.tfm", "--device", "cuda"]);
    let message = "there is no driver for NVIDIA's GPUs on this machine (no libcuda.so.1); install NVIDIA's driver, or leave `--device` out to use the processor";
    assert_eq!(said, format!("error: {message}\n"));
    assert_eq!(Workplace::new().fail(3, &["doctor", "--cuda"]), format!("error: {message}\n"));
    assert!(Workplace::new().succeed(&["doctor"]).contains(&format!("NVIDIA GPU      none ({message})\n")));
}

#[test]
fn the_doctor_knows_the_gpu() {
    let workplace = Workplace::new();
    let done = run(&workplace, "capability=90 driver=12080", &["doctor"]);
    assert!(
        done.stdout.contains("NVIDIA GPU      Fake GPU (cuda:0, sm_90), driver for CUDA 12.8\n"),
        "{}",
        done.stdout
    );
    let checked = run(&workplace, "", &["doctor", "--cuda"]);
    assert_eq!((checked.code, checked.stdout.as_str()), (Some(3), ""), "nobody runs its kernels");
    assert!(checked.stderr.starts_with("error: the GPU failed to run kernel_"), "{}", checked.stderr);
}

/// On a GPU that computes nothing, whose kernels take as long as the fake driver says.
#[test]
fn work_is_timed_on_the_gpu() {
    let workplace = Workplace::new();
    let device = "kernels=idle capability=90";
    for what in ["train", "forward", "decode"] {
        let arguments = |command| [command, "tiny.tfm", "--what", what, "--device", "cuda", "--format", "json"];
        let measured = run(&workplace, device, &[&arguments("bench")[..], &["--repetitions", "2"]].concat());
        assert_eq!(measured.code, Some(0), "{}", measured.stderr);
        let measured: serde_json::Value = serde_json::from_str(&measured.stdout).expect("JSON");
        assert_eq!(measured["target"], "Fake GPU (cuda:0, sm_90), driver for CUDA 12.4");
        assert!(measured["tokens_per_s"].as_f64() > Some(0.0) && measured["threads"].is_null());
        // 16384 blocks of 8 warps, 256 turns of 16 products, in a microsecond.
        assert!((measured["peak_gflops"].as_f64().expect("a number") / 1.1e9 - 1.0).abs() < 0.01, "{measured}");

        let explained = run(&workplace, device, &[&arguments("explain")[..], &["--repetitions", "1"]].concat());
        assert_eq!(explained.code, Some(0), "{}", explained.stderr);
        let explained: serde_json::Value = serde_json::from_str(&explained.stdout).expect("JSON");
        for kernel in explained["kernels"].as_array().expect("a list") {
            let [launches, seconds] = ["launches", "seconds"].map(|key| kernel[key].as_f64().expect("a number"));
            // Each launch takes a microsecond and a nanosecond for each byte of shared memory, so none is faster.
            assert!(launches > 0.0 && seconds > 0.99e-6 * launches, "{kernel}");
        }
        assert_eq!(explained["limits"]["device"], measured["target"]);
    }
    for device in ["cuda-sim", "reference"] {
        let said = workplace.fail(1, &["bench", "tiny.tfm", "--device", device]);
        let why = "how long the simulated GPU or the reference device takes says nothing of any hardware";
        assert_eq!(said, format!("error: {why}; measure on --device cpu or cuda\n"));
    }
}

fn json(done: &Done) -> serde_json::Value {
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    serde_json::from_str(&done.stdout).expect("JSON")
}

/// The fake driver's kernels take the longer the more shared memory their blocks have, so the smallest tiles are the fastest, and the cost model chooses others.
#[test]
fn the_fastest_tiles_are_kept_and_used() {
    let workplace = Workplace::new();
    let cache = workplace.path("cache").display().to_string();
    let on_gpu = |arguments: &[&str]| {
        let work = ["tiny.tfm", "--what", "forward", "--device", "cuda", "--repetitions", "1", "--format", "json"];
        let variables = [(VARIABLE, "kernels=idle"), ("TFC_CACHE", cache.as_str())];
        run_with(&workplace, &variables, &[&arguments[..1], &work, &arguments[1..]].concat())
    };
    let tuned = json(&on_gpu(&["bench", "--tune"]));
    let kernels = tuned["kernels"].as_array().expect("a list");
    assert!(!kernels.is_empty());
    let seconds = |kernel: &serde_json::Value, which: &str| kernel[which]["seconds"].as_f64().expect("a number");
    for kernel in kernels {
        let times = kernel["tiles"].as_array().expect("a list").iter();
        let least = times.map(|tile| tile["seconds"].as_f64().expect("a number")).fold(f64::INFINITY, f64::min);
        assert_eq!(seconds(kernel, "fastest"), least);
        assert!(seconds(kernel, "model") > least && kernel["fastest"]["tile"] != kernel["model"]["tile"], "{kernel}");
    }
    let file = workplace.path("cache").join("Fake-GPU-sm_80.tiles.json");
    assert_eq!(tuned["kept"], file.display().to_string());
    let text = std::fs::read(&file).expect("it is kept");

    // Launches of other tiles have other shared memory, so they take as long as was measured.
    let takes = |done: &Done, which: &str| {
        let explained = json(done);
        for kernel in kernels {
            let lines = explained["kernels"].as_array().expect("a list");
            let line = lines.iter().find(|line| line["kernel"] == kernel["kernel"]).expect("it is launched");
            let (got, want) = (line["seconds"].as_f64().expect("a number"), seconds(kernel, which));
            assert!((got - want).abs() < 1e-3 * want, "{got}, not {want}: {kernel}");
        }
    };
    takes(&on_gpu(&["explain"]), "fastest");
    takes(&on_gpu(&["explain", "--untuned"]), "model");
    assert_eq!(json(&on_gpu(&["bench", "--tune"]))["kernels"], tuned["kernels"], "the file changes what is measured");
    assert_eq!(std::fs::read(&file).expect("it is kept"), text);

    std::fs::write(&file, &text[..text.len() / 2]).expect("it can be written");
    let damaged = on_gpu(&["explain"]);
    takes(&damaged, "model");
    let said = damaged.stderr.trim_end();
    assert!(said.contains(" are ignored, for the file is damaged: ") && said.lines().count() == 1, "{said}");
}

#[test]
fn tiles_are_of_a_gpu() {
    let workplace = Workplace::new();
    let said = workplace.fail(1, &["bench", "tiny.tfm", "--tune"]);
    assert_eq!(said, "error: tiles are tuned on a GPU; use --tune with --device cuda\n");
    let none = run(&workplace, "devices=0", &["bench", "tiny.tfm", "--tune", "--device", "cuda"]);
    assert_eq!(none.code, Some(3));
    let nowhere = [(VARIABLE, "kernels=idle"), ("TFC_CACHE", "")];
    let nowhere = run_with(&workplace, &nowhere, &["bench", "tiny.tfm", "--tune", "--device", "cuda"]);
    let message = "tiles are kept beside compiled code, and none is kept; let TFC_CACHE name a folder";
    assert_eq!((nowhere.code, nowhere.stderr), (Some(1), format!("error: {message}\n")));
}

/// Blocks of an RTX 30 or 40 have 99 KiB of shared memory, of which wide heads take more where there is more.
#[test]
fn kernels_fit_the_shared_memory_of_the_gpu() {
    let workplace = Workplace::new();
    let wide = ["--set", "heads=1", "--set", "width=256", "--repetitions", "1"];
    let arguments = [&["bench", "tiny.tfm", "--device", "cuda"][..], &wide].concat();
    let done = run(&workplace, "kernels=idle capability=89", &arguments);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    assert!(done.stdout.contains("Fake GPU (cuda:0, sm_89)"), "{}", done.stdout);
}

#[test]
fn an_old_driver() {
    let message =
        "the GPU's driver is too old: it knows CUDA 11.4, and tfc needs 12.0; update it to version 525 or newer";
    refused("driver=11040", "cuda", message);
}

#[test]
fn no_device() {
    let message = "the driver finds no GPU; see what `nvidia-smi` lists, and whether CUDA_VISIBLE_DEVICES hides it";
    refused("devices=0", "cuda", message);
}

#[test]
fn a_device_that_is_not_there() {
    refused("", "cuda:1", "there is no GPU cuda:1 on this machine: only cuda:0");
    refused("devices=4", "cuda:7", "there is no GPU cuda:7 on this machine: cuda:0 to cuda:3");
}

#[test]
fn an_old_device() {
    let message = "the GPU Fake GPU is an sm_75, and tfc needs sm_80 or newer: an A100, an RTX 30, or what came after";
    refused("capability=75", "cuda", message);
}

#[test]
fn names_of_devices() {
    let workplace = Workplace::new();
    for wrong in ["gpu", "cuda:", "cuda:x", "cuda:-1"] {
        let said = workplace.fail(2, &["train", "tiny.tfm", "--device", wrong]);
        assert!(said.contains("a device is cpu, cuda, cuda:1 and so on, cuda-sim or reference"), "{said}");
    }
}

#[test]
fn too_little_memory() {
    let workplace = Workplace::new();
    // Memory for a plan is what is free, so that what cannot be is said before anything is asked of the device.
    let planned = run(&workplace, "memory=100000", &["train", "tiny.tfm", "--device", "cuda"]);
    assert_eq!(planned.code, Some(3));
    assert!(planned.stderr.contains("this training needs at least"), "{}", planned.stderr);
    let arguments = ["train", "tiny.tfm", "--device", "cuda", "--memory", "1GiB", "--out", "other"];
    let refused = run(&workplace, "memory=100000", &arguments);
    assert_eq!(refused.code, Some(3));
    assert!(
        refused.stderr.contains("of memory left: ") && refused.stderr.contains(" of 97.7 KiB are free"),
        "{}",
        refused.stderr
    );
}

#[test]
fn a_launch_that_fails_names_its_kernel() {
    let workplace = Workplace::new();
    let refused = run(&workplace, "", &["train", "tiny.tfm", "--device", "cuda"]);
    let reason = "too many resources requested for launch (CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES)";
    assert_eq!(refused.code, Some(3));
    assert!(refused.stderr.contains("\nerror: the GPU failed to run kernel_"), "{}", refused.stderr);
    assert!(refused.stderr.contains(", which computes ") && refused.stderr.contains(reason), "{}", refused.stderr);

    // One that goes wrong on the device is found out later, without its name.
    let arguments = ["train", "tiny.tfm", "--device", "cuda", "--out", "other"];
    let failed = run(&workplace, "kernels=faulty", &arguments);
    let message = "the GPU gave up on a kernel: an illegal memory access was encountered (CUDA_ERROR_ILLEGAL_ADDRESS); \
                   the same command with CUDA_LAUNCH_BLOCKING=1 in its environment names the kernel";
    assert_eq!(failed.code, Some(3));
    assert!(failed.stderr.ends_with(&format!("\nerror: {message}\n")), "{}", failed.stderr);

    let arguments = ["train", "tiny.tfm", "--device", "cuda", "--out", "waiting"];
    let named = run_with(&workplace, &[(VARIABLE, "kernels=faulty"), ("CUDA_LAUNCH_BLOCKING", "1")], &arguments);
    assert_eq!(named.code, Some(3));
    assert!(named.stderr.contains("\nerror: the GPU failed to run kernel_"), "{}", named.stderr);
}
