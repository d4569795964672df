//! What a training step of the 124M model, 32 sequences of 1024 tokens in bf16, must come to: counted in its plans, whatever the machine.

use crate::support::spec_with;
use tfc_compiler::compile::compile_without;
use tfc_compiler::compiled::{Compiled, Entry};
use tfc_compiler::kernel::{Body, Kernel};
use tfc_compiler::optimization::Disabled;
use tfc_compiler::plan::{Operation, What, operations};
use tfc_compiler::precision::Precision;
use tfc_compiler::size::Symbol;

fn step(disabled: &Disabled) -> Compiled {
    let model = spec_with("bench-small124", &["train.batch=32", "train.precision=bf16"]);
    compile_without(model, &[Entry::Gradient, Entry::Update], &disabled.and(&Disabled::of_gpus()))
}

/// Of all operations of the step, with their kernels, what `count` makes of each.
fn sum(compiled: &Compiled, count: impl Fn(Option<&Kernel>, &Operation<'_>) -> i64) -> f64 {
    let program = &compiled.program;
    let sizes = compiled.model.stage_sizes(0).with(Symbol::BATCH, 32).with(Symbol::SEQUENCE, 1024);
    let of_operation = |operation: &Operation<'_>| {
        let kernel = match operation.what {
            What::Launch(launch) => Some(&program.kernels[launch.kernel as usize]),
            What::Zero(_) => None,
        };
        count(kernel, operation) as f64
    };
    let plans = ["gradient", "update"].map(|entry| program.plan(entry, Precision::Bf16).expect("it was compiled"));
    plans.iter().flat_map(|plan| operations(program, &program.plans[*plan], &sizes)).map(|o| of_operation(&o)).sum()
}

#[test]
fn a_step_has_few_kernels_which_use_tensor_cores_and_spare_memory() {
    let fused = step(&Disabled::default());
    assert!(fused.program.kernels.len() <= 40, "{} distinct kernels", fused.program.kernels.len());
    let flops = sum(&fused, |_, operation| operation.cost.flops);
    let multiplies = |kernel: &Kernel| match &kernel.body {
        Body::Contraction(_) | Body::Attention(_) | Body::AttentionBackward(_) | Body::CachedAttention(_) => true,
        Body::Rows(_) | Body::Columns(_) => false,
        Body::Gather(_) | Body::ScatterAdd(_) | Body::Rope(_) | Body::CacheWrite(_) => false,
    };
    let on_cores = |kernel: Option<&Kernel>, operation: &Operation<'_>| match kernel.is_some_and(multiplies) {
        true => operation.cost.flops,
        false => 0,
    };
    let share = sum(&fused, on_cores) / flops;
    assert!(share >= 0.9, "{share} of the operations are in kernels on tensor cores");
    let bytes = |compiled: &Compiled| sum(compiled, |_, operation| operation.cost.bytes);
    let (fused, unfused) = (bytes(&fused), bytes(&step(&Disabled::fusion())));
    assert!(fused <= 0.5 * unfused, "{fused} bytes, {unfused} if each operation is a kernel of its own");
}
