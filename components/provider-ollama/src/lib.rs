//! Models of an Ollama server, by its own interface.
//!
//! Not a holder of keys: a server behind a gateway may want a bearer token, and then the host
//! attaches it outside the component.

use hydroid_component::answer::Answer;
use hydroid_component::export_provider;
use hydroid_component::provider::{Error, ErrorKind, EventSource, Model, Provider, Request};
use hydroid_component::text_calls::TextCalls;
use hydroid_component::web::{self, Fetch, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;

mod config;
mod wire;

mod convert;
mod decode;
mod pull;

use config::{Config, TextToolCalls};
use decode::Decoder;
use pull::Pull;

struct Ollama;

export_provider!(Ollama);

/// A list of some hundred models has some 100 KiB; a description of one with its template and
/// tensors a few MiB.
const MAX_LIST: usize = 16 << 20;
/// Models that are described; the server is asked once for each.
const MAX_DESCRIBED: usize = 64;

impl Provider for Ollama {
    fn models() -> Result<Vec<Model>, Error> {
        let config: Config = hydroid_component::config::read()?;
        let response = prepared(Fetch::get(config.url("tags")), &config).send_for_success()?;
        let list: wire::ModelList = read(response, "list of models")?;
        let mut models = Vec::new();
        for (count, listed) in list.models.into_iter().enumerate() {
            let shown = match count < MAX_DESCRIBED {
                true => post(&config, "show", &wire::ShowRequest { model: listed.id() })
                    .and_then(|response| read(response, "description of a model"))
                    // A model that cannot be described can still be used.
                    .unwrap_or_default(),
                false => wire::Shown::default(),
            };
            models.extend(convert::model(&listed, &shown));
        }
        Ok(models)
    }

    fn complete(request: Request) -> Result<Box<dyn EventSource>, Error> {
        let config: Config = hydroid_component::config::read()?;
        let text_calls = match config.text_tool_calls {
            TextToolCalls::Auto => TextCalls::new(&request.tools),
            TextToolCalls::Off => TextCalls::off(),
        };
        // The length of the conversation tells the answers of one conversation apart.
        let call_prefix = format!("call_{}", request.messages.len());
        let model = request.model.clone();
        let mut body = convert::request(request, &config)?;
        let decoder = Decoder::new(call_prefix, text_calls);
        let asked = web::stream_or_whole(config.stream, |stream| {
            body.stream = stream;
            post(&config, "chat", &body)
        });
        match asked {
            Ok(response) => Ok(Box::new(Answer::lines(response, decoder))),
            Err(error) if matches!(error.kind, ErrorKind::NotFound) && config.pull => {
                let pulling =
                    post(&config, "pull", &wire::PullRequest { model: &model, stream: true })?;
                let ask = move || Ok(Answer::lines(post(&config, "chat", &body)?, decoder));
                Ok(Box::new(Pull::new(pulling, model, ask)))
            }
            Err(error) if matches!(error.kind, ErrorKind::NotFound) => Err(missing(error, &model)),
            Err(error) => Err(error),
        }
    }
}

/// A model that is not there is the usual reason, and there is a remedy.
fn missing(error: Error, model: &str) -> Error {
    let message = format!(
        "{}; `ollama pull {model}` fetches the model, and `hydroid config set components.provider-ollama.config.pull true` lets this component do so",
        error.message
    );
    Error { message, ..error }
}

fn post(config: &Config, path: &str, body: &impl Serialize) -> Result<Response, Error> {
    prepared(Fetch::post_json(config.url(path), body)?, config).send_for_success()
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

fn read<T: DeserializeOwned>(mut response: Response, what: &str) -> Result<T, Error> {
    let body = web::read_all(&mut response, MAX_LIST)?;
    serde_json::from_slice(&body).map_err(|error| {
        Error::new(
            ErrorKind::Unavailable,
            format!("the server's {what} cannot be read: {error}; check the configured address"),
        )
    })
}
