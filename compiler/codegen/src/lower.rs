//! From MLIR to machine code: MLIR's dialects to LLVM's, LLVM IR, an object file.

use crate::mlir::MlirContext;
use inkwell::passes::PassBuilderOptions;
use inkwell::targets::{FileType, TargetMachine};
use melior::ir::Module;
use melior::pass::PassManager;
use melior::utility::parse_pass_pipeline;
use tfc_compiler::executable::BackendError;

/// What the emitters leave to MLIR: structured control flow, and the dialects that LLVM does not know.
pub const LOWERING: &str =
    "builtin.module(cse,convert-scf-to-cf,convert-vector-to-llvm,convert-to-llvm,reconcile-unrealized-casts)";

/// What the emitters leave to LLVM on a CPU. The loops are written as they shall be, so nothing here unrolls, vectorizes or interleaves: a twentieth of
/// the time of `default<O3>` for the same speed.
pub const FOR_CPU: &str = "function(sroa,early-cse<memssa>,simplifycfg,loop-mssa(licm),instsimplify,early-cse)";

/// To the LLVM dialect, in place.
pub fn lower(mlir: &MlirContext, module: &mut Module) -> Result<(), BackendError> {
    let passes = PassManager::new(&mlir.context);
    parse_pass_pipeline(passes.as_operation_pass_manager(), LOWERING)
        .map_err(|e| BackendError(format!("the lowering pipeline: {e}")))?;
    let lowered = passes.run(module);
    mlir.diagnostics.check("lowering", lowered.is_ok())
}

/// To LLVM IR for `machine`.
pub fn translate<'l>(
    mlir: &MlirContext,
    module: &Module,
    machine: &TargetMachine,
    llvm: &'l inkwell::context::Context,
) -> Result<inkwell::module::Module<'l>, BackendError> {
    // SAFETY: the module is verified and holds only operations that lower to LLVM; `llvm` outlives the result.
    let raw = unsafe { mlir_sys::mlirTranslateModuleToLLVMIR(module.as_operation().to_raw(), llvm.raw().cast()) };
    mlir.diagnostics.check("translation to LLVM IR", !raw.is_null())?;
    // SAFETY: a fresh module that nobody else owns; the two crates wrap the same LLVM.
    let translated = unsafe { inkwell::module::Module::new(raw.cast()) };
    translated.set_triple(&machine.get_triple());
    translated.set_data_layout(&machine.get_target_data().get_data_layout());
    Ok(translated)
}

/// LLVM's own passes, by their names.
pub fn optimize(module: &inkwell::module::Module, machine: &TargetMachine, passes: &str) -> Result<(), BackendError> {
    module
        .run_passes(passes, machine, PassBuilderOptions::create())
        .map_err(|e| BackendError(format!("LLVM's passes failed: {e}")))
}

/// To the bytes of an object file, or to assembly.
pub fn generate(
    module: &inkwell::module::Module,
    machine: &TargetMachine,
    kind: FileType,
) -> Result<Vec<u8>, BackendError> {
    // What the code generator cannot do aborts the process, so the module is checked first.
    module.verify().map_err(|e| BackendError(format!("LLVM refuses the module: {e}")))?;
    let bytes = machine
        .write_to_memory_buffer(module, kind)
        .map_err(|e| BackendError(format!("LLVM's code generator failed: {e}")))?;
    Ok(bytes.as_slice().to_vec())
}
