//! What tile a contraction has: a function of the GPU, the kernel, and what was found to be fastest there, if somebody has looked.

use super::architecture::Architecture;
use super::kernels::contraction::{self, Tile};
use tfc_compiler::kernel::{Contraction, Kernel};

#[derive(Clone, Debug)]
pub struct Tiling {
    pub architecture: Architecture,
    /// Of kernels that have another tile than the model's choice.
    pub choices: Vec<(Kernel, Tile)>,
}

impl Tiling {
    /// Of a kernel and its body.
    pub fn tile(&self, kernel: &Kernel, body: &Contraction) -> Tile {
        let chosen = self.choices.iter().find(|(known, _)| known == kernel);
        chosen.map_or_else(|| contraction::tiles(self.architecture, kernel, body)[0], |(_, tile)| *tile)
    }
}
