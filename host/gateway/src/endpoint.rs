//! A service of another protocol behind the listener: whoever reaches it has shown a token of the
//! local user, and came under the host's name and from no page of somebody else. What it speaks is
//! not known here.

use crate::api::entitled;
use crate::refusal::Refusal;
use crate::server::{Listener, Peer};
use crate::tokens::Scope;
use axum::Router;
use axum::body::Body;
use axum::extract::{Extension, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_core::future::BoxFuture;
use hydroid_core::id::UserId;
use hydroid_core::ports::{Conversations, Household};
use hydroid_core::protocol::{ErrorCode, RequestError};
use std::convert::Infallible;
use std::sync::Arc;
use tower_service::Service;

/// A household with nobody in it, for a listener that serves something else.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoHousehold;

impl Household for NoHousehold {
    fn of<'a>(
        &'a self,
        _: &'a UserId,
    ) -> BoxFuture<'a, Result<Arc<dyn Conversations>, RequestError>> {
        let nobody = RequestError::new(ErrorCode::NotFound, "no conversations are served here");
        Box::pin(std::future::ready(Err(nobody)))
    }

    fn present(&self) -> Vec<Arc<dyn Conversations>> {
        Vec::new()
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// The service at its path, and whether the host is there.
pub(crate) fn router<S>(listener: Arc<Listener>, path: &str, service: S) -> Router
where
    S: Service<Request<Body>, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Response: IntoResponse,
    S::Future: Send + 'static,
{
    Router::new()
        .route_service(path, service)
        .route_layer(from_fn_with_state(Arc::clone(&listener), let_in))
        .route("/healthz", get(async || "ok\n"))
        .with_state(listener)
}

async fn let_in(
    State(listener): State<Arc<Listener>>,
    Extension(peer): Extension<Peer>,
    request: Request,
    next: Next,
) -> Response {
    match check(&listener, &peer, &request) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    }
}

fn check(listener: &Listener, peer: &Peer, request: &Request) -> Result<(), Refusal> {
    let holder = entitled(listener, peer, request.headers(), request.method())?;
    if *listener.ending.borrow() {
        return Err(Refusal::new(ErrorCode::ShuttingDown, "the host ends"));
    }
    if holder.user != listener.default_user() {
        return Err(Refusal::new(
            ErrorCode::Forbidden,
            "this is served for another user; `hydroid token create` without `--user` makes a token for it",
        ));
    }
    if !holder.may(Scope::Chat) {
        return Err(Refusal::new(
            ErrorCode::Forbidden,
            "this token may only read; `hydroid token create --scope chat` makes one that may call tools",
        ));
    }
    Ok(())
}
