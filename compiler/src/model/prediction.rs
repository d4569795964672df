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
        let mut names: Vec<&str> = Vec::new();
        for name in self.predictions().iter().filter_map(|prediction| self.name_of(prediction.logits)) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        if names.is_empty() {
            names.extend(self.loss.and_then(|loss| self.name_of(loss)));
        }
        names.into_iter().map(String::from).collect()
    }

    /// The name of the logits that the loss compares first.
    pub fn logits(&self) -> Option<&str> {
        self.name_of(self.predictions().first()?.logits)
    }
}

#[cfg(test)]
mod tests {
    use crate::check::tests::model;
    use crate::lower::can_decode;

    fn named(bindings: &str) -> (Vec<String>, Option<String>) {
        let text = format!(
            "model m {{
               forward(ids: token_ids[8]) {{
                 e = embed(ids, 256, 16)
                 early = unembed(layernorm(e), 256)
                 logits = unembed(linear(e, 16), tied = e)
               }}
               {bindings}
             }}"
        );
        let model = model(&text);
        let decoded = can_decode(&model).ok().and_then(|logits| model.program.name_of(logits));
        (model.program.answers(), decoded.map(String::from))
    }

    fn both(answers: &[&str], decoded: &str) -> (Vec<String>, Option<String>) {
        (answers.iter().map(|name| name.to_string()).collect(), Some(decoded.to_string()))
    }

    #[test]
    fn metrics_predict_nothing_wherever_they_stand() {
        let [metric, loss] =
            ["early_loss = cross_entropy(early, next(ids))", "loss = cross_entropy(logits, next(ids))"];
        for bindings in [format!("{metric}\n{loss}"), format!("{loss}\n{metric}")] {
            assert_eq!(named(&bindings), both(&["logits"], "logits"));
        }
    }

    #[test]
    fn of_several_the_first_that_the_loss_names_generates() {
        let loss = "loss = cross_entropy(logits, next(ids)) + 0.1 * cross_entropy(early, next(ids))";
        assert_eq!(named(loss), both(&["logits", "early"], "logits"));
        // Not the first that is computed.
        let apart = "a = cross_entropy(early, next(ids))
                     loss = cross_entropy(logits, next(ids)) + 0.1 * a";
        assert_eq!(named(apart), both(&["logits", "early"], "logits"));
    }

    #[test]
    fn logits_that_are_compared_twice_are_told_once() {
        let loss = "loss = cross_entropy(logits, next(ids)) + 0.1 * cross_entropy(logits, ids)";
        assert_eq!(named(loss), both(&["logits"], "logits"));
    }

    #[test]
    fn without_logits_the_loss_tells_of_the_function() {
        assert_eq!(named("loss = mean(logits * logits)"), (vec!["loss".to_string()], None));
    }
}
