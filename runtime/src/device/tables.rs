//! The constants of a plan, from the sizes alone.

use tfc_compiler::plan::Table;
use tfc_compiler::rotary;
use tfc_compiler::size::{Size, SizeValues};

pub fn compute(table: &Table, sizes: &SizeValues) -> Vec<f32> {
    match table {
        Table::Cosine { positions, channels, base } => waves(positions, *channels, *base, rotary::cosine, sizes),
        Table::Sine { positions, channels, base } => waves(positions, *channels, *base, rotary::sine, sizes),
    }
}

/// `[positions, channels/2]`.
fn waves(
    positions: &Size,
    channels: u32,
    base: f64,
    wave: fn(i64, usize, usize, f64) -> f32,
    sizes: &SizeValues,
) -> Vec<f32> {
    let (channels, half) = (channels as usize, channels as usize / 2);
    let of_position = |position| (0..half).map(move |pair| wave(position, pair, channels, base));
    (0..positions.eval(sizes)).flat_map(of_position).collect()
}
