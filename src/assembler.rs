//! NVIDIA's assembler, `ptxas`, where it is installed: from PTX to the code of a GPU, and what each kernel takes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use tfc_runtime::{Failure, Kind, Result};

/// Names the program, where it is in no usual place.
pub const VARIABLE: &str = "TFC_PTXAS";

/// Where NVIDIA's toolkit is installed, beside the folders of PATH.
const TOOLKIT: &str = "/usr/local/cuda/bin";

pub struct Assembler {
    program: PathBuf,
}

pub struct Assembled {
    pub cubin: Vec<u8>,
    /// By the name of the kernel's function.
    pub kernels: BTreeMap<String, Usage>,
}

/// What the assembler says of a kernel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Of a thread.
    pub registers: i64,
    /// Bytes of registers that did not fit and are stored to memory and loaded again.
    pub spilled: i64,
}

impl Assembler {
    /// The one that [`VARIABLE`] names, or the first there is.
    pub fn find() -> Option<Assembler> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = std::env::split_paths(&path).chain([PathBuf::from(TOOLKIT)]);
        let programs: Vec<PathBuf> = match std::env::var_os(VARIABLE).filter(|named| !named.is_empty()) {
            Some(named) => vec![named.into()],
            None => folders.map(|folder| folder.join("ptxas")).collect(),
        };
        programs.into_iter().find(|program| program.is_file()).map(|program| Assembler { program })
    }

    /// As [`Assembler::find`], for what cannot be done without.
    ///
    /// # Errors
    /// There is none.
    pub fn required() -> Result<Assembler> {
        Assembler::find().ok_or_else(|| {
            let ways = "it comes with the CUDA toolkit, and `pip install nvidia-cuda-nvcc` has it";
            let place = format!("put it on the path, or name it by {VARIABLE}");
            Failure::new(Kind::Machine, format!("NVIDIA's assembler `ptxas` is not there; {ways}; {place}"))
        })
    }

    /// Assembles a module for an architecture.
    ///
    /// # Errors
    /// The program does not run, or refuses the module.
    pub fn assemble(&self, architecture: &str, ptx: &str) -> Result<Assembled> {
        let folder = tempfile::tempdir().map_err(|e| Failure::io("create", &std::env::temp_dir(), &e))?;
        let (source, binary) = (folder.path().join("kernels.ptx"), folder.path().join("kernels.cubin"));
        std::fs::write(&source, ptx).map_err(|e| Failure::io("write", &source, &e))?;
        let said = self.run(architecture, &source, &binary)?;
        let cubin = std::fs::read(&binary).map_err(|e| Failure::io("read", &binary, &e))?;
        Ok(Assembled { cubin, kernels: usage(&said) })
    }

    /// What it says, on both streams.
    fn run(&self, architecture: &str, source: &Path, binary: &Path) -> Result<String> {
        let mut command = Command::new(&self.program);
        command.args(["-v", "--gpu-name", architecture, "-o"]).arg(binary).arg(source);
        let failed = |why: String| {
            let program = self.program.display();
            Failure::new(Kind::Machine, format!("`{program}` does not assemble the kernels: {why}"))
        };
        let output = command.output().map_err(|error| failed(Failure::reason(&error)))?;
        let said = [output.stdout, output.stderr].map(|said| String::from_utf8_lossy(&said).into_owned()).concat();
        match output.status.success() {
            true => Ok(said),
            false => Err(failed(said.lines().next().unwrap_or("it says nothing").to_string())),
        }
    }
}

/// From the words of `ptxas -v`: the name of a function, then its lines.
fn usage(said: &str) -> BTreeMap<String, Usage> {
    let mut all = BTreeMap::new();
    let mut name = String::new();
    for line in said.lines() {
        if let Some((_, rest)) = line.split_once("Compiling entry function '") {
            name = rest.split('\'').next().unwrap_or_default().to_string();
        }
        let usage: &mut Usage = all.entry(name.clone()).or_default();
        usage.registers += number_before(line, " registers");
        usage.spilled += number_before(line, " bytes spill stores") + number_before(line, " bytes spill loads");
    }
    all.remove("");
    all
}

/// 0 where the words are not.
fn number_before(line: &str, words: &str) -> i64 {
    let before = line.split_once(words).map_or("", |(before, _)| before);
    let digits = before.rsplit(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
    digits.parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::{Usage, usage};

    #[test]
    fn each_kernel_has_its_numbers() {
        let said = "\
ptxas info    : 0 bytes gmem
ptxas info    : Compiling entry function 'kernel_1' for 'sm_90'
ptxas info    : Function properties for kernel_1
    8 bytes stack frame, 16 bytes spill stores, 24 bytes spill loads
ptxas info    : Used 122 registers, used 1 barriers, 8 bytes cumulative stack size
ptxas info    : Compile time = 13.4 ms
ptxas info    : Compiling entry function 'kernel_0' for 'sm_90'
ptxas info    : Function properties for kernel_0
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 30 registers, used 0 barriers
";
        let all = usage(said);
        assert_eq!(all.len(), 2);
        assert_eq!(all["kernel_0"], Usage { registers: 30, spilled: 0 });
        assert_eq!(all["kernel_1"], Usage { registers: 122, spilled: 40 });
    }
}
