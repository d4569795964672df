//! Processors that code is generated for: the one this runs on, or one by its name.

use crate::vectors::Vectors;
use inkwell::OptimizationLevel;
use inkwell::targets::{CodeModel, InitializationConfig, RelocMode, Target, TargetMachine, TargetTriple};
use tfc_compiler::executable::BackendError;
use tfc_compiler::optimization::{Disabled, Optimization};

#[derive(Clone, Debug)]
pub struct Processor {
    triple: String,
    cpu: String,
    features: String,
    pub vectors: Vectors,
    /// How code is not to be written.
    pub disabled: Disabled,
}

impl Processor {
    /// Those that [`Processor::named`] knows: 256-bit registers, 512-bit registers, these and tile registers, 128-bit registers of Arm.
    pub const NAMES: [&str; 4] = ["x86-64-v3", "x86-64-v4", "sapphirerapids", "aarch64"];

    /// The one this runs on.
    pub fn host() -> Processor {
        let vectors = Vectors::host();
        let features = TargetMachine::get_host_cpu_features().to_string_lossy().into_owned();
        Processor {
            triple: TargetMachine::get_default_triple().as_str().to_string_lossy().into_owned(),
            cpu: TargetMachine::get_host_cpu_name().to_string_lossy().into_owned(),
            // Tile registers that this process may not use are none.
            features: if vectors.tiles { features } else { features.replace("+amx-", "-amx-") },
            vectors,
            disabled: Disabled::default(),
        }
    }

    pub fn named(name: &str) -> Option<Processor> {
        let on_linux = |architecture: &str, cpu: &str, vectors| Processor {
            triple: format!("{architecture}-unknown-linux-gnu"),
            cpu: cpu.to_string(),
            features: String::new(),
            vectors,
            disabled: Disabled::default(),
        };
        match name {
            "x86-64-v3" => Some(on_linux("x86_64", name, Vectors::AVX2)),
            "x86-64-v4" => Some(on_linux("x86_64", name, Vectors::AVX512)),
            "sapphirerapids" => Some(on_linux("x86_64", name, Vectors::AMX)),
            "aarch64" => Some(on_linux("aarch64", "generic", Vectors::NEON)),
            _ => None,
        }
    }

    /// The same, its code written without what is switched off.
    pub fn without(self, disabled: &Disabled) -> Processor {
        let uses = |has: bool, optimization| has && !disabled.has(optimization);
        let tiles = uses(self.vectors.tiles, Optimization::TileRegisters);
        let embedded_broadcast = uses(self.vectors.embedded_broadcast, Optimization::EmbeddedBroadcast);
        let vectors = Vectors { tiles, embedded_broadcast, ..self.vectors };
        Processor { disabled: disabled.among(&Disabled::code()), vectors, ..self }
    }

    /// A code generator. One per thread.
    pub fn machine(&self) -> Result<TargetMachine, BackendError> {
        Target::initialize_all(&InitializationConfig::default());
        let triple = TargetTriple::create(&self.triple);
        let target =
            Target::from_triple(&triple).map_err(|e| BackendError(format!("LLVM does not know this machine: {e}")))?;
        let (cpu, features) = (self.cpu.as_str(), self.features.as_str());
        let (level, relocation, model) = (OptimizationLevel::Aggressive, RelocMode::PIC, CodeModel::Default);
        let machine = target.create_target_machine(&triple, cpu, features, level, relocation, model);
        machine.ok_or_else(|| BackendError(format!("LLVM has no code generator for {cpu}")))
    }

    /// What code made for it needs: `x86_64-unknown-linux-gnu/znver5/` and a digest of its features, which decide whether code runs; then what it was written without.
    pub fn target(&self) -> String {
        let digest = self
            .features
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        let without: String = self.disabled.names().iter().map(|name| format!("/without-{name}")).collect();
        format!("{}/{}/{digest:016x}{without}", self.triple, self.cpu)
    }

    /// Whether its code runs on this machine.
    pub fn runs_here(&self) -> bool {
        let host = Processor::host();
        let architecture = |triple: &str| triple.split('-').next().map(str::to_string);
        architecture(&self.triple) == architecture(&host.triple)
            && self.vectors.width <= host.vectors.width
            && self.vectors.tiles <= host.vectors.tiles
    }
}
