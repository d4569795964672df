//! Loops and branches.

use super::function::Function;
use super::memory::Lanes;
use super::value::{Bool, Index, Kind, Value};
use melior::ir::operation::{OperationLike, OperationRef};
use melior::ir::{Attribute, Block, BlockLike, BlockRef, Region, RegionLike, Type, ValueLike};

type Raw<'f> = melior::ir::Value<'f, 'f>;

/// What a loop carries from turn to turn, or a branch results in: nothing, a value, several.
pub trait Carried<'f>: Clone {
    fn flatten(&self, into: &mut Vec<Raw<'f>>);
    /// The same structure with other values.
    fn rebuild(&self, function: &'f Function<'f>, from: &mut dyn Iterator<Item = Raw<'f>>) -> Self;
}

impl<'f> Carried<'f> for () {
    fn flatten(&self, _: &mut Vec<Raw<'f>>) {}
    fn rebuild(&self, _: &'f Function<'f>, _: &mut dyn Iterator<Item = Raw<'f>>) -> Self {}
}

impl<'f, K: Kind> Carried<'f> for Value<'f, K> {
    fn flatten(&self, into: &mut Vec<Raw<'f>>) {
        into.push(self.raw);
    }
    fn rebuild(&self, function: &'f Function<'f>, from: &mut dyn Iterator<Item = Raw<'f>>) -> Self {
        Value::new(function, from.next().expect("as many values as were carried"))
    }
}

impl<'f, C: Carried<'f>> Carried<'f> for Vec<C> {
    fn flatten(&self, into: &mut Vec<Raw<'f>>) {
        self.iter().for_each(|c| c.flatten(into));
    }
    fn rebuild(&self, function: &'f Function<'f>, from: &mut dyn Iterator<Item = Raw<'f>>) -> Self {
        self.iter().map(|c| c.rebuild(function, from)).collect()
    }
}

impl<'f, A: Carried<'f>, B: Carried<'f>> Carried<'f> for (A, B) {
    fn flatten(&self, into: &mut Vec<Raw<'f>>) {
        self.0.flatten(into);
        self.1.flatten(into);
    }
    fn rebuild(&self, function: &'f Function<'f>, from: &mut dyn Iterator<Item = Raw<'f>>) -> Self {
        (self.0.rebuild(function, from), self.1.rebuild(function, from))
    }
}

fn flat<'f>(carried: &impl Carried<'f>) -> Vec<Raw<'f>> {
    let mut values = Vec::new();
    carried.flatten(&mut values);
    values
}

fn types<'f>(values: &[Raw<'f>]) -> Vec<Type<'f>> {
    values.iter().map(|v| v.r#type()).collect()
}

impl<'f> Function<'f> {
    /// `for i in begin..end step step`, handing `carried` from turn to turn; what the last turn left.
    pub fn carry<C: Carried<'f>>(
        &'f self,
        begin: Index<'f>,
        end: Index<'f>,
        step: i64,
        carried: C,
        body: impl FnOnce(Index<'f>, C) -> C,
    ) -> C {
        self.carry_by(begin, end, self.index(step), carried, body)
    }

    /// The same with a step that is known only at run time; above 0.
    pub fn carry_by<C: Carried<'f>>(
        &'f self,
        begin: Index<'f>,
        end: Index<'f>,
        step: Index<'f>,
        carried: C,
        body: impl FnOnce(Index<'f>, C) -> C,
    ) -> C {
        self.turns((begin, end, step), carried, &[], body)
    }

    /// [`Function::carry`] as a loop that nobody unrolls, ptxas included: what is loaded in one turn waits in no register through another.
    pub fn carry_in_turns<C: Carried<'f>>(
        &'f self,
        begin: Index<'f>,
        end: Index<'f>,
        step: i64,
        carried: C,
        body: impl FnOnce(Index<'f>, C) -> C,
    ) -> C {
        let rolled = self.parse("#llvm.loop_annotation<unroll = <disable = true>>");
        self.turns((begin, end, self.index(step)), carried, &[("loop_annotation", rolled)], body)
    }

    fn turns<C: Carried<'f>>(
        &'f self,
        (begin, end, step): (Index<'f>, Index<'f>, Index<'f>),
        carried: C,
        attributes: &[(&str, Attribute<'f>)],
        body: impl FnOnce(Index<'f>, C) -> C,
    ) -> C {
        let initial = flat(&carried);
        let types = types(&initial);
        let region = Region::new();
        let arguments: Vec<_> = std::iter::once(self.ty::<super::value::I64>())
            .chain(types.iter().copied())
            .map(|t| (t, self.location()))
            .collect();
        region.append_block(Block::new(&arguments));
        let operands: Vec<_> = [begin.raw, end.raw, step.raw].into_iter().chain(initial).collect();
        let operation = self.insert(self.operation("scf.for", &operands, &types, attributes).add_regions([region]));
        let block = body_of(operation, 0);
        let argument = |i: usize| Raw::from(block.argument(i).expect("a counter and the carried values"));
        self.within(block, || {
            let next =
                body(Value::new(self, argument(0)), carried.rebuild(self, &mut (1..arguments.len()).map(argument)));
            self.append("scf.yield", &flat(&next), &[], &[]);
        });
        carried.rebuild(self, &mut operation.results().map(Raw::from))
    }

    /// `for i in begin..end step step`.
    pub fn each(&'f self, begin: Index<'f>, end: Index<'f>, step: i64, body: impl FnOnce(Index<'f>)) {
        self.carry(begin, end, step, (), |i, ()| body(i));
    }

    /// `for i in begin..end step step`, the step above 0.
    pub fn each_by(&'f self, begin: Index<'f>, end: Index<'f>, step: Index<'f>, body: impl FnOnce(Index<'f>)) {
        self.carry_by(begin, end, step, (), |i, ()| body(i));
    }

    /// `for i in 0..end`.
    pub fn times(&'f self, end: Index<'f>, body: impl FnOnce(Index<'f>)) {
        self.each(self.index(0), end, 1, body);
    }

    /// A register of elements at a time: all of `begin..end`, the last few with the lanes that they fill. `body` is emitted twice.
    pub fn carry_strips<C: Carried<'f>>(
        &'f self,
        begin: Index<'f>,
        end: Index<'f>,
        carried: C,
        body: impl Fn(Index<'f>, Lanes<'f>, C) -> C,
    ) -> C {
        let width = self.vectors().width as i64;
        let whole = end - (end - begin) % width;
        let carried = self.carry(begin, whole, width, carried, |i, carried| body(i, Lanes::All, carried));
        self.either(
            whole.less(end),
            || body(whole, Lanes::Some((end - whole).lanes()), carried.clone()),
            || carried.clone(),
        )
    }

    /// The same, handing on nothing.
    pub fn strips(&'f self, begin: Index<'f>, end: Index<'f>, body: impl Fn(Index<'f>, Lanes<'f>)) {
        self.carry_strips(begin, end, (), |i, lanes, ()| body(i, lanes));
    }

    /// Does `body` if the condition holds.
    pub fn when(&'f self, condition: Bool<'f>, body: impl FnOnce()) {
        self.either(condition, body, || ());
    }

    /// One or the other; both result in the same structure.
    pub fn either<C: Carried<'f>>(&'f self, condition: Bool<'f>, yes: impl FnOnce() -> C, no: impl FnOnce() -> C) -> C {
        let regions = [Region::new(), Region::new()];
        let branch = |region: &Region<'f>, body: Box<dyn FnOnce() -> C + '_>| {
            self.within(region.append_block(Block::new(&[])), || {
                let result = body();
                self.append("scf.yield", &flat(&result), &[], &[]);
                result
            })
        };
        let result = branch(&regions[0], Box::new(yes));
        branch(&regions[1], Box::new(no));
        let operation =
            self.insert(self.operation("scf.if", &[condition.raw], &types(&flat(&result)), &[]).add_regions(regions));
        result.rebuild(self, &mut operation.results().map(Raw::from))
    }
}

fn body_of<'f>(operation: OperationRef<'f, 'f>, region: usize) -> BlockRef<'f, 'f> {
    operation.region(region).ok().and_then(|r| r.first_block()).expect("a region with one block")
}
