//! bf16: rounding to it, reading it, and products of pairs.
//!
//! A pair of bf16 takes the place of an f32 in a register, so that pairs are moved, transposed and broadcast like f32; the first of a pair is the lower
//! half. What makes and multiplies pairs exists only where [`crate::vectors::Vectors::bf16`] says so.

use super::memory::Lanes;
use super::value::{
    BF16s, Bf16, Bf16s, I64, Index, Int16, Int16s, Int32, Ints, PairMask, Pointer, RoundedBf16s, Scalar, Value, Vector,
};

impl<'f> Vector<'f> {
    /// The nearest bf16, ties to even, as f32: with integers, for any machine.
    pub fn rounded_to_bf16(self) -> Vector<'f> {
        let bits = self.bits();
        // The lowest bit that stays decides ties.
        let tie_to_even = bits.shift_left(15).shift_right_unsigned(31);
        let rounded = (bits + tie_to_even + 0x7fff).shift_right_unsigned(16).shift_left(16);
        // A NaN might become an infinity.
        self.equals(self).select(rounded.as_float(), self)
    }

    /// The bits of the nearest bf16.
    fn bf16_bits(self) -> Int16s<'f> {
        match self.function.vectors().rounds_to_bf16() {
            true => {
                let rounded: RoundedBf16s = self.function.apply("arith.truncf", &[self.raw], &[]);
                self.function.apply("arith.bitcast", &[rounded.raw], &[])
            }
            false => {
                let bits = self.rounded_to_bf16().bits().shift_right_unsigned(16);
                self.function.apply("arith.trunci", &[bits.raw], &[])
            }
        }
    }

    /// Lanes 2i and 2i + 1 of `self` followed by `next`, rounded, as the pair i.
    pub fn paired_with_neighbours(self, next: Vector<'f>) -> Vector<'f> {
        self.rounded_with(next).as_pairs()
    }

    /// Lane i of `self` and of `other`, rounded, as the pair i.
    pub fn paired_with(self, other: Vector<'f>) -> Vector<'f> {
        let width = self.function.vectors().width as i64;
        let interleaved: Vec<i64> = (0..width).flat_map(|i| [i, i + width]).collect();
        let rounded = self.rounded_with(other);
        let mask = self.function.indices(&interleaved);
        let pairs: Bf16s = self.function.apply("vector.shuffle", &[rounded.raw, rounded.raw], &[("mask", mask)]);
        pairs.as_pairs()
    }

    /// `self` + a₀·b₀ + a₁·b₁ for the pairs (a₀, a₁) and (b₀, b₁) in each lane.
    pub fn plus_product_of_pairs(self, a: Vector<'f>, b: Vector<'f>) -> Vector<'f> {
        let operands = [self.raw, a.as_bf16s().raw, b.as_bf16s().raw];
        self.function.intrinsic("llvm.x86.avx512bf16.dpbf16ps.512", &operands)
    }

    /// The lanes of `self`, then those of `other`.
    fn rounded_with(self, other: Vector<'f>) -> Bf16s<'f> {
        // The instruction takes what comes first last.
        self.function.intrinsic("llvm.x86.avx512bf16.cvtne2ps2bf16.512", &[other.raw, self.raw])
    }

    fn as_bf16s(self) -> Bf16s<'f> {
        self.function.apply("vector.bitcast", &[self.raw], &[])
    }
}

/// Offsets are in bf16.
impl<'f> Pointer<'f> {
    pub fn at_bf16(self, offset: Index<'f>) -> Pointer<'f> {
        self.element(self.function.types().i16, offset)
    }

    /// One of them, as f32.
    pub fn load_bf16(self, offset: Index<'f>) -> Scalar<'f> {
        let bits: Int16 = self.at_bf16(offset).read(2);
        let bits: Int32 = self.function.apply("arith.extui", &[bits.raw], &[]);
        bits.shift_left(16).as_float()
    }

    /// Two that lie side by side.
    pub fn load_bf16_pair(self, offset: Index<'f>) -> Scalar<'f> {
        self.at_bf16(offset).read(2)
    }

    /// An f32 as the nearest bf16, where rounding is one instruction.
    pub fn store_bf16(self, offset: Index<'f>, value: Scalar<'f>) {
        let rounded: Bf16 = self.function.apply("arith.truncf", &[value.raw], &[]);
        let bits: Int16 = self.function.apply("arith.bitcast", &[rounded.raw], &[]);
        self.at_bf16(offset).write(bits, 2);
    }

    /// A register of them, each as f32, from an address that is a multiple of its size.
    pub fn load_bf16_aligned(self, offset: Index<'f>) -> Vector<'f> {
        widened(self.at_bf16(offset).read(self.bf16_register_bytes()))
    }

    /// A register of f32, each as the nearest bf16, to an address that is a multiple of its size.
    pub fn store_bf16_aligned(self, offset: Index<'f>, value: Vector<'f>) {
        self.at_bf16(offset).write(value.bf16_bits(), self.bf16_register_bytes());
    }

    fn bf16_register_bytes(self) -> i64 {
        2 * self.function.vectors().width as i64
    }

    /// A register of them, each as f32; 0 in the lanes that are left out, whose memory is not touched.
    pub fn load_bf16_lanes(self, offset: Index<'f>, lanes: Lanes<'f>) -> Vector<'f> {
        let from = self.at_bf16(offset);
        let bits: Int16s = match lanes {
            Lanes::All => from.read(2),
            Lanes::Some(mask) => from.read_masked(mask, 2),
        };
        widened(bits)
    }

    /// A register of f32, each as the nearest bf16.
    pub fn store_bf16_lanes(self, offset: Index<'f>, value: Vector<'f>, lanes: Lanes<'f>) {
        let (to, bits) = (self.at_bf16(offset), value.bf16_bits());
        match lanes {
            Lanes::All => to.write(bits, 2),
            Lanes::Some(mask) => to.write_masked(bits, mask, 2),
        }
    }

    /// A register of pairs of which the first lie side by side from one place on, the second from another.
    pub fn load_bf16_pairs_of(self, second: Option<Pointer<'f>>, lanes: Lanes<'f>) -> Vector<'f> {
        let bits = |from: Pointer<'f>| from.load_bf16_lanes(from.function.index(0), lanes).bits();
        let first = bits(self).shift_right_unsigned(16);
        second.map_or(first, |second| first + bits(second)).as_float()
    }

    /// A register of pairs that lie side by side: all of them, or of the first `there` bf16, at least one, and 0 for the rest, whose memory is not
    /// touched.
    pub fn load_bf16_pairs(self, offset: Index<'f>, there: Option<Index<'f>>) -> Vector<'f> {
        let from = self.at_bf16(offset);
        let pairs: Bf16s = match there {
            None => from.read(2),
            Some(there) => from.read_masked(there.first_of_pairs(), 2),
        };
        pairs.as_pairs()
    }
}

fn widened(bits: Int16s) -> Vector {
    let bits: Ints = bits.function.apply("arith.extui", &[bits.raw], &[]);
    bits.shift_left(16).as_float()
}

impl<'f> Index<'f> {
    /// The first `self` of a register of bf16, of which there are as many as bits in an i32.
    fn first_of_pairs(self) -> PairMask<'f> {
        let there = self.or_at_most(self.constant(32));
        let above: Value<I64> = self.function.apply("arith.shli", &[self.constant(1).raw, there.raw], &[]);
        self.function.apply("llvm.bitcast", &[(above - 1).to_int32().raw], &[])
    }
}

impl<'f> Value<'f, BF16s> {
    fn as_pairs(self) -> Vector<'f> {
        self.function.apply("vector.bitcast", &[self.raw], &[])
    }
}
