//! The API that clients of OpenAI speak, so that they drive an agent as they drive a model: models,
//! chat completions and responses. It is another wording of what sessions do, and has no rights and
//! no store of its own.
//!
//! `wire` has the words both share, `said` and `files` read what a client says, `turn` says it,
//! `followed` follows what becomes the `answer`; `models`, `chat` and `responses` are the routes, and `retrieved` reads responses again.

mod answer;
mod chat;
mod files;
mod followed;
mod models;
mod responses;
mod retrieved;
mod said;
mod turn;
mod wire;

use crate::api;
use crate::server::{Listener, Peer};
use crate::tokens::{Scope, TokenHolder};
use crate::uploads::LARGEST_MESSAGE;
use axum::Router;
use axum::body::HttpBody as _;
use axum::extract::Request;
use axum::routing::{any, get, post};
use http::{HeaderMap, Method, header};
use hydroid_core::protocol::{ErrorCode, RequestError};
use serde_json::{Map, Value, json};
use std::sync::Arc;
use wire::Failure;

/// The routes.
pub(crate) fn routes() -> Router<Arc<Listener>> {
    Router::new()
        .route("/v1/models", get(models::list).fallback(not_so))
        .route("/v1/models/{*model}", get(models::one).fallback(not_so))
        .route("/v1/chat/completions", post(chat::complete).fallback(not_so))
        .route("/v1/responses", post(responses::respond).fallback(not_so))
        .route("/v1/responses/{id}", get(retrieved::one).delete(retrieved::delete).fallback(not_so))
        .route("/v1/responses/{id}/input_items", get(retrieved::input).fallback(not_so))
        .route("/v1/{*rest}", any(nothing))
}

async fn nothing() -> Failure {
    let text = "there is nothing here: `/v1/models`, `/v1/chat/completions` and `/v1/responses` are what there is";
    Failure { status: 404, ..Failure::invalid(None, "unknown_url", text) }
}

async fn not_so() -> Failure {
    let text = "this is not done with that method";
    Failure { status: 405, ..Failure::invalid(None, "method_not_allowed", text) }
}

/// Who asks, if they may.
fn entitled(
    listener: &Listener,
    peer: &Peer,
    headers: &HeaderMap,
    method: &Method,
    scope: Scope,
) -> Result<TokenHolder, Failure> {
    let holder = api::entitled(listener, peer, headers, method).map_err(|refusal| refusal.0)?;
    if !holder.may(scope) {
        let text = format!("this token may not do that; one with `--scope {}` may", scope.name());
        return Err(RequestError::new(ErrorCode::Forbidden, text).into());
    }
    Ok(holder)
}

/// The object a request has as its body. Files come in it, so it may be larger than a message.
async fn object(listener: &Listener, request: Request) -> Result<Map<String, Value>, Failure> {
    let is_json = request
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.split(';').next())
        .is_some_and(|text| text.trim().eq_ignore_ascii_case("application/json"));
    if !is_json {
        let text = "the body is JSON, and `Content-Type` says so";
        return Err(Failure {
            status: 415,
            ..Failure::invalid(None, "unsupported_media_type", text)
        });
    }
    // Base64 has four characters for three bytes.
    let limit = listener.config.max_message.0.saturating_add(LARGEST_MESSAGE / 3 * 4);
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    // What cannot be taken whole is not waited for.
    if request.body().size_hint().lower() > limit as u64 {
        let text = format!("the body has more than {limit} bytes");
        return Err(RequestError::new(ErrorCode::TooLarge, text).into());
    }
    let bytes = api::read(request.into_body(), limit).await.map_err(|refusal| refusal.0)?;
    match serde_json::from_slice(&bytes) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(_) => Err(Failure::invalid(None, "invalid_type", "the body is a JSON object")),
        Err(error) => {
            let text = format!("the body is no JSON: {error}");
            Err(Failure::invalid(None, "invalid_json", text))
        }
    }
}

/// A header as text.
fn header_text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok()).filter(|text| !text.is_empty())
}

/// The routes as the OpenAPI document has them.
pub(crate) fn documented() -> Vec<(&'static str, Value)> {
    let reference = |name: &str| json!({ "$ref": format!("#/components/schemas/{name}") });
    let responses = |media: Value| {
        let error = json!({
            "description": "Refused",
            "content": { "application/json": { "schema": reference("CompatibleError") } },
        });
        let mut responses = json!({ "200": { "description": "Done", "content": media } });
        for code in ["400", "401", "403", "404", "405", "409", "413", "415", "429", "500", "503"] {
            responses[code] = error.clone();
        }
        responses
    };
    let object = || json!({ "application/json": { "schema": { "type": "object" } } });
    let streamed = || {
        json!({
            "application/json": { "schema": { "type": "object" } },
            "text/event-stream": { "schema": { "type": "string" } },
        })
    };
    let asked = |id: &str, summary: &str, properties: Value, required: Value| {
        json!({ "post": {
            "operationId": id,
            "summary": summary,
            "parameters": [
                { "name": wire::SESSION, "in": "header", "required": false, "schema": { "type": "string" } },
                { "name": wire::APPROVALS, "in": "header", "required": false, "schema": { "enum": ["deny", "wait"] } },
            ],
            "requestBody": { "required": true, "content": { "application/json": { "schema": {
                "type": "object", "properties": properties, "required": required,
            } } } },
            "responses": responses(streamed()),
        } })
    };
    let kept = |id: &str, summary: &str| {
        json!({
            "operationId": id,
            "summary": summary,
            "parameters": [{ "name": "id", "in": "path", "required": true, "schema": { "type": "string", "minLength": 1 } }],
            "responses": responses(object()),
        })
    };
    vec![
        (
            "/v1/models",
            json!({ "get": {
                "operationId": "compatible_models",
                "summary": "Models, as clients of OpenAI list them",
                "parameters": [],
                "responses": responses(object()),
            } }),
        ),
        (
            "/v1/models/{model}",
            json!({ "get": {
                "operationId": "compatible_model",
                "summary": "One model",
                "parameters": [{ "name": "model", "in": "path", "required": true, "schema": { "type": "string", "minLength": 1 } }],
                "responses": responses(object()),
            } }),
        ),
        (
            "/v1/chat/completions",
            asked(
                "compatible_chat",
                "Says the last message and answers with what came of it, as OpenAI's chat completions do",
                json!({
                    "model": { "type": "string" },
                    "messages": { "type": "array", "minItems": 1, "items": { "type": "object" } },
                    "stream": { "type": "boolean" },
                    "reasoning_effort": { "type": "string" },
                }),
                json!(["model", "messages"]),
            ),
        ),
        (
            "/v1/responses",
            asked(
                "compatible_responses",
                "Says the input and answers with what came of it, as OpenAI's responses do",
                json!({
                    "model": { "type": "string" },
                    "input": { "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "object" } }] },
                    "instructions": { "type": "string" },
                    "previous_response_id": { "type": "string" },
                    "stream": { "type": "boolean" },
                    "store": { "type": "boolean" },
                }),
                json!(["model", "input"]),
            ),
        ),
        (
            "/v1/responses/{id}",
            json!({
                "get": kept("compatible_response", "A response as it was given"),
                "delete": kept("delete_compatible_response", "Takes the last response of its session back"),
            }),
        ),
        (
            "/v1/responses/{id}/input_items",
            json!({ "get": kept("compatible_response_input", "What was said for a response") }),
        ),
    ]
}
