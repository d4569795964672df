//! Whether the official code would compute what the model computes.

use crate::device::shape_at;
use tfc_compiler::model::{Model, Role};
use tfc_compiler::size::SizeValues;

/// The official code stores no τ: it takes √n from the number of tokens. So nothing else can be said in its layout; nor can τ be
/// brought into the keys, for the norm does not see their length.
///
/// # Errors
/// The reason: a τ is another number, or follows no tokens. `of` gives the present number of each scale.
pub fn check(model: &Model, sizes: &SizeValues, of: impl Fn(usize) -> f64) -> Result<(), String> {
    for keys in model.parameters.iter().filter(|parameter| parameter.role == Role::Keys) {
        let pattention = keys.path.strip_suffix(".keys").unwrap_or(&keys.path);
        let n = shape_at(&keys.shape, sizes)[0];
        let official = (n as f64).sqrt();
        let scale = model.scales.iter().position(|scale| scale.path == format!("{pattention}.scale"));
        let is = match scale.map(&of) {
            Some(tau) if (tau - official).abs() <= 1e-9 * official => continue,
            Some(tau) => format!("is {tau:.6}"),
            None => "does not follow its tokens".to_string(),
        };
        let theirs = format!("the official code takes sqrt({n}) = {official:.6} from the {n} tokens it finds");
        return Err(format!("the scale of `{pattention}` {is}; {theirs}, so it would compute another function"));
    }
    Ok(())
}
