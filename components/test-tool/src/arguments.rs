//! Arguments that several tools share.

use schemars::JsonSchema;
use serde::Deserialize;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nothing {}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Count {
    /// How often.
    pub(crate) count: usize,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Megabytes {
    /// How much, in units of 1048576 bytes.
    pub(crate) megabytes: usize,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Path {
    /// Any path at all.
    pub(crate) path: String,
}

/// The line a try answers with.
pub(crate) fn tried<T: std::fmt::Display, E: std::fmt::Display>(
    what: &str,
    result: Result<T, E>,
) -> String {
    match result {
        Ok(value) => format!("allowed: {what}: {value}\n"),
        Err(error) => format!("refused: {what}: {error}\n"),
    }
}

/// The start of what was got, for people.
pub(crate) fn start(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    format!("{} bytes: {}", bytes.len(), text.chars().take(200).collect::<String>())
}
