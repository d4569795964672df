//! Code for NVIDIA's GPUs, without one: what can be held of it here.

mod assembler;
mod ptx;
#[cfg(target_os = "linux")]
mod runtime;
