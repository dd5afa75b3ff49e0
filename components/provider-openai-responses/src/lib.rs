//! Models of services that speak OpenAI's responses.
//!
//! Not a holder of keys: the host attaches the credential outside the component.
//! Nothing is stored at the service: what it must know again goes back with each request.

use hydroid_component::answer::Answer;
use hydroid_component::export_provider;
use hydroid_component::provider::{Error, ErrorKind, EventSource, Model, Provider, Request};
use hydroid_component::rate_limit;
use hydroid_component::web::{self, Fetch, Response};
use serde::de::DeserializeOwned;

mod config;
mod wire;

mod convert;
mod decode;

use config::Config;
use decode::Decoder;

struct Responses;

export_provider!(Responses);

/// The longest list known, some thousand models with descriptions, has about 1 MiB.
const MAX_LIST: usize = 8 << 20;

impl Provider for Responses {
    fn models() -> Result<Vec<Model>, Error> {
        let config: Config = hydroid_component::config::read()?;
        let response = prepared(Fetch::get(config.url("models")), &config).send_for_success()?;
        let list: wire::ModelList = read(response, "list of models")?;
        Ok(list.data.into_iter().map(convert::model).collect())
    }

    fn count_tokens(request: Request) -> Result<Option<u32>, Error> {
        let config: Config = hydroid_component::config::read()?;
        let body = convert::counted(convert::request(request, &config)?);
        let fetch = Fetch::post_json(config.url("responses/input_tokens"), &body)?;
        match prepared(fetch, &config).send_for_success() {
            Ok(response) => Ok(read::<wire::TokenCount>(response, "count of tokens")?.input_tokens),
            // Other services of this kind have no such address.
            Err(error) if matches!(error.kind, ErrorKind::NotFound | ErrorKind::Unsupported) => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn complete(request: Request) -> Result<Box<dyn EventSource>, Error> {
        let config: Config = hydroid_component::config::read()?;
        // The length of the conversation tells the answers of one conversation apart.
        let decoder = Decoder::new(format!("call_{}", request.messages.len()));
        let mut body = convert::request(request, &config)?;
        let response = web::stream_or_whole(config.stream, |stream| {
            body.stream = stream;
            let fetch = Fetch::post_json(config.url("responses"), &body)?
                .header("accept", "text/event-stream, application/json");
            prepared(fetch, &config).send_for_success()
        })?;
        let limits = rate_limit::event(&response.headers);
        Ok(Box::new(Answer::new(response, decoder).after(limits)))
    }
}

/// `fetch` with what every request to the service has.
fn prepared(mut fetch: Fetch, config: &Config) -> Fetch {
    if !config.api_key_secret.is_empty() {
        fetch = fetch.declared_credential(&config.api_key_secret);
    }
    let named =
        [("OpenAI-Organization", &config.organization), ("OpenAI-Project", &config.project)];
    for (name, value) in named {
        if let Some(value) = value {
            fetch = fetch.header(name, value.as_str());
        }
    }
    for (name, value) in &config.extra_headers {
        fetch = fetch.header(name, value.as_str());
    }
    match config.first_byte_timeout_ms {
        Some(timeout_ms) => fetch.timeout_ms(timeout_ms),
        None => fetch,
    }
}

fn read<T: DeserializeOwned>(mut response: Response, what: &str) -> Result<T, Error> {
    let body = web::read_all(&mut response, MAX_LIST)?;
    serde_json::from_slice(&body).map_err(|error| {
        Error::new(
            ErrorKind::Unavailable,
            format!("the service's {what} cannot be read: {error}; check the configured address"),
        )
    })
}
