//! Where the trainer gets its sequences from.

use crate::Result;
use crate::device::Named;

/// Sequences (or images) that any batch can be taken from by its cursor, the number of sequences drawn before it.
pub trait Batches {
    /// Sequences in an epoch.
    fn per_epoch(&self) -> u64;

    /// Equal for the same sequences.
    fn hash(&self) -> u64;

    /// The model's inputs for the `rows` sequences from `cursor` on.
    fn inputs(&self, cursor: u64, rows: u64) -> Result<Vec<Named>>;

    /// How many targets they have: a mean over a batch is a mean over targets.
    fn targets(&self, cursor: u64, rows: u64) -> Result<u64>;

    /// What the classes are called, where the data says so; else they have numbers.
    fn class_names(&self) -> &[String] {
        &[]
    }
}

/// The data of one stage.
pub struct StageData {
    pub train: Box<dyn Batches>,
    /// By name; conditions look at the first.
    pub validate: Vec<(String, Box<dyn Batches>)>,
    /// The `tokenizer.json` that checkpoints keep.
    pub tokenizer: Option<String>,
}

impl StageData {
    /// What a change of the model is measured on.
    pub fn probe(&self) -> &dyn Batches {
        self.validate.first().map_or(&*self.train, |(_, batches)| &**batches)
    }
}
