//! JSON from outside.

use serde::de::DeserializeOwned;

/// What an object says. A list is none, which serde would take for the fields in their order.
///
/// # Errors
/// Why it says no such thing.
pub fn object<T: DeserializeOwned>(text: &[u8]) -> Result<T, String> {
    if !text.trim_ascii_start().starts_with(b"{") {
        return Err("it is no JSON object".to_string());
    }
    serde_json::from_slice(text).map_err(|error| error.to_string())
}
