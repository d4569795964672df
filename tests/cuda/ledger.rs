//! What NVIDIA's assembler has made of the code of each kernel for an architecture, as a text in the repository: code that is in it need not be assembled again, and how it changes shows what became
//! of code that was changed.

use super::assembler::{Assembled, VERSION};
use super::sass::Loops;
use std::path::Path;
use tfc_codegen::{Architecture, CudaBackend};
use tfc_compiler::executable::{Backend, EmitStage};
use tfc_compiler::kernel::Kernel;
use xxhash_rust::xxh3::xxh3_64;

const TITLE: &str = "What becomes of each kernel (docs/cuda.md). `make verify-cuda` writes this.";
pub const COLUMNS: &str = "\
     emitted              PTX  registers  HMMA  LDGSTS  LDSM  wide  vector  scalar  threads  shared  blocks  kernel";

#[derive(Clone, Debug, PartialEq)]
pub struct Ledger {
    pub assembler: String,
    /// Between what is emitted and PTX.
    pub pipeline: String,
    pub lines: Vec<Line>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Of what an emitter has written.
    pub emitted: Digest,
    pub ptx: Digest,
    pub assembled: Assembled,
    /// Of the launch, and which kernel it is.
    pub about: About,
}

/// For who reads the ledger. Nothing depends on it.
#[derive(Clone, Debug, PartialEq)]
pub struct About {
    pub threads: i64,
    pub shared_bytes: i64,
    /// Side by side on a multiprocessor.
    pub blocks: i64,
    pub kernel: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digest(u64);

impl Digest {
    /// Of the module of a kernel, and of how it is launched.
    pub fn of_emitted(backend: &CudaBackend, kernel: &Kernel) -> Digest {
        let module = backend.text(std::slice::from_ref(kernel), EmitStage::Mlir).expect("the kernel is well-formed");
        let geometry = backend.geometry(kernel).expect("there is code for it");
        Digest::of(&format!("{geometry:?}\n{module}"))
    }

    pub fn of(text: &str) -> Digest {
        Digest(xxh3_64(text.as_bytes()))
    }
}

impl Ledger {
    /// That of these tools which knows nothing.
    pub fn new(backend: &CudaBackend) -> Ledger {
        Ledger { assembler: format!("ptxas {VERSION}"), pipeline: backend.pipeline(), lines: Vec::new() }
    }

    /// The one in the repository; one that knows nothing where there is none.
    pub fn read(backend: &CudaBackend) -> Ledger {
        let path = path(backend.architecture());
        match std::fs::read_to_string(&path) {
            Ok(text) => Ledger::parse(&text)
                .unwrap_or_else(|| panic!("{} is damaged; `make verify-cuda` writes it anew", path.display())),
            Err(_) => Ledger::new(backend),
        }
    }

    pub fn write(&self, architecture: Architecture) {
        std::fs::write(path(architecture), self.print()).expect("the ledger can be written");
    }

    fn print(&self) -> String {
        let lines = self.lines.iter().map(Line::to_string);
        let header = [TITLE, &self.assembler, &self.pipeline, COLUMNS].map(str::to_string);
        header.into_iter().chain(lines).map(|line| line + "\n").collect()
    }

    fn parse(text: &str) -> Option<Ledger> {
        let mut lines = text.lines().skip(1);
        let mut next = || lines.next().map(str::to_string);
        let (assembler, pipeline, _) = (next()?, next()?, next()?);
        Some(Ledger { assembler, pipeline, lines: lines.map(Line::parse).collect::<Option<_>>()? })
    }
}

fn path(architecture: Architecture) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cuda/ledger").join(format!("{}.txt", architecture.name))
}

impl std::fmt::Display for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Line { emitted, ptx, assembled, about } = self;
        let Assembled { registers, spilled: _, tensor_products, copies, fragments, wide, loops } = assembled;
        let About { threads, shared_bytes, blocks, kernel } = about;
        write!(
            f,
            "{:016x} {:016x}  {registers:>9}  {tensor_products:>4}  {copies:>6}  {fragments:>4}",
            emitted.0, ptx.0
        )?;
        write!(f, "  {wide:>4}  {:>6}  {:>6}", loops.vector, loops.scalar)?;
        write!(f, "  {threads:>7}  {shared_bytes:>6}  {blocks:>6}  {kernel}")
    }
}

impl Line {
    fn parse(line: &str) -> Option<Line> {
        let mut rest = line;
        let mut word = || {
            let (word, behind) = rest.trim_start().split_once(' ')?;
            rest = behind.trim_start();
            Some(word)
        };
        let [emitted, ptx] = [word()?, word()?].map(|digits| u64::from_str_radix(digits, 16).ok().map(Digest));
        let mut count = || word()?.parse::<usize>().ok();
        let assembled = Assembled {
            registers: u32::try_from(count()?).ok()?,
            // What is spilled comes into no ledger.
            spilled: 0,
            tensor_products: count()?,
            copies: count()?,
            fragments: count()?,
            wide: count()?,
            loops: Loops { vector: count()?, scalar: count()? },
        };
        let mut number = || i64::try_from(count()?).ok();
        let (threads, shared_bytes, blocks) = (number()?, number()?, number()?);
        let about = About { threads, shared_bytes, blocks, kernel: rest.to_string() };
        Some(Line { emitted: emitted?, ptx: ptx?, assembled, about })
    }
}

#[test]
fn a_ledger_is_read_as_it_was_written() {
    let loops = Loops { vector: 1, scalar: 2 };
    let (registers, tensor_products, copies, fragments, wide) = (128, 64, 0, 24, 9);
    let assembled = Assembled { registers, spilled: 0, tensor_products, copies, fragments, wide, loops };
    let about = About { threads: 256, shared_bytes: 1024, blocks: 2, kernel: "contraction bf16 #0 · #1ᵀ".into() };
    let line = |number| Line { emitted: Digest(number), ptx: Digest(!number), assembled, about: about.clone() };
    let ledger =
        Ledger { lines: vec![line(1), line(u64::MAX)], ..Ledger::new(&CudaBackend::new(Architecture::BASELINE)) };
    assert_eq!(Ledger::parse(&ledger.print()), Some(ledger.clone()));
    assert_eq!(Ledger::parse(&ledger.print().replace("128", "many")), None);
}
