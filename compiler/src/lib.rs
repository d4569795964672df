//! From a checked model to kernels and a plan: pure functions, no IO, no `unsafe`.
