//! Arithmetic, comparison and conversion of values.

use super::value::{Bits, Bool, Condition, Float, I64, Index, Int32, Ints, Kind, Mask, Number, Scalar, Value, Vector};
use std::ops::{Add, BitAnd, BitOr, Div, Mul, Neg, Not, Rem, Sub};

macro_rules! operator {
    ($operator:ident::$method:ident, $name:ident) => {
        impl<'f, K: Number> $operator for Value<'f, K> {
            type Output = Value<'f, K>;
            fn $method(self, other: Self) -> Self {
                self.function.apply(K::$name, &[self.raw, other.raw], &[])
            }
        }
        impl<'f, K: Float> $operator<f32> for Value<'f, K> {
            type Output = Value<'f, K>;
            fn $method(self, other: f32) -> Self {
                self.$method(self.constant(other))
            }
        }
        impl<'f, K: Bits> $operator<i32> for Value<'f, K> {
            type Output = Value<'f, K>;
            fn $method(self, other: i32) -> Self {
                self.$method(self.constant(other))
            }
        }
        impl<'f> $operator<i64> for Index<'f> {
            type Output = Index<'f>;
            fn $method(self, other: i64) -> Self {
                self.$method(self.constant(other))
            }
        }
    };
}

operator!(Add::add, ADD);
operator!(Sub::sub, SUBTRACT);
operator!(Mul::mul, MULTIPLY);
operator!(Div::div, DIVIDE);

impl<'f, K: Number> Value<'f, K> {
    /// A constant of the same kind.
    pub fn constant(self, value: K::Literal) -> Value<'f, K> {
        K::constant(self.function, value)
    }

    pub fn less(self, other: Self) -> Value<'f, K::Truth> {
        self.compare(0, other)
    }

    pub fn at_most(self, other: Self) -> Value<'f, K::Truth> {
        self.compare(1, other)
    }

    pub fn equals(self, other: Self) -> Value<'f, K::Truth> {
        self.compare(2, other)
    }

    fn compare(self, predicate: usize, other: Self) -> Value<'f, K::Truth> {
        let predicate = self.function.integer(self.function.ty::<I64>(), K::PREDICATES[predicate]);
        self.function.apply(K::COMPARE, &[self.raw, other.raw], &[("predicate", predicate)])
    }

    /// The larger of the two; `self` where one of them is NaN. One instruction.
    pub fn or_at_least(self, other: Self) -> Self {
        self.less(other).select(other, self)
    }

    /// The smaller of the two; `self` where one of them is NaN. One instruction.
    pub fn or_at_most(self, other: Self) -> Self {
        other.less(self).select(other, self)
    }
}

impl<'f, C: Condition> Value<'f, C> {
    /// `yes` where the condition holds, else `no`; for each lane if there is a condition for each.
    pub fn select<K: Kind>(self, yes: Value<'f, K>, no: Value<'f, K>) -> Value<'f, K> {
        self.function.apply("arith.select", &[self.raw, yes.raw, no.raw], &[])
    }
}

impl<'f, C: Condition> BitAnd for Value<'f, C> {
    type Output = Self;
    fn bitand(self, other: Self) -> Self {
        self.function.apply("arith.andi", &[self.raw, other.raw], &[])
    }
}

impl<'f, C: Condition> BitOr for Value<'f, C> {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        self.function.apply("arith.ori", &[self.raw, other.raw], &[])
    }
}

impl<'f> Not for Bool<'f> {
    type Output = Self;
    fn not(self) -> Self {
        let yes = self.function.truth(true);
        self.function.apply("arith.xori", &[self.raw, yes.raw], &[])
    }
}

impl<'f, K: Bits> Rem<i32> for Value<'f, K> {
    type Output = Self;
    fn rem(self, other: i32) -> Self {
        self.function.apply("arith.remui", &[self.raw, self.constant(other).raw], &[])
    }
}

impl<'f> Rem<i64> for Index<'f> {
    type Output = Self;
    fn rem(self, other: i64) -> Self {
        self % self.constant(other)
    }
}

impl<'f> Rem for Index<'f> {
    type Output = Self;
    fn rem(self, other: Self) -> Self {
        self.function.apply("arith.remui", &[self.raw, other.raw], &[])
    }
}

impl<'f> Index<'f> {
    /// ⌈self / divisor⌉.
    pub fn ceiling_division(self, divisor: i64) -> Index<'f> {
        (self + (divisor - 1)) / divisor
    }

    /// The next multiple of `unit`.
    pub fn round_up(self, unit: i64) -> Index<'f> {
        self.ceiling_division(unit) * unit
    }

    /// The first `self` lanes; none if negative, all if more than there are.
    pub fn lanes(self) -> Mask<'f> {
        let all = self.function.vectors().width as i64;
        self.function.lane_numbers().less(self.or_at_most(self.constant(all)).to_int32().splat())
    }

    /// self, self + 1, … in the lanes.
    pub fn counting(self) -> Ints<'f> {
        self.to_int32().splat() + self.function.lane_numbers()
    }

    /// The lower half.
    pub fn to_int32(self) -> Int32<'f> {
        self.function.apply("arith.trunci", &[self.raw], &[])
    }

    /// The upper half.
    pub fn upper_half(self) -> Int32<'f> {
        let shifted: Index = self.function.apply("arith.shrui", &[self.raw, self.constant(32).raw], &[]);
        shifted.to_int32()
    }

    /// As a float, rounded to the nearest.
    pub fn to_float(self) -> Scalar<'f> {
        self.function.apply("arith.sitofp", &[self.raw], &[])
    }
}

impl<'f, K: Float> Neg for Value<'f, K> {
    type Output = Self;
    fn neg(self) -> Self {
        self.unary("arith.negf")
    }
}

impl<'f, K: Float> Value<'f, K> {
    fn unary(self, name: &str) -> Self {
        self.function.apply(name, &[self.raw], &[])
    }

    /// self · factor + addend, rounded once where the machine can.
    pub fn times_plus(self, factor: Self, addend: Self) -> Self {
        match self.function.vectors().fma {
            true => self.function.apply("math.fma", &[self.raw, factor.raw, addend.raw], &[]),
            false => self * factor + addend,
        }
    }

    pub fn absolute(self) -> Self {
        self.unary("math.absf")
    }

    pub fn square_root(self) -> Self {
        self.unary("math.sqrt")
    }

    pub fn floor(self) -> Self {
        self.unary("math.floor")
    }

    /// The magnitude of `self` with the sign of `sign`.
    pub fn with_sign_of(self, sign: Self) -> Self {
        self.function.apply("math.copysign", &[self.raw, sign.raw], &[])
    }

    /// The integer toward zero.
    pub fn truncate(self) -> Value<'f, K::Bits> {
        self.function.apply("arith.fptosi", &[self.raw], &[])
    }

    pub fn bits(self) -> Value<'f, K::Bits> {
        self.function.apply("arith.bitcast", &[self.raw], &[])
    }
}

impl<'f, K: Bits> Value<'f, K> {
    /// The float with these bits.
    pub fn as_float(self) -> Value<'f, K::Float> {
        self.function.apply("arith.bitcast", &[self.raw], &[])
    }

    /// The float nearest to the number.
    pub fn to_float(self) -> Value<'f, K::Float> {
        self.function.apply("arith.sitofp", &[self.raw], &[])
    }

    pub fn shift_left(self, bits: i32) -> Self {
        self.function.apply("arith.shli", &[self.raw, self.constant(bits).raw], &[])
    }

    /// Keeps the sign.
    pub fn shift_right(self, bits: i32) -> Self {
        self.function.apply("arith.shrsi", &[self.raw, self.constant(bits).raw], &[])
    }

    /// Brings in zeros.
    pub fn shift_right_unsigned(self, bits: i32) -> Self {
        self.function.apply("arith.shrui", &[self.raw, self.constant(bits).raw], &[])
    }

    pub fn exclusive_or(self, other: Self) -> Self {
        self.function.apply("arith.xori", &[self.raw, other.raw], &[])
    }

    /// The lower and the upper half of the product of unsigned numbers.
    pub fn wide_product(self, other: Self) -> (Self, Self) {
        let ty = self.function.ty::<K>();
        let product = self.function.append("arith.mului_extended", &[self.raw, other.raw], &[ty, ty], &[]);
        let half = |i| Value::new(self.function, product.result(i).expect("two results").into());
        (half(0), half(1))
    }
}

impl<'f> Int32<'f> {
    pub fn to_index(self) -> Index<'f> {
        self.function.apply("arith.extsi", &[self.raw], &[])
    }

    pub fn splat(self) -> Ints<'f> {
        self.function.apply("vector.broadcast", &[self.raw], &[])
    }
}

impl<'f> Scalar<'f> {
    pub fn splat(self) -> Vector<'f> {
        self.function.apply("vector.broadcast", &[self.raw], &[])
    }
}
