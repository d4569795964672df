//! CUDA kernels for the simulator: the LLVM IR that goes to NVIDIA's code generator becomes code for this machine, in which each operation
//! that concerns more than its own thread hands over to the simulator (`tfc_compiler::simulation`).
//!
//! What a kernel may consist of is a closed list ([`known`], [`intrinsics`], [`library`]); anything else is refused by name.

mod bf16;
mod entries;
mod intrinsics;
mod known;
mod library;
mod shared;
mod sites;

use crate::cuda::CudaBackend;
use crate::load::LoadedObjects;
use crate::lower;
use crate::processor::Processor;
use inkwell::context::Context;
use inkwell::memory_buffer::MemoryBuffer;
use inkwell::module::Module;
use inkwell::passes::PassBuilderOptions;
use inkwell::targets::FileType;
use sites::Sites;
use tfc_compiler::executable::{Backend, BackendError, EmitStage};
use tfc_compiler::kernel::Kernel;
use tfc_compiler::simulation::{CURRENT_THREAD, LoadedSimulation, MOST_SHARED_BYTES, SimulatedProgram, Simulation};

/// The IR was optimized for the device; what was added to it is made as good as it is.
const CLEANING: &str = "always-inline,globaldce,function(sroa,early-cse<memssa>,simplifycfg,instsimplify)";

/// Code for the simulator. `ir` is text or bitcode of a module for NVIDIA's devices, as it goes to their code generator. Where it is
/// `checked`, each access to memory is handed over as well.
///
/// # Errors
/// The IR is none, or holds what the simulator does not know; the message names it.
pub fn simulation(ir: &[u8], checked: bool) -> Result<Simulation, BackendError> {
    let context = Context::create();
    let module = parse(&context, ir)?;
    let machine = Processor::host().machine()?;
    module.set_triple(&machine.get_triple());
    module.set_data_layout(&machine.get_target_data().get_data_layout());

    known::check(&module)?;
    let shared = shared::move_to_host(&context, &module, &machine.get_target_data());
    let functions: Vec<_> = module.get_functions().filter(|f| f.count_basic_blocks() > 0).collect();
    functions.iter().for_each(|function| bf16::round_by_library(&context, &module, *function));
    let mut sites = Sites::new(&context, &module, machine.get_target_data(), checked);
    functions.iter().for_each(|function| sites.hand_over_in(*function));
    let sites = sites.list;
    library::link(&context, &module)?;
    let kernels = entries::make(&context, &module, &functions);

    module
        .run_passes(CLEANING, &machine, PassBuilderOptions::create())
        .map_err(|e| BackendError(format!("LLVM's passes failed: {e}")))?;
    let object = lower::generate(&module, &machine, FileType::Object)?;
    Ok(Simulation { object, kernels, sites, shared, checked })
}

/// A program's kernels, as they are compiled for a GPU.
///
/// # Errors
/// There is no code for one of them.
pub fn program(backend: &CudaBackend, kernels: &[Kernel], checked: bool) -> Result<SimulatedProgram, BackendError> {
    let geometries = kernels.iter().map(|kernel| backend.geometry(kernel)).collect::<Result<_, _>>()?;
    let simulation = simulation(backend.text(kernels, EmitStage::Llvm)?.as_bytes(), checked)?;
    let loaded = load(&simulation)?;
    Ok(SimulatedProgram { simulation, loaded, geometries })
}

/// Makes it callable.
///
/// # Errors
/// It was not made for this machine.
pub fn load(simulation: &Simulation) -> Result<LoadedSimulation, BackendError> {
    let loaded = LoadedObjects::new(&[&simulation.object])?;
    let kernels = simulation.kernels.iter().map(|kernel| loaded.address(&kernel.symbol)).collect::<Result<_, _>>()?;
    let shared = simulation.shared.iter().map(|variable| {
        let start = loaded.address(&variable.symbol)?;
        Ok(start..start + variable.bytes.unwrap_or(MOST_SHARED_BYTES))
    });
    let shared = shared.collect::<Result<_, BackendError>>()?;
    let thread = loaded.address(CURRENT_THREAD)?;
    Ok(LoadedSimulation { kernels, shared, thread, owner: Box::new(loaded) })
}

fn parse<'c>(context: &'c Context, ir: &[u8]) -> Result<Module<'c>, BackendError> {
    // LLVM wants a zero behind the text.
    let bytes = [ir, &[0]].concat();
    let buffer = MemoryBuffer::create_from_memory_range_copy(&bytes, "kernels");
    let module = context.create_module_from_ir(buffer).map_err(|e| BackendError(format!("this is no LLVM IR: {e}")))?;
    module.verify().map_err(|e| BackendError(format!("LLVM refuses the module: {e}")))?;
    Ok(module)
}

#[cfg(test)]
mod tests;
