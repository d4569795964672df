//! Rotary position embedding.

use super::Tensor;
use crate::rotary;

/// x `[B, T, H, C]`, the first of the T at `position` if that is one number, else each at its own.
pub(super) fn rope(x: &Tensor, position: &Tensor, channels: usize, base: f64, inverse: bool) -> Tensor {
    let [_, positions, heads, width] = x.shape[..] else { unreachable!("four axes") };
    let half = channels / 2;
    let direction = if inverse { -1.0 } else { 1.0 };
    let mut data = x.floats().to_vec();
    for (row, head) in data.chunks_mut(width.max(1)).enumerate() {
        let token = row / heads;
        let position = match position.integers() {
            [first] if position.shape.is_empty() => i64::from(*first) + (token % positions) as i64,
            each => i64::from(each[token]),
        };
        for i in 0..half {
            let cos = f64::from(rotary::cosine(position, i, channels, base));
            let sin = f64::from(rotary::sine(position, i, channels, base)) * direction;
            let [a, b] = [head[i], head[i + half]];
            head[i] = a * cos - b * sin;
            head[i + half] = b * cos + a * sin;
        }
    }
    Tensor::f32(x.shape.clone(), data)
}
