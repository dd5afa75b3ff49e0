//! Sessions as a whole in the journal in memory, and nothing behind the ports that a hub needs
//! beside it.

use super::FakeJournal;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use hydroid_core::entry::Entry;
use hydroid_core::id::{ClientKey, SessionId, TurnId, UserId};
use hydroid_core::message::Usage;
use hydroid_core::money::Money;
use hydroid_core::ports::{
    Charge, Grouping, Hit, Inventory, Ledger, NewSession, Note, Question, Recall, RecallError,
    RequestNumber, Saying, SessionSummary, Since, Spent, SpentBy, StoreError, StoredEntry,
    StoredSession, StoredSessions, WaitingMessages,
};
use hydroid_core::protocol::{InstalledComponent, ModelOffer, Notification};
use std::sync::atomic::Ordering;

type Answer<'a, T> = BoxFuture<'a, Result<T, StoreError>>;

impl FakeJournal {
    fn any<'a>(&self, session: &SessionId, wanted: impl Fn(&Entry) -> bool) -> Answer<'a, bool> {
        let found = self.stored(session.as_str()).iter().any(|stored| wanted(&stored.entry));
        async move { Ok(found) }.boxed()
    }
}

impl FakeJournal {
    fn of(&self, user: &UserId, session: &SessionId) -> Result<StoredSession, StoreError> {
        let sessions = self.sessions.lock().unwrap();
        let (new, entries) = sessions
            .get(session)
            .filter(|(new, _)| new.user == *user)
            .ok_or_else(|| StoreError::NoSession(session.clone()))?;
        let entries: Vec<Entry> = entries.iter().map(|stored| stored.entry.clone()).collect();
        Ok(StoredSession {
            summary: SessionSummary {
                id: new.id.clone(),
                title: new.title.clone(),
                created_ms: 0,
                updated_ms: 0,
                turns: 0,
            },
            last_seq: entries.len() as u64,
            archived: false,
            forked_from: None,
            settings: crate::history::settings(&entries),
            waiting: 0,
        })
    }
}

impl WaitingMessages for FakeJournal {
    fn keep_waiting<'a>(
        &'a self,
        session: &'a SessionId,
        message: &'a Saying,
        said_into: Option<String>,
        _: u64,
    ) -> Answer<'a, u64> {
        let mut waiting = self.waiting.lock().unwrap();
        let known = waiting
            .iter()
            .find(|(of, _, place)| of == session && place.is_some() && *place == said_into);
        let number = known.and_then(|(_, said, _)| said.waiting);
        let number = number.unwrap_or_else(|| self.numbers.fetch_add(1, Ordering::SeqCst) + 1);
        if known.is_none() {
            let said = Saying { waiting: Some(number), ..message.clone() };
            waiting.push((session.clone(), said, said_into));
        }
        async move { Ok(number) }.boxed()
    }

    fn waiting<'a>(&'a self, _: &'a UserId, session: &'a SessionId) -> Answer<'a, Vec<Saying>> {
        let mut waiting = self.waiting.lock().unwrap().clone();
        waiting.retain(|(of, _, _)| of == session);
        waiting.sort_by_key(|(_, said, place)| (place.is_none(), said.waiting));
        async move { Ok(waiting.into_iter().map(|(_, said, _)| said).collect()) }.boxed()
    }

    fn with_waiting<'a>(&'a self, _: &'a UserId) -> Answer<'a, Vec<SessionId>> {
        let mut with: Vec<SessionId> =
            self.waiting.lock().unwrap().iter().map(|(of, _, _)| of.clone()).collect();
        let sessions = self.sessions.lock().unwrap();
        let unread = sessions.iter().filter(|(_, (_, entries))| has_unread(entries));
        with.extend(unread.map(|(id, _)| id.clone()));
        with.dedup();
        async move { Ok(with) }.boxed()
    }

    fn has_unread<'a>(&'a self, _: &'a UserId, session: &'a SessionId) -> Answer<'a, bool> {
        let unread = has_unread(&self.stored(session.as_str()));
        async move { Ok(unread) }.boxed()
    }

    fn forget_waiting<'a>(&'a self, _: &'a UserId, number: Option<u64>) -> Answer<'a, ()> {
        let mut waiting = self.waiting.lock().unwrap();
        waiting.retain(|(_, said, _)| number.is_some() && said.waiting != number);
        async { Ok(()) }.boxed()
    }
}

fn has_unread(entries: &[StoredEntry]) -> bool {
    let last = entries.iter().rev().find_map(|stored| match stored.entry {
        Entry::Steered { .. } => Some(true),
        Entry::TurnStarted { .. } | Entry::StepStarted { .. } | Entry::TurnEnded { .. } => {
            Some(false)
        }
        _ => None,
    });
    last.unwrap_or(false)
}

impl StoredSessions for FakeJournal {
    fn beginning_with<'a>(
        &'a self,
        user: &'a UserId,
        prefix: &'a str,
    ) -> Answer<'a, Vec<SessionId>> {
        let sessions = self.sessions.lock().unwrap();
        let own = sessions.values().filter(|(new, _)| new.user == *user);
        let found = own.map(|(new, _)| new.id.clone()).filter(|id| id.as_str().starts_with(prefix));
        let found = found.take(2).collect();
        async move { Ok(found) }.boxed()
    }

    fn described<'a>(
        &'a self,
        user: &'a UserId,
        session: &'a SessionId,
    ) -> Answer<'a, StoredSession> {
        async move { self.of(user, session) }.boxed()
    }

    fn list<'a>(&'a self, _: &'a UserId, _: bool, _: u32) -> Answer<'a, Vec<StoredSession>> {
        async { Ok(Vec::new()) }.boxed()
    }

    fn some_entries<'a>(
        &'a self,
        user: &'a UserId,
        session: &'a SessionId,
        after: u64,
        limit: u32,
    ) -> Answer<'a, Vec<StoredEntry>> {
        async move {
            self.of(user, session)?;
            let entries = self.stored(session.as_str()).into_iter();
            Ok(entries.filter(|stored| stored.seq > after).take(limit as usize).collect())
        }
        .boxed()
    }

    fn begin(&self, new: NewSession, key: ClientKey) -> Answer<'_, SessionId> {
        let begun = self.begun.lock().unwrap().get(&key).cloned();
        let id = begun.clone().unwrap_or_else(|| new.id.clone());
        if begun.is_none() {
            self.begun.lock().unwrap().insert(key, new.id.clone());
            self.sessions.lock().unwrap().insert(new.id.clone(), (new, Vec::new()));
        }
        async move { Ok(id) }.boxed()
    }

    fn was_said<'a>(
        &'a self,
        _: &'a UserId,
        session: &'a SessionId,
        key: &'a ClientKey,
    ) -> Answer<'a, bool> {
        let of_key = |said: &Saying| said.key.as_ref() == Some(key);
        if self.waiting.lock().unwrap().iter().any(|(of, said, _)| of == session && of_key(said)) {
            return async { Ok(true) }.boxed();
        }
        self.any(session, move |entry| {
            matches!(entry, Entry::TurnStarted { key: Some(known), .. } if *known == *key)
        })
    }

    fn was_steered<'a>(
        &'a self,
        _: &'a UserId,
        session: &'a SessionId,
        key: &'a ClientKey,
    ) -> Answer<'a, bool> {
        self.any(
            session,
            move |entry| matches!(entry, Entry::Steered { key: Some(known), .. } if *known == *key),
        )
    }

    fn with_an_open_turn<'a>(&'a self, _: &'a UserId) -> Answer<'a, Vec<SessionId>> {
        let sessions = self.sessions.lock().unwrap();
        let is_open = |entries: &[StoredEntry]| {
            let last = entries.iter().rev().find_map(|stored| match stored.entry {
                Entry::TurnStarted { .. } => Some(true),
                Entry::TurnEnded { .. } => Some(false),
                _ => None,
            });
            last.unwrap_or(false)
        };
        let open = sessions.values().filter(|(_, entries)| is_open(entries));
        let open = open.map(|(new, _)| new.id.clone()).collect();
        async move { Ok(open) }.boxed()
    }

    fn archive<'a>(&'a self, user: &'a UserId, session: &'a SessionId, _: bool) -> Answer<'a, ()> {
        async move { self.of(user, session).map(drop) }.boxed()
    }

    fn fork<'a>(
        &'a self,
        _: &'a SessionId,
        new: NewSession,
        _: Option<&'a TurnId>,
        _: Option<ClientKey>,
    ) -> Answer<'a, SessionId> {
        async move { Ok(new.id) }.boxed()
    }

    fn remove<'a>(&'a self, user: &'a UserId, session: &'a SessionId) -> Answer<'a, ()> {
        async move {
            self.of(user, session)?;
            self.sessions.lock().unwrap().remove(session);
            Ok(())
        }
        .boxed()
    }

    fn notify<'a>(&'a self, _: &'a UserId, notification: Notification) -> Answer<'a, ()> {
        self.untold.lock().unwrap().push(notification);
        async { Ok(()) }.boxed()
    }

    fn untold<'a>(&'a self, _: &'a UserId) -> Answer<'a, Vec<Notification>> {
        let untold = self.untold.lock().unwrap().clone();
        async move { Ok(untold) }.boxed()
    }

    fn told<'a>(&'a self, _: &'a UserId, ids: Vec<String>) -> Answer<'a, ()> {
        self.untold.lock().unwrap().retain(|untold| !ids.contains(&untold.notification));
        async { Ok(()) }.boxed()
    }
}

/// Nothing is kept, spent or installed.
pub(crate) struct Nothing;

impl Recall for Nothing {
    fn save<'a>(
        &'a self,
        _: &'a UserId,
        _: Note,
        _: u64,
    ) -> BoxFuture<'a, Result<String, RecallError>> {
        async { Err(RecallError::Full) }.boxed()
    }

    fn update<'a>(
        &'a self,
        _: &'a UserId,
        id: &'a str,
        _: Note,
        _: u64,
    ) -> BoxFuture<'a, Result<(), RecallError>> {
        async move { Err(RecallError::NoNote(id.to_owned())) }.boxed()
    }

    fn delete<'a>(&'a self, _: &'a UserId, id: &'a str) -> BoxFuture<'a, Result<(), RecallError>> {
        async move { Err(RecallError::NoNote(id.to_owned())) }.boxed()
    }

    fn search<'a>(
        &'a self,
        _: &'a UserId,
        _: Question,
    ) -> BoxFuture<'a, Result<Vec<Hit>, RecallError>> {
        async { Ok(Vec::new()) }.boxed()
    }

    fn scratchpad<'a>(
        &'a self,
        _: &'a UserId,
        _: &'a SessionId,
    ) -> BoxFuture<'a, Result<String, RecallError>> {
        async { Ok(String::new()) }.boxed()
    }

    fn write_scratchpad<'a>(
        &'a self,
        _: &'a UserId,
        _: &'a SessionId,
        _: String,
    ) -> BoxFuture<'a, Result<(), RecallError>> {
        async { Ok(()) }.boxed()
    }
}

impl Ledger for Nothing {
    fn begin(&self, _: Charge) -> BoxFuture<'_, Result<RequestNumber, StoreError>> {
        async { Ok(RequestNumber(0)) }.boxed()
    }

    fn settle(
        &self,
        _: RequestNumber,
        _: Usage,
        _: Option<Money>,
    ) -> BoxFuture<'_, Result<(), StoreError>> {
        async { Ok(()) }.boxed()
    }

    fn spent<'a>(&'a self, _: &'a UserId, _: Since<'a>) -> Answer<'a, Spent> {
        async { Ok(Spent::default()) }.boxed()
    }

    fn spent_by<'a>(
        &'a self,
        _: &'a UserId,
        _: Since<'a>,
        _: Grouping,
    ) -> Answer<'a, Vec<SpentBy>> {
        async { Ok(Vec::new()) }.boxed()
    }
}

impl Inventory for Nothing {
    fn components(&self) -> Vec<InstalledComponent> {
        Vec::new()
    }

    fn models(&self) -> BoxFuture<'_, Result<Vec<ModelOffer>, String>> {
        async { Ok(Vec::new()) }.boxed()
    }
}
