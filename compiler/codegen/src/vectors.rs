//! What the machine's vector unit is like: the one parameter of every emitter.

use crate::tile_permission;
use inkwell::targets::TargetMachine;

/// The width of a vector register and the micro-tile of a matrix product that fills the register file. The rows of a tile are at most a
/// register's width, or a multiple of it: packing overwrites what lies behind them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vectors {
    /// f32 lanes of a register.
    pub width: usize,
    /// Rows of the micro-tile.
    pub rows: usize,
    /// Columns of the micro-tile, in registers.
    pub registers: usize,
    /// Whether a·b + c is one instruction. Without it the two roundings of multiply and add are kept apart, for the alternative
    /// is a library call for each element.
    pub fma: bool,
    /// Whether the product of pairs of bf16, added to an f32, is one instruction.
    pub bf16: bool,
    /// Whether there are registers of 16 rows of 64 bytes, of which the product of two, in pairs of bf16, is one instruction (AMX).
    pub tiles: bool,
    /// Whether a multiplication had better read its element of A itself, and broadcast it, from a panel (AVX-512's embedded broadcast): on a core that takes in few
    /// instructions a cycle, for somebody else's thread takes half of them.
    pub embedded_broadcast: bool,
    /// Whether what was asked for past all caches but the first is still there when it is read. On Intel's servers, where the first cache is somebody else's as well,
    /// much of it is not.
    pub passing: bool,
}

impl Vectors {
    /// 32 registers of 512 bits: 24 accumulators, two columns and a broadcast element.
    pub const AVX512: Vectors = Vectors::new(16, 12, 2);
    pub const AVX512_BF16: Vectors = Vectors { bf16: true, ..Vectors::AVX512 };
    /// Intel's, with tiles for products of bf16.
    pub const AMX: Vectors = Vectors { tiles: true, embedded_broadcast: true, passing: false, ..Vectors::AVX512_BF16 };
    /// 16 registers of 256 bits: 12 accumulators.
    pub const AVX2: Vectors = Vectors::new(8, 6, 2);
    /// 32 registers of 128 bits: 24 accumulators, three columns.
    pub const NEON: Vectors = Vectors::new(4, 8, 3);
    /// 16 registers of 128 bits: any x86-64. 12 accumulators, three columns.
    pub const SSE2: Vectors = Vectors { fma: false, ..Vectors::new(4, 4, 3) };

    /// One thread of a GPU: the four numbers that it loads and stores at once. It has no tile of its own: a warp has.
    pub const GPU_THREAD: Vectors = Vectors::new(4, 1, 1);

    /// Registers of `width` lanes and a tile that suits their number; multiply-adds, and nothing else out of the ordinary.
    const fn new(width: usize, rows: usize, registers: usize) -> Vectors {
        Vectors {
            width,
            rows,
            registers,
            fma: true,
            bf16: false,
            tiles: false,
            embedded_broadcast: false,
            passing: true,
        }
    }

    /// Whether rounding to bf16 is one instruction.
    pub fn rounds_to_bf16(self) -> bool {
        self.bf16 || self == Vectors::GPU_THREAD
    }

    /// Whether there are AVX-512's own instructions.
    pub fn avx512(self) -> bool {
        self.width == Vectors::AVX512.width
    }

    /// What this machine offers.
    pub fn host() -> Vectors {
        let features = TargetMachine::get_host_cpu_features();
        let features = features.to_str().unwrap_or_default();
        let has = |name: &str| features.split(',').any(|f| f.strip_prefix('+') == Some(name));
        if has("avx512f") && has("avx512dq") && has("avx512vl") && has("avx512bw") {
            let bf16 = has("avx512bf16");
            let tiles = bf16 && has("amx-tile") && has("amx-bf16") && tile_permission::granted();
            let is_amd = TargetMachine::get_host_cpu_name().to_bytes().starts_with(b"znver");
            Vectors { bf16, tiles, embedded_broadcast: !is_amd, passing: is_amd, ..Vectors::AVX512 }
        } else if has("avx2") && has("fma") {
            Vectors::AVX2
        } else if cfg!(target_arch = "aarch64") {
            Vectors::NEON
        } else {
            Vectors::SSE2
        }
    }

    /// Columns of the micro-tile.
    pub fn columns(self) -> usize {
        self.width * self.registers
    }
}
