//! Programs along rows, and sums over rows.

mod columns;
mod line;
mod program;
mod reduction;

pub use columns::emit as emit_columns;
pub use program::emit;

#[cfg(test)]
mod tests;
