//! The functions of libcuda.so, as `cuda.h` declares them: handles are pointers to nothing, whose addresses are ours.

use crate::driver::{Driver, Outcome, Refusal, driver};
use std::cell::Cell;
use std::ffi::{CStr, c_char, c_int, c_uint, c_void};

type Handle = *mut c_void;

thread_local! {
    /// Whether the context is the thread's.
    static CURRENT: Cell<bool> = const { Cell::new(false) };
}

fn code<T>(outcome: Outcome<T>) -> c_int {
    outcome.map_or_else(|refusal| refusal as c_int, |_| 0)
}

/// What needs the context on the calling thread.
fn in_context<T>(call: impl FnOnce(&mut Driver) -> Outcome<T>) -> Outcome<T> {
    let mut driver = driver();
    if !CURRENT.get() {
        driver.findings.push("a thread calls the driver without a context".into());
        return Err(Refusal::InvalidContext);
    }
    call(&mut driver)
}

/// # Safety
/// `place` is null or may be written.
unsafe fn put<T>(place: *mut T, outcome: Outcome<T>) -> c_int {
    match outcome {
        Ok(_) if place.is_null() => Refusal::InvalidValue as c_int,
        Ok(value) => {
            // SAFETY: the caller's promise.
            unsafe { place.write(value) };
            0
        }
        Err(refusal) => refusal as c_int,
    }
}

fn handle(outcome: Outcome<u64>) -> Outcome<Handle> {
    outcome.map(|handle| handle as Handle)
}

macro_rules! api {
    ($($(#[$doc:meta])* fn $name:ident($($argument:ident: $type:ty),*) $body:block)*) => { $(
        $(#[$doc])*
        ///
        /// # Safety
        /// As `cuda.h` says: places can be written, and texts end with a zero.
        #[unsafe(no_mangle)]
        #[allow(non_snake_case)]
        pub unsafe extern "C" fn $name($($argument: $type),*) -> c_int $body
    )* };
}

// SAFETY, of every block below: places and texts are as the caller of the C function has to hand them over.
api! {
    /// The version of CUDA that the driver knows.
    fn cuDriverGetVersion(version: *mut c_int) { unsafe { put(version, Ok(driver().settings.driver)) } }
    /// Starts.
    fn cuInit(_flags: c_uint) { code(driver().initialize()) }
    /// The number of devices.
    fn cuDeviceGetCount(count: *mut c_int) { unsafe { put(count, driver().devices()) } }
    /// A device.
    fn cuDeviceGet(device: *mut c_int, number: c_int) { unsafe { put(device, driver().device(number)) } }
    /// Its name.
    fn cuDeviceGetName(name: *mut c_char, room: c_int, _device: c_int) {
        let text = c"Fake GPU".to_bytes_with_nul();
        let count = text.len().min(room.max(0) as usize);
        unsafe { std::ptr::copy_nonoverlapping(text.as_ptr().cast(), name, count) };
        0
    }
    /// What it can do.
    fn cuDeviceGetAttribute(value: *mut c_int, attribute: c_int, device: c_int) {
        unsafe { put(value, driver().attribute(attribute, device)) }
    }
    /// Its context.
    fn cuDevicePrimaryCtxRetain(context: *mut Handle, device: c_int) {
        unsafe { put(context, driver().retain(device).map(|()| (u64::from(u32::MAX) + 1) as Handle)) }
    }
    /// Gives it back.
    fn cuDevicePrimaryCtxRelease_v2(_device: c_int) { code(driver().release()) }
    /// Makes it the thread's.
    fn cuCtxSetCurrent(context: Handle) {
        CURRENT.set(!context.is_null());
        0
    }
    /// A stream.
    fn cuStreamCreate(stream: *mut Handle, _flags: c_uint) { unsafe { put(stream, handle(in_context(Driver::create_stream))) } }
    /// Destroys it.
    fn cuStreamDestroy_v2(stream: Handle) { code(in_context(|driver| driver.destroy_stream(stream as u64))) }
    /// Waits for it.
    fn cuStreamSynchronize(stream: Handle) { code(in_context(|driver| driver.synchronize(stream as u64))) }
    /// Captures what it is asked for.
    fn cuStreamBeginCapture_v2(stream: Handle, _mode: c_int) { code(in_context(|driver| driver.start_capture(stream as u64))) }
    /// Hands it over.
    fn cuStreamEndCapture(stream: Handle, graph: *mut Handle) {
        unsafe { put(graph, handle(in_context(|driver| driver.end_capture(stream as u64)))) }
    }
    /// A graph that can run.
    fn cuGraphInstantiateWithFlags(executable: *mut Handle, graph: Handle, _flags: u64) {
        unsafe { put(executable, handle(in_context(|driver| driver.instantiate(graph as u64)))) }
    }
    /// Gives it other operations; which was refused is not said.
    fn cuGraphExecUpdate_v2(executable: Handle, graph: Handle, _result: *mut c_void) {
        code(in_context(|driver| driver.update(executable as u64, graph as u64)))
    }
    /// Runs it.
    fn cuGraphLaunch(executable: Handle, stream: Handle) {
        code(in_context(|driver| driver.launch_graph(executable as u64, stream as u64)))
    }
    /// Destroys it.
    fn cuGraphExecDestroy(executable: Handle) { code(in_context(|driver| driver.destroy_graph(executable as u64))) }
    /// Destroys what it was made of.
    fn cuGraphDestroy(graph: Handle) { code(in_context(|driver| driver.destroy_graph(graph as u64))) }
    /// An event.
    fn cuEventCreate(event: *mut Handle, flags: c_uint) {
        unsafe { put(event, handle(in_context(|driver| driver.create_event(flags)))) }
    }
    /// Puts it into a stream.
    fn cuEventRecord(event: Handle, stream: Handle) { code(in_context(|driver| driver.record(event as u64, stream as u64))) }
    /// Waits for it.
    fn cuEventSynchronize(event: Handle) { code(in_context(|driver| driver.wait(event as u64))) }
    /// How long it was from one to another.
    fn cuEventElapsedTime(milliseconds: *mut f32, start: Handle, end: Handle) {
        unsafe { put(milliseconds, in_context(|driver| driver.elapsed(start as u64, end as u64))) }
    }
    /// Destroys it.
    fn cuEventDestroy_v2(event: Handle) { code(in_context(|driver| driver.destroy_event(event as u64))) }
    /// Free and all memory.
    fn cuMemGetInfo_v2(free: *mut usize, all: *mut usize) {
        let left = in_context(|driver| driver.memory_left());
        unsafe { put(free, left.map(|(free, _)| free)).max(put(all, left.map(|(_, all)| all))) }
    }
    /// Memory of the device.
    fn cuMemAlloc_v2(address: *mut u64, bytes: usize) { unsafe { put(address, in_context(|driver| driver.allocate(bytes))) } }
    /// Frees it.
    fn cuMemFree_v2(address: u64) { code(in_context(|driver| driver.free(address))) }
    /// Pinned memory of the host.
    fn cuMemHostAlloc(start: *mut Handle, bytes: usize, _flags: c_uint) {
        unsafe { put(start, in_context(|driver| driver.allocate_pinned(bytes)).map(<*mut u8>::cast)) }
    }
    /// Frees it.
    fn cuMemFreeHost(start: Handle) { code(in_context(|driver| driver.free_pinned(start as usize))) }
    /// Fills memory.
    fn cuMemsetD8Async(to: u64, value: u8, bytes: usize, stream: Handle) {
        code(in_context(|driver| driver.fill(to, value, bytes, stream as u64)))
    }
    /// Copies from the host.
    fn cuMemcpyHtoDAsync_v2(to: u64, from: *const c_void, bytes: usize, stream: Handle) {
        let taken = || unsafe { std::slice::from_raw_parts(from.cast::<u8>(), bytes) }.to_vec();
        code(in_context(|driver| driver.upload(from as usize, to, bytes, stream as u64, taken)))
    }
    /// Copies to the host.
    fn cuMemcpyDtoHAsync_v2(to: Handle, from: u64, bytes: usize, stream: Handle) {
        code(in_context(|driver| driver.download(from, to as usize, bytes, stream as u64)))
    }
    /// Copies on the device.
    fn cuMemcpyDtoDAsync_v2(to: u64, from: u64, bytes: usize, stream: Handle) {
        code(in_context(|driver| driver.copy(from, to, bytes, stream as u64)))
    }
    /// Loads PTX; its log stays empty.
    fn cuModuleLoadDataEx(module: *mut Handle, image: *const c_void, _count: c_uint, _options: *mut c_int, _values: *mut Handle) {
        let text = unsafe { CStr::from_ptr(image.cast()) }.to_str();
        unsafe { put(module, handle(in_context(|driver| driver.load(text.map_err(|_| Refusal::InvalidPtx)?)))) }
    }
    /// Unloads it.
    fn cuModuleUnload(module: Handle) { code(in_context(|driver| driver.unload(module as u64))) }
    /// A kernel of it.
    fn cuModuleGetFunction(function: *mut Handle, module: Handle, name: *const c_char) {
        let name = unsafe { CStr::from_ptr(name) }.to_string_lossy();
        unsafe { put(function, handle(in_context(|driver| driver.function(module as u64, &name)))) }
    }
    /// Says something of it.
    fn cuFuncSetAttribute(function: Handle, attribute: c_int, value: c_int) {
        code(in_context(|driver| driver.set_attribute(function as u64, attribute, value)))
    }
    /// Runs it. All parameters are eight bytes long.
    fn cuLaunchKernel(function: Handle, grid_x: c_uint, grid_y: c_uint, grid_z: c_uint, block_x: c_uint, block_y: c_uint, block_z: c_uint,
                      shared_bytes: c_uint, stream: Handle, parameters: *mut Handle, _extra: *mut Handle) {
        code(in_context(|driver| {
            let count = driver.parameters(function as u64)?;
            let words = (0..count).map(|i| unsafe { (*parameters.add(i)).cast::<u64>().read_unaligned() }).collect();
            let (grid, block) = ([grid_x, grid_y, grid_z], [block_x, block_y, block_z]);
            driver.launch(function as u64, grid, block, shared_bytes, stream as u64, words)
        }))
    }
    /// The name of an error.
    fn cuGetErrorName(error: c_int, name: *mut *const c_char) { unsafe { put(name, Ok(words(error).0.as_ptr())) } }
    /// What it means.
    fn cuGetErrorString(error: c_int, text: *mut *const c_char) { unsafe { put(text, Ok(words(error).1.as_ptr())) } }
}

fn words(error: c_int) -> (&'static CStr, &'static CStr) {
    match error {
        1 => (c"CUDA_ERROR_INVALID_VALUE", c"invalid argument"),
        2 => (c"CUDA_ERROR_OUT_OF_MEMORY", c"out of memory"),
        100 => (c"CUDA_ERROR_NO_DEVICE", c"no CUDA-capable device is detected"),
        209 => (c"CUDA_ERROR_NO_BINARY_FOR_GPU", c"no kernel image is available for execution on the device"),
        700 => (c"CUDA_ERROR_ILLEGAL_ADDRESS", c"an illegal memory access was encountered"),
        701 => (c"CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES", c"too many resources requested for launch"),
        _ => (c"CUDA_ERROR_UNKNOWN", c"unknown error"),
    }
}
