//! NVIDIA's own assembler and disassembler as judges of PTX.

use super::sass::{self, Loops};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// As in scripts/fetch-ptxas.sh.
pub const VERSION: &str = "13.5.37";

pub struct Assembler {
    folder: PathBuf,
}

/// What becomes of one kernel.
#[derive(Clone, Copy, Debug, PartialEq)]
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
    /// Instructions that move sixteen bytes from or to global memory.
    pub wide: usize,
    /// Of those that multiply on tensor cores, if any does, else of all.
    pub loops: Loops,
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
        let work = tempfile::tempdir().expect("a folder for a test");
        let (source, binary) = (work.path().join("kernel.ptx"), work.path().join("kernel.cubin"));
        fs::write(&source, ptx).expect("a file for a test");
        let said = self.run("ptxas", &["-v", &format!("--gpu-name={architecture}"), "-o"], &[&binary, &source]);
        let assembly = self.run("nvdisasm", &["-c"], &[&binary]);
        let code = sass::parse(&assembly);
        let count = |is: fn(&str) -> bool| code.operations().filter(|operation| is(operation)).count();
        Assembled {
            registers: number_after(&said, "Used "),
            spilled: number_before(&said, " bytes spill stores") + number_before(&said, " bytes spill loads"),
            tensor_products: count(sass::is_tensor_product),
            copies: count(|operation| operation.starts_with("LDGSTS")),
            fragments: count(|operation| operation.starts_with("LDSM")),
            wide: count(sass::is_wide),
            loops: code.loops(),
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

fn number_after(text: &str, words: &str) -> u32 {
    let rest = text.split_once(words).expect("ptxas says it").1;
    rest.split(|c: char| !c.is_ascii_digit()).next().and_then(|digits| digits.parse().ok()).expect("a number")
}

fn number_before(text: &str, words: &str) -> u32 {
    let rest = text.split_once(words).expect("ptxas says it").0;
    rest.rsplit(|c: char| !c.is_ascii_digit()).next().and_then(|digits| digits.parse().ok()).expect("a number")
}
