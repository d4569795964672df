//! The intrinsics that threads carry out together, or on shared memory while they go on: each is a site.

use tfc_compiler::simulation::{Multiplicands, Operation, Shuffle};

/// What a call of `llvm.nvvm.…` hands over; none where it is no such intrinsic.
pub fn operation(intrinsic: &str) -> Option<Operation> {
    let name = intrinsic.strip_prefix("llvm.nvvm.")?;
    if let Some(form) = name.strip_prefix("barrier.cta.sync.") {
        return barrier(form);
    }
    if let Some(form) = name.strip_prefix("shfl.sync.") {
        return shuffle(form).map(Operation::Shuffle);
    }
    if let Some(form) = name.strip_prefix("ldmatrix.sync.aligned.m8n8.") {
        return load_matrices(form);
    }
    match name {
        "bar.warp.sync" => Some(Operation::WarpBarrier),
        "mma.m16n8k16.row.col.bf16" => Some(Operation::Multiply(Multiplicands::Bf16)),
        "mma.m16n8k8.row.col.tf32" => Some(Operation::Multiply(Multiplicands::Tf32)),
        "cp.async.commit.group" => Some(Operation::CommitCopies),
        "cp.async.wait.group" => Some(Operation::AwaitCopies),
        "cp.async.wait.all" => Some(Operation::AwaitAllCopies),
        _ => copy_async(name.strip_prefix("cp.async.")?),
    }
}

fn barrier(form: &str) -> Option<Operation> {
    let (aligned, threads) = match form.strip_prefix("aligned.") {
        Some(threads) => (true, threads),
        None => (false, form),
    };
    match threads {
        "all" => Some(Operation::Barrier { aligned, counted: false }),
        "count" => Some(Operation::Barrier { aligned, counted: true }),
        _ => None,
    }
}

fn shuffle(form: &str) -> Option<Shuffle> {
    let (direction, value) = form.split_once('.')?;
    if !matches!(value, "i32" | "f32" | "i32p" | "f32p") {
        return None;
    }
    match direction {
        "up" => Some(Shuffle::Up),
        "down" => Some(Shuffle::Down),
        "bfly" => Some(Shuffle::Butterfly),
        "idx" => Some(Shuffle::Index),
        _ => None,
    }
}

fn load_matrices(form: &str) -> Option<Operation> {
    let (count, layout) = form.split_once('.')?;
    let matrices = match count {
        "x1" => 1,
        "x2" => 2,
        "x4" => 4,
        _ => return None,
    };
    let transposed = match layout {
        "b16.p3" | "b16" => false,
        "trans.b16.p3" | "trans.b16" => true,
        _ => return None,
    };
    Some(Operation::LoadMatrices { matrices, transposed })
}

fn copy_async(form: &str) -> Option<Operation> {
    let (cached, form) = form.split_once(".shared.global.")?;
    let (size, sized) = match form.strip_suffix(".s") {
        Some(size) => (size, true),
        None => (form, false),
    };
    let bytes = match (cached, size) {
        ("ca", "4") => 4,
        ("ca", "8") => 8,
        ("ca" | "cg", "16") => 16,
        _ => return None,
    };
    Some(Operation::CopyAsync { bytes, sized })
}
