//! A circuit for each model of a provider, shared by all who ask: a model that failed several
//! times in a row gets no request for a while, then one that finds out. Kept in memory only.

use super::counters::{ModelCounters, count};
use super::{Next, Started, announced};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use hydroid_core::ports::{CallContext, Completion, Model, ModelError, ModelEvent, ModelRequest};
use hydroid_core::reliability::{
    Admission, Circuit, CircuitSettings, ModelNews, ModelRef, blames_the_service, length,
};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// The layer.
pub(super) struct Breaker {
    inner: Arc<dyn Model>,
    circuits: Arc<Circuits>,
}

struct Circuits {
    settings: CircuitSettings,
    began: Instant,
    known: Mutex<BTreeMap<ModelRef, Circuit>>,
    counters: Arc<ModelCounters>,
}

/// A request that was let through. Its end is reported once, also when it is dropped before.
struct Ticket {
    circuits: Arc<Circuits>,
    model: ModelRef,
    is_probe: bool,
    answered: bool,
    reported: bool,
}

/// An answer whose end the circuit is told.
struct Watched {
    answer: Option<Box<dyn Completion>>,
    ticket: Ticket,
    /// An error that is handed on behind the news it made.
    then: Option<ModelError>,
}

impl Breaker {
    pub(super) fn new(
        inner: Arc<dyn Model>,
        settings: CircuitSettings,
        counters: Arc<ModelCounters>,
    ) -> Self {
        let circuits =
            Circuits { settings, began: Instant::now(), known: Mutex::default(), counters };
        Self { inner, circuits: Arc::new(circuits) }
    }
}

impl Model for Breaker {
    fn complete(&self, request: ModelRequest, context: CallContext) -> BoxFuture<'_, Started> {
        async move {
            let model =
                ModelRef { provider: request.provider.clone(), model: request.model.clone() };
            let ticket = Circuits::admit(&self.circuits, model)?;
            let mut watched = Watched { answer: None, ticket, then: None };
            match self.inner.complete(request, context).await {
                Ok(answer) => watched.answer = Some(answer),
                Err(error) => match watched.failed(error) {
                    Ok(news) => return Ok(announced(news, Box::new(watched))),
                    Err(error) => return Err(error),
                },
            }
            Ok(Box::new(watched) as Box<dyn Completion>)
        }
        .boxed()
    }
}

impl Circuits {
    fn admit(circuits: &Arc<Self>, model: ModelRef) -> Result<Ticket, ModelError> {
        let admission = circuits.known().entry(model.clone()).or_default().admit(circuits.now());
        let is_probe = match admission {
            Admission::Sent => false,
            Admission::Probe => true,
            Admission::Refused { left, failures } => {
                count(&circuits.counters.refused);
                return Err(left_alone(&model, left, failures));
            }
        };
        let circuits = Arc::clone(circuits);
        Ok(Ticket { circuits, model, is_probe, answered: false, reported: false })
    }

    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<ModelRef, Circuit>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watched {
    /// Tells the circuit of a failure. When that opens it, the news come first and the error after.
    fn failed(&mut self, error: ModelError) -> Next {
        self.answer = None;
        if !blames_the_service(&error) {
            // It was there to refuse.
            self.ticket.answered = error.kind != "cancelled";
            self.ticket.report_success();
            return Err(error);
        }
        let ticket = &mut self.ticket;
        ticket.reported = true;
        let circuits = &ticket.circuits;
        let opened = {
            let mut known = circuits.known();
            let circuit = known.entry(ticket.model.clone()).or_default();
            circuit.failed(&circuits.settings, circuits.now()).then(|| circuit.failures())
        };
        let Some(failures) = opened else { return Err(error) };
        count(&circuits.counters.opened);
        self.then = Some(error);
        let for_ms = u64::try_from(circuits.settings.open.as_millis()).unwrap_or(u64::MAX);
        let news = ModelNews::LeftAlone { of: ticket.model.clone(), failures, for_ms };
        Ok(vec![ModelEvent::News(news)])
    }
}

impl Completion for Watched {
    fn next(&mut self) -> BoxFuture<'_, Next> {
        async move {
            if let Some(error) = self.then.take() {
                return Err(error);
            }
            let Some(answer) = &mut self.answer else { return Ok(Vec::new()) };
            match answer.next().await {
                Ok(events) => {
                    self.ticket.answered = true;
                    if events.is_empty() {
                        self.ticket.report_success();
                    }
                    Ok(events)
                }
                Err(error) => self.failed(error),
            }
        }
        .boxed()
    }
}

impl Ticket {
    /// Reports what came of the request, if it was not reported.
    fn report_success(&mut self) {
        if std::mem::replace(&mut self.reported, true) {
            return;
        }
        let mut known = self.circuits.known();
        let Some(circuit) = known.get_mut(&self.model) else { return };
        if self.answered { circuit.succeeded() } else { circuit.abandoned(self.is_probe) }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.report_success();
    }
}

fn left_alone(model: &ModelRef, left: Duration, failures: u32) -> ModelError {
    let until = if left.is_zero() {
        "another request is finding out whether it is back".to_owned()
    } else {
        format!("it is asked again in {}", length(left))
    };
    ModelError {
        kind: "unavailable".to_owned(),
        message: format!(
            "{model} failed {failures} times in a row and is left alone: {until}; `model.breaker` says when, `model.fallback` names other models"
        ),
        // Waiting here would keep another model from being asked.
        retry_after_ms: None,
        sent: false,
    }
}
