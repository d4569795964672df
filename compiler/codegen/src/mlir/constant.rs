//! Constants: one for each kind of number.

use super::function::Function;
use super::value::{Bool, F32, F32s, I1, I32, I32s, I64, Index, Int32, Ints, Kind, Scalar, Value, Vector};
use melior::ir::Attribute;
use melior::ir::attribute::{DenseElementsAttribute, FloatAttribute};

impl<'f> Function<'f> {
    pub fn truth(&'f self, value: bool) -> Bool<'f> {
        self.literal(self.integer(self.ty::<I1>(), value.into()))
    }

    pub fn int32(&'f self, value: i32) -> Int32<'f> {
        self.literal(self.integer(self.ty::<I32>(), value.into()))
    }

    pub fn index(&'f self, value: i64) -> Index<'f> {
        self.literal(self.integer(self.ty::<I64>(), value))
    }

    pub fn scalar(&'f self, value: f32) -> Scalar<'f> {
        self.literal(self.float(value))
    }

    pub fn ints(&'f self, value: i32) -> Ints<'f> {
        self.dense::<I32s>(&[self.integer(self.ty::<I32>(), value.into())])
    }

    pub fn vector(&'f self, value: f32) -> Vector<'f> {
        self.dense::<F32s>(&[self.float(value)])
    }

    /// A register of these numbers.
    pub fn lanes(&'f self, values: &[f32]) -> Vector<'f> {
        let values: Vec<_> = values.iter().map(|value| self.float(*value)).collect();
        self.dense::<F32s>(&values)
    }

    /// 0, 1, 2, …
    pub fn lane_numbers(&'f self) -> Ints<'f> {
        let numbers: Vec<_> = (0..self.vectors().width as i64).map(|i| self.integer(self.ty::<I32>(), i)).collect();
        self.dense::<I32s>(&numbers)
    }

    fn float(&'f self, value: f32) -> Attribute<'f> {
        FloatAttribute::new(self.context(), self.ty::<F32>(), value.into()).into()
    }

    pub(super) fn literal<K: Kind>(&'f self, value: Attribute<'f>) -> Value<'f, K> {
        self.apply("arith.constant", &[], &[("value", value)])
    }

    /// One value for all lanes or one for each.
    fn dense<K: Kind>(&'f self, values: &[Attribute<'f>]) -> Value<'f, K> {
        self.literal(
            DenseElementsAttribute::new(self.ty::<K>(), values).expect("a vector type and elements of it").into(),
        )
    }
}
