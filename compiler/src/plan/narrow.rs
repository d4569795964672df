//! What stands in memory as bf16 where products are of bf16: results of products that products read again, and what else is there to be multiplied.
//!
//! Those who read such a buffer as an operand of a product would round it anyway; those who compute on it see what a framework's linear layer hands on
//! in mixed precision, or, of a layer norm that is written, a factor of its own gradient. What is added up along a model's depth (a residual, its
//! gradient) stays f32, for there roundings would add up too: it is a summand.

use super::{Buffer, BufferId, Launch, Place, Plan, Program, Step};
use crate::graph::DType;
use crate::kernel::{
    self, Access, Body, Contraction, ContractionAccess, Inner, Kernel, ProgramOp, Register, RowProgram,
};
use crate::precision::Precision;
use crate::scalar::Binary;
use crate::size::Symbol;
use std::collections::BTreeSet;

/// How a launch uses a buffer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    /// A product is written there.
    Product,
    /// Something else is, row by row.
    Rows,
    /// It is multiplied as it is.
    Multiplied,
    /// A program of a product reads it, to multiply what becomes of it or beside what is multiplied.
    Computed,
    /// It is read row by row.
    Read,
    /// The same, and only multiplied by other numbers.
    Factor,
    /// By something that knows f32 only.
    Wide,
}

/// The plan with narrower buffers, and its kernels.
pub fn narrow(kernels: Vec<Kernel>, plan: Plan) -> (Vec<Kernel>, Plan) {
    let narrowed = match plan.precision {
        Precision::F32 => BTreeSet::new(),
        Precision::Bf16 => narrowed(&kernels, &plan),
    };
    if narrowed.is_empty() { (kernels, plan) } else { rewrite(kernels, plan, &narrowed) }
}

fn narrowed(kernels: &[Kernel], plan: &Plan) -> BTreeSet<BufferId> {
    let mut uses = vec![Vec::new(); plan.buffers.len()];
    collect(kernels, &plan.steps, &mut uses);
    let fits = |(buffer, uses): (&Buffer, &Vec<Use>)| {
        matches!(buffer.place, Place::Arena { .. }) && buffer.dtype == DType::F32 && fit(uses)
    };
    let all = plan.buffers.iter().zip(&uses).enumerate();
    all.filter(|(_, buffer)| fits(*buffer)).map(|(id, _)| BufferId(id as u32)).collect()
}

/// Adds every use of each buffer, in order.
fn collect(kernels: &[Kernel], steps: &[Step], uses: &mut [Vec<Use>]) {
    for step in steps {
        match step {
            Step::Launch(_) | Step::RowEpilogue { .. } => {
                for launch in step.launches() {
                    let kernel = &kernels[launch.kernel as usize];
                    for (operand, argument) in launch.arguments.iter().enumerate() {
                        uses[argument.buffer.0 as usize].extend(uses_of(kernel, operand));
                    }
                }
            }
            Step::Zero(buffer) => uses[buffer.0 as usize].push(Use::Wide),
            Step::Chunks { body, .. } => collect(kernels, body, uses),
        }
    }
}

/// Products read it. What others than products write must be there to be multiplied.
fn fit(uses: &[Use]) -> bool {
    let writes = |used: &Use| matches!(used, Use::Product | Use::Rows);
    let reads_after = |place: usize| uses[place + 1..].iter().take_while(|used| !writes(used));
    let only_multiplied = |place| reads_after(place).all(|used| matches!(used, Use::Multiplied | Use::Factor));
    uses.iter().any(|used| matches!(used, Use::Multiplied | Use::Computed))
        && !uses.contains(&Use::Wide)
        && uses.iter().enumerate().all(|(place, used)| *used != Use::Rows || only_multiplied(place))
}

/// What is read comes before what is written.
fn uses_of(kernel: &Kernel, operand: usize) -> Vec<Use> {
    let access = kernel.operands[operand].access;
    let used = match &kernel.body {
        Body::Contraction(body) => of_contraction(body, operand, access),
        Body::Rows(body) if body.access[operand].inner == Inner::Unit => match access {
            Access::Read if is_factor(body, operand) => Use::Factor,
            Access::Read => Use::Read,
            Access::Write | Access::Update => Use::Rows,
        },
        Body::Rows(_) | Body::Columns(_) | Body::Gather(_) | Body::ScatterAdd(_) | Body::Rope(_) => Use::Wide,
        Body::CacheWrite(_) | Body::Attention(_) | Body::AttentionBackward(_) | Body::CachedAttention(_) => Use::Wide,
    };
    match access {
        Access::Update => vec![Use::Read, used],
        Access::Read | Access::Write => vec![used],
    }
}

fn of_contraction(body: &Contraction, operand: usize, access: Access) -> Use {
    let matrix =
        |operand: u16| operand < 2 || body.access.get(usize::from(operand) - 2) == Some(&ContractionAccess::Matrix);
    let stored = body.stores.iter().find(|(stored, _)| usize::from(*stored) == operand);
    match (operand, stored) {
        (0, _) if body.prologue_a.is_none() => Use::Multiplied,
        (1, _) if body.prologue_b.is_none() => Use::Multiplied,
        (0 | 1, _) => Use::Computed,
        (_, Some((_, register))) if access == Access::Write && is_product(&body.epilogue, *register, &matrix) => {
            Use::Product
        }
        (_, None) if matrix(operand as u16) => Use::Computed,
        _ => Use::Wide,
    }
}

/// Whether nothing is done with an operand but to multiply it.
fn is_factor(body: &RowProgram, operand: usize) -> bool {
    let ops = &body.program.ops;
    let is_loaded = |register: &Register| match ops[usize::from(register.0)] {
        ProgramOp::Load(loaded) => usize::from(loaded) == operand,
        _ => false,
    };
    let uses = |op: &&ProgramOp| op.operands().iter().any(is_loaded);
    let is_copied = body.stores.iter().any(|(_, register)| is_loaded(register));
    !is_copied && ops.iter().filter(uses).all(|op| matches!(op, ProgramOp::Binary(Binary::Multiply, ..)))
}

/// Whether a register is the sum, scaled or computed on, with nothing added that has a number for each place.
fn is_product(program: &kernel::Program, register: Register, matrix: &dyn Fn(u16) -> bool) -> bool {
    let of = |register: &Register| is_product(program, *register, matrix);
    match &program.ops[usize::from(register.0)] {
        ProgramOp::Given => true,
        ProgramOp::Unary(_, x) => of(x),
        ProgramOp::Binary(Binary::Multiply, a, b) => of(a) || of(b),
        ProgramOp::Binary(_, a, b) => (of(a) && !reads(program, *b, matrix)) || (of(b) && !reads(program, *a, matrix)),
        ProgramOp::Load(_) | ProgramOp::Constant(_) | ProgramOp::Size(_) | ProgramOp::Select(..) => false,
        ProgramOp::InnerIndex | ProgramOp::OuterIndex(_) | ProgramOp::Uniform { .. } => false,
        ProgramOp::Reduce(..) | ProgramOp::KthLargest(..) => false,
    }
}

/// Whether a matrix goes into a register.
fn reads(program: &kernel::Program, register: Register, matrix: &dyn Fn(u16) -> bool) -> bool {
    let op = &program.ops[usize::from(register.0)];
    matches!(op, ProgramOp::Load(operand) if matrix(*operand))
        || op.operands().iter().any(|operand| reads(program, *operand, matrix))
}

/// Twice the rows in a chunk whose matrix takes half of the memory: each chunk packs the whole table of a vocabulary, and multiplies the faster the narrower.
fn refill(step: &mut Step, buffers: &[Buffer]) {
    let is_narrow_matrix = |buffer: &BufferId| {
        let buffer = &buffers[buffer.0 as usize];
        buffer.dtype == DType::BF16 && buffer.elements.symbols().contains(&Symbol::CHUNK_ROWS)
    };
    let is_narrowed = step.buffers().iter().any(is_narrow_matrix);
    match step {
        Step::Chunks { chunk, .. } if is_narrowed => *chunk *= 2,
        Step::Chunks { .. } | Step::Launch(_) | Step::RowEpilogue { .. } | Step::Zero(_) => {}
    }
}

fn rewrite(kernels: Vec<Kernel>, mut plan: Plan, narrowed: &BTreeSet<BufferId>) -> (Vec<Kernel>, Plan) {
    let mut program = Program { kernels, plans: Vec::new() };
    let mut narrow = |launch: &mut Launch| {
        let mut kernel = program.kernels[launch.kernel as usize].clone();
        for (argument, operand) in launch.arguments.iter().zip(&mut kernel.operands) {
            if narrowed.contains(&argument.buffer) {
                operand.dtype = DType::BF16;
            }
        }
        launch.kernel = program.kernel(kernel);
    };
    plan.steps.iter_mut().for_each(|step| step.each_launch(&mut narrow));
    narrowed.iter().for_each(|buffer| plan.buffers[buffer.0 as usize].dtype = DType::BF16);
    plan.steps.iter_mut().for_each(|step| refill(step, &plan.buffers));
    let kernels = plan.renumber(&program.kernels);
    (kernels, plan)
}
