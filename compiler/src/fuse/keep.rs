//! Which values are kept in memory, and which are recomputed where they are used ([`mod@cost`] says why).
//!
//! Kept are what kernels of their own make (products, reductions, attention, …), what they need as dense operands, what is a function of
//! two matrices and used twice, what many views lead to, what can take the place of its matrix, what is handed back anyway, and, before it is repeated along rows, what was computed from something computed: so a row's
//! scale is worked out once per row.

use super::class::{Class, class};
use super::cost;
use super::epilogue::{Epilogues, epilogues};
use super::uses::Uses;
use crate::graph::{Graph, NodeId, Op, Value};
use crate::optimization::{Disabled, Optimization};
use crate::scalar::Binary;
use std::collections::{BTreeMap, BTreeSet};

/// A prepared graph and what was decided about it.
pub struct Decisions<'a> {
    pub graph: &'a Graph,
    pub disabled: &'a Disabled,
    pub uses: Uses,
    pub epilogues: Epilogues,
    /// The values that stand in memory, or in the registers of the kernel that makes them.
    pub kept: BTreeSet<Value>,
}

impl Decisions<'_> {
    /// The kept value that is this one under another shape, if it is one.
    pub fn dense_root(&self, value: Value) -> Option<Value> {
        if self.kept.contains(&value) {
            return Some(value);
        }
        let reshaped = matches!(self.graph.op(value), Op::Reshape { .. });
        reshaped.then(|| self.dense_root(self.graph.operands(value.node)[0])).flatten()
    }
}

/// What it takes to compute one element of a value where it is used.
#[derive(Clone, Default)]
struct Recipe {
    /// What is read element by element.
    matrices: BTreeSet<Value>,
    cost: u32,
    /// How many views are on the longest way to what is read.
    views: u32,
    /// Whether anything but loads goes into it.
    computed: bool,
}

/// `must_keep`: values that could not be addressed in an earlier attempt.
pub fn decide<'a>(
    graph: &'a Graph,
    accumulations: &BTreeSet<NodeId>,
    must_keep: &BTreeSet<Value>,
    disabled: &'a Disabled,
) -> Decisions<'a> {
    let uses = Uses::of(graph);
    let epilogues = epilogues(graph, &uses, accumulations, must_keep, disabled);
    let decisions = Decisions { graph, disabled, uses, epilogues, kept: must_keep.clone() };
    let mut pass = Pass { decisions, recipes: BTreeMap::new() };
    graph.ids().for_each(|id| pass.visit(id));
    pass.decisions
}

struct Pass<'a> {
    decisions: Decisions<'a>,
    recipes: BTreeMap<Value, Recipe>,
}

impl Pass<'_> {
    fn visit(&mut self, id: NodeId) {
        let value = Value { node: id, result: 0 };
        if self.decisions.epilogues.owners.contains_key(&id) {
            // Known by its exit alone, and that was visited with what absorbed it.
            return;
        }
        match class(self.decisions.graph, id) {
            Class::Load => self.keep(value),
            Class::Source => self.source(value),
            Class::View => self.view(value),
            Class::Pointwise => self.pointwise(value),
            Class::Row => self.row(id),
            Class::Columns => self.adding(id),
            Class::Concat | Class::Middle => self.keep_results(id),
            Class::Contraction => self.contraction(id),
            Class::Opaque | Class::Chunks => self.opaque(id),
        }
    }

    fn graph(&self) -> &Graph {
        self.decisions.graph
    }

    fn keep(&mut self, value: Value) {
        self.decisions.kept.insert(value);
        let computed = class(self.graph(), value.node) != Class::Load;
        // One number is no matrix: to read it costs nothing.
        let matrix = (!self.graph().ty(value).elements().is_one()).then_some(value);
        self.recipes.insert(value, Recipe { matrices: matrix.into_iter().collect(), computed, ..Recipe::default() });
    }

    fn keep_results(&mut self, id: NodeId) {
        for result in 0..self.graph().node(id).types.len() as u32 {
            let exit = self.decisions.epilogues.exit(Value { node: id, result });
            self.keep(exit);
        }
    }

    fn recipe(&self, value: Value) -> Recipe {
        self.recipes.get(&value).cloned().unwrap_or_default()
    }

    fn settle(&mut self, value: Value, recipe: Recipe) {
        if self.decisions.kept.contains(&value) {
            self.keep(value);
        } else {
            self.recipes.insert(value, recipe);
        }
    }

    fn source(&mut self, value: Value) {
        let cost = cost::cost(self.graph().op(value));
        self.settle(value, Recipe { cost, ..Recipe::default() });
    }

    fn view(&mut self, value: Value) {
        let operand = self.graph().operands(value.node)[0];
        let mut recipe = self.recipe(operand);
        let repeats = matches!(self.graph().op(value), Op::Broadcast { .. });
        if repeats && self.graph().ty(operand).elements() != self.graph().ty(value).elements() {
            if recipe.computed && recipe.cost > 0 {
                self.keep(operand);
                recipe = self.recipe(operand);
                recipe.cost = 0;
            }
            recipe.matrices.clear();
        }
        recipe.views += 1;
        if recipe.views > cost::VIEWS { self.keep(value) } else { self.settle(value, recipe) }
    }

    fn pointwise(&mut self, value: Value) {
        let operands = self.graph().operands(value.node);
        let mut recipe = Recipe { cost: cost::cost(self.graph().op(value)), ..Recipe::default() };
        for operand in operands {
            let part = self.recipe(operand);
            recipe.matrices.extend(part.matrices);
            recipe.cost += part.cost;
            recipe.views = recipe.views.max(part.views);
            recipe.computed |= part.computed;
        }
        let matrices = if self.is_used_in_place(value) { cost::EXPRESSION_MATRICES } else { 1 };
        let handed_back = self.decisions.uses.outputs(value) > 0;
        if handed_back
            || self.decisions.disabled.has(Optimization::Recomputation)
            || self.takes_over(value, &recipe)
            || recipe.matrices.len() > matrices
            || recipe.cost > cost::RECOMPUTE_COST
        {
            self.keep(value);
        } else {
            self.settle(value, recipe);
        }
    }

    /// Whether several products need a value and nothing needs its matrix any more: then it goes where the matrix was, and is
    /// computed once. So it is where many do, whatever becomes of the matrix.
    fn takes_over(&self, value: Value, recipe: &Recipe) -> bool {
        if self.decisions.disabled.has(Optimization::Takeover) || recipe.cost == 0 {
            return false;
        }
        let (uses, products) = (&self.decisions.uses, self.products(value));
        let last_use = |matrix: &Value| uses.users(*matrix).last().is_none_or(|user| *user <= value.node);
        let ends = |matrix: &Value| class(self.graph(), matrix.node) != Class::Load && last_use(matrix);
        products >= cost::MANY_PRODUCTS || (products > 1 && recipe.matrices.iter().all(ends))
    }

    /// How many products load a value.
    fn products(&self, value: Value) -> usize {
        let is_product = |user: &&NodeId| class(self.graph(), **user) == Class::Contraction;
        self.decisions.uses.users(value).iter().filter(is_product).count()
    }

    /// Whether a value is used but once, by what computes it on the way.
    fn is_used_in_place(&self, value: Value) -> bool {
        let Some(user) = self.decisions.uses.only_user(value) else { return false };
        match class(self.graph(), user) {
            Class::Pointwise | Class::Row | Class::Columns => true,
            Class::Load | Class::Source | Class::View | Class::Concat | Class::Middle => false,
            Class::Contraction | Class::Opaque | Class::Chunks => false,
        }
    }

    /// Operands that are no matrix in memory nor one worth recomputing while it is loaded are kept.
    fn contraction(&mut self, id: NodeId) {
        let most = if self.decisions.disabled.has(Optimization::Prologues) { 0 } else { cost::PROLOGUE_COST };
        for operand in self.graph().operands(id) {
            let recipe = self.recipe(operand);
            if recipe.matrices.len() != 1 || recipe.cost > most {
                self.keep(operand);
            }
        }
        self.keep_results(id);
    }

    /// A selection computes what it selects from anew on each of its walks along the row.
    fn row(&mut self, id: NodeId) {
        let operand = self.graph().operands(id)[0];
        let recipe = self.recipe(operand);
        let selects = *self.graph().op(Value { node: id, result: 0 }) == Op::KthLargest;
        if selects && (recipe.matrices.len() > 1 || recipe.cost > cost::SELECTION_COST) {
            self.keep(operand);
        }
        self.keep_results(id);
    }

    fn opaque(&mut self, id: NodeId) {
        for operand in self.graph().operands(id) {
            if self.decisions.dense_root(operand).is_none() {
                self.keep(operand);
            }
        }
        self.adding(id);
    }

    /// Results of what adds in memory: what is added to stands there.
    fn adding(&mut self, id: NodeId) {
        for result in 0..self.graph().node(id).types.len() as u32 {
            let result = Value { node: id, result };
            let exit = self.decisions.epilogues.exit(result);
            if exit != result && *self.graph().op(exit) == Op::Binary(Binary::Add) {
                let base = self.graph().operands(exit.node)[0];
                if !self.decisions.kept.contains(&base) {
                    self.keep(base);
                }
            }
        }
        self.keep_results(id);
    }
}
