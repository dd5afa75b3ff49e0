//! Models of any service that speaks OpenAI's chat completions.
//!
//! Not a holder of keys: the host attaches the credential outside the component.

use hydroid_component::answer::Answer;
use hydroid_component::export_provider;
use hydroid_component::provider::{Error, ErrorKind, EventSource, Model, Provider, Request};
use hydroid_component::rate_limit;
use hydroid_component::text_calls::TextCalls;
use hydroid_component::web::{self, Fetch};

mod config;
mod wire;

mod convert;
mod decode;

use config::{Config, TextToolCalls};
use decode::Decoder;

struct OpenAi;

export_provider!(OpenAi);

/// The longest list known, some thousand models with descriptions, has about 1 MiB.
const MAX_MODEL_LIST: usize = 8 << 20;

impl Provider for OpenAi {
    fn models() -> Result<Vec<Model>, Error> {
        let config: Config = hydroid_component::config::read()?;
        if !config.models.is_empty() {
            return Ok(config.models.into_iter().map(Model::from).collect());
        }
        let mut response =
            prepared(Fetch::get(config.url("models")), &config).send_for_success()?;
        let body = web::read_all(&mut response, MAX_MODEL_LIST)?;
        let list: wire::ModelList = serde_json::from_slice(&body).map_err(|error| {
            Error::new(
                ErrorKind::Unavailable,
                format!("the service's list of models cannot be read: {error}; configure `models`"),
            )
        })?;
        Ok(list.data.into_iter().map(convert::model).collect())
    }

    fn complete(request: Request) -> Result<Box<dyn EventSource>, Error> {
        let config: Config = hydroid_component::config::read()?;
        // The length of the conversation tells the answers of one conversation apart.
        let call_prefix = format!("call_{}", request.messages.len());
        let text_calls = match config.text_tool_calls {
            TextToolCalls::Auto => TextCalls::new(&request.tools),
            TextToolCalls::Off => TextCalls::off(),
        };
        let decoder = Decoder::new(call_prefix, request.model.clone(), text_calls);
        let mut body = convert::request(request, &config)?;
        let response = web::stream_or_whole(config.stream, |stream| {
            body.stream = stream;
            if !stream {
                body.stream_options = None;
            }
            let fetch = Fetch::post_json(config.url("chat/completions"), &body)?
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
