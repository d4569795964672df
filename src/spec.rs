//! Reading a spec: files from disk to a checked model, with its mistakes printed.

use crate::console::Console;
use crate::stop::Stop;
use std::io::Read;
use std::path::{Component, Path, PathBuf};
use tfc_compiler::check::{self, Checked, Loader, Options};
use tfc_compiler::compile::lowered;
use tfc_compiler::compiled::Entry;
use tfc_compiler::graph::Graph;
use tfc_compiler::lower::can_decode;
use tfc_compiler::model::Model;
use tfc_compiler::prove::{GrowthProof, prove};
use tfc_grammar::span::LineColumn;
use tfc_grammar::{Diagnostic, Sources, parse_bytes};
use tfc_runtime::checkpoint;
use tfc_runtime::data::Tokenizer;
use tfc_runtime::{Failure, Result};

/// The checker's view of the disk, where the text of the root may be another one than the file's.
struct Disk<'a> {
    root: &'a Path,
    text: Option<&'a str>,
}

impl Disk<'_> {
    /// Where the checker's `path` lies. Its paths are texts, which begin as the root's does; what of that is no UTF-8 is put back.
    fn place(&self, path: &str) -> PathBuf {
        let parts = |path| Path::components(path).filter(|part| *part != Component::CurDir);
        let mut known = parts(self.root);
        let original = |part: Component<'_>| match known.next() {
            Some(known) if known.as_os_str().to_string_lossy() == part.as_os_str().to_string_lossy() => {
                known.as_os_str().to_owned()
            }
            Some(_) | None => part.as_os_str().to_owned(),
        };
        let place: PathBuf = parts(Path::new(path)).map(original).collect();
        // Where the root is the folder that one stands in.
        if place.as_os_str().is_empty() { PathBuf::from(".") } else { place }
    }
}

impl Loader for Disk<'_> {
    fn read(&self, path: &str) -> std::result::Result<Vec<u8>, String> {
        match self.text {
            Some(text) if self.root.to_string_lossy() == path => Ok(text.as_bytes().to_vec()),
            Some(_) | None => read(&self.place(path)),
        }
    }

    fn vocabulary(&self, path: &str) -> std::result::Result<u64, String> {
        let tokenizer = Tokenizer::open(Path::new(path)).map_err(|failure| failure.message)?;
        Ok(u64::from(tokenizer.vocab()))
    }
}

/// The most bytes of a file: a hundred times the longest spec, and little enough to be read at once.
const LONGEST: u64 = 16 << 20;

/// The bytes of a file, or why there are none.
fn read(path: &Path) -> std::result::Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(|error| Failure::reason(&error))?;
    file.take(LONGEST + 1).read_to_end(&mut bytes).map_err(|error| Failure::reason(&error))?;
    match bytes.len() as u64 > LONGEST {
        true => Err(format!("it is larger than {} MiB, and no spec", LONGEST >> 20)),
        false => Ok(bytes),
    }
}

/// A checked spec.
pub struct Spec {
    pub model: Model,
    pub sources: Sources,
    /// The experiment as one text: what it uses inlined, what the command line sets put in.
    pub resolved: String,
}

/// Checks the spec at `path`; prints its errors and warnings.
pub fn load(path: &Path, sets: &[String], console: &Console) -> std::result::Result<Spec, Stop> {
    check_with(&Disk { root: path, text: None }, sets, console)
}

/// Checks a text as if it stood in the file `path`.
pub fn check_text(path: &Path, text: &str, console: &Console) -> std::result::Result<Spec, Stop> {
    check_with(&Disk { root: path, text: Some(text) }, &[], console)
}

/// The spec that a checkpoint belongs to.
pub fn of_checkpoint(checkpoint: &Path, console: &Console) -> std::result::Result<Spec, Stop> {
    let (path, text) = checkpoint::spec_of(checkpoint)?;
    check_text(&path, &text, console)
}

fn check_with(disk: &Disk, sets: &[String], console: &Console) -> std::result::Result<Spec, Stop> {
    let root = disk.root.to_string_lossy();
    let mut sources = Sources::default();
    let Checked { model, resolved, diagnostics } =
        check::check(&mut sources, &root, disk, &Options { set: sets.to_vec() });
    console.diagnostics(&sources, &diagnostics);
    match model {
        Some(model) => Ok(Spec { model, sources, resolved }),
        None if diagnostics.iter().any(Diagnostic::is_error) => Err(Stop::Explained),
        None => {
            let way_out = "add `model NAME { … }`, or name the file that uses this one";
            Err(Failure::mistake(format!("`{root}` describes no model; {way_out}")).into())
        }
    }
}

/// # Errors
/// The model continues no text: why, and where that is written.
pub fn can_generate(model: &Model, sources: &Sources) -> Result<()> {
    can_decode(model).map(|_| ()).map_err(|(why, span)| {
        let place = span.map_or(String::new(), |span| {
            let LineColumn { line, .. } = sources.line_column(span);
            let text = sources.snippet(span).lines().next().unwrap_or_default();
            format!(": `{text}`, in line {line} of the spec")
        });
        Failure::mistake(format!("this model generates nothing: {why}{place}"))
    })
}

/// The file laid out, for `--emit ast`: the formatter prints the tree.
pub fn formatted(path: &Path) -> Result<String> {
    let bytes = std::fs::read(path).map_err(|error| Failure::io("read", path, &error))?;
    let mut sources = Sources::default();
    let (file, _) = parse_bytes(&mut sources, path.to_string_lossy(), &bytes);
    Ok(tfc_grammar::format(&file))
}

/// A spec and what is proven of its stages.
pub struct Proven {
    pub spec: Spec,
    pub proofs: Vec<Option<GrowthProof>>,
    /// The entry `evaluate` as lowered, if there is a loss.
    pub evaluate: Option<Graph>,
}

impl Proven {
    /// As [`load`]; also refuses stages whose growth cannot be what it says it is.
    pub fn load(path: &Path, sets: &[String], console: &Console) -> std::result::Result<Proven, Stop> {
        let spec = load(path, sets, console)?;
        if spec.model.program.loss.is_none() {
            return Ok(Proven { spec, proofs: Vec::new(), evaluate: None });
        }
        let evaluate = lowered(&spec.model, &Entry::Evaluate);
        let (proofs, diagnostics) = prove(&spec.model, &evaluate, &lowered(&spec.model, &Entry::Gradient));
        console.diagnostics(&spec.sources, &diagnostics);
        if diagnostics.iter().any(Diagnostic::is_error) {
            return Err(Stop::Explained);
        }
        Ok(Proven { spec, proofs, evaluate: Some(evaluate) })
    }
}
