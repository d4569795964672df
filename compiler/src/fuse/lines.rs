//! The dimensions of a space as a kernel iterates over them: few outer ones and one inner line.
//!
//! Dimensions that every access walks through as if they were one become one, so tensors of different rank meet in one kernel.

use super::expression::Expression;
use super::place::{Address, Blocked, Space};
use super::task::{Access, Slot};
use crate::graph::Value;
use crate::kernel::{Program, ProgramOp};
use crate::size::Size;

/// Groups of dimensions that are merged, slowest first. A line alone is a matrix of one row, so that vectors and matrices share kernels: its rows
/// are a group of no dimension.
pub struct Lines {
    pub outer: Vec<Vec<usize>>,
    pub inner: Vec<usize>,
}

/// An axis that was cut, because this value is reshaped.
pub type Cut = (usize, Value);

/// Builds in a space of these axes, cut wherever building asks for it.
pub fn in_space<T>(axes: &[Size], build: impl Fn(&Space, &[Cut]) -> Result<T, Blocked>) -> Result<T, Blocked> {
    let mut space = Space::new(axes);
    let mut cuts = Vec::new();
    loop {
        match build(&space, &cuts) {
            Err(Blocked::Cut { dimension, fast, reshaped }) => {
                let axis = space.axes.iter().position(|axis| axis.contains(&dimension));
                cuts.extend(axis.map(|axis| (axis, reshaped)));
                space = space.cut(dimension, &fast);
            }
            done => return done,
        }
    }
}

/// The lines of a row program. If it makes anything by rows, one number of each, all of the last axis is the inner line.
pub fn lines(
    space: &Space,
    addresses: &[&Address],
    indexed: &[usize],
    by_rows: bool,
    cuts: &[Cut],
) -> Result<Lines, Blocked> {
    let Some(last) = space.axes.last() else { return Ok(Lines { outer: vec![Vec::new()], inner: Vec::new() }) };
    let one = |from: &usize| merge(space, addresses, indexed, &last[*from..]);
    let from = (0..last.len()).find(one).expect("one dimension is one line");
    if by_rows && from > 0 {
        let (_, reshaped) = cuts.iter().find(|(axis, _)| axis + 1 == space.axes.len()).expect("the axis was cut");
        return Err(Blocked::Keep(*reshaped));
    }
    let inner = last[from..].to_vec();
    let rows: Vec<usize> = (0..space.sizes.len()).filter(|d| !inner.contains(d)).collect();
    let outer = if rows.is_empty() { vec![Vec::new()] } else { greedy(space, addresses, indexed, &rows) };
    Ok(Lines { outer, inner })
}

/// The lines of a column reduction over the first axes; None if the columns are not one line.
pub fn whole_columns(space: &Space, addresses: &[&Address], indexed: &[usize], reduced: usize) -> Option<Lines> {
    let (rows, columns) = (space.axes[..reduced].concat(), space.axes[reduced..].concat());
    let whole = merge(space, addresses, indexed, &columns);
    whole.then(|| Lines { outer: greedy(space, addresses, indexed, &rows), inner: columns })
}

/// Whether dimensions are one for every address: each stride is that of the next times its size. A dimension whose index is asked for
/// stays on its own.
pub fn merge(space: &Space, addresses: &[&Address], indexed: &[usize], dimensions: &[usize]) -> bool {
    let apart = dimensions.len() > 1 && dimensions.iter().any(|d| indexed.contains(d));
    let chained = |pair: &[usize]| {
        let [slow, fast] = [pair[0], pair[1]];
        addresses.iter().all(|a| a.strides[slow] == a.strides[fast].clone() * space.sizes[fast].clone())
    };
    !apart && dimensions.windows(2).all(chained)
}

/// Merges each dimension with the one before where that is possible.
fn greedy(space: &Space, addresses: &[&Address], indexed: &[usize], dimensions: &[usize]) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for dimension in dimensions {
        if let Some(group) = groups.last_mut() {
            group.push(*dimension);
            if merge(space, addresses, indexed, group) {
                continue;
            }
            group.pop();
        }
        groups.push(vec![*dimension]);
    }
    groups
}

impl Lines {
    /// The program of an expression, asking for the indices of these lines.
    pub fn program(&self, expression: &Expression) -> Program {
        let index = |dimension: usize| {
            if self.inner == [dimension] {
                return Some(ProgramOp::InnerIndex);
            }
            let outer = self.outer.iter().position(|group| *group == [dimension])?;
            Some(ProgramOp::OuterIndex(outer as u8))
        };
        with_indices(&expression.program, index).expect("bug in tfc: an index is asked for within a line")
    }

    pub fn access(&self, slot: Slot, address: &Address) -> Access {
        let groups = self.outer.iter().chain([&self.inner]);
        Access::along(slot, address, groups)
    }
}

/// The program with every index of a dimension replaced by `index`; None where there is none.
pub fn with_indices(program: &Program, index: impl Fn(usize) -> Option<ProgramOp>) -> Option<Program> {
    let replace = |op: &ProgramOp| match op {
        ProgramOp::OuterIndex(dimension) => index(usize::from(*dimension)),
        other => Some(*other),
    };
    Some(Program { ops: program.ops.iter().map(replace).collect::<Option<Vec<_>>>()? })
}
