//! The embedder role: [`hydroid_core::ports::Embedder`] over an installed component. Texts are
//! cut into batches here and what comes back is checked; what the numbers mean is the
//! component's affair.

mod batch;
mod description;
mod warm;

pub use description::Description;

use crate::bindings::embedders::exports::hydroid::embedder::embedder as wit;
use crate::bindings::embedders::{AllEmbedders, AllEmbeddersPre};
use crate::catalog::{Catalog, Status};
use crate::check::{Class, Import};
use crate::component::{self, LoadError, Loaded, Pre};
use crate::convert;
use crate::engine::WasmEngine;
use crate::instance::{Equipment, State};
use crate::trap::{self, Cause};
use batch::Batches;
use futures_util::future::{BoxFuture, FutureExt};
use hydroid_core::config::did_you_mean;
use hydroid_core::id::UserId;
use hydroid_core::ports::{CallContext, EmbedError, EmbedPurpose, Embedder, EmbedderDescription};
use hydroid_core::telemetry::{SpanKind, Trace, names};
use std::sync::{Arc, Weak};
use tokio::time::Instant;
use warm::{Warm, WarmInstances};
use wasmtime::Store;

/// An embedder component that is ready to be called.
pub(crate) struct Embedding {
    pre: AllEmbeddersPre<State>,
    pub(crate) description: Description,
    warm: WarmInstances,
}

/// The embedder of this name, whichever version of it is installed when it is asked.
pub struct InstalledEmbedder {
    catalog: Held,
    name: String,
}

/// How the catalog is held.
enum Held {
    Firmly(Arc<Catalog>),
    /// By something that the catalog itself holds.
    Loosely(Weak<Catalog>),
}

impl Embedding {
    /// Asks the component what it is, and checks that.
    pub(crate) fn introduced(
        engine: &WasmEngine,
        pre: AllEmbeddersPre<State>,
        equipment: &Arc<Equipment>,
        imports: &[Import],
    ) -> Result<Self, LoadError> {
        let said = component::ask(engine, equipment, "what it is", async |store| {
            let bindings = pre.instantiate_async(&mut *store).await?;
            bindings.hydroid_embedder_embedder().call_describe(store).await
        })?;
        let description = Description::checked(said, equipment).map_err(LoadError::Definitions)?;
        Ok(Self { pre, description, warm: WarmInstances::new(may_be_kept(imports)) })
    }

    #[cfg(test)]
    pub(crate) fn kept(&self) -> usize {
        self.warm.count()
    }
}

/// What a component can learn between calls it could tell in a later one, so only an instance
/// that reaches nothing but files is kept. One that asks a service waits for the service anyway.
fn may_be_kept(imports: &[Import]) -> bool {
    imports
        .iter()
        .filter(|import| matches!(import.class, Class::Capability(_)))
        .all(|import| import.interface == "hydroid:cap/fs-read")
}

impl InstalledEmbedder {
    /// The embedder called `name`; whether there is one is seen when it is asked.
    pub fn new(catalog: Arc<Catalog>, name: impl Into<String>) -> Self {
        Self { catalog: Held::Firmly(catalog), name: name.into() }
    }

    /// The same for something that the catalog holds in turn, which would keep it for ever.
    pub fn within(catalog: &Arc<Catalog>, name: impl Into<String>) -> Self {
        Self { catalog: Held::Loosely(Arc::downgrade(catalog)), name: name.into() }
    }

    fn catalog(&self) -> Result<Arc<Catalog>, EmbedError> {
        let catalog = match &self.catalog {
            Held::Firmly(catalog) => Some(catalog.clone()),
            Held::Loosely(catalog) => catalog.upgrade(),
        };
        catalog.ok_or_else(|| error("unavailable", "the host ends".to_owned()))
    }

    fn loaded(&self, catalog: &Catalog) -> Result<Arc<Loaded>, EmbedError> {
        let name = &self.name;
        let snapshot = catalog.snapshot();
        match snapshot.by_name.get(name).map(|installed| &installed.status) {
            Some(Status::Ready(loaded)) => Ok(loaded.clone()),
            Some(Status::Refused(problem)) => {
                Err(error("not-found", format!("the embedder `{name}` is not loaded: {problem}")))
            }
            None => {
                let known = snapshot
                    .by_name
                    .keys()
                    .map(String::as_str)
                    .filter(|name| name.starts_with("embedder-"));
                Err(error(
                    "not-found",
                    format!(
                        "no component is called `{name}`{}; `hydroid component list` shows what is installed, `memory.embedder` says which one makes vectors",
                        did_you_mean(name, known)
                    ),
                ))
            }
        }
    }
}

impl Embedder for InstalledEmbedder {
    fn describe(&self) -> BoxFuture<'_, Result<EmbedderDescription, EmbedError>> {
        async move {
            let loaded = self.loaded(&*self.catalog()?)?;
            let description = &embedding(&loaded)?.description;
            Ok(EmbedderDescription {
                identity: description.identity.clone(),
                model: description.model.clone(),
                dimensions: description.dimensions,
                normalized: description.normalized,
            })
        }
        .boxed()
    }

    fn embed<'a>(
        &'a self,
        user: &'a UserId,
        texts: Vec<String>,
        purpose: EmbedPurpose,
        within: Option<Trace>,
    ) -> BoxFuture<'a, Result<Vec<Vec<f32>>, EmbedError>> {
        async move {
            let catalog = self.catalog()?;
            let loaded = self.loaded(&catalog)?;
            let description = &embedding(&loaded)?.description;
            let batches = Batches::new(description, loaded.limits())?;
            let mut span = catalog.span_within(
                within.as_ref(),
                format_args!("embeddings {}", description.model),
                SpanKind::Client,
            );
            span.set(names::OPERATION, "embeddings");
            let service = self.name.strip_prefix("embedder-").unwrap_or(&self.name);
            span.set(names::PROVIDER, service);
            span.set(names::REQUEST_MODEL, description.model.as_str());
            span.set(names::EMBEDDED_TEXTS, texts.len() as u64);
            span.set(names::EMBEDDED_FOR, purpose_name(purpose));
            span.set(names::USER, user.as_str());
            let trace = span.trace();
            let mut vectors = Vec::with_capacity(texts.len());
            for texts in batches.of(texts) {
                match call(&loaded, user, &texts, purpose, &trace).await {
                    Ok(some) => vectors.extend(some),
                    Err(error) => {
                        span.fail(&error.kind);
                        span.end();
                        return Err(error);
                    }
                }
            }
            span.end();
            Ok(vectors)
        }
        .boxed()
    }
}

fn purpose_name(purpose: EmbedPurpose) -> &'static str {
    match purpose {
        EmbedPurpose::Query => "query",
        EmbedPurpose::Document => "document",
    }
}

/// One batch, with its span.
async fn call(
    loaded: &Loaded,
    user: &UserId,
    texts: &[String],
    purpose: EmbedPurpose,
    trace: &Trace,
) -> Result<Vec<Vec<f32>>, EmbedError> {
    let mut span = loaded.span(trace, "embed");
    let vectors = batch(loaded, user, texts, purpose, &span.trace()).await;
    if let Err(error) = &vectors {
        span.fail(&error.kind);
    }
    span.end();
    vectors
}

/// One batch: an instance, the call, and a look at what came back.
async fn batch(
    loaded: &Loaded,
    user: &UserId,
    texts: &[String],
    purpose: EmbedPurpose,
    trace: &Trace,
) -> Result<Vec<Vec<f32>>, EmbedError> {
    let embedding = embedding(loaded)?;
    let time = loaded.limits().call;
    let _turn = embedding.warm.turn().await;
    let deadline = Instant::now() + time;
    let context = CallContext { user: user.clone(), ..component::nobody() };
    let warm = embedding.warm.take(user);
    let mut instance = match warm {
        Some(mut warm) => {
            warm.renew(context, deadline).map_err(|error| no_store(&error))?;
            warm
        }
        None => {
            let mut store = loaded.store(context, time).map_err(|error| no_store(&error))?;
            let starting = embedding.pre.instantiate_async(&mut store);
            let mut instantiating = loaded.instantiating(trace);
            let started = tokio::time::timeout_at(deadline, starting).await;
            if !matches!(started, Ok(Ok(_))) {
                instantiating.fail("trap");
            }
            instantiating.end();
            match started {
                Ok(Ok(bindings)) => Warm::new(user.clone(), store, bindings),
                Ok(Err(error)) => return Err(trapped(&store, Cause::Error(error))),
                Err(_) => return Err(trapped(&store, Cause::Deadline(time))),
            }
        }
    };
    let asking = ask(&mut instance.store, &instance.bindings, texts, purpose);
    let numbers = match tokio::time::timeout_at(deadline, asking).await {
        Ok(Ok(Ok(numbers))) => numbers,
        Ok(Ok(Err(error))) => {
            // It said no in good order, so it may be asked again.
            embedding.warm.give_back(instance);
            return Err(said(loaded, &error));
        }
        Ok(Err(error)) => return Err(trapped(&instance.store, Cause::Error(error))),
        Err(_) => return Err(trapped(&instance.store, Cause::Deadline(time))),
    };
    let vectors = embedding
        .description
        .vectors(&numbers, texts.len())
        .map_err(|problem| error("internal", format!("`{}` {problem}", loaded.name())))?;
    embedding.warm.give_back(instance);
    Ok(vectors)
}

async fn ask(
    store: &mut Store<State>,
    bindings: &AllEmbedders,
    texts: &[String],
    purpose: EmbedPurpose,
) -> wasmtime::Result<Result<Vec<f32>, crate::bindings::core::types::Error>> {
    let purpose = match purpose {
        EmbedPurpose::Query => wit::Purpose::Query,
        EmbedPurpose::Document => wit::Purpose::Document,
    };
    bindings.hydroid_embedder_embedder().call_embed(store, texts, purpose).await
}

fn embedding(loaded: &Loaded) -> Result<&Embedding, EmbedError> {
    match &loaded.pre {
        Pre::Embedder(embedding) => Ok(embedding),
        Pre::Tool(_) | Pre::Provider(_) | Pre::Parser(_) | Pre::Hook(_) | Pre::Channel(_) => {
            Err(error(
                "invalid-input",
                format!(
                    "`{}` is a {} component and makes no vectors; set `memory.embedder`",
                    loaded.name(),
                    loaded.role
                ),
            ))
        }
    }
}

fn said(loaded: &Loaded, said: &crate::bindings::core::types::Error) -> EmbedError {
    EmbedError {
        kind: convert::kind_name(said.kind).to_owned(),
        message: format!("`{}`: {}", loaded.name(), convert::error_text(said)),
        retry_after_ms: said.retry_after_ms,
    }
}

fn trapped(store: &Store<State>, cause: Cause) -> EmbedError {
    let kind = match cause {
        Cause::Deadline(_) => "timeout",
        Cause::Error(_) => "internal",
    };
    error(kind, trap::sentence(store, cause))
}

fn no_store(problem: &wasmtime::Error) -> EmbedError {
    tracing::warn!(error = ?problem, "no store");
    error("internal", "the embedder could not be started".into())
}

fn error(kind: &str, message: String) -> EmbedError {
    EmbedError { kind: kind.to_owned(), message, retry_after_ms: None }
}

impl std::fmt::Debug for InstalledEmbedder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InstalledEmbedder").field("name", &self.name).finish_non_exhaustive()
    }
}
