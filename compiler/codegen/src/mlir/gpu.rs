//! Kernels of a GPU: their arguments, the threads of a block, and what threads hand to each other.

use super::function::{Function, location};
use super::module::Emission;
use super::value::{Index, Int32, Kind, Pointer, Scalar, Shared, Value};
use melior::ir::attribute::{FlatSymbolRefAttribute, StringAttribute, TypeAttribute};
use melior::ir::operation::OperationBuilder;
use melior::ir::{Attribute, Identifier, Region, Type};

/// Threads that run in step.
pub const WARP: i32 = 32;

/// The memory that a launch gives to each block.
const SHARED_MEMORY: &str = "shared_memory";

/// The arguments of a kernel.
pub struct GpuLaunch<'f> {
    /// In the order of the kernel's operands.
    pub buffers: Vec<Pointer<'f>>,
    /// In the order that the kernel's body documents.
    pub sizes: Vec<Index<'f>>,
}

/// What a kernel is to its callers.
pub struct Signature<'a> {
    pub name: &'a str,
    /// For each buffer, whether it is only read.
    pub read_only: &'a [bool],
    pub sizes: usize,
    /// Of a block.
    pub threads: u32,
    /// That a multiprocessor must have registers for. For the sake of more of them ptxas would spill some.
    pub blocks: u32,
}

impl<'c> Emission<'c> {
    /// Emits a kernel: a pointer to global memory for each buffer, then 64 bits for each size.
    pub fn gpu_kernel(&self, signature: &Signature, body: impl for<'f> FnOnce(&'f Function<'f>, GpuLaunch<'f>)) {
        let buffers = signature.read_only.len();
        let arguments = [vec![self.types.pointer; buffers], vec![self.types.i64; signature.sizes]].concat();
        let region = Function::body(self, signature.name, &arguments, "llvm.return", |f, values| {
            let (pointers, sizes) = values.split_at(buffers);
            body(
                f,
                GpuLaunch {
                    buffers: pointers.iter().map(|raw| Value::new(f, *raw)).collect(),
                    sizes: sizes.iter().map(|raw| Value::new(f, *raw)).collect(),
                },
            );
        });
        let parse = |text: &str| Attribute::parse(self.context, text).expect("a well-formed attribute");
        let types: Vec<String> = arguments.iter().map(Type::to_string).collect();
        let ty = Type::parse(self.context, &format!("!llvm.func<void ({})>", types.join(", "))).expect("a type");
        // What is written overlaps nothing, and what is only read may overlap what is only read.
        let of_buffer = |read_only: &bool| if *read_only { "{llvm.noalias, llvm.readonly}" } else { "{llvm.noalias}" };
        let of_arguments = signature.read_only.iter().map(of_buffer).chain((0..signature.sizes).map(|_| "{}"));
        let attributes = [
            ("function_type", TypeAttribute::new(ty).into()),
            ("arg_attrs", parse(&format!("[{}]", of_arguments.collect::<Vec<_>>().join(", ")))),
            ("nvvm.kernel", parse("unit")),
            ("nvvm.maxntid", parse(&format!("array<i32: {}>", signature.threads))),
            ("nvvm.minctasm", parse(&format!("{} : i32", signature.blocks))),
        ];
        self.add_symbol("llvm.func", signature.name, &attributes, region);
    }

    fn add_symbol(&self, operation: &str, name: &str, attributes: &[(&str, Attribute<'c>)], region: Region<'c>) {
        let named = [("sym_name", StringAttribute::new(self.context, name).into())];
        let attributes: Vec<_> =
            named.iter().chain(attributes).map(|(n, a)| (Identifier::new(self.context, n), *a)).collect();
        let operation = OperationBuilder::new(operation, location(self, name))
            .add_attributes(&attributes)
            .add_regions([region])
            .build();
        self.add(operation.expect("no result type is left to infer"));
    }
}

impl<'f> Function<'f> {
    /// The thread's number in its block.
    pub fn thread(&'f self) -> Int32<'f> {
        self.apply("nvvm.read.ptx.sreg.tid.x", &[], &[])
    }

    /// The block's number in the grid.
    pub fn block_number(&'f self) -> Index<'f> {
        let number: Int32 = self.apply("nvvm.read.ptx.sreg.ctaid.x", &[], &[]);
        number.to_index()
    }

    /// Waits for all threads of the block; what they have written to shared memory is then seen by all. In control flow that they share.
    pub fn barrier(&'f self) {
        self.append("nvvm.barrier0", &[], &[], &[]);
    }

    /// The memory that the launch gives to the block, aligned to 128 bytes.
    pub fn shared_memory(&'f self) -> Shared<'f> {
        self.emission().declare_shared_memory();
        let name = FlatSymbolRefAttribute::new(self.context(), SHARED_MEMORY);
        self.apply("llvm.mlir.addressof", &[], &[("global_name", name.into())])
    }
}

impl Emission<'_> {
    fn declare_shared_memory(&self) {
        if self.claim_helper(SHARED_MEMORY) {
            let parse = |text: &str| Attribute::parse(self.context, text).expect("a well-formed attribute");
            let bytes = Type::parse(self.context, "!llvm.array<0 x i8>").expect("a type");
            let attributes = [
                ("global_type", TypeAttribute::new(bytes).into()),
                ("linkage", parse("#llvm.linkage<external>")),
                ("addr_space", parse("3 : i32")),
                ("alignment", parse("128 : i64")),
            ];
            self.add_symbol("llvm.mlir.global", SHARED_MEMORY, &attributes, Region::new());
        }
    }
}

/// What one instruction hands from thread to thread.
pub trait Word: Kind {}
impl Word for super::value::F32 {}
impl Word for super::value::I32 {}

impl<'f, K: Word> Value<'f, K> {
    /// The value of the lane whose number differs in the bits of `mask`. All lanes of the warp take part.
    pub fn of_lane_across(self, mask: i32) -> Self {
        let f = self.function;
        let operands = [f.int32(-1).raw, self.raw, f.int32(mask).raw, f.int32(WARP - 1).raw];
        f.apply("nvvm.shfl.sync", &operands, &[("kind", f.parse("#nvvm<shfl_kind bfly>"))])
    }

    /// The value of a lane. All lanes of the warp take part.
    pub fn of_lane(self, lane: Int32<'f>) -> Self {
        let f = self.function;
        let operands = [f.int32(-1).raw, self.raw, lane.raw, f.int32(WARP - 1).raw];
        f.apply("nvvm.shfl.sync", &operands, &[("kind", f.parse("#nvvm<shfl_kind idx>"))])
    }
}

impl<'f> Scalar<'f> {
    /// The values of all lanes combined by a commutative `combine`, in every lane: the same bits, for the order is the same but for sides.
    pub fn across_warp(self, combine: impl Fn(Scalar<'f>, Scalar<'f>) -> Scalar<'f>) -> Scalar<'f> {
        self.across_lanes(&[16, 8, 4, 2, 1], combine)
    }

    /// The same for the lanes whose numbers differ in the bits of `masks`.
    pub fn across_lanes(self, masks: &[i32], combine: impl Fn(Scalar<'f>, Scalar<'f>) -> Scalar<'f>) -> Scalar<'f> {
        masks.iter().fold(self, |value, mask| combine(value, value.of_lane_across(*mask)))
    }
}
