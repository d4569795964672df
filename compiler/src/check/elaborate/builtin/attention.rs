//! Attention between positions, and the heads and rotations it works on.

use super::Arguments;
use crate::check::elaborate::Elaborator;
use crate::check::elaborate::value::sizes;
use crate::check::elaborate::value::{Axis, Tensor, Value};
use crate::graph::{AttentionMask, DType};
use crate::model::Primitive;
use crate::size::Size;
use tfc_grammar::Code;

/// The widest window: kernels add it to positions, and both are whole numbers of 32 bits.
const WIDEST: u32 = 1 << 30;

impl<'a> Elaborator<'a> {
    /// (q `[batch, positions, heads, channels]`, k, v of as many or fewer heads) → as q.
    pub fn attention(&mut self, args: &Arguments<'a>) -> Option<Tensor> {
        let (q, k, v) = (self.floats(args, 0)?, self.floats(args, 1)?, self.floats(args, 2)?);
        let mask = self.mask(args)?;
        for x in [&q, &k, &v] {
            if x.rank() != 4 {
                let message = "attention needs `[batch, positions, heads, channels]`: use `split_heads`";
                self.wrong_shapes(Code::WrongRank, message, &[x], &[], args.span);
                return None;
            }
        }
        if sizes(&k.axes) != sizes(&v.axes) {
            self.wrong_shapes(Code::ShapeMismatch, "keys and values are of one shape", &[&k, &v], &[], args.span);
            return None;
        }
        let same = |axis: usize| q.axes[axis].size == k.axes[axis].size;
        if !same(0) || !same(1) || !same(3) {
            let axes: Vec<&Axis> = if same(3) { Vec::new() } else { vec![&q.axes[3], &k.axes[3]] };
            let message = "queries and keys differ in batch, positions or channels";
            self.wrong_shapes(Code::ShapeMismatch, message, &[&q, &k], &axes, args.span);
            return None;
        }
        if q.axes[3].size.as_constant().is_none() {
            let message = "the channels of a head are no number that stays: heads grow, their channels do not";
            self.wrong_shapes(Code::NotYetSupported, message, &[&q], &[&q.axes[3]], args.span);
            return None;
        }
        if q.axes[2].size.checked_div(&k.axes[2].size).is_none() {
            let message = "the heads of queries are no multiple of those of keys and values";
            self.wrong_shapes(Code::NotDivisible, message, &[&q, &k], &[&q.axes[2], &k.axes[2]], args.span);
            return None;
        }
        let axes = q.axes.clone();
        Some(self.emit(Primitive::Attention { mask }, &[&q, &k, &v], DType::F32, axes, args.span))
    }

    fn mask(&self, args: &Arguments<'a>) -> Option<AttentionMask> {
        if let Some((Value::Window(positions), _)) = args.values[3].first() {
            return Some(AttentionMask::Window(*positions));
        }
        match self.choice(args, 3, &["full", "causal", "window"])? {
            "full" => Some(AttentionMask::Full),
            "causal" => Some(AttentionMask::Causal),
            _ => {
                self.fail(Code::WrongArgumentCount, args.values[3][0].1, "a window has a size", "say `window(256)`");
                None
            }
        }
    }

    /// `window(n)`: each position sees itself and the n − 1 before it.
    pub fn window(&mut self, args: &Arguments<'a>) -> Option<Value<'a>> {
        let positions = self.whole(args, 0)?;
        match u32::try_from(positions) {
            Ok(positions) if positions <= WIDEST => Some(Value::Window(positions)),
            Ok(_) | Err(_) => {
                let label = format!("at most {WIDEST} positions: `causal` has no end");
                self.fail(Code::ValueOutOfRange, args.span, "the window is too large", label);
                None
            }
        }
    }

    /// Rotates the first part of each head's channels by its position.
    pub fn rope(&mut self, args: &Arguments<'a>) -> Option<Tensor> {
        let x = self.floats(args, 0)?;
        let (fraction, base) = (self.number_or(args, 1, 1.0)?, self.number_or(args, 2, 10_000.0)?);
        let (4, Some(width)) = (x.rank(), x.axes.last().and_then(|axis| axis.size.as_constant())) else {
            let message = "rotary embedding needs `[batch, positions, heads, channels]`: use `split_heads`";
            self.wrong_shapes(Code::WrongRank, message, &[&x], &[], args.span);
            return None;
        };
        let channels = fraction * width as f64;
        if !(0.0..=1.0).contains(&fraction) || base <= 0.0 {
            let message = "a fraction lies between 0 and 1, a base is positive";
            self.fail(Code::ValueOutOfRange, args.span, message, format!("fraction {fraction}, base {base}"));
            return None;
        }
        if channels % 2.0 != 0.0 {
            let message = format!("{channels} of {width} channels cannot be rotated in pairs");
            self.wrong_shapes(Code::NotDivisible, &message, &[&x], &[&x.axes[3]], args.span);
            return None;
        }
        let primitive = Primitive::Rope { channels: channels as usize, base };
        let axes = x.axes.clone();
        Some(self.emit(primitive, &[&x], DType::F32, axes, args.span))
    }

    /// `[.., width]` → `[.., heads, width / heads]`
    pub fn split_heads(&mut self, args: &Arguments<'a>) -> Option<Tensor> {
        let x = self.floats(args, 0)?;
        let heads = self.whole(args, 1)?;
        let Some((width, outer)) = x.axes.split_last() else {
            self.wrong_shapes(Code::WrongRank, "there is no axis to split", &[&x], &[], args.span);
            return None;
        };
        let Some(channels) = width.size.checked_div(&Size::constant(heads)) else {
            let message = format!("{} channels do not divide into {heads} heads", self.size_text(&width.size));
            self.wrong_shapes(Code::NotDivisible, &message, &[&x], &[width], args.span);
            return None;
        };
        let head = Axis { size: Size::constant(heads), origin: Some(args.values[1][0].1) };
        let axes = [outer, &[head, Axis { size: channels, origin: width.origin }]].concat();
        Some(self.emit(Primitive::SplitHeads { heads }, &[&x], DType::F32, axes, args.span))
    }

    /// `[.., heads, channels]` → `[.., heads · channels]`
    pub fn merge_heads(&mut self, args: &Arguments<'a>) -> Option<Tensor> {
        let x = self.floats(args, 0)?;
        let [outer @ .., heads, channels] = x.axes.as_slice() else {
            self.wrong_shapes(Code::WrongRank, "there are no heads to merge", &[&x], &[], args.span);
            return None;
        };
        let merged = Axis { size: heads.size.clone() * channels.size.clone(), origin: channels.origin };
        let axes = [outer, &[merged]].concat();
        Some(self.emit(Primitive::MergeHeads, &[&x], DType::F32, axes, args.span))
    }
}
