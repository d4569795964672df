//! A CUDA driver without a GPU, for tests of what speaks to the driver: a library that exports the functions of libcuda.so that the runtime calls.
//!
//! It is as unhelpful as a driver may be. Work is done as late as possible: when somebody waits for it. So whoever reads what he has not waited for, or
//! overwrites what a copy has yet to read, gets other numbers. Memory of the device has addresses that the host cannot touch, is full of NaN at first, and never comes
//! twice; every access is looked up among what is allocated. What no correct program does is written down as a finding.
//!
//! Kernels are run by a function that the test hands over ([`Launcher`]), on a simulated device, say. Without one a launch is refused, or, where the settings say so, computes nothing.
//!
//! - `api`: the driver's functions, which make numbers and slices of pointers;
//! - `driver`: what they do; `memory`, `work`, `module`: its parts;
//! - `settings`: what device it pretends to have, from an environment variable.

mod api;
mod control;
mod driver;
mod memory;
mod module;
mod settings;
mod work;

pub use control::{Counters, Launch, Launcher, Word};
pub use settings::VARIABLE;
