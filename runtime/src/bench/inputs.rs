//! Random inputs for any model.

use crate::Result;
use crate::device::{HostTensor, Named};
use crate::random::{Purpose, Stream};
use crate::train::Batches;
use tfc_compiler::model::{InputKind, Model, ModelInput};
use tfc_compiler::size::SizeValues;

/// Inputs drawn anew for each cursor; there is no end to them.
pub struct RandomInputs {
    inputs: Vec<ModelInput>,
    vocabulary: u64,
    /// In a sequence; 1 where there is none.
    positions: u64,
    /// Whether ids are of documents that are kept apart.
    documents: bool,
}

impl RandomInputs {
    pub fn new(model: &Model, sizes: &SizeValues) -> RandomInputs {
        RandomInputs {
            inputs: model.inputs.clone(),
            vocabulary: model.vocabulary(sizes).map_or(1, |vocabulary| vocabulary.size.max(1) as u64),
            positions: model.context.map_or(1, |context| context as u64),
            documents: model.separates_documents() && model.inputs.iter().any(is_of_ids),
        }
    }

    fn draw(&self, input: &ModelInput, cursor: u64, rows: usize) -> HostTensor {
        let stream = Stream::new(0, Purpose::DataOrder, &input.name, cursor);
        let whole = |shape: Vec<usize>, below: u64| {
            let count = shape.iter().product::<usize>() as u64;
            HostTensor::I32 { shape, data: (0..count).map(|i| stream.below(i, below) as i32).collect() }
        };
        let real = |shape: Vec<usize>, bound: f64| {
            let mut data = vec![0.0; shape.iter().product()];
            stream.fill_uniform(0, bound, &mut data);
            HostTensor::F32 { shape, data }
        };
        match &input.kind {
            InputKind::TokenIds { context } => whole(vec![rows, *context as usize + 1], self.vocabulary),
            InputKind::Class { classes } => whole(vec![rows], *classes as u64),
            InputKind::Image { channels, height, width } => {
                real([rows as i64, *channels, *height, *width].map(|n| n as usize).to_vec(), 1.0)
            }
            InputKind::Tensor { shape } => {
                real([rows].into_iter().chain(shape.iter().map(|n| *n as usize)).collect(), 1.0)
            }
        }
    }

    /// As [`crate::source`] offers them: where in its document each id stands. Four documents fit a sequence, on average.
    fn document_positions(&self, cursor: u64, rows: usize) -> Named {
        let stream = Stream::new(0, Purpose::DataOrder, POSITIONS, cursor);
        let length = self.positions as usize + 1;
        let mut data = vec![0; rows * length];
        for place in 0..data.len() {
            let begins = place % length == 0 || stream.below(place as u64, self.positions.div_ceil(4)) == 0;
            data[place] = if begins { 0 } else { data[place - 1] + 1 };
        }
        (POSITIONS.to_string(), HostTensor::I32 { shape: vec![rows, length], data })
    }
}

fn is_of_ids(input: &ModelInput) -> bool {
    matches!(input.kind, InputKind::TokenIds { .. })
}

/// What entries call the places of ids in their documents.
const POSITIONS: &str = "positions";

impl Batches for RandomInputs {
    fn per_epoch(&self) -> u64 {
        u64::MAX
    }

    fn hash(&self) -> u64 {
        0
    }

    fn inputs(&self, cursor: u64, rows: u64) -> Result<Vec<Named>> {
        let draw = |input: &ModelInput| (input.name.clone(), self.draw(input, cursor, rows as usize));
        let positions = self.documents.then(|| self.document_positions(cursor, rows as usize));
        Ok(self.inputs.iter().map(draw).chain(positions).collect())
    }

    fn targets(&self, _: u64, rows: u64) -> Result<u64> {
        Ok(rows * self.positions)
    }
}
