//! Whether new tokens can learn: which gradients of new rows are zero whatever the data, now and ever after.

use super::fact::{Fact, Fresh};
use super::growing::{Growing, NewRows};
use super::walk::Walk;
use crate::graph::Graph;
use crate::storage::Storage;

/// What becomes of the new rows of the parameters, by index into `Model::parameters`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Learning {
    /// Their gradient is zero, and stays so when everything else that can has moved.
    pub never: Vec<u32>,
    /// Their gradient equals that of the rows they are copies of: if the optimizer treats both alike, they never part.
    pub as_copies: Vec<u32>,
}

/// Follows the gradients of `graph`, the entry `gradient`, from the state right after the growth.
///
/// What has a gradient that is not zero will be anything; the rest is asked again, until nothing moves any more.
pub fn learning(graph: &Graph, growing: &Growing) -> Learning {
    let mut growing = growing.clone();
    if growing.noise != 0.0 {
        growing.rows.fill(NewRows::Drawn("copies with noise".into()));
    }
    loop {
        let gradients = new_row_gradients(graph, &growing);
        let moving = |(index, fresh): &(u32, Fresh)| match fresh {
            Fresh::Any(_) => !matches!(growing.rows[*index as usize], NewRows::Drawn(_)),
            Fresh::Number(value, _) => *value != 0.0 && !matches!(growing.rows[*index as usize], NewRows::Drawn(_)),
            Fresh::Copies => false,
        };
        let moved: Vec<u32> = gradients.iter().filter(|g| moving(g)).map(|(index, _)| *index).collect();
        if moved.is_empty() {
            let having = |wanted: fn(&Fresh) -> bool| {
                gradients.iter().filter(|(_, fresh)| wanted(fresh)).map(|(index, _)| *index).collect()
            };
            return Learning {
                never: having(|fresh| matches!(fresh, Fresh::Number(0.0, _))),
                as_copies: having(|fresh| matches!(fresh, Fresh::Copies)),
            };
        }
        for index in moved {
            growing.rows[index as usize] = NewRows::Drawn("they learn".into());
        }
    }
}

/// Per parameter that grows, what is known of the gradient of its new rows.
fn new_row_gradients(graph: &Graph, growing: &Growing) -> Vec<(u32, Fresh)> {
    let walk = Walk::new(graph, growing);
    let mut gradients = Vec::new();
    for output in &graph.outputs {
        let Storage::Gradient(index) = output.target else { continue };
        let axes = growing.axes(&graph.ty(output.value).shape);
        if let Some((axis, _)) = axes.first() {
            gradients.push((index, known(walk.fact(output.value), *axis)));
        }
    }
    gradients
}

fn known(fact: &Fact, axis: usize) -> Fresh {
    match (fact.number, fact.fresh_at(axis)) {
        (Some(value), _) => Fresh::Number(value, String::new()),
        (None, Some(fresh)) => fresh.clone(),
        (None, None) => Fresh::Any(String::new()),
    }
}
