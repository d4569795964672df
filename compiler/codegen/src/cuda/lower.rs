//! From MLIR to PTX: LLVM's dialect, LLVM IR for the GPU, optimized, checked, PTX.

use super::architecture::Architecture;
use super::intrinsics;
use crate::host::llvm_version;
use crate::lower;
use crate::mlir::{Emission, MlirContext};
use inkwell::attributes::{Attribute, AttributeLoc};
use inkwell::targets::{FileType, TargetMachine};
use tfc_compiler::executable::{BackendError, EmitStage};

/// Unlike on a CPU, LLVM has work to do: short loops are to be unrolled, and address arithmetic is to be shared among many accesses.
const PASSES: &str = "default<O3>";

/// All that the PTX of an emitted module follows from, in words.
pub fn pipeline(architecture: Architecture) -> String {
    format!("LLVM {}, {}, {PASSES}, {}", llvm_version(), lower::LOWERING, architecture.target())
}

/// One thread's compiler.
pub struct Compiler {
    mlir: MlirContext,
    machine: TargetMachine,
}

impl Compiler {
    pub fn new(architecture: Architecture) -> Result<Compiler, BackendError> {
        Ok(Compiler { mlir: MlirContext::new(), machine: architecture.machine()? })
    }

    /// The text of a stage.
    pub fn text(&self, stage: EmitStage, emit: impl FnOnce(&Emission)) -> Result<String, BackendError> {
        if stage == EmitStage::Asm {
            return Err(BackendError("the assembly of a GPU is PTX".into()));
        }
        let emission = Emission::for_gpu(&self.mlir);
        emit(&emission);
        let mut module = emission.finish(&self.mlir)?;
        if stage == EmitStage::Mlir {
            return Ok(module.as_operation().to_string());
        }
        lower::lower(&self.mlir, &mut module)?;
        if stage == EmitStage::MlirLowered {
            return Ok(module.as_operation().to_string());
        }
        let context = inkwell::context::Context::create();
        let optimized = self.optimized(&module, &context)?;
        if stage == EmitStage::Llvm {
            return Ok(optimized.print_to_string().to_string());
        }
        let ptx = lower::generate(&optimized, &self.machine, FileType::Assembly)?;
        // The buffer ends with a zero.
        Ok(String::from_utf8_lossy(&ptx).trim_end_matches('\0').to_string())
    }

    /// The very module that PTX is made of.
    fn optimized<'l>(
        &self,
        module: &melior::ir::Module,
        context: &'l inkwell::context::Context,
    ) -> Result<inkwell::module::Module<'l>, BackendError> {
        let translated = lower::translate(&self.mlir, module, &self.machine, context)?;
        // LLVM 22 does not know that all lanes of a warp must reach a product together, and would move it into branches.
        let convergent = context.create_enum_attribute(Attribute::get_named_enum_kind_id("convergent"), 0);
        let products = |name: &str| name.starts_with("llvm.nvvm.mma.");
        translated
            .get_functions()
            .filter(|function| products(&function.get_name().to_string_lossy()))
            .for_each(|function| function.add_attribute(AttributeLoc::Function, convergent));
        lower::optimize(&translated, &self.machine, PASSES)?;
        intrinsics::check(&translated)?;
        Ok(translated)
    }
}
