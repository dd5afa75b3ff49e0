//! An embedder that misbehaves, one way for each value of the configuration's `misbehaviour`, for
//! the host's tests. Not for anybody's use.

mod describes;
mod embeds;

use hydroid_component::embedder::{Descriptor, Embedder, Error, Purpose};
use hydroid_component::{config, export_embedder};
use serde::Deserialize;

struct Misbehaving;

export_embedder!(Misbehaving);

/// Numbers in a vector, when nothing is wrong.
const DIMENSIONS: usize = 4;

#[derive(Deserialize)]
struct Configuration {
    misbehaviour: String,
}

impl Embedder for Misbehaving {
    fn describe() -> Result<Descriptor, Error> {
        let configuration: Configuration = config::read()?;
        describes::describe(&configuration.misbehaviour)
    }

    fn embed(inputs: Vec<String>, purpose: Purpose) -> Result<Vec<f32>, Error> {
        let configuration: Configuration = config::read()?;
        embeds::embed(&configuration.misbehaviour, &inputs, purpose)
    }
}
