//! From kernels to PTX.

use super::architecture::Architecture;
use super::kernels;
use super::kernels::contraction::{self, Tile};
use super::lower::{self, Compiler};
use super::resources::Resources;
use super::tiling::Tiling;
use crate::container;
use crate::parallel::in_parts;
use tfc_compiler::executable::{Backend, BackendError, Code, EmitStage, Function, Geometry, Loaded, Room};
use tfc_compiler::kernel::{Body, Kernel};
use xxhash_rust::xxh3::xxh3_128;

/// Threads that compile, each a share of the kernels.
const THREADS: usize = 8;

pub struct CudaBackend {
    tiling: Tiling,
}

impl CudaBackend {
    pub fn new(architecture: Architecture) -> CudaBackend {
        CudaBackend { tiling: Tiling { architecture, choices: Vec::new() } }
    }

    /// The same where these kernels have these of their [`CudaBackend::tiles`].
    #[must_use]
    pub fn with_tiles(&self, choices: Vec<(Kernel, Tile)>) -> CudaBackend {
        CudaBackend { tiling: Tiling { choices, ..self.tiling.clone() } }
    }

    /// The tiles that a kernel can have, first that of the cost model; none where it has no choice.
    pub fn tiles(&self, kernel: &Kernel) -> Vec<Tile> {
        match &kernel.body {
            Body::Contraction(body) => contraction::tiles(self.architecture(), kernel, body),
            Body::Attention(_) | Body::AttentionBackward(_) | Body::CachedAttention(_) => Vec::new(),
            Body::Rows(_) | Body::Columns(_) => Vec::new(),
            Body::Gather(_) | Body::ScatterAdd(_) | Body::Rope(_) | Body::CacheWrite(_) => Vec::new(),
        }
    }

    /// How a kernel is launched.
    ///
    /// # Errors
    /// There is no code for its body yet.
    pub fn geometry(&self, kernel: &Kernel) -> Result<Geometry, BackendError> {
        kernels::geometry(&self.tiling, kernel)
    }

    /// PTX, a module for each thread that compiled; the function of a kernel has its [`symbol`].
    ///
    /// # Errors
    /// A kernel is not well-formed, or there is no code for it.
    pub fn modules(&self, kernels: &[Kernel]) -> Result<Vec<String>, BackendError> {
        kernels.iter().try_for_each(|kernel| kernels::check(&self.tiling, kernel))?;
        in_parts(kernels.len(), THREADS, |part, parts| self.share(kernels, EmitStage::Ptx, part, parts))
    }

    /// What stands between the MLIR of a kernel and its PTX: the version of LLVM, and what it is asked for. The same of both, the same PTX.
    pub fn pipeline(&self) -> String {
        lower::pipeline(self.architecture())
    }

    /// What a kernel is expected to take of a multiprocessor.
    ///
    /// # Errors
    /// As [`CudaBackend::geometry`].
    pub fn resources(&self, kernel: &Kernel) -> Result<Resources, BackendError> {
        self.geometry(kernel)?;
        Ok(kernels::resources(&self.tiling, kernel))
    }

    pub fn architecture(&self) -> Architecture {
        self.tiling.architecture
    }

    /// The text of every `parts`-th kernel, from the `part`-th on.
    fn share(&self, kernels: &[Kernel], stage: EmitStage, part: usize, parts: usize) -> Result<String, BackendError> {
        Compiler::new(self.architecture())?.text(stage, |emission| {
            (part..kernels.len())
                .step_by(parts)
                .for_each(|i| kernels::emit(&self.tiling, emission, &symbol(i), &kernels[i]));
        })
    }
}

impl Backend for CudaBackend {
    /// With all that code follows from beside the kernels.
    fn target(&self) -> String {
        let Tiling { architecture, choices } = &self.tiling;
        let of_name = Architecture::named(architecture.name).map(|full| full.shared_bytes_of_block);
        let most = architecture.shared_bytes_of_block;
        let limit = if of_name == Some(most) { String::new() } else { format!(", {most} bytes of shared memory") };
        let tiles = match choices.as_slice() {
            [] => String::new(),
            _ => format!(", tiles {:032x}", xxh3_128(format!("{choices:?}").as_bytes())),
        };
        format!("cuda:{}{limit}{tiles}", architecture.name)
    }

    /// PTX modules, as [`CudaBackend::modules`] makes them.
    fn emit(&self, kernels: &[Kernel]) -> Result<Code, BackendError> {
        let modules: Vec<Vec<u8>> = self.modules(kernels)?.into_iter().map(String::into_bytes).collect();
        let function = |i| Function {
            symbol: symbol(i),
            scratch: Room::NONE,
            scratch_of_sharing: Room::NONE,
            shared: Room::NONE,
            rows_of_item: 1,
        };
        Ok(Code {
            target: self.target(),
            bytes: container::pack(&modules),
            functions: (0..kernels.len()).map(function).collect(),
        })
    }

    fn text(&self, kernels: &[Kernel], stage: EmitStage) -> Result<String, BackendError> {
        kernels.iter().try_for_each(|kernel| kernels::check(&self.tiling, kernel))?;
        self.share(kernels, stage, 0, 1)
    }

    fn load(&self, code: &Code) -> Result<Loaded, BackendError> {
        Err(BackendError(format!(
            "code for {} is launched by a driver, it is not loaded into this process",
            code.target
        )))
    }
}

/// The name of a kernel's function.
pub fn symbol(kernel: usize) -> String {
    format!("kernel_{kernel}")
}
