//! Vectors of an Ollama server, by its own interface.
//!
//! Not a holder of keys: a server behind a gateway may want a bearer token, and then the host
//! attaches it outside the component.

mod config;
mod known;
mod wire;

use config::Config;
use hydroid_component::embedder::{self, Descriptor, Embedder, Error, ErrorKind, Purpose};
use hydroid_component::export_embedder;
use hydroid_component::web::{self, Fetch};

struct Ollama;

export_embedder!(Ollama);

/// A batch of the largest vectors known, as decimal numbers, has some 16 MiB.
const MAX_ANSWER: usize = 24 << 20;

impl Embedder for Ollama {
    fn describe() -> Result<Descriptor, Error> {
        let config: Config = hydroid_component::config::read()?;
        Ok(Descriptor {
            dimensions: config.dimensions()?,
            max_input_tokens: None,
            max_batch: config.batch,
            normalized: true,
            options_json: None,
            model: config.model,
        })
    }

    fn embed(inputs: Vec<String>, purpose: Purpose) -> Result<Vec<f32>, Error> {
        let config: Config = hydroid_component::config::read()?;
        let body = wire::request(&config, &inputs, purpose)?;
        let fetch = prepared(Fetch::post_json(config.url(), &body)?, &config);
        let mut response =
            fetch.send_for_success().map_err(|error| missing(error, &config.model))?;
        let body = web::read_all(&mut response, MAX_ANSWER)?;
        embedder::flat(wire::vectors(&body)?, inputs.len(), config.dimensions()?, &config.model)
    }
}

/// A model that is not there is the usual reason, and there is a remedy.
fn missing(error: Error, model: &str) -> Error {
    if !matches!(error.kind, ErrorKind::NotFound) {
        return error;
    }
    let message = format!("{}; `ollama pull {model}` fetches the model", error.message);
    Error { message, ..error }
}

/// `fetch` with what every request to the server has.
fn prepared(mut fetch: Fetch, config: &Config) -> Fetch {
    if !config.api_key_secret.is_empty() {
        fetch = fetch.declared_credential(&config.api_key_secret);
    }
    for (name, value) in &config.extra_headers {
        fetch = fetch.header(name, value.as_str());
    }
    match config.first_byte_timeout_ms {
        Some(timeout_ms) => fetch.timeout_ms(timeout_ms),
        None => fetch,
    }
}
