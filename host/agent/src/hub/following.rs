//! Following: first what the journal has, page by page, then what happens. Nothing falls between
//! the two and nothing comes twice, since both are cut at the number the room gave.

use super::refusal::stored;
use super::room::Live;
use super::{Inner, NEWS};
use futures_util::future::BoxFuture;
use hydroid_core::id::SessionId;
use hydroid_core::ports::{Following, News, StoredEntry};
use hydroid_core::protocol::{
    Activity, Notification, RequestError, ServerMessage, SessionInfo, SessionMessage, Stopped,
};
use hydroid_core::scrub::Scrubber;
use std::collections::VecDeque;
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tokio::sync::broadcast;
use tokio::time::Instant;

/// Entries that are read at once.
const PAGE: u32 = 256;

/// A session that is followed.
pub(super) struct Followed {
    hub: Arc<Inner>,
    session: SessionId,
    live: Live,
    /// The last number that was handed on, or that is not wanted.
    last: u64,
    waiting: VecDeque<StoredEntry>,
}

/// Follows a session. One that an earlier process left in the middle of a turn is brought into
/// memory, which closes the turn or asks its question again.
pub(super) async fn follow(
    hub: &Arc<Inner>,
    session: &SessionId,
    after: Option<u64>,
) -> Result<(SessionInfo, Followed), RequestError> {
    let room = hub.room(session);
    if room.activity().0 == Activity::Asleep {
        let open = hub.parts.sessions.with_an_open_turn(&hub.parts.user).await.map_err(stored)?;
        if open.contains(session) {
            match room.wake().await {
                Ok(_) => {}
                // Another process is at it; what it has written so far can be read.
                Err(error) => tracing::info!(%session, %error, "an open turn was left alone"),
            }
        }
    }
    let last_seq = hub.described(session).await?.last_seq;
    let live = room.follow(last_seq);
    let info = hub.info_of(session).await?;
    let last = after.unwrap_or(live.from);
    let followed = Followed {
        hub: Arc::clone(hub),
        session: session.clone(),
        live,
        last,
        waiting: VecDeque::new(),
    };
    Ok((info, followed))
}

/// Entries as what is secret now lets them be shown.
pub(super) fn masked(scrubber: &Scrubber, stored: Vec<StoredEntry>) -> Vec<StoredEntry> {
    let (places, entries): (Vec<_>, Vec<_>) =
        stored.into_iter().map(|stored| ((stored.seq, stored.at_ms), stored.entry)).unzip();
    let entries = scrubber.known_entries(entries);
    let with_place = |((seq, at_ms), entry)| StoredEntry { seq, at_ms, entry };
    places.into_iter().zip(entries).map(with_place).collect()
}

impl Followed {
    async fn next(&mut self) -> Result<SessionMessage, (Stopped, u64)> {
        loop {
            if let Some(StoredEntry { seq, at_ms, entry }) = self.waiting.pop_front() {
                self.last = seq;
                let session = self.session.clone();
                return Ok(SessionMessage::Entry { session, seq, at_ms, entry });
            }
            if self.last < self.live.from {
                self.read().await?;
                continue;
            }
            match self.live.messages.recv().await {
                Some(SessionMessage::Entry { seq, .. }) if seq <= self.last => {}
                Some(message) => {
                    if let SessionMessage::Entry { seq, .. } = &message {
                        self.last = *seq;
                    }
                    return Ok(message);
                }
                None => {
                    let end = self.live.end.lock().unwrap_or_else(PoisonError::into_inner);
                    return Err((end.unwrap_or(Stopped::ShuttingDown), self.last));
                }
            }
        }
    }

    async fn read(&mut self) -> Result<(), (Stopped, u64)> {
        let parts = &self.hub.parts;
        let read = parts.sessions.some_entries(&parts.user, &self.session, self.last, PAGE).await;
        let read = read.map_err(|error| {
            tracing::error!(session = %self.session, %error, "a session could not be read");
            (Stopped::Failed, self.last)
        })?;
        let scrubber = parts.agent.parts().scrubber.current();
        let until = self.live.from;
        self.waiting = masked(&scrubber, read).into();
        self.waiting.retain(|stored| stored.seq <= until);
        if self.waiting.is_empty() {
            // The rest is of a later version.
            self.last = until;
        }
        Ok(())
    }
}

impl Following for Followed {
    fn next(&mut self) -> BoxFuture<'_, Result<SessionMessage, (Stopped, u64)>> {
        Box::pin(self.next())
    }
}

/// Between two times that a client is told which sessions changed: each client is told of each
/// session of its user, and where many are at work each change at once would be most of the work.
const CHANGES_APART: Duration = Duration::from_millis(500);

/// What concerns the user as a whole.
pub(super) struct Told {
    untold: VecDeque<Notification>,
    news: broadcast::Receiver<ServerMessage>,
    /// How sessions are by now, the one that changed first at the front.
    changed: VecDeque<SessionInfo>,
    /// The same, as far as it is time to tell them.
    due: VecDeque<SessionInfo>,
    /// When it is time again.
    next: Instant,
}

impl Told {
    pub(super) fn new(untold: Vec<Notification>, news: broadcast::Receiver<ServerMessage>) -> Self {
        Self {
            untold: untold.into(),
            news,
            changed: VecDeque::new(),
            due: VecDeque::new(),
            next: Instant::now(),
        }
    }

    async fn next(&mut self) -> Option<ServerMessage> {
        if let Some(notification) = self.untold.pop_front() {
            return Some(ServerMessage::Notification { notification });
        }
        loop {
            if self.due.is_empty() && !self.changed.is_empty() && self.next <= Instant::now() {
                self.due = std::mem::take(&mut self.changed);
                self.next = Instant::now() + CHANGES_APART;
            }
            if let Some(session) = self.due.pop_front() {
                return Some(ServerMessage::SessionChanged { session });
            }
            let received = tokio::select! {
                received = self.news.recv() => received,
                () = tokio::time::sleep_until(self.next), if !self.changed.is_empty() => continue,
            };
            match received {
                Ok(ServerMessage::SessionChanged { session }) => {
                    let same = |other: &&mut SessionInfo| other.session == session.session;
                    match self.changed.iter_mut().find(same) {
                        Some(other) => *other = session,
                        None => self.changed.push_back(session),
                    }
                }
                Ok(ServerMessage::SessionDeleted { session }) => {
                    self.changed.retain(|other| other.session != session);
                    return Some(ServerMessage::SessionDeleted { session });
                }
                Ok(message) => return Some(message),
                // The next one says how things are by then.
                Err(broadcast::error::RecvError::Lagged(lost)) => {
                    tracing::debug!(lost, "a client is more than {NEWS} news behind");
                }
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }
}

impl News for Told {
    fn next(&mut self) -> BoxFuture<'_, Option<ServerMessage>> {
        Box::pin(self.next())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;
    use serde_json::json;

    fn changed(session: &str, seq: u64) -> ServerMessage {
        let session = json!({
            "session": session, "title": "t", "created_ms": 1, "updated_ms": seq, "last_seq": seq,
            "turns": 1, "activity": "working", "archived": false, "queued": 0, "settings": {},
        });
        serde_json::from_value(json!({ "type": "session_changed", "session": session })).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn changes_of_sessions_are_told_at_once_and_then_in_passes() {
        let (tell, news) = broadcast::channel(64);
        let mut told = Told::new(Vec::new(), news);
        let began = Instant::now();
        tell.send(changed("a", 1)).unwrap();
        assert_eq!(told.next().await, Some(changed("a", 1)));
        assert_eq!(began.elapsed(), Duration::ZERO);
        for seq in 2..9 {
            tell.send(changed("a", seq)).unwrap();
            tell.send(changed("b", seq)).unwrap();
            tell.send(changed("gone", seq)).unwrap();
            assert_eq!(told.next().now_or_never(), None);
        }
        let deleted = ServerMessage::SessionDeleted { session: SessionId::new("gone") };
        tell.send(deleted.clone()).unwrap();
        assert_eq!(told.next().await, Some(deleted));
        assert_eq!(told.next().await, Some(changed("a", 8)));
        assert_eq!(began.elapsed(), CHANGES_APART);
        assert_eq!(told.next().await, Some(changed("b", 8)));
        assert_eq!(told.next().now_or_never(), None, "what is gone did not change");
        drop(tell);
        assert_eq!(told.next().await, None);
    }
}
