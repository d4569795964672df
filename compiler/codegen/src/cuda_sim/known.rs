//! What a kernel may consist of. The simulator would run anything that the host can, but not as the device does: so the rest is refused.

use super::{intrinsics, library};
use inkwell::module::Module;
use inkwell::types::{AnyType, AnyTypeEnum};
use inkwell::values::{CallSiteValue, FunctionValue, InstructionOpcode, InstructionValue};
use inkwell::{AddressSpace, AtomicOrdering};
use tfc_compiler::executable::BackendError;

pub const GLOBAL: u16 = 1;
pub const SHARED: u16 = 3;

/// LLVM's own intrinsics that mean the same on the host, without the types at their ends.
const COMMON: [&str; 51] = [
    "abs",
    "assume",
    "bitreverse",
    "bswap",
    "ceil",
    "copysign",
    "ctlz",
    "ctpop",
    "cttz",
    "exp2",
    "experimental.noalias.scope.decl",
    "fabs",
    "floor",
    "fma",
    "fmuladd",
    "fptosi.sat",
    "fptoui.sat",
    "fshl",
    "fshr",
    "is.fpclass",
    "ldexp",
    "lifetime.end",
    "lifetime.start",
    "maximum",
    "maxnum",
    "memcpy",
    "memmove",
    "memset",
    "minimum",
    "minnum",
    "nearbyint",
    "rint",
    "roundeven",
    "sadd.sat",
    "sadd.with.overflow",
    "scmp",
    "smax",
    "smin",
    "smul.with.overflow",
    "sqrt",
    "ssub.sat",
    "ssub.with.overflow",
    "trunc",
    "uadd.sat",
    "uadd.with.overflow",
    "ucmp",
    "umax",
    "umin",
    "umul.with.overflow",
    "usub.sat",
    "usub.with.overflow",
];

/// # Errors
/// The first thing that is not known, by name, and where it is.
pub fn check(module: &Module) -> Result<(), BackendError> {
    for global in module.get_globals() {
        if global.as_pointer_value().get_type().get_address_space() != AddressSpace::from(SHARED) {
            let name = global.get_name().to_string_lossy();
            return Err(BackendError(format!("a kernel reaches its arguments and shared memory only, not `@{name}`")));
        }
    }
    module.get_functions().try_for_each(check_function)
}

fn check_function(function: FunctionValue) -> Result<(), BackendError> {
    for block in function.get_basic_blocks() {
        for instruction in block.get_instructions() {
            if let Some(unknown) = unknown(instruction) {
                let kernel = function.get_name().to_string_lossy();
                return Err(BackendError(format!("the simulator of CUDA does not know {unknown}, in `{kernel}`")));
            }
        }
    }
    Ok(())
}

/// What is not known of it, in words.
fn unknown(instruction: InstructionValue) -> Option<String> {
    use InstructionOpcode as Op;
    match instruction.get_opcode() {
        Op::Call => unknown_call(CallSiteValue::try_from(instruction).ok()?),
        Op::Load | Op::Store => {
            let plain = instruction.get_atomic_ordering().is_ok_and(|o| o == AtomicOrdering::NotAtomic);
            (!plain).then(|| "atomic accesses".into())
        }
        Op::FAdd | Op::FSub | Op::FMul | Op::FDiv | Op::FRem | Op::FNeg | Op::SIToFP | Op::UIToFP => {
            is_bf16(instruction.get_type()).then(|| "arithmetic in bf16".into())
        }
        Op::AtomicRMW | Op::AtomicCmpXchg | Op::Fence => Some("atomic operations".into()),
        Op::Invoke | Op::CallBr | Op::IndirectBr | Op::LandingPad | Op::Resume | Op::VAArg => {
            Some(format!("`{:?}`", instruction.get_opcode()))
        }
        _ => None,
    }
}

fn unknown_call(call: CallSiteValue) -> Option<String> {
    let Some(function) = call.get_called_fn_value() else { return Some("inline assembly and indirect calls".into()) };
    let name = function.get_name().to_string_lossy().into_owned();
    let known = function.count_basic_blocks() > 0
        || intrinsics::operation(&name).is_some()
        || library::name_of(&name).is_some()
        || is_common(&name);
    (!known).then(|| format!("`{name}`"))
}

fn is_common(intrinsic: &str) -> bool {
    let Some(name) = intrinsic.strip_prefix("llvm.") else { return false };
    let in_bf16 = name.contains("bf16");
    let typed =
        |common: &str| name.strip_prefix(common).is_some_and(|types| types.is_empty() || types.starts_with('.'));
    !in_bf16 && (COMMON.into_iter().any(typed) || name.starts_with("vector.reduce."))
}

fn is_bf16(ty: AnyTypeEnum) -> bool {
    let scalar = match ty {
        AnyTypeEnum::VectorType(vector) => vector.get_element_type().as_any_type_enum(),
        other => other,
    };
    matches!(scalar, AnyTypeEnum::FloatType(float) if float == float.get_context().bf16_type())
}
