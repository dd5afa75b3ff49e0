//! Other models that may answer instead: when one could not, and nothing of its answer was handed
//! on, the next is asked. Each gets its own settings, as much of the conversation as it has room for,
//! tools only if it calls any, and only thinking of its own provider.

use super::counters::{ModelCounters, count};
use super::{Next, Started, options_of, step};
use crate::effects::{AnswerRoom, spec_length};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use hydroid_core::config;
use hydroid_core::context;
use hydroid_core::models::{Models, fit_media};
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
    known: Known,
    counters: Arc<ModelCounters>,
}

/// What a request to another model is made of.
#[derive(Clone)]
struct Known {
    models: Arc<Models>,
    /// As configured for whichever model answers.
    temperature: Option<f32>,
    max_output: Option<u32>,
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
    known: Known,
    counters: Arc<ModelCounters>,
    /// To the model that is asked.
    request: ModelRequest,
    /// What was asked, for those that may still be asked.
    whole: Option<ModelRequest>,
    context: CallContext,
    left: VecDeque<Other>,
    answer: Option<Box<dyn Completion>>,
    shown: bool,
}

impl Fallback {
    pub(super) fn new(
        inner: Arc<dyn Model>,
        config: &config::Model,
        models: Arc<Models>,
        counters: Arc<ModelCounters>,
    ) -> Result<Self, String> {
        let others = config.fallback.iter().map(|other| {
            Ok(Other { model: other.model(), options: options_of(other.options.as_ref())? })
        });
        let others = others.collect::<Result<_, String>>()?;
        let known =
            Known { models, temperature: config.temperature, max_output: config.max_output_tokens };
        Ok(Self { inner, others, kinds: config.fallback_on.clone().into(), known, counters })
    }
}

impl Model for Fallback {
    fn complete(&self, mut request: ModelRequest, context: CallContext) -> BoxFuture<'_, Started> {
        let asked = asked(&request);
        let others = self.others.iter().filter(|other| other.model != asked);
        let left: VecDeque<Other> = others.cloned().collect();
        let whole = (!left.is_empty()).then(|| request.clone());
        request.messages = own_thinking(request.messages, &request.provider);
        let chain = Chain {
            inner: Arc::clone(&self.inner),
            kinds: Arc::clone(&self.kinds),
            known: self.known.clone(),
            counters: Arc::clone(&self.counters),
            request,
            whole,
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
    fn failed(&mut self, mut error: ModelError) -> Next {
        if self.shown || self.context.cancel.is_cancelled() || !self.kinds.contains(&error.kind) {
            return Err(error);
        }
        let Some(whole) = &self.whole else { return Err(error) };
        while let Some(other) = self.left.pop_front() {
            let from = asked(&self.request);
            let to = other.model.clone();
            match self.known.request(whole, other) {
                Ok(request) => {
                    count(&self.counters.fallbacks);
                    self.request = request;
                    let news =
                        ModelNews::FellBack { from, to, kind: error.kind, why: error.message };
                    return Ok(vec![ModelEvent::News(news)]);
                }
                // The next one may have room.
                Err(problem) => {
                    error.message =
                        format!("{}; {to} cannot answer instead: {problem}", error.message);
                }
            }
        }
        Err(error)
    }
}

impl Known {
    /// The request as another model takes it; an error says why it cannot.
    fn request(&self, whole: &ModelRequest, other: Other) -> Result<ModelRequest, String> {
        let Other { model: ModelRef { provider, model }, options } = other;
        let facts =
            self.models.facts(provider.as_str(), &model).map_err(|error| error.to_string())?;
        let tools = match facts.tool_call {
            Some(false) => Vec::new(),
            Some(true) | None => whole.tools.clone(),
        };
        let messages = own_thinking(whole.messages.clone(), &provider);
        let messages = fit_media(messages, &model, &facts.takes)?;
        let fixed = whole.system.chars().count() + tools.iter().map(spec_length).sum::<usize>();
        let room = AnswerRoom::of(&facts, self.max_output);
        let fitted = context::fit(messages, fixed, room.window, room.reserve)?;
        Ok(ModelRequest {
            max_tokens: room.max_tokens(fitted.tokens),
            messages: fitted.messages,
            temperature: whole
                .temperature
                .or(self.temperature)
                .filter(|_| facts.temperature != Some(false)),
            system: whole.system.clone(),
            provider,
            model,
            options,
            tools,
        })
    }
}

fn asked(request: &ModelRequest) -> ModelRef {
    ModelRef { provider: request.provider.clone(), model: request.model.clone() }
}
