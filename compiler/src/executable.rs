//! What a back end produces, and the border to it.

use crate::kernel::Kernel;
use serde::{Deserialize, Serialize};
use std::any::Any;

/// Machine code of a set of kernels. Plain data: written by `tfc compile -o`, loaded without compiling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Code {
    /// The target it was made for, e.g. `x86_64-unknown-linux-gnu/sapphirerapids`.
    pub target: String,
    pub bytes: Vec<u8>,
    /// For each kernel.
    pub functions: Vec<Function>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Function {
    pub symbol: String,
    /// What each thread must hand to it.
    pub scratch: Room,
    /// The same in a launch whose threads share.
    pub scratch_of_sharing: Room,
    /// What threads share in a launch whose [`crate::kernel::Division`] has them share.
    pub shared: Room,
    /// The rows of an item of such a launch: whole tiles of the processor.
    pub rows_of_item: i64,
}

/// Memory that the launches of a kernel work in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Room {
    pub bytes: Extent,
    /// Whatever the sizes.
    pub most: usize,
}

impl Room {
    pub const NONE: Room = Room::always(0);

    pub const fn always(bytes: usize) -> Room {
        Room { bytes: Extent::Constant(bytes as i64), most: bytes }
    }

    /// Bytes of a launch of these sizes.
    pub fn of(&self, sizes: &[i64]) -> usize {
        self.bytes.evaluate(sizes) as usize
    }
}

/// The stages inside a back end that `--emit` can print.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EmitStage {
    Mlir,
    MlirLowered,
    Llvm,
    /// Of a processor.
    Asm,
    /// Of a GPU.
    Ptx,
}

/// How a kernel is launched on a GPU: everything that does not depend on where its buffers are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// Of a block, which is one-dimensional.
    pub threads: u32,
    /// Of the grid, which is one-dimensional. Where there are none, nothing is launched.
    pub blocks: Extent,
    /// Shared memory that a launch gives to each block.
    pub shared_bytes: u32,
}

/// The kernels of a program for a GPU's driver, in its order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GpuProgram {
    /// PTX.
    pub modules: Vec<Vec<u8>>,
    /// For each kernel, the number of its module and its name there.
    pub functions: Vec<(usize, String)>,
    pub geometries: Vec<Geometry>,
}

/// A number of things as a function of the sizes that a launch hands over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Extent {
    Constant(i64),
    /// Size, by its place in the kernel's sizes.
    Size(u16),
    Sum(Vec<Extent>),
    Product(Vec<Extent>),
    /// ⌈extent / unit⌉.
    Units(Box<Extent>, i64),
    /// The second where the first is at most `limit`, else the third.
    IfAtMost(Box<Extent>, i64, Box<(Extent, Extent)>),
}

impl Extent {
    pub fn units(self, unit: i64) -> Extent {
        Extent::Units(Box::new(self), unit)
    }

    /// `then` where it is at most `limit`.
    pub fn if_at_most(self, limit: i64, then: Extent, otherwise: Extent) -> Extent {
        Extent::IfAtMost(Box::new(self), limit, Box::new((then, otherwise)))
    }

    /// The lesser of it and `limit`.
    pub fn or_at_most(self, limit: i64) -> Extent {
        self.clone().if_at_most(limit, self, Extent::Constant(limit))
    }

    pub fn times(self, factor: i64) -> Extent {
        Extent::Product(vec![self, Extent::Constant(factor)])
    }

    pub fn evaluate(&self, sizes: &[i64]) -> i64 {
        match self {
            Extent::Constant(value) => *value,
            Extent::Size(i) => sizes[usize::from(*i)],
            Extent::Sum(terms) => terms.iter().map(|term| term.evaluate(sizes)).sum(),
            Extent::Product(factors) => factors.iter().map(|factor| factor.evaluate(sizes)).product(),
            Extent::Units(extent, unit) => (extent.evaluate(sizes) + unit - 1) / unit,
            Extent::IfAtMost(extent, limit, then) => {
                let (then, otherwise) = &**then;
                if extent.evaluate(sizes) <= *limit { then.evaluate(sizes) } else { otherwise.evaluate(sizes) }
            }
        }
    }
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

#[cfg(test)]
mod tests {
    use super::Extent;

    #[test]
    fn extents_follow_the_sizes() {
        let (rows, columns) = (Extent::Size(0), Extent::Size(1));
        let tiles = Extent::Product(vec![Extent::Sum(vec![rows.clone(), Extent::Size(2)]), columns.clone().units(128)]);
        assert_eq!(tiles.evaluate(&[3, 129, 4]), 7 * 2);
        assert_eq!(tiles.evaluate(&[3, 0, 4]), 0);
        let short = columns.if_at_most(1024, rows.clone().units(8), rows);
        assert_eq!(short.evaluate(&[17, 1024]), 3);
        assert_eq!(short.evaluate(&[17, 1025]), 17);
    }
}
