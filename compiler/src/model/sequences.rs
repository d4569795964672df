//! Whether a number is a mean over the sequences of a batch. Of such a loss, the mean of the parts' is the batch's, and so are the gradients, however a batch
//! is cut into micro-batches; of any other they are not.

use super::apart::axis_of;
use super::{Application, Model, Primitive, Program};
use crate::scalar::{Binary, Unary};
use crate::size::Symbol;

/// What becomes of a value if a batch is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Over {
    /// The same in each part: it follows from no sequence.
    Nothing,
    /// Each sequence has its own, along an axis of them, in whatever part it is.
    EachSequence,
    /// That of the batch is the mean of the parts', by how many sequences they have.
    Mean,
    /// Anything else.
    Mixed,
}

impl Model {
    /// Whether the loss and every metric are means over sequences, so that a batch may be cut.
    pub fn batches_can_be_cut(&self) -> bool {
        let over = self.program.over_sequences();
        let metrics = self.program.metrics.iter().map(|(_, value)| value);
        self.program.loss.iter().chain(metrics).all(|value| {
            // A number has no axis of sequences.
            matches!(over[value.0 as usize], Over::Nothing | Over::Mean)
        })
    }
}

impl Program {
    /// Of each value.
    fn over_sequences(&self) -> Vec<Over> {
        let mut over: Vec<Over> = Vec::new();
        for application in &self.values {
            let operands: Vec<Over> = application.operands.iter().map(|id| over[id.0 as usize]).collect();
            let made = self.made_of(application, &operands);
            let has_axis = matches!(axis_of(&application.ty.shape, Symbol::BATCH), Ok(Some(_)));
            over.push(if made == Over::EachSequence && !has_axis { Over::Mixed } else { made });
        }
        over
    }

    fn made_of(&self, application: &Application, operands: &[Over]) -> Over {
        let has_sequences = |i: usize| axis_of(self.operand_shape(application, i), Symbol::BATCH);
        let result = axis_of(&application.ty.shape, Symbol::BATCH);
        match &application.primitive {
            Primitive::Input(_) | Primitive::Next(_) => Over::EachSequence,
            _ if !operands.is_empty() && result == Ok(None) && together(operands) == Over::Nothing => Over::Nothing,
            Primitive::Mean { axes } if operands[0] == Over::EachSequence && result == Ok(None) => {
                let is_over_them = has_sequences(0).is_ok_and(|axis| axis.is_some_and(|axis| axes.contains(&axis)));
                if is_over_them { Over::Mean } else { Over::Mixed }
            }
            // A label for each row of logits, and so for each sequence.
            Primitive::CrossEntropy | Primitive::Accuracy => {
                let is_over_them = together(operands) == Over::EachSequence && matches!(has_sequences(1), Ok(Some(_)));
                if is_over_them { Over::Mean } else { Over::Mixed }
            }
            _ if !self.is_apart(application, Symbol::BATCH) => Over::Mixed,
            Primitive::Expand | Primitive::Positions if result != Ok(None) => match operands {
                [Over::Nothing | Over::EachSequence] => Over::EachSequence,
                _ => Over::Mixed,
            },
            primitive if is_linear(primitive, operands) => together(operands),
            _ if operands.contains(&Over::Mean) => Over::Mixed,
            _ => together(operands),
        }
    }
}

/// Whether the result for a mean of operands is the mean of the results.
fn is_linear(primitive: &Primitive, operands: &[Over]) -> bool {
    let is_fixed = |i: usize| operands[i] == Over::Nothing;
    match primitive {
        Primitive::Unary(Unary::Negate)
        | Primitive::Binary(Binary::Add | Binary::Subtract)
        | Primitive::Sum { .. }
        | Primitive::Mean { .. }
        | Primitive::Concat { .. }
        | Primitive::Slice { .. }
        | Primitive::Reshape
        | Primitive::Transpose { .. }
        | Primitive::Expand => true,
        Primitive::Binary(Binary::Multiply) | Primitive::MatMul { .. } => is_fixed(0) || is_fixed(1),
        Primitive::Binary(Binary::Divide) => is_fixed(1),
        _ => false,
    }
}

/// What is made of each sequence's numbers and what is the same for all is of each; of a mean and what is the same, a mean.
fn together(operands: &[Over]) -> Over {
    let has = |over| operands.contains(&over);
    match (has(Over::Mixed), has(Over::Mean), has(Over::EachSequence)) {
        (true, ..) | (_, true, true) => Over::Mixed,
        (_, true, false) => Over::Mean,
        (_, false, true) => Over::EachSequence,
        (_, false, false) => Over::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use crate::check::tests::model;

    /// With labels for each position, and a layer's statistics.
    fn can_be_cut(loss: &str) -> bool {
        let text = format!(
            "model m {{
               let width = 8
               forward(ids: token_ids[4]) {{
                 e = embed(ids, 31, width)
                 q = split_heads(e, 2)
                 h = e + merge_heads(attention(q, q, q, causal))
                 logits = unembed(layernorm(h, affine), tied = e)
               }}
               {loss}
             }}"
        );
        model(&text).batches_can_be_cut()
    }

    #[test]
    fn means_can_be_cut() {
        for loss in [
            "loss = cross_entropy(logits, next(ids))",
            "loss = cross_entropy(logits, next(ids)) + 0.1 * mean(h * h) / 3 - 2",
            "loss = cross_entropy(logits, next(ids)) + sum(e.weight * e.weight) * 0.01",
            "loss = mean(mean(sqrt(mean(h * h, axis = 2)), axis = 1))",
            "loss = cross_entropy(logits, next(ids))\n  hits = accuracy(logits, next(ids))",
            "loss = -mean(softmax(logits))",
        ] {
            assert!(can_be_cut(loss), "{loss}");
        }
    }

    #[test]
    fn what_sequences_make_together_cannot() {
        for loss in [
            "loss = cross_entropy(logits, next(ids)) + sum(h * h)",
            "loss = sqrt(mean(h * h))",
            "loss = mean(h) * mean(logits)",
            "loss = 1 / mean(h)",
            "loss = mean(h - mean(h))",
            "loss = mean(h[0..1, .., ..])",
            "loss = mean(softmax(transpose(mean(h, axis = 1))))",
            "loss = cross_entropy(logits, next(ids))\n  spread = sqrt(mean(h * h))",
        ] {
            assert!(!can_be_cut(loss), "{loss}");
        }
    }
}
