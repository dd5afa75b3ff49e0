//! Answers that are kept: one that was given before to the very same request is given again, at no
//! cost. Only whole answers of the model that was asked are kept, scrubbed as the journal's are.

use super::counters::{ModelCounters, count};
use super::{Next, Started, announced, options_of};
use crate::answer::AnswerScrubber;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use hydroid_core::config::{Component, ModelCache};
use hydroid_core::id::UserId;
use hydroid_core::message::StopReason;
use hydroid_core::money::Money;
use hydroid_core::ports::{
    AnswerCache, CallContext, Clock, Completion, KeepLimits, KeptAnswer, Model, ModelEvent,
    ModelRequest,
};
use hydroid_core::reliability::{ModelNews, ModelRef, fingerprint};
use hydroid_core::scrub::LiveScrubber;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Where answers are kept, when, and what may be.
#[derive(Clone)]
pub(super) struct Keeper {
    pub(super) answers: Arc<dyn AnswerCache>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) scrubber: LiveScrubber,
}

/// The layer.
pub(super) struct Kept {
    inner: Arc<dyn Model>,
    keeper: Keeper,
    /// What is configured for each component: with another address it is another service.
    configured: BTreeMap<String, Value>,
    max_age_ms: u64,
    max_bytes: u64,
    counters: Arc<ModelCounters>,
}

/// An answer on its way, of which a copy is kept when it is whole.
struct Copied {
    answer: Box<dyn Completion>,
    /// None once it cannot be kept.
    copy: Option<Copy>,
    keeper: Keeper,
    user: UserId,
    name: String,
    limits: Limits,
}

/// What is kept, as far as it has come.
struct Copy {
    scrubber: AnswerScrubber,
    events: Vec<ModelEvent>,
    stop: Option<StopReason>,
}

#[derive(Clone, Copy)]
struct Limits {
    max_age_ms: u64,
    max_bytes: u64,
}

impl Kept {
    pub(super) fn new(
        inner: Arc<dyn Model>,
        keeper: Keeper,
        config: &ModelCache,
        components: &BTreeMap<String, Component>,
        counters: Arc<ModelCounters>,
    ) -> Result<Self, String> {
        let configured = components.iter().map(|(name, component)| {
            let settings = options_of(Some(&component.config))?.unwrap_or_default();
            Ok((name.clone(), settings))
        });
        let configured = configured.collect::<Result<_, String>>()?;
        let max_age_ms = config.max_age.0.saturating_mul(1000);
        let max_bytes = config.max_size.0;
        Ok(Self { inner, keeper, configured, max_age_ms, max_bytes, counters })
    }

    async fn find(&self, user: &UserId, name: &str) -> Option<KeptAnswer> {
        let not_before = self.keeper.clock.now_ms().saturating_sub(self.max_age_ms);
        match self.keeper.answers.kept(user, name, not_before).await {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!(%error, "kept answers cannot be read; the model is asked");
                None
            }
        }
    }
}

impl Model for Kept {
    fn complete(&self, request: ModelRequest, context: CallContext) -> BoxFuture<'_, Started> {
        async move {
            let user = context.user.clone();
            let name = fingerprint(&user, &request, self.configured.get(request.provider.as_str()));
            if let Some(found) = self.find(&user, &name).await {
                count(&self.counters.reused);
                let by = ModelRef { provider: request.provider, model: request.model };
                let news = ModelEvent::News(ModelNews::Kept { by, at_ms: found.kept_ms });
                let nothing = ModelEvent::Charged(Some(Money::ZERO));
                let first = [news, nothing].into_iter().chain(found.events).collect();
                return Ok(announced(first, Box::new(Ended)));
            }
            let answer = self.inner.complete(request, context).await?;
            let copy = Copy {
                scrubber: AnswerScrubber::new(self.keeper.scrubber.current()),
                events: Vec::new(),
                stop: None,
            };
            let limits = Limits { max_age_ms: self.max_age_ms, max_bytes: self.max_bytes };
            let keeper = self.keeper.clone();
            Ok(Box::new(Copied { answer, copy: Some(copy), keeper, user, name, limits }) as Box<_>)
        }
        .boxed()
    }
}

impl Completion for Copied {
    fn next(&mut self) -> BoxFuture<'_, Next> {
        async move {
            let next = self.answer.next().await;
            match &next {
                Err(_) => self.copy = None,
                Ok(events) if events.is_empty() => self.keep().await,
                Ok(events) => self.copy = self.copy.take().and_then(|copy| copy.with(events)),
            }
            next
        }
        .boxed()
    }
}

impl Copied {
    async fn keep(&mut self) {
        let Some(mut copy) = self.copy.take() else { return };
        let is_whole = matches!(
            copy.stop,
            Some(StopReason::EndTurn | StopReason::ToolUse | StopReason::StopSequence)
        );
        if !is_whole {
            return;
        }
        for event in copy.scrubber.finish() {
            push(&mut copy.events, event);
        }
        let now_ms = self.keeper.clock.now_ms();
        let answer = KeptAnswer { events: copy.events, kept_ms: now_ms };
        let limits = KeepLimits {
            not_before_ms: now_ms.saturating_sub(self.limits.max_age_ms),
            max_bytes: self.limits.max_bytes,
        };
        let kept = self.keeper.answers.keep(&self.user, &self.name, &answer, limits).await;
        if let Err(error) = kept {
            tracing::warn!(%error, "an answer could not be kept");
        }
    }
}

impl Copy {
    /// With these too; none if another model answers than the one that was asked.
    fn with(mut self, events: &[ModelEvent]) -> Option<Self> {
        for event in events {
            match event {
                ModelEvent::News(news) if news.answers().is_some() => return None,
                // They cost nothing when they are given again, and news are of this request.
                ModelEvent::News(_) | ModelEvent::Usage(_) | ModelEvent::Charged(_) => {}
                // So are limits and progress.
                ModelEvent::Other { kind, .. } if kind.starts_with("hydroid/") => {}
                ModelEvent::Finished(stop) => {
                    self.stop = Some(*stop);
                    for rest in self.scrubber.finish() {
                        push(&mut self.events, rest);
                    }
                    self.events.push(event.clone());
                }
                event => {
                    for clean in self.scrubber.take(event.clone()) {
                        push(&mut self.events, clean);
                    }
                }
            }
        }
        Some(self)
    }
}

/// Pieces of one text are one event, or each would be stored with a frame larger than itself.
fn push(events: &mut Vec<ModelEvent>, event: ModelEvent) {
    match (events.last_mut(), event) {
        (Some(ModelEvent::Text(said)), ModelEvent::Text(text)) => said.push_str(&text),
        (
            Some(ModelEvent::CallArguments { index, fragment }),
            ModelEvent::CallArguments { index: same, fragment: more },
        ) if *index == same => fragment.push_str(&more),
        (_, event) => events.push(event),
    }
}

/// The end of an answer.
struct Ended;

impl Completion for Ended {
    fn next(&mut self) -> BoxFuture<'_, Next> {
        async { Ok(Vec::new()) }.boxed()
    }
}
