//! Values and their kinds.

use super::function::Function;
use super::module::Types;
use melior::ir::Type;
use std::marker::PhantomData;

/// The result of an operation, or an argument, in the function under construction.
#[derive(Clone, Copy)]
pub struct Value<'f, K> {
    pub(super) function: &'f Function<'f>,
    pub(super) raw: melior::ir::Value<'f, 'f>,
    kind: PhantomData<K>,
}

impl<'f, K: Kind> Value<'f, K> {
    pub(super) fn new(function: &'f Function<'f>, raw: melior::ir::Value<'f, 'f>) -> Value<'f, K> {
        Value { function, raw, kind: PhantomData }
    }

    /// The function that the value belongs to.
    pub fn function(self) -> &'f Function<'f> {
        self.function
    }
}

/// What a value is.
pub trait Kind: Copy {
    fn of<'c>(types: &Types<'c>) -> Type<'c>;
}

/// A kind with arithmetic: the names of its operations.
pub trait Number: Kind {
    const ADD: &'static str;
    const SUBTRACT: &'static str;
    const MULTIPLY: &'static str;
    /// Of integers: of numbers that are never negative.
    const DIVIDE: &'static str;
    const COMPARE: &'static str;
    /// The comparisons <, ≤ and =, as that operation numbers them.
    const PREDICATES: [i64; 3];
    /// What a comparison gives.
    type Truth: Condition;
    /// What a constant is written as.
    type Literal: Copy + Default;

    /// The same number in every lane.
    fn constant<'f>(function: &'f Function<'f>, value: Self::Literal) -> Value<'f, Self>;
}

/// One condition, or one for each lane.
pub trait Condition: Kind {}

/// f32, one or a register of them: what is written for both is written once.
pub trait Float: Number<Literal = f32> {
    type Bits: Bits<Truth = Self::Truth, Float = Self>;

    /// The same number in every lane.
    fn splat<'f>(scalar: Scalar<'f>) -> Value<'f, Self>;

    /// What is computed in registers, of one number in the first lane of one.
    fn in_register<'f>(x: Value<'f, Self>, body: impl FnOnce(Vector<'f>) -> Vector<'f>) -> Value<'f, Self>;
}

/// Where loads and stores go.
pub trait Address: Kind {}

/// i32, one or a register of them.
pub trait Bits: Number<Literal = i32> {
    type Float: Float;

    /// The same number in every lane.
    fn splat<'f>(scalar: Int32<'f>) -> Value<'f, Self>;

    /// first, first + 1, … in the lanes.
    fn counting<'f>(first: Index<'f>) -> Value<'f, Self>;
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $marker:ident, $name:ident: $field:ident;)*) => {$(
        #[derive(Clone, Copy)]
        pub struct $marker;
        $(#[$doc])*
        pub type $name<'f> = Value<'f, $marker>;
        impl Kind for $marker {
            fn of<'c>(types: &Types<'c>) -> Type<'c> {
                types.$field
            }
        }
    )*};
}

kinds! {
    /// A condition.
    I1, Bool: i1;
    /// A 32-bit integer: a token id, the bits of a [`Scalar`].
    I32, Int32: i32;
    /// An element offset, a size, a loop counter.
    I64, Index: i64;
    /// The number of a tile register.
    I8, Int8: i8;
    /// The bits of a bf16.
    I16, Int16: i16;
    /// One bf16, on the way to its bits.
    BF16, Bf16: bf16;
    /// One f32.
    F32, Scalar: f32;
    /// The address of a buffer; offsets are in elements of what is loaded.
    Ptr, Pointer: pointer;
    /// An address in the memory that the threads of a block share.
    SharedPtr, Shared: shared;
    /// One condition for each lane of a vector.
    I1s, Mask: i1s;
    /// One condition for each of a register of bf16.
    I1Pairs, PairMask: i1_pairs;
    /// One offset for each lane.
    I64s, Offsets: i64s;
    /// One address for each lane.
    Ptrs, Addresses: pointers;
    /// The bits of a bf16 in each lane.
    I16s, Int16s: i16s;
    /// A register of i32.
    I32s, Ints: i32s;
    /// A register of f32.
    F32s, Vector: f32s;
    /// A register of bf16, twice as many as lanes of f32.
    BF16s, Bf16s: bf16s;
    /// A register of f32, rounded to bf16: half as many bytes.
    RoundedBF16s, RoundedBf16s: rounded_bf16s;
}

macro_rules! numbers {
    ($letter:literal, $divide:literal, $predicates:expr; $($marker:ident, $literal:ty, $truth:ident, $constant:ident;)*) => {$(
        impl Number for $marker {
            const ADD: &'static str = concat!("arith.add", $letter);
            const SUBTRACT: &'static str = concat!("arith.sub", $letter);
            const MULTIPLY: &'static str = concat!("arith.mul", $letter);
            const DIVIDE: &'static str = concat!("arith.", $divide);
            const COMPARE: &'static str = concat!("arith.cmp", $letter);
            const PREDICATES: [i64; 3] = $predicates;
            type Truth = $truth;
            type Literal = $literal;
            fn constant<'f>(function: &'f Function<'f>, value: $literal) -> Value<'f, $marker> {
                function.$constant(value)
            }
        }
    )*};
}

// arith's numbers of olt, ole and oeq, then of slt, sle and eq.
numbers! { "f", "divf", [4, 5, 1];
    F32, f32, I1, scalar;
    F32s, f32, I1s, vector;
}
numbers! { "i", "divui", [2, 3, 0];
    I32, i32, I1, int32;
    I64, i64, I1, index;
    I32s, i32, I1s, ints;
}

impl Condition for I1 {}
impl Condition for I1s {}

impl Address for Ptr {}
impl Address for SharedPtr {}

impl Float for F32 {
    type Bits = I32;
    fn splat<'f>(scalar: Scalar<'f>) -> Scalar<'f> {
        scalar
    }
    fn in_register<'f>(x: Scalar<'f>, body: impl FnOnce(Vector<'f>) -> Vector<'f>) -> Scalar<'f> {
        body(x.splat()).first()
    }
}
impl Float for F32s {
    type Bits = I32s;
    fn splat<'f>(scalar: Scalar<'f>) -> Vector<'f> {
        scalar.splat()
    }
    fn in_register<'f>(x: Vector<'f>, body: impl FnOnce(Vector<'f>) -> Vector<'f>) -> Vector<'f> {
        body(x)
    }
}
impl Bits for I32 {
    type Float = F32;
    fn splat<'f>(scalar: Int32<'f>) -> Int32<'f> {
        scalar
    }
    fn counting<'f>(first: Index<'f>) -> Int32<'f> {
        first.to_int32()
    }
}
impl Bits for I32s {
    type Float = F32s;
    fn splat<'f>(scalar: Int32<'f>) -> Ints<'f> {
        scalar.splat()
    }
    fn counting<'f>(first: Index<'f>) -> Ints<'f> {
        first.counting()
    }
}
