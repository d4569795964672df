//! What the loss compares with what. A metric may do the same with other logits: those are not what the model is for.

use super::{Primitive, Program, ValueId};

/// Logits, and the ids that they should be likeliest at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prediction {
    pub logits: ValueId,
    pub labels: ValueId,
}

impl Program {
    /// The cross-entropies that the loss is computed from, in the order in which its expression names them.
    pub fn predictions(&self) -> Vec<Prediction> {
        let mut predictions = Vec::new();
        let mut seen = vec![false; self.values.len()];
        let mut next: Vec<ValueId> = self.loss.into_iter().collect();
        while let Some(id) = next.pop() {
            let value = &self.values[id.0 as usize];
            if std::mem::replace(&mut seen[id.0 as usize], true) {
                continue;
            }
            match (&value.primitive, value.operands.as_slice()) {
                (Primitive::CrossEntropy, &[logits, labels, ..]) => predictions.push(Prediction { logits, labels }),
                (_, operands) => next.extend(operands.iter().rev()),
            }
        }
        predictions
    }

    /// Under which [`Program::names`] a value is handed back.
    pub fn name_of(&self, value: ValueId) -> Option<&str> {
        self.names.iter().find(|(_, named)| *named == value).map(|(name, _)| name.as_str())
    }

    /// The names of what the function is told by: all logits that the loss compares, or where none of them has a name, the loss.
    pub fn answers(&self) -> Vec<String> {
        let predictions = self.predictions();
        let logits: Vec<&str> = predictions.iter().filter_map(|prediction| self.name_of(prediction.logits)).collect();
        let loss = self.loss.and_then(|loss| self.name_of(loss));
        let told: Vec<&str> = if logits.is_empty() { loss.into_iter().collect() } else { logits };
        told.into_iter().map(String::from).collect()
    }

    /// The name of the logits that the loss compares first.
    pub fn logits(&self) -> Option<&str> {
        self.name_of(self.predictions().first()?.logits)
    }
}
