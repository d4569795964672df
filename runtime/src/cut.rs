//! A model that was trained with nested dropout, cut to the first part of its tokens.
//!
//! What `mask = first(…)` hides at random in training are the last tokens of an axis; so the first ones are a model of their own. The
//! cut model computes what the whole one computes with the others masked.

use crate::checkpoint::{self, RunFolder, State};
use crate::device::shape_at;
use crate::rows::{Layout, Segment};
use crate::storage::{self, TensorFile, as_bytes};
use crate::{Failure, Result};
use std::borrow::Cow;
use std::path::{Path, PathBuf};
use tfc_compiler::model::{Impossible, Model, Parameter};
use tfc_compiler::size::SizeValues;

/// Writes `checkpoint`, of this model, cut to the first `fraction` of the tokens that nested dropout masks (rounded up, as the mask is), as the first
/// checkpoint of a run. It has no moments.
///
/// # Errors
/// Nothing is masked so, `top_k` chooses more than would be left, or the checkpoint is broken.
pub fn cut(checkpoint: &Path, model: &Model, fraction: f64, into: &RunFolder) -> Result<PathBuf> {
    let mut state = State::read(&checkpoint.join("state.json"))?.begun_anew();
    let before = checkpoint::sizes_of(checkpoint, model, &state, 1)?;
    let axes = model.nested_axes();
    if axes.is_empty() {
        let why = "no tokens of the model were trained to be cut; mask some: `mask = first(uniform(25%, 100%))`";
        return Err(Failure::mistake(why));
    }
    for axis in &axes {
        let path = &model.token_axes[*axis].path;
        if let Some(tokens) = state.tokens.get_mut(path) {
            // In the numbers of the mask that it stands for.
            *tokens = ((*tokens as f32 * fraction as f32).ceil() as i64).max(1);
        }
    }
    let sizes = state.sizes(model, 1)?;
    if let Some(Impossible { k, row, .. }) = model.impossible_choices(&sizes).first() {
        return Err(Failure::mistake(format!(
            "`top_k` chooses {k}, but {row} tokens would be left: keep more of them"
        )));
    }
    for (lineage, parameter) in state.rows.iter_mut().zip(&model.parameters) {
        let kept = crate::rows::rows(parameter, &sizes);
        for (axis, kept) in kept.into_iter().enumerate() {
            lineage.replace(axis, first_of(&lineage.axes[axis], kept));
        }
    }
    let file = TensorFile::open(&checkpoint::weights(checkpoint))?;
    let tokenizer = checkpoint.join("tokenizer.json");
    let tokenizer = if tokenizer.exists() { Some(storage::read_text(&tokenizer)?) } else { None };
    into.begin(model, &sizes, &state, tokenizer.as_deref(), |i| {
        let parameter = &model.parameters[i];
        Ok(as_bytes(Cow::Owned(first_rows(parameter, &file, [&before, &sizes])?)))
    })
}

/// Of the segments of an axis those that begin among its first `kept` rows, and no more rows than these.
fn first_of(segments: &[Segment], kept: u64) -> Vec<(Segment, Option<usize>)> {
    let mut left = kept;
    let first = |(from, segment): (usize, &Segment)| {
        let rows = segment.rows.min(left);
        left -= rows;
        (rows > 0).then_some((Segment { rows, ..*segment }, Some(from)))
    };
    segments.iter().enumerate().filter_map(first).collect()
}

/// A parameter's values with fewer rows along each axis that was cut.
fn first_rows(parameter: &Parameter, file: &TensorFile, [before, after]: [&SizeValues; 2]) -> Result<Vec<f32>> {
    let mut shape = shape_at(&parameter.shape, before);
    let mut values = file.values::<f32>(&parameter.path)?.into_owned();
    for (axis, kept) in shape_at(&parameter.shape, after).into_iter().enumerate() {
        if kept == shape[axis] {
            continue;
        }
        let layout = Layout::new(&shape, axis);
        values = values
            .chunks(layout.rows * layout.inner)
            .flat_map(|outer| &outer[..kept * layout.inner])
            .copied()
            .collect();
        shape[axis] = kept;
    }
    Ok(values)
}
