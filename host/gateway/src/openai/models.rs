//! The models a client may name: `hydroid`, which is whatever is configured, and those that the
//! providers offer.

use super::entitled;
use super::wire::{Failure, shown};
use crate::server::{Listener, Peer};
use crate::tokens::Scope;
use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Extension, Path, State};
use http::{HeaderMap, Method};
use hydroid_core::ports::Conversations;
use hydroid_core::protocol::{ModelOffer, Reply, Request, SessionSettings};
use serde_json::{Value, json};
use std::sync::Arc;

/// The model that is configured, whatever it is.
pub(crate) const CONFIGURED: &str = "hydroid";

pub(crate) async fn list(
    State(listener): State<Arc<Listener>>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
) -> Result<Json<Value>, Failure> {
    let holder = entitled(&listener, &peer, &headers, &Method::GET, Scope::Read)?;
    let conversations = listener.conversations(&holder).await?;
    let models = match offers(&conversations).await {
        Ok(offers) => offers,
        Err(failure) => {
            // A service that cannot be asked takes nothing from what is configured.
            tracing::warn!(problem = failure.message, "models cannot be listed");
            Vec::new()
        }
    };
    let mut data = vec![object(&listener, CONFIGURED, "hydroid", None)];
    data.extend(models.iter().map(|offer| offered(&listener, offer)));
    Ok(Json(json!({ "object": "list", "data": data })))
}

pub(crate) async fn one(
    State(listener): State<Arc<Listener>>,
    Extension(peer): Extension<Peer>,
    model: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Result<Json<Value>, Failure> {
    let holder = entitled(&listener, &peer, &headers, &Method::GET, Scope::Read)?;
    // A name that is no text is nobody's.
    let model = model.map(|Path(model)| model).unwrap_or_default();
    if model == CONFIGURED {
        return Ok(Json(object(&listener, CONFIGURED, "hydroid", None)));
    }
    let conversations = listener.conversations(&holder).await?;
    let offer = named(offers(&conversations).await?, &model)?;
    Ok(Json(offered(&listener, &offer)))
}

/// What a session has of its own to speak with a model; nothing for the configured one.
pub(crate) async fn chosen(
    conversations: &Arc<dyn Conversations>,
    model: &str,
) -> Result<SessionSettings, Failure> {
    let configured = conversations.settings();
    if model == CONFIGURED {
        return Ok(SessionSettings::default());
    }
    if configured.model.as_deref() == Some(model) {
        // Named on purpose, so a session that has another one of its own speaks with it too.
        let (provider, model) = (configured.provider, configured.model);
        return Ok(SessionSettings { provider, model, ..SessionSettings::default() });
    }
    let offer = named(offers(conversations).await?, model)?;
    Ok(SessionSettings {
        provider: Some(offer.provider),
        model: Some(offer.model),
        ..SessionSettings::default()
    })
}

async fn offers(conversations: &Arc<dyn Conversations>) -> Result<Vec<ModelOffer>, Failure> {
    match conversations.request(Request::Models).await? {
        Reply::Models { models } => Ok(models),
        _ => Ok(Vec::new()),
    }
}

/// The offer of this name: `PROVIDER/MODEL`, or the model alone where only one provider has it.
fn named(offers: Vec<ModelOffer>, name: &str) -> Result<ModelOffer, Failure> {
    if let Some(offer) = offers.iter().find(|offer| id(offer) == name) {
        return Ok(offer.clone());
    }
    let mut alone = offers.into_iter().filter(|offer| offer.model == name);
    let missing = |why: &str| {
        let text = format!("The model `{}` {why}; `GET /v1/models` lists them", shown(name));
        Failure { status: 404, ..Failure::invalid(Some("model"), "model_not_found", text) }
    };
    match (alone.next(), alone.next()) {
        (Some(offer), None) => Ok(offer),
        (None, _) => Err(missing("does not exist or is not offered")),
        (Some(_), Some(_)) => Err(missing("is offered by several providers, so name one of them")),
    }
}

fn id(offer: &ModelOffer) -> String {
    format!("{}/{}", offer.provider, offer.model)
}

fn offered(listener: &Listener, offer: &ModelOffer) -> Value {
    object(listener, &id(offer), &offer.provider, Some(offer))
}

fn object(listener: &Listener, id: &str, owner: &str, offer: Option<&ModelOffer>) -> Value {
    let mut object = json!({
        "id": id,
        "object": "model",
        "created": listener.started_ms / 1_000,
        "owned_by": owner,
    });
    if let Some(offer) = offer {
        object["hydroid"] = json!({
            "title": offer.title,
            "context_tokens": offer.context_tokens,
            "default": offer.default,
        });
    }
    object
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(provider: &str, model: &str) -> ModelOffer {
        ModelOffer {
            provider: provider.into(),
            model: model.into(),
            title: None,
            context_tokens: None,
            default: false,
        }
    }

    #[test]
    fn a_model_is_named_with_its_provider_or_alone_where_that_is_clear() {
        let offers = || vec![offer("a", "x"), offer("b", "x"), offer("b", "org/y")];
        assert_eq!(named(offers(), "b/x"), Ok(offer("b", "x")));
        assert_eq!(named(offers(), "org/y"), Ok(offer("b", "org/y")));
        assert_eq!(named(offers(), "b/org/y"), Ok(offer("b", "org/y")));
        for (name, expect) in [("x", "several providers"), ("z", "does not exist"), ("", "exist")] {
            let failure = named(offers(), name).unwrap_err();
            assert_eq!((failure.status, failure.code), (404, "model_not_found"));
            assert!(failure.message.contains(expect), "{}", failure.message);
        }
    }
}
