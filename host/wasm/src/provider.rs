//! The provider role: [`hydroid_core::ports::Model`] over the installed components. An answer
//! owns its store; dropping it closes the exchange.

use crate::bindings::core::types::Error;
use crate::bindings::providers::AllProviders;
use crate::bindings::providers::exports::hydroid::provider::provider as wit;
use crate::catalog::{Catalog, Status};
use crate::component::{Loaded, Pre};
use crate::convert;
use crate::instance::State;
use crate::trap::{self, Cause};
use futures_util::future::{BoxFuture, FutureExt};
use hydroid_core::config::{Size, did_you_mean};
use hydroid_core::ports::{CallContext, Completion, Model, ModelError, ModelEvent, ModelRequest};
use hydroid_core::telemetry::OpenSpan;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use wasmtime::Store;
use wasmtime::component::ResourceAny;

/// Events asked for at once: few calls across the boundary, and still a short way to the screen.
const BATCH: u32 = 32;

/// A model as its provider describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfferedModel {
    /// Identifier.
    pub id: String,
    /// Name for people.
    pub name: String,
    /// Context window in tokens.
    pub context: Option<u32>,
}

impl Model for Catalog {
    fn complete(
        &self,
        request: ModelRequest,
        context: CallContext,
    ) -> BoxFuture<'_, Result<Box<dyn Completion>, ModelError>> {
        async move {
            let loaded = self.provider(request.provider.as_str())?;
            let time = Duration::from_secs(self.config().turn.max_seconds);
            let answer = start(loaded, request, context, time).await?;
            Ok(Box::new(answer) as Box<dyn Completion>)
        }
        .boxed()
    }
}

impl Catalog {
    /// The models a provider component offers.
    pub async fn models(&self, provider: &str) -> Result<Vec<OfferedModel>, ModelError> {
        let loaded = self.provider(provider)?;
        let Pre::Provider(pre) = &loaded.pre else { return Err(not_a_provider(&loaded)) };
        let time = loaded.limits().call;
        let mut store =
            loaded.store(crate::component::nobody(), time).map_err(|error| internal(&error))?;
        let asking = async {
            let bindings = pre.instantiate_async(&mut store).await?;
            bindings.hydroid_provider_provider().call_models(&mut store).await
        };
        let models = match tokio::time::timeout(time, asking).await {
            Ok(Ok(models)) => models.map_err(|error| convert::model_error(&error))?,
            Ok(Err(error)) => return Err(trapped(&store, Cause::Error(error))),
            Err(_) => return Err(trapped(&store, Cause::Deadline(time))),
        };
        Ok(models
            .into_iter()
            .map(|model| OfferedModel { id: model.id, name: model.name, context: model.context })
            .collect())
    }

    fn provider(&self, name: &str) -> Result<Arc<Loaded>, ModelError> {
        let snapshot = self.snapshot();
        let error = |message| ModelError {
            kind: "not-found".into(),
            message,
            retry_after_ms: None,
            sent: false,
        };
        match snapshot.by_name.get(name).map(|installed| &installed.status) {
            Some(Status::Ready(loaded)) => Ok(loaded.clone()),
            Some(Status::Refused(problem)) => {
                Err(error(format!("the provider `{name}` is not loaded: {problem}")))
            }
            None => {
                let known = snapshot
                    .by_name
                    .keys()
                    .map(String::as_str)
                    .filter(|name| name.starts_with("provider-"));
                Err(error(format!(
                    "no component is called `{name}`{}; `hydroid component list` shows what is installed, `model.provider` says which one answers",
                    did_you_mean(name, known)
                )))
            }
        }
    }
}

/// An answer in progress.
struct Answer {
    store: Store<State>,
    bindings: AllProviders,
    completion: ResourceAny,
    deadline: Instant,
    time: Duration,
    bytes_left: usize,
    ended: bool,
    /// What is told of it; an answer that is dropped before its end was cancelled.
    span: OpenSpan,
}

async fn start(
    loaded: Arc<Loaded>,
    request: ModelRequest,
    context: CallContext,
    time: Duration,
) -> Result<Answer, ModelError> {
    let Pre::Provider(pre) = &loaded.pre else { return Err(not_a_provider(&loaded)) };
    let mut span = loaded.span(&context.trace, "complete");
    let trace = span.trace();
    let mut store = loaded.store(context, time).map_err(|error| internal(&error))?;
    let deadline = Instant::now() + time;
    let request = convert::request(request);
    let starting = async {
        let mut instantiating = loaded.instantiating(&trace);
        let made = pre.instantiate_async(&mut store).await;
        if made.is_err() {
            instantiating.fail("trap");
        }
        instantiating.end();
        let bindings = made?;
        let completion =
            bindings.hydroid_provider_provider().call_complete(&mut store, &request).await?;
        Ok((bindings, completion))
    };
    let error = match tokio::time::timeout_at(deadline, starting).await {
        Ok(Ok((bindings, Ok(completion)))) => {
            let bytes_left = loaded.limits().output;
            let ended = false;
            return Ok(Answer {
                store,
                bindings,
                completion,
                deadline,
                time,
                bytes_left,
                ended,
                span,
            });
        }
        Ok(Ok((_, Err(error)))) => failed(&store, &error),
        Ok(Err(error)) => trapped(&store, Cause::Error(error)),
        Err(_) => trapped(&store, Cause::Deadline(time)),
    };
    span.fail(&error.kind);
    span.end();
    Err(error)
}

impl Completion for Answer {
    fn next(&mut self) -> BoxFuture<'_, Result<Vec<ModelEvent>, ModelError>> {
        async move {
            // After an error the instance is dead; it is not entered again.
            if self.ended {
                return Ok(Vec::new());
            }
            let completion = self.bindings.hydroid_provider_provider().completion();
            let next = completion.call_next(&mut self.store, self.completion, BATCH);
            let result = match tokio::time::timeout_at(self.deadline, next).await {
                Ok(Ok(Ok(events))) => self.take(events),
                Ok(Ok(Err(error))) => Err(failed(&self.store, &error)),
                Ok(Err(error)) => Err(trapped(&self.store, Cause::Error(error))),
                Err(_) => Err(trapped(&self.store, Cause::Deadline(self.time))),
            };
            self.ended = !matches!(&result, Ok(events) if !events.is_empty());
            let finished = |event: &ModelEvent| matches!(event, ModelEvent::Finished(_));
            if self.ended || result.as_ref().is_ok_and(|events| events.iter().any(finished)) {
                let mut span = std::mem::take(&mut self.span);
                if let Err(error) = &result {
                    span.fail(&error.kind);
                }
                span.end();
            }
            result
        }
        .boxed()
    }
}

impl Answer {
    fn take(&mut self, events: Vec<wit::Event>) -> Result<Vec<ModelEvent>, ModelError> {
        let events: Vec<ModelEvent> = events.into_iter().map(convert::event).collect();
        let size: usize = events.iter().map(convert::event_size).sum();
        self.bytes_left = self.bytes_left.checked_sub(size).ok_or_else(|| {
            let equipment = &self.store.data().equipment;
            ModelError {
                kind: "too-large".into(),
                message: format!(
                    "the answer of `{}` is longer than {}; a person can raise `components.{}.limits.output`",
                    equipment.component,
                    Size(equipment.limits.output as u64),
                    equipment.component
                ),
                retry_after_ms: None,
                sent: true,
            }
        })?;
        Ok(events)
    }
}

/// An error of a component. Which secret was refused only the host can tell.
fn failed(store: &Store<State>, error: &Error) -> ModelError {
    let mut error = convert::model_error(error);
    let state = store.data();
    if error.kind != "unauthenticated" || error.message.contains("`hydroid ") {
        return error;
    }
    let secrets = &state.equipment.secrets;
    let is_login = |name: &String| secrets.get(name).is_some_and(|rule| rule.login);
    let named = |name: &String| format!("`{name}`");
    let (names, remedy) = match state.refused.as_slice() {
        [] => return error,
        [name] if is_login(name) => {
            (named(name), format!("`hydroid provider login {name}` signs you in again"))
        }
        [name] => (named(name), format!("`hydroid secret set {name}` replaces it")),
        names => {
            let last = names.last().map(String::as_str).unwrap_or_default();
            let all = names.iter().map(named).collect::<Vec<_>>().join(", ");
            (all, format!("`hydroid secret set {last}` replaces the last one"))
        }
    };
    let plural = if state.refused.len() > 1 { "s" } else { "" };
    error.message =
        format!("{}; the service refused the secret{plural} {names}: {remedy}", error.message);
    error
}

fn trapped(store: &Store<State>, cause: Cause) -> ModelError {
    let kind = match cause {
        Cause::Deadline(_) => "timeout",
        Cause::Error(_) => "internal",
    };
    let message = trap::sentence(store, cause);
    ModelError { kind: kind.into(), message, retry_after_ms: None, sent: true }
}

fn internal(error: &wasmtime::Error) -> ModelError {
    tracing::warn!(error = ?error, "no store");
    ModelError {
        kind: "internal".into(),
        message: "the provider could not be started".into(),
        retry_after_ms: None,
        sent: false,
    }
}

fn not_a_provider(loaded: &Loaded) -> ModelError {
    ModelError {
        kind: "invalid-input".into(),
        message: format!(
            "`{}` is a {} component and answers for no model; set `model.provider`",
            loaded.name(),
            loaded.role
        ),
        retry_after_ms: None,
        sent: false,
    }
}
