//! One thread's compiler: from what an emitter writes to an object file, or to the text of a stage on the way.

use crate::lower;
use crate::mlir::{Emission, MlirContext};
use crate::processor::Processor;
use inkwell::targets::{FileType, TargetMachine};
use tfc_compiler::executable::{BackendError, EmitStage};

pub struct Compiler {
    mlir: MlirContext,
    machine: TargetMachine,
    processor: Processor,
}

impl Compiler {
    pub fn new(processor: &Processor) -> Result<Compiler, BackendError> {
        Ok(Compiler { mlir: MlirContext::new(), machine: processor.machine()?, processor: processor.clone() })
    }

    /// The object file of a module.
    pub fn object(&self, emit: impl FnOnce(&Emission)) -> Result<Vec<u8>, BackendError> {
        let mut module = self.emit(emit)?;
        lower::lower(&self.mlir, &mut module)?;
        let llvm = inkwell::context::Context::create();
        let translated = self.translate(&module, &llvm)?;
        lower::generate(&translated, &self.machine, FileType::Object)
    }

    /// The text of a stage.
    pub fn text(&self, stage: EmitStage, emit: impl FnOnce(&Emission)) -> Result<String, BackendError> {
        if stage == EmitStage::Ptx {
            return Err(BackendError("a processor has no PTX".into()));
        }
        let mut module = self.emit(emit)?;
        if stage == EmitStage::Mlir {
            return Ok(module.as_operation().to_string());
        }
        lower::lower(&self.mlir, &mut module)?;
        if stage == EmitStage::MlirLowered {
            return Ok(module.as_operation().to_string());
        }
        let llvm = inkwell::context::Context::create();
        let translated = self.translate(&module, &llvm)?;
        if stage == EmitStage::Llvm {
            return Ok(translated.print_to_string().to_string());
        }
        let assembly = lower::generate(&translated, &self.machine, FileType::Assembly)?;
        Ok(String::from_utf8_lossy(&assembly).into_owned())
    }

    fn translate<'l>(
        &self,
        module: &melior::ir::Module,
        llvm: &'l inkwell::context::Context,
    ) -> Result<inkwell::module::Module<'l>, BackendError> {
        let translated = lower::translate(&self.mlir, module, &self.machine, llvm)?;
        lower::optimize(&translated, &self.machine, lower::FOR_CPU)?;
        Ok(translated)
    }

    fn emit(&self, emit: impl FnOnce(&Emission)) -> Result<melior::ir::Module<'_>, BackendError> {
        let emission = Emission::new(&self.mlir, &self.processor);
        emit(&emission);
        emission.finish(&self.mlir)
    }
}
