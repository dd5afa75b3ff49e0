//! The routes of HTTP, and what both they and sockets do with a request: who may, how often, and
//! where it goes.

use crate::refusal::Refusal;
use crate::routes::{ROUTES, document};
use crate::server::{Listener, Peer, Shown};
use crate::tokens::{Scope, TokenHolder, new_secret};
use crate::{admin, events, frames, login, openai, page, socket, webhook};
use axum::body::{Body, to_bytes};
use axum::extract::{Extension, RawPathParams, RawQuery, Request as HttpRequest, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter, get, on, post};
use axum::{Json, Router};
use http::{HeaderMap, Method, StatusCode, header};
use hydroid_core::message::{Content, Label, Part};
use hydroid_core::ports::{Conversations, Saying};
use hydroid_core::protocol::{ErrorCode, LARGEST_ATTACHMENT, Reply, Request, RequestError};
use hydroid_core::telemetry::Parent;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Every route.
pub(crate) fn router(listener: Arc<Listener>) -> Router {
    let mut router = Router::new()
        .route("/", get(page::index))
        .route("/page/{*name}", get(page::file))
        .route("/login", get(login::enter))
        .route("/logout", post(login::leave))
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .route("/api/v1/openapi.json", get(openapi))
        .route("/api/v1/login-codes", post(login::code))
        .route("/api/v1/admin", post(admin::administer))
        .route("/api/v1/socket", get(socket::upgrade))
        .route("/api/v1/sessions/{session}/events", get(events::follow))
        .route("/api/v1/uploads", post(upload))
        .route("/api/v1/webhooks/{name}", post(webhook::called));
    if listener.config.echo {
        router = router.route("/debug/echo", get(frames::echo));
    }
    let mut paths: BTreeMap<&str, MethodRouter<Arc<Listener>>> = BTreeMap::new();
    for route in ROUTES {
        let method = Method::from_bytes(route.method.as_bytes()).expect("the table has methods");
        let filter = MethodFilter::try_from(method).expect("the table has usual methods");
        let answer = async move |listener, peer, path, query, request| {
            call(route, listener, peer, path, query, request).await
        };
        let paths = paths.entry(route.path);
        match paths {
            std::collections::btree_map::Entry::Vacant(entry) => {
                entry.insert(on(filter, answer));
            }
            std::collections::btree_map::Entry::Occupied(mut entry) => {
                let others = std::mem::take(entry.get_mut());
                let _ = entry.insert(others.on(filter, answer));
            }
        }
    }
    for (path, methods) in paths {
        router = router.route(path, methods);
    }
    router = router.merge(openai::routes());
    router.fallback(nothing).method_not_allowed_fallback(not_so).with_state(listener)
}

async fn nothing() -> Refusal {
    Refusal::new(
        ErrorCode::NotFound,
        "there is nothing here; `/api/v1/openapi.json` says what there is",
    )
}

async fn not_so() -> Response {
    let refusal = Refusal::new(ErrorCode::Invalid, "this is not done with that method");
    let mut response = refusal.into_response();
    *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    response
}

async fn ready(State(listener): State<Arc<Listener>>) -> Response {
    if *listener.ending.borrow() {
        (StatusCode::SERVICE_UNAVAILABLE, "ending\n").into_response()
    } else {
        "ok\n".into_response()
    }
}

async fn metrics(
    State(listener): State<Arc<Listener>>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let holder = entitled(&listener, &peer, &headers, &Method::GET)?;
    if !holder.may(Scope::Read) {
        return Err(Refusal::new(ErrorCode::Forbidden, "this token may not see figures"));
    }
    let present = listener.household.present();
    let turns = present.iter().map(|user| user.running().len()).sum();
    let sessions = present.iter().map(|user| user.awake()).sum();
    let text = listener.figures.text(turns, sessions, present.len(), listener.household.spans());
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response())
}

async fn openapi(State(listener): State<Arc<Listener>>) -> Json<Value> {
    Json(document(&listener.version))
}

/// Who a request comes from, if they may make one now. What changes something and is shown by a
/// cookie must say that it comes from a page of ours, which another page's form cannot.
pub(crate) fn entitled(
    listener: &Listener,
    peer: &Peer,
    headers: &HeaderMap,
    method: &Method,
) -> Result<TokenHolder, Refusal> {
    let Some((holder, how)) = listener.shown(peer, headers)? else {
        return Err(listener.unauthenticated(
            peer,
            "a token is needed: `Authorization: Bearer TOKEN`; `hydroid token create` makes one",
        ));
    };
    let safe = *method == Method::GET || *method == Method::HEAD;
    if how == Shown::Cookie && !safe && !headers.contains_key(header::ORIGIN) {
        return Err(Refusal::new(
            ErrorCode::Forbidden,
            "a browser says where such a request comes from",
        ));
    }
    listener.pace(&holder)?;
    Ok(holder)
}

async fn call(
    route: &'static crate::routes::Route,
    State(listener): State<Arc<Listener>>,
    Extension(peer): Extension<Peer>,
    path: RawPathParams,
    RawQuery(query): RawQuery,
    request: HttpRequest,
) -> Result<Json<Reply>, Refusal> {
    let holder = entitled(&listener, &peer, request.headers(), request.method())?;
    let path: Vec<(String, String)> =
        path.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let query = pairs(query.as_deref().unwrap_or_default());
    let headers = route.headers_of(request.headers());
    let body = body_of(&listener, request).await?;
    let made = headers
        .and_then(|headers| route.request(&path, &query, &headers, &body))
        .map_err(|problem| Refusal::new(ErrorCode::Invalid, problem))?;
    let request: Request = serde_json::from_value(made)
        .map_err(|error| Refusal::new(ErrorCode::Invalid, error.to_string()))?;
    let conversations = listener.conversations(&holder).await?;
    Ok(Json(answer(&listener, &holder, &conversations, request).await?))
}

/// The header that says what a request belongs to in traces of the client's, as W3C's Trace Context
/// has it. Of `tracestate`, which may come beside it, nothing is read.
pub(crate) const TRACEPARENT: &str = "traceparent";

/// What that header has, if it comes once and is well formed.
pub(crate) fn traceparent(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(TRACEPARENT).iter();
    let (value, None) = (values.next()?, values.next()) else { return None };
    value.to_str().ok().filter(|text| Parent::read(text).is_some())
}

/// What a request belongs to in traces of the client's.
pub(crate) fn parent(headers: &HeaderMap) -> Option<Parent> {
    traceparent(headers).and_then(Parent::read)
}

/// The pairs of a query, decoded.
pub(crate) fn pairs(query: &str) -> Vec<(String, String)> {
    let decode = |text: &str| {
        let spaced = text.replace('+', " ");
        percent_decoded(&spaced)
    };
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name), decode(value))
        })
        .collect()
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let mut ahead = rest.clone();
        let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
        match (byte, digit(ahead.next()), digit(ahead.next())) {
            (b'%', Some(high), Some(low)) => {
                bytes.push(u8::try_from(high * 16 + low).unwrap_or(b'?'));
                rest = ahead;
            }
            _ => bytes.push(byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

async fn body_of(listener: &Listener, request: HttpRequest) -> Result<Value, Refusal> {
    let limit = usize::try_from(listener.config.max_message.0).unwrap_or(usize::MAX);
    let is_json = request
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|text| {
            text.split(';')
                .next()
                .unwrap_or_default()
                .trim()
                .eq_ignore_ascii_case("application/json")
        });
    let bytes = read(request.into_body(), limit).await?;
    if bytes.is_empty() {
        return Ok(Value::Null);
    }
    if !is_json {
        return Err(Refusal::new(
            ErrorCode::Invalid,
            "the body is JSON, and `Content-Type` says so",
        ));
    }
    match serde_json::from_slice(&bytes) {
        Ok(body @ Value::Object(_)) => Ok(body),
        Ok(_) => Err(Refusal::new(ErrorCode::Invalid, "the body is a JSON object")),
        Err(error) => {
            Err(Refusal::new(ErrorCode::BadMessage, format!("the body is no JSON: {error}")))
        }
    }
}

pub(crate) async fn read(body: Body, limit: usize) -> Result<bytes::Bytes, Refusal> {
    to_bytes(body, limit).await.map_err(|_| {
        Refusal::new(
            ErrorCode::TooLarge,
            format!("the body has more than {limit} bytes, or did not come whole"),
        )
    })
}

async fn upload(
    State(listener): State<Arc<Listener>>,
    Extension(peer): Extension<Peer>,
    RawQuery(query): RawQuery,
    request: HttpRequest,
) -> Result<Json<Reply>, Refusal> {
    let holder = entitled(&listener, &peer, request.headers(), request.method())?;
    if !holder.may(Scope::Chat) {
        return Err(Refusal::new(ErrorCode::Forbidden, "this token may not say anything"));
    }
    let query = pairs(query.as_deref().unwrap_or_default());
    let name = query.into_iter().find(|(name, _)| name == "name").map(|(_, value)| value);
    let media_type = request
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_owned();
    let name = name.ok_or_else(|| Refusal::new(ErrorCode::Invalid, "`name` is missing"))?;
    let limit = usize::try_from(LARGEST_ATTACHMENT).unwrap_or(usize::MAX);
    let bytes = read(request.into_body(), limit).await?;
    let id = new_id()?;
    let user = holder.user.as_str();
    let about = (name, media_type, bytes.len() as u64);
    listener.uploads.begin(id.clone(), user, about, listener.clock.now_ms())?;
    Ok(Json(listener.uploads.add(user, &id, &bytes)?))
}

fn new_id() -> Result<String, RequestError> {
    new_secret().map_err(|error| RequestError::new(ErrorCode::Internal, error.to_string()))
}

/// What a token has to be allowed for a request.
fn scope_of(request: &Request) -> Scope {
    match request {
        Request::Hello { .. }
        | Request::Ping
        | Request::Status
        | Request::Seen { .. }
        | Request::Sessions { .. }
        | Request::Open { .. }
        | Request::Close { .. }
        | Request::Entries { .. }
        | Request::Export { .. }
        | Request::Search { .. }
        | Request::Models
        | Request::Tools
        | Request::Components
        | Request::Cost { .. }
        | Request::Notes { .. }
        | Request::Skills { .. }
        | Request::Policy { .. } => Scope::Read,
        Request::Create { .. }
        | Request::Rename { .. }
        | Request::Archive { .. }
        | Request::Fork { .. }
        | Request::Rewind { .. }
        | Request::Compact { .. }
        | Request::LoadSkill { .. }
        | Request::UnloadSkill { .. }
        | Request::Delete { .. }
        | Request::Settings { .. }
        | Request::Say { .. }
        | Request::Steer { .. }
        | Request::Aside { .. }
        | Request::Answer { .. }
        | Request::Cancel { .. }
        | Request::CancelAll
        | Request::UploadBegin { .. }
        | Request::UploadPart { .. }
        | Request::ForgetNote { .. } => Scope::Chat,
        Request::Revoke { .. } => Scope::Admin,
    }
}

/// Refuses what a token may not do.
pub(crate) fn check_scope(holder: &TokenHolder, request: &Request) -> Result<(), RequestError> {
    let needed = scope_of(request);
    if holder.may(needed) {
        return Ok(());
    }
    let text = format!("this token may not do that; one with `--scope {}` may", needed.name());
    Err(RequestError::new(ErrorCode::Forbidden, text))
}

/// Does what a request says, however it came.
pub(crate) async fn answer(
    listener: &Listener,
    holder: &TokenHolder,
    conversations: &Arc<dyn Conversations>,
    request: Request,
) -> Result<Reply, RequestError> {
    check_scope(holder, &request)?;
    let user = holder.user.as_str();
    match request {
        Request::Ping => Ok(Reply::Pong { at_ms: listener.clock.now_ms() }),
        Request::UploadBegin { name, media_type, bytes } => {
            let about = (name, media_type, bytes);
            listener.uploads.begin(new_id()?, user, about, listener.clock.now_ms())
        }
        Request::UploadPart { upload, data } => listener.uploads.add(user, &upload, &data.0),
        Request::Say { session, text, attachments, key, traceparent } => {
            // Its files were let go of when it was said.
            if let Some(key) = &key
                && let Some(repeated) = conversations.said(&session, key).await?
            {
                return Ok(repeated);
            }
            let mut parts = listener.uploads.parts(user, &attachments)?;
            if !text.is_empty() {
                parts.insert(0, Part::new(Content::text(text), Label::user()));
            }
            let parent = traceparent.as_deref().and_then(Parent::read);
            let saying = Saying { parts, key, parent, ..Saying::default() };
            let accepted = conversations.say_once(&session, saying).await?;
            listener.uploads.forget(user, &attachments);
            Ok(accepted)
        }
        Request::Aside { session, text, traceparent } => {
            let parent = traceparent.as_deref().and_then(Parent::read);
            conversations.aside(&session, text, parent, Arc::new(|_| {})).await
        }
        request => {
            let mut reply = conversations.request(request).await?;
            if let Reply::Status(status) = &mut reply {
                status.started_ms = listener.started_ms;
                let sockets = listener.figures.sockets.load(Ordering::Relaxed);
                status.connections = u32::try_from(sockets).unwrap_or(u32::MAX);
            }
            Ok(reply)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_decoded_and_never_panics() {
        let got = pairs("a=1+2&b=%C3%A9&c=%zz&d=%&e&%F0=%f");
        let expect =
            [("a", "1 2"), ("b", "é"), ("c", "%zz"), ("d", "%"), ("e", ""), ("\u{fffd}", "%f")];
        let expect = expect.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(got, expect);
    }
}
