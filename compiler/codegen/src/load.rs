//! Object files into this process, by LLVM's ORC: no linker, no file, a fraction of a millisecond.

use inkwell::targets::{InitializationConfig, Target};
use llvm_sys::core::LLVMCreateMemoryBufferWithMemoryRangeCopy;
use llvm_sys::error::{LLVMConsumeError, LLVMDisposeErrorMessage, LLVMErrorRef, LLVMGetErrorMessage};
use llvm_sys::orc2::lljit::{
    LLVMOrcCreateLLJIT, LLVMOrcDisposeLLJIT, LLVMOrcLLJITAddObjectFile, LLVMOrcLLJITGetGlobalPrefix,
    LLVMOrcLLJITGetMainJITDylib, LLVMOrcLLJITLookup, LLVMOrcLLJITRef,
};
use llvm_sys::orc2::{LLVMOrcCreateDynamicLibrarySearchGeneratorForProcess, LLVMOrcJITDylibAddGenerator};
use std::ffi::{CStr, CString};
use std::ptr::null_mut;
use tfc_compiler::executable::BackendError;

/// Loaded objects; their code lives as long as this.
pub struct LoadedObjects(LLVMOrcLLJITRef);

// SAFETY: after loading, the pointer is used for looking up, which ORC locks, and for dropping, which has the only owner.
unsafe impl Send for LoadedObjects {}
// SAFETY: as above.
unsafe impl Sync for LoadedObjects {}

impl LoadedObjects {
    pub fn new(objects: &[&[u8]]) -> Result<LoadedObjects, BackendError> {
        // Code may be loaded by a process that has generated none.
        Target::initialize_native(&InitializationConfig::default())
            .map_err(|e| BackendError(format!("LLVM does not know this processor: {e}")))?;
        let mut jit = null_mut();
        // SAFETY: a null builder asks for the default one; `jit` receives an owned pointer.
        check(unsafe { LLVMOrcCreateLLJIT(&mut jit, null_mut()) })?;
        let loaded = LoadedObjects(jit);
        // SAFETY: the library is owned by `jit`, which is alive.
        let library = unsafe { LLVMOrcLLJITGetMainJITDylib(jit) };
        let mut process = null_mut();
        // SAFETY: `process` receives an owned generator, which the library then owns: code may call memset and its like.
        unsafe {
            let prefix = LLVMOrcLLJITGetGlobalPrefix(jit);
            check(LLVMOrcCreateDynamicLibrarySearchGeneratorForProcess(&mut process, prefix, None, null_mut()))?;
            LLVMOrcJITDylibAddGenerator(library, process);
        }
        for object in objects {
            // SAFETY: the buffer is a copy, owned by the library from here on.
            check(unsafe {
                let buffer = LLVMCreateMemoryBufferWithMemoryRangeCopy(
                    object.as_ptr().cast(),
                    object.len(),
                    c"kernels".as_ptr(),
                );
                LLVMOrcLLJITAddObjectFile(jit, library, buffer)
            })?;
        }
        Ok(loaded)
    }

    pub fn address(&self, symbol: &str) -> Result<usize, BackendError> {
        let name = CString::new(symbol).map_err(|_| BackendError(format!("`{symbol:?}` is no name of a function")))?;
        let mut address = 0;
        // SAFETY: the jit is alive, the name ends with a zero.
        check(unsafe { LLVMOrcLLJITLookup(self.0, &mut address, name.as_ptr()) })?;
        Ok(address as usize)
    }
}

impl Drop for LoadedObjects {
    fn drop(&mut self) {
        // SAFETY: owned by this value alone.
        unsafe { LLVMConsumeError(LLVMOrcDisposeLLJIT(self.0)) };
    }
}

fn check(error: LLVMErrorRef) -> Result<(), BackendError> {
    if error.is_null() {
        return Ok(());
    }
    // SAFETY: the error is consumed by asking for its message, which is owned here and freed after it is copied.
    let message = unsafe {
        let raw = LLVMGetErrorMessage(error);
        let text = CStr::from_ptr(raw).to_string_lossy().into_owned();
        LLVMDisposeErrorMessage(raw);
        text
    };
    Err(BackendError(format!("loading code failed: {message}")))
}
