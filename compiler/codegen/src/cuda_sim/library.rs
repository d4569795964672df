//! The intrinsics that concern one thread alone, as functions of the host: special registers, and what the device computes in one
//! instruction. `llvm.nvvm.NAME` becomes `cuda_sim.NAME`, and is inlined.

use super::sites::prefixed;
use inkwell::context::Context;
use inkwell::module::{Linkage, Module};
use std::mem::offset_of;
use tfc_compiler::executable::BackendError;
use tfc_compiler::simulation::{CURRENT_THREAD, Thread};

/// Approximations of the device are as exact as the host computes them: they differ from the device's in their last bits.
const ARITHMETIC: &str = include_str!("library.ll");

/// The name in the library of `llvm.nvvm.…`.
pub fn name_of(intrinsic: &str) -> Option<String> {
    let name = intrinsic.strip_prefix("llvm.nvvm.")?;
    let defined = format!("@{}(", prefixed(name));
    text().contains(&defined).then(|| prefixed(name))
}

/// Links the library into `module` and calls it instead of the device's intrinsics.
pub fn link<'c>(context: &'c Context, module: &Module<'c>) -> Result<(), BackendError> {
    let library = super::parse(context, text().as_bytes())?;
    library.set_triple(&module.get_triple());
    library.set_data_layout(&module.get_data_layout());
    module.link_in_module(library).map_err(|e| BackendError(format!("linking the library failed: {e}")))?;
    for function in module.get_functions() {
        let name = function.get_name().to_string_lossy().into_owned();
        if let Some(defined) = name_of(&name).and_then(|name| module.get_function(&name)) {
            function.replace_all_uses_with(defined);
        } else if name.starts_with(&prefixed("")) {
            // So that what is not called, or inlined everywhere, is dropped.
            function.set_linkage(Linkage::Internal);
        }
    }
    Ok(())
}

fn text() -> String {
    let mut text = format!("@{CURRENT_THREAD} = external global ptr\n");
    let start = offset_of!(Thread, registers);
    for (r, register) in ["tid", "ctaid", "ntid", "nctaid"].into_iter().enumerate() {
        for (axis, letter) in ["x", "y", "z"].into_iter().enumerate() {
            text += &register_function(&format!("{register}.{letter}"), start + 4 * (3 * r + axis));
        }
    }
    text += &register_function("laneid", offset_of!(Thread, lane));
    text + ARITHMETIC
}

fn register_function(register: &str, offset: usize) -> String {
    format!(
        "define i32 @{}() alwaysinline {{
  %thread = load ptr, ptr @{CURRENT_THREAD}
  %place = getelementptr i8, ptr %thread, i64 {offset}
  %value = load i32, ptr %place
  ret i32 %value
}}
",
        prefixed(&format!("read.ptx.sreg.{register}"))
    )
}
