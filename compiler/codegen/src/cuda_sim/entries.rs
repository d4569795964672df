//! The functions that the simulator calls: each takes its kernel's arguments from a list of words.

use super::sites::{built, prefixed};
use inkwell::AddressSpace;
use inkwell::attributes::AttributeLoc;
use inkwell::context::Context;
use inkwell::module::Module;
use inkwell::types::BasicTypeEnum;
use inkwell::values::{BasicMetadataValueEnum, FunctionValue};
use tfc_compiler::simulation::SimulatedKernel;

/// `ptx_kernel`
const KERNEL_CONVENTION: u32 = 71;
const C_CONVENTION: u32 = 0;

/// The functions of the device as functions of the host, and an entry for each kernel.
pub fn make<'c>(context: &'c Context, module: &Module<'c>, functions: &[FunctionValue<'c>]) -> Vec<SimulatedKernel> {
    let kernels = functions.iter().filter(|f| f.get_call_conventions() == KERNEL_CONVENTION);
    let kernels = kernels.map(|kernel| entry(context, module, *kernel)).collect();
    functions.iter().for_each(|function| make_of_host(*function));
    kernels
}

/// What was known of the function on the device, of its processor and of who sees its pointers, is not so where it hands over.
fn make_of_host(function: FunctionValue) {
    function.set_call_conventions(C_CONVENTION);
    let parameters = (0..function.count_params()).map(AttributeLoc::Param);
    for place in parameters.chain([AttributeLoc::Function]) {
        for attribute in function.attributes(place) {
            if attribute.is_enum() || attribute.is_type() {
                function.remove_enum_attribute(place, attribute.get_enum_kind_id());
            } else if attribute.is_string() {
                let key = attribute.get_string_kind_id().to_string_lossy().into_owned();
                function.remove_string_attribute(place, &key);
            }
        }
    }
}

fn entry<'c>(context: &'c Context, module: &Module<'c>, kernel: FunctionValue<'c>) -> SimulatedKernel {
    let name = kernel.get_name().to_string_lossy().into_owned();
    let symbol = prefixed(&format!("entry.{name}"));
    let pointer = context.ptr_type(AddressSpace::default());
    let entry = module.add_function(&symbol, context.void_type().fn_type(&[pointer.into()], false), None);
    let words = entry.get_first_param().expect("it has one").into_pointer_value();
    let builder = context.create_builder();
    builder.position_at_end(context.append_basic_block(entry, "entry"));
    let types: Vec<BasicTypeEnum> = kernel.get_params().iter().map(|parameter| parameter.get_type()).collect();
    let list = context.struct_type(&types, false);
    let argument = |(k, ty): (usize, &BasicTypeEnum<'c>)| -> BasicMetadataValueEnum<'c> {
        let place = built(builder.build_struct_gep(list, words, k as u32, ""));
        built(builder.build_load(*ty, place, "")).into()
    };
    let arguments: Vec<_> = types.iter().enumerate().map(argument).collect();
    built(builder.build_call(kernel, &arguments, ""));
    built(builder.build_return(None));
    let most_threads = kernel.get_string_attribute(AttributeLoc::Function, "nvvm.maxntid");
    let most_threads = most_threads
        .and_then(|a| a.get_string_value().to_str().ok()?.split(',').map(|n| n.parse::<u32>().ok()).product());
    SimulatedKernel { name, symbol, parameters: types.len(), most_threads }
}
