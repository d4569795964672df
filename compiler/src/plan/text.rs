//! Plans as text: buffers with sizes and lifetimes, then the steps.

use super::{Argument, Buffer, Launch, Place, Plan, Program, Step};
use crate::graph::Type;
use crate::graph::type_text;
use crate::kernel::Access;
use crate::precision::Precision;
use crate::size::Size;
use std::fmt::{Display, Formatter, Result};

/// A whole program: the kernels that are shared, then each plan.
impl Display for Program {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        for (index, kernel) in self.kernels.iter().enumerate() {
            write!(f, "kernel k{index}: {kernel}")?;
        }
        self.plans.iter().try_for_each(|plan| write!(f, "\n{}", PlanText { program: self, plan }))
    }
}

struct PlanText<'a> {
    program: &'a Program,
    plan: &'a Plan,
}

impl Display for PlanText<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let precision = match self.plan.precision {
            Precision::F32 => "",
            Precision::Bf16 => " in bf16",
        };
        writeln!(f, "plan {}{precision}", self.plan.name)?;
        for (index, buffer) in self.plan.buffers.iter().enumerate() {
            writeln!(f, "  b{index} {}", self.buffer(index as u32, buffer))?;
        }
        for (index, step) in self.plan.steps.iter().enumerate() {
            self.step(&format!("  {index}: "), step, f)?;
        }
        Ok(())
    }
}

impl PlanText<'_> {
    fn size(&self, size: &Size) -> String {
        size.display(&self.plan.symbols).to_string()
    }

    /// `f32[batch*sequence*64] at 3..=7: block.0.ffn: matmul %12`, `f32[64] is gradient.2, lent before 9: gradient.2`.
    fn buffer(&self, index: u32, buffer: &Buffer) -> String {
        let flat = Type { dtype: buffer.dtype, shape: vec![buffer.elements.clone()] };
        let place = match buffer.place {
            Place::Storage(storage) => match self.plan.lenders.iter().find(|lender| lender.buffer.0 == index) {
                Some(lender) => format!("is {storage}, lent before {}", lender.until),
                None => format!("is {storage}"),
            },
            Place::Arena { first, last } => format!("at {first}..={last}"),
        };
        format!("{} {place}: {}", type_text(&flat, &self.plan.symbols), buffer.name)
    }

    fn step(&self, indent: &str, step: &Step, f: &mut Formatter<'_>) -> Result {
        match step {
            Step::Launch(launch) => writeln!(f, "{indent}{}", self.launch(launch)),
            Step::RowEpilogue { product, rows } => {
                writeln!(f, "{indent}{}", self.launch(product))?;
                writeln!(f, "       its rows {}", self.launch(rows))
            }
            Step::Zero(buffer) => writeln!(f, "{indent}zero b{}", buffer.0),
            Step::Chunks { rows, chunk, body } => {
                writeln!(f, "{indent}chunks of {chunk} of {} rows", self.size(rows))?;
                body.iter().try_for_each(|step| self.step("       ", step, f))
            }
        }
    }

    /// `k3(b0, b1+64, &b2) [batch, 64]: path: matmul add`; what is written has an `&`.
    fn launch(&self, launch: &Launch) -> String {
        let kernel = &self.program.kernels[launch.kernel as usize];
        let argument = |(operand, argument): (&crate::kernel::Operand, &Argument)| {
            let sign = if operand.access == Access::Read { "" } else { "&" };
            match argument.offset == Size::default() {
                true => format!("{sign}b{}", argument.buffer.0),
                false => format!("{sign}b{}+{}", argument.buffer.0, self.size(&argument.offset)),
            }
        };
        let arguments: Vec<String> = kernel.operands.iter().zip(&launch.arguments).map(argument).collect();
        let sizes: Vec<String> = launch.sizes.iter().map(|size| self.size(size)).collect();
        format!("k{}({}) [{}]: {}", launch.kernel, arguments.join(", "), sizes.join(", "), launch.label)
    }
}
