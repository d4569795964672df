//! What a ledger knows that knows one product of matrices.

use super::{Assembler, By, Digest, Emitted, Judge, Ledger, Verdict};
use crate::cuda::kernels::narrow;
use tfc_codegen::{Architecture, CudaBackend};
use tfc_compiler::kernel::{Body, Kernel, ProgramOp};
use tfc_compiler::scalar::Binary;

/// Of a kernel, after the product that the ledger may know.
fn verdict(ledger: &Ledger, kernel: &Kernel) -> Verdict {
    let (backend, assembler) = (CudaBackend::new(Architecture::BASELINE), Assembler::find());
    let first = product();
    let emitted = [&first, kernel].map(|kernel| Emitted { kernel, digest: Digest::of_emitted(&backend, kernel) });
    Judge::new(&backend, &assembler, ledger.clone(), &emitted).verdict(emitted[1])
}

fn product() -> Kernel {
    narrow((false, true))
}

/// The same, times a number.
fn scaled(factor: f64) -> Kernel {
    let mut kernel = product();
    let Body::Contraction(body) = &mut kernel.body else { unreachable!("it is a product") };
    let (sum, factor) = (body.stores[0].1, body.epilogue.constant(factor));
    body.stores[0].1 = body.epilogue.push(ProgramOp::Binary(Binary::Multiply, sum, factor));
    kernel
}

/// One that knows the product, which was assembled.
fn ledger() -> Ledger {
    let nothing = Ledger::new(&CudaBackend::new(Architecture::BASELINE));
    let verdict = verdict(&nothing, &product());
    assert_eq!((verdict.by, &verdict.wrong), (By::Assembler, &None));
    Ledger { lines: vec![verdict.line], ..nothing }
}

#[test]
fn what_has_changed_a_little_is_assembled_and_nothing_else_is() {
    let mut ledger = ledger();
    assert_eq!(verdict(&ledger, &product()).by, By::Emitted);
    let halved = verdict(&ledger, &scaled(0.5));
    assert_eq!((halved.by, &halved.wrong), (By::Assembler, &None));
    // What becomes the same PTX is known by it.
    assert_eq!(verdict(&ledger, &scaled(1.0)).by, By::Ptx);

    ledger.lines.push(halved.line.clone());
    let again = verdict(&ledger, &scaled(0.5));
    assert_eq!((again.by, again.line), (By::Emitted, halved.line));
    assert_eq!(verdict(&ledger, &scaled(0.25)).by, By::Assembler);
}

#[test]
fn what_other_tools_have_made_is_not_known() {
    let ledger = ledger();
    let pipeline = ledger.pipeline.replace("O3", "O2");
    assert_eq!(verdict(&Ledger { pipeline, ..ledger.clone() }, &product()).by, By::Ptx);
    let assembler = "ptxas 12.0.0".to_string();
    assert_eq!(verdict(&Ledger { assembler, ..ledger.clone() }, &product()).by, By::Assembler);
    // If one kernel becomes other PTX than it did, who knows what others become.
    let mut lines = [ledger.lines[0].clone(), verdict(&ledger, &scaled(0.5)).line];
    lines[0].ptx = Digest::of("other PTX");
    assert_eq!(verdict(&Ledger { lines: lines.to_vec(), ..ledger }, &scaled(0.5)).by, By::Ptx);
}

#[test]
fn what_is_known_is_held_to_the_cost_model_of_now() {
    let mut ledger = ledger();
    ledger.lines[0].assembled.registers = 300;
    let told = verdict(&ledger, &product());
    assert_eq!(told.by, By::Emitted);
    assert_eq!(told.wrong.as_deref(), Some("0 blocks side by side, where the cost model says 1"));
}
