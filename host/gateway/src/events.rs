//! A session as server-sent events: what a socket is told of one session, for clients that only
//! read. An event that is in the journal has its number as identifier, so that a browser goes on
//! where it was cut off.

use crate::api;
use crate::refusal::Refusal;
use crate::server::{Listener, Peer, is_over};
use crate::tokens::Scope;
use axum::extract::{Extension, Path, RawQuery, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::stream::{Stream, unfold};
use http::{HeaderMap, Method};
use hydroid_core::id::SessionId;
use hydroid_core::protocol::{ErrorCode, ServerMessage, SessionMessage};
use std::convert::Infallible;
use std::sync::Arc;

/// Follows a session from after `Last-Event-ID` or `after`; from now on without either.
pub(crate) async fn follow(
    State(listener): State<Arc<Listener>>,
    Extension(peer): Extension<Peer>,
    Path(session): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Refusal> {
    let holder = api::entitled(&listener, &peer, &headers, &Method::GET)?;
    if !holder.may(Scope::Read) {
        return Err(Refusal::new(ErrorCode::Forbidden, "this token may not see sessions"));
    }
    let query = api::pairs(query.as_deref().unwrap_or_default());
    let asked = query.into_iter().find(|(name, _)| name == "after").map(|(_, value)| value);
    let last = headers.get("last-event-id").and_then(|value| value.to_str().ok());
    let after = match last.map(str::to_owned).or(asked) {
        None => None,
        Some(text) => Some(text.parse::<u64>().map_err(|_| {
            Refusal::new(ErrorCode::Invalid, "`after` is the number of an entry, at least 0")
        })?),
    };
    let conversations = listener.conversations(&holder).await?;
    let (_, following) = conversations.follow(&SessionId::new(session.clone()), after).await?;
    let ending = listener.ending.clone();
    // The place among the connections is held as long as the stream is.
    let state = (following, ending, peer, false);
    let stream = unfold(state, |(mut following, mut ending, peer, over)| async move {
        if over {
            return None;
        }
        let next = tokio::select! {
            next = following.next() => next,
            () = is_over(&mut ending) => return None,
        };
        let (event, over) = match next {
            Ok(message) => (event(&message), false),
            Err((reason, last_seq)) => {
                let data = serde_json::json!({ "reason": reason, "last_seq": last_seq });
                (Event::default().event("stopped").data(data.to_string()), true)
            }
        };
        Some((Ok(event), (following, ending, peer, over)))
    });
    Ok(Sse::new(stream).keep_alive(KeepAlive::default()))
}

fn event(message: &SessionMessage) -> Event {
    let (kind, seq) = match message {
        SessionMessage::Entry { seq, .. } => ("entry", Some(*seq)),
        SessionMessage::Progress { .. } => ("progress", None),
        SessionMessage::State { .. } => ("state", None),
    };
    let text = serde_json::to_string(&ServerMessage::Session(message.clone()));
    let event = Event::default().event(kind).data(text.unwrap_or_default());
    match seq {
        Some(seq) => event.id(seq.to_string()),
        None => event,
    }
}
