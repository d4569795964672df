//! Kernels on dense tensors.

use super::{Bound, Emitter, Scope, output};
use crate::fuse::{DenseWork, Task};
use crate::kernel::{self, Attention, AttentionBackward, Body, Operand};
use crate::plan::{Step, Table};
use crate::size::Size;

impl Emitter<'_> {
    pub(super) fn dense(&mut self, scope: &Scope, task: &Task, work: &DenseWork) -> Step {
        let turned = matches!(work, DenseWork::Rope { .. });
        let (mut bound, _) = self.bind(scope, task, |read| turned && read == 0);
        let (body, sizes) = match work {
            DenseWork::Gather { rows, width } => (Body::Gather(kernel::Gather), vec![rows.clone(), width.clone()]),
            DenseWork::ScatterAdd { rows, width, classes } => {
                let sizes = vec![rows.clone(), width.clone(), classes.clone()];
                adds(&mut bound, task.onto.is_some());
                (Body::ScatterAdd(kernel::ScatterAdd), sizes)
            }
            DenseWork::Rope { body, sizes, channels, base, positions } => {
                let (positions, channels, base) = (positions.clone(), *channels, *base);
                let tables = [
                    Table::Cosine { positions: positions.clone(), channels, base },
                    Table::Sine { positions, channels, base },
                ];
                let tables = tables.map(|table| Bound {
                    operand: Operand::READ,
                    argument: self.table(table),
                    strides: Vec::new(),
                });
                bound.splice(1..1, tables);
                (Body::Rope(body.clone()), sizes.clone())
            }
            DenseWork::CacheWrite { sizes } => {
                adds(&mut bound, true);
                (Body::CacheWrite(kernel::CacheWrite), sizes.clone())
            }
            DenseWork::Attention { body, sizes } => {
                (Body::Attention(Attention { precision: self.plan.precision, ..body.clone() }), sizes.clone())
            }
            DenseWork::AttentionBackward { body, sizes } => {
                let body = AttentionBackward { precision: self.plan.precision, ..body.clone() };
                (Body::AttentionBackward(body), sizes.clone())
            }
            DenseWork::CachedAttention { body, sizes } => (Body::CachedAttention(body.clone()), sizes.clone()),
        };
        let sizes: Vec<Size> = sizes;
        Step::Launch(self.launch(scope, task, body, bound, sizes))
    }
}

/// The last operand keeps what it is not given.
fn adds(bound: &mut [Bound], adds: bool) {
    let out = bound.last_mut().expect("bug in tfc: a kernel writes");
    out.operand = output(out.operand.dtype, adds);
}
