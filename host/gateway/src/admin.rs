//! Administration over HTTP: one request, one answer, for tokens that may do everything. What is
//! asked and answered is the port's; here is only who may, and that it came from where it says.

use crate::api::{entitled, read};
use crate::refusal::Refusal;
use crate::server::{Listener, Peer};
use crate::tokens::Scope;
use axum::Json;
use axum::extract::{Extension, Request, State};
use http::{HeaderMap, header};
use hydroid_core::ports::{AdminError, AdminRequest};
use hydroid_core::protocol::ErrorCode;
use serde_json::Value;
use std::sync::Arc;

/// Largest request: a component of a large language, in base64.
const LARGEST: usize = 64 << 20;

/// A page of somebody else cannot send this header here without being asked first, and is refused
/// then.
const HEADER: &str = "x-hydroid-admin";

/// Does one thing for whoever runs the household.
pub(crate) async fn administer(
    State(listener): State<Arc<Listener>>,
    Extension(peer): Extension<Peer>,
    request: Request,
) -> Result<Json<Value>, Refusal> {
    let holder = entitled(&listener, &peer, request.headers(), request.method())?;
    if !holder.may(Scope::Admin) {
        let text = "this token may not administer; one of `hydroid token create --scope admin` may";
        return Err(Refusal::new(ErrorCode::Forbidden, text));
    }
    check(request.headers())?;
    let Some(administration) = &listener.administration else {
        return Err(Refusal::new(ErrorCode::NotFound, "this host is administered by command only"));
    };
    let body = read(request.into_body(), LARGEST).await?;
    let wish: AdminRequest = serde_json::from_slice(&body).map_err(|error| {
        Refusal::new(ErrorCode::Invalid, format!("this is nothing that can be asked: {error}"))
    })?;
    administration.administer(holder.user, wish).await.map(Json).map_err(|error| {
        let code = match &error {
            AdminError::Invalid(_) | AdminError::Failed(_) => ErrorCode::Invalid,
            AdminError::Conflict(_) => ErrorCode::Occupied,
        };
        Refusal::new(code, error.to_string())
    })
}

fn check(headers: &HeaderMap) -> Result<(), Refusal> {
    let is_json =
        headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).is_some_and(
            |text| text.split(';').next().is_some_and(|text| text.trim() == "application/json"),
        );
    if is_json && headers.contains_key(HEADER) {
        return Ok(());
    }
    let text =
        format!("administration is asked with `Content-Type: application/json` and `{HEADER}: 1`");
    Err(Refusal::new(ErrorCode::Forbidden, text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn what_a_form_of_another_page_can_send_is_refused() {
        let with = |pairs: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.insert(*name, HeaderValue::from_static(value));
            }
            check(&headers).is_ok()
        };
        assert!(with(&[("content-type", "application/json"), (HEADER, "1")]));
        assert!(with(&[("content-type", "application/json; charset=utf-8"), (HEADER, "1")]));
        assert!(!with(&[("content-type", "application/json")]));
        assert!(!with(&[("content-type", "text/plain"), (HEADER, "1")]));
        assert!(!with(&[(HEADER, "1")]));
    }
}
