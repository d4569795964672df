//! The constants of a plan, from the sizes alone.

use super::memory::Memory;
use crate::Result;
use tfc_compiler::plan::Table;
use tfc_compiler::size::{Size, SizeValues};

pub fn compute(table: &Table, sizes: &SizeValues) -> Result<Memory> {
    match table {
        Table::Cosine { positions, channels, base } => angles(positions, *channels, *base, f32::cos, sizes),
        Table::Sine { positions, channels, base } => angles(positions, *channels, *base, f32::sin, sizes),
    }
}

/// `[positions, channels/2]`, in f32 throughout, as the official code computes them whatever the model's type.
fn angles(positions: &Size, channels: u32, base: f64, wave: fn(f32) -> f32, sizes: &SizeValues) -> Result<Memory> {
    let positions = positions.eval(sizes).max(0) as usize;
    let half = channels as usize / 2;
    let mut memory = Memory::new(4 * positions * half)?;
    let values: &mut [f32] = bytemuck::cast_slice_mut(memory.bytes_mut());
    for position in 0..positions {
        for pair in 0..half {
            let frequency = 1.0 / (base as f32).powf(2.0 * pair as f32 / channels as f32);
            values[position * half + pair] = wave(position as f32 * frequency);
        }
    }
    Ok(memory)
}
