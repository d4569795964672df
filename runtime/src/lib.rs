//! Devices, sessions, training, growth, checkpoints and data. Knows no LLVM: it is handed a `Backend`.
