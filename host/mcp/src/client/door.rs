//! The HTTP transport of the client, over the port: there is no second way out. A redirect is not
//! followed, and what is answered is limited by the door and by the limits here.

use super::listening::Listening;
use bytes::Bytes;
use futures_util::stream::{BoxStream, StreamExt as _, unfold};
use hydroid_core::ports::{RemoteAnswer, RemoteError, RemoteRequest, Remotes};
use rmcp::ErrorData;
use rmcp::model::{
    ClientJsonRpcMessage, ClientRequest, ErrorCode, JsonRpcMessage, ServerJsonRpcMessage,
};
use rmcp::transport::streamable_http_client::{
    AuthRequiredError, InsufficientScopeError, StreamableHttpClient, StreamableHttpError,
    StreamableHttpPostResponse, StreamableHttpResponseLimits,
};
use sse_stream::{Error as SseError, Sse, SseStream};
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

type Headers = HashMap<http::HeaderName, http::HeaderValue>;

const EVENTS: &str = "text/event-stream";
const JSON: &str = "application/json";
const SESSION: &str = "mcp-session-id";

/// Reaches one server through the door.
#[derive(Clone)]
pub(super) struct Door {
    server: Arc<str>,
    remotes: Arc<dyn Remotes>,
    listening: Listening,
}

type Failed = StreamableHttpError<RemoteError>;

impl Door {
    pub(super) fn to(server: &str, remotes: Arc<dyn Remotes>) -> Self {
        Self { server: server.into(), remotes, listening: Listening::not_yet() }
    }

    async fn send(
        &self,
        method: &str,
        uri: &str,
        body: Vec<u8>,
        headers: Vec<(&str, String)>,
        custom: Headers,
    ) -> Result<Box<dyn RemoteAnswer>, Failed> {
        let mut lines: Vec<(String, String)> =
            headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        for (name, value) in &custom {
            if let Ok(value) = value.to_str() {
                lines.push((name.as_str().to_owned(), value.to_owned()));
            }
        }
        let request =
            RemoteRequest { url: uri.to_owned(), method: method.to_owned(), headers: lines, body };
        self.remotes.send(&self.server, request).await.map_err(StreamableHttpError::Client)
    }
}

fn with_session(
    mut headers: Vec<(&'static str, String)>,
    session: Option<&Arc<str>>,
) -> Vec<(&'static str, String)> {
    headers.extend(session.map(|session| (SESSION, session.to_string())));
    headers
}

/// What the service wants to be shown, if it refused for that.
fn challenged(answer: &dyn RemoteAnswer) -> Option<Failed> {
    let challenges = answer.challenges();
    let is_bearer = |challenge: &&String| {
        challenge.get(..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case("bearer"))
    };
    let challenge = challenges.iter().find(is_bearer).or(challenges.first()).cloned();
    match answer.status() {
        401 => Some(StreamableHttpError::AuthRequired(AuthRequiredError::new(
            challenge.unwrap_or_default(),
        ))),
        403 => challenge.map(|challenge| {
            StreamableHttpError::InsufficientScope(InsufficientScopeError::new(challenge, None))
        }),
        _ => None,
    }
}

async fn whole(answer: &mut dyn RemoteAnswer, most: usize) -> Result<Vec<u8>, Failed> {
    let mut body = Vec::new();
    while let Some(piece) = answer.next().await.map_err(StreamableHttpError::Client)? {
        if body.len() + piece.len() > most {
            return Err(StreamableHttpError::ResponseBodyTooLarge { max_size: most });
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}

fn is(answer: &dyn RemoteAnswer, media_type: &str) -> bool {
    let found = answer.header("content-type").unwrap_or_default();
    found.split(';').next().is_some_and(|its| its.trim().eq_ignore_ascii_case(media_type))
}

fn events(answer: Box<dyn RemoteAnswer>) -> BoxStream<'static, Result<Sse, SseError>> {
    let pieces = unfold(Some(answer), |answer| async move {
        let mut answer = answer?;
        match answer.next().await {
            Ok(None) => None,
            Ok(Some(piece)) => Some((Ok(Bytes::from(piece)), Some(answer))),
            Err(error) => Some((Err(error), None)),
        }
    });
    SseStream::from_bytes_stream(pieces.boxed()).boxed()
}

/// What a refusal to be discovered is to the client, which goes on by it. An error of the protocol
/// is that error: it may name the versions the server speaks. A server of before 2026-07-28 refuses
/// in some way of HTTP, which is a method that is not there.
fn undiscovered(
    message: &ClientJsonRpcMessage,
    status: u16,
    body: &[u8],
) -> Option<ServerJsonRpcMessage> {
    let ClientJsonRpcMessage::Request(request) = message else { return None };
    let refused = matches!(request.request, ClientRequest::DiscoverRequest(_))
        && (400..500).contains(&status);
    refused.then(|| {
        let error = match serde_json::from_slice::<ServerJsonRpcMessage>(body) {
            Ok(JsonRpcMessage::Error(refusal)) => refusal.error,
            Ok(_) | Err(_) => ErrorData::new(ErrorCode::METHOD_NOT_FOUND, "server/discover", None),
        };
        // Whoever refuses before the request is read cannot say which one it was.
        JsonRpcMessage::error(error, Some(request.id.clone()))
    })
}

impl StreamableHttpClient for Door {
    type Error = RemoteError;

    async fn post_message(
        &self,
        uri: Arc<str>,
        message: ClientJsonRpcMessage,
        session_id: Option<Arc<str>>,
        _: Option<String>,
        custom: Headers,
    ) -> Result<StreamableHttpPostResponse, Failed> {
        let limits = StreamableHttpResponseLimits::default();
        self.post_message_with_response_limits(uri, message, session_id, None, custom, limits).await
    }

    async fn post_message_with_response_limits(
        &self,
        uri: Arc<str>,
        message: ClientJsonRpcMessage,
        session_id: Option<Arc<str>>,
        _: Option<String>,
        custom: Headers,
        limits: StreamableHttpResponseLimits,
    ) -> Result<StreamableHttpPostResponse, Failed> {
        if session_id.is_some() && matches!(message, ClientJsonRpcMessage::Request(_)) {
            self.listening.awaited().await;
        }
        let body = serde_json::to_vec(&message)?;
        let headers =
            vec![("content-type", JSON.to_owned()), ("accept", format!("{EVENTS}, {JSON}"))];
        let headers = with_session(headers, session_id.as_ref());
        let mut answer = self.send("POST", &uri, body, headers, custom).await?;
        if let Some(challenged) = challenged(&*answer) {
            return Err(challenged);
        }
        let status = answer.status();
        let session = answer.header(SESSION);
        if matches!(status, 202 | 204) {
            return Ok(StreamableHttpPostResponse::Accepted);
        }
        if status == 404 && session_id.is_some() {
            return Err(StreamableHttpError::SessionExpired);
        }
        let awaits_nothing = !matches!(message, ClientJsonRpcMessage::Request(_));
        if !(200..300).contains(&status) {
            let is_json = is(&*answer, JSON);
            let body = whole(&mut *answer, limits.max_json_response_size).await?;
            if let Some(refused) = undiscovered(&message, status, &body) {
                return Ok(StreamableHttpPostResponse::Json(refused, session));
            }
            if is_json
                && let Ok(error @ JsonRpcMessage::Error(_)) =
                    serde_json::from_slice::<ServerJsonRpcMessage>(&body)
            {
                return Ok(StreamableHttpPostResponse::Json(error, session));
            }
            let place = answer.header("location").filter(|_| (300..400).contains(&status));
            let text = match place {
                Some(place) => format!(
                    "status {status}: it leads on to `{place}`, which is not followed; add the server with that address if you trust it"
                ),
                None => format!("status {status}"),
            };
            return Err(StreamableHttpError::UnexpectedServerResponse(Cow::Owned(text)));
        }
        if is(&*answer, EVENTS) {
            return Ok(StreamableHttpPostResponse::Sse(events(answer), session));
        }
        if awaits_nothing {
            return Ok(StreamableHttpPostResponse::Accepted);
        }
        if !is(&*answer, JSON) {
            return Err(StreamableHttpError::UnexpectedContentType(answer.header("content-type")));
        }
        let body = whole(&mut *answer, limits.max_json_response_size).await?;
        let message = serde_json::from_slice(&body)?;
        Ok(StreamableHttpPostResponse::Json(message, session))
    }

    async fn delete_session(
        &self,
        uri: Arc<str>,
        session_id: Arc<str>,
        _: Option<String>,
        custom: Headers,
    ) -> Result<(), Failed> {
        let headers = with_session(Vec::new(), Some(&session_id));
        let answer = self.send("DELETE", &uri, Vec::new(), headers, custom).await?;
        match answer.status() {
            405 => Err(StreamableHttpError::ServerDoesNotSupportDeleteSession),
            _ => Ok(()),
        }
    }

    async fn get_stream(
        &self,
        uri: Arc<str>,
        session_id: Option<Arc<str>>,
        last_event_id: Option<String>,
        _: Option<String>,
        custom: Headers,
    ) -> Result<BoxStream<'static, Result<Sse, SseError>>, Failed> {
        let mut headers = vec![("accept", EVENTS.to_owned())];
        let is_first = last_event_id.is_none();
        headers.extend(last_event_id.map(|id| ("last-event-id", id)));
        let headers = with_session(headers, session_id.as_ref());
        let answer = self.send("GET", &uri, Vec::new(), headers, custom).await;
        if is_first {
            self.listening.decided();
        }
        let answer = answer?;
        if let Some(challenged) = challenged(&*answer) {
            return Err(challenged);
        }
        match answer.status() {
            405 => Err(StreamableHttpError::ServerDoesNotSupportSse),
            404 if session_id.is_some() => Err(StreamableHttpError::SessionExpired),
            200 if is(&*answer, EVENTS) => Ok(events(answer)),
            200 => Err(StreamableHttpError::UnexpectedContentType(answer.header("content-type"))),
            status => Err(StreamableHttpError::UnexpectedServerResponse(Cow::Owned(format!(
                "status {status}"
            )))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rmcp::model::{DiscoverRequest, DiscoverRequestParams, PingRequest, RequestId};

    fn discover() -> ClientJsonRpcMessage {
        let request = DiscoverRequest::new(DiscoverRequestParams {});
        JsonRpcMessage::request(ClientRequest::DiscoverRequest(request), RequestId::Number(7))
    }

    #[track_caller]
    fn check(body: &str, expect: (ErrorCode, Option<serde_json::Value>)) {
        let refused = undiscovered(&discover(), 400, body.as_bytes());
        let Some(JsonRpcMessage::Error(refused)) = refused else { panic!("{refused:?}") };
        assert_eq!(refused.id, Some(RequestId::Number(7)), "{body}");
        assert_eq!((refused.error.code, refused.error.data), expect, "{body}");
    }

    #[test]
    fn a_refusal_in_words_of_the_protocol_is_what_it_says() {
        let data = serde_json::json!({ "supported": ["2026-07-28"], "requested": "x" });
        let refusal = |id: &str| {
            format!(
                r#"{{"jsonrpc":"2.0",{id}"error":{{"code":-32022,"message":"m","data":{data}}}}}"#
            )
        };
        for id in ["", r#""id":null,"#, r#""id":7,"#, r#""id":"server-error","#] {
            check(&refusal(id), (ErrorCode::UNSUPPORTED_PROTOCOL_VERSION, Some(data.clone())));
        }
    }

    #[test]
    fn any_other_refusal_is_a_method_that_is_not_there() {
        for body in ["", "Bad Request", "{}", r#"{"jsonrpc":"2.0","id":7,"result":{}}"#] {
            check(body, (ErrorCode::METHOD_NOT_FOUND, None));
        }
    }

    #[test]
    fn only_discovery_is_refused_so() {
        let ping = ClientRequest::PingRequest(PingRequest::default());
        let ping = JsonRpcMessage::request(ping, RequestId::Number(7));
        assert!(undiscovered(&ping, 400, b"").is_none());
        assert!(undiscovered(&discover(), 500, b"").is_none());
    }
}
