//! What a block computes, chosen by a small model of what each choice costs.

use super::source::Source;
use crate::cuda::architecture::Architecture;
use crate::cuda::kernels::launch::QUAD;
use crate::cuda::kernels::slice::{Side, Slice};
use crate::cuda::resources::Resources;
use crate::mlir::{Multiplicand, WARP};

/// A tile of C, the part of k of its slices, and the part of the tile that a warp computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tile {
    pub rows: i64,
    pub columns: i64,
    pub depth: i64,
    pub warp_rows: i64,
    pub warp_columns: i64,
    /// How many slices of an operand that passes through registers are there, or on their way there, while another is multiplied.
    pub ahead: i64,
}

/// Rows, columns, and those of a warp; eight warps each. Wide and high ones are for operands that are expensive to compute: each is computed once for every
/// tile along the other.
const CANDIDATES: [[i64; 4]; 5] =
    [[128, 128, 64, 32], [64, 256, 32, 64], [256, 64, 64, 32], [64, 128, 32, 32], [128, 64, 32, 32]];

/// Of a slice: the part of k that is in shared memory at once. Two products of a tensor core are deep enough to hide a barrier; what is loaded for more of
/// them has no room in registers.
const SLICE_BYTES: i64 = 64;

/// Slices of an operand in shared memory: of one that is copied, three on their way while one is multiplied; of one that threads write, the next beside it.
pub const SLICES_COPIED: i64 = 4;
pub const SLICES_WRITTEN: i64 = 2;

/// Registers of a thread beside sums, what is loaded and fragments: addresses, and what a prologue computes with. ptxas took 60 to 90, and where nothing is
/// computed and it is asked for room for a second block, makes do with the fewest without spilling one.
const OTHER_REGISTERS: i64 = 72;
const FEWEST_OTHER_REGISTERS: i64 = 24;
/// Where k runs along the rows of A, fragments are turned, and addresses cannot be shared.
const TURNED_REGISTERS: i64 = 32;
/// A thread has no more than 255.
const MOST_REGISTERS: i64 = 240;
/// What waiting at barriers costs where no second block computes meanwhile.
const ALONE: f64 = 1.2;
/// Cycles until a number from memory is there: on Ampere and Hopper between 200 and 300 from the second-level cache, up to 800 from beyond it (arXiv 2402.13499).
const LATENCY: f64 = 600.0;
/// The most slices ahead in registers.
const MOST_AHEAD: i64 = 2;

impl Tile {
    /// Those that fit, by the cycles that each product of two numbers is expected to take: the first is the model's choice.
    pub fn candidates(architecture: Architecture, sources: &[Source; 2]) -> Vec<Tile> {
        let fits = |tile: &Tile| {
            tile.registers(architecture, sources) <= MOST_REGISTERS
                && tile.shared_bytes(sources) <= architecture.shared_bytes_of_block
        };
        let cost = |tile: &Tile| tile.cycles(architecture, sources) / (tile.rows * tile.columns) as f64;
        let depth = SLICE_BYTES / sources[0].multiplicand.bytes();
        let tile = |[rows, columns, warp_rows, warp_columns]: [i64; 4], ahead| Tile {
            rows,
            columns,
            depth,
            warp_rows,
            warp_columns,
            ahead,
        };
        // Where both operands are copied, nothing is ahead in registers.
        let most_ahead = if sources.iter().all(Source::copies) { 1 } else { MOST_AHEAD };
        let all = (1..=most_ahead).flat_map(|ahead| CANDIDATES.map(|shape| tile(shape, ahead)));
        let mut candidates: Vec<Tile> = all.filter(fits).collect();
        candidates.sort_by(|a, b| cost(a).total_cmp(&cost(b)));
        // The last is the smallest: a prologue that has no room there may spill, and is still right.
        if candidates.is_empty() { vec![tile(CANDIDATES[4], 1)] } else { candidates }
    }

    pub fn threads(self) -> i64 {
        self.rows / self.warp_rows * (self.columns / self.warp_columns) * i64::from(WARP)
    }

    pub fn slice(self, source: &Source) -> Slice {
        let Source { side, multiplicand, along_k, .. } = *source;
        Slice { side, multiplicand, along_k, lanes: self.lanes(side), depth: self.depth }
    }

    /// Of an operand's slices.
    fn lanes(self, side: Side) -> i64 {
        match side {
            Side::A => self.rows,
            Side::B => self.columns,
        }
    }

    fn lanes_of_warp(self, side: Side) -> i64 {
        match side {
            Side::A => self.warp_rows,
            Side::B => self.warp_columns,
        }
    }

    /// Slices of A and B, or afterwards the sums.
    pub fn shared_bytes(self, sources: &[Source; 2]) -> i64 {
        let bytes = |source: &Source| slices(source.copies()) * self.slice(source).bytes();
        let slices = sources.iter().map(bytes).sum::<i64>();
        slices.max(self.rows * self.sums_pitch() * size_of::<f32>() as i64)
    }

    /// The distance of rows of sums in shared memory: eight more than a multiple of 32, so that the four rows that half a warp writes are in different banks.
    pub fn sums_pitch(self) -> i64 {
        self.columns + 8
    }

    pub fn registers(self, architecture: Architecture, sources: &[Source; 2]) -> i64 {
        let sums = self.rows * self.columns / self.threads();
        let fragments = self.warp_rows / 16 * 4 + self.warp_columns / 8 * 2;
        // Also of what is copied: where rows are not aligned, all passes through registers.
        let loaded = |source: &Source| {
            let quads = self.lanes(source.side) * self.depth / QUAD / self.threads();
            self.ahead * quads * source.registers_of_quad()
        };
        let turned = if sources[0].along_k { 0 } else { TURNED_REGISTERS };
        let held = sums + fragments + sources.iter().map(loaded).sum::<i64>() + turned;
        let of_two_blocks = architecture.registers / 2 / self.threads();
        let is_bare = sources.iter().all(|source| source.prologue.is_none());
        match is_bare && held + FEWEST_OTHER_REGISTERS <= of_two_blocks {
            true => of_two_blocks.min(held + OTHER_REGISTERS),
            false => held + OTHER_REGISTERS,
        }
    }

    /// Blocks that a multiprocessor has at once.
    fn blocks(self, architecture: Architecture, sources: &[Source; 2]) -> i64 {
        let (registers, shared_bytes) = (self.registers(architecture, sources), self.shared_bytes(sources));
        Resources { threads: self.threads(), registers, shared_bytes }.blocks(architecture).max(1)
    }

    /// Cycles of a multiprocessor for one k of the tile: those of the unit that has most to do.
    fn cycles(self, architecture: Architecture, sources: &[Source; 2]) -> f64 {
        let (rows, columns) = (self.rows as f64, self.columns as f64);
        let multiplicand = sources[0].multiplicand;
        let bytes = multiplicand.bytes() as f64;
        let products = rows * columns / architecture.products(multiplicand);
        let warps = (self.threads() / i64::from(WARP)) as f64;
        let read = warps * (self.warp_rows + self.warp_columns) as f64;
        let shared = (rows + columns + read) * bytes / architecture.shared_bytes_per_cycle;
        let of_both = |of_one: &dyn Fn(&Source) -> f64| sources.iter().map(of_one).sum::<f64>();
        let memory = of_both(&|source| (self.lanes(source.side) * source.bytes_of_number()) as f64);
        let computed = of_both(&|source| match (source.copies(), multiplicand) {
            (true, Multiplicand::Bf16) => 0.0,
            // It is rounded by each warp that multiplies it.
            (true, Multiplicand::Tf32) => warps * self.lanes_of_warp(source.side) as f64,
            (false, _) => self.lanes(source.side) as f64 * source.instructions_of_number(),
        });
        let busiest = products
            .max(shared)
            .max(memory / architecture.memory_bytes_per_cycle)
            .max(computed / architecture.f32_per_cycle);
        let resident = self.blocks(architecture, sources);
        let ahead = sources.iter().map(|source| if source.copies() { SLICES_COPIED - 1 } else { self.ahead });
        let waited = LATENCY / (self.depth * ahead.min().expect("two operands") * resident) as f64;
        let busiest = busiest.max(waited);
        if resident < 2 { busiest * ALONE } else { busiest }
    }
}

/// `128 × 128, 64 × 32 of a warp, 1 ahead`
impl std::fmt::Display for Tile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Tile { rows, columns, depth: _, warp_rows, warp_columns, ahead } = self;
        write!(f, "{rows} × {columns}, {warp_rows} × {warp_columns} of a warp, {ahead} ahead")
    }
}

/// How many of its slices are in shared memory.
pub fn slices(copied: bool) -> i64 {
    if copied { SLICES_COPIED } else { SLICES_WRITTEN }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tfc_compiler::kernel::{Body, Contraction, Kernel, Operand, Program, ProgramOp};
    use tfc_compiler::precision::Precision;
    use tfc_compiler::scalar::Unary;

    /// C = A · B of matrices in f32, with a function of each.
    fn product(precision: Precision, functions: [Option<Unary>; 2]) -> Kernel {
        let [prologue_a, prologue_b] = functions.map(|function| {
            function.map(|function| {
                let mut program = Program::default();
                let given = program.push(ProgramOp::Given);
                let result = program.push(ProgramOp::Unary(function, given));
                (program, result)
            })
        });
        let body = Contraction { prologue_a, prologue_b, ..Contraction::product(precision, false, false) };
        Kernel { body: Body::Contraction(body), operands: vec![Operand::READ, Operand::READ, Operand::WRITE] }
    }

    fn sources(kernel: &Kernel) -> [Source<'_>; 2] {
        let Body::Contraction(body) = &kernel.body else { panic!("a contraction") };
        Source::both(kernel, body)
    }

    /// Square tiles read least; an operand that is expensive to compute is computed less often where the tile is long on the other side.
    #[test]
    fn tiles_are_long_where_that_saves_work() {
        for architecture in Architecture::ALL {
            for precision in [Precision::F32, Precision::Bf16] {
                let chosen = |a, b| Tile::candidates(architecture, &sources(&product(precision, [a, b])))[0];
                let size = |tile: Tile| (tile.rows, tile.columns);
                assert_eq!(size(chosen(None, None)), (128, 128));
                assert_eq!(size(chosen(Some(Unary::Relu), None)), (128, 128));
                assert_eq!(size(chosen(Some(Unary::GeluTanh), None)), (64, 256));
                assert_eq!(size(chosen(None, Some(Unary::GeluTanh))), (256, 64));
                let expensive = product(precision, [Some(Unary::GeluTanh), None]);
                let fits = |tile: &Tile| tile.shared_bytes(&sources(&expensive)) <= architecture.shared_bytes_of_block;
                assert!(Tile::candidates(architecture, &sources(&expensive)).iter().all(fits));
            }
        }
    }

    /// Where nothing is computed on the way, slices of tf32 are small enough that two blocks run side by side, and hide each other's barriers.
    #[test]
    fn two_blocks_of_bare_products_run_side_by_side() {
        for architecture in Architecture::ALL {
            let blocks = |precision, function| {
                let kernel = product(precision, [function, None]);
                let sources = sources(&kernel);
                Tile::candidates(architecture, &sources)[0].blocks(architecture, &sources)
            };
            assert_eq!(blocks(Precision::F32, None), 2);
            assert_eq!(blocks(Precision::F32, Some(Unary::Gelu)), 1);
            assert_eq!(blocks(Precision::Bf16, None), 1);
        }
    }
}
