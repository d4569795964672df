//! Loads and stores at element offsets from raw pointers.
//!
//! Buffers are aligned to their elements only: rows begin anywhere.

use super::function::Function;
use super::value::{F32, F32s, I32, I64, Index, Int32, Kind, Mask, Pointer, Ptr, Scalar, Value, Vector};
use melior::ir::Type;
use melior::ir::attribute::{DenseI32ArrayAttribute, TypeAttribute};

impl<'f> Pointer<'f> {
    /// The address `offset` f32 (or i32) further.
    pub fn at(self, offset: Index<'f>) -> Pointer<'f> {
        self.element(self.function.ty::<F32>(), offset)
    }

    pub fn load(self, offset: Index<'f>) -> Scalar<'f> {
        self.at(offset).read::<F32>(4)
    }

    pub fn load_int(self, offset: Index<'f>) -> Int32<'f> {
        self.at(offset).read::<I32>(4)
    }

    /// Element `offset` of an array of pointers.
    pub fn load_pointer(self, offset: i64) -> Pointer<'f> {
        self.element(self.function.ty::<Ptr>(), self.function.index(offset)).read::<Ptr>(8)
    }

    /// Element `offset` of an array of sizes.
    pub fn load_index(self, offset: i64) -> Index<'f> {
        self.element(self.function.ty::<I64>(), self.function.index(offset)).read::<I64>(8)
    }

    pub fn load_vector(self, offset: Index<'f>) -> Vector<'f> {
        self.at(offset).read::<F32s>(4)
    }

    /// 0 in the lanes that are masked out, whose memory is not touched.
    pub fn load_lanes(self, offset: Index<'f>, lanes: Mask<'f>) -> Vector<'f> {
        let zero = self.function.vector(0.0);
        let alignment = [("alignment", self.function.integer(self.function.ty::<I32>(), 4))];
        self.function.apply("llvm.intr.masked.load", &[self.at(offset).raw, lanes.raw, zero.raw], &alignment)
    }

    pub fn store(self, offset: Index<'f>, value: Scalar<'f>) {
        self.at(offset).write(value);
    }

    pub fn store_vector(self, offset: Index<'f>, value: Vector<'f>) {
        self.at(offset).write(value);
    }

    pub fn store_lanes(self, offset: Index<'f>, value: Vector<'f>, lanes: Mask<'f>) {
        let alignment = [("alignment", self.function.integer(self.function.ty::<I32>(), 4))];
        self.function.append("llvm.intr.masked.store", &[value.raw, self.at(offset).raw, lanes.raw], &[], &alignment);
    }

    /// Asks for the cache line of an element that will be written soon.
    pub fn prefetch_for_write(self, offset: Index<'f>) {
        let i32_of = |value| self.function.integer(self.function.ty::<I32>(), value);
        let hints = [("rw", i32_of(1)), ("hint", i32_of(3)), ("cache", i32_of(1))];
        self.function.append("llvm.intr.prefetch", &[self.at(offset).raw], &[], &hints);
    }

    fn element(self, ty: Type<'f>, offset: Index<'f>) -> Pointer<'f> {
        let dynamic = DenseI32ArrayAttribute::new(self.function.context(), &[i32::MIN]);
        let attributes = [("rawConstantIndices", dynamic.into()), ("elem_type", TypeAttribute::new(ty).into())];
        self.function.apply("llvm.getelementptr", &[self.raw, offset.raw], &attributes)
    }

    fn read<K: Kind>(self, alignment: i64) -> Value<'f, K> {
        self.function.apply(
            "llvm.load",
            &[self.raw],
            &[("alignment", self.function.integer(self.function.ty::<I64>(), alignment))],
        )
    }

    fn write<K: Kind>(self, value: Value<'f, K>) {
        let alignment = self.function.integer(self.function.ty::<I64>(), 4);
        self.function.append("llvm.store", &[value.raw, self.raw], &[], &[("alignment", alignment)]);
    }
}

impl<'f> Function<'f> {
    /// Room on the stack for `elements` f32, aligned to a cache line; asked for outside of loops.
    pub fn stack(&'f self, elements: i64) -> Pointer<'f> {
        let count = self.index(elements);
        let attributes = [
            ("elem_type", TypeAttribute::new(self.ty::<F32>()).into()),
            ("alignment", self.integer(self.ty::<I64>(), 64)),
        ];
        self.apply("llvm.alloca", &[count.raw], &attributes)
    }
}
