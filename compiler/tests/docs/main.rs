//! What the documentation, the specs and the examples say is true of the compiler.
//!
//! Every block ```` ```tfm ```` of a page is checked as a whole file. Words behind `tfm` in the first line say more:
//!
//! | word | meaning |
//! | --- | --- |
//! | a name, such as `forward` | the block is a part: it is put in the place of the line `// HERE: forward` of a file of `contexts/` |
//! | `error=E0301`, `warning=W0502` | exactly this code is the answer, and no other error |
//! | `file=blocks.tfm` | the block is a file of that name: later blocks of the page can `use` it |
//!
//! What a block defines takes the place of what its context says there under the same name, so that a block can show one field
//! of a section, or one layer of a model that calls it.

mod codes;
mod commands;
mod context;
mod emits;
mod graphs;
mod library;
mod links;
mod page;
mod pages;
mod proofs;
mod specs;
mod verdict;
