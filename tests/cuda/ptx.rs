//! The machine code of all kernels, for every architecture, is as it must be. What the ledger does not know is assembled.
//!
//! TFC_VERIFY_CUDA=all (`make verify-cuda`) assembles everything and writes the ledger anew; TFC_VERIFY_CUDA=changed writes it anew of what it knows and what is assembled besides.

use super::assembler::Assembler;
use super::kernels::kernels;
use super::ledger::{COLUMNS, Digest, Ledger, Line};
use super::side_by_side::side_by_side;
use super::verdict::{By, Emitted, Judge, Verdict};
use tfc_codegen::{Architecture, CudaBackend};
use tfc_compiler::kernel::Kernel;

#[test]
fn every_kernel_is_assembled_as_the_cost_model_expects() {
    let (trusts, writes) = match std::env::var("TFC_VERIFY_CUDA").as_deref() {
        Err(_) => (true, false),
        Ok("changed") => (true, true),
        Ok("all") => (false, true),
        Ok(other) => panic!("TFC_VERIFY_CUDA is `all` or `changed`, not `{other}`"),
    };
    let (assembler, kernels) = (Assembler::find(), kernels());
    assert!(kernels.len() > 300, "{} kernels", kernels.len());
    let mut wrong = String::new();
    for backend in Architecture::ALL.map(CudaBackend::new) {
        let ledger = if trusts { Ledger::read(&backend) } else { Ledger::new(&backend) };
        let verdicts = verdicts(&backend, &assembler, ledger, &kernels);
        if writes {
            Ledger { lines: lines(&verdicts), ..Ledger::new(&backend) }.write(backend.architecture());
        }
        let count = |by| verdicts.iter().filter(|verdict| verdict.by == by).count();
        let [known, known_by_ptx, assembled] = [By::Emitted, By::Ptx, By::Assembler].map(count);
        let name = backend.architecture().name;
        println!("{name}: {known} kernels known, {known_by_ptx} by their PTX, {assembled} assembled");
        for (kernel, verdict) in kernels.iter().zip(verdicts) {
            let Some(why) = verdict.wrong else { continue };
            wrong += &format!("{name}: {why}\n{COLUMNS}\n{}\n{kernel}\n", verdict.line);
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

fn verdicts(backend: &CudaBackend, assembler: &Assembler, ledger: Ledger, kernels: &[Kernel]) -> Vec<Verdict> {
    let emitted = side_by_side(kernels, |kernel| Emitted { kernel, digest: Digest::of_emitted(backend, kernel) });
    let judge = Judge::new(backend, assembler, ledger, &emitted);
    println!("{COLUMNS}");
    side_by_side(&emitted, |emitted| {
        let verdict = judge.verdict(*emitted);
        // All kernels take long: who stops it has seen something.
        if verdict.by == By::Assembler {
            println!("{}  {}", verdict.line, verdict.wrong.as_deref().unwrap_or_default());
        }
        verdict
    })
}

/// Of all that is as it must be, each once.
fn lines(verdicts: &[Verdict]) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    for Verdict { line, wrong, .. } in verdicts {
        if wrong.is_none() && !lines.iter().any(|known| known.emitted == line.emitted) {
            lines.push(line.clone());
        }
    }
    lines
}
