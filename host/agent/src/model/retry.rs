//! Repetition: a request that failed before anything of its answer was handed on is sent again,
//! after a wait that a cancel ends at once. What is waited for is told before.

use super::counters::{ModelCounters, count};
use super::{Next, Started, step};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use hydroid_core::message::Usage;
use hydroid_core::money::Money;
use hydroid_core::ports::{CallContext, Completion, Model, ModelError, ModelEvent, ModelRequest};
use hydroid_core::reliability::{Backoff, Decision, ModelNews, ModelRef, broke_off, shows};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// The layer.
pub(super) struct Retry {
    shared: Arc<Shared>,
}

struct Shared {
    inner: Arc<dyn Model>,
    backoff: Backoff,
    random: Arc<dyn Fn() -> u64 + Send + Sync>,
    counters: Arc<ModelCounters>,
}

/// An answer, over however many requests it takes.
struct Attempts {
    shared: Arc<Shared>,
    request: ModelRequest,
    context: CallContext,
    answer: Option<Box<dyn Completion>>,
    /// The wait before the next request.
    wait: Option<Duration>,
    /// The number of the request under way, from 1.
    attempt: u32,
    began: Instant,
    shown: bool,
    /// The model failed so often that it is left alone now, which was told.
    left_alone: bool,
    /// What failed requests used, as far as they said.
    spent: Usage,
    /// What the request under way used so far.
    used: Usage,
    /// What failed requests cost; none once nobody can tell.
    paid: Option<Money>,
    /// What the request under way has cost so far.
    costs: Option<Money>,
}

impl Retry {
    pub(super) fn new(
        inner: Arc<dyn Model>,
        backoff: Backoff,
        random: Arc<dyn Fn() -> u64 + Send + Sync>,
        counters: Arc<ModelCounters>,
    ) -> Self {
        Self { shared: Arc::new(Shared { inner, backoff, random, counters }) }
    }
}

impl Model for Retry {
    fn complete(&self, request: ModelRequest, context: CallContext) -> BoxFuture<'_, Started> {
        let attempts = Attempts {
            shared: Arc::clone(&self.shared),
            request,
            context,
            answer: None,
            wait: None,
            attempt: 1,
            began: Instant::now(),
            shown: false,
            left_alone: false,
            spent: Usage::default(),
            used: Usage::default(),
            paid: Some(Money::ZERO),
            costs: Some(Money::ZERO),
        };
        async move { Ok(Box::new(attempts) as Box<dyn Completion>) }.boxed()
    }
}

impl Completion for Attempts {
    fn next(&mut self) -> BoxFuture<'_, Next> {
        async move {
            self.pause().await?;
            let shared = Arc::clone(&self.shared);
            let asked = || (self.request.clone(), self.context.clone());
            let next = step(&*shared.inner, &mut self.answer, asked).await;
            let failed = match next {
                Err(error) => error,
                Ok(events) => match broke_off(&events).filter(|_| !self.shown) {
                    Some(error) => {
                        self.answer = None;
                        self.note_usage(&events);
                        error
                    }
                    None => return Ok(self.counted(events)),
                },
            };
            self.failed(failed)
        }
        .boxed()
    }
}

impl Attempts {
    /// Waits for the time of the next request.
    async fn pause(&mut self) -> Result<(), ModelError> {
        let Some(wait) = self.wait.take() else { return Ok(()) };
        tokio::select! {
            biased;
            () = self.context.cancel.cancelled() => Err(ModelError {
                kind: "cancelled".to_owned(),
                message: "the request was not sent again, because the turn was cancelled".to_owned(),
                retry_after_ms: None,
                sent: false,
            }),
            () = tokio::time::sleep(wait) => Ok(()),
        }
    }

    fn failed(&mut self, error: ModelError) -> Next {
        if self.shown {
            return Err(error);
        }
        if self.left_alone {
            // Another request would only be refused here, so none is promised.
            return Err(error);
        }
        let Shared { backoff, random, counters, .. } = &*self.shared;
        match backoff.decide(&error, self.attempt, self.began.elapsed(), random()) {
            Decision::Stop { told } if told.is_empty() => Err(error),
            Decision::Stop { told } => {
                Err(ModelError { message: format!("{}; {told}", error.message), ..error })
            }
            Decision::Again { wait } => {
                count(&counters.retries);
                self.attempt += 1;
                self.wait = Some(wait);
                self.spent += std::mem::take(&mut self.used);
                self.paid = together(self.paid, self.costs.replace(Money::ZERO));
                Ok(vec![ModelEvent::News(ModelNews::Retrying {
                    of: ModelRef {
                        provider: self.request.provider.clone(),
                        model: self.request.model.clone(),
                    },
                    kind: error.kind,
                    why: error.message,
                    wait_ms: u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
                    attempt: self.attempt,
                    attempts: backoff.attempts,
                    sent: error.sent,
                })])
            }
        }
    }

    /// What is handed on, with what failed requests used added.
    fn counted(&mut self, events: Vec<ModelEvent>) -> Vec<ModelEvent> {
        self.note_usage(&events);
        self.shown |= events.iter().any(shows);
        let (spent, paid) = (self.spent, self.paid);
        let counted = events.into_iter().map(|event| match event {
            ModelEvent::Usage(mut usage) => {
                usage += spent;
                ModelEvent::Usage(usage)
            }
            ModelEvent::Charged(cost) => ModelEvent::Charged(together(paid, cost)),
            other => other,
        });
        counted.collect()
    }

    fn note_usage(&mut self, events: &[ModelEvent]) {
        for event in events {
            match event {
                ModelEvent::Usage(usage) => self.used = *usage,
                ModelEvent::Charged(cost) => self.costs = *cost,
                ModelEvent::News(ModelNews::LeftAlone { of, for_ms, .. }) => {
                    self.left_alone |= *for_ms > 0
                        && of.provider == self.request.provider
                        && of.model == self.request.model;
                }
                _ => {}
            }
        }
    }
}

/// Two costs; none if nobody can tell one of them.
fn together(one: Option<Money>, other: Option<Money>) -> Option<Money> {
    Some(one?.plus(other?))
}
