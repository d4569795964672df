//! From files to batches:
//!
//! ```text
//! text files ─text→ documents ─tokenizer→ tokens ─hold out→ parts ─sequences→ batches
//! IDX files, folders of PNG and JPEG ──images→ batches
//! ```
//!
//! - **Documents.** A text file is a document; so is a line of a `.jsonl` file.
//! - **Tokens.** A [`Corpus`] holds the tokens of all documents and where each ends, in memory or as the mapped file that
//!   `tfc data` makes. It knows nothing of end marks, contexts or batches: one token file serves every spec.
//! - **Parts.** A [`Part`] is what is trained on or held out: documents one after another, joined or kept separate.
//! - **Sequences.** [`Sequences`] cuts a part into windows and gives any batch by its cursor, the number of sequences drawn
//!   before it. The cursor is the whole state of the data: a resumed run continues at the very same sequence.

mod images;
mod order;
mod text;
mod tokenizer;
mod tokens;

pub use images::{Augment, ImageBatch, ImageSet, Images, Preparation};
pub use order::Order;
pub use text::Texts;
pub use tokenizer::{Detokenizer, Tokenizer};
pub use tokens::{Corpus, Documents, HeldOut, Part, Sequences, TokenBatch, hold_out, prepare, refuse_prepared};
