//! From a model to a session on the device that the user chose.

use crate::arguments::{DeviceArguments, DeviceName};
use std::sync::Arc;
use tfc_codegen::CpuBackend;
use tfc_compiler::compiled::Compiled;
use tfc_compiler::executable::Backend;
use tfc_runtime::device::{CpuSession, ReferenceSession, Session};
use tfc_runtime::{Failure, Kind, Result};

/// Opens a session; on the CPU the kernels are compiled now, and never again.
pub fn open(compiled: &Arc<Compiled>, arguments: &DeviceArguments) -> Result<Box<dyn Session>> {
    match arguments.device {
        DeviceName::Reference => Ok(Box::new(ReferenceSession::new(Arc::clone(compiled)))),
        DeviceName::Cpu => {
            let backend = CpuBackend::new();
            let code =
                backend.emit(&compiled.program.kernels).map_err(|e| Failure::new(Kind::Machine, e.to_string()))?;
            Ok(Box::new(CpuSession::new(Arc::clone(compiled), &code, &backend, threads(arguments)?)?))
        }
    }
}

fn threads(arguments: &DeviceArguments) -> Result<usize> {
    match arguments.threads {
        Some(0) => Err(Failure::mistake("no work gets done by 0 threads; use --threads 1 or more")),
        Some(threads) => Ok(threads),
        None => Ok(std::thread::available_parallelism().map_or(1, usize::from)),
    }
}
