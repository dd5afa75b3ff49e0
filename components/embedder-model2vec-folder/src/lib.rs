//! Vectors of a model in Model2Vec's file format that lies in a folder of the workspace. The
//! files are read and laid out at the first call and kept as long as the host keeps the
//! instance; a file that is not the one of the configuration is never used.

mod folder;

use std::cell::OnceCell;

use hydroid_component::embedder::{Descriptor, Embedder, Error, Purpose};
use hydroid_component::{config, export_embedder};
use model2vec::{MOST_TOKENS, Model};
use serde::Deserialize;

struct Folder;

export_embedder!(Folder);

/// Inputs in one call, as for the model inside `embedder-model2vec`.
const MAX_BATCH: u32 = 256;

thread_local! {
    static TABLE: OnceCell<Vec<u8>> = const { OnceCell::new() };
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    path: String,
    dimensions: u32,
    normalized: bool,
    sha256: Digests,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Digests {
    model: Option<String>,
    tokenizer: Option<String>,
    config: Option<String>,
}

impl Embedder for Folder {
    fn describe() -> Result<Descriptor, Error> {
        let config: Config = config::read()?;
        let name = config.path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        Ok(Descriptor {
            model: name.to_owned(),
            dimensions: config.dimensions,
            max_input_tokens: u32::try_from(MOST_TOKENS).ok(),
            max_batch: MAX_BATCH,
            normalized: config.normalized,
            options_json: None,
        })
    }

    fn embed(inputs: Vec<String>, _purpose: Purpose) -> Result<Vec<f32>, Error> {
        TABLE.with(|kept| {
            let table = match kept.get() {
                Some(table) => table,
                None => {
                    let table = folder::table(&config::read()?)?;
                    kept.get_or_init(|| table)
                }
            };
            let model = Model::open(table)
                .map_err(|error| Error::internal(format!("the model in memory: {error}")))?;
            Ok(inputs.iter().flat_map(|input| model.vector(input)).collect())
        })
    }
}
