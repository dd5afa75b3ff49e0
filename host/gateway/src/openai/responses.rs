//! Responses: the input is said, and what comes of it is one message. A response that goes on from
//! another is said in the same session.

use super::answer::{Answer, Finish, Piece, vanished};
use super::chat::{chooses_nothing, is_text_format, keeps_session, session, waits};
use super::said::Said;
use super::turn::{self, After, Ask, Begun, name_session};
use super::wire::Parameter::{Ignored, Read, Unless};
use super::wire::{
    Failure, Parameter, check_parameters, flag, given, is_empty, missing, new_id, response_usage,
    shown, text, wrong_type,
};
use super::{entitled, object};
use crate::api;
use crate::server::{Listener, Peer};
use crate::tokens::Scope;
use axum::Json;
use axum::extract::{Extension, Request, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::unfold;
use http::{HeaderMap, Method};
use hydroid_core::id::{SessionId, TurnId};
use serde_json::{Map, Value, json};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;

const TOOLS: &str = "tools are the host's, which runs them itself; `GET /api/v1/tools` lists them";

/// Every parameter of a response.
const PARAMETERS: &[(&str, Parameter)] = &[
    ("background", Unless(is_empty, "an answer is waited for, or streamed")),
    ("context_management", Ignored),
    (
        "conversation",
        Unless(is_empty, "conversations are sessions; name one by `previous_response_id`"),
    ),
    ("include", Ignored),
    ("input", Read),
    ("instructions", Read),
    ("max_output_tokens", Ignored),
    ("max_tool_calls", Unless(|_| false, "`turn.max_steps` is the operator's")),
    ("metadata", Read),
    ("model", Read),
    ("moderation", Unless(is_empty, "nothing is moderated here")),
    ("parallel_tool_calls", Ignored),
    ("previous_response_id", Read),
    ("prompt", Unless(is_empty, "prompts are not kept here")),
    ("prompt_cache_key", Ignored),
    ("prompt_cache_options", Ignored),
    ("prompt_cache_retention", Ignored),
    ("reasoning", Read),
    ("safety_identifier", Ignored),
    ("service_tier", Ignored),
    ("store", Read),
    ("stream", Read),
    ("stream_options", Ignored),
    ("temperature", Ignored),
    ("text", Unless(is_plain, "answers are text")),
    ("tool_choice", Unless(chooses_nothing, TOOLS)),
    ("tools", Unless(is_empty, TOOLS)),
    ("top_logprobs", Unless(is_empty, "probabilities are not known")),
    ("top_p", Ignored),
    ("truncation", Ignored),
    ("user", Read),
];

fn is_plain(value: &Value) -> bool {
    value.as_object().is_some_and(|text| given(text, "format").is_none_or(is_text_format))
}

pub(crate) async fn respond(
    State(listener): State<Arc<Listener>>,
    Extension(peer): Extension<Peer>,
    request: Request,
) -> Result<Response, Failure> {
    let headers = request.headers().clone();
    let holder = entitled(&listener, &peer, &headers, &Method::POST, Scope::Chat)?;
    let fields = object(&listener, request).await?;
    let (ask, streams) = wanted(&fields, &headers, listener.config.max_message.0)?;
    // Until its turn begins it has another name, which only a failure shows.
    let mark = new_id("")?;
    let repeated = |name: &str| fields.get(name).cloned().unwrap_or_default();
    let mut head = Head {
        id: String::new(),
        message: String::new(),
        created: listener.clock.now_ms() / 1_000,
        model: ask.model.clone(),
        stores: ask.after == After::Kept,
        effort: ask.effort.clone(),
        instructions: repeated("instructions"),
        metadata: given(&fields, "metadata").cloned().unwrap_or_else(|| json!({})),
        previous: repeated("previous_response_id"),
    };
    let begun = turn::begin(&listener, &holder, ask).await?;
    let session = begun.session.clone();
    head.name(&session, &mark);
    let mut response = if streams {
        stream(begun, head, peer)
    } else {
        let answer = begun.answer().await?;
        if let Some(turn) = &answer.turn {
            head.name(&session, &mark_of(turn));
        }
        Json(head.whole(&answer)).into_response()
    };
    name_session(&mut response, &session);
    Ok(response)
}

fn wanted(
    fields: &Map<String, Value>,
    headers: &HeaderMap,
    largest: u64,
) -> Result<(Ask, bool), Failure> {
    check_parameters(fields, PARAMETERS)?;
    let model = text(fields, "model", "model")?.ok_or_else(|| missing("model"))?.to_owned();
    let said = Said::input(fields, largest)?;
    let previous = text(fields, "previous_response_id", "previous_response_id")?;
    let previous = previous.map(session_of).transpose()?;
    let session = previous.or(session(fields, headers)?);
    let after = match flag(fields, "store")? {
        None | Some(true) => After::Kept,
        Some(false) if session.is_some() => return Err(keeps_session()),
        Some(false) => After::Removed,
    };
    let effort = match given(fields, "reasoning") {
        None => None,
        Some(Value::Object(reasoning)) => text(reasoning, "effort", "reasoning.effort")?,
        Some(_) => return Err(wrong_type("reasoning", "an object")),
    };
    let (effort, waits) = (effort.map(str::to_owned), waits(headers)?);
    let streams = flag(fields, "stream")?.unwrap_or(false);
    let parent = api::parent(headers);
    Ok((Ask { model, effort, session, after, waits, parent, said }, streams))
}

/// The identifier of a response has its session in it, so nothing is kept to find it again.
fn response_id(session: &SessionId, mark: &str) -> String {
    format!("resp_{session}_{mark}")
}

/// What of a response's identifier says which turn of its session it is.
pub(super) fn mark_of(turn: &TurnId) -> String {
    turn.as_str().chars().filter(char::is_ascii_alphanumeric).collect()
}

fn session_of(response: &str) -> Result<String, Failure> {
    let session = parts_of(response).map(|(session, _)| session);
    session.map(str::to_owned).ok_or_else(|| {
        let text = format!("Previous response with id '{}' not found.", shown(response));
        let param = Some("previous_response_id");
        Failure { status: 404, ..Failure::invalid(param, "previous_response_not_found", text) }
    })
}

/// The session and the mark in a response's identifier.
pub(super) fn parts_of(response: &str) -> Option<(&str, &str)> {
    let (session, mark) = response.strip_prefix("resp_")?.rsplit_once('_')?;
    (!session.is_empty()).then_some((session, mark))
}

/// What every object of one response repeats.
pub(super) struct Head {
    pub(super) id: String,
    pub(super) message: String,
    pub(super) created: u64,
    pub(super) model: String,
    pub(super) stores: bool,
    pub(super) effort: Option<String>,
    pub(super) instructions: Value,
    pub(super) metadata: Value,
    pub(super) previous: Value,
}

impl Head {
    pub(super) fn name(&mut self, session: &SessionId, mark: &str) {
        self.id = response_id(session, mark);
        self.message = format!("msg_{mark}");
    }

    pub(super) fn response(&self, status: &str, output: Value) -> Value {
        json!({
            "id": self.id,
            "object": "response",
            "created_at": self.created,
            "status": status,
            "background": false,
            "error": null,
            "incomplete_details": null,
            "instructions": self.instructions,
            "max_output_tokens": null,
            "metadata": self.metadata,
            "model": self.model,
            "output": output,
            "parallel_tool_calls": true,
            "previous_response_id": self.previous,
            "reasoning": { "effort": self.effort, "summary": null },
            "store": self.stores,
            "temperature": null,
            "text": { "format": { "type": "text" } },
            "tool_choice": "auto",
            "tools": [],
            "top_p": null,
            "truncation": "disabled",
            "usage": null,
            "user": null,
        })
    }

    fn item(&self, status: &str, content: Value) -> Value {
        json!({ "id": self.message, "type": "message", "status": status, "role": "assistant", "content": content })
    }

    pub(super) fn whole(&self, answer: &Answer) -> Value {
        let (status, why) = match answer.finish {
            Finish::Whole => ("completed", None),
            Finish::CutOff => ("incomplete", Some("max_output_tokens")),
            Finish::Declined => ("incomplete", Some("content_filter")),
        };
        let item = self.item(status, json!([part(&answer.text)]));
        let mut response = self.response(status, json!([item]));
        if let Some(why) = why {
            response["incomplete_details"] = json!({ "reason": why });
        }
        response["usage"] = response_usage(answer.usage);
        response["hydroid"] = answer.hydroid();
        response
    }
}

fn part(text: &str) -> Value {
    json!({ "type": "output_text", "text": text, "annotations": [], "logprobs": [] })
}

/// A response as it is streamed.
struct Streaming {
    begun: Begun,
    head: Head,
    waiting: VecDeque<Value>,
    sequence: u64,
    has_begun: bool,
    has_item: bool,
    is_over: bool,
    /// The place among the connections is held as long as the stream is.
    _peer: Peer,
}

fn stream(begun: Begun, head: Head, peer: Peer) -> Response {
    let streaming = Streaming {
        begun,
        head,
        waiting: VecDeque::new(),
        sequence: 0,
        has_begun: false,
        has_item: false,
        is_over: false,
        _peer: peer,
    };
    let stream = unfold(streaming, |mut streaming| async move {
        let event = streaming.next().await?;
        Some((Ok::<_, Infallible>(event), streaming))
    });
    Sse::new(stream).keep_alive(KeepAlive::default()).into_response()
}

impl Streaming {
    async fn next(&mut self) -> Option<Event> {
        while self.waiting.is_empty() {
            if self.is_over {
                return None;
            }
            let piece = self.begun.pieces.recv().await;
            self.take(piece.unwrap_or_else(|| Piece::Failed(vanished())));
        }
        let event = self.waiting.pop_front()?;
        let kind = event["type"].as_str().unwrap_or_default();
        Some(Event::default().event(kind).data(event.to_string()))
    }

    fn push(&mut self, kind: &str, mut event: Value) {
        event["type"] = kind.into();
        event["sequence_number"] = self.sequence.into();
        self.sequence += 1;
        self.waiting.push_back(event);
    }

    /// An event about the text of the message.
    fn push_content(&mut self, kind: &str, mut event: Value) {
        event["item_id"] = self.head.message.clone().into();
        event["output_index"] = 0.into();
        event["content_index"] = 0.into();
        self.push(kind, event);
    }

    fn begin_response(&mut self) {
        if std::mem::replace(&mut self.has_begun, true) {
            return;
        }
        for kind in ["response.created", "response.in_progress"] {
            let response = self.head.response("in_progress", json!([]));
            self.push(kind, json!({ "response": response }));
        }
    }

    fn begin_item(&mut self) {
        self.begin_response();
        if !self.has_item {
            self.has_item = true;
            let item = self.head.item("in_progress", json!([]));
            self.push("response.output_item.added", json!({ "output_index": 0, "item": item }));
            self.push_content("response.content_part.added", json!({ "part": part("") }));
        }
    }

    fn take(&mut self, piece: Piece) {
        match piece {
            Piece::Began(turn) => {
                let session = self.begun.session.clone();
                self.head.name(&session, &mark_of(&turn));
                self.begin_response();
            }
            Piece::Text(text) => {
                self.begin_item();
                let event = json!({ "delta": text, "logprobs": [] });
                self.push_content("response.output_text.delta", event);
            }
            // Clients refuse events they do not know; calls are in the last one.
            Piece::Thinking(_) | Piece::Call(_) => {}
            Piece::Ended(answer) => {
                self.is_over = true;
                self.begin_item();
                let event = json!({ "text": answer.text, "logprobs": [] });
                self.push_content("response.output_text.done", event);
                let event = json!({ "part": part(&answer.text) });
                self.push_content("response.content_part.done", event);
                let response = self.head.whole(&answer);
                let event = json!({ "output_index": 0, "item": response["output"][0] });
                self.push("response.output_item.done", event);
                let kind = match answer.finish {
                    Finish::Whole => "response.completed",
                    Finish::CutOff | Finish::Declined => "response.incomplete",
                };
                self.push(kind, json!({ "response": response }));
            }
            Piece::Failed(failure) => {
                self.is_over = true;
                self.begin_response();
                let mut response = self.head.response("failed", json!([]));
                response["error"] = json!({ "code": failure.code, "message": failure.message });
                self.push("response.failed", json!({ "response": response }));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openai::wire::tests::check_complete;

    #[test]
    fn a_response_is_found_again_by_its_own_name() {
        let id = response_id(&SessionId::new("019a_b-c"), "0f");
        assert_eq!(session_of(&id).as_deref(), Ok("019a_b-c"));
        for wrong in ["", "resp_", "resp__x", "resp_x", "x_y_z", "é"] {
            let failure = session_of(wrong).unwrap_err();
            assert_eq!((failure.status, failure.code), (404, "previous_response_not_found"));
        }
    }

    #[test]
    fn every_published_parameter_is_decided_on() {
        check_complete("CreateResponse", PARAMETERS);
    }

    #[test]
    fn what_cannot_be_honoured_is_refused() {
        let read = |name: &str, value: Value| {
            let mut fields = json!({ "model": "hydroid", "input": "hi" });
            fields[name] = value;
            wanted(fields.as_object().unwrap(), &HeaderMap::new(), 1_000).map(drop)
        };
        for (name, value) in [
            ("background", json!(true)),
            ("conversation", json!("c")),
            ("tools", json!([{ "type": "web_search" }])),
            ("text", json!({ "format": { "type": "json_schema" } })),
            ("prompt", json!({ "id": "p" })),
            ("max_tool_calls", json!(1)),
        ] {
            let failure = read(name, value).unwrap_err();
            assert_eq!(
                (failure.code, failure.param.as_deref()),
                ("unsupported_parameter", Some(name))
            );
        }
        for (name, value) in [
            ("background", json!(false)),
            ("text", json!({ "verbosity": "low" })),
            ("include", json!(["reasoning.encrypted_content"])),
            ("reasoning", json!({ "effort": "low", "summary": "auto" })),
            ("store", json!(false)),
        ] {
            read(name, value).unwrap();
        }
        assert_eq!(read("reasoning", json!("low")).unwrap_err().code, "invalid_type");
        assert_eq!(read("nonsense", json!(1)).unwrap_err().code, "unknown_parameter");
    }
}
