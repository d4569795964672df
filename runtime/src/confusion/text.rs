//! Confusion as a table for people and as JSON for programs.

use super::Confusion;
use serde_json::{Value, json};
use std::fmt;

/// Names are cut to so many letters in a matrix.
const WIDEST: usize = 12;
/// How many pairs follow a matrix.
const PAIRS: usize = 5;

impl Confusion {
    pub fn json(&self) -> Value {
        let pairs = self.mistakes().into_iter();
        let pairs = pairs.map(|m| json!({ "truth": m.truth, "prediction": m.prediction, "count": m.count }));
        let most_confused: Vec<Value> = pairs.collect();
        let (total, accuracy) = (self.total(), self.accuracy());
        match self.matrix() {
            Some(matrix) => json!({
                "images": total, "accuracy": accuracy, "classes": self.names, "matrix": matrix,
                "most_confused": most_confused,
            }),
            None => json!({
                "images": total, "accuracy": accuracy, "classes": self.classes(), "most_confused": most_confused,
            }),
        }
    }
}

/// The matrix with the worst pairs below, or the pairs alone.
impl fmt::Display for Confusion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mistakes = self.mistakes();
        let Some(matrix) = self.matrix() else {
            writeln!(f, "most confused of {} classes:", self.classes())?;
            return mistakes
                .iter()
                .try_for_each(|m| writeln!(f, "  {} taken for {}: {}", m.truth, m.prediction, m.count));
        };
        let short = |name: &String| name.chars().take(WIDEST).collect::<String>();
        let names: Vec<String> = self.names.iter().map(short).collect();
        let letters = |text: &String| text.chars().count();
        let digits = matrix.iter().flatten().max().map_or(1, |count| count.to_string().len());
        let first = names.iter().map(letters).max().unwrap_or(0);
        let width = first.max(digits);
        let cells =
            |cells: &mut dyn Iterator<Item = String>| cells.map(|cell| format!(" {cell:>width$}")).collect::<String>();
        writeln!(f, "rows are the truth, columns the answers:")?;
        writeln!(f, "  {:>first$}{}", "", cells(&mut names.iter().cloned()))?;
        for (name, row) in names.iter().zip(&matrix) {
            let counts = row.iter().map(|count| if *count == 0 { ".".into() } else { count.to_string() });
            writeln!(f, "  {name:>first$}{}", cells(&mut counts.into_iter()))?;
        }
        let worst =
            mistakes.iter().take(PAIRS).map(|m| format!("{} taken for {} ({})", m.truth, m.prediction, m.count));
        let worst: Vec<String> = worst.collect();
        if worst.is_empty() { Ok(()) } else { writeln!(f, "most confused: {}", worst.join(", ")) }
    }
}
