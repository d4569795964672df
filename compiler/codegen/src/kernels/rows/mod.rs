//! Programs along rows, and sums over rows.

mod columns;
mod line;
mod passes;
mod program;
mod reduction;
mod selection;
mod step;

pub use columns::emit as emit_columns;
pub use passes::{Reducing, passes};
pub use program::emit;
pub use reduction::SAFE_SQUARES;
pub use selection::{Bounds, STEPS, counted, negated};
pub use step::{Step, Total};

#[cfg(test)]
mod tests;
