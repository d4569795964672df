//! Shrinking by importance: an axis that loses tokens keeps the ones that weigh most.
//!
//! A token weighs what it can add to its layers' outputs: the sum over the layers that use the axis of the product of the norms
//! of its rows (‖key‖ · ‖value‖ in a Pattention). All parameters of an axis keep the same tokens, in the order they had.

use crate::Result;
use crate::checkpoint::State;
use crate::device::{HostTensor, Session, shape_at};
use crate::rows::{Layout, Segment};
use std::collections::BTreeMap;
use tfc_compiler::model::{Model, Parameter};
use tfc_compiler::size::SizeValues;
use tfc_compiler::storage::Storage;

/// Moves the rows that stay to the front, wherever `after` has fewer than there are, and takes the others out of the segments.
///
/// # Errors
/// The device gave up.
pub fn shrink(model: &Model, session: &mut dyn Session, state: &mut State, after: &SizeValues) -> Result<()> {
    for (axis, token_axis) in model.token_axes.iter().enumerate() {
        let [now, then] = [session.sizes(), after].map(|sizes| sizes.get(token_axis.symbol).max(0) as usize);
        if then < now {
            let kept = most_important(&importance(model, session, axis, now)?, then);
            keep(model, session, state, axis, &kept)?;
        }
    }
    Ok(())
}

/// The weight of each token of an axis.
fn importance(model: &Model, session: &dyn Session, axis: usize, tokens: usize) -> Result<Vec<f64>> {
    // By layer instance, the product of the norms so far.
    let mut layers: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for (i, _, layout) in parameters(model, session, axis) {
        let path = &model.parameters[i].path;
        let layer = path.rsplit_once('.').map_or("", |(layer, _)| layer);
        let numbers = session.read(Storage::Parameter(i as u32))?.to_f64();
        let products = layers.entry(layer).or_insert_with(|| vec![1.0; tokens]);
        for (row, product) in products.iter_mut().enumerate() {
            *product *= layout.pieces(row).flatten().map(|place| numbers[place].powi(2)).sum::<f64>().sqrt();
        }
    }
    let mut sums = vec![0.0; tokens];
    for products in layers.values() {
        sums.iter_mut().zip(products).for_each(|(sum, product)| *sum += product);
    }
    Ok(sums)
}

/// The `count` largest, in ascending order of their index; of equals the first.
fn most_important(weights: &[f64], count: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..weights.len()).collect();
    order.sort_by(|a, b| weights[*b].total_cmp(&weights[*a]).then(a.cmp(b)));
    order.truncate(count);
    order.sort_unstable();
    order
}

fn keep(model: &Model, session: &mut dyn Session, state: &mut State, axis: usize, kept: &[usize]) -> Result<()> {
    for (i, which, layout) in parameters(model, session, axis) {
        for storage in [Storage::Parameter, Storage::FirstMoment, Storage::SecondMoment].map(|of| of(i as u32)) {
            let mut numbers = session.read(storage)?.to_f64();
            for (to, from) in kept.iter().enumerate() {
                layout.copy(&mut numbers, *from, to);
            }
            let shape = shape_at(&model.parameters[i].shape, session.sizes());
            session.write(storage, &HostTensor::F64 { shape, data: numbers })?;
        }
        let mut end = 0usize;
        let stays = |(from, segment): (usize, &Segment)| {
            let rows = end..end + segment.rows as usize;
            end = rows.end;
            let rows = kept.iter().filter(|row| rows.contains(row)).count() as u64;
            (rows > 0).then_some((Segment { rows, ..*segment }, Some(from)))
        };
        let segments = state.rows[i].axes[which].iter().enumerate().filter_map(stays).collect();
        state.rows[i].replace(which, segments);
    }
    Ok(())
}

/// The parameters whose rows are the tokens of an axis, with which of their growing axes has them.
fn parameters(model: &Model, session: &dyn Session, axis: usize) -> Vec<(usize, usize, Layout)> {
    let along = |(i, parameter): (usize, &Parameter)| {
        let shape = shape_at(&parameter.shape, session.sizes());
        let growing = parameter.grows.iter().enumerate().filter(|(_, (_, of))| *of == axis);
        growing.map(|(which, (along, _))| (i, which, Layout::new(&shape, *along))).collect::<Vec<_>>()
    };
    model.parameters.iter().enumerate().flat_map(along).collect()
}
