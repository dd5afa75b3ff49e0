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
    RequestNumber, SessionSummary, Since, Spent, SpentBy, StoreError, StoredEntry, StoredSession,
    StoredSessions,
};
use hydroid_core::protocol::{InstalledComponent, ModelOffer, Notification};

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
        })
    }
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
