//! What tests of more than one stage share: from the text of a spec to a session on a device.

#[cfg(target_os = "linux")]
pub mod fake_cuda;
pub mod torch;

use std::path::PathBuf;
use std::sync::Arc;
use tfc_codegen::{Architecture, CpuBackend, CudaBackend, cuda_sim};
use tfc_compiler::check::{Loader, Options, check};
use tfc_compiler::compile::{compile, compile_for_gpu};
use tfc_compiler::compiled::{Compiled, Entry};
use tfc_compiler::executable::Backend;
use tfc_compiler::model::Model;
use tfc_compiler::size::{SizeValues, Symbol};
use tfc_compiler::storage::Storage;
use tfc_grammar::{Color, Sources, render_all};
use tfc_runtime::device::{CpuSession, CudaSimSession, HostTensor, ReferenceSession, Session};
use tfc_runtime::storage::{Dtype, TensorFile};

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Device {
    Reference,
    Cpu {
        threads: usize,
    },
    /// With the checker on.
    CudaSim,
}

/// A spec that is one text.
struct OneText<'a>(&'a str);

impl Loader for OneText<'_> {
    fn read(&self, _: &str) -> Result<Vec<u8>, String> {
        Ok(self.0.as_bytes().to_vec())
    }

    fn vocabulary(&self, _: &str) -> Result<u64, String> {
        Ok(256)
    }
}

/// The specs of specs/, without the data they name.
struct Specs;

impl Loader for Specs {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("specs");
        std::fs::read(folder.join(path)).map_err(|error| error.to_string())
    }

    fn vocabulary(&self, _: &str) -> Result<u64, String> {
        Ok(256)
    }
}

pub fn model(text: &str, sets: &[String]) -> Model {
    checked("test.tfm", &OneText(text), sets)
}

/// A spec of specs/.
pub fn spec(name: &str) -> Model {
    spec_with(name, &[])
}

/// The same with some of it changed.
pub fn spec_with(name: &str, sets: &[&str]) -> Model {
    let sets: Vec<String> = sets.iter().map(ToString::to_string).collect();
    checked(&format!("{name}.tfm"), &Specs, &sets)
}

/// The names of all of them.
pub fn specs() -> Vec<String> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("specs");
    let files = std::fs::read_dir(folder).expect("specs are part of the repository");
    let paths = files.map(|file| file.expect("the folder can be read").path());
    let specs = paths.filter(|path| path.extension().is_some_and(|extension| extension == "tfm"));
    let mut names: Vec<String> = specs.filter_map(|path| Some(path.file_stem()?.to_str()?.to_string())).collect();
    names.sort();
    names
}

fn checked(path: &str, loader: &dyn Loader, sets: &[String]) -> Model {
    let mut sources = Sources::default();
    let checked = check(&mut sources, path, loader, &Options { set: sets.to_vec() });
    let rendered = render_all(&sources, &checked.diagnostics, Color::Never);
    checked.model.unwrap_or_else(|| panic!("the spec has errors:\n{rendered}"))
}

/// A session with the sizes of the model's first stage and this batch and sequence; every scale by its rule.
pub fn session(model: Model, entries: &[Entry], device: Device, batch: i64, sequence: i64) -> Box<dyn Session> {
    let compiled = match device {
        Device::CudaSim => compile_for_gpu(model, entries),
        Device::Reference | Device::Cpu { .. } => compile(model, entries),
    };
    sized(compiled, batch, sequence, |compiled| open(compiled, device))
}

/// The same on the CPU, with the code of a back end.
pub fn session_on(
    model: Model,
    entries: &[Entry],
    backend: &CpuBackend,
    batch: i64,
    sequence: i64,
) -> Box<dyn Session> {
    sized(compile(model, entries), batch, sequence, |compiled| on_cpu(compiled, backend, 2))
}

fn sized(
    compiled: Compiled,
    batch: i64,
    sequence: i64,
    open: impl FnOnce(Arc<Compiled>) -> Box<dyn Session>,
) -> Box<dyn Session> {
    let sizes = compiled.model.stage_sizes(0).with(Symbol::BATCH, batch).with(Symbol::SEQUENCE, sequence);
    let compiled = Arc::new(compiled);
    let mut session = open(Arc::clone(&compiled));
    session.resize(&sizes).expect("there is memory for a small model");
    write_scales(session.as_mut(), &compiled.model, &sizes);
    session
}

/// The same on what has been compiled already.
pub fn on_device(compiled: Compiled, device: Device, batch: i64, sequence: i64) -> Box<dyn Session> {
    sized(compiled, batch, sequence, |compiled| open(compiled, device))
}

pub fn open(compiled: Arc<Compiled>, device: Device) -> Box<dyn Session> {
    match device {
        Device::Reference => Box::new(ReferenceSession::new(compiled)),
        Device::Cpu { threads } => on_cpu(compiled, &CpuBackend::new(), threads),
        Device::CudaSim => {
            let backend = CudaBackend::new(Architecture::BASELINE);
            let program = cuda_sim::program(&backend, &compiled.program.kernels, true).expect("kernels compile");
            Box::new(CudaSimSession::new(compiled, program).expect("there is memory"))
        }
    }
}

fn on_cpu(compiled: Arc<Compiled>, backend: &CpuBackend, threads: usize) -> Box<dyn Session> {
    let code = backend.emit(&compiled.program.kernels).expect("kernels compile");
    Box::new(CpuSession::new(compiled, &code, backend, threads).expect("code loads"))
}

/// Numbers in [−½, ½) for every parameter, the same every time.
pub fn write_parameters(session: &mut dyn Session, model: &Model) {
    for (i, parameter) in model.parameters.iter().enumerate() {
        let shape: Vec<usize> = parameter.shape.iter().map(|size| size.eval(&model.stage_sizes(0)) as usize).collect();
        let number = |j: usize| ((j * 37 + i * 101) % 199) as f64 / 199.0 - 0.5;
        let data = (0..shape.iter().product()).map(number).collect();
        session.write(Storage::Parameter(i as u32), &HostTensor::F64 { shape, data }).expect("it is written");
    }
}

pub fn write_scales(session: &mut dyn Session, model: &Model, sizes: &SizeValues) {
    for (i, scale) in model.scales.iter().enumerate() {
        session
            .write(Storage::Scale(i as u32), &HostTensor::F64 { shape: Vec::new(), data: vec![scale.rule.eval(sizes)] })
            .expect("it is written");
    }
}

pub fn golden(name: &str) -> TensorFile {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    TensorFile::open(&path).expect("the golden files are part of the repository")
}

/// A tensor of a golden file.
pub fn tensor(file: &TensorFile, name: &str) -> HostTensor {
    let shape = file.shape(name).expect("the golden file has it").to_vec();
    match file.dtype(name).expect("the golden file has it") {
        Dtype::F32 => HostTensor::F32 { shape, data: file.values(name).expect("f32").to_vec() },
        Dtype::F64 => HostTensor::F64 { shape, data: file.values(name).expect("f64").to_vec() },
        Dtype::I32 => HostTensor::I32 { shape, data: file.values(name).expect("i32").to_vec() },
        other => panic!("golden files hold no {other:?}"),
    }
}

pub fn numbers(file: &TensorFile, name: &str) -> Vec<f64> {
    tensor(file, name).to_f64()
}

pub fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |m, x| m.max(x.abs()))
}

/// Fails unless every element is finite and within `tolerance · scale` of the reference.
#[track_caller]
pub fn assert_close(what: &str, got: &[f64], want: &[f64], scale: f64, tolerance: f64) {
    assert_eq!(got.len(), want.len(), "{what}: number of elements");
    for (i, (g, w)) in got.iter().zip(want).enumerate() {
        let error = (g - w).abs();
        assert!(
            error <= tolerance * scale,
            "{what}[{i}] is {g}, should be {w}: off by {error:e}, allowed {:e}",
            tolerance * scale
        );
    }
}
