//! Loads and stores at element offsets from raw pointers.
//!
//! Buffers are aligned to their elements only: rows begin anywhere.

use super::function::Function;
use super::value::{
    Address, Addresses, F32, F32s, I32, I64, Index, Int32, Ints, Kind, Mask, Number, Offsets, Pointer, Ptr, Scalar,
    Value, Vector,
};
use melior::ir::attribute::{DenseI32ArrayAttribute, StringAttribute, TypeAttribute};
use melior::ir::{Attribute, Type};
use tfc_compiler::optimization::Optimization;

/// Which lanes of a register have an element in memory.
#[derive(Clone, Copy)]
pub enum Lanes<'f> {
    All,
    Some(Mask<'f>),
}

impl<'f> Lanes<'f> {
    /// Lanes `[begin, end)`.
    pub fn range(f: &'f Function<'f>, begin: i64, end: i64) -> Lanes<'f> {
        match (begin, end) == (0, f.vectors().width as i64) {
            true => Lanes::All,
            false => Lanes::Some(f.ints(begin as i32).at_most(f.lane_numbers()) & f.index(end).lanes()),
        }
    }

    /// `value` where there is an element, `other` elsewhere.
    pub fn or(self, value: Vector<'f>, other: Vector<'f>) -> Vector<'f> {
        match self {
            Lanes::All => value,
            Lanes::Some(mask) => mask.select(value, other),
        }
    }

    fn mask(self, function: &'f Function<'f>) -> Mask<'f> {
        match self {
            Lanes::All => function.index(function.vectors().width as i64).lanes(),
            Lanes::Some(mask) => mask,
        }
    }
}

impl<'f> Pointer<'f> {
    /// The same address under a name that LLVM takes for another: what is read through each is read by an instruction of its own, at constant offsets from a register.
    pub fn renamed(self) -> Self {
        let text = |text| StringAttribute::new(self.function.emission().context, text).into();
        let nothing = [("asm_string", text("")), ("constraints", text("=r,0"))];
        self.function.apply("llvm.inline_asm", &[self.raw], &nothing)
    }
}

impl<'f, A: Address> Value<'f, A> {
    /// The address `offset` f32 (or i32) further.
    pub fn at(self, offset: Index<'f>) -> Self {
        self.element(self.function.ty::<F32>(), offset)
    }

    pub fn load(self, offset: Index<'f>) -> Scalar<'f> {
        self.at(offset).read::<F32>(4)
    }

    pub fn load_int(self, offset: Index<'f>) -> Int32<'f> {
        self.at(offset).read::<I32>(4)
    }

    pub fn load_vector(self, offset: Index<'f>) -> Vector<'f> {
        self.at(offset).read::<F32s>(4)
    }

    /// A register from an address that is a multiple of its size.
    pub fn load_aligned<K: Kind>(self, offset: Index<'f>) -> Value<'f, K> {
        self.at(offset).read::<K>(self.register_bytes())
    }

    pub fn store(self, offset: Index<'f>, value: Scalar<'f>) {
        self.at(offset).write(value, 4);
    }

    pub fn store_int(self, offset: Index<'f>, value: Int32<'f>) {
        self.at(offset).write(value, 4);
    }

    pub fn store_vector(self, offset: Index<'f>, value: Vector<'f>) {
        self.at(offset).write(value, 4);
    }

    /// A register to an address that is a multiple of its size.
    pub fn store_aligned<K: Kind>(self, offset: Index<'f>, value: Value<'f, K>) {
        self.at(offset).write(value, self.register_bytes());
    }

    fn register_bytes(self) -> i64 {
        4 * self.function.vectors().width as i64
    }

    pub(super) fn element(self, ty: Type<'f>, offset: Index<'f>) -> Self {
        self.function.apply("llvm.getelementptr", &[self.raw, offset.raw], &self.function.offset_attributes(ty))
    }

    pub(super) fn read<K: Kind>(self, alignment: i64) -> Value<'f, K> {
        self.function.apply(
            "llvm.load",
            &[self.raw],
            &[("alignment", self.function.integer(self.function.ty::<I64>(), alignment))],
        )
    }

    pub(super) fn write<K: Kind>(self, value: Value<'f, K>, alignment: i64) {
        let alignment = self.function.integer(self.function.ty::<I64>(), alignment);
        self.function.append("llvm.store", &[value.raw, self.raw], &[], &[("alignment", alignment)]);
    }
}

/// Which of the processor's caches.
#[derive(Clone, Copy)]
pub enum Cache {
    First,
    /// For what is far away: the first waits for few lines at a time.
    Second,
    /// The first alone, and none behind it when it leaves that: for what is read once, so that it takes no room from what is read again. The second,
    /// where the first would lose it ([`crate::vectors::Vectors::passing`]).
    Passing,
}

impl<'f> Pointer<'f> {
    /// Element `offset` of an array of pointers.
    pub fn load_pointer(self, offset: i64) -> Pointer<'f> {
        self.element(self.function.ty::<Ptr>(), self.function.index(offset)).read::<Ptr>(8)
    }

    /// Element `offset` of an array of sizes.
    pub fn load_index(self, offset: i64) -> Index<'f> {
        self.element(self.function.ty::<I64>(), self.function.index(offset)).read::<I64>(8)
    }

    /// The address as a number.
    pub fn address(self) -> Index<'f> {
        self.function.apply("llvm.ptrtoint", &[self.raw], &[])
    }

    /// 0 in the lanes that are left out, whose memory is not touched.
    pub fn load_lanes(self, offset: Index<'f>, lanes: Lanes<'f>) -> Vector<'f> {
        self.read_lanes(offset, lanes)
    }

    pub fn load_int_lanes(self, offset: Index<'f>, lanes: Lanes<'f>) -> Ints<'f> {
        self.read_lanes(offset, lanes)
    }

    pub fn store_lanes(self, offset: Index<'f>, value: Vector<'f>, lanes: Lanes<'f>) {
        self.write_lanes(offset, value, lanes);
    }

    pub fn store_int_lanes(self, offset: Index<'f>, value: Ints<'f>, lanes: Lanes<'f>) {
        self.write_lanes(offset, value, lanes);
    }

    /// Asks for the cache line of an element that will be read soon, or written, to be in a cache by then. There need be none.
    pub fn prefetch(self, offset: Index<'f>, into: Cache, write: bool) {
        if !self.function.uses(Optimization::Prefetching) {
            return;
        }
        let hint = |value| self.function.integer(self.function.ty::<I32>(), value);
        let locality = match into {
            Cache::First => 3,
            Cache::Passing if self.function.vectors().passing => 0,
            Cache::Second | Cache::Passing => 2,
        };
        let hints = [("rw", hint(write.into())), ("hint", hint(locality)), ("cache", hint(1))];
        self.function.append("llvm.intr.prefetch", &[self.at(offset).raw], &[], &hints);
    }

    /// Elements `stride` apart.
    pub fn gather(self, stride: Index<'f>, lanes: Lanes<'f>) -> Vector<'f> {
        self.read_apart(stride, lanes)
    }

    pub fn gather_ints(self, stride: Index<'f>, lanes: Lanes<'f>) -> Ints<'f> {
        self.read_apart(stride, lanes)
    }

    pub fn scatter(self, stride: Index<'f>, value: Vector<'f>, lanes: Lanes<'f>) {
        self.write_apart(stride, value, lanes);
    }

    pub fn scatter_ints(self, stride: Index<'f>, value: Ints<'f>, lanes: Lanes<'f>) {
        self.write_apart(stride, value, lanes);
    }

    fn read_apart<K: Number>(self, stride: Index<'f>, lanes: Lanes<'f>) -> Value<'f, K> {
        let zero = K::constant(self.function, K::Literal::default());
        let operands = [self.apart(stride).raw, lanes.mask(self.function).raw, zero.raw];
        self.function.apply("llvm.intr.masked.gather", &operands, &self.masked_alignment())
    }

    fn write_apart<K: Kind>(self, stride: Index<'f>, value: Value<'f, K>, lanes: Lanes<'f>) {
        let operands = [value.raw, self.apart(stride).raw, lanes.mask(self.function).raw];
        self.function.append("llvm.intr.masked.scatter", &operands, &[], &self.masked_alignment());
    }

    /// One address for each lane.
    fn apart(self, stride: Index<'f>) -> Addresses<'f> {
        let offsets: Offsets = self.function.apply("vector.broadcast", &[stride.raw], &[]);
        let lanes: Offsets = self.function.apply("arith.extsi", &[self.function.lane_numbers().raw], &[]);
        let offsets: Offsets = self.function.apply("arith.muli", &[offsets.raw, lanes.raw], &[]);
        self.function.apply(
            "llvm.getelementptr",
            &[self.raw, offsets.raw],
            &self.function.offset_attributes(self.function.ty::<F32>()),
        )
    }

    fn masked_alignment(self) -> [(&'static str, Attribute<'f>); 1] {
        self.aligned_to(4)
    }

    fn aligned_to(self, bytes: i64) -> [(&'static str, Attribute<'f>); 1] {
        [("alignment", self.function.integer(self.function.ty::<I32>(), bytes))]
    }

    /// Where the mask says so; 0 elsewhere, where memory is not touched. `bytes` is the size of one number.
    pub(super) fn read_masked<K: Kind, M: Kind>(self, mask: Value<'f, M>, bytes: i64) -> Value<'f, K> {
        let zero: Value<K> = self.function.apply("llvm.mlir.zero", &[], &[]);
        let operands = [self.raw, mask.raw, zero.raw];
        self.function.apply("llvm.intr.masked.load", &operands, &self.aligned_to(bytes))
    }

    fn read_lanes<K: Number>(self, offset: Index<'f>, lanes: Lanes<'f>) -> Value<'f, K> {
        let Lanes::Some(mask) = lanes else { return self.at(offset).read(4) };
        self.at(offset).read_masked(mask, 4)
    }

    fn write_lanes<K: Kind>(self, offset: Index<'f>, value: Value<'f, K>, lanes: Lanes<'f>) {
        let Lanes::Some(mask) = lanes else { return self.at(offset).write(value, 4) };
        self.at(offset).write_masked(value, mask, 4);
    }

    /// Where the mask says so. `bytes` is the size of one number.
    pub(super) fn write_masked<K: Kind>(self, value: Value<'f, K>, mask: Mask<'f>, bytes: i64) {
        let operands = [value.raw, self.raw, mask.raw];
        self.function.append("llvm.intr.masked.store", &operands, &[], &self.aligned_to(bytes));
    }
}

impl<'f> Function<'f> {
    /// One dynamic index, in elements of `ty`.
    fn offset_attributes(&'f self, ty: Type<'f>) -> [(&'static str, Attribute<'f>); 2] {
        let dynamic = DenseI32ArrayAttribute::new(self.context(), &[i32::MIN]);
        [("rawConstantIndices", dynamic.into()), ("elem_type", TypeAttribute::new(ty).into())]
    }

    /// Room on the stack for `elements` f32, aligned to a cache line: the same in every turn of the loops around.
    pub fn stack(&'f self, elements: i64) -> Pointer<'f> {
        let i64 = self.ty::<I64>();
        let count = self.operation("arith.constant", &[], &[i64], &[("value", self.integer(i64, elements))]);
        let count = self.insert_at_entry(0, count).result(0).expect("one result");
        let attributes =
            [("elem_type", TypeAttribute::new(self.ty::<F32>()).into()), ("alignment", self.integer(i64, 64))];
        let room = self.operation("llvm.alloca", &[count.into()], &[self.ty::<Ptr>()], &attributes);
        Value::new(self, self.insert_at_entry(1, room).result(0).expect("one result").into())
    }
}
