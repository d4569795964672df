//! Sessions on a simulated device: plans run launch by launch, each with the checker on if its code was made so.

use super::engine::Span;
use super::host_memory::Pages;
use super::on_host::HostEngine;
use super::planned::PlanSession;
use crate::{Failure, Kind, Result};
use std::convert::Infallible;
use std::sync::Arc;
use tfc_compiler::compiled::Compiled;
use tfc_compiler::executable::Geometry;
use tfc_compiler::kernel::Access;
use tfc_compiler::simulation::SimulatedProgram;
use tfc_cuda_sim::{Argument, Dimensions, Launch, Simulator};

pub struct CudaSim {
    compiled: Arc<Compiled>,
    simulator: Simulator,
    geometries: Vec<Geometry>,
    /// Launches so far: each draws another order.
    launches: u64,
}

pub type CudaSimSession = PlanSession<CudaSim>;

pub struct SimulatedLaunch {
    kernel: usize,
    arguments: Vec<Argument>,
    blocks: i64,
}

impl CudaSimSession {
    /// Opens a session on the kernels of `compiled`.
    ///
    /// # Errors
    /// There is too little memory.
    pub fn new(compiled: Arc<Compiled>, program: SimulatedProgram) -> Result<CudaSimSession> {
        let SimulatedProgram { simulation, loaded, geometries } = program;
        let simulator = Simulator::new(simulation, loaded);
        PlanSession::on(CudaSim { compiled: Arc::clone(&compiled), simulator, geometries, launches: 0 }, compiled)
    }
}

impl HostEngine for CudaSim {
    type Launch = SimulatedLaunch;
    type Recording = Infallible;

    fn prepare(&mut self, kernel: usize, arguments: &[Span], sizes: Vec<i64>) -> Result<SimulatedLaunch> {
        let operands = &self.compiled.program.kernels[kernel].operands;
        let buffers = arguments.iter().zip(operands).map(|(span, operand)| Argument::Buffer {
            address: span.start,
            bytes: operand.dtype.bytes() * span.elements,
            writable: operand.access != Access::Read,
        });
        let blocks = self.geometries[kernel].blocks.evaluate(&sizes);
        let arguments = buffers.chain(sizes.into_iter().map(Argument::Number)).collect();
        Ok(SimulatedLaunch { kernel, arguments, blocks })
    }

    fn row_epilogue(&self, _: &SimulatedLaunch, _: &SimulatedLaunch) -> Option<SimulatedLaunch> {
        None
    }

    unsafe fn run(&mut self, launch: &SimulatedLaunch) -> Result<()> {
        if launch.blocks == 0 {
            return Ok(());
        }
        self.launches += 1;
        let geometry = &self.geometries[launch.kernel];
        let blocks = u32::try_from(launch.blocks).unwrap_or(u32::MAX);
        let launch = Launch {
            kernel: launch.kernel,
            arguments: &launch.arguments,
            dimensions: Dimensions { block: [geometry.threads, 1, 1], grid: [blocks, 1, 1] },
            dynamic_shared_bytes: geometry.shared_bytes as usize,
            seed: self.launches,
            allowed_conflicts: u64::MAX,
        };
        // SAFETY: as the caller promises.
        let ran = unsafe { self.simulator.launch(&launch) };
        ran.map(|_| ()).map_err(|report| Failure::new(Kind::Machine, format!("a kernel for CUDA is wrong:\n{report}")))
    }

    fn record(&mut self, _: &mut dyn FnMut(&mut CudaSim) -> Result<()>) -> Result<Option<Infallible>> {
        Ok(None)
    }

    unsafe fn repeat(&mut self, recording: &Infallible) {
        match *recording {}
    }

    fn bytes(&self) -> usize {
        0
    }

    fn pages(&self) -> Pages {
        Pages::of(&self.compiled)
    }
}
