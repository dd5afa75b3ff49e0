//! Models of Anthropic's Messages API and of services that speak it.
//!
//! Not a holder of keys: the host attaches the credential outside the component.

use hydroid_component::export_provider;
use hydroid_component::provider::{Error, ErrorKind, EventSource, Model, Provider, Request};
use hydroid_component::rate_limit;
use hydroid_component::web::{self, Fetch, Response};
use serde::de::DeserializeOwned;

mod config;
mod wire;

mod cache;
mod convert;
mod decode;
mod pause;

use config::Config;
use wire::MessagesRequest;

struct Anthropic;

export_provider!(Anthropic);

/// A page of models has some hundred KiB; a count a few bytes.
const MAX_SMALL_ANSWER: usize = 8 << 20;
/// Pages of a hundred models each; a service that names more repeats itself.
const MAX_PAGES: usize = 20;

impl Provider for Anthropic {
    fn models() -> Result<Vec<Model>, Error> {
        let config: Config = hydroid_component::config::read()?;
        if !config.models.is_empty() {
            return Ok(config.models.into_iter().map(Model::from).collect());
        }
        let mut models = Vec::new();
        let mut after = String::new();
        for _ in 0..MAX_PAGES {
            let path = format!("models?limit=100{after}");
            let page: wire::ModelPage =
                small_answer(Fetch::get(config.url(&path)), &config, "; configure `models`")?;
            let last = page.last_id.filter(|_| page.has_more);
            models.extend(page.data.into_iter().map(convert::model));
            match last {
                Some(last) => after = format!("&after_id={}", convert::path_segment(&last)),
                None => break,
            }
        }
        Ok(models)
    }

    fn count_tokens(request: Request) -> Result<Option<u32>, Error> {
        let config: Config = hydroid_component::config::read()?;
        let schema_tool = convert::schema_tool(&request, &config)?;
        let body = convert::request(request, &config, schema_tool)?.into_count();
        let fetch = Fetch::post_json(config.url("messages/count_tokens"), &body)?;
        match small_answer::<wire::TokenCount>(fetch, &config, "") {
            Ok(count) => Ok(Some(count.input_tokens)),
            // Services that speak the protocol often leave counting out.
            Err(Error { kind: ErrorKind::NotFound | ErrorKind::Unsupported, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn complete(mut request: Request) -> Result<Box<dyn EventSource>, Error> {
        let config: Config = hydroid_component::config::read()?;
        // The length of the conversation tells the answers of one conversation apart.
        let call_prefix = format!("call_{}", request.messages.len());
        if request.max_tokens.is_none() {
            request.max_tokens = Some(output_limit(&request.model, &config)?);
        }
        let schema_tool = convert::schema_tool(&request, &config)?;
        let mut body = convert::request(request, &config, schema_tool)?;
        let response = web::stream_or_whole(config.stream, |stream| {
            body.stream = stream;
            send(&body, &config)
        })?;
        let limits = rate_limit::event(&response.headers);
        let mut answer = decode::Turn::new(response, limits, call_prefix, schema_tool);
        if body.may_pause() {
            let mut body = body;
            let mut left = config.max_pauses;
            answer.resume_by(Box::new(move |content| {
                if left == 0 {
                    return Ok(None);
                }
                left -= 1;
                body.go_on_after(content);
                send(&body, &config).map(Some)
            }));
        }
        Ok(Box::new(answer))
    }
}

fn send(body: &MessagesRequest, config: &Config) -> Result<Response, Error> {
    let fetch = Fetch::post_json(config.url("messages"), body)?
        .header("accept", "text/event-stream, application/json");
    prepared(fetch, config).send_for_success()
}

/// The service wants a limit in every request. Where neither the request nor the configuration
/// has one, the service is asked for the model's own.
fn output_limit(model: &str, config: &Config) -> Result<u32, Error> {
    if let Some(limit) = config.max_output(model) {
        return Ok(limit);
    }
    let path = format!("models/{}", convert::path_segment(model));
    let advice = "; set `model.max_output_tokens`";
    let asked: Result<wire::ListedModel, Error> =
        small_answer(Fetch::get(config.url(&path)), config, advice);
    match asked {
        Ok(wire::ListedModel { max_tokens: Some(limit), .. }) if limit > 0 => Ok(limit),
        // Services that speak the protocol often tell nothing of their models.
        Ok(_)
        | Err(Error {
            kind: ErrorKind::InvalidInput | ErrorKind::NotFound | ErrorKind::Unsupported,
            ..
        }) => Err(Error::invalid_input(format!(
            "`{model}` needs an output limit, and the service does not tell one: set `model.max_output_tokens`, or `max_output` of this model in `components.provider-anthropic.config.models`"
        ))),
        Err(error) => Err(error),
    }
}

/// A short JSON answer; `advice` is what makes it unnecessary.
fn small_answer<T: DeserializeOwned>(
    fetch: Fetch,
    config: &Config,
    advice: &str,
) -> Result<T, Error> {
    let mut response = prepared(fetch, config).send_for_success()?;
    let body = web::read_all(&mut response, MAX_SMALL_ANSWER)?;
    serde_json::from_slice(&body).map_err(|error| {
        Error::new(
            ErrorKind::Unavailable,
            format!("the service's answer cannot be read: {error}{advice}"),
        )
    })
}

/// `fetch` with what every request to the service has.
fn prepared(mut fetch: Fetch, config: &Config) -> Fetch {
    if !config.api_key_secret.is_empty() {
        fetch = fetch.declared_credential(&config.api_key_secret);
    }
    fetch = fetch.header("anthropic-version", config.api_version.as_str());
    if !config.beta.is_empty() {
        fetch = fetch.header("anthropic-beta", config.beta.join(","));
    }
    for (name, value) in &config.extra_headers {
        fetch = fetch.header(name, value.as_str());
    }
    match config.first_byte_timeout_ms {
        Some(timeout_ms) => fetch.timeout_ms(timeout_ms),
        None => fetch,
    }
}
