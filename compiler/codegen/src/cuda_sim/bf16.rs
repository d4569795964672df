//! Rounding to bf16: by the library, not by the host, whose instruction makes subnormal numbers zeros or which has none.

use super::sites::{built, prefixed};
use inkwell::context::Context;
use inkwell::module::Module;
use inkwell::types::BasicTypeEnum;
use inkwell::values::{BasicValue, BasicValueEnum, FunctionValue, InstructionOpcode, InstructionValue};

/// Calls the library at each `fptrunc` to bf16.
pub fn round_by_library<'c>(context: &'c Context, module: &Module<'c>, function: FunctionValue<'c>) {
    let blocks = function.get_basic_blocks().into_iter();
    let instructions: Vec<_> = blocks.flat_map(|block| block.get_instructions()).collect();
    for instruction in instructions.into_iter().filter(|i| i.get_opcode() == InstructionOpcode::FPTrunc) {
        round(context, module, instruction);
    }
}

fn round<'c>(context: &'c Context, module: &Module<'c>, instruction: InstructionValue<'c>) {
    let bf16 = context.bf16_type();
    let Ok(ty) = BasicTypeEnum::try_from(instruction.get_type()) else { return };
    let operand = instruction.get_operand(0).expect("a conversion has an operand").unwrap_value();
    let builder = context.create_builder();
    builder.position_before(&instruction);
    let name = prefixed("f2bf16.rn");
    let rounding = module
        .get_function(&name)
        .unwrap_or_else(|| module.add_function(&name, bf16.fn_type(&[context.f32_type().into()], false), None));
    let round = |x: BasicValueEnum<'c>| {
        built(builder.build_call(rounding, &[x.into()], "")).try_as_basic_value().unwrap_basic()
    };
    let rounded = match (ty, operand) {
        (BasicTypeEnum::FloatType(float), x) if float == bf16 => round(x),
        (BasicTypeEnum::VectorType(vector), BasicValueEnum::VectorValue(x))
            if vector.get_element_type() == bf16.into() =>
        {
            let mut all = vector.get_poison();
            for lane in 0..vector.get_size() {
                let index = context.i32_type().const_int(u64::from(lane), false);
                let y = round(built(builder.build_extract_element(x, index, "")));
                all = built(builder.build_insert_element(all, y, index, ""));
            }
            all.into()
        }
        _ => return,
    };
    let rounded = rounded.as_instruction_value().expect("a call is an instruction");
    instruction.replace_all_uses_with(&rounded);
    instruction.erase_from_basic_block();
}
