//! NVIDIA's own assembler as a judge of PTX. What it has said of a text is kept by the digest of the text, so that what has not changed is not assembled again.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use xxhash_rust::xxh3::xxh3_128;

/// As in scripts/fetch-ptxas.sh.
const VERSION: &str = "13.5.37";

pub struct Assembler {
    folder: PathBuf,
}

/// What the assembler has to say of one kernel.
#[derive(Debug)]
pub struct Assembled {
    pub registers: u32,
    /// Bytes of registers that did not fit and went to memory.
    pub spilled: u32,
    /// Instructions of tensor cores.
    pub tensor_products: usize,
    /// Instructions that copy to shared memory around registers.
    pub copies: usize,
    /// Instructions that load fragments of matrices, `ldmatrix`.
    pub fragments: usize,
}

impl Assembler {
    pub fn find() -> Assembler {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/ptxas").join(VERSION);
        for program in ["ptxas", "nvdisasm"] {
            assert!(
                folder.join(program).exists(),
                "NVIDIA's {program} {VERSION} is missing, without which PTX cannot be judged: run `make setup` where there is a network"
            );
        }
        Assembler { folder }
    }

    pub fn program(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub fn assemble(&self, architecture: &str, ptx: &str) -> Assembled {
        let kept = self.folder.join("said");
        fs::create_dir_all(&kept).expect("target can be written");
        let digest = xxh3_128(format!("{architecture}\n{ptx}").as_bytes());
        let entry = kept.join(format!("{digest:032x}"));
        if let Some(assembled) = fs::read_to_string(&entry).ok().as_deref().and_then(parse) {
            return assembled;
        }
        let assembled = self.assemble_anew(architecture, ptx);
        let Assembled { registers, spilled, tensor_products, copies, fragments } = assembled;
        let partial = entry.with_extension(std::process::id().to_string());
        fs::write(&partial, format!("{registers} {spilled} {tensor_products} {copies} {fragments}"))
            .expect("target can be written");
        fs::rename(&partial, &entry).expect("target can be written");
        assembled
    }

    fn assemble_anew(&self, architecture: &str, ptx: &str) -> Assembled {
        let work = tempfile::tempdir().expect("a folder for a test");
        let (source, binary) = (work.path().join("kernel.ptx"), work.path().join("kernel.cubin"));
        fs::write(&source, ptx).expect("a file for a test");
        let said = self.run("ptxas", &["-v", &format!("--gpu-name={architecture}"), "-o"], &[&binary, &source]);
        let assembly = self.run("nvdisasm", &["-c"], &[&binary]);
        Assembled {
            registers: number_after(&said, "Used "),
            spilled: number_before(&said, " bytes spill stores") + number_before(&said, " bytes spill loads"),
            tensor_products: assembly.matches("HMMA.").count(),
            copies: assembly.matches("LDGSTS").count(),
            fragments: assembly.matches("LDSM").count(),
        }
    }

    /// What the program says, on both streams.
    fn run(&self, program: &str, arguments: &[&str], paths: &[&Path]) -> String {
        let output = Command::new(self.program(program)).args(arguments).args(paths).output().expect("it starts");
        let said = [output.stdout, output.stderr].map(|said| String::from_utf8_lossy(&said).into_owned()).concat();
        assert!(output.status.success(), "{program}: {said}");
        said
    }
}

fn parse(text: &str) -> Option<Assembled> {
    let mut words = text.split(' ');
    let (registers, spilled) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let mut count = || words.next()?.parse().ok();
    Some(Assembled { registers, spilled, tensor_products: count()?, copies: count()?, fragments: count()? })
}

fn number_after(text: &str, words: &str) -> u32 {
    let rest = text.split_once(words).expect("ptxas says it").1;
    rest.split(|c: char| !c.is_ascii_digit()).next().and_then(|digits| digits.parse().ok()).expect("a number")
}

fn number_before(text: &str, words: &str) -> u32 {
    let rest = text.split_once(words).expect("ptxas says it").0;
    rest.rsplit(|c: char| !c.is_ascii_digit()).next().and_then(|digits| digits.parse().ok()).expect("a number")
}
