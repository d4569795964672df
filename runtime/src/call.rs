//! Calls of a session's entries with one micro-batch.

use crate::device::{HostTensor, Named, Session, shape_at};
use crate::{Failure, Kind, Result};
use tfc_compiler::compiled::Compiled;
use tfc_compiler::graph::Graph;
use tfc_compiler::size::Symbol;

/// The graph of an entry that the model was compiled with.
pub fn graph<'a>(compiled: &'a Compiled, entry: &str) -> Result<&'a Graph> {
    let missing = || Failure::mistake(format!("model `{}` was compiled without `{entry}`", compiled.model.name));
    compiled.graph(entry).ok_or_else(missing)
}

/// Of `offered`, what the entry takes at `rows` sequences: inputs it does not name are left out, and so is the last id of each
/// sequence where it needs no `next(ids)`.
pub fn inputs(graph: &Graph, session: &dyn Session, rows: u64, offered: Vec<Named>) -> Result<Vec<Named>> {
    let sizes = session.sizes().clone().with(Symbol::BATCH, rows as i64);
    let mut taken = Vec::new();
    for (name, tensor) in offered {
        let Some(input) = graph.inputs.iter().find(|input| input.name == name) else { continue };
        let wanted = shape_at(&input.ty.shape, &sizes);
        taken.push((name.clone(), fit(&name, tensor, &wanted)?));
    }
    match graph.inputs.iter().find(|input| taken.iter().all(|(name, _)| *name != input.name)) {
        None => Ok(taken),
        Some(input) => {
            Err(Failure::mistake(format!("the model takes `{}`, but the data has no such input", input.name)))
        }
    }
}

/// The tensor in the shape that is wanted.
fn fit(name: &str, tensor: HostTensor, wanted: &[usize]) -> Result<HostTensor> {
    if tensor.shape() == wanted {
        return Ok(tensor);
    }
    let given = tensor.shape().to_vec();
    match (tensor, &given[..], wanted) {
        (HostTensor::I32 { data, .. }, [.., length], [.., shorter])
            if given.len() == wanted.len()
                && given[..given.len() - 1] == wanted[..wanted.len() - 1]
                && *length == shorter + 1 =>
        {
            let data = data.chunks(*length).flat_map(|row| &row[..*shorter]).copied().collect();
            Ok(HostTensor::I32 { shape: wanted.to_vec(), data })
        }
        _ => Err(Failure::mistake(format!("the data has `{name}` of shape {given:?}, but the model takes {wanted:?}"))),
    }
}

/// The number in the scalar output `name`.
pub fn scalar(outputs: &[Named], name: &str) -> Result<f64> {
    let number = outputs.iter().find(|(n, _)| n == name).and_then(|(_, tensor)| tensor.to_f64().first().copied());
    number
        .ok_or_else(|| Failure::new(Kind::Machine, format!("the device handed back no `{name}`; this is a bug in tfc")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{self, FakeSession};
    use tfc_compiler::graph::{Builder, Type};
    use tfc_compiler::size::Size;

    /// A graph of two ids a sequence, offered tensors of these shapes.
    fn taken(wanted: usize, offered: &[(&str, [usize; 2])]) -> Result<Vec<Named>> {
        let compiled = fake::compiled(vec![fake::stage("a", 2, fake::steps(1))], false);
        let session = FakeSession::new(&compiled);
        let mut builder = Builder::new("evaluate", compiled.model.symbols.clone());
        builder.input("ids", Type::i32(vec![Size::symbol(Symbol::BATCH), (wanted as i64).into()]));
        let tensor = |shape: &[usize; 2]| HostTensor::I32 {
            shape: shape.to_vec(),
            data: (0..shape[0] * shape[1]).map(|i| i as i32).collect(),
        };
        let offered = offered.iter().map(|(name, shape)| (name.to_string(), tensor(shape))).collect();
        inputs(&builder.finish(), &session, 2, offered)
    }

    #[test]
    fn an_entry_gets_what_it_names_and_no_id_too_many() {
        let all = taken(3, &[("labels", [2, 1]), ("ids", [2, 3])]).unwrap();
        let data = (0..6).collect();
        assert_eq!(all, [("ids".to_string(), HostTensor::I32 { shape: vec![2, 3], data })]);
        let shorter = taken(2, &[("ids", [2, 3])]).unwrap();
        let data = vec![0, 1, 3, 4];
        assert_eq!(shorter, [("ids".to_string(), HostTensor::I32 { shape: vec![2, 2], data })]);
    }

    #[test]
    fn data_that_does_not_fit_is_said() {
        let message = |wanted, offered: &[(&str, [usize; 2])]| taken(wanted, offered).unwrap_err().message;
        assert_eq!(message(2, &[("labels", [2, 2])]), "the model takes `ids`, but the data has no such input");
        let shape = "the data has `ids` of shape [2, 5], but the model takes [2, 2]";
        assert_eq!(message(2, &[("ids", [2, 5])]), shape);
    }
}
