//! The numbers that a session's symbols stand for.

use std::collections::BTreeMap;
use tfc_compiler::model::Model;
use tfc_compiler::size::{SizeValues, Symbol};

/// Sizes at `batch` full sequences and given numbers of parameter tokens, one per token axis.
pub fn sizes_at(model: &Model, batch: u64, tokens: &[i64]) -> SizeValues {
    let sequence = model.context.unwrap_or(1);
    model.token_sizes(tokens).with(Symbol::BATCH, batch as i64).with(Symbol::SEQUENCE, sequence)
}

/// The numbers of parameter tokens by the path of their axis.
pub fn tokens_by_path(model: &Model, sizes: &SizeValues) -> BTreeMap<String, i64> {
    model.token_axes.iter().map(|axis| (axis.path.clone(), sizes.get(axis.symbol))).collect()
}
