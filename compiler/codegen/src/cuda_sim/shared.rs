//! Shared memory: its variables become variables of the object.

use super::known::SHARED;
use super::sites::prefixed;
use inkwell::AddressSpace;
use inkwell::context::Context;
use inkwell::module::{Linkage, Module};
use inkwell::targets::TargetData;
use inkwell::types::AnyTypeEnum;
use inkwell::values::GlobalValue;
use tfc_compiler::simulation::{MOST_SHARED_BYTES, SharedVariable};

/// Behind each variable, so that an access past its end does not meet the next.
const GAP: usize = 256;

/// So that an address tells its bank, as on the device.
const ALIGNMENT: u32 = 1024;

/// Replaces the variables in shared memory, and lists what they have become.
pub fn move_to_host<'c>(context: &'c Context, module: &Module<'c>, layout: &TargetData) -> Vec<SharedVariable> {
    let of_device: Vec<_> = module.get_globals().collect();
    of_device.into_iter().map(|variable| move_one(context, module, layout, variable)).collect()
}

fn move_one<'c>(
    context: &'c Context,
    module: &Module<'c>,
    layout: &TargetData,
    variable: GlobalValue<'c>,
) -> SharedVariable {
    let symbol = prefixed(&format!("shared.{}", variable.get_name().to_string_lossy()));
    let bytes = match variable.get_value_type() {
        AnyTypeEnum::ArrayType(array) if array.is_empty() => None,
        ty => Some(layout.get_store_size(&ty) as usize),
    };
    let room = bytes.unwrap_or(MOST_SHARED_BYTES) + GAP;
    let ty = context.i8_type().array_type(room as u32);
    let on_host = module.add_global(ty, None, &symbol);
    on_host.set_linkage(Linkage::External);
    on_host.set_initializer(&ty.const_zero());
    on_host.set_alignment(ALIGNMENT);
    let address = on_host.as_pointer_value().const_address_space_cast(context.ptr_type(AddressSpace::from(SHARED)));
    variable.as_pointer_value().replace_all_uses_with(address);
    // SAFETY: nothing uses it any more.
    unsafe { variable.delete() };
    SharedVariable { symbol, bytes }
}
