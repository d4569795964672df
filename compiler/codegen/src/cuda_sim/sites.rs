//! Sites: calls of intrinsics that concern other threads, and accesses to memory where it is checked, become calls of the simulator.

use super::intrinsics;
use super::known::{GLOBAL, SHARED};
use inkwell::AddressSpace;
use inkwell::builder::{Builder, BuilderError};
use inkwell::context::Context;
use inkwell::module::Module;
use inkwell::targets::TargetData;
use inkwell::types::{BasicType, BasicTypeEnum, StructType};
use inkwell::values::{
    AnyValue, BasicValue, BasicValueEnum, CallSiteValue, FunctionValue, GlobalValue, InstructionOpcode,
    InstructionValue, PointerValue,
};
use tfc_compiler::simulation::{CURRENT_THREAD, MemoryAccess, Operation, Site, Space, WORDS};

/// Fields of a `Thread`.
const SITE: u32 = 2;
const HAND_OVER: u32 = 3;
const FIRST_WORD: u32 = 4;

pub struct Sites<'c> {
    pub list: Vec<Site>,
    context: &'c Context,
    builder: Builder<'c>,
    layout: TargetData,
    thread: StructType<'c>,
    current: GlobalValue<'c>,
    checked: bool,
}

impl<'c> Sites<'c> {
    pub fn new(context: &'c Context, module: &Module<'c>, layout: TargetData, checked: bool) -> Sites<'c> {
        let pointer = context.ptr_type(AddressSpace::default());
        let current = module.add_global(pointer, None, CURRENT_THREAD);
        current.set_initializer(&pointer.const_null());
        let builder = context.create_builder();
        Sites { list: Vec::new(), context, builder, layout, thread: thread_type(context), current, checked }
    }

    /// Replaces what hands over in `function`.
    pub fn hand_over_in(&mut self, function: FunctionValue<'c>) {
        let blocks = function.get_basic_blocks().into_iter();
        let instructions: Vec<_> = blocks.flat_map(|block| block.get_instructions()).collect();
        for instruction in instructions {
            match instruction.get_opcode() {
                InstructionOpcode::Call => self.call(instruction),
                InstructionOpcode::Load if self.checked => self.load(instruction),
                InstructionOpcode::Store if self.checked => self.store(instruction),
                _ => {}
            }
        }
    }

    fn call(&mut self, instruction: InstructionValue<'c>) {
        let call = CallSiteValue::try_from(instruction).ok();
        let Some(function) = call.and_then(|call| call.get_called_fn_value()) else { return };
        let name = function.get_name().to_string_lossy().into_owned();
        if let Some(operation) = intrinsics::operation(&name) {
            self.intrinsic(instruction, function, operation);
        } else if self.checked && (name.starts_with("llvm.memcpy") || name.starts_with("llvm.memmove")) {
            self.redirect(instruction, 0, Some(2), true, 1);
            self.redirect(instruction, 1, Some(2), false, 1);
        } else if self.checked && name.starts_with("llvm.memset") {
            self.redirect(instruction, 0, Some(2), true, 1);
        }
    }

    /// A call becomes a site: its arguments are the words, its results come back in them.
    fn intrinsic(&mut self, instruction: InstructionValue<'c>, function: FunctionValue<'c>, operation: Operation) {
        let arguments: Vec<_> = (0..function.count_params()).map(|k| operand(instruction, k)).collect();
        let thread = self.site(instruction, operation, &arguments);
        let result = function.get_type().get_return_type().map(|ty| match ty {
            BasicTypeEnum::StructType(all) => {
                let mut results = all.get_poison();
                for (k, ty) in all.get_field_types().into_iter().enumerate() {
                    let field = self.word(thread, k as u32, ty);
                    results = built(self.builder.build_insert_value(results, field, k as u32, "")).into_struct_value();
                }
                results.as_basic_value_enum()
            }
            one => self.word(thread, 0, one),
        });
        if let Some(result) = result.and_then(|value| value.as_instruction_value()) {
            instruction.replace_all_uses_with(&result);
        }
        instruction.erase_from_basic_block();
    }

    fn load(&mut self, instruction: InstructionValue<'c>) {
        self.redirect(instruction, 0, None, false, alignment(instruction));
    }

    fn store(&mut self, instruction: InstructionValue<'c>) {
        self.redirect(instruction, 1, None, true, alignment(instruction));
    }

    /// Before `instruction`, asks for the address to use instead of its operand `pointer`; and for the number of bytes, its operand `length`,
    /// where its type does not tell.
    fn redirect(
        &mut self,
        instruction: InstructionValue<'c>,
        pointer: u32,
        length: Option<u32>,
        writes: bool,
        alignment: usize,
    ) {
        let address = operand(instruction, pointer);
        let ty = address.get_type().into_pointer_type();
        let space = match ty.get_address_space() {
            space if space == AddressSpace::from(GLOBAL) => Space::Global,
            space if space == AddressSpace::from(SHARED) => Space::Shared,
            _ => Space::Generic,
        };
        let i64 = self.context.i64_type();
        let bytes = match length {
            Some(length) => {
                let length = operand(instruction, length).into_int_value();
                built(self.builder_before(instruction).build_int_z_extend_or_bit_cast(length, i64, "")).into()
            }
            None => i64.const_int(self.accessed_bytes(instruction), false).into(),
        };
        let operation = Operation::Access(MemoryAccess { writes, space, alignment });
        let thread = self.site(instruction, operation, &[address, bytes]);
        let set = |k, value| assert!(instruction.set_operand(k, value), "bug in tfc: an operand is missing");
        set(pointer, self.word(thread, 0, ty.into()));
        if let Some(length) = length {
            set(length, self.word(thread, 1, operand(instruction, length).get_type()));
        }
    }

    fn accessed_bytes(&self, instruction: InstructionValue<'c>) -> u64 {
        match BasicTypeEnum::try_from(instruction.get_type()) {
            Ok(loaded) => self.layout.get_store_size(&loaded),
            Err(_) => self.layout.get_store_size(&operand(instruction, 0).get_type()),
        }
    }

    /// Hands over before `instruction`; gives the thread.
    fn site(
        &mut self,
        instruction: InstructionValue<'c>,
        operation: Operation,
        words: &[BasicValueEnum<'c>],
    ) -> PointerValue<'c> {
        assert!(words.len() <= WORDS, "bug in tfc: {operation:?} hands over more words than a thread has");
        let number = self.context.i32_type().const_int(self.list.len() as u64, false);
        self.list.push(Site { operation, instruction: text_of(instruction) });
        self.builder_before(instruction);
        let pointer = self.context.ptr_type(AddressSpace::default());
        let thread =
            built(self.builder.build_load(pointer, self.current.as_pointer_value(), "thread")).into_pointer_value();
        built(self.builder.build_store(self.field(thread, SITE), number));
        for (k, word) in words.iter().enumerate() {
            built(self.builder.build_store(self.field(thread, FIRST_WORD + k as u32), *word));
        }
        let function = built(self.builder.build_load(pointer, self.field(thread, HAND_OVER), "")).into_pointer_value();
        let ty = self.context.void_type().fn_type(&[pointer.into()], false);
        built(self.builder.build_indirect_call(ty, function, &[thread.into()], ""));
        thread
    }

    fn builder_before(&self, instruction: InstructionValue<'c>) -> &Builder<'c> {
        self.builder.position_before(&instruction);
        &self.builder
    }

    fn word(&self, thread: PointerValue<'c>, k: u32, ty: BasicTypeEnum<'c>) -> BasicValueEnum<'c> {
        built(self.builder.build_load(ty, self.field(thread, FIRST_WORD + k), ""))
    }

    fn field(&self, thread: PointerValue<'c>, field: u32) -> PointerValue<'c> {
        built(self.builder.build_struct_gep(self.thread, thread, field, ""))
    }
}

/// `tfc_compiler::simulation::Thread`
pub fn thread_type(context: &Context) -> StructType<'_> {
    let (i32, i64) = (context.i32_type(), context.i64_type());
    let registers = i32.array_type(12).as_basic_type_enum();
    let pointer = context.ptr_type(AddressSpace::default());
    let mut fields = vec![registers, i32.into(), i32.into(), pointer.into()];
    fields.extend([BasicTypeEnum::from(i64); WORDS]);
    context.struct_type(&fields, false)
}

/// A name of ours in the object.
pub fn prefixed(name: &str) -> String {
    format!("cuda_sim.{name}")
}

/// The builder fails where it stands nowhere, or where types do not fit: both are ours to get right.
pub fn built<T>(built: Result<T, BuilderError>) -> T {
    built.unwrap_or_else(|e| panic!("bug in tfc: {e}"))
}

fn operand<'c>(instruction: InstructionValue<'c>, k: u32) -> BasicValueEnum<'c> {
    instruction.get_operand(k).unwrap_or_else(|| panic!("bug in tfc: {instruction} has no operand {k}")).unwrap_value()
}

fn alignment(instruction: InstructionValue) -> usize {
    instruction.get_alignment().map_or(1, |bytes| bytes as usize)
}

/// Without what LLVM notes about it.
fn text_of(instruction: InstructionValue) -> String {
    let text = instruction.print_to_string().to_string();
    text.split(", !").next().unwrap_or_default().trim().to_string()
}
