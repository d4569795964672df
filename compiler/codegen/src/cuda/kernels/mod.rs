//! One emitter per body of a kernel, and the geometry of its launches.

mod attention;
pub(super) mod contraction;
pub(super) mod launch;
mod moving;
mod rotary;
mod rows;
mod slice;

use super::resources::Resources;
use super::tiling::Tiling;
use crate::mlir::{Emission, Signature};
use tfc_compiler::executable::{BackendError, Geometry};
use tfc_compiler::graph::DType;
use tfc_compiler::kernel::{Access, Body, Kernel};

/// Refuses what is not well-formed and what there is no code for.
pub fn check(tiling: &Tiling, kernel: &Kernel) -> Result<(), BackendError> {
    crate::kernels::check(kernel)?;
    geometry(tiling, kernel).map(|_| ())
}

pub fn geometry(tiling: &Tiling, kernel: &Kernel) -> Result<Geometry, BackendError> {
    let architecture = tiling.architecture;
    let unsupported = |body: &str, channels: u32| {
        let what = format!("{body} of heads with {channels} channels");
        Err(BackendError(format!("there is no CUDA code for {what} yet; --target cpu has it")))
    };
    match &kernel.body {
        Body::Rows(body) => Ok(rows::geometry(body)),
        Body::Columns(body) => Ok(rows::column_geometry(body)),
        Body::Gather(_) if kernel.operands[1].dtype == DType::BF16 => {
            Err(BackendError("there is no CUDA code for tables in bf16 yet; --target cpu has it".into()))
        }
        Body::Gather(_) => Ok(moving::gather_geometry()),
        Body::ScatterAdd(_) => Ok(moving::scatter_add_geometry()),
        Body::Rope(_) => Ok(moving::rope_geometry()),
        Body::CacheWrite(_) => Ok(moving::cache_write_geometry()),
        Body::Contraction(body) => Ok(contraction::geometry(tiling.tile(kernel, body), kernel, body)),
        Body::Attention(body) if body.channels <= attention::MOST_CHANNELS => {
            Ok(attention::geometry(architecture, body))
        }
        Body::Attention(body) => unsupported("attention", body.channels),
        Body::AttentionBackward(body) if body.channels <= attention::MOST_CHANNELS => {
            Ok(attention::backward_geometry(architecture, body))
        }
        Body::AttentionBackward(body) => unsupported("the gradients of attention", body.channels),
        Body::CachedAttention(body) if body.channels <= attention::MOST_CHANNELS => {
            Ok(attention::cached_geometry(architecture, body))
        }
        Body::CachedAttention(body) => unsupported("attention to a cache", body.channels),
    }
}

/// What a kernel is expected to take, where no assembler says what it does take; of one that [`check`] has passed.
pub fn resources(tiling: &Tiling, kernel: &Kernel) -> Resources {
    let geometry = geometry(tiling, kernel).expect("checked");
    let registers = match &kernel.body {
        Body::Contraction(body) => contraction::registers(tiling.architecture, tiling.tile(kernel, body), kernel, body),
        Body::Attention(body) => attention::registers(body.channels),
        Body::CachedAttention(body) => attention::registers(body.channels),
        Body::AttentionBackward(body) => attention::backward_registers(body.channels),
        Body::Rows(body) => rows::registers(body),
        Body::Columns(body) => rows::column_registers(body),
        Body::Gather(_) | Body::ScatterAdd(_) | Body::Rope(_) | Body::CacheWrite(_) => moving::REGISTERS,
    };
    Resources { threads: geometry.threads.into(), registers, shared_bytes: geometry.shared_bytes.into() }
}

/// Adds the function of a kernel to a module: one that [`check`] has passed.
pub fn emit(tiling: &Tiling, emission: &Emission, name: &str, kernel: &Kernel) {
    let architecture = tiling.architecture;
    let geometry = geometry(tiling, kernel).expect("checked");
    let read_only: Vec<bool> = kernel.operands.iter().map(|operand| operand.access == Access::Read).collect();
    let blocks = match &kernel.body {
        Body::Contraction(_) => resources(tiling, kernel).blocks(architecture).max(1) as u32,
        _ => 1,
    };
    let (sizes, threads) = (kernel.size_count(), geometry.threads);
    let signature = Signature { name, read_only: &read_only, sizes, threads, blocks };
    emission.gpu_kernel(&signature, |f, launch| match &kernel.body {
        Body::Rows(body) => rows::emit(f, &launch, kernel, body),
        Body::Columns(body) => rows::emit_columns(f, &launch, kernel, body),
        Body::Gather(_) => moving::gather(f, &launch),
        Body::ScatterAdd(_) => moving::scatter_add(f, &launch, kernel),
        Body::Rope(body) => moving::rope(f, &launch, kernel, body),
        Body::CacheWrite(_) => moving::cache_write(f, &launch),
        Body::Contraction(body) => contraction::emit(f, &launch, tiling.tile(kernel, body), kernel, body),
        Body::Attention(body) => attention::emit(f, &launch, architecture, body),
        Body::AttentionBackward(body) => attention::emit_backward(f, &launch, architecture, body),
        Body::CachedAttention(body) => attention::emit_cached(f, &launch, architecture, body),
    });
}
