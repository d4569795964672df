//! Sums and means.

use super::Arguments;
use crate::check::elaborate::Elaborator;
use crate::check::elaborate::value::{Axis, Tensor};
use crate::graph::DType;
use crate::model::Primitive;
use crate::size::Size;
use tfc_grammar::Code;

impl<'a> Elaborator<'a> {
    pub fn sum(&mut self, args: &Arguments<'a>) -> Option<Tensor> {
        self.reduce(args, |axes| Primitive::Sum { axes })
    }

    pub fn mean(&mut self, args: &Arguments<'a>) -> Option<Tensor> {
        self.reduce(args, |axes| Primitive::Mean { axes })
    }

    /// Over one axis, or over all; the axes vanish, or stay with size 1 under `keep`.
    fn reduce(&mut self, args: &Arguments<'a>, primitive: impl Fn(Vec<usize>) -> Primitive) -> Option<Tensor> {
        let x = self.floats(args, 0)?;
        let reduced = match args.values[1].is_empty() {
            true => (0..x.rank()).collect(),
            false => vec![self.axis(args, 1, x.rank(), None)?],
        };
        let keep = self.flag(args, 2)?;
        if reduced.is_empty() {
            return Some(x);
        }
        let left = x.axes.iter().enumerate().filter(|(i, _)| !reduced.contains(i)).map(|(_, axis)| axis.clone());
        let result = self.emit(primitive(reduced.clone()), &[&x], DType::F32, left.collect(), args.span);
        if !keep {
            return Some(result);
        }
        let one = Axis { size: Size::constant(1), origin: None };
        let kept = x.axes.iter().enumerate();
        let axes = kept.map(|(i, axis)| if reduced.contains(&i) { one.clone() } else { axis.clone() }).collect();
        Some(self.emit(Primitive::Reshape, &[&result], DType::F32, axes, args.span))
    }

    /// An axis by its number, negative ones counted from the last.
    pub fn axis(&self, args: &Arguments<'a>, index: usize, rank: usize, default: Option<f64>) -> Option<usize> {
        let number = self.number_or(args, index, default.unwrap_or(f64::NAN))?;
        let from_end = if number < 0.0 { number + rank as f64 } else { number };
        if from_end.fract() == 0.0 && from_end >= 0.0 && from_end < rank as f64 {
            return Some(from_end as usize);
        }
        let span = args.values[index].first().map_or(args.span, |(_, span)| *span);
        self.fail(Code::WrongRank, span, format!("there is no axis {number}"), format!("the tensor has {rank} axes"));
        None
    }
}
