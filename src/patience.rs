//! What takes long is said before anybody waits for it.

use crate::console::Console;
use tfc_compiler::quantity::duration;
use tfc_runtime::{Failure, Result};

/// In seconds: what is worth a word, and what nobody waits for.
pub const MINUTE: f64 = 60.0;
const DAY: f64 = 86_400.0;

/// Says how long something takes at the least, at a device's rate of products.
///
/// # Errors
/// Nobody would wait; with the way out.
pub fn announce(what: &str, seconds: f64, way_out: &str, console: &Console) -> Result<()> {
    let least = format!("{what} takes at least {}, at all that the device can do", duration(seconds));
    match seconds {
        DAY.. => return Err(Failure::mistake(format!("{least}; {way_out}"))),
        MINUTE.. => console.say(&least),
        _ => {}
    }
    Ok(())
}
