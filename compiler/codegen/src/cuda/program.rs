//! Code that was made, or kept, as a GPU's driver takes it.

use super::backend::CudaBackend;
use crate::container;
use tfc_compiler::executable::{Backend, BackendError, Code, GpuProgram};
use tfc_compiler::kernel::Kernel;

impl CudaBackend {
    /// The code of these kernels with all that is needed to launch them.
    ///
    /// # Errors
    /// It is not theirs, or not of this target.
    pub fn program(&self, code: &Code, kernels: &[Kernel]) -> Result<GpuProgram, BackendError> {
        let foreign = || BackendError(format!("this is no code of {} for these kernels", self.target()));
        if code.target != self.target() || code.functions.len() != kernels.len() {
            return Err(foreign());
        }
        let modules = container::unpack(&code.bytes).ok_or_else(foreign)?;
        let texts: Vec<&str> = modules
            .iter()
            .map(|module| std::str::from_utf8(module))
            .collect::<Result<_, _>>()
            .map_err(|_| foreign())?;
        let place = |symbol: &String| {
            let entry = format!(".entry {symbol}(");
            let module = texts.iter().position(|text| text.contains(&entry)).ok_or_else(foreign)?;
            Ok((module, symbol.clone()))
        };
        Ok(GpuProgram {
            functions: code.functions.iter().map(|function| place(&function.symbol)).collect::<Result<_, _>>()?,
            geometries: kernels.iter().map(|kernel| self.geometry(kernel)).collect::<Result<_, _>>()?,
            modules: modules.into_iter().map(<[u8]>::to_vec).collect(),
        })
    }
}
