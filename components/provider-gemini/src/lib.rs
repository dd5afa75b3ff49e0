//! Models of Google's Gemini API.
//!
//! Not a holder of keys: the host attaches the credential outside the component.
//! Caching of prompts is the service's own doing, so `message.cache` has nothing to set here.

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

struct Gemini;

export_provider!(Gemini);

/// A list of some hundred models has about 100 KiB.
const MAX_LIST: usize = 8 << 20;
/// Pages of a list; one holds a thousand models.
const MAX_PAGES: usize = 10;

impl Provider for Gemini {
    fn models() -> Result<Vec<Model>, Error> {
        let config: Config = hydroid_component::config::read()?;
        let mut models = Vec::new();
        let mut page: Option<String> = None;
        for _ in 0..MAX_PAGES {
            let token = page.map(|token| format!("&pageToken={token}")).unwrap_or_default();
            let url = format!("{}?pageSize=1000{token}", config.url("models"));
            let response = prepared(Fetch::get(url), &config).send_for_success()?;
            let list: wire::ModelList = read(response, "list of models")?;
            models.extend(list.models.into_iter().filter_map(convert::model));
            page = list.next_page_token.filter(|token| !token.is_empty());
            if page.is_none() {
                break;
            }
        }
        Ok(models)
    }

    fn count_tokens(request: Request) -> Result<Option<u32>, Error> {
        let config: Config = hydroid_component::config::read()?;
        let model = config::path_of(&request.model)?;
        let body = convert::counted(convert::request(request, &config)?, &model);
        let fetch = Fetch::post_json(config.url(&format!("{model}:countTokens")), &body)?;
        let response = prepared(fetch, &config).send_for_success()?;
        let count: wire::TokenCount = read(response, "count of tokens")?;
        Ok(count.total_tokens)
    }

    fn complete(request: Request) -> Result<Box<dyn EventSource>, Error> {
        let config: Config = hydroid_component::config::read()?;
        let model = config::path_of(&request.model)?;
        // The length of the conversation tells the answers of one conversation apart.
        let decoder = Decoder::new(format!("{}{}", convert::MADE_UP, request.messages.len()));
        let body = convert::request(request, &config)?;
        let response = web::stream_or_whole(config.stream, |stream| {
            let method = if stream { "streamGenerateContent?alt=sse" } else { "generateContent" };
            let fetch = Fetch::post_json(config.url(&format!("{model}:{method}")), &body)?;
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
