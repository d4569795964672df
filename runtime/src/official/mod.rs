//! The layout of the official checkpoints (the PyTorch code on GPT-NeoX), in and out.
//!
//! ```text
//! sequential.0.word_embeddings.weight                                             [vocabulary, width]
//! sequential.{2..L+1}.attention.{query,key,value,proj}.{key,value}_param_tokens   [tokens, width]
//! sequential.{2..L+1}.mlp.{key,value}_param_tokens                                [tokens, width]
//! sequential.{L+3}.norm.{weight,bias}                                             [width]
//! sequential.{L+4}.final_linear.weight                                            [vocabulary, width], where it is not tied
//! ```
//!
//! - `places`: which of our parameters each of them is;
//! - `scales`: whether the official code would compute the same function: it takes τ = √n from the number of tokens;
//! - `source`: the files that hold tensors under these names; `differences`: how they differ from a spec's;
//! - `import` and `export`: the ways in and out. One after the other they change no bit.

mod differences;
mod export;
mod import;
mod places;
mod scales;
mod source;

pub use export::export;
pub use import::Import;

/// In what kind of file the tensors stand under their official names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `torch.save`d: what the official code reads.
    Neox,
    /// safetensors: what Hugging Face's libraries read.
    HuggingFace,
}
