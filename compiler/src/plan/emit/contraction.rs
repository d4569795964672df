//! Contractions.

use super::{Bound, Emitter, Scope};
use crate::fuse::{ContractionWork, Task};
use crate::kernel::{Body, Contraction, ContractionAccess};
use crate::optimization::Optimization;
use crate::plan::Step;
use crate::size::Size;

impl Emitter<'_> {
    pub(super) fn contraction(&mut self, scope: &Scope, task: &Task, work: &ContractionWork) -> Step {
        let epilogue = work.epilogue.loads();
        let (bound, stored) = self.bind(scope, task, |read| epilogue.contains(&(read as u16)));
        let access: Vec<ContractionAccess> = bound
            .iter()
            .enumerate()
            .skip(2)
            .map(|(i, b)| {
                let written = stored.contains(&(i as u16));
                contraction_access(b, written)
            })
            .collect();
        let mut sizes = vec![work.outer.clone(), work.m.clone(), work.n.clone(), work.k.clone()];
        sizes.extend(bound[..2].iter().flat_map(|matrix| matrix.strides[..2].to_vec()));
        for (bound, access) in bound[2..].iter().zip(&access) {
            match access {
                ContractionAccess::Matrix | ContractionAccess::PerRow => sizes.extend_from_slice(&bound.strides[..2]),
                ContractionAccess::PerColumn | ContractionAccess::Scalar => {}
            }
        }
        sizes.extend(task.numbers.iter().cloned());
        let mut body = Contraction {
            precision: self.plan.precision,
            transpose_a: work.transpose_a,
            transpose_b: work.transpose_b,
            few_rows: false,
            prologue_a: work.prologue_a.clone(),
            prologue_b: work.prologue_b.clone(),
            epilogue: work.epilogue.clone(),
            stores: stored.into_iter().map(|operand| (operand, work.result)).collect(),
            access,
            rotary: None,
        };
        body.few_rows = body.can_have_few_rows() && !self.disabled.has(Optimization::FewRows);
        Step::Launch(self.launch(scope, task, Body::Contraction(body), bound, sizes))
    }
}

fn contraction_access(bound: &Bound, written: bool) -> ContractionAccess {
    let still = |stride: &Size| *stride == Size::default();
    let per_row = !bound.strides[..2].iter().all(still);
    match (written || !still(&bound.strides[2]), written || per_row) {
        (true, true) => ContractionAccess::Matrix,
        (true, false) => ContractionAccess::PerColumn,
        (false, true) => ContractionAccess::PerRow,
        (false, false) => ContractionAccess::Scalar,
    }
}
