//! What a block computes, chosen by a small model of what each choice costs.

use crate::cuda::architecture::Architecture;
use crate::cuda::kernels::slice::{Side, Slice};
use crate::mlir::{Multiplicand, WARP};
use tfc_compiler::kernel::{Contraction, ContractionAccess, Program, ProgramOp, Register};
use tfc_compiler::precision::Precision;
use tfc_compiler::scalar::{Binary, Unary};

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

/// Registers of a thread beside sums, what is loaded and fragments: addresses, and what a prologue computes with. ptxas took 60 to 90.
const OTHER_REGISTERS: i64 = 72;
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
    pub fn candidates(architecture: Architecture, body: &Contraction) -> Vec<Tile> {
        let fits = |tile: &Tile| {
            tile.registers(body) <= MOST_REGISTERS && tile.shared_bytes(body) <= architecture.shared_bytes_of_block
        };
        let cost = |tile: &Tile| tile.cycles(architecture, body) / (tile.rows * tile.columns) as f64;
        let depth = SLICE_BYTES / Multiplicand::from(body.precision).bytes();
        let tile = |[rows, columns, warp_rows, warp_columns]: [i64; 4], ahead| Tile {
            rows,
            columns,
            depth,
            warp_rows,
            warp_columns,
            ahead,
        };
        // Where both operands are copied, nothing is ahead in registers.
        let most_ahead = if copies(Side::A, body) && copies(Side::B, body) { 1 } else { MOST_AHEAD };
        let all = (1..=most_ahead).flat_map(|ahead| CANDIDATES.map(|shape| tile(shape, ahead)));
        let mut candidates: Vec<Tile> = all.filter(fits).collect();
        candidates.sort_by(|a, b| cost(a).total_cmp(&cost(b)));
        // The last is the smallest: a prologue that has no room there may spill, and is still right.
        if candidates.is_empty() { vec![tile(CANDIDATES[4], 1)] } else { candidates }
    }

    pub fn threads(self) -> i64 {
        self.rows / self.warp_rows * (self.columns / self.warp_columns) * i64::from(WARP)
    }

    pub fn slice(self, side: Side, body: &Contraction) -> Slice {
        let (along_k, lanes) = match side {
            Side::A => (!body.transpose_a, self.rows),
            Side::B => (body.transpose_b, self.columns),
        };
        Slice { side, multiplicand: body.precision.into(), along_k, lanes, depth: self.depth }
    }

    /// Slices of A and B, or afterwards the sums.
    pub fn shared_bytes(self, body: &Contraction) -> i64 {
        let bytes = |side, lanes: i64| slices(copies(side, body)) * lanes * SLICE_BYTES;
        let slices = bytes(Side::A, self.rows) + bytes(Side::B, self.columns);
        slices.max(self.rows * self.sums_pitch() * size_of::<f32>() as i64)
    }

    /// The distance of rows of sums in shared memory: eight more than a multiple of 32, so that the four rows that half a warp writes are in different banks.
    pub fn sums_pitch(self) -> i64 {
        self.columns + 8
    }

    pub fn registers(self, body: &Contraction) -> i64 {
        let sums = self.rows * self.columns / self.threads();
        let fragments = self.warp_rows / 16 * 4 + self.warp_columns / 8 * 2;
        let loaded = |side, lanes: i64, prologue: &Prologue| {
            let quads = if copies(side, body) { 0 } else { lanes * self.depth / 4 / self.threads() };
            self.ahead * quads * (4 * (1 + matrices(prologue, body)) + ones(prologue, body))
        };
        let a = loaded(Side::A, self.rows, &body.prologue_a);
        let b = loaded(Side::B, self.columns, &body.prologue_b);
        let turned = if body.transpose_a { TURNED_REGISTERS } else { 0 };
        sums + fragments + a + b + turned + OTHER_REGISTERS
    }

    /// Cycles of a multiprocessor for one k of the tile: those of the unit that has most to do.
    fn cycles(self, architecture: Architecture, body: &Contraction) -> f64 {
        let (rows, columns) = (self.rows as f64, self.columns as f64);
        let multiplicand = Multiplicand::from(body.precision);
        let bytes = multiplicand.bytes() as f64;
        let products = rows * columns / architecture.products(multiplicand);
        let warps = (self.threads() / i64::from(WARP)) as f64;
        let read = warps * (self.warp_rows + self.warp_columns) as f64;
        let shared = (rows + columns + read) * bytes / architecture.shared_bytes_per_cycle;
        let loaded = |lanes: f64, prologue: &Prologue| lanes * (1 + matrices(prologue, body)) as f64 * 4.0;
        let memory = loaded(rows, &body.prologue_a) + loaded(columns, &body.prologue_b);
        // What is copied is rounded by each warp that multiplies it.
        let computed = |side, lanes: f64, of_warp: i64, prologue: &Prologue| match copies(side, body) {
            true => warps * of_warp as f64,
            false => lanes * prologue_cost(prologue, body.precision),
        };
        let computed = computed(Side::A, rows, self.warp_rows, &body.prologue_a)
            + computed(Side::B, columns, self.warp_columns, &body.prologue_b);
        let busiest = products
            .max(shared)
            .max(memory / architecture.memory_bytes_per_cycle)
            .max(computed / architecture.f32_per_cycle);
        let resident = (architecture.registers / (self.registers(body) * self.threads())).max(1);
        let ahead = [Side::A, Side::B].map(|side| if copies(side, body) { SLICES_COPIED - 1 } else { self.ahead });
        let waited = LATENCY / (self.depth * ahead[0].min(ahead[1]) * resident) as f64;
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

/// Whether an operand goes from memory to shared memory as it is, around registers: f32 that nothing is computed of before it is rounded to tf32. What is rounded
/// to bf16 is rounded once, on its way: shared memory, whose rate is the limit there, then moves half as many bytes.
pub fn copies(side: Side, body: &Contraction) -> bool {
    let prologue = match side {
        Side::A => &body.prologue_a,
        Side::B => &body.prologue_b,
    };
    prologue.is_none() && Multiplicand::from(body.precision) == Multiplicand::Tf32
}

/// How many of its slices are in shared memory.
pub fn slices(copied: bool) -> i64 {
    if copied { SLICES_COPIED } else { SLICES_WRITTEN }
}

type Prologue = Option<(Program, Register)>;

/// How many operands a prologue reads as often as there are numbers in the matrix that it belongs to.
fn matrices(prologue: &Prologue, body: &Contraction) -> i64 {
    loads(prologue, body, &[ContractionAccess::Matrix, ContractionAccess::PerColumn])
}

/// How many it reads a number of for each row.
fn ones(prologue: &Prologue, body: &Contraction) -> i64 {
    loads(prologue, body, &[ContractionAccess::PerRow, ContractionAccess::Scalar])
}

fn loads(prologue: &Prologue, body: &Contraction, accesses: &[ContractionAccess]) -> i64 {
    let loads = prologue.as_ref().map(|(program, _)| program.loads()).unwrap_or_default();
    loads.iter().filter(|operand| accesses.contains(&body.access[usize::from(**operand) - 2])).count() as i64
}

/// Instructions for a number of an operand: rounding it, and its prologue.
fn prologue_cost(prologue: &Prologue, precision: Precision) -> f64 {
    let program = prologue.iter().flat_map(|(program, _)| &program.ops);
    1.0 + program.map(|op| instructions(op, precision)).sum::<f64>()
}

/// About as many as in the PTX.
fn instructions(op: &ProgramOp, precision: Precision) -> f64 {
    match op {
        ProgramOp::Unary(function, _) => match function {
            Unary::Negate | Unary::Absolute | Unary::Relu | Unary::Floor => 1.0,
            Unary::Sqrt | Unary::ReciprocalOrZero => 10.0,
            Unary::Exp | Unary::Log => 20.0,
            Unary::Tanh | Unary::Sigmoid | Unary::Silu | Unary::SiluDerivative => 35.0,
            // See `math::Accuracy`.
            Unary::Gelu | Unary::GeluDerivative if precision == Precision::Bf16 => 15.0,
            Unary::Gelu | Unary::GeluDerivative => 20.0,
            Unary::GeluTanh | Unary::GeluTanhDerivative => 45.0,
        },
        ProgramOp::Binary(Binary::Divide, ..) => 10.0,
        ProgramOp::Binary(Binary::Power, ..) => 60.0,
        ProgramOp::Binary(..) | ProgramOp::Select(..) => 1.0,
        ProgramOp::Load(_)
        | ProgramOp::Constant(_)
        | ProgramOp::Size(_)
        | ProgramOp::InnerIndex
        | ProgramOp::OuterIndex(_)
        | ProgramOp::Given
        | ProgramOp::Reduce(..)
        | ProgramOp::KthLargest(..)
        | ProgramOp::Uniform { .. } => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contraction(precision: Precision, prologue_a: Option<Unary>, prologue_b: Option<Unary>) -> Contraction {
        let prologue = |function: Option<Unary>| {
            function.map(|function| {
                let mut program = Program::default();
                let given = program.push(ProgramOp::Given);
                let result = program.push(ProgramOp::Unary(function, given));
                (program, result)
            })
        };
        let mut epilogue = Program::default();
        let sum = epilogue.push(ProgramOp::Given);
        Contraction {
            precision,
            transpose_a: false,
            transpose_b: false,
            few_rows: false,
            prologue_a: prologue(prologue_a),
            prologue_b: prologue(prologue_b),
            epilogue,
            stores: vec![(2, sum)],
            access: vec![ContractionAccess::Matrix],
        }
    }

    /// Square tiles read least; an operand that is expensive to compute is computed less often where the tile is long on the other side.
    #[test]
    fn tiles_are_long_where_that_saves_work() {
        for architecture in Architecture::ALL {
            for precision in [Precision::F32, Precision::Bf16] {
                let chosen = |a, b| Tile::candidates(architecture, &contraction(precision, a, b))[0];
                let size = |tile: Tile| (tile.rows, tile.columns);
                assert_eq!(size(chosen(None, None)), (128, 128));
                assert_eq!(size(chosen(Some(Unary::Relu), None)), (128, 128));
                assert_eq!(size(chosen(Some(Unary::GeluTanh), None)), (64, 256));
                assert_eq!(size(chosen(None, Some(Unary::GeluTanh))), (256, 64));
                let body = contraction(precision, Some(Unary::GeluTanh), None);
                let fits = |tile: &Tile| tile.shared_bytes(&body) <= architecture.shared_bytes_of_block;
                assert!(Tile::candidates(architecture, &body).iter().all(fits));
            }
        }
    }
}
