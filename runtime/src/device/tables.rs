//! The constants of a plan, from the sizes alone.

use super::memory::Memory;
use crate::Result;
use tfc_compiler::plan::Table;
use tfc_compiler::rotary;
use tfc_compiler::size::{Size, SizeValues};

pub fn compute(table: &Table, sizes: &SizeValues) -> Result<Memory> {
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
) -> Result<Memory> {
    let positions = positions.eval(sizes).max(0);
    let (channels, half) = (channels as usize, channels as usize / 2);
    let mut memory = Memory::new(4 * positions as usize * half)?;
    let values: &mut [f32] = bytemuck::cast_slice_mut(memory.bytes_mut());
    let places = (0..positions).flat_map(|position| (0..half).map(move |pair| (position, pair)));
    for (value, (position, pair)) in values.iter_mut().zip(places) {
        *value = wave(position, pair, channels, base);
    }
    Ok(memory)
}
