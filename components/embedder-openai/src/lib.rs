//! Vectors of any service that speaks OpenAI's embeddings.
//!
//! Not a holder of keys: the host attaches the credential outside the component.

mod config;
mod wire;

use config::Config;
use hydroid_component::embedder::{self, Descriptor, Embedder, Error, ErrorKind, Purpose};
use hydroid_component::export_embedder;
use hydroid_component::web::{self, Fetch};

struct OpenAi;

export_embedder!(OpenAi);

/// A batch of the largest vectors known, as decimal numbers, has some 20 MiB.
const MAX_ANSWER: usize = 48 << 20;

impl Embedder for OpenAi {
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
        let mut response = fetch.send_for_success()?;
        let body = web::read_all(&mut response, MAX_ANSWER)?;
        let vectors = wire::vectors(&body)?;
        embedder::flat(vectors, inputs.len(), config.dimensions()?, &config.model)
    }
}

/// `fetch` with what every request to the service has.
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

/// An answer that came and cannot be used.
fn unreadable(problem: impl std::fmt::Display) -> Error {
    Error {
        sent: true,
        ..Error::new(
            ErrorKind::Unavailable,
            format!(
                "the service's vectors cannot be read: {problem}; check `base_url` and `model`"
            ),
        )
    }
}
