//! What a back end produces, and the border to it.

use crate::kernel::Kernel;
use std::any::Any;

/// Machine code of a set of kernels. Plain data: written by `tfc compile -o`, loaded without compiling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Code {
    /// The target it was made for, e.g. `x86_64-unknown-linux-gnu/sapphirerapids`.
    pub target: String,
    pub bytes: Vec<u8>,
    /// For each kernel, the symbol of its function and the scratch bytes each thread must hand to it.
    pub functions: Vec<Function>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    pub symbol: String,
    pub scratch_bytes: usize,
}

/// The stages inside a back end that `--emit` can print.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EmitStage {
    Mlir,
    MlirLowered,
    Llvm,
    Asm,
}

/// Code that has been loaded: one address per kernel, valid while `owner` lives.
pub struct Loaded {
    pub addresses: Vec<usize>,
    pub owner: Box<dyn Any + Send + Sync>,
}

/// Why no code came out: a bug in tfc or a machine that lacks something; one sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackendError(pub String);

impl std::fmt::Display for BackendError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BackendError {}

/// From kernels to code for one target.
pub trait Backend: Send + Sync {
    /// The name of the target, as in [`Code::target`].
    fn target(&self) -> String;

    fn emit(&self, kernels: &[Kernel]) -> Result<Code, BackendError>;

    /// The text of one stage on the way to the code.
    fn text(&self, kernels: &[Kernel], stage: EmitStage) -> Result<String, BackendError>;

    /// Makes code callable; code of another target or version is refused.
    fn load(&self, code: &Code) -> Result<Loaded, BackendError>;
}
