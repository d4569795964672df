//! The runtime for NVIDIA's GPUs on the fake driver: the very code that runs on hardware, but for the driver beneath it.

use crate::support::fake_cuda::{assert_clean, counters, findings, open, refuse_updates, set_memory};
use std::sync::Arc;
use tfc_codegen::{Architecture, CudaBackend, cuda_sim};
use tfc_compiler::precision::Precision;
use tfc_compiler::size::Symbol;
use tfc_compiler::storage::Storage;
use tfc_fake_cuda::Counters;
use tfc_runtime::conformance::{self, Check};
use tfc_runtime::device::{CudaSimSession, HostTensor, Session};

/// Also where graphs cannot be updated after a growth.
#[test]
fn it_computes_what_the_reference_device_computes() {
    refuse_updates();
    let checks = conformance::check(&mut |compiled| Ok(Box::new(open(Arc::clone(compiled), false)))).expect("it runs");
    assert!(checks.iter().all(Check::passes), "{checks:#?}");
    assert_eq!(counters().graph_updates, 0);
    assert_clean();
}

/// Copies, growth, recording and replaying change no bit: the simulated device runs the same kernels one by one on the host's memory.
#[test]
fn it_computes_what_the_simulated_device_computes_to_the_bit() {
    let compiled = Arc::new(conformance::compiled(Precision::Bf16));
    let program = cuda_sim::program(&CudaBackend::new(Architecture::BASELINE), &compiled.program.kernels, false);
    let program = program.expect("kernels compile");
    let mut simulated = CudaSimSession::new(Arc::clone(&compiled), program).expect("there is memory");
    let want = conformance::trial(&compiled, &mut simulated).expect("it runs");

    let mut session = open(Arc::clone(&compiled), true);
    let got = conformance::trial(&compiled, &mut session).expect("it runs");
    for ((what, want), (_, got)) in want.iter().zip(&got) {
        assert!(want.iter().zip(got).all(|(want, got)| want.to_bits() == got.to_bits()), "{what}");
    }
    // What comes a second time where it was is recorded, and repeated: the second micro-batch and the step of the optimizer in each of two stages, twice a token of decoding. The first micro-batch is
    // not: the arena grew for the second, and moved what the first was prepared for. The graphs of the first stage became those of the second.
    let Counters { graph_launches, graph_updates, .. } = counters();
    assert_eq!((graph_launches, graph_updates), (6, 2));
    drop(session);
    assert_clean();
}

/// Sizes and storages are as they were where there is no memory to grow into.
#[test]
fn a_growth_without_memory_changes_nothing() {
    let compiled = Arc::new(conformance::compiled(Precision::F32));
    let mut session = open(Arc::clone(&compiled), false);
    let small = compiled.model.stage_sizes(0).with(Symbol::BATCH, 1);
    session.resize(&small).expect("there is memory");
    // `middle`, the one that grows along its second axis: it cannot grow where it stands.
    let middle = compiled.model.parameters.iter().position(|p| p.path.ends_with("middle")).expect("it is there");
    let storage = Storage::Parameter(middle as u32);
    let tensor = HostTensor::F32 { shape: vec![6, 4], data: (0..24).map(|i| i as f32).collect() };
    session.write(storage, &tensor).expect("it is written");

    set_memory(0);
    let large = compiled.model.stage_sizes(1).with(Symbol::BATCH, 1);
    let failure = session.resize(&large).expect_err("there is no memory");
    assert_eq!(failure.kind.exit_code(), 3);
    assert_eq!(
        failure.message,
        "the GPU has no 168 bytes of memory left: 0 bytes of 0 bytes are free; a smaller batch or model needs less, or `--memory` plans for less"
    );
    assert_eq!((session.sizes(), session.read(storage).expect("it is read")), (&small, tensor));

    set_memory(1 << 30);
    session.resize(&large).expect("there is memory");
    let HostTensor::F32 { data, .. } = session.read(storage).expect("it is read") else { panic!("f32") };
    let row = |i: usize| [4 * i, 4 * i + 1, 4 * i + 2, 4 * i + 3].map(|x| x as f32).into_iter().chain([0.0; 3]);
    assert_eq!(data, (0..6).flat_map(row).collect::<Vec<_>>());
    drop(session);
    assert_clean();
}

#[test]
fn the_first_result_that_is_not_finite_is_found() {
    let compiled = Arc::new(conformance::compiled(Precision::F32));
    let mut session = open(Arc::clone(&compiled), false);
    let sizes = compiled.model.stage_sizes(0).with(Symbol::BATCH, 1).with(Symbol::SEQUENCE, 13);
    session.resize(&sizes).expect("there is memory");
    let ids = HostTensor::I32 { shape: vec![1, 14], data: (0..14).collect() };
    let inputs = [("ids".to_string(), ids), ("loss_weight".to_string(), HostTensor::scalar(1.0))];
    assert_eq!(session.first_non_finite("gradient", &[], &inputs), None);
    let embedding = compiled.model.parameters.iter().position(|p| p.shape.len() == 2).expect("it is there");
    let shape = session.read(Storage::Parameter(embedding as u32)).expect("it is read").shape().to_vec();
    let data = vec![f64::INFINITY; shape.iter().product()];
    session.write(Storage::Parameter(embedding as u32), &HostTensor::F64 { shape, data }).expect("it is written");
    assert!(session.first_non_finite("gradient", &[], &inputs).is_some());
    assert_eq!(findings(), "");
}
