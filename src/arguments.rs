//! The command line, as clap reads it. What each command does is in `commands/`.

use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum};
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;

/// A compiler for models that grow: a .tfm file becomes a trained, grown, talking model.
#[derive(Parser)]
#[command(name = "tfc", version, arg_required_else_help = true)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,

    /// Say less
    #[arg(short, long, global = true)]
    pub quiet: bool,

    /// Say more
    #[arg(short, long, global = true, conflicts_with = "quiet")]
    pub verbose: bool,

    /// Colour diagnostics and progress
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto)]
    pub color: Color,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    Auto,
    Always,
    Never,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Text,
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceName {
    Cpu,
    /// An NVIDIA GPU, by its number.
    Cuda(u32),
    CudaSim,
    Reference,
}

impl DeviceName {
    /// Whether kernels run on a GPU, or as they would there.
    pub fn is_gpu(self) -> bool {
        match self {
            DeviceName::Cuda(_) | DeviceName::CudaSim => true,
            DeviceName::Cpu | DeviceName::Reference => false,
        }
    }
}

impl FromStr for DeviceName {
    type Err = String;

    fn from_str(text: &str) -> Result<DeviceName, String> {
        match (text, text.strip_prefix("cuda:").map(str::parse)) {
            ("cpu", _) => Ok(DeviceName::Cpu),
            ("cuda", _) => Ok(DeviceName::Cuda(0)),
            ("cuda-sim", _) => Ok(DeviceName::CudaSim),
            ("reference", _) => Ok(DeviceName::Reference),
            (_, Some(Ok(number))) => Ok(DeviceName::Cuda(number)),
            _ => Err("a device is cpu, cuda, cuda:1 and so on, cuda-sim or reference".into()),
        }
    }
}

#[derive(Subcommand)]
pub enum Command {
    /// Find mistakes; print the stages: parameters, FLOPs, memory, what growth preserves
    Check(Check),
    /// Lay out .tfm files
    Fmt(Fmt),
    /// Print the stages of compilation, or write the executable
    Compile(Compile),
    /// Train, and grow on the way
    Train(Train),
    /// Compare runs: loss against steps, tokens and FLOPs
    Compare(Compare),
    /// Grow a checkpoint by one stage, by hand
    Grow(Grow),
    /// Turn an official checkpoint, or a delta, into one that training can go on with
    Import(Import),
    /// Write a checkpoint in the layout of the official ones, as a delta, or cut to fewer tokens
    Export(Export),
    /// Run one entry on tensors from a file
    Run(Run),
    /// Loss and perplexity of a checkpoint; of a classifier also what it takes for what
    Eval(Eval),
    /// Continue a text
    Generate(Generate),
    /// Answer requests for completions over HTTP, as OpenAI's interface has them
    Serve(Serve),
    /// Show the tensors, token groups and history of a checkpoint or spec
    Inspect(Inspect),
    /// Turn text into token files; train a tokenizer
    Data(Data),
    /// Measure tokens per second, against the device's limits
    Bench(Bench),
    /// List the kernels: what each computes, moves and takes, against the device's limits; and the memory
    Explain(Explain),
    /// Show what this machine offers and what is missing
    Doctor(Doctor),
}

/// What is left out of compilation.
#[derive(Args)]
pub struct CompilerArguments {
    /// Switch an optimization off, by name, to find what is wrong; may be repeated. A wrong name lists them
    #[arg(long = "disable", value_name = "NAME")]
    pub disable: Vec<String>,
}

/// The spec and what changes it.
#[derive(Args)]
pub struct SpecArguments {
    /// A .tfm file
    pub spec: PathBuf,
    /// Change a `let`, a `tokens` size or a field: width=256, train.optimizer.lr=1e-3
    #[arg(long = "set", value_name = "NAME=VALUE")]
    pub sets: Vec<String>,
}

#[derive(Args)]
pub struct Check {
    #[command(flatten)]
    pub spec: SpecArguments,
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Also run an update on the simulated GPU, and look for races, stray accesses and the like
    #[arg(long)]
    pub kernels: bool,
}

#[derive(Args)]
pub struct Fmt {
    /// .tfm files, rewritten in place; - reads and writes the standard streams
    #[arg(required = true)]
    pub specs: Vec<PathBuf>,
    /// Change nothing; exit with 1 if a file is not laid out
    #[arg(long)]
    pub check: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Stage {
    Ast,
    Model,
    Graph,
    Grad,
    Fused,
    Plan,
    Mlir,
    MlirLowered,
    Llvm,
    Asm,
    Ptx,
    Cubin,
    Dot,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum EntryKind {
    Train,
    Eval,
    Generate,
}

#[derive(Args)]
pub struct Compile {
    #[command(flatten)]
    pub spec: SpecArguments,
    /// Stages to print
    #[arg(long, value_enum, value_delimiter = ',')]
    pub emit: Vec<Stage>,
    /// What to compile
    #[arg(long, value_enum, default_value_t = EntryKind::Train)]
    pub entry: EntryKind,
    /// What to compile for: cpu, another processor such as cpu:x86-64-v3, cuda or a GPU such as cuda:sm_90
    #[arg(long, default_value = "cpu")]
    pub target: String,
    /// The stage whose sizes the plan is laid out for; default the first
    #[arg(long)]
    pub stage: Option<String>,
    /// Write the code and the emitted texts to this folder
    #[arg(short = 'o', long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    #[command(flatten)]
    pub compiler: CompilerArguments,
}

/// Where a model runs.
#[derive(Args)]
pub struct DeviceArguments {
    /// cpu; cuda or cuda:N, an NVIDIA GPU; cuda-sim, a GPU simulated on the processor and checked: slow; reference, an interpreter in f64: slow and obvious
    #[arg(long, default_value = "cpu")]
    pub device: DeviceName,
    /// Threads; default one per core. Results do not depend on it
    #[arg(long)]
    pub threads: Option<usize>,
    /// Leave out what `tfc bench --tune` has found out of the GPU
    #[arg(long)]
    pub untuned: bool,
}

#[derive(Args)]
pub struct Train {
    #[command(flatten)]
    pub spec: SpecArguments,
    /// The run's folder; default runs/SPEC[-name=value…]-sSEED
    #[arg(long)]
    pub out: Option<PathBuf>,
    /// Go on where the run in the folder stopped
    #[arg(long)]
    pub resume: bool,
    /// Go on although the present optimizer, schedule or data has changed in the spec
    #[arg(long, requires = "resume")]
    pub accept_changes: bool,
    /// Stop after this many steps in all
    #[arg(long)]
    pub steps: Option<u64>,
    /// Memory for the tensors of a training, such as 2.5GiB: smaller micro-batches, or parts computed again, as is predicted to be faster.
    /// Default nine tenths of what the machine has free
    #[arg(long)]
    pub memory: Option<String>,
    /// Train once for each value: --sweep width=128,256. Several sweeps multiply
    #[arg(long, value_name = "NAME=A,B,…")]
    pub sweep: Vec<String>,
    #[command(flatten)]
    pub device: DeviceArguments,
    #[command(flatten)]
    pub compiler: CompilerArguments,
}

#[derive(Args)]
pub struct Compare {
    /// Folders of runs
    #[arg(required = true)]
    pub runs: Vec<PathBuf>,
    /// Write the picture here
    #[arg(long, value_name = "FILE.svg")]
    pub svg: Option<PathBuf>,
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

#[derive(Args)]
pub struct Grow {
    /// A checkpoint, or a run's folder for its newest
    pub checkpoint: PathBuf,
    /// The stage to grow into
    #[arg(long)]
    pub stage: String,
    /// Where the grown checkpoint goes
    #[arg(short = 'o', long, value_name = "DIR")]
    pub out: PathBuf,
    /// Another spec than the run's own
    #[arg(long)]
    pub spec: Option<PathBuf>,
    #[command(flatten)]
    pub device: DeviceArguments,
}

/// The layouts of others.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Like {
    /// A file of PyTorch's, as the official code reads it: pytorch_model.bin, DeepSpeed's *_model_states.pt
    Neox,
    /// The same names in a safetensors file, as Hugging Face's libraries read it
    Hf,
}

#[derive(Args)]
pub struct Import {
    /// A file, or a folder with one. No code in it is run
    pub checkpoint: PathBuf,
    /// A .tfm file; a delta has its own
    #[arg(required_unless_present = "delta")]
    pub spec: Option<PathBuf>,
    /// Change a `let`, a `tokens` size or a field: width=256, train.optimizer.lr=1e-3
    #[arg(long = "set", value_name = "NAME=VALUE")]
    pub sets: Vec<String>,
    #[arg(long, value_enum, required_unless_present = "delta")]
    pub like: Option<Like>,
    /// Put what `tfc export --delta` wrote onto the checkpoint that it was made for, or that run's newest
    #[arg(long, value_name = "BASE", conflicts_with_all = ["spec", "like", "sets", "stage", "tokenizer"])]
    pub delta: Option<PathBuf>,
    /// The stage whose sizes the checkpoint has; default the first
    #[arg(long)]
    pub stage: Option<String>,
    /// A tokenizer.json to go with it; default the spec's, if it is there
    #[arg(long, value_name = "FILE")]
    pub tokenizer: Option<PathBuf>,
    /// Where the run goes that begins with it
    #[arg(short = 'o', long, value_name = "DIR")]
    pub out: PathBuf,
}

#[derive(Args)]
#[command(group(ArgGroup::new("form").required(true).args(["like", "delta", "tokens"])))]
pub struct Export {
    /// A checkpoint, or a run's folder for its newest
    pub checkpoint: PathBuf,
    /// In the official layout, into a file
    #[arg(long, value_enum)]
    pub like: Option<Like>,
    /// Only the rows that this checkpoint lacks or has otherwise, into a file; `tfc import --delta` puts them together again
    #[arg(long, value_name = "BASE")]
    pub delta: Option<PathBuf>,
    /// Cut to the first tokens of a model that was trained with nested dropout, such as 50%, into the folder of a run; says its loss
    #[arg(long, value_name = "PART", value_parser = part)]
    pub tokens: Option<f64>,
    #[arg(short = 'o', long, value_name = "PATH")]
    pub out: PathBuf,
    #[command(flatten)]
    pub device: DeviceArguments,
}

/// More than nothing and at most all: `50%` or `0.5`.
fn part(text: &str) -> Result<f64, String> {
    let number = match text.strip_suffix('%') {
        Some(percent) => percent.trim().parse::<f64>().map(|percent| percent / 100.0),
        None => text.parse(),
    };
    match number {
        Ok(part) if part > 0.0 && part <= 1.0 => Ok(part),
        Ok(_) | Err(_) => Err("write a part of all, such as 50%".into()),
    }
}

#[derive(Args)]
pub struct Run {
    #[command(flatten)]
    pub spec: SpecArguments,
    /// A binding of `forward`, `loss`, a metric, or `grad`; several separated by commas
    #[arg(long)]
    pub entry: String,
    /// The stage whose sizes and scales the weights have; default the first
    #[arg(long)]
    pub stage: Option<String>,
    /// The parameters, by their paths
    #[arg(long, value_name = "FILE.safetensors")]
    pub weights: PathBuf,
    /// What goes in, by the names of `forward`'s arguments
    #[arg(long, value_name = "FILE.safetensors")]
    pub inputs: PathBuf,
    /// Where what comes out goes, by the names of the bindings
    #[arg(short = 'o', long, value_name = "FILE.safetensors")]
    pub out: PathBuf,
    #[command(flatten)]
    pub device: DeviceArguments,
    #[command(flatten)]
    pub compiler: CompilerArguments,
}

#[derive(Args)]
pub struct Eval {
    /// A checkpoint, or a run's folder for its newest
    pub checkpoint: PathBuf,
    /// Text or images to evaluate on; default the spec's validation data
    #[arg(long)]
    pub data: Vec<PathBuf>,
    /// Show only the first tokens of a model that was trained with nested dropout, such as 50%
    #[arg(long, value_name = "PART", value_parser = part)]
    pub tokens: Option<f64>,
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    #[command(flatten)]
    pub device: DeviceArguments,
    #[command(flatten)]
    pub compiler: CompilerArguments,
}

#[derive(Args)]
pub struct Generate {
    /// A checkpoint, or a run's folder for its newest
    pub checkpoint: PathBuf,
    /// What is continued
    #[arg(long)]
    pub prompt: String,
    /// How many tokens at most
    #[arg(long, default_value_t = 200)]
    pub tokens: u64,
    /// 0 takes the likeliest token each time
    #[arg(long, default_value_t = 0.8, allow_negative_numbers = true)]
    pub temperature: f64,
    /// Draw among this many likeliest tokens; default among all
    #[arg(long)]
    pub top_k: Option<u64>,
    /// Draw among the likeliest tokens that together have this probability, such as 0.9; default among all
    #[arg(long)]
    pub top_p: Option<f64>,
    /// The same seed draws the same text
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    #[command(flatten)]
    pub device: DeviceArguments,
}

#[derive(Args)]
pub struct Serve {
    /// A checkpoint, or a run's folder for its newest
    pub checkpoint: PathBuf,
    /// Who can reach it: only this machine, unless another of its addresses is given
    #[arg(long, default_value = "127.0.0.1")]
    pub host: IpAddr,
    /// 0 takes any that is free
    #[arg(long, default_value_t = 8000)]
    pub port: u16,
    #[command(flatten)]
    pub device: DeviceArguments,
}

#[derive(Args)]
pub struct Inspect {
    /// A checkpoint, a run's folder or a .tfm file
    pub subject: PathBuf,
    /// As of `tfc check`: for a .tfm file
    #[arg(long = "set", value_name = "NAME=VALUE")]
    pub sets: Vec<String>,
    /// The stage whose sizes are shown; default the first
    #[arg(long)]
    pub stage: Option<String>,
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

#[derive(Args)]
pub struct Data {
    /// Text files or folders
    #[arg(required = true)]
    pub texts: Vec<PathBuf>,
    /// bytes, a tokenizer.json, or bpe:SIZE to train one
    #[arg(long)]
    pub tokenizer: String,
    /// Where the token files go
    #[arg(short = 'o', long, value_name = "DIR")]
    pub out: PathBuf,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum What {
    /// Gradient, clipping and AdamW
    Train,
    /// The logits of a batch
    Forward,
    /// 64 tokens, one at a time, after a prompt of 128
    Decode,
}

/// What a spec's `batch` can be, too.
const MOST_SEQUENCES: u64 = 1 << 53;

/// Work that is timed, on random inputs.
#[derive(Args)]
pub struct WorkArguments {
    #[command(flatten)]
    pub spec: SpecArguments,
    #[arg(long, value_enum, default_value_t = What::Train)]
    pub what: What,
    /// Sequences in a batch; default as the spec says
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=MOST_SEQUENCES))]
    pub batch: Option<u64>,
    /// The stage whose sizes the model has; default the first
    #[arg(long)]
    pub stage: Option<String>,
    /// Memory for the tensors of a training, such as 2.5GiB: smaller micro-batches, or parts computed again, as is predicted to be faster.
    /// Default nine tenths of what the machine has free
    #[arg(long)]
    pub memory: Option<String>,
    #[command(flatten)]
    pub device: DeviceArguments,
    #[command(flatten)]
    pub compiler: CompilerArguments,
}

#[derive(Args)]
pub struct Bench {
    #[command(flatten)]
    pub work: WorkArguments,
    /// How often the work is done at least, after two times that do not count
    #[arg(long, default_value_t = 5)]
    pub repetitions: usize,
    /// Time the tiles that matrix products can have on a GPU; the fastest are kept, and used from then on
    #[arg(long)]
    pub tune: bool,
    /// Do the work for each line of the standard input, after two times that do not count, and print its seconds: for comparisons with other programs, one
    /// repetition in turns (scripts/turns.py)
    #[arg(long, conflicts_with_all = ["tune", "repetitions", "format"])]
    pub paced: bool,
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

#[derive(Args)]
pub struct Explain {
    #[command(flatten)]
    pub work: WorkArguments,
    /// cpu, which is measured here, or cuda or a GPU such as cuda:sm_90, of which all is predicted; what a GPU of this machine does, --device measures
    #[arg(long, default_value = "cpu", conflicts_with = "device")]
    pub target: String,
    /// The GPU that is predicted: a100, h100, h200 or b200; default the first of the target
    #[arg(long, value_name = "NAME")]
    pub device_name: Option<String>,
    /// How often the work is done; of each launch the shortest time counts
    #[arg(long, default_value_t = 5)]
    pub repetitions: usize,
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

#[derive(Args)]
pub struct Doctor {
    /// Check that an NVIDIA GPU computes what it should, the first or the one of this number; prints a table to send with a report
    #[arg(long, value_name = "N", num_args = 0..=1, require_equals = true, default_missing_value = "0")]
    pub cuda: Option<u32>,
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}
