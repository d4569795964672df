//! An MLIR context with every dialect loaded, whose diagnostics become our errors.

use melior::Context;
use melior::dialect::DialectRegistry;
use melior::utility::{register_all_dialects, register_all_llvm_translations, register_all_passes};
use std::cell::RefCell;
use std::rc::Rc;
use tfc_compiler::executable::BackendError;

/// What MLIR said since the last look. Some of its failures are only said, not returned: any diagnostic is an error.
#[derive(Clone, Default)]
pub struct Diagnostics(Rc<RefCell<Vec<String>>>);

impl Diagnostics {
    /// Takes what was said; an error if anything was, or if `succeeded` is false.
    pub fn check(&self, stage: &str, succeeded: bool) -> Result<(), BackendError> {
        let said = self.0.take();
        match said.is_empty() && succeeded {
            true => Ok(()),
            false => Err(BackendError(format!("{stage} failed in MLIR: {}", said.join("; ")))),
        }
    }
}

/// One per thread: a context is not shared.
pub struct MlirContext {
    pub context: Context,
    pub diagnostics: Diagnostics,
}

impl MlirContext {
    pub fn new() -> MlirContext {
        let registry = DialectRegistry::new();
        register_all_dialects(&registry);
        register_all_passes();
        let context = Context::new_with_registry(&registry, false);
        // An operation of a dialect that is not loaded aborts the process, so all are.
        context.load_all_available_dialects();
        register_all_llvm_translations(&context);
        let diagnostics = Diagnostics::default();
        let said = diagnostics.clone();
        context.attach_diagnostic_handler(move |d| {
            let notes = (0..d.note_count()).filter_map(|i| d.note(i).ok()).map(|n| format!(" ({n})"));
            said.0.borrow_mut().push(format!("{d} at {}{}", d.location(), notes.collect::<String>()));
            true
        });
        MlirContext { context, diagnostics }
    }
}

impl Default for MlirContext {
    fn default() -> Self {
        Self::new()
    }
}
