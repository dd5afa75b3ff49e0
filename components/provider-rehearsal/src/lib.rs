//! The model `rehearsal`: commands in plain English that really run the offered tools.
//!
//! Not a language model, and it says so. It stands in for one where none is configured yet, in
//! tests and in demonstrations, and behaves like one on the wire: it streams, asks for calls,
//! reads their results in the next request and ends with an account of what was done.
//!
//! Reading order: `grammar`, `task`, `plan`, `tools`, `report`, `stream`.

use hydroid_component::export_provider;
use hydroid_component::provider::{
    Error, ErrorKind, EventSource, Features, Model, Provider, Request, ToolChoice,
};
use serde::Deserialize;

mod grammar;
mod split;

mod task;

mod plan;

mod tools;

mod digest;
mod numbered;
mod report;

mod stream;

mod text;

/// Identifier of the only model.
const MODEL: &str = "rehearsal";

struct Rehearsal;

export_provider!(Rehearsal);

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Config {
    context_tokens: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self { context_tokens: 200_000 }
    }
}

impl Provider for Rehearsal {
    fn models() -> Result<Vec<Model>, Error> {
        let config: Config = hydroid_component::config::read()?;
        Ok(vec![Model {
            id: MODEL.to_owned(),
            name: "Rehearsal (no language model)".to_owned(),
            context: Some(config.context_tokens),
            max_output: None,
            features: Features::TOOLS | Features::REASONING | Features::STREAMING,
            options_json: None,
        }])
    }

    fn count_tokens(request: Request) -> Result<Option<u32>, Error> {
        Ok(Some(stream::input_tokens(&request)))
    }

    fn complete(request: Request) -> Result<Box<dyn EventSource>, Error> {
        answer(&request, &hydroid_component::config::read()?)
    }
}

fn answer(request: &Request, config: &Config) -> Result<Box<dyn EventSource>, Error> {
    if request.model != MODEL {
        return Err(Error::new(
            ErrorKind::NotFound,
            format!("there is no model `{}` here: use `{MODEL}`", request.model),
        ));
    }
    if request.response_schema.is_some() {
        return Err(Error::new(
            ErrorKind::Unsupported,
            "`rehearsal` cannot answer in a JSON Schema: use a language model for this",
        ));
    }
    let tokens = stream::input_tokens(request);
    if tokens > config.context_tokens {
        let message = format!(
            "the conversation has about {tokens} tokens and the context window {}: shorten it",
            config.context_tokens
        );
        return Err(Error::new(ErrorKind::TooLarge, message).with_code("context_length_exceeded"));
    }
    let reply = plan::reply(request);
    let forced = match &request.tool_choice {
        Some(ToolChoice::Required) => reply.calls.is_empty(),
        Some(ToolChoice::Named(name)) => !reply.calls.iter().any(|call| &call.name == name),
        Some(ToolChoice::Auto | ToolChoice::None) | None => false,
    };
    if forced {
        return Err(Error::new(
            ErrorKind::Unsupported,
            "`rehearsal` calls only the tools that the user's words name: use tool choice `auto`",
        ));
    }
    Ok(Box::new(stream::Stream::new(request, reply)))
}
