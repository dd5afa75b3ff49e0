//! Responses that were given before: each is a turn of its session, read from the journal and told
//! as it was. Nothing is kept for them, so what only the request said is not repeated.

use super::answer::{Answer, Piece};
use super::followed::Followed;
use super::responses::{Head, mark_of, parts_of};
use super::turn::{Begun, PIECES, name_session};
use super::wire::{Failure, shown};
use super::{api, entitled};
use crate::server::{Listener, Peer};
use crate::tokens::Scope;
use axum::Json;
use axum::extract::{Extension, Path, RawQuery, State};
use axum::response::{IntoResponse, Response};
use futures_util::future::BoxFuture;
use http::{HeaderMap, Method};
use hydroid_core::entry::{Entry, Outcome};
use hydroid_core::id::{SessionId, TurnId};
use hydroid_core::message::{Content, Part, Source};
use hydroid_core::ports::{Conversations, Following};
use hydroid_core::protocol::{NumberedEntry, Reply, Request, SessionMessage, Stopped};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::sync::mpsc;

/// Answers with a response as it was given.
pub(super) async fn one(
    State(listener): State<Arc<Listener>>,
    Extension(peer): Extension<Peer>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let holder = entitled(&listener, &peer, &headers, &Method::GET, Scope::Read)?;
    let streams = api::pairs(query.as_deref().unwrap_or_default())
        .iter()
        .any(|(name, value)| name == "stream" && value == "true");
    if streams {
        let text = "a response is streamed when it is given; afterwards it is read whole";
        return Err(Failure::invalid(Some("stream"), "unsupported_parameter", text));
    }
    let turn = Turn::find(listener.conversations(&holder).await?, &id).await?;
    let session = turn.session.clone();
    let mut response = Json(turn.response(id).await).into_response();
    name_session(&mut response, &session);
    Ok(response)
}

/// Answers with what was said for a response.
pub(super) async fn input(
    State(listener): State<Arc<Listener>>,
    Extension(peer): Extension<Peer>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Value>, Failure> {
    let holder = entitled(&listener, &peer, &headers, &Method::GET, Scope::Read)?;
    let turn = Turn::find(listener.conversations(&holder).await?, &id).await?;
    let item = format!("msg_in_{}", mark_of(&turn.id));
    let content: Vec<Value> = turn.said().iter().filter_map(input_part).collect();
    let message = json!({ "id": item, "type": "message", "role": "user", "status": "completed", "content": content });
    Ok(Json(json!({
        "object": "list", "data": [message], "first_id": item, "last_id": item, "has_more": false,
    })))
}

/// Takes a response back. The last one of a session leaves it as it was before; the only one takes
/// the session with it; one that others go on from stays.
pub(super) async fn delete(
    State(listener): State<Arc<Listener>>,
    Extension(peer): Extension<Peer>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Value>, Failure> {
    let holder = entitled(&listener, &peer, &headers, &Method::DELETE, Scope::Chat)?;
    let conversations = listener.conversations(&holder).await?;
    let turn = Turn::find(Arc::clone(&conversations), &id).await?;
    let session = turn.session.clone();
    let request = match (turn.before, turn.after) {
        (0, 0) => Request::Delete { session },
        (_, 0) => Request::Rewind { session, before: Some(turn.id) },
        (_, after) => {
            let text = format!("{after} later turns go on from this one; delete them first");
            return Err(Failure { status: 409, ..Failure::invalid(None, "conflict", text) });
        }
    };
    conversations.request(request).await?;
    Ok(Json(json!({ "id": id, "object": "response", "deleted": true })))
}

fn input_part(part: &Part) -> Option<Value> {
    match &part.content {
        // What the host found beside it was said by nobody.
        Content::Text { text } if part.label.source == Source::User => {
            Some(json!({ "type": "input_text", "text": text }))
        }
        Content::Media { media_type, name, .. } => {
            Some(json!({ "type": "input_file", "filename": name.as_deref().unwrap_or(media_type) }))
        }
        Content::Text { .. }
        | Content::Thinking { .. }
        | Content::ToolCall { .. }
        | Content::ToolResult { .. }
        | Content::Json { .. }
        | Content::Link { .. }
        | Content::Other { .. } => None,
    }
}

/// A turn of a session that was not taken back.
struct Turn {
    conversations: Arc<dyn Conversations>,
    session: SessionId,
    id: TurnId,
    /// Its entries.
    entries: Vec<NumberedEntry>,
    /// Turns of the session before it and after it.
    before: usize,
    after: usize,
}

impl Turn {
    async fn find(conversations: Arc<dyn Conversations>, response: &str) -> Result<Self, Failure> {
        let unknown = || {
            let text = format!("Response with id '{}' not found.", shown(response));
            Failure { status: 404, ..Failure::invalid(Some("id"), "response_not_found", text) }
        };
        let (session, mark) = parts_of(response).ok_or_else(unknown)?;
        let session = SessionId::new(session);
        let stored = entries(&conversations, &session)
            .await
            .map_err(|failure| if failure.status == 404 { unknown() } else { failure })?;
        let turns = turns(&stored);
        let place = turns.iter().position(|turn| mark_of(turn) == mark).ok_or_else(unknown)?;
        let id = turns[place].clone();
        let is_its_own = |stored: &NumberedEntry| turn_of(&stored.entry) == Some(&id);
        let entries = stored.into_iter().filter(is_its_own).collect();
        let (before, after) = (place, turns.len() - place - 1);
        Ok(Self { conversations, session, id, entries, before, after })
    }

    /// What the person said.
    fn said(&self) -> &[Part] {
        match self.entries.first().map(|stored| &stored.entry) {
            Some(Entry::TurnStarted { parts, .. }) => parts,
            _ => &[],
        }
    }

    async fn response(self, id: String) -> Value {
        let model = self.entries.iter().find_map(|stored| match &stored.entry {
            Entry::StepStarted { provider, model, .. } => Some(format!("{provider}/{model}")),
            _ => None,
        });
        let mut head = Head {
            id: String::new(),
            message: String::new(),
            created: self.entries.first().map_or(0, |stored| stored.at_ms) / 1_000,
            model: model.unwrap_or_else(|| "hydroid".to_owned()),
            stores: true,
            effort: None,
            instructions: Value::Null,
            metadata: json!({}),
            previous: Value::Null,
        };
        head.name(&self.session, &mark_of(&self.id));
        head.id = id;
        let outcome = self.entries.iter().find_map(|stored| match &stored.entry {
            Entry::TurnEnded { outcome, .. } => Some(outcome.clone()),
            _ => None,
        });
        let status = match outcome {
            None => return head.response("in_progress", json!([])),
            Some(Outcome::Cancelled | Outcome::Stopped) => "cancelled",
            Some(_) => "failed",
        };
        match self.answer().await {
            Ok(answer) => head.whole(&answer),
            Err(failure) => {
                let mut response = head.response(status, json!([]));
                response["error"] = json!({ "code": failure.code, "message": failure.message });
                response
            }
        }
    }

    /// What came of it, by whoever tells it to those who wait for one.
    async fn answer(self) -> Result<Answer, Failure> {
        let (tell, pieces) = mpsc::channel::<Piece>(PIECES);
        let session = self.session.clone();
        let messages = self.entries.into_iter().map(|stored| SessionMessage::Entry {
            session: session.clone(),
            seq: stored.seq,
            at_ms: stored.at_ms,
            entry: stored.entry,
        });
        let followed = Followed {
            conversations: self.conversations,
            following: Box::new(Recorded(messages.collect())),
            tell,
            is_next: true,
            ours: None,
            after: None,
            // What was asked then is not declined now.
            waits: true,
            was_busy: false,
            is_gone: false,
            steps: 0,
            answer: Answer::begun(session.clone()),
        };
        let telling = followed.follow();
        let hearing = Begun { session, pieces }.answer();
        futures_util::future::join(telling, hearing).await.1
    }
}

/// What happened, told again.
struct Recorded(VecDeque<SessionMessage>);

impl Following for Recorded {
    fn next(&mut self) -> BoxFuture<'_, Result<SessionMessage, (Stopped, u64)>> {
        let next = self.0.pop_front().ok_or((Stopped::Failed, 0));
        Box::pin(async move { next })
    }
}

async fn entries(
    conversations: &Arc<dyn Conversations>,
    session: &SessionId,
) -> Result<Vec<NumberedEntry>, Failure> {
    let (mut all, mut after) = (Vec::new(), 0);
    loop {
        let request = Request::Entries { session: session.clone(), after, limit: None };
        let Reply::Entries { entries, next_after, .. } = conversations.request(request).await?
        else {
            return Err(super::answer::vanished());
        };
        all.extend(entries);
        match next_after {
            Some(next) if next > after => after = next,
            Some(_) | None => return Ok(all),
        }
    }
}

/// The turns that were not taken back, in order.
fn turns(entries: &[NumberedEntry]) -> Vec<TurnId> {
    let mut turns: Vec<TurnId> = Vec::new();
    for NumberedEntry { entry, .. } in entries {
        match entry {
            Entry::TurnStarted { turn, .. } => turns.push(turn.clone()),
            Entry::Rewound { to: None } => turns.clear(),
            Entry::Rewound { to: Some(to) } => {
                let place = turns.iter().position(|turn| turn == to);
                turns.truncate(place.unwrap_or(turns.len()));
            }
            _ => {}
        }
    }
    turns
}

fn turn_of(entry: &Entry) -> Option<&TurnId> {
    match entry {
        Entry::TurnStarted { turn, .. }
        | Entry::Steered { turn, .. }
        | Entry::StepStarted { turn, .. }
        | Entry::Text { turn, .. }
        | Entry::Thinking { turn, .. }
        | Entry::Cited { turn, .. }
        | Entry::CallReceived { turn, .. }
        | Entry::ApprovalAsked { turn, .. }
        | Entry::CallEdited { turn, .. }
        | Entry::CallDecided { turn, .. }
        | Entry::CallStarted { turn, .. }
        | Entry::CallFinished { turn, .. }
        | Entry::StepEnded { turn, .. }
        | Entry::ChildAnswered { turn, .. }
        | Entry::Notice { turn, .. }
        | Entry::ModelNews { turn, .. }
        | Entry::TurnEnded { turn, .. } => Some(turn),
        Entry::SkillLoaded { turn, .. } | Entry::SkillUnloaded { turn, .. } => turn.as_ref(),
        Entry::Rewound { .. } | Entry::SettingsChanged { .. } | Entry::Compacted { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_taken_back_is_no_turn_any_more() {
        let began = |turn: &str| Entry::TurnStarted {
            turn: TurnId::new(turn),
            parts: Vec::new(),
            key: None,
        };
        let back = |to: Option<&str>| Entry::Rewound { to: to.map(TurnId::new) };
        let left = |entries: Vec<Entry>| {
            let numbered = (1..).zip(entries);
            let stored: Vec<NumberedEntry> =
                numbered.map(|(seq, entry)| NumberedEntry { seq, at_ms: 0, entry }).collect();
            turns(&stored).iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(left(vec![began("a"), began("b"), back(Some("b")), began("c")]), "a c");
        assert_eq!(left(vec![began("a"), back(None), began("b")]), "b");
        assert_eq!(left(vec![began("a"), back(Some("x"))]), "a");
    }
}
