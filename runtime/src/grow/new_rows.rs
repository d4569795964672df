//! New rows drawn from the distributions that a stage gives for keys and values, or from the model's own.

use crate::checkpoint::State;
use crate::device::{Session, shape_at};
use crate::random::{Purpose, Stream};
use crate::{Result, init, rows};
use tfc_compiler::model::{Init, Model, Role};
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
    [keys, values]: [&Option<Init>; 2],
) -> Result<()> {
    for (i, parameter) in model.parameters.iter().enumerate() {
        let shape = shape_at(&parameter.shape, session.sizes());
        let grown = rows::grown(parameter, &shape, before);
        let Some(first) = grown.first() else { continue };
        let given = match parameter.role {
            Role::Keys => keys.as_ref(),
            Role::Values => values.as_ref(),
            Role::Embedding
            | Role::Linear
            | Role::Positions
            | Role::NormWeight
            | Role::NormBias
            | Role::Bias
            | Role::Free => None,
        };
        let init = given.unwrap_or(&parameter.init);
        if *init == Init::Zero {
            // As the session has left them.
            continue;
        }
        let stream = Stream::new(state.seed, Purpose::Growth, &parameter.path, state.done.steps);
        let mut drawn = vec![0f32; shape.iter().product()];
        // Numbers are counted by one axis, whichever of them grew, so that no two elements share one.
        let rows = if grown.len() == 1 { first.new.clone() } else { 0..first.layout.rows };
        init::draw(init, session.sizes(), &stream, first.layout, rows, &mut drawn);

        let storage = Storage::Parameter(i as u32);
        let mut tensor = session.read(storage)?;
        for axis in &grown {
            axis.new.clone().flat_map(|row| axis.layout.pieces(row)).for_each(|piece| tensor.put(piece, &drawn));
        }
        session.write(storage, &tensor)?;
    }
    Ok(())
}
