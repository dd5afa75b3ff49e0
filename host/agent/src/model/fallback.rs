//! Other models that may answer instead: when one could not, and nothing of its answer was handed
//! on, the next is asked. Each gets its own settings and only thinking of its own provider.

use super::counters::{ModelCounters, count};
use super::{Next, Started, options_of, step};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use hydroid_core::config;
use hydroid_core::message::Message;
use hydroid_core::ports::{CallContext, Completion, Model, ModelError, ModelEvent, ModelRequest};
use hydroid_core::reliability::{ModelNews, ModelRef, own_thinking, shows};
use serde_json::Value;
use std::collections::VecDeque;
use std::sync::Arc;

/// The layer.
pub(super) struct Fallback {
    inner: Arc<dyn Model>,
    others: Vec<Other>,
    kinds: Arc<[String]>,
    counters: Arc<ModelCounters>,
}

/// A model that may answer instead.
#[derive(Clone)]
struct Other {
    model: ModelRef,
    options: Option<Value>,
}

/// An answer, of whichever model.
struct Chain {
    inner: Arc<dyn Model>,
    kinds: Arc<[String]>,
    counters: Arc<ModelCounters>,
    /// To the model that is asked.
    request: ModelRequest,
    /// The whole conversation, for those that may still be asked.
    messages: Vec<Message>,
    context: CallContext,
    left: VecDeque<Other>,
    answer: Option<Box<dyn Completion>>,
    shown: bool,
}

impl Fallback {
    pub(super) fn new(
        inner: Arc<dyn Model>,
        config: &config::Model,
        counters: Arc<ModelCounters>,
    ) -> Result<Self, String> {
        let others = config.fallback.iter().map(|other| {
            Ok(Other { model: other.model(), options: options_of(other.options.as_ref())? })
        });
        let others = others.collect::<Result<_, String>>()?;
        Ok(Self { inner, others, kinds: config.fallback_on.clone().into(), counters })
    }
}

impl Model for Fallback {
    fn complete(&self, mut request: ModelRequest, context: CallContext) -> BoxFuture<'_, Started> {
        let asked = asked(&request);
        let others = self.others.iter().filter(|other| other.model != asked);
        let left: VecDeque<Other> = others.cloned().collect();
        let messages = if left.is_empty() { Vec::new() } else { request.messages.clone() };
        request.messages = own_thinking(request.messages, &request.provider);
        let chain = Chain {
            inner: Arc::clone(&self.inner),
            kinds: Arc::clone(&self.kinds),
            counters: Arc::clone(&self.counters),
            request,
            messages,
            context,
            left,
            answer: None,
            shown: false,
        };
        async move { Ok(Box::new(chain) as Box<dyn Completion>) }.boxed()
    }
}

impl Completion for Chain {
    fn next(&mut self) -> BoxFuture<'_, Next> {
        async move {
            let asked = || (self.request.clone(), self.context.clone());
            match step(&*self.inner, &mut self.answer, asked).await {
                Ok(events) => {
                    self.shown |= events.iter().any(shows);
                    Ok(events)
                }
                Err(error) => self.failed(error),
            }
        }
        .boxed()
    }
}

impl Chain {
    fn failed(&mut self, error: ModelError) -> Next {
        if self.shown || self.context.cancel.is_cancelled() || !self.kinds.contains(&error.kind) {
            return Err(error);
        }
        let Some(other) = self.left.pop_front() else { return Err(error) };
        count(&self.counters.fallbacks);
        let from = asked(&self.request);
        let messages = if self.left.is_empty() {
            std::mem::take(&mut self.messages)
        } else {
            self.messages.clone()
        };
        self.request.messages = own_thinking(messages, &other.model.provider);
        self.request.provider = other.model.provider.clone();
        self.request.model = other.model.model.clone();
        self.request.options = other.options;
        let to = other.model;
        let news = ModelNews::FellBack { from, to, kind: error.kind, why: error.message };
        Ok(vec![ModelEvent::News(news)])
    }
}

fn asked(request: &ModelRequest) -> ModelRef {
    ModelRef { provider: request.provider.clone(), model: request.model.clone() }
}
