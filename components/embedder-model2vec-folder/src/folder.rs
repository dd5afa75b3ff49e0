//! The files of the configured folder, compared with their digests, as a table. No vectors yet.

use hydroid_component::embedder::{Error, ErrorKind};
use hydroid_component::fs;
use model2vec::{Files, Model};
use sha2::{Digest, Sha256};

use crate::Config;

/// Largest file that is read; what is larger does not fit any memory a host gives.
const LARGEST_FILE: u32 = 200 << 20;

/// Reads the files and lays them out.
pub(crate) fn table(config: &Config) -> Result<Vec<u8>, Error> {
    let Config { path, sha256, .. } = config;
    let path = path.trim_end_matches('/');
    let settings = read(path, "config.json", "config", &sha256.config)?;
    let tokenizer = read(path, "tokenizer.json", "tokenizer", &sha256.tokenizer)?;
    let model = read(path, "model.safetensors", "model", &sha256.model)?;
    let table = model2vec::bake(Files { tokenizer: &tokenizer, model: &model, config: &settings })
        .map_err(|error| Error::invalid_input(format!("in `{path}`: {error}")))?;
    let model = Model::open(&table).map_err(|error| Error::internal(error.to_string()))?;
    let (dimensions, normalized) = (model.dimensions(), model.normalized());
    if dimensions != config.dimensions || normalized != config.normalized {
        return Err(Error::invalid_input(format!(
            "the model in `{path}` has {dimensions} dimensions and normalized = {normalized}; write that into `components.embedder-model2vec-folder.config`"
        )));
    }
    Ok(table)
}

fn read(path: &str, file: &str, key: &str, expect: &Option<String>) -> Result<Vec<u8>, Error> {
    let bytes = fs::read(&format!("{path}/{file}"), LARGEST_FILE)?;
    let found: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    match expect {
        Some(expect) if *expect == found => Ok(bytes),
        Some(_) => Err(Error::new(
            ErrorKind::Conflict,
            format!(
                "`{path}/{file}` is not the file of the configuration: its sha256 is {found}; put the right file there, or change `components.embedder-model2vec-folder.config.sha256.{key}`"
            ),
        )),
        None => Err(Error::invalid_input(format!(
            "`{path}/{file}` is not vouched for; if it is the file you mean: `hydroid config set components.embedder-model2vec-folder.config.sha256.{key} {found}`"
        ))),
    }
}
