//! The same kernels for other processors: objects of the right architecture with instructions of the full width, and, where this machine runs
//! them, the numbers of the reference device.

use crate::support::{Device, assert_close, largest, model, session, session_on, write_parameters};
use tfc_codegen::{CpuBackend, Processor};
use tfc_compiler::compile::{compile, compile_for_inference};
use tfc_compiler::compiled::Entry;
use tfc_compiler::executable::{Backend, EmitStage};
use tfc_compiler::kernel::{Body, Kernel, Operand};
use tfc_compiler::optimization::Disabled;
use tfc_runtime::device::{HostTensor, Session};

/// A small language model with everything that a training step has.
pub const SPEC: &str = "model small {
  let vocab = 61
  let context = 24
  let width = 32
  let heads = 2
  tokens n = 40
  layer attend(x: [.., d]) {
    q = pattention(x, n) |> split_heads(heads) |> rope(fraction = 0.5)
    k = pattention(x, n) |> split_heads(heads) |> rope(fraction = 0.5)
    v = pattention(x, n) |> split_heads(heads)
    attention(q, k, v, causal) |> merge_heads |> pattention(n)
  }
  layer block(x: [.., d]) {
    y = x + attend(layernorm(x))
    y + pattention(layernorm(y), n)
  }
  forward(ids: token_ids[context]) {
    e = embed(ids, vocab, width)
    h = layernorm(repeat(2, block, e), affine)
    logits = unembed(h, tied = e)
  }
  loss = cross_entropy(logits, next(ids))
}
train { batch = 4  optimizer = adamw(lr = 1e-3, clip = 1.0)  schedule = constant  steps = 1  seed = 1 }";

fn backend(processor: &str) -> CpuBackend {
    CpuBackend::of(Processor::named(processor).expect("a processor that is named"))
}

#[test]
fn a_training_step_is_compiled_for_each_processor_at_its_full_width() {
    let compiled = compile(model(SPEC, &[]), &[Entry::Gradient, Entry::Update]);
    let kernels = &compiled.program.kernels;
    // The architecture's number in an ELF header; what its multiply-adds look like; what only wider registers have.
    let expected = [
        ("x86-64-v3", 62, "vfmadd231ps\t%ymm", Some("%zmm")),
        ("x86-64-v4", 62, "vfmadd231ps\t%zmm", None),
        ("sapphirerapids", 62, "vfmadd231ps\t%zmm", None),
        ("aarch64", 183, "fmla\tv", None),
    ];
    for (processor, architecture, multiply_add, never) in expected {
        let backend = backend(processor);
        let code = backend.emit(kernels).expect("the kernels compile");
        assert!(code.target.contains(processor), "{}", code.target);
        // The first object stands behind its length.
        let header = &code.bytes[8..];
        assert_eq!((&header[..4], header[18]), (&b"\x7fELF"[..], architecture), "{processor}");

        let assembly = backend.text(kernels, EmitStage::Asm).expect("the kernels compile");
        assert!(assembly.contains(multiply_add), "no {multiply_add:?} for {processor}");
        assert!(never.is_none_or(|never| !assembly.contains(never)), "{never:?} for {processor}");
        if processor == "aarch64" {
            assert!(assembly.contains(".4s"), "no registers of four lanes");
        }
    }
}

#[test]
fn code_for_narrower_registers_gives_the_numbers_of_the_reference() {
    let backend = backend("x86-64-v3");
    if !Processor::named("x86-64-v3").is_some_and(|processor| processor.runs_here()) {
        return;
    }
    let run = |session: &mut dyn Session| {
        write_parameters(session, &model(SPEC, &[]));
        let ids = HostTensor::I32 { shape: vec![2, 25], data: (0..50).map(|i| i * 7 % 61).collect() };
        session.run("grad", &[], &[("ids".to_string(), ids)]).expect("the entry runs")
    };
    let want = run(session(model(SPEC, &[]), &[Entry::Grad], Device::Reference, 2, 24).as_mut());
    let got = run(session_on(model(SPEC, &[]), &[Entry::Grad], &backend, 2, 24).as_mut());
    for ((name, want), (_, got)) in want.iter().zip(&got) {
        let want = want.to_f64();
        assert_close(name, &got.to_f64(), &want, largest(&want), 2e-5);
    }
}

/// Weights in bf16 are f32 in registers there.
#[test]
fn inference_in_bf16_is_compiled_for_each_processor() {
    let text = SPEC.replace("batch = 4", "batch = 4  precision = bf16");
    let entries = [Entry::Named(vec!["logits".into()]), Entry::Decode];
    let compiled = compile_for_inference(model(&text, &[]), &entries, &Disabled::default());
    let is_narrow = |kernel: &Kernel| kernel.operands.contains(&Operand::READ_BF16);
    assert!(compiled.program.kernels.iter().any(is_narrow), "no kernel reads bf16");
    for processor in Processor::NAMES {
        let code = backend(processor).emit(&compiled.program.kernels).expect("the kernels compile");
        assert!(code.target.contains(processor), "{}", code.target);
    }
}

/// Products and attention alike.
#[test]
fn a_training_step_in_bf16_multiplies_in_tile_registers_where_there_are_any() {
    let compiled = compile(model(&SPEC.replace("batch = 4", "batch = 4  precision = bf16"), &[]), &[Entry::Gradient]);
    let instructions = |body: fn(&Body) -> bool, backend: CpuBackend| {
        let kernels: Vec<Kernel> = compiled.program.kernels.iter().filter(|k| body(&k.body)).cloned().collect();
        let assembly = backend.text(&kernels, EmitStage::Asm).expect("the kernels compile");
        ["tdpbf16ps", "vdpbf16ps"].map(|instruction| assembly.contains(instruction))
    };
    let without = || backend("sapphirerapids").without(&Disabled::named(&["tile_registers".into()]).expect("a name"));
    let bodies: [fn(&Body) -> bool; 3] = [
        |body| matches!(body, Body::Contraction(_)),
        |body| matches!(body, Body::Attention(_)),
        |body| matches!(body, Body::AttentionBackward(_)),
    ];
    for body in bodies {
        assert!(instructions(body, backend("sapphirerapids"))[0], "no tiles");
        assert_eq!(instructions(body, without()), [false, true], "tiles that are switched off");
        assert!(!instructions(body, backend("x86-64-v4"))[0], "tiles that are not there");
    }
}

/// From a register and a constant offset: with an index beside, it would be two instructions in a core, as it is elsewhere in tiles of a single column of registers.
#[test]
fn multiplications_broadcast_where_the_processor_gains_by_it() {
    let compiled = compile(model(SPEC, &[]), &[Entry::Gradient]);
    let is_product = |kernel: &&Kernel| matches!(kernel.body, Body::Contraction(_));
    let kernels: Vec<Kernel> = compiled.program.kernels.iter().filter(is_product).cloned().collect();
    // Of the micro-kernels.
    let broadcasts = |backend: CpuBackend| {
        let assembly = backend.text(&kernels, EmitStage::Asm).expect("the kernels compile");
        let label = |line: &str| line.strip_suffix(':').filter(|name| !name.starts_with('.')).map(str::to_string);
        let in_function = assembly.lines().scan(String::new(), |function, line| {
            *function = label(line).unwrap_or(std::mem::take(function));
            Some((function.starts_with("multiply_"), line))
        });
        let micro = in_function.filter(|(is_micro, _)| *is_micro).map(|(_, line)| line);
        let all = micro.filter(|line| line.contains("vfmadd") && line.contains("{1to16}"));
        let has_index = |line: &&str| line.split(['(', ')']).nth(1).is_some_and(|address| address.contains(','));
        let (indexed, plain): (Vec<&str>, Vec<&str>) = all.partition(has_index);
        [indexed.len(), plain.len()]
    };
    let without = Disabled::named(&["embedded_broadcast".into()]).expect("a name");
    let [indexed, plain] = broadcasts(backend("sapphirerapids"));
    assert!(indexed == 0 && plain > 0, "{indexed} with an index, {plain} without");
    for backend in [backend("sapphirerapids").without(&without), backend("x86-64-v4")] {
        assert_eq!(broadcasts(backend)[1], 0);
    }
}

/// Code goes to the machine it was made for.
#[test]
fn code_for_another_architecture_is_not_loaded() {
    let other = if cfg!(target_arch = "aarch64") { "x86-64-v3" } else { "aarch64" };
    let compiled = compile(model(SPEC, &[]), &[Entry::Evaluate]);
    let backend = backend(other);
    let code = backend.emit(&compiled.program.kernels).expect("the kernels compile");
    let refused = backend.load(&code).err().expect("it does not run here").0;
    assert_eq!(refused, format!("this machine does not run code for {}", code.target));
}
