//! What becomes of a kernel, by the ledger where it knows, by the assembler where it does not, and whether that is as it must be.

use super::assembler::{Assembled, Assembler};
use super::demands::{taken, wrong};
use super::ledger::{About, Digest, Ledger, Line};
use std::mem::discriminant;
use tfc_codegen::CudaBackend;
use tfc_compiler::executable::{Backend, EmitStage};
use tfc_compiler::kernel::Kernel;

pub struct Judge<'a> {
    backend: &'a CudaBackend,
    assembler: &'a Assembler,
    ledger: Ledger,
    /// Whether what is emitted becomes the same PTX as when the ledger was written.
    knows_emitted: bool,
}

#[derive(Debug)]
pub struct Verdict {
    pub line: Line,
    pub by: By,
    /// The first thing that is not as it must be.
    pub wrong: Option<String>,
}

/// What told it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    Emitted,
    Ptx,
    Assembler,
}

#[derive(Clone, Copy)]
pub struct Emitted<'k> {
    pub kernel: &'k Kernel,
    pub digest: Digest,
}

impl<'a> Judge<'a> {
    /// Of a ledger for the back end's architecture. Code of another assembler is not known; and if LLVM is another one or does other work, only PTX is: the first kernel of each body that the ledger
    /// knows must become the PTX that it knows.
    pub fn new(
        backend: &'a CudaBackend,
        assembler: &'a Assembler,
        mut ledger: Ledger,
        kernels: &[Emitted<'_>],
    ) -> Judge<'a> {
        let now = Ledger::new(backend);
        if ledger.assembler != now.assembler {
            ledger = now.clone();
        }
        let mut probes: Vec<(&Kernel, &Line)> = Vec::new();
        for Emitted { kernel, digest } in kernels {
            let is_new = !probes.iter().any(|(probe, _)| discriminant(&probe.body) == discriminant(&kernel.body));
            let line = ledger.lines.iter().find(|line| line.emitted == *digest);
            probes.extend(line.filter(|_| is_new).map(|line| (*kernel, line)));
        }
        let is_current = |(kernel, line): &(&Kernel, &Line)| Digest::of(&ptx(backend, kernel)) == line.ptx;
        let knows_emitted = ledger.pipeline == now.pipeline && probes.iter().all(is_current);
        Judge { backend, assembler, ledger, knows_emitted }
    }

    pub fn verdict(&self, Emitted { kernel, digest: emitted }: Emitted<'_>) -> Verdict {
        let known = |is: &dyn Fn(&Line) -> bool| self.ledger.lines.iter().find(|line| is(line));
        if let Some(line) = known(&|line| self.knows_emitted && line.emitted == emitted) {
            return self.judged(kernel, emitted, line.ptx, line.assembled, By::Emitted);
        }
        let text = ptx(self.backend, kernel);
        let digest = Digest::of(&text);
        match known(&|line| line.ptx == digest) {
            Some(line) => self.judged(kernel, emitted, digest, line.assembled, By::Ptx),
            None => {
                let assembled = self.assembler.assemble(self.backend.architecture().name, &text);
                self.judged(kernel, emitted, digest, assembled, By::Assembler)
            }
        }
    }

    fn judged(&self, kernel: &Kernel, emitted: Digest, ptx: Digest, assembled: Assembled, by: By) -> Verdict {
        let architecture = self.backend.architecture();
        let expected = self.backend.resources(kernel).expect("there is code for it");
        let about = About {
            threads: expected.threads,
            shared_bytes: expected.shared_bytes,
            blocks: taken(&assembled, expected).blocks(architecture),
            kernel: kernel.to_string().lines().next().unwrap_or_default().to_string(),
        };
        let wrong = wrong(architecture, kernel, &assembled, expected);
        Verdict { line: Line { emitted, ptx, assembled, about }, by, wrong }
    }
}

fn ptx(backend: &CudaBackend, kernel: &Kernel) -> String {
    backend.text(std::slice::from_ref(kernel), EmitStage::Ptx).expect("the kernel compiles")
}

#[cfg(test)]
mod tests;
