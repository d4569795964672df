//! Why a kernel is as it is: what was fused into it, by the rules of `tfc_compiler::fuse`.

use tfc_compiler::kernel::{Access, Body, Contraction, Kernel, Program, ProgramOp};

const ATTENTION: &str = "scores, softmax and weighted sum in one: no score is ever in memory";
const TURNED: &str = "heads are turned where they have just been stored, in a cache";

/// A few sentences.
pub fn reasons(kernel: &Kernel) -> Vec<String> {
    match &kernel.body {
        Body::Contraction(body) => contraction(kernel, body),
        Body::Rows(body) => {
            let (reductions, others) = (reductions(&body.program), operations(&body.program));
            match (reductions, others) {
                (0, 0) => vec!["moves numbers: nothing is fused into it".into()],
                (0, _) => vec![format!(
                    "{} on each element: no product is near that could do them",
                    counted(others, "operation")
                )],
                (reductions, others) => vec![format!(
                    "{} along rows and {} around them: a row stays in cache from the first to the last",
                    counted(reductions, "reduction"),
                    counted(others, "operation")
                )],
            }
        }
        Body::Columns(body) => {
            vec![format!(
                "{} on each element on its way into the sum of its column",
                counted(operations(&body.program), "operation")
            )]
        }
        Body::Gather(_) | Body::ScatterAdd(_) | Body::Rope(_) | Body::CacheWrite(_) => {
            vec!["moves rows: nothing is fused into it".into()]
        }
        Body::AttentionBackward(body) => {
            let turned = body.rotary.iter().map(|_| TURNED.to_string());
            [ATTENTION.to_string()].into_iter().chain(turned).collect()
        }
        Body::Attention(_) | Body::CachedAttention(_) => vec![ATTENTION.into()],
    }
}

fn contraction(kernel: &Kernel, body: &Contraction) -> Vec<String> {
    let mut all = Vec::new();
    for (matrix, prologue) in [("A", &body.prologue_a), ("B", &body.prologue_b)] {
        if let Some((program, _)) = prologue {
            let count = counted(operations(program), "operation");
            all.push(format!(
                "{count} on each element of {matrix} as it is loaded: cheaper than a matrix of results in memory"
            ));
        }
    }
    let stored = counted(operations(&body.epilogue), "operation");
    let adds = kernel.operands.iter().any(|operand| operand.access == Access::Update);
    match (operations(&body.epilogue), adds) {
        (0, _) => {}
        (_, true) => {
            all.push(format!("{stored} on each sum before it is stored, where it is added to what stands there"))
        }
        (_, false) => {
            all.push(format!("{stored} on each sum before it is stored: nothing else needs the bare product"))
        }
    }
    if body.rotary.is_some() {
        all.push(TURNED.into());
    }
    if all.is_empty() {
        all.push("a bare product".into());
    }
    all
}

fn operations(program: &Program) -> usize {
    let computes = |op: &&ProgramOp| match op {
        ProgramOp::Unary(..) | ProgramOp::Binary(..) | ProgramOp::Select(..) | ProgramOp::Uniform { .. } => true,
        ProgramOp::Load(_) | ProgramOp::Constant(_) | ProgramOp::Size(_) => false,
        ProgramOp::Reduce(..) | ProgramOp::KthLargest(..) => false,
        ProgramOp::InnerIndex | ProgramOp::OuterIndex(_) | ProgramOp::Given => false,
    };
    program.ops.iter().filter(computes).count()
}

fn reductions(program: &Program) -> usize {
    program.ops.iter().filter(|op| matches!(op, ProgramOp::Reduce(..) | ProgramOp::KthLargest(..))).count()
}

fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}
