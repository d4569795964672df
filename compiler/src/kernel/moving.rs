//! Kernels that move rows: by index, into a cache, and turned by an angle.

/// `out[r, :] = table[ids[r], :]`. Operands: ids i32, table, out. Sizes: rows, width. Extent: rows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Gather;

impl Gather {
    pub fn extent(&self, sizes: &[i64]) -> i64 {
        sizes[0]
    }
}

/// `out[ids[r], :] += gradient[r, :]`, r ascending; `out` is zeroed first unless its access is `Update`. Operands: ids i32, gradient, out. Sizes: rows, width, classes. Extent:
/// ⌈width / COLUMN_BLOCK⌉ (threads divide the columns, so that the order of additions is fixed).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ScatterAdd;

impl ScatterAdd {
    pub const COLUMN_BLOCK: i64 = 64;

    pub fn extent(&self, sizes: &[i64]) -> i64 {
        (sizes[1] + Self::COLUMN_BLOCK - 1) / Self::COLUMN_BLOCK
    }
}

/// Rotary embedding of x `[B, T, H, C]` at positions `position`, `position + 1`, …, or in `documents` each token at its own: see `Op::Rope`.
/// Operands: x, cosines `[positions, channels/2]`, sines, position i32 or positions i32 `[B, T]`, out. Without `out`, x is an `Update` and turned in
/// place: what is not turned is not touched. Sizes: B, T, H, C, channels. Extent: B · T.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Rope {
    pub inverse: bool,
    pub documents: bool,
}

impl Rope {
    pub fn extent(&self, sizes: &[i64]) -> i64 {
        sizes[0] * sizes[1]
    }
}

/// `cache[b, position + t, :] = new[b, t, :]`. Operands: new `[B, T, W]`, position i32, cache `[B, S, W]`. Sizes: B, T, S, W. Extent: B · T.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CacheWrite;

impl CacheWrite {
    pub fn extent(&self, sizes: &[i64]) -> i64 {
        sizes[0] * sizes[1]
    }
}
