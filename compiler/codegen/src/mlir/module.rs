//! The module under construction and the types of its values.

use super::context::MlirContext;
use crate::processor::Processor;
use crate::vectors::Vectors;
use melior::Context;
use melior::ir::operation::OperationLike;
use melior::ir::r#type::IntegerType;
use melior::ir::{BlockLike, Location, Module, Operation, Type};
use std::cell::RefCell;
use std::collections::BTreeSet;
use tfc_compiler::executable::BackendError;
use tfc_compiler::optimization::Disabled;

/// Address spaces: that of a CPU; those of a GPU's memory and of the memory that the threads of a block share.
const GENERIC: u32 = 0;
const GLOBAL: u32 = 1;
const SHARED: u32 = 3;

/// The types of all values, made once.
#[derive(Clone, Copy)]
pub struct Types<'c> {
    pub i1: Type<'c>,
    pub i8: Type<'c>,
    pub i32: Type<'c>,
    pub i64: Type<'c>,
    pub f32: Type<'c>,
    pub pointer: Type<'c>,
    pub shared: Type<'c>,
    pub i16: Type<'c>,
    pub bf16: Type<'c>,
    pub i1s: Type<'c>,
    pub i1_pairs: Type<'c>,
    pub i16s: Type<'c>,
    pub i32s: Type<'c>,
    pub i64s: Type<'c>,
    pub pointers: Type<'c>,
    pub f32s: Type<'c>,
    pub bf16s: Type<'c>,
    pub rounded_bf16s: Type<'c>,
}

/// A module that emitters add functions to.
pub struct Emission<'c> {
    pub(super) context: &'c Context,
    pub(super) types: Types<'c>,
    pub vectors: Vectors,
    pub(super) disabled: Disabled,
    module: Module<'c>,
    /// The helper functions that stand in the module already.
    helpers: RefCell<BTreeSet<String>>,
}

impl<'c> Emission<'c> {
    pub fn new(mlir: &'c MlirContext, processor: &Processor) -> Emission<'c> {
        Emission { disabled: processor.disabled.clone(), ..Emission::with_buffers_in(GENERIC, mlir, processor.vectors) }
    }

    /// A module of kernels for a GPU, whose buffers are in its global memory.
    pub fn for_gpu(mlir: &'c MlirContext) -> Emission<'c> {
        Emission::with_buffers_in(GLOBAL, mlir, Vectors::GPU_THREAD)
    }

    fn with_buffers_in(space: u32, mlir: &'c MlirContext, vectors: Vectors) -> Emission<'c> {
        let context = &mlir.context;
        let integer = |bits| Type::from(IntegerType::new(context, bits));
        let vector = |element| Type::vector(&[vectors.width as u64], element);
        let f32 = Type::float32(context);
        let pointer = melior::dialect::llvm::r#type::pointer(context, space);
        let types = Types {
            i1: integer(1),
            i8: integer(8),
            i32: integer(32),
            i64: integer(64),
            f32,
            pointer,
            shared: melior::dialect::llvm::r#type::pointer(context, SHARED),
            i16: integer(16),
            bf16: Type::bfloat16(context),
            i1s: vector(integer(1)),
            i1_pairs: Type::vector(&[2 * vectors.width as u64], integer(1)),
            i16s: vector(integer(16)),
            i32s: vector(integer(32)),
            i64s: vector(integer(64)),
            pointers: vector(pointer),
            f32s: vector(f32),
            bf16s: Type::vector(&[2 * vectors.width as u64], Type::bfloat16(context)),
            rounded_bf16s: vector(Type::bfloat16(context)),
        };
        Emission {
            context,
            types,
            vectors,
            disabled: Disabled::default(),
            module: Module::new(Location::unknown(context)),
            helpers: RefCell::default(),
        }
    }

    /// Whether a helper, by its name, has yet to be emitted; asking claims it.
    pub(super) fn claim_helper(&self, name: &str) -> bool {
        self.helpers.borrow_mut().insert(name.to_string())
    }

    pub(super) fn add(&self, function: Operation<'c>) {
        self.module.body().append_operation(function);
    }

    /// The finished module, verified.
    pub fn finish(self, mlir: &MlirContext) -> Result<Module<'c>, BackendError> {
        let verified = self.module.as_operation().verify();
        mlir.diagnostics.check("verifying the emitted module", verified)?;
        Ok(self.module)
    }
}
