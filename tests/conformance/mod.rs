//! The golden files (tests/golden/INDEX.md): reference values made with PyTorch from the official expressions. f64 on the reference
//! device, f32 on the CPU. Documents kept apart have no golden file: each is compared with itself alone; nor has routing.

mod bf16;
mod checkpointing;
mod code;
mod cuda_sim;
mod decoding;
mod documents;
mod growth;
mod language_model;
mod not_finite;
mod pattention;
pub mod portable;
mod routing;
mod twice;
mod weights;

pub use language_model::{golden_name, ids, shorter, spec};

use crate::support::Device;

/// The three thetas: the name in the golden files and the spelling in a spec.
const THETAS: [(&str, &str); 3] =
    [("l2_norm_gelu", "l2_gelu()"), ("gelu_l2_norm", "gelu_l2()"), ("softmax", "scaled_softmax()")];

/// The golden type, and where it is computed.
const DEVICES: [(&str, Device); 2] = [("f64", Device::Reference), ("f32", Device::Cpu { threads: 2 })];
