//! Time limits on an answer: to its first piece, and between two pieces. When one has passed the
//! answer is dropped, which closes the connection. Not the time limit of a turn.

use super::counters::{ModelCounters, count};
use super::{Next, Started};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use hydroid_core::config;
use hydroid_core::ports::{CallContext, Completion, Model, ModelError, ModelEvent, ModelRequest};
use hydroid_core::reliability::length;
use std::sync::Arc;
use std::time::Duration;

/// The layer.
pub(super) struct Timeouts {
    inner: Arc<dyn Model>,
    first_event: Duration,
    idle: Duration,
    counters: Arc<ModelCounters>,
}

struct Timed {
    /// None once the answer was dropped.
    answer: Option<Box<dyn Completion>>,
    first: Option<Vec<ModelEvent>>,
    idle: Duration,
    counters: Arc<ModelCounters>,
}

impl Timeouts {
    pub(super) fn new(
        inner: Arc<dyn Model>,
        times: &config::Timeouts,
        counters: Arc<ModelCounters>,
    ) -> Self {
        let first_event = Duration::from_secs(times.first_event.0);
        Self { inner, first_event, idle: Duration::from_secs(times.idle.0), counters }
    }
}

impl Model for Timeouts {
    fn complete(&self, request: ModelRequest, context: CallContext) -> BoxFuture<'_, Started> {
        async move {
            count(&self.counters.requests);
            let begun = async {
                let mut answer = self.inner.complete(request, context).await?;
                let first = answer.next().await?;
                Ok((answer, first))
            };
            let begun = tokio::time::timeout(self.first_event, begun).await;
            let (answer, first) = begun.map_err(|_| {
                count(&self.counters.timeouts);
                too_slow(self.first_event, "sent nothing of an answer", "first_event")
            })??;
            let counters = Arc::clone(&self.counters);
            let timed =
                Timed { answer: Some(answer), first: Some(first), idle: self.idle, counters };
            Ok(Box::new(timed) as Box<dyn Completion>)
        }
        .boxed()
    }
}

impl Completion for Timed {
    fn next(&mut self) -> BoxFuture<'_, Next> {
        async move {
            if let Some(first) = self.first.take() {
                return Ok(first);
            }
            let Some(answer) = &mut self.answer else { return Ok(Vec::new()) };
            if let Ok(next) = tokio::time::timeout(self.idle, answer.next()).await {
                return next;
            }
            self.answer = None;
            count(&self.counters.timeouts);
            Err(too_slow(self.idle, "stopped in the middle of its answer", "idle"))
        }
        .boxed()
    }
}

fn too_slow(time: Duration, what: &str, key: &str) -> ModelError {
    ModelError {
        kind: "timeout".to_owned(),
        message: format!(
            "the service {what} for {}, so the connection was closed; say `go on` to try again, or raise `model.timeouts.{key}`",
            length(time)
        ),
        retry_after_ms: Some(0),
        sent: true,
    }
}
