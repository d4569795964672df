//! The least time that a launch takes on a GPU: that of what it has most to do of.

use super::calls::Call;
use crate::commands::explain::measure::without_numbers;
use std::collections::BTreeMap;
use tfc_codegen::Gpu;
use tfc_compiler::compiled::Compiled;
use tfc_compiler::kernel::{Body, Kernel};
use tfc_compiler::plan::{Operation, What, operations};
use tfc_compiler::precision::Precision;

/// What a GPU does in a second.
pub struct Roofline {
    /// FLOP of matrix products, by precision.
    bf16: f64,
    tf32: f64,
    scalars: f64,
    bytes: f64,
}

/// Seconds, by what they are spent on if all else were free.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Seconds {
    pub products: f64,
    pub scalars: f64,
    pub memory: f64,
}

impl Seconds {
    fn most(self) -> f64 {
        self.products.max(self.scalars).max(self.memory)
    }

    /// What the time is spent on.
    pub fn bound(self) -> &'static str {
        match self.most() {
            most if most == self.products => "tensor cores",
            most if most == self.memory => "memory",
            _ => "arithmetic",
        }
    }
}

/// What all launches of one kernel do in one repetition.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Line {
    pub launches: u64,
    pub flops: f64,
    pub product_flops: f64,
    pub bytes: f64,
    /// The roofline: launch by launch, the longest of `spent`.
    pub seconds: f64,
    pub spent: Seconds,
    /// What is computed, each once; the numbers of repeated layers are stars.
    pub labels: Vec<String>,
}

impl Roofline {
    pub fn of(gpu: &Gpu) -> Roofline {
        Roofline {
            bf16: gpu.product_flops_per_s(Precision::Bf16),
            tf32: gpu.product_flops_per_s(Precision::F32),
            scalars: gpu.scalar_flops_per_s(),
            bytes: gpu.memory_bytes_per_s,
        }
    }

    /// By kernel, what takes longest first; None is what only zeroes.
    pub fn lines(&self, compiled: &Compiled, calls: &[Call]) -> Vec<(Option<u32>, Line)> {
        let mut lines: BTreeMap<Option<u32>, Line> = BTreeMap::new();
        for call in calls {
            let plan = &compiled.program.plans[call.plan(compiled)];
            for operation in operations(&compiled.program, plan, &call.sizes) {
                let (kernel, label) = match operation.what {
                    What::Launch(launch) => (Some(launch.kernel), launch.label.as_str()),
                    What::Zero(buffer) => (None, plan.buffers[buffer.0 as usize].name.as_str()),
                };
                let seconds = self.seconds(kernel.map(|k| &compiled.program.kernels[k as usize]), &operation);
                lines.entry(kernel).or_default().add(&operation, seconds, label, call.times);
            }
        }
        let mut lines: Vec<_> = lines.into_iter().collect();
        lines.sort_by(|(_, a), (_, b)| b.seconds.total_cmp(&a.seconds));
        lines
    }

    /// All of it.
    pub fn sum(&self, compiled: &Compiled, calls: &[Call]) -> Line {
        sum(&self.lines(compiled, calls))
    }

    fn seconds(&self, kernel: Option<&Kernel>, operation: &Operation<'_>) -> Seconds {
        let products = match kernel.map(|kernel| &kernel.body) {
            Some(Body::Contraction(body)) if body.precision == Precision::Bf16 => self.bf16,
            // Attention multiplies tf32 in either precision.
            Some(_) | None => self.tf32,
        };
        Seconds {
            products: operation.cost.product_flops as f64 / products,
            scalars: (operation.cost.flops - operation.cost.product_flops) as f64 / self.scalars,
            memory: operation.cost.bytes as f64 / self.bytes,
        }
    }
}

impl Line {
    fn add(&mut self, operation: &Operation<'_>, seconds: Seconds, label: &str, times: u64) {
        let count = times as f64;
        self.launches += times;
        self.flops += count * operation.cost.flops as f64;
        self.product_flops += count * operation.cost.product_flops as f64;
        self.bytes += count * operation.cost.bytes as f64;
        self.seconds += count * seconds.most();
        self.spent.products += count * seconds.products;
        self.spent.scalars += count * seconds.scalars;
        self.spent.memory += count * seconds.memory;
        let label = without_numbers(label);
        if !self.labels.contains(&label) {
            self.labels.push(label);
        }
    }
}

pub fn sum(lines: &[(Option<u32>, Line)]) -> Line {
    lines.iter().fold(Line::default(), |sum, (_, line)| Line {
        launches: sum.launches + line.launches,
        flops: sum.flops + line.flops,
        product_flops: sum.product_flops + line.product_flops,
        bytes: sum.bytes + line.bytes,
        seconds: sum.seconds + line.seconds,
        spent: Seconds {
            products: sum.spent.products + line.spent.products,
            scalars: sum.spent.scalars + line.spent.scalars,
            memory: sum.spent.memory + line.spent.memory,
        },
        labels: Vec::new(),
    })
}
