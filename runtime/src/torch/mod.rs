//! PyTorch's own files: a zip archive that holds storages, byte for byte, and a pickle that says which tensors are views of them.
//!
//! - `archive`: where in the mapped file the members lie;
//! - `pickle`: the pickle as a tree of inert values. Nothing in it is ever run: what it asks Python to call stays a name;
//! - `views`: which of the values are tensors, of which storage and from where on;
//! - `file`: the tensors, read from the mapping where they lie; `write`: the same, written.

mod archive;
mod file;
mod pickle;
mod views;
mod write;

pub use file::TorchFile;
pub use write::{TorchTensor, write_torch};

#[cfg(test)]
mod tests;
