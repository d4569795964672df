//! What every kernel starts from: its sizes, and who a thread is.

use crate::mlir::{Bool, F32, F32s, Float, Function, GpuLaunch, Index, Scalar, Stored, Value, Vector, WARP};
use tfc_compiler::graph::DType;

/// Of a block, where nothing else is wanted.
pub const THREADS: u32 = 256;
pub const WARPS: i64 = THREADS as i64 / LANES;
pub const LANES: i64 = WARP as i64;

/// Numbers of a register.
pub const QUAD: i64 = 4;

/// A size that a kernel's structure knows, or that a launch hands over.
#[derive(Clone, Copy)]
pub enum Size<'f> {
    Known(i64),
    Given(Index<'f>),
}

impl From<i64> for Size<'_> {
    fn from(known: i64) -> Self {
        Size::Known(known)
    }
}

impl<'f> Size<'f> {
    pub fn index(self, f: &'f Function<'f>) -> Index<'f> {
        match self {
            Size::Known(number) => f.index(number),
            Size::Given(index) => index,
        }
    }
}

/// The sizes of a launch, for what takes them apart.
pub fn sizes<'f>(launch: &GpuLaunch<'f>) -> Vec<Size<'f>> {
    launch.sizes.iter().map(|size| Size::Given(*size)).collect()
}

/// Who a thread is.
#[derive(Clone, Copy)]
pub struct Thread<'f> {
    /// Its number in the block.
    pub number: Index<'f>,
    /// Of its warp in the block.
    pub warp: Index<'f>,
    /// Its number in the warp.
    pub lane: Index<'f>,
    pub block: Index<'f>,
}

impl<'f> Thread<'f> {
    pub fn this(f: &'f Function<'f>) -> Thread<'f> {
        let number = f.thread();
        Thread {
            number: number.to_index(),
            warp: (number / WARP).to_index(),
            lane: (number % WARP).to_index(),
            block: f.block_number(),
        }
    }

    /// Of its warp in the grid.
    pub fn warp_of_grid(self) -> Index<'f> {
        self.block * WARPS + self.warp
    }
}

/// What a thread takes up at once: one number, or a register of consecutive ones where that is aligned.
pub trait Taken: Float {
    const WIDTH: i64;

    fn load<'f>(from: Stored<'f>, column: Index<'f>) -> Value<'f, Self>;
    /// To i32 toward zero.
    fn store<'f>(to: Stored<'f>, column: Index<'f>, value: Value<'f, Self>);
    fn scalars<'f>(value: Value<'f, Self>) -> Vec<Scalar<'f>>;
    fn register<'f>(f: &'f Function<'f>, scalars: &[Scalar<'f>]) -> Value<'f, Self>;
}

impl Taken for F32 {
    const WIDTH: i64 = 1;

    fn load<'f>(Stored { pointer, dtype }: Stored<'f>, column: Index<'f>) -> Scalar<'f> {
        match dtype {
            DType::F32 => pointer.load(column),
            DType::BF16 => pointer.load_bf16(column),
            DType::I32 => pointer.load_int(column).to_float(),
        }
    }

    fn store<'f>(Stored { pointer, dtype }: Stored<'f>, column: Index<'f>, value: Scalar<'f>) {
        match dtype {
            DType::F32 => pointer.store(column, value),
            DType::BF16 => pointer.store_bf16(column, value),
            DType::I32 => pointer.store_int(column, value.truncate()),
        }
    }

    fn scalars<'f>(value: Scalar<'f>) -> Vec<Scalar<'f>> {
        vec![value]
    }

    fn register<'f>(_: &'f Function<'f>, scalars: &[Scalar<'f>]) -> Scalar<'f> {
        scalars[0]
    }
}

impl Taken for F32s {
    const WIDTH: i64 = QUAD;

    fn load<'f>(Stored { pointer, dtype }: Stored<'f>, column: Index<'f>) -> Vector<'f> {
        match dtype {
            DType::F32 => pointer.load_aligned(column),
            DType::BF16 => pointer.load_bf16_aligned(column),
            DType::I32 => pointer.load_aligned::<<F32s as Float>::Bits>(column).to_float(),
        }
    }

    fn store<'f>(Stored { pointer, dtype }: Stored<'f>, column: Index<'f>, value: Vector<'f>) {
        match dtype {
            DType::F32 => pointer.store_aligned(column, value),
            DType::BF16 => pointer.store_bf16_aligned(column, value),
            DType::I32 => pointer.store_aligned(column, value.truncate()),
        }
    }

    fn scalars<'f>(value: Vector<'f>) -> Vec<Scalar<'f>> {
        value.scalars()
    }

    fn register<'f>(f: &'f Function<'f>, scalars: &[Scalar<'f>]) -> Vector<'f> {
        f.register(scalars)
    }
}

/// Whether registers can be loaded from there.
pub fn is_aligned<'f>(from: impl Into<Stored<'f>>) -> Bool<'f> {
    is_aligned_to(QUAD, from.into())
}

/// Whether so many numbers can be read from there at once.
pub fn is_aligned_to<'f>(numbers: i64, Stored { pointer, dtype }: Stored<'f>) -> Bool<'f> {
    (pointer.address() % (dtype.bytes() as i64 * numbers)).equals(pointer.function().index(0))
}

/// The first of the buffers or sizes, by their names in what documents the body.
pub fn first<T: Copy, const N: usize>(all: &[T]) -> [T; N] {
    std::array::from_fn(|i| all[i])
}
