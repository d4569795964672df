//! One emitter per body of a kernel.

pub mod attention;
mod contraction;
mod moving;
pub mod program;
pub mod random;
pub mod rotary;
pub mod rows;
mod scratch;
mod sizes;

use crate::mlir::Emission;
use crate::vectors::Vectors;
use tfc_compiler::executable::{BackendError, Room};
use tfc_compiler::kernel::{Body, Contraction, Kernel};

/// Refuses a kernel that is not well-formed: the emitters rely on it.
pub fn check(kernel: &Kernel) -> Result<(), BackendError> {
    let violations = kernel.violations();
    match violations.is_empty() {
        true => Ok(()),
        false => Err(BackendError(format!("bug in tfc: an ill-formed kernel: {}", violations.join("; ")))),
    }
}

/// Adds the function of a kernel to a module.
pub fn emit(emission: &Emission, name: &str, kernel: &Kernel) {
    emission.kernel(name, |f, launch| match &kernel.body {
        Body::Contraction(body) => contraction::emit(f, launch, kernel, body),
        Body::Rows(body) => rows::emit(f, launch, kernel, body),
        Body::Columns(body) => rows::emit_columns(f, launch, kernel, body),
        Body::Gather(_) => moving::gather(f, launch, kernel),
        Body::ScatterAdd(_) => moving::scatter_add(f, launch, kernel),
        Body::Rope(body) => moving::rope(f, launch, kernel, body),
        Body::CacheWrite(_) => moving::cache_write(f, launch),
        Body::Attention(body) => attention::emit(f, launch, body),
        Body::AttentionBackward(body) => attention::emit_backward(f, launch, body),
        Body::CachedAttention(body) => attention::emit_cached(f, launch, body),
    });
}

/// The memory that threads share if they share any.
pub fn shared(kernel: &Kernel, vectors: Vectors) -> Room {
    of_contractions(kernel, |body| contraction::shared(body, vectors))
}

/// The scratch that each thread must hand to a kernel where threads share.
pub fn scratch_of_sharing(kernel: &Kernel, vectors: Vectors) -> Room {
    of_contractions(kernel, |body| contraction::scratch_of_sharing(body, vectors))
}

/// The rows of an item then, if it is of rows.
pub fn rows_of_item(kernel: &Kernel, vectors: Vectors) -> i64 {
    if let Body::Contraction(body) = &kernel.body { contraction::rows_of_item(body, vectors) } else { 1 }
}

/// Nothing for what shares nothing.
fn of_contractions(kernel: &Kernel, room: impl Fn(&Contraction) -> Room) -> Room {
    if let Body::Contraction(body) = &kernel.body { room(body) } else { Room::NONE }
}

/// The scratch that each thread must hand to a kernel.
pub fn scratch(kernel: &Kernel, vectors: Vectors) -> Room {
    let always = |elements: i64| Room::always(4 * elements as usize);
    match &kernel.body {
        Body::Contraction(body) => contraction::scratch(body, vectors),
        Body::Attention(body) => always(attention::scratch_elements(body.channels, body.precision, vectors)),
        Body::CachedAttention(body) => always(attention::cached_scratch_elements(body.channels, vectors)),
        Body::AttentionBackward(body) => {
            always(attention::backward_scratch_elements(body.channels, body.precision, vectors))
        }
        Body::Rows(_) | Body::Columns(_) | Body::Gather(_) | Body::ScatterAdd(_) | Body::Rope(_) => Room::NONE,
        Body::CacheWrite(_) => Room::NONE,
    }
}
