//! Models of Amazon Bedrock, through its Converse operations.
//!
//! Not a holder of keys: the host signs each request, or attaches a key, outside the component.

use hydroid_component::export_provider;
use hydroid_component::provider::{Error, ErrorKind, EventSource, Model, Provider, Request};
use hydroid_component::web::{self, Attach, Fetch, Response};
use serde::de::DeserializeOwned;

mod config;
mod family;
mod wire;

mod convert;
mod decode;
mod failure;
mod frames;

use config::{Auth, Config};

struct Bedrock;

export_provider!(Bedrock);

/// The service lists some hundred models in some hundred KiB.
const MAX_SMALL_ANSWER: usize = 8 << 20;
/// Of an answer that refuses, only the first bytes are read: the message is at its start.
const MAX_REFUSAL: usize = 64 << 10;
/// Pages of a thousand profiles each.
const MAX_PAGES: usize = 20;

impl Provider for Bedrock {
    fn models() -> Result<Vec<Model>, Error> {
        let config: Config = hydroid_component::config::read()?;
        if !config.models.is_empty() {
            return Ok(config.models.into_iter().map(Model::from).collect());
        }
        let list: wire::ModelList =
            small_answer(Fetch::get(config.control_url("foundation-models")), &config)?;
        let mut profiles = Vec::new();
        let mut after = String::new();
        for _ in 0..MAX_PAGES {
            let path = format!("inference-profiles?maxResults=1000{after}");
            let page: wire::ProfilePage =
                small_answer(Fetch::get(config.control_url(&path)), &config)?;
            profiles.extend(page.inference_profile_summaries);
            match page.next_token {
                Some(token) => after = format!("&nextToken={}", config::path_segment(&token)),
                None => break,
            }
        }
        Ok(convert::models(&list.model_summaries, profiles))
    }

    fn count_tokens(request: Request) -> Result<Option<u32>, Error> {
        let config: Config = hydroid_component::config::read()?;
        // Counting is an operation of the model, not of a profile.
        let url = config.model_url(family::within_region(&request.model), "count-tokens");
        let schema_tool = convert::schema_tool(&request, &config)?;
        let body = convert::request(request, &config, schema_tool)?.into_count();
        match small_answer::<wire::TokenCount>(Fetch::post_json(url, &body)?, &config) {
            Ok(count) => Ok(Some(count.input_tokens)),
            // Only some models are counted for.
            Err(Error {
                kind:
                    ErrorKind::InvalidInput
                    | ErrorKind::Denied
                    | ErrorKind::NotFound
                    | ErrorKind::Unsupported,
                ..
            }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn complete(request: Request) -> Result<Box<dyn EventSource>, Error> {
        let config: Config = hydroid_component::config::read()?;
        // The length of the conversation tells the answers of one conversation apart.
        let call_prefix = format!("call_{}", request.messages.len());
        let keeper = config.family(&request.model).keeper(&request.model);
        let (stream, whole) = (
            config.model_url(&request.model, "converse-stream"),
            config.model_url(&request.model, "converse"),
        );
        let schema_tool = convert::schema_tool(&request, &config)?;
        let body = convert::request(request, &config, schema_tool)?;
        let ask = |url: &str| {
            let accept = "application/vnd.amazon.eventstream, application/json";
            send(Fetch::post_json(url, &body)?.header("accept", accept), &config)
        };
        let response = match config.stream {
            true => ask(&stream).or_else(|error| match failure::is_about_streaming(&error) {
                true => ask(&whole),
                false => Err(error),
            })?,
            false => ask(&whole)?,
        };
        Ok(Box::new(decode::Turn::new(response, call_prefix, keeper, schema_tool)))
    }
}

fn small_answer<T: DeserializeOwned>(fetch: Fetch, config: &Config) -> Result<T, Error> {
    let mut response = send(fetch, config)?;
    let body = web::read_all(&mut response, MAX_SMALL_ANSWER)?;
    serde_json::from_slice(&body).map_err(|error| {
        Error::new(
            ErrorKind::Unavailable,
            format!(
                "the service's answer cannot be read: {error}; configure `models`, or check `base_url`"
            ),
        )
    })
}

/// Sends a request with what every request to the service has.
fn send(mut fetch: Fetch, config: &Config) -> Result<Response, Error> {
    match config.auth {
        Auth::Aws => {
            fetch = fetch.signed_credential("aws-secret-access-key", &config.region);
        }
        Auth::ApiKey => fetch = fetch.credential("bedrock-api-key", Attach::Bearer),
        Auth::None => {}
    }
    for (name, value) in &config.extra_headers {
        fetch = fetch.header(name, value.as_str());
    }
    if let Some(timeout_ms) = config.first_byte_timeout_ms {
        fetch = fetch.timeout_ms(timeout_ms);
    }
    let mut response = fetch.send()?;
    if (200..300).contains(&response.status) {
        return Ok(response);
    }
    // The status is what counts: a body that breaks off still refuses.
    let (body, _whole) = web::read_at_most(&mut response, MAX_REFUSAL).unwrap_or_default();
    Err(failure::of_status(response.status, &response.headers, &body))
}
