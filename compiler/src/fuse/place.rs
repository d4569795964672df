//! Where in a value an iteration is: how views become addressing instead of copies.
//!
//! A kernel iterates over a [`Space`]. Walking from a result down to what it is computed from, a [`Place`] says for each axis of the
//! value at hand which dimensions of the space drive it. A transposition permutes axes, a slice moves them, a broadcast stops
//! them, a reshape regroups the dimensions; in a dense tensor all of it ends as strides and an offset ([`Address`]).

use crate::graph::Value;
use crate::size::Size;

/// The dimensions that a kernel iterates over, slowest first. They begin as axes of a tensor; a reshape inside the kernel may have cut an axis
/// into several dimensions.
#[derive(Clone, Debug, PartialEq)]
pub struct Space {
    pub sizes: Vec<Size>,
    /// For each axis, its dimensions, slowest first.
    pub axes: Vec<Vec<usize>>,
}

/// One axis of a value: an offset and the dimensions whose mixed-radix number is the index, slowest first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Axis {
    pub dimensions: Vec<usize>,
    pub offset: Size,
}

/// One [`Axis`] per axis of a value.
pub type Place = Vec<Axis>;

/// Elements of a dense tensor along a space: one stride per dimension.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Address {
    pub strides: Vec<Size>,
    pub offset: Size,
}

/// Why a value cannot be computed inside a kernel as it stands.
#[derive(Clone, Debug, PartialEq)]
pub enum Blocked {
    /// This dimension must be cut, so that its faster part has this size, because this value is reshaped: then try again.
    Cut { dimension: usize, fast: Size, reshaped: Value },
    /// This value must be kept in memory.
    Keep(Value),
}

impl Space {
    pub fn new(axes: &[Size]) -> Space {
        Space { sizes: axes.to_vec(), axes: (0..axes.len()).map(|i| vec![i]).collect() }
    }

    /// The space with one dimension cut in two.
    pub fn cut(&self, dimension: usize, fast: &Size) -> Space {
        let slow = self.sizes[dimension].checked_div(fast).expect("bug in tfc: a dimension is cut by a divisor");
        let mut sizes = self.sizes.clone();
        sizes.splice(dimension..=dimension, [slow, fast.clone()]);
        let renumber = |d: &usize| match d.cmp(&dimension) {
            std::cmp::Ordering::Less => vec![*d],
            std::cmp::Ordering::Equal => vec![*d, d + 1],
            std::cmp::Ordering::Greater => vec![d + 1],
        };
        Space { sizes, axes: self.axes.iter().map(|axis| axis.iter().flat_map(renumber).collect()).collect() }
    }

    /// The whole of one axis of the space.
    pub fn axis(&self, axis: usize) -> Axis {
        Axis { dimensions: self.axes[axis].clone(), offset: Size::default() }
    }

    pub fn extent(&self, dimensions: &[usize]) -> Size {
        Size::product(dimensions.iter().map(|d| &self.sizes[*d]))
    }

    /// The strides of an index over one axis.
    pub fn strides_of(&self, axis: &Axis, stride: &Size) -> Vec<(usize, Size)> {
        let mut strides = Vec::new();
        let mut stride = stride.clone();
        for dimension in axis.dimensions.iter().rev() {
            strides.push((*dimension, stride.clone()));
            stride = stride * self.sizes[*dimension].clone();
        }
        strides
    }

    /// The elements of a dense row-major tensor of this shape.
    pub fn address(&self, place: &Place, shape: &[Size]) -> Address {
        let mut address = Address { strides: vec![Size::default(); self.sizes.len()], offset: Size::default() };
        let mut stride = Size::constant(1);
        for (axis, size) in place.iter().zip(shape).rev() {
            for (dimension, stride) in self.strides_of(axis, &stride) {
                address.strides[dimension] = address.strides[dimension].clone() + stride;
            }
            address.offset = address.offset + axis.offset.clone() * stride.clone();
            stride = stride * size.clone();
        }
        address
    }

    /// The elements of a dense tensor that is iterated over from the first to the last.
    pub fn row_major(&self) -> Address {
        let mut strides = vec![Size::constant(1); self.sizes.len()];
        for dimension in (1..self.sizes.len()).rev() {
            strides[dimension - 1] = strides[dimension].clone() * self.sizes[dimension].clone();
        }
        Address { strides, offset: Size::default() }
    }

    /// Whether a place is that of the iteration itself, or the same for the whole of the last axis.
    pub fn is_here(&self, place: &Place, shape: &[Size]) -> bool {
        let whole = place.iter().zip(shape).all(|(axis, size)| self.covers(axis, size));
        let dimensions = || place.iter().flat_map(|axis| axis.dimensions.iter().copied());
        let rows = self.sizes.len() - self.axes.last().map_or(0, Vec::len);
        whole && (dimensions().eq(0..self.sizes.len()) || dimensions().eq(0..rows))
    }

    fn covers(&self, axis: &Axis, size: &Size) -> bool {
        axis.offset == Size::default() && self.extent(&axis.dimensions) == *size
    }
}

impl Axis {
    /// The index 0.
    pub fn still() -> Axis {
        Axis { dimensions: Vec::new(), offset: Size::default() }
    }
}

/// From the place in a broadcast to the place in what is repeated.
pub fn through_broadcast(place: &Place, from: &[Size], to: &[Size]) -> Place {
    let one = |((axis, from), to): ((&Axis, &Size), &Size)| if from == to { axis.clone() } else { Axis::still() };
    place.iter().zip(from).zip(to).map(one).collect()
}

/// Axis i of the result is axis `permutation[i]` of the operand.
pub fn through_transpose(place: &Place, permutation: &[usize]) -> Place {
    let mut operand = place.clone();
    for (axis, from) in place.iter().zip(permutation) {
        operand[*from] = axis.clone();
    }
    operand
}

pub fn through_slice(place: &Place, axis: usize, start: &Size) -> Place {
    let mut operand = place.clone();
    operand[axis].offset = operand[axis].offset.clone() + start.clone();
    operand
}

/// From the place in a reshaped value of shape `to` to the place in `operand` of shape `from`.
pub fn through_reshape(
    space: &Space,
    place: &Place,
    from: &[Size],
    to: &[Size],
    operand: Value,
) -> Result<Place, Blocked> {
    let mut result: Place = vec![Axis::still(); from.len()];
    for (olds, news) in matching_axes(from, to).ok_or(Blocked::Keep(operand))? {
        if let ([old], [new]) = (olds.as_slice(), news.as_slice()) {
            result[*old] = place[*new].clone();
            continue;
        }
        if !news.iter().all(|new| space.covers(&place[*new], &to[*new])) {
            return Err(Blocked::Keep(operand));
        }
        let mut rest: Vec<usize> = news.iter().flat_map(|new| place[*new].dimensions.clone()).collect();
        for old in olds {
            let taken = take_extent(space, &mut rest, &from[old], operand)?;
            result[old] = Axis { dimensions: taken, offset: Size::default() };
        }
    }
    Ok(result)
}

/// Takes leading dimensions whose product is `size`.
fn take_extent(space: &Space, rest: &mut Vec<usize>, size: &Size, operand: Value) -> Result<Vec<usize>, Blocked> {
    let mut taken = Vec::new();
    let mut missing = size.clone();
    while !missing.is_one() {
        if rest.is_empty() {
            return Err(Blocked::Keep(operand));
        }
        let dimension = rest[0];
        let whole = &space.sizes[dimension];
        match (missing.checked_div(whole), whole.checked_div(&missing)) {
            (Some(left), _) => missing = left,
            (None, Some(fast)) => return Err(Blocked::Cut { dimension, fast, reshaped: operand }),
            (None, None) => return Err(Blocked::Keep(operand)),
        }
        taken.push(rest.remove(0));
    }
    Ok(taken)
}

type AxisGroup = (Vec<usize>, Vec<usize>);

/// The smallest groups of consecutive axes whose products agree; axes of size 1 belong to none.
fn matching_axes(from: &[Size], to: &[Size]) -> Option<Vec<AxisGroup>> {
    let wide = |shape: &[Size]| (0..shape.len()).filter(|i| !shape[*i].is_one()).collect::<Vec<usize>>();
    let (mut olds, mut news) = (wide(from).into_iter(), wide(to).into_iter());
    let mut groups = Vec::new();
    while let (Some(old), Some(new)) = (olds.next(), news.next()) {
        let mut group = (vec![old], vec![new]);
        let mut products = (from[old].clone(), to[new].clone());
        while products.0 != products.1 {
            if products.1.checked_div(&products.0).is_some() {
                let next = olds.next()?;
                products.0 = products.0 * from[next].clone();
                group.0.push(next);
            } else {
                let next = news.next()?;
                products.1 = products.1 * to[next].clone();
                group.1.push(next);
            }
        }
        groups.push(group);
    }
    (olds.next().is_none() && news.next().is_none()).then_some(groups)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::NodeId;
    use crate::size::Symbol;

    const SOME: Value = Value { node: NodeId(0), result: 0 };

    fn whole(space: &Space) -> Place {
        (0..space.axes.len()).map(|i| space.axis(i)).collect()
    }

    #[test]
    fn heads_split_off_the_last_axis_are_strides() {
        let (t, c) = (Size::symbol(Symbol::SEQUENCE), Size::constant(8));
        let space = Space::new(&[Size::constant(3), t.clone(), c.clone()]); // [heads, positions, channels]
        let place = through_transpose(&whole(&space), &[1, 0, 2]); // of [heads, positions, channels] into [positions, heads, channels]
        let shape = [t.clone(), Size::constant(24)];
        let place = through_reshape(&space, &place, &shape, &[t, Size::constant(3), c], SOME).unwrap();
        let address = space.address(&place, &shape);
        assert_eq!(address.strides, [8, 24, 1].map(Size::constant));
    }

    #[test]
    fn a_merged_axis_is_cut_where_the_operand_needs_it() {
        let (b, t) = (Size::symbol(Symbol::BATCH), Size::symbol(Symbol::SEQUENCE));
        let space = Space::new(&[b.clone() * t.clone(), Size::constant(4)]);
        let from = [b.clone(), t.clone(), Size::constant(4)];
        let to = [b.clone() * t.clone(), Size::constant(4)];
        let blocked = through_reshape(&space, &whole(&space), &from, &to, SOME).unwrap_err();
        assert_eq!(blocked, Blocked::Cut { dimension: 0, fast: t.clone(), reshaped: SOME });
        let space = space.cut(0, &t);
        let place = through_reshape(&space, &whole(&space), &from, &to, SOME).unwrap();
        let rows = through_broadcast(&place, &[b, t.clone(), Size::constant(1)], &from);
        assert_eq!(
            space.address(&rows, &[space.sizes[0].clone(), t.clone(), Size::constant(1)]).strides,
            [t, Size::constant(1), Size::constant(0)]
        );
    }

    #[test]
    fn a_slice_of_a_merged_axis_is_kept() {
        let space = Space::new(&[Size::constant(6)]);
        let place = through_slice(&whole(&space), 0, &Size::constant(2));
        let blocked = through_reshape(&space, &place, &[2, 4].map(Size::constant), &[Size::constant(8)], SOME);
        assert_eq!(blocked, Err(Blocked::Keep(SOME)));
    }
}
