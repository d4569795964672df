//! What the driver refuses, in a sentence for the user.

use super::driver;
use crate::device::readable;
use crate::{Failure, Kind};
use cudarc::driver::result::DriverError;
use cudarc::driver::sys::CUresult;

/// The oldest version of CUDA whose drivers know all that is asked of them, as [`driver::version`] gives it; and the driver that came with it.
pub const OLDEST: (i32, &str) = (12000, "525");

/// `description (NAME)`, in the driver's words.
pub fn words(error: DriverError) -> String {
    let text = |said: Result<&std::ffi::CStr, DriverError>| said.map(|text| text.to_string_lossy().into_owned());
    match (text(error.error_string()), text(error.error_name())) {
        (Ok(description), Ok(name)) => format!("{description} ({name})"),
        _ => format!("error {}", error.0 as u32),
    }
}

/// Whether it is about a kernel that ran earlier, whatever call of the driver says so.
pub fn is_of_a_kernel(error: DriverError) -> bool {
    matches!(
        error.0,
        CUresult::CUDA_ERROR_ILLEGAL_ADDRESS
            | CUresult::CUDA_ERROR_LAUNCH_TIMEOUT
            | CUresult::CUDA_ERROR_HARDWARE_STACK_ERROR
            | CUresult::CUDA_ERROR_ILLEGAL_INSTRUCTION
            | CUresult::CUDA_ERROR_MISALIGNED_ADDRESS
            | CUresult::CUDA_ERROR_INVALID_ADDRESS_SPACE
            | CUresult::CUDA_ERROR_INVALID_PC
            | CUresult::CUDA_ERROR_LAUNCH_FAILED
    )
}

/// The driver could not do `what`.
pub fn refused(what: &str, error: DriverError) -> Failure {
    if is_of_a_kernel(error) {
        return kernel_failed(error);
    }
    Failure::new(Kind::Machine, format!("the GPU's driver cannot {what}: {}", words(error)))
}

pub fn no_driver() -> Failure {
    let way_out = "install NVIDIA's driver, or leave `--device` out to use the processor";
    Failure::new(
        Kind::Machine,
        format!("there is no driver for NVIDIA's GPUs on this machine (no libcuda.so.1); {way_out}"),
    )
}

pub fn too_old(version: i32) -> Failure {
    let (oldest, driver) = OLDEST;
    let message = format!(
        "the GPU's driver is too old: it knows CUDA {}, and tfc needs {}; update it to version {driver} or newer",
        dotted(version),
        dotted(oldest)
    );
    Failure::new(Kind::Machine, message)
}

/// 12040 is `12.4`.
pub fn dotted(version: i32) -> String {
    format!("{}.{}", version / 1000, version % 1000 / 10)
}

pub fn does_not_start(error: DriverError) -> Failure {
    match error.0 {
        CUresult::CUDA_ERROR_NO_DEVICE => no_device(),
        CUresult::CUDA_ERROR_STUB_LIBRARY => Failure::new(
            Kind::Machine,
            "the libcuda.so that was found is the stub of the CUDA toolkit, not a driver; install NVIDIA's driver, or take the stub out of \
             LD_LIBRARY_PATH",
        ),
        _ => {
            let message = format!("the GPU's driver does not start: {}; see what `nvidia-smi` says", words(error));
            Failure::new(Kind::Machine, message)
        }
    }
}

pub fn no_device() -> Failure {
    let way_out = "see what `nvidia-smi` lists, and whether CUDA_VISIBLE_DEVICES hides it";
    Failure::new(Kind::Machine, format!("the driver finds no GPU; {way_out}"))
}

pub fn absent(number: u32, count: i32) -> Failure {
    let are = if count == 1 { "only cuda:0".to_string() } else { format!("cuda:0 to cuda:{}", count - 1) };
    Failure::new(Kind::Machine, format!("there is no GPU cuda:{number} on this machine: {are}"))
}

pub fn too_old_a_gpu(name: &str, [major, minor]: [i32; 2]) -> Failure {
    let needed = "tfc needs sm_80 or newer: an A100, an RTX 30, or what came after";
    Failure::new(Kind::Machine, format!("the GPU {name} is an sm_{major}{minor}, and {needed}"))
}

/// `bytes` of the device's memory were asked for.
pub fn no_memory(context: &driver::Context, bytes: usize, error: DriverError) -> Failure {
    if error.0 != CUresult::CUDA_ERROR_OUT_OF_MEMORY {
        return refused("give memory", error);
    }
    let bytes = readable(bytes as u64);
    let left = context.memory().map_or(String::new(), |(free, all)| {
        format!(": {} of {} are free", readable(free as u64), readable(all as u64))
    });
    let message = format!(
        "the GPU has no {bytes} of memory left{left}; a smaller batch or model needs less, or `--memory` plans for less"
    );
    Failure::new(Kind::Machine, message)
}

/// Work could not be asked for, or something that was asked for earlier went wrong.
pub fn gave_up(error: DriverError) -> Failure {
    refused("go on", error)
}

fn kernel_failed(error: DriverError) -> Failure {
    let way_out = "the same command with CUDA_LAUNCH_BLOCKING=1 in its environment names the kernel";
    Failure::new(Kind::Machine, format!("the GPU gave up on a kernel: {}; {way_out}", words(error)))
}
