//! Operations that move elements: concatenation, patches, and the broadcasting they share with arithmetic.

use super::Arguments;
use crate::check::elaborate::Elaborator;
use crate::check::elaborate::value::{Axis, Tensor};
use crate::graph::DType;
use crate::model::Primitive;
use crate::size::Size;
use tfc_grammar::{Code, Span};

impl<'a> Elaborator<'a> {
    /// Along one axis, by default the last; the others broadcast.
    pub fn concat(&mut self, args: &Arguments<'a>) -> Option<Tensor> {
        let mut parts = Vec::new();
        for given in &args.values[0] {
            let part = self.as_tensor(given)?;
            parts.push(self.of_dtype(part, DType::F32, given.1)?);
        }
        let rank = parts.iter().map(Tensor::rank).max().unwrap_or(0);
        let axis = self.axis(args, 1, rank, Some(-1.0))?;
        let mut total = Axis { size: Size::constant(0), origin: None };
        // What the other axes become, with size 1 for the one that is concatenated.
        let mut others: Vec<Axis> = Vec::new();
        for part in &mut parts {
            part.axes.splice(0..0, vec![one(); rank - part.rank()]);
            let own = std::mem::replace(&mut part.axes[axis], one());
            total = Axis { size: total.size + own.size.clone(), origin: total.origin.or(own.origin) };
            let shape = part.axes.clone();
            part.axes[axis] = own;
            others = self.broadcast(&others, &shape).or_else(|| {
                self.wrong_shapes(Code::ShapeMismatch, "all axes but one agree", &[part], &[], args.span);
                None
            })?;
        }
        let parts: Vec<Tensor> = parts.into_iter().map(|part| self.expanded(part, &others, axis, args.span)).collect();
        let mut axes = others;
        axes[axis] = total;
        let operands: Vec<&Tensor> = parts.iter().collect();
        Some(self.emit(Primitive::Concat { axis }, &operands, DType::F32, axes, args.span))
    }

    /// The part with its leading axes added and all axes but one repeated to the shape.
    fn expanded(&mut self, part: Tensor, shape: &[Axis], but: usize, span: Span) -> Tensor {
        let mut axes = shape.to_vec();
        axes[but] = part.axes[but].clone();
        let made = self.values[part.id.0 as usize].ty.shape.len();
        let part = if made == part.rank() {
            part
        } else {
            self.emit(Primitive::Reshape, &[&part], DType::F32, part.axes.clone(), span)
        };
        let same = part.axes.iter().zip(&axes).all(|(from, to)| from.size == to.size);
        if same { part } else { self.emit(Primitive::Expand, &[&part], DType::F32, axes, span) }
    }

    /// The shape that two shapes have in common: aligned at the right, axes of size 1 repeat.
    pub fn broadcast(&self, a: &[Axis], b: &[Axis]) -> Option<Vec<Axis>> {
        let rank = a.len().max(b.len());
        let at = |axes: &[Axis], index: usize| {
            (index + axes.len()).checked_sub(rank).map_or_else(one, |own| axes[own].clone())
        };
        (0..rank)
            .map(|index| match (at(a, index), at(b, index)) {
                (a, b) if a.size == b.size => Some(if a.origin.is_some() { a } else { b }),
                (a, b) if b.size.is_one() => Some(a),
                (a, b) => a.size.is_one().then_some(b),
            })
            .collect()
    }

    /// `[batch, channels, height, width]` → `[batch, patches, channels · size²]`
    pub fn patches(&mut self, args: &Arguments<'a>) -> Option<Tensor> {
        let x = self.floats(args, 0)?;
        let size = self.whole(args, 1)?;
        let [batch, channels, height, width] = x.axes.as_slice() else {
            let message = "patches are cut from `[batch, channels, height, width]`";
            self.wrong_shapes(Code::WrongRank, message, &[&x], &[], args.span);
            return None;
        };
        let side = Size::constant(size);
        let (Some(rows), Some(columns)) = (height.size.checked_div(&side), width.size.checked_div(&side)) else {
            let message = format!("the image does not divide into patches of {size} by {size}");
            self.wrong_shapes(Code::NotDivisible, &message, &[&x], &[height, width], args.span);
            return None;
        };
        let place = Some(args.span);
        let patches = Axis { size: rows * columns, origin: place };
        let pixels = Axis { size: channels.size.clone() * side.clone() * side, origin: place };
        let axes = vec![batch.clone(), patches, pixels];
        Some(self.emit(Primitive::Patches { size }, &[&x], DType::F32, axes, args.span))
    }
}

fn one() -> Axis {
    Axis { size: Size::constant(1), origin: None }
}
