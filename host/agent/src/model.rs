//! Models that are asked reliably: layers around any [`Model`], each an implementation of that port
//! itself. From the outside in: a route by what is asked, answers that were kept, other models
//! that may answer instead, repetition, a circuit for each model, time limits, and then the
//! provider component. A layer decides nothing: `hydroid_core::reliability` does.
//!
//! Whatever happens, what is handed on is one answer: after a part of it was, no layer asks again.

mod breaker;
mod counters;
mod fallback;
mod kept;
mod retry;
mod route;
#[cfg(test)]
mod tests;
mod timeouts;

pub use counters::{ModelCounters, ModelCounts};

use futures_util::future::BoxFuture;
use hydroid_core::config::Config;
use hydroid_core::models::Models;
use hydroid_core::ports::{AnswerCache, Clock, Completion, Model, ModelError, ModelEvent};
use hydroid_core::ports::{CallContext, ModelRequest};
use hydroid_core::scrub::LiveScrubber;
use std::collections::VecDeque;
use std::sync::Arc;

/// What the layers need beside the model they surround.
pub struct ModelParts {
    /// Models of provider components.
    pub inner: Arc<dyn Model>,
    /// What is known of models.
    pub models: Arc<Models>,
    /// Where answers are kept, if they are.
    pub kept: Arc<dyn AnswerCache>,
    /// Time of day, for answers that are kept.
    pub clock: Arc<dyn Clock>,
    /// What may be kept of an answer.
    pub scrubber: LiveScrubber,
    /// Any number, each equally likely, for waits.
    pub random: Arc<dyn Fn() -> u64 + Send + Sync>,
    /// Told of everything the layers do.
    pub counters: Arc<ModelCounters>,
}

impl std::fmt::Debug for ModelParts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ModelParts").finish_non_exhaustive()
    }
}

type Started = Result<Box<dyn Completion>, ModelError>;
type Next = Result<Vec<ModelEvent>, ModelError>;

/// All layers, as configured, around a model. What they learn of models is shared by everybody
/// who asks through it.
pub fn reliable(parts: ModelParts, config: &Config) -> Result<Arc<dyn Model>, String> {
    let (config, components) = (&config.model, &config.components);
    let ModelParts { inner, models, kept, clock, scrubber, random, counters } = parts;
    let timed = Arc::new(timeouts::Timeouts::new(inner, &config.timeouts, counters.clone()));
    let broken = Arc::new(breaker::Breaker::new(timed, config.breaker.circuit(), counters.clone()));
    let again =
        Arc::new(retry::Retry::new(broken, config.retry.backoff(), random, counters.clone()));
    let chain = fallback::Fallback::new(again, config, models, counters.clone())?;
    let mut model: Arc<dyn Model> = Arc::new(chain);
    if config.cache.enabled {
        let keeper = kept::Keeper { answers: kept, clock, scrubber };
        let keeping = kept::Kept::new(model, keeper, &config.cache, components, counters);
        model = Arc::new(keeping?);
    }
    if let Some(vision) = &config.route.vision {
        model = Arc::new(route::Route::new(model, vision)?);
    }
    Ok(model)
}

/// Settings of a model as a provider takes them.
fn options_of(options: Option<&toml::Table>) -> Result<Option<serde_json::Value>, String> {
    let value = options.map(serde_json::to_value).transpose();
    value.map_err(|error| format!("options of a model cannot be sent as JSON: {error}"))
}

/// An answer behind some events of the host.
struct Announced {
    first: VecDeque<ModelEvent>,
    rest: Box<dyn Completion>,
}

impl Completion for Announced {
    fn next(&mut self) -> BoxFuture<'_, Next> {
        Box::pin(async move {
            if self.first.is_empty() {
                return self.rest.next().await;
            }
            Ok(self.first.drain(..).collect())
        })
    }
}

/// An answer behind these events.
fn announced(first: Vec<ModelEvent>, rest: Box<dyn Completion>) -> Box<dyn Completion> {
    Box::new(Announced { first: first.into(), rest })
}

/// Starts an answer of the model, or goes on with the one that was started.
async fn step(
    model: &dyn Model,
    answer: &mut Option<Box<dyn Completion>>,
    request: impl FnOnce() -> (ModelRequest, CallContext),
) -> Next {
    if answer.is_none() {
        let (request, context) = request();
        *answer = Some(model.complete(request, context).await?);
    }
    let next = match answer {
        Some(answer) => answer.next().await,
        None => Ok(Vec::new()),
    };
    if next.is_err() {
        // Dropped before anything else happens, so that the exchange is closed while one waits.
        *answer = None;
    }
    next
}
