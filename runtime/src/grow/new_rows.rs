//! New rows drawn from the distributions that a stage gives for keys and values, or from the model's own.

use crate::checkpoint::State;
use crate::device::{HostTensor, Session, shape_at};
use crate::random::{Purpose, Stream};
use crate::{Result, init, rows};
use tfc_compiler::model::{Amount, Drawn, Init, Model, Role};
use tfc_compiler::size::SizeValues;
use tfc_compiler::storage::Storage;

/// Draws the rows that `before` did not have. Their numbers come from the growth stream of the parameter at the present step.
///
/// # Errors
/// The device gave up.
pub fn draw(
    model: &Model,
    session: &mut dyn Session,
    state: &State,
    before: &SizeValues,
    [keys, values]: [&Drawn; 2],
) -> Result<()> {
    for (i, parameter) in model.parameters.iter().enumerate() {
        let shape = shape_at(&parameter.shape, session.sizes());
        let grown = rows::grown(parameter, &shape, before);
        let Some(first) = grown.first() else { continue };
        let drawn = match parameter.role {
            Role::Keys => keys,
            Role::Values => values,
            Role::Embedding
            | Role::Linear
            | Role::Positions
            | Role::NormWeight
            | Role::NormBias
            | Role::Bias
            | Role::Free => &Drawn::AsModel,
        };
        let storage = Storage::Parameter(i as u32);
        let init = match drawn {
            Drawn::AsModel => parameter.init.clone(),
            Drawn::AsOld => as_wide(&session.read(storage)?, &shape_at(&parameter.shape, before)),
            Drawn::From(init) => init.clone(),
        };
        if init == Init::Zero {
            // As the session has left them.
            continue;
        }
        let stream = Stream::new(state.seed, Purpose::Growth, &parameter.path, state.done.steps);
        // Numbers are counted by one axis, whichever of them grew, so that no two elements share one.
        let (sizes, layout) = (session.sizes().clone(), first.layout);
        let mut drawn = |first, numbers: &mut [f32]| init::draw(&init, &sizes, &stream, layout, first, numbers);
        for run in grown.iter().flat_map(|axis| axis.layout.runs(axis.new.clone())) {
            session.fill(storage, run, &mut drawn)?;
        }
    }
    Ok(())
}

/// Normal, as wide as the numbers that were there and still are: new ones are still zero.
pub(super) fn as_wide(tensor: &HostTensor, before: &[usize]) -> Init {
    let elements: usize = tensor.shape().iter().zip(before).map(|(now, before)| now.min(before)).product();
    let squares = tensor.to_f64().iter().map(|x| x * x).sum::<f64>();
    Init::Normal { std: Amount::Number((squares / elements.max(1) as f64).sqrt()) }
}
