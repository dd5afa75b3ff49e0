//! The component's own configuration, as the type it has. Not a place for secrets: those
//! never enter a component as text.

use serde::de::DeserializeOwned;

use crate::bindings::imports::hydroid::core::config;
use crate::types::Error;

/// Reads the configuration into `T`.
///
/// The host has checked it against the manifest's schema, so a failure here means that the
/// schema and `T` disagree.
pub fn read<T: DeserializeOwned>() -> Result<T, Error> {
    serde_json::from_str(&config::get()).map_err(|error| {
        Error::internal(format!(
            "the configuration does not fit this component: {error}; compare `[config]` in its manifest"
        ))
    })
}
