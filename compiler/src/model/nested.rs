//! Models whose tokens were trained to be cut: nested dropout, `mask = first(uniform(low, high))`.

use super::{Model, Primitive};

impl Model {
    /// The token axes whose last tokens training hides, by index into `token_axes`.
    pub fn nested_axes(&self) -> Vec<usize> {
        let masks = self.program.values.iter().filter(|value| matches!(value.primitive, Primitive::First { .. }));
        let masked: Vec<_> = masks.filter_map(|mask| mask.ty.shape.first()?.as_symbol()).collect();
        (0..self.token_axes.len()).filter(|axis| masked.contains(&self.token_axes[*axis].symbol)).collect()
    }

    /// Outside of training, hides all but the first `fraction` of these tokens.
    pub fn show_first(&mut self, fraction: f64) {
        for value in &mut self.program.values {
            if let Primitive::First { shown, .. } = &mut value.primitive {
                *shown = fraction;
            }
        }
    }
}
