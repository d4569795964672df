//! The functions that a module may call: what LLVM's NVPTX back end cannot select aborts the process, so everything else is refused before.

use inkwell::module::Module;
use tfc_compiler::executable::BackendError;

/// LLVM's own, with what follows a dot: the type.
const GENERAL: [&str; 22] = [
    "llvm.abs",
    "llvm.assume",
    "llvm.copysign",
    "llvm.fabs",
    "llvm.floor",
    "llvm.fma",
    "llvm.fshl",
    "llvm.fshr",
    "llvm.is.fpclass",
    "llvm.lifetime.end",
    "llvm.lifetime.start",
    "llvm.smax",
    "llvm.smin",
    "llvm.sqrt",
    "llvm.uadd.sat",
    "llvm.uadd.with.overflow",
    "llvm.umax",
    "llvm.umin",
    "llvm.umul.with.overflow",
    "llvm.usub.sat",
    "llvm.scmp",
    "llvm.ucmp",
];

/// NVIDIA's: what a simulator must know.
const NVIDIA: [&str; 14] = [
    "llvm.nvvm.barrier.cta.sync.aligned.all",
    "llvm.nvvm.cp.async.ca.shared.global.4.s",
    "llvm.nvvm.cp.async.ca.shared.global.8.s",
    "llvm.nvvm.cp.async.cg.shared.global.16.s",
    "llvm.nvvm.cp.async.commit.group",
    "llvm.nvvm.cp.async.wait.group",
    "llvm.nvvm.f2tf32.rna",
    "llvm.nvvm.ldmatrix.sync.aligned.m8n8.x4.b16",
    "llvm.nvvm.ldmatrix.sync.aligned.m8n8.x4.trans.b16",
    "llvm.nvvm.mma.m16n8k16.row.col.bf16",
    "llvm.nvvm.mma.m16n8k8.row.col.tf32",
    "llvm.nvvm.read.ptx.sreg",
    "llvm.nvvm.shfl.sync.bfly",
    "llvm.nvvm.shfl.sync.idx",
];

/// Refuses a module that calls what is in neither list.
pub fn check(module: &Module) -> Result<(), BackendError> {
    for function in module.get_functions().filter(|function| function.count_basic_blocks() == 0) {
        let name = function.get_name().to_string_lossy();
        let known = GENERAL
            .iter()
            .chain(&NVIDIA)
            .any(|known| name.strip_prefix(known).is_some_and(|suffix| suffix.is_empty() || suffix.starts_with('.')));
        if !known {
            return Err(BackendError(format!("bug in tfc: a kernel for CUDA calls `{name}`, which no GPU has")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn only_known_functions_pass() {
        let context = inkwell::context::Context::create();
        let called = |name: &str| {
            let module = context.create_module("kernels");
            module.add_function(name, context.void_type().fn_type(&[], false), None);
            check(&module)
        };
        assert!(called("llvm.fma.v4f32").is_ok());
        assert!(called("llvm.nvvm.read.ptx.sreg.tid.x").is_ok());
        for unknown in ["llvm.exp.f32", "llvm.fmaximum.f32", "llvm.nvvm.atomic.add", "expf", "memset"] {
            let refused = called(unknown).unwrap_err().0;
            assert_eq!(refused, format!("bug in tfc: a kernel for CUDA calls `{unknown}`, which no GPU has"));
        }
    }
}
