//! Linux lends tile registers to processes that ask for them: their 8 KiB are a part of what it saves of a thread.

use std::sync::OnceLock;

/// Whether this process may use them, all its threads: asked for once.
pub fn granted() -> bool {
    static GRANTED: OnceLock<bool> = OnceLock::new();
    *GRANTED.get_or_init(request)
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn request() -> bool {
    /// `ARCH_REQ_XCOMP_PERM` of Linux's `asm/prctl.h`, and the number of the state (Documentation/arch/x86/xstate.rst).
    const REQUEST: libc::c_long = 0x1023;
    const TILE_DATA: libc::c_long = 18;
    // SAFETY: the call changes what the kernel saves of this process's threads, and touches no memory.
    unsafe { libc::syscall(libc::SYS_arch_prctl, REQUEST, TILE_DATA) == 0 }
}

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
fn request() -> bool {
    false
}
