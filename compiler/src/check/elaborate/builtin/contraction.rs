//! Contractions, and rows of tables.

use super::Arguments;
use crate::check::elaborate::Elaborator;
use crate::check::elaborate::value::{Axis, Tensor, sizes};
use crate::graph::DType;
use crate::model::Primitive;
use crate::size::{Size, Symbol};
use tfc_grammar::Code;

impl<'a> Elaborator<'a> {
    /// `[.., m, k] × [k, n]` → `[.., m, n]`, or both of one rank with equal leading axes.
    pub fn matmul(&mut self, args: &Arguments<'a>) -> Option<Tensor> {
        let (x, w) = (self.floats(args, 0)?, self.floats(args, 1)?);
        if x.rank() < 2 || w.rank() < 2 || (w.rank() > 2 && w.rank() != x.rank()) {
            self.wrong_shapes(
                Code::WrongRank,
                "a matrix product needs `[.., m, k]` and `[k, n]`",
                &[&x, &w],
                &[],
                args.span,
            );
            return None;
        }
        let (outer_x, k) = x.axes.split_at(x.rank() - 1);
        let (outer_w, inner_w) = w.axes.split_at(w.rank() - 2);
        let outer_fits = outer_w.is_empty() || sizes(outer_w) == sizes(&outer_x[..outer_w.len()]);
        if !outer_fits || k[0].size != inner_w[0].size {
            let message = format!(
                "a matrix product sums over equal sizes, not {} and {}",
                self.size_text(&k[0].size),
                self.size_text(&inner_w[0].size)
            );
            self.wrong_shapes(Code::ShapeMismatch, &message, &[&x, &w], &[&k[0], &inner_w[0]], args.span);
            return None;
        }
        let axes = [outer_x, &inner_w[1..]].concat();
        // The product with a transposed matrix is one operation.
        let (transposed, w) = match self.transposed(&w) {
            Some(original) => (true, original),
            None => (false, w),
        };
        Some(self.emit(Primitive::MatMul { transposed }, &[&x, &w], DType::F32, axes, args.span))
    }

    /// What a tensor is the transpose of, if its last two axes were swapped.
    fn transposed(&self, w: &Tensor) -> Option<Tensor> {
        let made = &self.values[w.id.0 as usize];
        let Primitive::Transpose { permutation } = &made.primitive else { return None };
        let axes = permutation.iter().map(|axis| w.axes[*axis].clone()).collect();
        Some(Tensor { id: made.operands[0], dtype: w.dtype, axes, owner: None })
    }

    /// Swaps the last two axes.
    pub fn transpose(&mut self, args: &Arguments<'a>) -> Option<Tensor> {
        let x = self.tensor(args, 0)?;
        let rank = x.rank();
        if rank < 2 {
            self.wrong_shapes(Code::WrongRank, "a matrix has two axes", &[&x], &[], args.span);
            return None;
        }
        let mut permutation: Vec<usize> = (0..rank).collect();
        permutation.swap(rank - 2, rank - 1);
        let axes = permutation.iter().map(|axis| x.axes[*axis].clone()).collect();
        Some(self.emit(Primitive::Transpose { permutation }, &[&x], x.dtype, axes, args.span))
    }

    /// (ids, table `[vocab, width]`) → `[.., width]`
    pub fn lookup(&mut self, args: &Arguments<'a>) -> Option<Tensor> {
        let (ids, table) = (self.integers(args, 0)?, self.floats(args, 1)?);
        if table.rank() != 2 {
            self.wrong_shapes(Code::WrongRank, "a table has two axes", &[&table], &[], args.span);
            return None;
        }
        if !self.has_ids(&ids, &table, &table.axes[0], "rows", args.span) {
            return None;
        }
        let axes = [ids.axes.as_slice(), &table.axes[1..]].concat();
        Some(self.emit(Primitive::Embed, &[&ids, &table], DType::F32, axes, args.span))
    }

    /// (table `[length, width]`, x `[.., positions, width]`) → the rows of the positions of x.
    pub fn at_positions(&mut self, args: &Arguments<'a>) -> Option<Tensor> {
        let (table, x) = (self.floats(args, 0)?, self.floats(args, 1)?);
        if table.rank() != 2 || x.rank() < 2 {
            self.wrong_shapes(
                Code::WrongRank,
                "positions need `[length, width]` and `[.., positions, width]`",
                &[&table, &x],
                &[],
                args.span,
            );
            return None;
        }
        let positions = &x.axes[x.rank() - 2];
        if positions.size == table.axes[0].size {
            return Some(table);
        }
        let long_enough = self.context.zip(table.axes[0].size.as_constant()).is_some_and(|(most, rows)| rows >= most);
        if positions.size != Size::symbol(Symbol::SEQUENCE) || !long_enough {
            let message = format!(
                "{} positions where there are {}",
                self.size_text(&table.axes[0].size),
                if positions.size == Size::symbol(Symbol::SEQUENCE) {
                    format!("up to {}", self.context.unwrap_or(0))
                } else {
                    self.size_text(&positions.size)
                }
            );
            self.wrong_shapes(Code::ShapeMismatch, &message, &[&x], &[positions, &table.axes[0]], args.span);
            return None;
        }
        // Each sequence has its own: documents may begin at any place of it.
        let batch = Axis { size: Size::symbol(Symbol::BATCH), origin: None };
        let axes = vec![batch, positions.clone(), table.axes[1].clone()];
        Some(self.emit(Primitive::Positions, &[&table], DType::F32, axes, args.span))
    }
}
