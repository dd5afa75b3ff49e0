//! Vectors of a static model that is inside the component: the mean of the vectors of a text's
//! tokens. No network, no files, and nothing to start: the model is a table that is read where it
//! lies.

use hydroid_component::embedder::{Descriptor, Embedder, Error, Purpose};
use hydroid_component::export_embedder;
use model2vec::{MOST_TOKENS, Model};

struct Static;

export_embedder!(Static);

/// What `model/distill.py` made of all-MiniLM-L6-v2, laid out by the build script.
static TABLE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/model.table"));

/// Name of the model; the number is that of its dimensions.
const NAME: &str = "all-MiniLM-L6-v2-static-256";

/// Inputs in one call: some ten milliseconds of work, and a quarter of a megabyte of vectors.
const MAX_BATCH: u32 = 256;

impl Embedder for Static {
    fn describe() -> Result<Descriptor, Error> {
        let model = model()?;
        Ok(Descriptor {
            model: NAME.to_owned(),
            dimensions: model.dimensions(),
            max_input_tokens: u32::try_from(MOST_TOKENS).ok(),
            max_batch: MAX_BATCH,
            normalized: model.normalized(),
            options_json: None,
        })
    }

    fn embed(inputs: Vec<String>, _purpose: Purpose) -> Result<Vec<f32>, Error> {
        let model = model()?;
        Ok(inputs.iter().flat_map(|input| model.vector(input)).collect())
    }
}

fn model() -> Result<Model<'static>, Error> {
    Model::open(TABLE).map_err(|error| Error::internal(format!("the model inside: {error}")))
}

#[cfg(test)]
mod tests;
