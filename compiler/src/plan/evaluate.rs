//! Runs a plan by the definition of its kernels: what tests hold against the interpreter, and what `--emit plan` can be trusted by.
//!
//! Memory is laid out as on a device and holds NaN wherever nothing was written, so a buffer that is read too early or overwritten too soon shows.

use super::{BufferId, Launch, Place, Plan, Program, Spot, Step, Table, chunks, layout};
use crate::graph::DType;
use crate::interpret::{Data, Memory, Tensor};
use crate::kernel;
use crate::rotary;
use crate::size::{Size, SizeValues};
use crate::storage::Storage;

/// Bytes of the smallest number, of which each has a cell; a wider one has the first of its cells.
const CELL: u64 = 2;

/// Of a product and the row program behind it.
const ROWS_AT_ONCE: i64 = 3;

/// Runs the plan of one entry. Storages that are written but not in memory begin as zero.
pub fn evaluate(program: &Program, plan: &Plan, sizes: &SizeValues, memory: &mut Memory) {
    let layout = layout(plan, sizes);
    let mut run = Run {
        program,
        cells: vec![f64::NAN; (layout.arena_bytes / CELL) as usize],
        starts: vec![0; plan.buffers.len()],
        lengths: plan.buffers.iter().map(|buffer| buffer.elements.eval(sizes) as usize).collect(),
    };
    for (buffer, storage) in storages(plan) {
        run.starts[buffer] = run.cells.len();
        let lends = plan.lenders.iter().any(|lender| lender.buffer.0 as usize == buffer);
        let cells = match lends {
            true => vec![f64::NAN; run.lengths[buffer]],
            false => stored(plan, storage, sizes, memory, run.lengths[buffer]),
        };
        run.cells.extend(cells);
        // What it lends is as many bytes as its own numbers have.
        let bytes = run.lengths[buffer] * plan.buffers[buffer].dtype.bytes();
        run.cells.resize(run.starts[buffer] + bytes.div_ceil(CELL as usize), f64::NAN);
    }
    for (buffer, spot) in layout.spots.iter().enumerate() {
        if let Some(Spot { lender, offset }) = spot {
            let region = lender.map_or(0, |lender| run.starts[lender.0 as usize]);
            run.starts[buffer] = region + (offset / CELL) as usize;
        }
    }
    plan.steps.iter().for_each(|step| run.step(step, sizes));
    for (buffer, storage) in storages(plan) {
        let cells = &run.cells[run.starts[buffer]..][..run.lengths[buffer]];
        hand_back(plan, storage, sizes, memory, cells, plan.buffers[buffer].dtype);
    }
}

fn storages(plan: &Plan) -> Vec<(usize, Storage)> {
    let storage = |(i, buffer): (usize, &super::Buffer)| match buffer.place {
        Place::Storage(storage) => Some((i, storage)),
        Place::Arena { .. } => None,
    };
    plan.buffers.iter().enumerate().filter_map(storage).collect()
}

fn stored(plan: &Plan, storage: Storage, sizes: &SizeValues, memory: &Memory, length: usize) -> Vec<f64> {
    if let Storage::Table(index) = storage {
        return table(&plan.tables[index as usize], sizes);
    }
    match memory.read(storage).map(|tensor| tensor.into_owned().data) {
        Some(Data::F32(data)) => data,
        Some(Data::I32(data)) => data.iter().map(|x| f64::from(*x)).collect(),
        None => vec![0.0; length],
    }
}

fn table(table: &Table, sizes: &SizeValues) -> Vec<f64> {
    let all = |positions: &Size, channels: u32, value: &dyn Fn(i64, usize) -> f32| {
        let pairs = channels as usize / 2;
        let places = (0..positions.eval(sizes)).flat_map(|position| (0..pairs).map(move |pair| (position, pair)));
        places.map(|(position, pair)| f64::from(value(position, pair))).collect()
    };
    match table {
        Table::Cosine { positions, channels, base } => {
            all(positions, *channels, &|position, pair| rotary::cosine(position, pair, *channels as usize, *base))
        }
        Table::Sine { positions, channels, base } => {
            all(positions, *channels, &|position, pair| rotary::sine(position, pair, *channels as usize, *base))
        }
    }
}

fn hand_back(plan: &Plan, storage: Storage, sizes: &SizeValues, memory: &mut Memory, cells: &[f64], dtype: DType) {
    let shape = match (storage, memory.find(storage)) {
        (Storage::Table(_) | Storage::Weight(..), _) => return,
        (Storage::Output(index), _) => {
            plan.outputs[index as usize].shape.iter().map(|size| size.eval(sizes) as usize).collect()
        }
        (_, Some(tensor)) => tensor.shape.clone(),
        (_, None) => vec![cells.len()],
    };
    let tensor = match dtype {
        DType::F32 | DType::BF16 => Tensor::f32(shape, cells.to_vec()),
        DType::I32 => Tensor::i32(shape, cells.iter().map(|x| *x as i32).collect()),
    };
    memory.set(storage, tensor);
}

struct Run<'a> {
    program: &'a Program,
    /// The arena, then the storages.
    cells: Vec<f64>,
    /// Of each buffer.
    starts: Vec<usize>,
    lengths: Vec<usize>,
}

impl Run<'_> {
    fn step(&mut self, step: &Step, sizes: &SizeValues) {
        match step {
            Step::Launch(launch) => self.launch(launch, sizes),
            Step::RowEpilogue { product, rows } => self.row_epilogue(product, rows, sizes),
            Step::Zero(BufferId(buffer)) => {
                let start = self.starts[*buffer as usize];
                self.cells[start..][..self.lengths[*buffer as usize]].fill(0.0);
            }
            Step::Chunks { rows, chunk, body } => {
                chunks(sizes, rows, *chunk).for_each(|sizes| body.iter().for_each(|step| self.step(step, &sizes)));
            }
        }
    }

    fn launch(&mut self, launch: &Launch, sizes: &SizeValues) {
        let (numbers, at) = self.bound(launch, sizes);
        kernel::evaluate(&self.program.kernels[launch.kernel as usize], &numbers, &mut self.cells, &at);
    }

    /// A few rows of both at a time, the last first: no device divides them less kindly.
    fn row_epilogue(&mut self, product: &Launch, rows: &Launch, sizes: &SizeValues) {
        let bound = [product, rows].map(|launch| (launch.kernel as usize, self.bound(launch, sizes)));
        let count = rows.sizes[0].eval(sizes);
        for part in (0..(count + ROWS_AT_ONCE - 1) / ROWS_AT_ONCE).rev() {
            let [start, end] = [part, part + 1].map(|part| part * ROWS_AT_ONCE);
            for (kernel, (numbers, at)) in &bound {
                kernel::evaluate_rows(&self.program.kernels[*kernel], numbers, start..end, &mut self.cells, at);
            }
        }
    }

    /// The sizes of a launch, and where its operands are.
    fn bound(&self, launch: &Launch, sizes: &SizeValues) -> (Vec<i64>, Vec<usize>) {
        let numbers = launch.sizes.iter().map(|size| size.eval(sizes)).collect();
        let place =
            |argument: &super::Argument| self.starts[argument.buffer.0 as usize] + argument.offset.eval(sizes) as usize;
        (numbers, launch.arguments.iter().map(place).collect())
    }
}
