//! GPUs of this machine.

use super::driver::{self, Context};
use super::trouble;
use crate::Result;
use cudarc::driver::sys::CUdevice_attribute as Attribute;
use std::fmt;
use std::rc::Rc;

/// The oldest compute capability that there is code for.
const OLDEST: [i32; 2] = [8, 0];

/// A GPU that can run kernels of ours.
#[derive(Clone)]
pub struct Gpu {
    /// Among those that the driver lists.
    pub number: u32,
    /// As NVIDIA calls it.
    pub name: String,
    /// The compute capability: 9, 0 of an H100.
    pub capability: [i32; 2],
    /// The newest version of CUDA that its driver knows, as `12.4`.
    pub driver: String,
    /// The most shared memory that a block can have.
    pub shared_bytes_of_block: u32,
    pub(super) context: Rc<Context>,
}

impl Gpu {
    /// Looks for a driver, and the GPU of this number.
    ///
    /// # Errors
    /// There is none, or it is too old.
    pub fn find(number: u32) -> Result<Gpu> {
        if !driver::is_present() {
            return Err(trouble::no_driver());
        }
        let version = driver::version().map_err(trouble::does_not_start)?;
        if version < trouble::OLDEST.0 {
            return Err(trouble::too_old(version));
        }
        driver::start().map_err(trouble::does_not_start)?;
        let count = driver::devices().map_err(trouble::does_not_start)?;
        if count == 0 {
            return Err(trouble::no_device());
        }
        let device = match i32::try_from(number) {
            Ok(number) if number < count => driver::device(number),
            _ => return Err(trouble::absent(number, count)),
        };
        let unknown = |error| trouble::refused("say what the GPU is", error);
        let device = device.map_err(unknown)?;
        let name = driver::name(device).map_err(unknown)?;
        let attribute = |attribute| driver::attribute(device, attribute).map_err(unknown);
        let capability = [
            attribute(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?,
            attribute(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?,
        ];
        if capability < OLDEST {
            return Err(trouble::too_old_a_gpu(&name, capability));
        }
        let shared = attribute(Attribute::CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN)?;
        let context = Context::of(device).map_err(|error| trouble::refused("open the GPU", error))?;
        Ok(Gpu {
            number,
            name,
            capability,
            driver: trouble::dotted(version),
            shared_bytes_of_block: shared.max(0) as u32,
            context: Rc::new(context),
        })
    }

    /// `sm_90`
    pub fn architecture(&self) -> String {
        let [major, minor] = self.capability;
        format!("sm_{major}{minor}")
    }

    /// Bytes of memory that are free, and all.
    ///
    /// # Errors
    /// The driver gave up.
    pub fn memory(&self) -> Result<(u64, u64)> {
        let (free, all) =
            self.context.memory().map_err(|error| trouble::refused("say how much memory is free", error))?;
        Ok((free as u64, all as u64))
    }
}

/// `NVIDIA H100 (cuda:0, sm_90), driver for CUDA 12.4`
impl fmt::Display for Gpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (cuda:{}, {}), driver for CUDA {}", self.name, self.number, self.architecture(), self.driver)
    }
}
