//! Rows of a tensor along any of its axes.

use std::ops::Range;

/// A tensor `[outer, rows, inner]`, whatever its rank was. A row has outer · inner elements, numbered in the tensor's order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    pub outer: usize,
    pub rows: usize,
    pub inner: usize,
}

impl Layout {
    pub fn new(shape: &[usize], axis: usize) -> Layout {
        let [outer, inner] = [&shape[..axis], &shape[axis + 1..]].map(|axes| axes.iter().product());
        Layout { outer, rows: shape[axis], inner }
    }

    /// Elements in a row.
    pub fn width(&self) -> usize {
        self.outer * self.inner
    }

    /// Where in the tensor the pieces of a row lie, `inner` elements each.
    pub fn pieces(self, row: usize) -> impl Iterator<Item = Range<usize>> {
        (0..self.outer).map(move |outer| {
            let start = (outer * self.rows + row) * self.inner;
            start..start + self.inner
        })
    }

    /// Where consecutive rows lie: `outer` runs of elements.
    pub fn runs(self, rows: Range<usize>) -> impl Iterator<Item = Range<usize>> {
        (0..self.outer).map(move |outer| {
            let [start, end] = [rows.start, rows.end].map(|row| (outer * self.rows + row) * self.inner);
            start..end
        })
    }

    /// The number of the element that stands at `place`, counted row by row, and how many stand behind it in the same piece, itself included.
    pub fn element(self, place: usize) -> (usize, usize) {
        let (piece, within) = (place / self.inner, place % self.inner);
        let (outer, row) = (piece / self.rows, piece % self.rows);
        (row * self.width() + outer * self.inner + within, self.inner - within)
    }

    /// Copies row `from` over row `to`.
    pub fn copy<T: Copy>(self, data: &mut [T], from: usize, to: usize) {
        for (from, to) in self.pieces(from).zip(self.pieces(to)) {
            data.copy_within(from, to.start);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// [2, 3, 2], the rows along the middle axis.
    #[test]
    fn rows_of_a_middle_axis_lie_in_pieces() {
        let layout = Layout::new(&[2, 3, 2], 1);
        assert_eq!((layout.outer, layout.rows, layout.inner, layout.width()), (2, 3, 2, 4));
        assert_eq!(layout.pieces(1).collect::<Vec<_>>(), [2..4, 8..10]);
        assert_eq!(layout.runs(1..3).collect::<Vec<_>>(), [2..6, 8..12]);
        // Of row 1, the last of four; of row 0, the third.
        assert_eq!([layout.element(9), layout.element(6)], [(7, 1), (2, 2)]);
        let mut data: Vec<i32> = (0..12).collect();
        layout.copy(&mut data, 2, 0);
        assert_eq!(data, [4, 5, 2, 3, 4, 5, 10, 11, 8, 9, 10, 11]);
    }
}
