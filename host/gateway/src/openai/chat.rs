//! Chat completions: the last message is said, and what comes of it is one choice. Which session
//! it is said in, and what becomes of that, is decided here; how a turn runs is not.

use super::answer::{Answer, Finish, Piece, vanished};
use super::said::Said;
use super::turn::{self, After, Ask, Begun, name_session};
use super::wire::Parameter::{Ignored, Read, Unless};
use super::wire::{
    APPROVALS, Failure, Parameter, SESSION, chat_usage, check_parameters, flag, given, is_empty,
    missing, new_id, shown, text, wrong_type,
};
use super::{entitled, header_text, object};
use crate::api;
use crate::server::{Listener, Peer};
use crate::tokens::Scope;
use axum::Json;
use axum::extract::{Extension, Request, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::unfold;
use http::{HeaderMap, Method};
use serde_json::{Map, Value, json};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;

const TOOLS: &str = "tools are the host's, which runs them itself; `GET /api/v1/tools` lists them";
const TEXT_ONLY: &str = "answers are text";

/// Every parameter of a chat completion.
const PARAMETERS: &[(&str, Parameter)] = &[
    ("audio", Unless(is_empty, TEXT_ONLY)),
    ("frequency_penalty", Ignored),
    ("function_call", Unless(chooses_nothing, TOOLS)),
    ("functions", Unless(is_empty, TOOLS)),
    ("logit_bias", Unless(is_empty, "the words of a model are its own")),
    ("logprobs", Unless(is_empty, "probabilities are not known")),
    ("max_completion_tokens", Ignored),
    ("max_tokens", Ignored),
    ("messages", Read),
    ("metadata", Read),
    ("modalities", Unless(is_text_alone, TEXT_ONLY)),
    ("model", Read),
    ("moderation", Unless(is_empty, "nothing is moderated here")),
    ("n", Unless(is_one, "there is one answer")),
    ("parallel_tool_calls", Ignored),
    ("prediction", Ignored),
    ("presence_penalty", Ignored),
    ("prompt_cache_key", Ignored),
    ("prompt_cache_options", Ignored),
    ("prompt_cache_retention", Ignored),
    ("reasoning_effort", Read),
    ("response_format", Unless(is_text_format, "answers are text")),
    ("safety_identifier", Ignored),
    ("seed", Ignored),
    ("service_tier", Ignored),
    ("stop", Unless(is_empty, "an answer ends where the model ends it")),
    ("store", Read),
    ("stream", Read),
    ("stream_options", Read),
    ("temperature", Ignored),
    ("tool_choice", Unless(chooses_nothing, TOOLS)),
    ("tools", Unless(is_empty, TOOLS)),
    ("top_logprobs", Unless(is_empty, "probabilities are not known")),
    ("top_p", Ignored),
    ("user", Read),
    ("verbosity", Ignored),
    ("web_search_options", Unless(|_| false, TOOLS)),
];

fn is_one(value: &Value) -> bool {
    value.as_u64() == Some(1)
}

fn is_text_alone(value: &Value) -> bool {
    *value == json!(["text"])
}

pub(crate) fn is_text_format(value: &Value) -> bool {
    value.get("type").and_then(Value::as_str) == Some("text")
}

pub(crate) fn chooses_nothing(value: &Value) -> bool {
    matches!(value.as_str(), Some("none" | "auto"))
}

/// What is asked, and how it is answered.
struct Wanted {
    ask: Ask,
    streams: bool,
    counts: bool,
}

pub(crate) async fn complete(
    State(listener): State<Arc<Listener>>,
    Extension(peer): Extension<Peer>,
    request: Request,
) -> Result<Response, Failure> {
    let headers = request.headers().clone();
    let holder = entitled(&listener, &peer, &headers, &Method::POST, Scope::Chat)?;
    let fields = object(&listener, request).await?;
    let wanted = wanted(&fields, &headers, listener.config.max_message.0)?;
    let head = Head {
        id: new_id("chatcmpl-")?,
        created: listener.clock.now_ms() / 1_000,
        model: wanted.ask.model.clone(),
    };
    let begun = turn::begin(&listener, &holder, wanted.ask).await?;
    let session = begun.session.clone();
    let mut response = if wanted.streams {
        stream(begun, head, wanted.counts, peer)
    } else {
        let answer = begun.answer().await?;
        Json(head.completion(&answer)).into_response()
    };
    name_session(&mut response, &session);
    Ok(response)
}

fn wanted(
    fields: &Map<String, Value>,
    headers: &HeaderMap,
    largest: u64,
) -> Result<Wanted, Failure> {
    check_parameters(fields, PARAMETERS)?;
    let model = text(fields, "model", "model")?.ok_or_else(|| missing("model"))?.to_owned();
    let said = Said::messages(fields, largest)?;
    let streams = flag(fields, "stream")?.unwrap_or(false);
    let counts = match given(fields, "stream_options") {
        None => false,
        Some(Value::Object(options)) => flag(options, "include_usage")?.unwrap_or(false),
        Some(_) => return Err(wrong_type("stream_options", "an object")),
    };
    let session = session(fields, headers)?;
    let after = match flag(fields, "store")? {
        Some(true) => After::Kept,
        None => After::PutAway,
        Some(false) => After::Removed,
    };
    if session.is_some() && after == After::Removed {
        return Err(keeps_session());
    }
    let effort = text(fields, "reasoning_effort", "reasoning_effort")?.map(str::to_owned);
    let waits = waits(headers)?;
    let parent = api::parent(headers);
    Ok(Wanted { ask: Ask { model, effort, session, after, waits, parent, said }, streams, counts })
}

/// A session that was named is not removed on the side.
pub(crate) fn keeps_session() -> Failure {
    let text = "a session that is named is kept: leave `store` out";
    Failure::invalid(Some("store"), "unsupported_value", text)
}

/// Whether calls wait for a person.
pub(crate) fn waits(headers: &HeaderMap) -> Result<bool, Failure> {
    match header_text(headers, APPROVALS) {
        None | Some("deny") => Ok(false),
        Some("wait") => Ok(true),
        Some(other) => {
            let text = format!("`{APPROVALS}` is `deny` or `wait`, not `{}`", shown(other));
            Err(Failure::invalid(Some(APPROVALS), "invalid_value", text))
        }
    }
}

/// The session that is named: by the header, as `metadata.session`, or as `user` after `session:`,
/// since clients write other things there.
pub(crate) fn session(
    fields: &Map<String, Value>,
    headers: &HeaderMap,
) -> Result<Option<String>, Failure> {
    let metadata = match given(fields, "metadata") {
        None => None,
        Some(Value::Object(metadata)) => text(metadata, "session", "metadata.session")?,
        Some(_) => return Err(wrong_type("metadata", "an object")),
    };
    let user = text(fields, "user", "user")?.and_then(|user| user.strip_prefix("session:"));
    let named = [header_text(headers, SESSION), metadata, user];
    Ok(named.into_iter().flatten().find(|name| !name.is_empty()).map(str::to_owned))
}

/// What every object of one answer repeats.
struct Head {
    id: String,
    created: u64,
    model: String,
}

impl Head {
    fn completion(&self, answer: &Answer) -> Value {
        let mut message = json!({ "role": "assistant", "content": answer.text, "refusal": null });
        if !answer.thinking.is_empty() {
            message["reasoning_content"] = answer.thinking.clone().into();
        }
        json!({
            "id": self.id,
            "object": "chat.completion",
            "created": self.created,
            "model": self.model,
            "choices": [{
                "index": 0,
                "message": message,
                "logprobs": null,
                "finish_reason": finish_reason(answer.finish),
            }],
            "usage": chat_usage(answer.usage),
            "hydroid": answer.hydroid(),
        })
    }

    /// A chunk; all of them have `usage` if one has.
    fn chunk(&self, counts: bool, choices: Value) -> Value {
        let mut chunk = json!({
            "id": self.id,
            "object": "chat.completion.chunk",
            "created": self.created,
            "model": self.model,
            "choices": choices,
        });
        if counts {
            chunk["usage"] = Value::Null;
        }
        chunk
    }

    fn delta(&self, counts: bool, delta: &Value, finish: Option<&str>) -> Value {
        let choice =
            json!({ "index": 0, "delta": delta, "logprobs": null, "finish_reason": finish });
        self.chunk(counts, json!([choice]))
    }

    /// What is sent for a piece.
    fn chunks(&self, counts: bool, piece: Piece) -> Vec<String> {
        match piece {
            Piece::Began(_) => Vec::new(),
            Piece::Text(text) => {
                vec![self.delta(counts, &json!({ "content": text }), None).to_string()]
            }
            Piece::Thinking(text) => {
                vec![self.delta(counts, &json!({ "reasoning_content": text }), None).to_string()]
            }
            Piece::Call(call) => {
                let mut chunk = self.delta(counts, &json!({}), None);
                chunk["hydroid"] = json!({ "call": call.object() });
                vec![chunk.to_string()]
            }
            Piece::Ended(answer) => {
                let mut last = self.delta(counts, &json!({}), Some(finish_reason(answer.finish)));
                last["hydroid"] = answer.hydroid();
                let mut chunks = vec![last.to_string()];
                if counts {
                    let mut chunk = self.chunk(counts, json!([]));
                    chunk["usage"] = chat_usage(answer.usage);
                    chunks.push(chunk.to_string());
                }
                chunks.push("[DONE]".to_owned());
                chunks
            }
            // Whatever came before it stands; the client sees that the answer is not whole.
            Piece::Failed(failure) => vec![json!({ "error": failure.object() }).to_string()],
        }
    }
}

fn finish_reason(finish: Finish) -> &'static str {
    match finish {
        Finish::Whole => "stop",
        Finish::CutOff => "length",
        Finish::Declined => "content_filter",
    }
}

fn stream(begun: Begun, head: Head, counts: bool, peer: Peer) -> Response {
    let role = json!({ "role": "assistant", "content": "", "refusal": null });
    let first = VecDeque::from([head.delta(counts, &role, None).to_string()]);
    // The place among the connections is held as long as the stream is.
    let state = (begun, head, first, false, peer);
    let stream = unfold(state, move |(mut begun, head, mut waiting, mut over, peer)| async move {
        while waiting.is_empty() {
            if over {
                return None;
            }
            let piece = begun.pieces.recv().await.unwrap_or_else(|| Piece::Failed(vanished()));
            over = matches!(piece, Piece::Ended(_) | Piece::Failed(_));
            waiting.extend(head.chunks(counts, piece));
        }
        let event = Event::default().data(waiting.pop_front()?);
        Some((Ok::<_, Infallible>(event), (begun, head, waiting, over, peer)))
    });
    Sse::new(stream).keep_alive(KeepAlive::default()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openai::wire::tests::check_complete;

    fn read(more: Value) -> Result<Wanted, Failure> {
        let mut fields =
            json!({ "model": "hydroid", "messages": [{ "role": "user", "content": "hi" }] });
        for (name, value) in more.as_object().unwrap() {
            fields[name] = value.clone();
        }
        wanted(fields.as_object().unwrap(), &HeaderMap::new(), 1_000)
    }

    #[test]
    fn every_published_parameter_is_decided_on() {
        check_complete("CreateChatCompletionRequest", PARAMETERS);
    }

    #[test]
    fn what_cannot_be_honoured_is_refused_and_what_asks_for_nothing_is_not() {
        for (name, value) in [
            ("n", json!(2)),
            ("logprobs", json!(true)),
            ("top_logprobs", json!(3)),
            ("tools", json!([{ "type": "function" }])),
            ("tool_choice", json!("required")),
            ("functions", json!([{}])),
            ("response_format", json!({ "type": "json_object" })),
            ("stop", json!(["x"])),
            ("logit_bias", json!({ "1": 2 })),
            ("modalities", json!(["text", "audio"])),
            ("audio", json!({ "voice": "a" })),
            ("web_search_options", json!({})),
        ] {
            let failure = read(json!({ (name): value })).err().unwrap();
            assert_eq!(
                (failure.code, failure.param.as_deref()),
                ("unsupported_parameter", Some(name))
            );
        }
        let unknown = read(json!({ "nonsense": 1 })).err().unwrap();
        assert_eq!(
            (unknown.code, unknown.param.as_deref()),
            ("unknown_parameter", Some("nonsense"))
        );
        read(json!({
            "n": 1, "logprobs": false, "top_logprobs": 0, "tools": [], "tool_choice": "auto",
            "response_format": { "type": "text" }, "stop": null, "logit_bias": {},
            "modalities": ["text"], "temperature": 0.2, "max_tokens": 5, "seed": 1,
        }))
        .map(drop)
        .unwrap();
    }

    #[test]
    fn values_of_another_type_are_refused_where_they_are() {
        for (name, value, param) in [
            ("model", json!(1), "model"),
            ("stream", json!("yes"), "stream"),
            ("stream_options", json!([]), "stream_options"),
            ("stream_options", json!({ "include_usage": 1 }), "include_usage"),
            ("store", json!(0), "store"),
            ("user", json!({}), "user"),
            ("metadata", json!("s"), "metadata"),
            ("metadata", json!({ "session": 1 }), "metadata.session"),
            ("reasoning_effort", json!(3), "reasoning_effort"),
        ] {
            let failure = read(json!({ (name): value })).err().unwrap();
            assert_eq!((failure.code, failure.param.as_deref()), ("invalid_type", Some(param)));
        }
        assert_eq!(
            read(json!({ "model": null })).err().unwrap().code,
            "missing_required_parameter"
        );
    }

    #[test]
    fn a_session_is_named_on_purpose() {
        let named = |more: Value| read(more).unwrap().ask.session;
        assert_eq!(named(json!({ "user": "anna", "metadata": { "a": "b" } })), None);
        assert_eq!(named(json!({ "user": "session:" })), None);
        assert_eq!(named(json!({ "user": "session:s" })).as_deref(), Some("s"));
        assert_eq!(named(json!({ "metadata": { "session": "s" } })).as_deref(), Some("s"));
        let both = read(json!({ "user": "session:s", "store": false })).err().unwrap();
        assert_eq!(both.param.as_deref(), Some("store"));
    }
}
