//! Which values of a pickle are tensors, and which part of which storage each of them is.

use super::pickle::{Id, Pickle, Value};
use crate::storage::Dtype;
use std::collections::BTreeMap;

/// A tensor that lies in a storage row by row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// The storage's name; the archive's member is `data/NAME`.
    pub storage: String,
    pub dtype: Dtype,
    pub shape: Vec<usize>,
    /// In elements.
    pub offset: usize,
    pub elements: usize,
}

/// The tensors of the outermost dictionary, by their keys; where that has a dictionary under the key `module`, as DeepSpeed's files
/// do, of that one.
///
/// # Errors
/// What completes the sentence "`path` …".
pub fn views(pickle: &Pickle) -> Result<BTreeMap<String, View>, String> {
    let none = || "holds no dictionary of tensors; a `state_dict()` is one".to_string();
    let outer = pickle.entries(pickle.root()).ok_or_else(none)?;
    let module = outer.iter().rev().find(|(key, _)| pickle.text(*key) == Some("module"));
    let entries = module.and_then(|(_, value)| pickle.entries(*value)).unwrap_or(outer);
    let mut views = BTreeMap::new();
    for (key, value) in entries {
        if let (Some(name), Some(arguments)) = (pickle.text(*key), tensor(pickle, *value)) {
            let view = view(pickle, arguments).map_err(|what| format!("says of `{name}` {what}"))?;
            views.insert(name.to_string(), view);
        }
    }
    if views.is_empty() { Err(none()) } else { Ok(views) }
}

/// What `_rebuild_tensor_v2` would be called with to make this value.
fn tensor<'p>(pickle: &'p Pickle, value: Id) -> Option<&'p [Id]> {
    let data = match pickle.call_of(value, "torch._utils", "_rebuild_parameter") {
        Some([data, ..]) => *data,
        _ => value,
    };
    pickle.call_of(data, "torch._utils", "_rebuild_tensor_v2")
}

/// From (storage, offset, size, stride, …).
fn view(pickle: &Pickle, arguments: &[Id]) -> Result<View, String> {
    let unknown = || "what this tfc does not know: it was saved by another PyTorch than 1.6 to 2".to_string();
    let [storage, offset, size, stride, ..] = arguments else { return Err(unknown()) };
    let numbers = |id: Id| -> Option<Vec<usize>> {
        let numbers = pickle.sequence(id)?.iter().map(|number| pickle.count(*number));
        numbers.collect()
    };
    let (offset, shape, strides) = (pickle.count(*offset), numbers(*size), numbers(*stride));
    let (Some(offset), Some(shape), Some(strides)) = (offset, shape, strides) else { return Err(unknown()) };
    // ("storage", its class, its name, the device it was on, its elements)
    let Value::Persistent(storage) = pickle.value(*storage) else { return Err(unknown()) };
    let Some([_, class, name, _, length]) = pickle.sequence(*storage) else { return Err(unknown()) };
    let (Value::Name { name: class, .. }, Some(name), Some(length)) =
        (pickle.value(*class), pickle.text(*name), pickle.count(*length))
    else {
        return Err(unknown());
    };
    let dtype = dtype(class).ok_or_else(|| format!("that it is a `{class}`, which holds no numbers tfc knows"))?;
    let elements = shape.iter().try_fold(1usize, |product, n| product.checked_mul(*n));
    let within = |elements: &usize| offset.checked_add(*elements).is_some_and(|end| end <= length);
    let elements = elements.filter(within).ok_or("that it lies outside of its storage; copy the file again")?;
    if !is_contiguous(&shape, &strides) {
        return Err("that it does not lie row by row; save it as `tensor.contiguous()`".into());
    }
    Ok(View { storage: name.to_string(), dtype, shape, offset, elements })
}

fn dtype(class: &str) -> Option<Dtype> {
    Some(match class {
        "FloatStorage" => Dtype::F32,
        "HalfStorage" => Dtype::F16,
        "BFloat16Storage" => Dtype::BF16,
        "DoubleStorage" => Dtype::F64,
        "LongStorage" => Dtype::I64,
        "IntStorage" => Dtype::I32,
        "ShortStorage" => Dtype::I16,
        "CharStorage" => Dtype::I8,
        "ByteStorage" => Dtype::U8,
        "BoolStorage" => Dtype::BOOL,
        _ => return None,
    })
}

/// The stride of an axis of size 1 says nothing.
fn is_contiguous(shape: &[usize], strides: &[usize]) -> bool {
    let mut expected = 1;
    shape.len() == strides.len()
        && shape.iter().zip(strides).rev().all(|(n, stride)| {
            let fits = *n == 1 || *stride == expected;
            expected *= n;
            fits
        })
}
