//! The ports of a database that refuses everything: what is measured keeps nothing, and a bench
//! that began to would be told so instead of measuring the wrong thing.

use futures_util::future::{BoxFuture, FutureExt, ready};
use hydroid_core::audit::AuditEvent;
use hydroid_core::id::{SessionId, UserId};
use hydroid_core::ports::{
    Audit, Clock, Hit, KeyError, KeyOwner, KeyValues, Note, Question, Recall, RecallError,
    StoreError,
};

/// No database, and a clock that stands.
pub(crate) struct Unkept;

impl Clock for Unkept {
    fn now_ms(&self) -> u64 {
        1_760_000_000_000
    }
}

impl Audit for Unkept {
    fn record(&self, _: AuditEvent) -> BoxFuture<'_, Result<(), StoreError>> {
        ready(Ok(())).boxed()
    }
}

type Keyed<'a, T> = BoxFuture<'a, Result<T, KeyError>>;

impl KeyValues for Unkept {
    fn get<'a>(&'a self, _: KeyOwner<'a>, _: &'a str) -> Keyed<'a, Option<Vec<u8>>> {
        refused()
    }

    fn set<'a>(&'a self, _: KeyOwner<'a>, _: &'a str, _: Vec<u8>) -> Keyed<'a, ()> {
        refused()
    }

    fn delete<'a>(&'a self, _: KeyOwner<'a>, _: &'a str) -> Keyed<'a, ()> {
        refused()
    }

    fn keys<'a>(
        &'a self,
        _: KeyOwner<'a>,
        _: &'a str,
        _: Option<&'a str>,
        _: u32,
    ) -> Keyed<'a, Vec<String>> {
        refused()
    }
}

type Recalled<'a, T> = BoxFuture<'a, Result<T, RecallError>>;

impl Recall for Unkept {
    fn save<'a>(&'a self, _: &'a UserId, _: Note, _: u64) -> Recalled<'a, String> {
        refused()
    }

    fn update<'a>(&'a self, _: &'a UserId, _: &'a str, _: Note, _: u64) -> Recalled<'a, ()> {
        refused()
    }

    fn delete<'a>(&'a self, _: &'a UserId, _: &'a str) -> Recalled<'a, ()> {
        refused()
    }

    fn search<'a>(&'a self, _: &'a UserId, _: Question) -> Recalled<'a, Vec<Hit>> {
        refused()
    }

    fn scratchpad<'a>(&'a self, _: &'a UserId, _: &'a SessionId) -> Recalled<'a, String> {
        refused()
    }

    fn write_scratchpad<'a>(
        &'a self,
        _: &'a UserId,
        _: &'a SessionId,
        _: String,
    ) -> Recalled<'a, ()> {
        refused()
    }
}

fn refused<'a, T: Send + 'a, E: From<StoreError> + Send + 'a>() -> BoxFuture<'a, Result<T, E>> {
    let error = StoreError::Database { doing: "answer a bench", source: "there is none".into() };
    ready(Err(E::from(error))).boxed()
}
