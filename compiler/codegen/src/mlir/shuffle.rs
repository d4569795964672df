//! Moving lanes: reductions along a vector and transposes of registers.

use super::function::Function;
use super::value::{F32, F32s, Kind, Scalar, Value, Vector};

impl<'f> Vector<'f> {
    /// Lane i of the result is lane `lanes[i]` of `self` followed by `other`.
    fn shuffle(self, other: Vector<'f>, lanes: &[i64]) -> Vector<'f> {
        self.function.apply("vector.shuffle", &[self.raw, other.raw], &[("mask", self.function.indices(lanes))])
    }

    /// The first lane.
    pub fn first(self) -> Scalar<'f> {
        self.lane::<F32>(0)
    }

    /// All lanes, apart.
    pub fn scalars(self) -> Vec<Scalar<'f>> {
        (0..self.function.vectors().width).map(|i| self.lane::<F32>(i)).collect()
    }

    /// All lanes combined by a commutative `combine`, as a tree: the order is part of the result.
    fn reduce(self, combine: impl Fn(Vector<'f>, Vector<'f>) -> Vector<'f>) -> Scalar<'f> {
        let width = self.function.vectors().width as i64;
        let mut result = self;
        let mut half = width / 2;
        while half > 0 {
            let rotated: Vec<i64> = (0..width).map(|lane| (lane + half) % width).collect();
            result = combine(result, result.shuffle(result, &rotated));
            half /= 2;
        }
        result.first()
    }

    pub fn sum(self) -> Scalar<'f> {
        self.reduce(|a, b| a + b)
    }

    pub fn largest(self) -> Scalar<'f> {
        self.reduce(|a, b| a.or_at_least(b))
    }
}

impl<'f, V: Kind> Value<'f, V> {
    fn lane<K: Kind>(self, lane: usize) -> Value<'f, K> {
        let position = self.function.indices(&[lane as i64]);
        self.function.apply("vector.extract", &[self.raw], &[("static_position", position)])
    }
}

impl<'f> Function<'f> {
    /// A register of these lanes.
    pub fn register(&'f self, lanes: &[Scalar<'f>]) -> Vector<'f> {
        let raw: Vec<_> = lanes.iter().map(|lane| lane.raw).collect();
        self.apply::<F32s>("vector.from_elements", &raw, &[])
    }
}

/// The transpose of a square of lanes: lane j of result i is lane i of `rows[j]`.
///
/// Quads of 128 bits are the unit of fast shuffles: first each 4 × 4 square is transposed within quads, then the quads are moved.
pub fn transpose<'f>(rows: &[Vector<'f>]) -> Vec<Vector<'f>> {
    let width = rows.len() as i64;
    // Within every quad, lanes `picks` of the pair (a, b); a lane of b counts from 4.
    let in_quads = |a: Vector<'f>, b: Vector<'f>, picks: [i64; 4]| {
        let lanes: Vec<i64> = (0..width)
            .map(|l| (l / 4 * 4, picks[(l % 4) as usize]))
            .map(|(quad, pick)| quad + pick % 4 + pick / 4 * width)
            .collect();
        a.shuffle(b, &lanes)
    };
    let mut columns: Vec<Vector<'f>> = Vec::with_capacity(rows.len());
    for quad in rows.chunks_exact(4) {
        let (low01, high01) = (in_quads(quad[0], quad[1], [0, 4, 1, 5]), in_quads(quad[0], quad[1], [2, 6, 3, 7]));
        let (low23, high23) = (in_quads(quad[2], quad[3], [0, 4, 1, 5]), in_quads(quad[2], quad[3], [2, 6, 3, 7]));
        for (a, b) in [(low01, low23), (high01, high23)] {
            columns.push(in_quads(a, b, [0, 1, 4, 5]));
            columns.push(in_quads(a, b, [2, 3, 6, 7]));
        }
    }
    // columns[4·g + c] holds, in quad q, column 4·q + c of the rows of group g: now transpose the quads.
    let groups = rows.len() / 4;
    let mut span = 1;
    while span < groups {
        let mut next = columns.clone();
        for g in (0..groups).filter(|g| g & span == 0) {
            for c in 0..4 {
                let (a, b) = (columns[4 * g + c], columns[4 * (g + span) + c]);
                // Swap the off-diagonal blocks of `span` quads.
                let pick = |odd: i64| -> Vec<i64> {
                    (0..width)
                        .map(|lane| {
                            let (quad, span) = (lane / 4, span as i64);
                            let from_b = quad & span != 0;
                            let source = (quad & !span) | (odd * span);
                            4 * source + lane % 4 + if from_b { width } else { 0 }
                        })
                        .collect()
                };
                next[4 * g + c] = a.shuffle(b, &pick(0));
                next[4 * (g + span) + c] = a.shuffle(b, &pick(1));
            }
        }
        columns = next;
        span *= 2;
    }
    columns
}
