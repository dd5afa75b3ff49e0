//! Memory as the host uses it: notes and search over the database, with an embedder if there is
//! one, and the task that gives new chunks their vectors. Without an embedder, or while it does
//! not answer, everything works by words.

use crate::database::Database;
use crate::embedding::{EmbeddingError, Progress};
use crate::search::{Meaning, Search};
use crate::vectors::Quantised;
use futures_util::future::BoxFuture;
use hydroid_core::id::{SessionId, UserId};
use hydroid_core::ports::{
    EmbedPurpose, Embedder, Hit, Note, Order, Question, Recall, RecallError,
};
use hydroid_core::retrieval::fusion::Tuning;
use hydroid_core::telemetry::Trace;
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::task::JoinHandle;

/// How long a question may wait for its vector; then words alone answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// How often the task looks for what another process wrote.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// How long it lets more come before it embeds what was written.
const GATHER: Duration = Duration::from_millis(200);

/// How long it waits after a failure, and at most after many.
const FIRST_WAIT: Duration = Duration::from_secs(5);
const LONGEST_WAIT: Duration = Duration::from_secs(600);

/// Notes, search and scratchpads by words and by meaning. Clones share it.
#[derive(Clone)]
pub struct Memory {
    database: Database,
    embedder: Arc<OnceLock<Arc<dyn Embedder>>>,
    tuning: Tuning,
    /// Ends with the last clone.
    indexing: Option<Arc<Indexing>>,
}

/// The task that gives chunks their vectors. Dropping it ends it, at any moment, without loss.
#[derive(Debug)]
struct Indexing {
    task: JoinHandle<()>,
}

impl Drop for Indexing {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Memory {
    /// Memory over a database. How hits are weighed may be said anew with each question.
    pub fn new(database: Database, embedder: Option<Arc<dyn Embedder>>, tuning: Tuning) -> Self {
        let embedder = Arc::new(embedder.map_or_else(OnceLock::new, OnceLock::from));
        Self { database, embedder, tuning, indexing: None }
    }

    /// Uses an embedder from now on, in all clones. The first stays.
    pub fn use_embedder(&self, embedder: Arc<dyn Embedder>) {
        drop(self.embedder.set(embedder));
    }

    /// The database below.
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// The embedder, if there is one.
    pub fn embedder(&self) -> Option<&Arc<dyn Embedder>> {
        self.embedder.get()
    }

    /// Searches with more hits than a tool may have, files as one hit each.
    pub async fn search_documents(
        &self,
        user: &UserId,
        question: Question,
        most: usize,
    ) -> Result<Vec<Hit>, RecallError> {
        let mut search = self.prepared(user, question).await;
        (search.limit, search.one_per_file) = (most, true);
        self.database.find(user, search).await
    }

    /// Gives every chunk of a user that has none its vector, telling how far it is. Without an
    /// embedder there is nothing to do.
    pub async fn embed_all(
        &self,
        user: &UserId,
        mut tell: impl FnMut(Progress) + Send,
    ) -> Result<Progress, String> {
        let Some(embedder) = self.embedder.get() else { return Ok(Progress::default()) };
        let sentence = |error: EmbeddingError| with_cause(&error);
        let described = embedder.describe().await.map_err(|error| error.to_string())?;
        let row =
            self.database.embedder_row(&described).await.map_err(|error| with_cause(&error))?;
        let counted =
            self.database.progress(user, row).await.map_err(|error| with_cause(&error))?;
        let mut progress = counted;
        tell(progress);
        let mut after = 0;
        while let Some(last) =
            self.database.embed_next(user, &**embedder, row, after).await.map_err(sentence)?
        {
            progress.done = progress.done.saturating_add(64).min(progress.total);
            after = last;
            tell(progress);
        }
        self.database.forget_other_embedders(row).await.map_err(|error| with_cause(&error))?;
        self.database.progress(user, row).await.map_err(|error| with_cause(&error))
    }

    /// The same memory, which from now on gives new chunks of a user their vectors for as long as
    /// it is there. Without an embedder there is nothing to give.
    #[must_use]
    pub fn indexing(mut self, user: UserId) -> Self {
        if self.embedder.get().is_none() {
            return self;
        }
        let memory = self.clone();
        let task = tokio::spawn(async move { memory.index(&user).await });
        self.indexing = Some(Arc::new(Indexing { task }));
        self
    }

    /// Gives vectors to what is written, for as long as it is polled: to all that has none, and
    /// from then on to what came after it.
    async fn index(&self, user: &UserId) {
        let mut wait = FIRST_WAIT;
        let mut done = None;
        loop {
            let written = self.database.written().notified();
            match self.embed_after(user, done).await {
                Ok(last) => {
                    wait = FIRST_WAIT;
                    done = Some(last);
                    if tokio::time::timeout(LOOK_AGAIN, written).await.is_err() {
                        // Another process, or an embedder that was changed.
                        done = None;
                    } else {
                        tokio::time::sleep(GATHER).await;
                    }
                }
                Err(problem) => {
                    tracing::info!(%problem, "memory was not given vectors; words still find it");
                    tokio::time::sleep(wait).await;
                    wait = (wait * 2).min(LONGEST_WAIT);
                    done = None;
                }
            }
        }
    }

    /// Gives vectors to chunks behind one, or to all; returns the last that has one. Numbers of
    /// chunks only grow.
    async fn embed_after(&self, user: &UserId, done: Option<i64>) -> Result<i64, String> {
        let Some(embedder) = self.embedder.get() else { return Ok(0) };
        let described = embedder.describe().await.map_err(|error| error.to_string())?;
        let row =
            self.database.embedder_row(&described).await.map_err(|error| with_cause(&error))?;
        // Before looking, so that what comes meanwhile is behind it.
        let newest = self.database.newest_chunk(user).await.map_err(|error| with_cause(&error))?;
        let mut after = done.unwrap_or(0);
        while let Some(last) = self
            .database
            .embed_next(user, &**embedder, row, after)
            .await
            .map_err(|error: EmbeddingError| with_cause(&error))?
        {
            after = last;
        }
        if done.is_none() {
            self.database.forget_other_embedders(row).await.map_err(|error| with_cause(&error))?;
        }
        Ok(after.max(newest))
    }

    /// A search with the meaning of its question, if an embedder tells it in time.
    async fn prepared(&self, user: &UserId, question: Question) -> Search {
        let mut search = Search::of(question, self.tuning);
        let needs_none = search.question.order == Order::Newest
            || search.question.words.trim().is_empty()
            || search.tuning.weights.vector + search.tuning.weights.vector_window <= 0.0;
        let Some(embedder) = self.embedder.get().filter(|_| !needs_none) else { return search };
        let (words, within) = (search.question.words.clone(), search.question.trace.clone());
        let meaning = self.meaning(user, &**embedder, words, within);
        match tokio::time::timeout(PATIENCE, meaning).await {
            Ok(Ok(meaning)) => search.meaning = Some(meaning),
            Ok(Err(problem)) => {
                tracing::warn!(%problem, "a question has no vector; it is searched by words");
            }
            Err(_) => tracing::warn!("the embedder does not answer; searching by words"),
        }
        search
    }

    async fn meaning(
        &self,
        user: &UserId,
        embedder: &dyn Embedder,
        words: String,
        within: Option<Trace>,
    ) -> Result<Meaning, String> {
        let described = embedder.describe().await.map_err(|error| error.to_string())?;
        let row =
            self.database.embedder_row(&described).await.map_err(|error| with_cause(&error))?;
        let vectors = embedder
            .embed(user, vec![words], EmbedPurpose::Query, within)
            .await
            .map_err(|error| error.to_string())?;
        let vector = vectors.into_iter().next().ok_or("the embedder gave no vector")?;
        Ok(Meaning { embedder: row, question: Quantised::of(&vector) })
    }
}

fn with_cause(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

impl Recall for Memory {
    fn save<'a>(
        &'a self,
        user: &'a UserId,
        note: Note,
        now_ms: u64,
    ) -> BoxFuture<'a, Result<String, RecallError>> {
        Box::pin(async move {
            let id = self.database.save(user, note, now_ms).await?;
            self.database.written().notify_waiters();
            Ok(id)
        })
    }

    fn update<'a>(
        &'a self,
        user: &'a UserId,
        id: &'a str,
        note: Note,
        now_ms: u64,
    ) -> BoxFuture<'a, Result<(), RecallError>> {
        Box::pin(async move {
            self.database.update(user, id, note, now_ms).await?;
            self.database.written().notify_waiters();
            Ok(())
        })
    }

    fn delete<'a>(
        &'a self,
        user: &'a UserId,
        id: &'a str,
    ) -> BoxFuture<'a, Result<(), RecallError>> {
        self.database.delete(user, id)
    }

    fn search<'a>(
        &'a self,
        user: &'a UserId,
        question: Question,
    ) -> BoxFuture<'a, Result<Vec<Hit>, RecallError>> {
        Box::pin(async move {
            let search = self.prepared(user, question).await;
            self.database.find(user, search).await
        })
    }

    fn scratchpad<'a>(
        &'a self,
        user: &'a UserId,
        session: &'a SessionId,
    ) -> BoxFuture<'a, Result<String, RecallError>> {
        self.database.scratchpad(user, session)
    }

    fn write_scratchpad<'a>(
        &'a self,
        user: &'a UserId,
        session: &'a SessionId,
        text: String,
    ) -> BoxFuture<'a, Result<(), RecallError>> {
        self.database.write_scratchpad(user, session, text)
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").field("database", &self.database).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
