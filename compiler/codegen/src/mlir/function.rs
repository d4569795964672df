//! A function under construction: where operations are appended.

use super::module::{Emission, Types};
use super::value::{I64, Index, Kind, Pointer, Value};
use crate::vectors::Vectors;
use melior::Context;
use melior::ir::attribute::{
    ArrayAttribute, DenseI32ArrayAttribute, DenseI64ArrayAttribute, FlatSymbolRefAttribute, IntegerAttribute,
    StringAttribute, TypeAttribute,
};
use melior::ir::operation::{OperationBuilder, OperationRef};
use melior::ir::r#type::FunctionType;
use melior::ir::{Attribute, Block, BlockLike, BlockRef, Identifier, Location, Region, RegionLike, Type};
use mlir_sys::MlirBlock;
use std::cell::Cell;
use tfc_compiler::optimization::Optimization;

type Raw<'m> = melior::ir::Value<'m, 'm>;

/// Operations are appended to the present block; control flow moves it (see [`super::control`]).
pub struct Function<'m> {
    emission: &'m Emission<'m>,
    location: Location<'m>,
    entry: MlirBlock,
    /// The present block. Raw, so that the lifetime of a function can shrink to that of its values.
    block: Cell<MlirBlock>,
}

/// The arguments of a kernel: the launch ABI of `tfc_compiler::kernel`.
#[derive(Clone, Copy)]
pub struct Launch<'f> {
    pub buffers: Pointer<'f>,
    pub sizes: Pointer<'f>,
    /// The work items to do: `[begin, end)`.
    pub begin: Index<'f>,
    pub end: Index<'f>,
    pub scratch: Pointer<'f>,
}

impl<'c> Emission<'c> {
    /// Emits the public function of a kernel.
    pub fn kernel(&self, name: &str, body: impl for<'f> FnOnce(&'f Function<'f>, Launch<'f>)) {
        let Types { pointer, i64, .. } = self.types;
        Function::emit(self, name, &[pointer, pointer, i64, i64, pointer], true, |f, values| {
            let [buffers, sizes, scratch] = [0, 1, 4].map(|i| Value::new(f, values[i]));
            let [begin, end] = [2, 3].map(|i| Value::new(f, values[i]));
            body(f, Launch { buffers, sizes, begin, end, scratch });
        });
    }
}

impl<'m> Function<'m> {
    /// Emits `void name(arguments…)`. A private function may be called from its module only, and is not inlined: one copy of it is the point.
    fn emit(
        emission: &'m Emission<'_>,
        name: &str,
        arguments: &[Type<'m>],
        public: bool,
        body: impl for<'f> FnOnce(&'f Function<'f>, &[Raw<'f>]),
    ) {
        let context = emission.context;
        let region = Function::body(emission, name, arguments, "func.return", body);
        let text = |s: &str| Attribute::from(StringAttribute::new(context, s));
        let mut attributes =
            vec![(Identifier::new(context, "sym_visibility"), text(if public { "public" } else { "private" }))];
        if !public {
            let noinline = ArrayAttribute::new(context, &[text("noinline")]).into();
            attributes.push((Identifier::new(context, "passthrough"), noinline));
            attributes.push((
                Identifier::new(context, "llvm.linkage"),
                Attribute::parse(context, "#llvm.linkage<internal>").expect("a well-formed attribute"),
            ));
        }
        let ty = TypeAttribute::new(FunctionType::new(context, arguments, &[]).into());
        emission.add(melior::dialect::func::func(
            context,
            StringAttribute::new(context, name),
            ty,
            region,
            &attributes,
            location(emission, name),
        ));
    }

    /// What a function does, up to the operation that returns.
    pub(super) fn body(
        emission: &'m Emission<'_>,
        name: &str,
        arguments: &[Type<'m>],
        returns: &str,
        body: impl for<'f> FnOnce(&'f Function<'f>, &[Raw<'f>]),
    ) -> Region<'m> {
        let location = location(emission, name);
        let region = Region::new();
        let block = region.append_block(Block::new(&arguments.iter().map(|t| (*t, location)).collect::<Vec<_>>()));
        let function = Function { emission, location, entry: block.to_raw(), block: Cell::new(block.to_raw()) };
        let values: Vec<_> = (0..arguments.len()).filter_map(|i| block.argument(i).ok()).map(Into::into).collect();
        body(&function, &values);
        function.append(returns, &[], &[], &[]);
        region
    }

    /// What the machine is like.
    pub fn vectors(&self) -> Vectors {
        self.emission.vectors
    }

    /// Whether code is written as an optimization has it.
    pub fn uses(&self, optimization: Optimization) -> bool {
        !self.emission.disabled.has(optimization)
    }

    pub(super) fn emission(&self) -> &'m Emission<'m> {
        self.emission
    }

    pub(super) fn context(&self) -> &'m Context {
        self.emission.context
    }

    pub(super) fn types(&self) -> &Types<'m> {
        &self.emission.types
    }

    pub(super) fn ty<K: Kind>(&self) -> Type<'m> {
        K::of(&self.emission.types)
    }

    pub(super) fn location(&self) -> Location<'m> {
        self.location
    }

    fn block(&self) -> BlockRef<'m, 'm> {
        // SAFETY: the block belongs to an operation that goes into the module of the emission, which outlives 'm; none is erased.
        unsafe { BlockRef::from_raw(self.block.get()) }
    }

    /// Inserts an operation near the front of the function, which dominates all that was appended.
    pub(super) fn insert_at_entry(&self, position: usize, operation: OperationBuilder<'m>) -> OperationRef<'m, 'm> {
        // SAFETY: as in `block`.
        let entry: BlockRef<'m, 'm> = unsafe { BlockRef::from_raw(self.entry) };
        entry.insert_operation(position, operation.build().expect("no result type is left to infer"))
    }

    /// Appends what `body` emits to another block.
    pub(super) fn within<R>(&self, block: BlockRef<'_, '_>, body: impl FnOnce() -> R) -> R {
        let outer = self.block.replace(block.to_raw());
        let result = body();
        self.block.set(outer);
        result
    }

    /// An operation not yet in any block. Result types are always given, so that building cannot fail; that they are right is for the verifier.
    pub(super) fn operation(
        &self,
        name: &str,
        operands: &[Raw<'m>],
        results: &[Type<'m>],
        attributes: &[(&str, Attribute<'m>)],
    ) -> OperationBuilder<'m> {
        let attributes: Vec<_> =
            attributes.iter().map(|(n, a)| (Identifier::new(self.emission.context, n), *a)).collect();
        OperationBuilder::new(name, self.location)
            .add_operands(operands)
            .add_results(results)
            .add_attributes(&attributes)
    }

    pub(super) fn insert(&self, operation: OperationBuilder<'m>) -> OperationRef<'m, 'm> {
        self.block().append_operation(operation.build().expect("no result type is left to infer"))
    }

    pub(super) fn append(
        &self,
        name: &str,
        operands: &[Raw<'m>],
        results: &[Type<'m>],
        attributes: &[(&str, Attribute<'m>)],
    ) -> OperationRef<'m, 'm> {
        self.insert(self.operation(name, operands, results, attributes))
    }

    pub(super) fn parse(&self, attribute: &str) -> Attribute<'m> {
        Attribute::parse(self.emission.context, attribute).expect("a well-formed attribute")
    }

    pub(super) fn integer(&self, ty: Type<'m>, value: i64) -> Attribute<'m> {
        IntegerAttribute::new(ty, value).into()
    }

    pub(super) fn indices(&self, values: &[i64]) -> Attribute<'m> {
        DenseI64ArrayAttribute::new(self.emission.context, values).into()
    }
}

/// What diagnostics call the function.
pub(super) fn location<'m>(emission: &Emission<'m>, name: &str) -> Location<'m> {
    Location::name(emission.context, name, Location::unknown(emission.context))
}

impl<'f> Function<'f> {
    /// Appends an operation of one result.
    pub(super) fn apply<K: Kind>(
        &'f self,
        name: &str,
        operands: &[Raw<'f>],
        attributes: &[(&str, Attribute<'f>)],
    ) -> Value<'f, K> {
        let operation = self.append(name, operands, &[self.ty::<K>()], attributes);
        Value::new(self, operation.result(0).expect("one result").into())
    }

    /// Calls one of LLVM's own functions.
    pub(super) fn intrinsic<K: Kind>(&'f self, name: &str, operands: &[Raw<'f>]) -> Value<'f, K> {
        self.apply("llvm.call_intrinsic", operands, &self.intrinsic_attributes(name, operands))
    }

    /// … one without a result.
    pub(super) fn instruct(&'f self, name: &str, operands: &[Raw<'f>]) {
        self.append("llvm.call_intrinsic", operands, &[], &self.intrinsic_attributes(name, operands));
    }

    fn intrinsic_attributes(&'f self, name: &str, operands: &[Raw<'f>]) -> [(&'static str, Attribute<'f>); 3] {
        let context = self.context();
        let segments = DenseI32ArrayAttribute::new(context, &[operands.len() as i32, 0]).into();
        [
            ("intrin", StringAttribute::new(context, name).into()),
            ("operandSegmentSizes", segments),
            ("op_bundle_sizes", DenseI32ArrayAttribute::new(context, &[]).into()),
        ]
    }

    /// Calls the helper `name` of the module, whose body is emitted at its first call.
    pub fn call(
        &'f self,
        name: &str,
        pointers: &[Pointer<'f>],
        indices: &[Index<'f>],
        body: impl for<'g> FnOnce(&'g Function<'g>, &[Pointer<'g>], &[Index<'g>]),
    ) {
        if self.emission.claim_helper(name) {
            let types = [vec![self.types().pointer; pointers.len()], vec![self.ty::<I64>(); indices.len()]].concat();
            Function::emit(self.emission, name, &types, false, |g, values| {
                let (p, i) = values.split_at(pointers.len());
                let pointers: Vec<_> = p.iter().map(|v| Value::new(g, *v)).collect();
                let indices: Vec<_> = i.iter().map(|v| Value::new(g, *v)).collect();
                body(g, &pointers, &indices);
            });
        }
        let arguments: Vec<_> = pointers.iter().map(|p| p.raw).chain(indices.iter().map(|i| i.raw)).collect();
        let callee = FlatSymbolRefAttribute::new(self.emission.context, name);
        self.append("func.call", &arguments, &[], &[("callee", callee.into())]);
    }
}
