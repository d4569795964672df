//! The command as a user types it: what it prints, how it exits, what it leaves behind.

mod bad_input;
mod bf16;
mod commands;
#[cfg(target_os = "linux")]
mod cuda;
mod cuda_sim;
mod growth_study;
mod images;
mod memory;
mod official;
mod parts;
mod resume;
mod routing;
mod serve;
mod snapshots;
mod two_axes;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

/// Where commands keep compiled code: shared by all tests, so that most compile nothing.
const CODE: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/code");

/// A folder to work in, with a spec and its data.
struct Workplace {
    folder: TempDir,
}

/// A small model that learns small text fast; two stages, the second grown.
const SPEC: &str = r#"model tiny {
  let vocab = 256
  let context = 16
  let width = 16
  let heads = 2

  tokens qkv = 8
  tokens ffn = 2 * qkv

  layer attend(x: [.., d]) {
    q = pattention(x, qkv) |> split_heads(heads) |> rope(fraction = 0.5)
    k = pattention(x, qkv) |> split_heads(heads) |> rope(fraction = 0.5)
    v = pattention(x, qkv) |> split_heads(heads)
    attention(q, k, v, causal) |> merge_heads |> pattention(qkv)
  }

  layer block(x: [.., d]) {
    y = x + attend(layernorm(x))
    y + pattention(layernorm(y), ffn)
  }

  forward(ids: token_ids[context]) {
    e = embed(ids, vocab, width)
    y = repeat(2, block, e)
    h = layernorm(y, affine)
    logits = unembed(h, tied = e)
  }

  loss = cross_entropy(logits, next(ids))
}

data {
  train = "text"
  validate = hold_out(10%)
  tokenizer = bytes
}

train {
  batch = 4
  precision = f32
  optimizer = adamw(lr = 1e-2, betas = (0.9, 0.95), eps = 1e-8, decay = 0.1, clip = 1.0)
  schedule = cosine(warmup = 10%, floor = 10%)
  evaluate = every(10, batches = 2)
  checkpoint = every(5, keep = 3)
  seed = 3
}

grow {
  init = (keys = zero, values = normal(0.02))
  scale = keep
  optimizer = keep

  stage "small" { steps = 20 }
  stage "large" { qkv = 12  steps = 20  expect preserve(1e-5) }
}
"#;

impl Workplace {
    fn new() -> Workplace {
        Workplace::with_spec(SPEC)
    }

    fn with_spec(spec: &str) -> Workplace {
        let workplace = Workplace { folder: tempfile::tempdir().expect("a temporary folder") };
        workplace.write("tiny.tfm", spec.as_bytes());
        for document in 0..20 {
            let text = format!("Document {document}. The quick brown fox jumps over the lazy dog, {document} times. ")
                .repeat(12);
            workplace.write(&format!("text/{document}.txt"), text.as_bytes());
        }
        workplace
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("inside the folder")).expect("the folder can be made");
        std::fs::write(path, bytes).expect("the file can be written");
    }

    fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    /// The command, to run in the folder.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tfc"));
        command.current_dir(self.folder.path()).args(arguments).env("NO_COLOR", "1").env("TFC_CACHE", CODE);
        command
    }

    fn run(&self, arguments: &[&str]) -> Done {
        Done::of(self.command(arguments).output().expect("the command starts"))
    }

    /// Runs a command that must succeed; gives its standard output.
    #[track_caller]
    fn succeed(&self, arguments: &[&str]) -> String {
        let done = self.run(arguments);
        assert_eq!(done.code, Some(0), "tfc {}:\n{}{}", arguments.join(" "), done.stdout, done.stderr);
        done.stdout
    }

    /// Runs a command that must fail with this code; gives its standard error.
    #[track_caller]
    fn fail(&self, code: i32, arguments: &[&str]) -> String {
        let done = self.run(arguments);
        assert_eq!(done.code, Some(code), "tfc {}:\n{}{}", arguments.join(" "), done.stdout, done.stderr);
        done.stderr
    }
}

struct Done {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Done {
    fn of(output: Output) -> Done {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Done { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

/// The bytes of every file of a checkpoint that says what the run is.
fn checkpoint_bytes(folder: &Path) -> Vec<Vec<u8>> {
    let files = ["model.safetensors", "optimizer.safetensors", "state.json"];
    files.iter().map(|file| std::fs::read(folder.join(file)).unwrap_or_else(|e| panic!("{file}: {e}"))).collect()
}
