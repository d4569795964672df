//! What the machine code of a kernel must be like: no register is spilled, products are on tensor cores, rows are read sixteen bytes at a time, what is multiplied as it is in memory is copied
//! around registers, and as many blocks run side by side as the cost model says.

use super::assembler::Assembled;
use super::sass::Loops;
use tfc_codegen::{Architecture, Resources};
use tfc_compiler::graph::DType;
use tfc_compiler::kernel::{
    Attention, AttentionBackward, Body, CachedAttention, Contraction, Inner, Kernel, Operand, RowAccess,
};
use tfc_compiler::precision::Precision;

/// The first thing that is not as it must be.
pub fn wrong(
    architecture: Architecture,
    kernel: &Kernel,
    assembled: &Assembled,
    expected: Resources,
) -> Option<String> {
    let (blocks, wanted) = (taken(assembled, expected).blocks(architecture), expected.blocks(architecture));
    match () {
        () if assembled.spilled > 0 => Some(format!("{} bytes of registers are spilled", assembled.spilled)),
        () if (assembled.tensor_products > 0) != multiplies(kernel) => {
            Some("tensor cores, or none, unlike its body".into())
        }
        () if (assembled.copies > 0) != copies(kernel) => {
            Some("copies around registers, or none, unlike its body".into())
        }
        () if has_fragments(kernel) && assembled.fragments == 0 => Some("no fragment is loaded by ldmatrix".into()),
        () if is_side_by_side(kernel) && assembled.wide == 0 => Some("nothing is read 16 bytes at a time".into()),
        () if !reads_vectors(kernel, assembled) => Some("a main loop reads aligned rows number by number".into()),
        () if blocks < wanted => Some(format!("{blocks} blocks side by side, where the cost model says {wanted}")),
        () => None,
    }
}

/// What a block takes of a multiprocessor: registers as assembled.
pub fn taken(assembled: &Assembled, expected: Resources) -> Resources {
    Resources { registers: assembled.registers.into(), ..expected }
}

fn multiplies(kernel: &Kernel) -> bool {
    match &kernel.body {
        Body::Contraction(_) | Body::Attention(_) | Body::AttentionBackward(_) | Body::CachedAttention(_) => true,
        Body::Rows(_) | Body::Columns(_) => false,
        Body::Gather(_) | Body::ScatterAdd(_) | Body::Rope(_) | Body::CacheWrite(_) => false,
    }
}

/// Whether rows of f32 lie where sixteen bytes of them are read at once.
fn is_side_by_side(kernel: &Kernel) -> bool {
    // Of bf16 four numbers are eight bytes.
    let along = |(access, operand): (&RowAccess, &Operand)| access.inner == Inner::Unit && operand.dtype != DType::BF16;
    match &kernel.body {
        Body::Rows(body) => body.access.iter().zip(&kernel.operands).any(along),
        Body::Columns(body) => body.access.iter().zip(&kernel.operands).any(along),
        // A rotary embedding takes the two halves of a head, whose lengths are often odd.
        Body::Rope(_) => false,
        Body::Contraction(_) | Body::Gather(_) | Body::ScatterAdd(_) | Body::CacheWrite(_) => true,
        // The rows of a head of other lengths begin anywhere.
        Body::Attention(Attention { channels, .. })
        | Body::AttentionBackward(AttentionBackward { channels, .. })
        | Body::CachedAttention(CachedAttention { channels, .. }) => channels % 4 == 0,
    }
}

/// Whether what main loops read of aligned rows they read by vectors; there may be others beside them, for rows that are not.
fn reads_vectors(kernel: &Kernel, assembled: &Assembled) -> bool {
    let Loops { vector, scalar } = assembled.loops;
    let along = |access: &RowAccess| access.inner == Inner::Unit;
    match &kernel.body {
        Body::Contraction(_) => vector > 0,
        // Nothing but copies, in whichever loop they stand.
        Body::Attention(_) | Body::AttentionBackward(_) | Body::CachedAttention(_) => {
            assembled.wide >= assembled.copies || !is_side_by_side(kernel)
        }
        // A loop of either kind for each pass over a row, or none where a warp holds the row. What is strided is read number by number, in the same loops.
        Body::Rows(body) => {
            let is_strided = |access: &RowAccess| access.inner == Inner::Strided;
            vector >= scalar || !body.access.iter().any(along) || body.access.iter().any(is_strided)
        }
        Body::Columns(body) => vector > 0 || !body.access.iter().any(along),
        // A row is a few numbers for each thread.
        Body::Gather(_) | Body::ScatterAdd(_) | Body::Rope(_) | Body::CacheWrite(_) => true,
    }
}

fn copies(kernel: &Kernel) -> bool {
    match &kernel.body {
        Body::Attention(_) | Body::AttentionBackward(_) | Body::CachedAttention(_) => true,
        // Nothing is computed of it, and it is in memory as it is multiplied.
        Body::Contraction(body) => {
            let multiplied = if body.precision == Precision::F32 { DType::F32 } else { DType::BF16 };
            let mut sources = [&body.prologue_a, &body.prologue_b].into_iter().zip(&kernel.operands);
            sources.any(|(prologue, matrix)| prologue.is_none() && matrix.dtype == multiplied)
        }
        Body::Rows(_) | Body::Columns(_) => false,
        Body::Gather(_) | Body::ScatterAdd(_) | Body::Rope(_) | Body::CacheWrite(_) => false,
    }
}

/// Whether fragments lie in shared memory as `ldmatrix` reads them; tf32 whose rows are no lanes is read number by number.
fn has_fragments(kernel: &Kernel) -> bool {
    let as_lanes = |body: &Contraction| body.precision == Precision::Bf16 || !body.transpose_a || body.transpose_b;
    matches!(&kernel.body, Body::Contraction(body) if as_lanes(body))
}
