//! Tiles that `tfc bench --tune` has found to be the fastest on a GPU: a file beside compiled code, read whenever code is made for that GPU.
//!
//! A choice is that of a kernel at a class of sizes: those of one sequence where the kernel has most to do, each rounded up to a power of two.

use crate::console::to_stderr;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use tfc_codegen::CudaBackend;
use tfc_codegen::cuda::Tile;
use tfc_compiler::compiled::{Compiled, Entry};
use tfc_compiler::kernel::{Body, Kernel};
use tfc_compiler::plan::{Plan, busiest};
use tfc_compiler::size::{SizeValues, Symbol};
use tfc_runtime::code_cache::{CodeCache, VARIABLE, digest};
use tfc_runtime::device::Gpu;
use tfc_runtime::storage::NewFile;
use tfc_runtime::{Failure, Result};

/// By kernel and class of sizes the tile, as text; sorted, so that equal choices are equal files.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Choices(BTreeMap<String, BTreeMap<String, String>>);

impl Choices {
    /// Nothing where there is no file.
    ///
    /// # Errors
    /// It is damaged; one sentence.
    fn read(path: &Path) -> std::result::Result<Choices, String> {
        match fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| {
                format!(
                    "the tiles in {} are ignored, for the file is damaged: {error}; `tfc bench --tune` writes it anew",
                    path.display()
                )
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Choices::default()),
            Err(error) => Err(format!("the tiles in {} are ignored: {error}", path.display())),
        }
    }

    fn write(&self, path: &Path) -> Result<()> {
        let folder = path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder).map_err(|error| Failure::io("create", folder, &error))?;
        let text = serde_json::to_vec_pretty(self).expect("bug in tfc: texts by their names are JSON");
        NewFile::write(path, &text)
    }

    /// Of the kernels of a program those that have another tile than the cost model would choose; of the stages that were tuned, the last counts.
    fn of(&self, backend: &CudaBackend, compiled: &Compiled) -> Vec<(Kernel, Tile)> {
        let classes: Vec<_> =
            (0..compiled.model.experiment.stages.len()).rev().map(|stage| classes(compiled, stage)).collect();
        let choice = |(i, kernel): (usize, &Kernel)| {
            let of_kernel = self.0.get(&digest(kernel))?;
            let name = classes.iter().find_map(|classes| of_kernel.get(classes[i].as_ref()?))?;
            let tiles = backend.tiles(kernel);
            // The first is what it would have anyway; one that is not among them was chosen by another tfc.
            let tile = tiles.iter().skip(1).find(|tile| tile.to_string() == *name)?;
            Some((kernel.clone(), *tile))
        };
        compiled.program.kernels.iter().enumerate().filter_map(choice).collect()
    }
}

/// The back end, with what was found for this GPU. A file that is damaged is ignored, which is said.
pub fn backend(backend: CudaBackend, gpu: &Gpu, compiled: &Compiled) -> CudaBackend {
    let Ok(path) = path(gpu) else { return backend };
    let choices = Choices::read(&path).unwrap_or_else(|ignored| {
        to_stderr(&ignored);
        Choices::default()
    });
    let tiles = choices.of(&backend, compiled);
    backend.with_tiles(tiles)
}

/// Keeps the tiles of kernels, by their numbers in a program, for later; gives where. They were found at the sizes of a stage.
///
/// # Errors
/// Nothing is kept on this machine, or the file cannot be written.
pub fn keep(gpu: &Gpu, compiled: &Compiled, stage: usize, tiles: &[(u32, Tile)]) -> Result<PathBuf> {
    let path = path(gpu)?;
    let mut choices = Choices::read(&path).unwrap_or_default();
    let classes = classes(compiled, stage);
    for (kernel, tile) in tiles {
        let i = *kernel as usize;
        if let Some(class) = &classes[i] {
            let of_kernel = choices.0.entry(digest(&compiled.program.kernels[i])).or_default();
            of_kernel.insert(class.clone(), tile.to_string());
        }
    }
    choices.write(&path)?;
    Ok(path)
}

/// The file of a GPU.
///
/// # Errors
/// No compiled code is kept, and so nothing beside it.
pub fn path(gpu: &Gpu) -> Result<PathBuf> {
    let cache = CodeCache::of_environment();
    let nowhere = || {
        Failure::mistake(format!("tiles are kept beside compiled code, and none is kept; let {VARIABLE} name a folder"))
    };
    let folder = cache.folder().ok_or_else(nowhere)?;
    let words = gpu.name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let name = words.chain([gpu.architecture().as_str()]).collect::<Vec<_>>().join("-");
    Ok(folder.join(format!("{name}.tiles.json")))
}

/// Of each kernel with a choice, its class at the sizes of a stage: `outer × rows × columns × k`.
fn classes(compiled: &Compiled, stage: usize) -> Vec<Option<String>> {
    let model = &compiled.model;
    let context = model.context.unwrap_or(1);
    let at = |plan: &Plan| -> SizeValues {
        let positions = if plan.name == Entry::Decode.name() { 1 } else { context };
        let sizes = model.stage_sizes(stage).with(Symbol::BATCH, 1).with(Symbol::CAPACITY, context);
        sizes.with(Symbol::SEQUENCE, positions)
    };
    let class = |(kernel, sizes): (&Kernel, Option<Vec<i64>>)| match &kernel.body {
        Body::Contraction(_) => {
            let rounded = |size: &i64| (*size).max(0).cast_unsigned().next_power_of_two().to_string();
            Some(sizes?[..4].iter().map(rounded).collect::<Vec<_>>().join(" × "))
        }
        Body::Attention(_) | Body::AttentionBackward(_) | Body::CachedAttention(_) => None,
        Body::Rows(_) | Body::Columns(_) => None,
        Body::Gather(_) | Body::ScatterAdd(_) | Body::Rope(_) | Body::CacheWrite(_) => None,
    };
    compiled.program.kernels.iter().zip(busiest(&compiled.program, at)).map(class).collect()
}
