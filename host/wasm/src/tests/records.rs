//! Keys and notes held in memory, for tests of what components may do with them. It keeps the
//! ports' promises on owners and nothing else: no ranking, no limits, no words.

use futures_util::future::{BoxFuture, ready};
use hydroid_core::audit::AuditEvent;
use hydroid_core::id::{SessionId, UserId};
use hydroid_core::ports::{
    Audit, Clock, Hit, KeyError, KeyOwner, KeyValues, Note, Origin, Question, Recall, RecallError,
    StoreError,
};
use std::collections::BTreeMap;
use std::sync::Mutex;

/// What time it is in every test: 2023-11-14 22:13:20 UTC.
pub(crate) const NOW_MS: u64 = 1_700_000_000_000;

/// Owner and key.
type Place = (String, String, String);

pub(crate) struct Records {
    pub(crate) keys: Mutex<BTreeMap<Place, Vec<u8>>>,
    pub(crate) notes: Mutex<Vec<(UserId, Note, u64)>>,
    pub(crate) scratchpads: Mutex<BTreeMap<(UserId, SessionId), String>>,
    /// What was asked, as the port saw it.
    pub(crate) questions: Mutex<Vec<Question>>,
    /// What was audited.
    pub(crate) audited: Mutex<Vec<AuditEvent>>,
    /// Audit events that are still taken.
    pub(crate) audits_left: Mutex<usize>,
    /// The database refuses everything.
    pub(crate) broken: Mutex<bool>,
    /// Every note is a secret place.
    pub(crate) secret: Mutex<bool>,
}

impl Default for Records {
    fn default() -> Self {
        Self {
            keys: Mutex::default(),
            notes: Mutex::default(),
            scratchpads: Mutex::default(),
            questions: Mutex::default(),
            audited: Mutex::default(),
            audits_left: Mutex::new(usize::MAX),
            broken: Mutex::default(),
            secret: Mutex::default(),
        }
    }
}

impl Records {
    fn check(&self) -> Result<(), StoreError> {
        let source = "/home/person/hydroid.db is damaged".into();
        let broken = *self.broken.lock().unwrap();
        if broken { Err(StoreError::Database { doing: "do that", source }) } else { Ok(()) }
    }

    fn note(&self, user: &UserId, id: &str) -> Result<usize, RecallError> {
        self.check()?;
        let index = id.strip_prefix("note-").and_then(|id| id.parse::<usize>().ok());
        let index = index.ok_or_else(|| RecallError::NotANote(id.into()))?;
        let notes = self.notes.lock().unwrap();
        let mine = notes.get(index).is_some_and(|(owner, _, _)| owner == user);
        if mine { Ok(index) } else { Err(RecallError::NoNote(id.into())) }
    }
}

fn place(owner: KeyOwner<'_>, key: &str) -> Place {
    (owner.user.to_string(), owner.component.to_string(), key.to_owned())
}

impl KeyValues for Records {
    fn get<'a>(
        &'a self,
        owner: KeyOwner<'a>,
        key: &'a str,
    ) -> BoxFuture<'a, Result<Option<Vec<u8>>, KeyError>> {
        let value = self.keys.lock().unwrap().get(&place(owner, key)).cloned();
        Box::pin(ready(self.check().map(|()| value).map_err(KeyError::from)))
    }

    fn set<'a>(
        &'a self,
        owner: KeyOwner<'a>,
        key: &'a str,
        value: Vec<u8>,
    ) -> BoxFuture<'a, Result<(), KeyError>> {
        let place = place(owner, key);
        let mut keys = self.keys.lock().unwrap();
        let mine = keys.iter().filter(|(other, _)| (&other.0, &other.1) == (&place.0, &place.1));
        let used = mine.map(|(other, value)| (other.2.len() + value.len()) as u64).sum();
        if used + (key.len() + value.len()) as u64 > owner.quota && !keys.contains_key(&place) {
            return Box::pin(ready(Err(KeyError::Full { used, quota: owner.quota })));
        }
        keys.insert(place, value);
        Box::pin(ready(self.check().map_err(KeyError::from)))
    }

    fn delete<'a>(
        &'a self,
        owner: KeyOwner<'a>,
        key: &'a str,
    ) -> BoxFuture<'a, Result<(), KeyError>> {
        self.keys.lock().unwrap().remove(&place(owner, key));
        Box::pin(ready(self.check().map_err(KeyError::from)))
    }

    fn keys<'a>(
        &'a self,
        owner: KeyOwner<'a>,
        prefix: &'a str,
        after: Option<&'a str>,
        limit: u32,
    ) -> BoxFuture<'a, Result<Vec<String>, KeyError>> {
        let (user, component, _) = place(owner, "");
        let keys = self.keys.lock().unwrap();
        let mine = keys.keys().filter(|place| place.0 == user && place.1 == component);
        let fitting = mine.map(|place| place.2.clone()).filter(|key| key.starts_with(prefix));
        let later = fitting.filter(|key| after.is_none_or(|after| key.as_str() > after));
        let found = later.take(limit as usize).collect();
        Box::pin(ready(self.check().map(|()| found).map_err(KeyError::from)))
    }
}

impl Recall for Records {
    fn save<'a>(
        &'a self,
        user: &'a UserId,
        note: Note,
        now_ms: u64,
    ) -> BoxFuture<'a, Result<String, RecallError>> {
        let mut notes = self.notes.lock().unwrap();
        notes.push((user.clone(), note, now_ms));
        let id = format!("note-{}", notes.len() - 1);
        Box::pin(ready(self.check().map(|()| id).map_err(RecallError::from)))
    }

    fn update<'a>(
        &'a self,
        user: &'a UserId,
        id: &'a str,
        note: Note,
        _: u64,
    ) -> BoxFuture<'a, Result<(), RecallError>> {
        Box::pin(ready(self.note(user, id).map(|index| self.notes.lock().unwrap()[index].1 = note)))
    }

    fn delete<'a>(
        &'a self,
        user: &'a UserId,
        id: &'a str,
    ) -> BoxFuture<'a, Result<(), RecallError>> {
        let nobody = UserId::new("forgotten");
        let found = self.note(user, id);
        Box::pin(ready(found.map(|index| self.notes.lock().unwrap()[index].0 = nobody)))
    }

    fn search<'a>(
        &'a self,
        user: &'a UserId,
        question: Question,
    ) -> BoxFuture<'a, Result<Vec<Hit>, RecallError>> {
        let notes = self.notes.lock().unwrap();
        let mine = notes
            .iter()
            .enumerate()
            .filter(|(_, (owner, note, _))| owner == user && note.text().contains(&question.words));
        let hits = mine.map(|(index, (_, note, at))| Hit {
            id: format!("note-{index}"),
            text: note.text().to_owned(),
            score: 0.5,
            secret: *self.secret.lock().unwrap(),
            created_ms: *at,
            from: Origin::Note { tags: note.tags().clone(), updated_ms: *at, own: false },
            vouched: false,
            why: hydroid_core::ports::Why::default(),
        });
        let hits = hits.take(question.limit as usize).collect();
        self.questions.lock().unwrap().push(question);
        Box::pin(ready(self.check().map(|()| hits).map_err(RecallError::from)))
    }

    fn scratchpad<'a>(
        &'a self,
        user: &'a UserId,
        session: &'a SessionId,
    ) -> BoxFuture<'a, Result<String, RecallError>> {
        let place = (user.clone(), session.clone());
        let text = self.scratchpads.lock().unwrap().get(&place).cloned().unwrap_or_default();
        Box::pin(ready(self.check().map(|()| text).map_err(RecallError::from)))
    }

    fn write_scratchpad<'a>(
        &'a self,
        user: &'a UserId,
        session: &'a SessionId,
        text: String,
    ) -> BoxFuture<'a, Result<(), RecallError>> {
        self.scratchpads.lock().unwrap().insert((user.clone(), session.clone()), text);
        Box::pin(ready(self.check().map_err(RecallError::from)))
    }
}

impl Audit for Records {
    fn record(&self, event: AuditEvent) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            // A database takes its time, in which a call may be cancelled.
            tokio::task::yield_now().await;
            let left = self.audits_left.lock().unwrap().checked_sub(1);
            let source = "the disk is full".into();
            let left = left.ok_or(StoreError::Database { doing: "do that", source })?;
            *self.audits_left.lock().unwrap() = left;
            self.audited.lock().unwrap().push(event);
            tokio::task::yield_now().await;
            self.check()
        })
    }
}

impl Clock for Records {
    fn now_ms(&self) -> u64 {
        NOW_MS
    }
}
