//! What can be switched off by name, to find what is wrong or what is worth its while: passes over graphs, decisions of the fuser, how code is written, and
//! how memory is used.
//!
//! Whatever is off, results are the same up to rounding. What lowering cannot do without has no name here.

use crate::passes;
use std::collections::BTreeSet;

macro_rules! optimizations {
    ($($(#[$doc:meta])* $variant:ident: $name:literal,)*) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Optimization {
            $($(#[$doc])* $variant,)*
        }

        impl Optimization {
            pub const ALL: [Optimization; [$($name),*].len()] = [$(Optimization::$variant),*];

            pub fn name(self) -> &'static str {
                match self {
                    $(Optimization::$variant => $name,)*
                }
            }
        }
    };
}

optimizations! {
    /// The loss of a vocabulary without its matrix of logits.
    Vocabulary: "vocabulary",
    /// Leaving out what no output needs.
    Dce: "dce",
    /// Computing what is the same only once.
    Cse: "cse",
    /// Algebra: what is multiplied by one, or moved there and back.
    Simplify: "simplify",
    /// One order of nodes: what is loaded stands right before its first use, in whatever order it was declared.
    Canonicalize: "canonicalize",
    /// Pointwise operations on an operand of a product, as it is loaded.
    Prologues: "prologues",
    /// Pointwise operations on a product, before it is stored.
    Epilogues: "epilogues",
    /// Computing a value wherever it is used, instead of keeping it.
    Recomputation: "recomputation",
    /// Computing once what several products load: where many do, or where it can take the place of its matrix.
    Takeover: "takeover",
    /// Several pointwise operations and reductions over the same rows in one kernel.
    Groups: "groups",
    /// Rotary embeddings where products store what is turned, and gradients where attention's backward part does.
    Rotary: "rotary",
    /// Row programs with the rows of a product, as soon as they are stored.
    RowEpilogues: "row_epilogues",
    /// Computing parts of the forward pass again for the backward pass, where memory is short.
    Checkpointing: "checkpointing",
    /// Products with few rows on matrices as they are stored, without packing them.
    FewRows: "few_rows",
    /// Weights stored as products read them, where nothing trains: rounded already, and rows along what is added up.
    Weights: "weights",
    /// Results of products that products read again, and what else is there to be multiplied, as bf16 in memory, where products are of bf16.
    Narrow: "narrow",
    /// Long products of bf16 in segments of k that are small enough for threads to share what they pack.
    Segments: "segments",
    /// Launches of a continued text that need nothing of each other beside each other.
    Levels: "levels",
    /// Leaving out blocks of scores that a mask hides.
    HiddenBlocks: "hidden_blocks",
    /// GELU in pieces whose coefficients are looked up in a register.
    Pieces: "pieces",
    /// Exponents of exponentials applied by an instruction.
    Exponents: "exponents",
    /// Sums of a product that are its result stored from registers, or added to it there.
    DirectStores: "direct_stores",
    /// Where a matrix ends within a tile, no register without a column of it.
    EdgeTiles: "edge_tiles",
    /// Rows of a product's first matrix multiplied where they are stored, without packing them.
    StoredRows: "stored_rows",
    /// Elements of a product's first matrix read and broadcast by the multiplication, where the processor gains by it.
    EmbeddedBroadcast: "embedded_broadcast",
    /// Products of bf16 in registers of whole tiles, where the processor has any.
    TileRegisters: "tile_registers",
    /// Asking for memory before it is read.
    Prefetching: "prefetching",
    /// The first micro-batch of a batch writes gradients, instead of adding to zeros.
    WrittenGradients: "written_gradients",
    /// Buffers of the forward part in gradients that are not written yet.
    Lending: "lending",
    /// Tensors on large pages of the host's memory.
    LargePages: "large_pages",
    /// Packing the second matrix of a product once for all threads of a processor.
    SharedPacking: "shared_packing",
    /// Launches of a call that write nothing the others touch at once on the threads of a processor, and packing for the next product beside the last.
    Joining: "joining",
}

/// What is switched off.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Disabled(BTreeSet<Optimization>);

impl Disabled {
    /// # Errors
    /// A name is that of nothing which can be switched off; one sentence.
    pub fn named(names: &[String]) -> Result<Disabled, String> {
        names.iter().map(|name| find(name)).collect::<Result<_, _>>().map(Disabled)
    }

    /// Whatever puts several operations into one kernel: what is left is a kernel for each node of the graph, as frameworks run it that compile nothing.
    pub fn fusion() -> Disabled {
        let fuses = |optimization: &Optimization| match optimization {
            Optimization::Vocabulary | Optimization::Prologues | Optimization::Epilogues => true,
            Optimization::Recomputation | Optimization::Takeover | Optimization::Groups => true,
            Optimization::Rotary | Optimization::RowEpilogues => true,
            Optimization::Dce | Optimization::Cse | Optimization::Simplify => false,
            Optimization::Canonicalize | Optimization::Checkpointing => false,
            Optimization::FewRows | Optimization::Weights | Optimization::Segments => false,
            Optimization::Narrow | Optimization::Levels => false,
            Optimization::HiddenBlocks | Optimization::Pieces | Optimization::Exponents => false,
            Optimization::DirectStores | Optimization::EdgeTiles => false,
            Optimization::StoredRows | Optimization::EmbeddedBroadcast | Optimization::TileRegisters => false,
            Optimization::Prefetching => false,
            Optimization::WrittenGradients | Optimization::Lending => false,
            Optimization::LargePages | Optimization::SharedPacking | Optimization::Joining => false,
        };
        Disabled(Optimization::ALL.into_iter().filter(fuses).collect())
    }

    /// What only costs time on a GPU, whose blocks share no panels.
    pub fn of_gpus() -> Disabled {
        Disabled([Optimization::Segments].into())
    }

    /// What either leaves out.
    pub fn and(&self, other: &Disabled) -> Disabled {
        Disabled(self.0.union(&other.0).copied().collect())
    }

    /// How a processor's code is written, of which kernels know nothing.
    pub fn code() -> Disabled {
        let of_code = |optimization: &Optimization| match optimization {
            Optimization::HiddenBlocks | Optimization::Pieces | Optimization::Exponents => true,
            Optimization::DirectStores | Optimization::EdgeTiles => true,
            Optimization::StoredRows | Optimization::EmbeddedBroadcast | Optimization::TileRegisters => true,
            Optimization::Prefetching => true,
            Optimization::Vocabulary | Optimization::Dce | Optimization::Cse | Optimization::Simplify => false,
            Optimization::Canonicalize | Optimization::Prologues | Optimization::Epilogues => false,
            Optimization::Recomputation | Optimization::Takeover | Optimization::Groups => false,
            Optimization::Rotary | Optimization::RowEpilogues | Optimization::Checkpointing => false,
            Optimization::FewRows | Optimization::Weights | Optimization::Segments => false,
            Optimization::Narrow | Optimization::Levels => false,
            Optimization::WrittenGradients | Optimization::Lending => false,
            Optimization::LargePages | Optimization::SharedPacking | Optimization::Joining => false,
        };
        Disabled(Optimization::ALL.into_iter().filter(of_code).collect())
    }

    /// What both leave out.
    pub fn among(&self, other: &Disabled) -> Disabled {
        Disabled(self.0.intersection(&other.0).copied().collect())
    }

    pub fn has(&self, optimization: Optimization) -> bool {
        self.0.contains(&optimization)
    }

    /// Their names: the passes to leave out are among them.
    pub fn names(&self) -> Vec<&'static str> {
        self.0.iter().map(|optimization| optimization.name()).collect()
    }
}

fn find(name: &str) -> Result<Optimization, String> {
    if let Some(found) = Optimization::ALL.into_iter().find(|optimization| optimization.name() == name) {
        return Ok(found);
    }
    if passes::PASSES.iter().any(|pass| pass.name == name) {
        return Err(format!("`{name}` cannot be left out: without it nothing can be lowered to kernels"));
    }
    Err(format!(
        "there is no optimization `{name}`; there are {}",
        Optimization::ALL.map(Optimization::name).join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_mean_nothing_are_refused() {
        let named = |name: &str| Disabled::named(&[name.to_string()]);
        assert_eq!(
            named("expand").unwrap_err(),
            "`expand` cannot be left out: without it nothing can be lowered to kernels"
        );
        let list = "vocabulary, dce, cse, simplify, canonicalize, prologues, epilogues, recomputation, takeover, groups, rotary, row_epilogues, checkpointing, few_rows, weights, narrow, segments, levels, \
                    hidden_blocks, pieces, exponents, direct_stores, edge_tiles, stored_rows, embedded_broadcast, tile_registers, prefetching, written_gradients, lending, large_pages, shared_packing, joining";
        assert_eq!(named("cde").unwrap_err(), format!("there is no optimization `cde`; there are {list}"));
        for optimization in Optimization::ALL {
            assert_eq!(named(optimization.name()).unwrap().names(), [optimization.name()]);
        }
    }

    #[test]
    fn every_pass_but_what_is_needed_can_be_left_out() {
        let refused = passes::PASSES.iter().filter(|pass| find(pass.name).is_err()).map(|pass| pass.name);
        assert_eq!(refused.collect::<Vec<_>>(), ["expand"]);
    }
}
