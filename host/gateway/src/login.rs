//! How a browser gets in: by a code that is good once and for a short time, for which it is given
//! a token in a cookie that no script reads.

use crate::refusal::Refusal;
use crate::server::{Listener, Peer, Shown};
use crate::tokens::{Scope, new_secret};
use axum::Json;
use axum::extract::{Extension, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::{HeaderMap, HeaderValue, header};
use hydroid_core::id::UserId;
use hydroid_core::protocol::ErrorCode;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The cookie's name.
const COOKIE: &str = "hydroid";

/// How long a code is good.
const CODE_MS: u64 = 5 * 60 * 1_000;

/// Codes at once.
const MOST: usize = 32;

/// How long a browser stays in.
const DAYS: u64 = 30;
const DAY_MS: u64 = 24 * 3_600 * 1_000;

/// Where a browser goes whose link is no good; the page knows the word.
const USED: &str = "/?link=used";

/// Codes that were given and not used, with whose they are and until when they are good.
#[derive(Default)]
pub(crate) struct Codes {
    given: Mutex<HashMap<String, (UserId, u64)>>,
}

#[derive(Deserialize)]
pub(crate) struct Given {
    code: String,
}

/// The token in a request's cookie.
pub(crate) fn cookie(headers: &HeaderMap) -> Option<&str> {
    let mut cookies =
        headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    cookies.find_map(|line| {
        line.split(';')
            .filter_map(|pair| pair.trim().split_once('='))
            .find_map(|(name, value)| (name == COOKIE && !value.is_empty()).then_some(value))
    })
}

impl Codes {
    /// Gives a code that lets a browser in as this user, once.
    pub(crate) fn give(&self, user: UserId, now_ms: u64) -> Result<String, Refusal> {
        let code =
            new_secret().map_err(|error| Refusal::new(ErrorCode::Internal, error.to_string()))?;
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        given.retain(|_, (_, until)| now_ms < *until);
        if given.len() >= MOST {
            let text = "too many codes wait to be used; wait five minutes";
            return Err(Refusal::new(ErrorCode::LimitReached, text));
        }
        given.insert(code.clone(), (user, now_ms + CODE_MS));
        Ok(code)
    }
}

/// Gives a code to whoever has a token that may do everything.
pub(crate) async fn code(
    State(listener): State<Arc<Listener>>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
) -> Result<Json<Value>, Refusal> {
    let Some((holder, Shown::Header)) = listener.shown(&peer, &headers)? else {
        return Err(
            listener.unauthenticated(&peer, "a code is given for a token in `Authorization`")
        );
    };
    if !holder.may(Scope::Admin) {
        return Err(Refusal::new(ErrorCode::Forbidden, "this token may not let a browser in"));
    }
    let code = listener.codes.give(holder.user, listener.clock.now_ms())?;
    Ok(Json(json!({ "code": code, "seconds": CODE_MS / 1_000 })))
}

/// Takes a code and lets the browser in.
pub(crate) async fn enter(
    State(listener): State<Arc<Listener>>,
    Extension(peer): Extension<Peer>,
    Query(Given { code }): Query<Given>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let now_ms = listener.clock.now_ms();
    let given = {
        let mut given = listener.codes.given.lock().unwrap_or_else(PoisonError::into_inner);
        given.remove(&code).filter(|(_, until)| now_ms < *until)
    };
    let Some((user, _)) = given else {
        let refusal = listener.unauthenticated(
            &peer,
            "this link was used already or is too old; `hydroid web` makes another",
        );
        // The page lets in who is in already, and says it to who is not.
        let reads_pages = headers
            .get(header::ACCEPT)
            .and_then(|accept| accept.to_str().ok())
            .is_some_and(|accept| accept.contains("text/html"));
        return if reads_pages { Ok(Redirect::to(USED).into_response()) } else { Err(refusal) };
    };
    let mut token = String::new();
    let tokens = Arc::clone(&listener.tokens);
    let made = tokio::task::spawn_blocking(move || {
        tokens
            .change(&mut |book| {
                let end = now_ms + DAYS * DAY_MS;
                token =
                    book.create(user.clone(), "browser", Scope::ALL.into(), now_ms, Some(end))?;
                Ok(())
            })
            .map(|()| std::mem::take(&mut token))
    });
    let token = match made.await {
        Ok(Ok(token)) => token,
        Ok(Err(error)) => return Err(Refusal::new(ErrorCode::Internal, error.to_string())),
        Err(_) => return Err(Refusal::new(ErrorCode::Internal, "the token could not be kept")),
    };
    let mut response = Redirect::to("/").into_response();
    let secure = if listener.is_tls() { "; Secure" } else { "" };
    let seconds = DAYS * DAY_MS / 1_000;
    let cookie =
        format!("{COOKIE}={token}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds}{secure}");
    let cookie = HeaderValue::from_str(&cookie)
        .map_err(|_| Refusal::new(ErrorCode::Internal, "the cookie could not be written"))?;
    response.headers_mut().insert(header::SET_COOKIE, cookie);
    Ok(response)
}

/// Takes the browser's token back.
pub(crate) async fn leave(
    State(listener): State<Arc<Listener>>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let Some((holder, Shown::Cookie)) = listener.shown(&peer, &headers)? else {
        return Err(listener.unauthenticated(&peer, "no browser is logged in here"));
    };
    if !headers.contains_key(header::ORIGIN) {
        return Err(Refusal::new(ErrorCode::Forbidden, "a browser says where it comes from"));
    }
    let tokens = Arc::clone(&listener.tokens);
    let revoked = tokio::task::spawn_blocking(move || {
        tokens.change(&mut |book| {
            book.revoke(&holder.token);
            Ok(())
        })
    });
    match revoked.await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => return Err(Refusal::new(ErrorCode::Internal, error.to_string())),
        Err(_) => return Err(Refusal::new(ErrorCode::Internal, "the token could not be revoked")),
    }
    let mut response = Json(json!({})).into_response();
    let gone = HeaderValue::from_static("hydroid=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0");
    response.headers_mut().insert(header::SET_COOKIE, gone);
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cookie_is_found_among_others() {
        let with = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::COOKIE, HeaderValue::from_static(text));
            cookie(&headers).map(str::to_owned)
        };
        assert_eq!(with("a=1; hydroid=hyd_x; b=2").as_deref(), Some("hyd_x"));
        assert_eq!(with("xhydroid=hyd_x"), None);
        assert_eq!(with("hydroid="), None);
        assert_eq!(with("hydroid"), None);
    }
}
