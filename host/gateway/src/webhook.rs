//! Webhooks: something outside says something in a session that was configured. A call is signed
//! with a secret over its time and its body, is good for a few minutes, and is taken once.

use crate::api;
use crate::refusal::Refusal;
use crate::server::{Listener, Peer};
use crate::tokens::TokenHolder;
use axum::Json;
use axum::body::Body;
use axum::extract::{Extension, Path, State};
use hmac::{Hmac, Mac as _};
use http::HeaderMap;
use hydroid_core::id::{SessionId, UserId};
use hydroid_core::message::{Content, Label, Part, Source, Trust};
use hydroid_core::ports::Saying;
use hydroid_core::protocol::{ErrorCode, Reply};
use sha2::Sha256;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

/// How far the time of a call may be from ours.
const WINDOW_MS: u64 = 5 * 60 * 1_000;

/// Largest body: it becomes a message that a model reads.
const LARGEST: usize = 256 << 10;

/// Signatures of this window that were taken, with their time.
static TAKEN: Mutex<BTreeSet<(u64, String)>> = Mutex::new(BTreeSet::new());

/// Says what a webhook was sent.
pub(crate) async fn called(
    State(listener): State<Arc<Listener>>,
    Extension(peer): Extension<Peer>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Reply>, Refusal> {
    let unknown = || {
        listener.unauthenticated(
            &peer,
            "no webhook of that name is signed so; the signature is HMAC-SHA256 over `TIME.BODY`, in `Hydroid-Signature: t=SECONDS,v1=HEX`",
        )
    };
    let hook = listener.config.webhooks.get(&name).ok_or_else(unknown)?;
    let secret = listener.webhook_secrets.iter().find(|(known, _)| *known == name);
    let (_, secret) = secret.ok_or_else(unknown)?;
    let (time, signature) = signature(&headers).ok_or_else(unknown)?;
    let body = api::read(body, LARGEST).await?;
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes())
        .map_err(|_| Refusal::new(ErrorCode::Internal, "the secret cannot be used"))?;
    mac.update(format!("{time}.").as_bytes());
    mac.update(&body);
    // Compared in constant time.
    mac.verify_slice(&signature).map_err(|_| unknown())?;
    let now_ms = listener.clock.now_ms();
    let at_ms = time.saturating_mul(1_000);
    if now_ms.abs_diff(at_ms) > WINDOW_MS {
        return Err(Refusal::new(ErrorCode::Invalid, "the call is too old, or a clock is wrong"));
    }
    if !is_first(at_ms, &signature, now_ms) {
        return Err(Refusal::new(ErrorCode::Invalid, "the call was taken already"));
    }
    let user = hook.user.clone().map_or_else(|| listener.default_user(), UserId::new);
    let holder = TokenHolder { token: format!("webhook {name}"), user, scopes: BTreeSet::new() };
    listener.pace(&holder)?;
    let text = String::from_utf8_lossy(&body).into_owned();
    // Somebody outside wrote it: it informs and gives no orders.
    let label = Label {
        source: Source::File { name: format!("webhook {name}") },
        trust: Trust::Untrusted,
        secret: false,
    };
    let said = format!(
        "The webhook `{name}` was called. What it was sent follows; deal with it as was agreed in this conversation."
    );
    let parts =
        vec![Part::new(Content::text(said), Label::host()), Part::new(Content::text(text), label)];
    let conversations = listener.conversations(&holder).await?;
    let saying = Saying { parts, parent: api::parent(&headers), ..Saying::default() };
    Ok(Json(conversations.say_once(&SessionId::new(hook.session.clone()), saying).await?))
}

/// Time and signature of a call.
fn signature(headers: &HeaderMap) -> Option<(u64, Vec<u8>)> {
    let text = headers.get("hydroid-signature")?.to_str().ok()?;
    let part = |name: &str| {
        text.split(',')
            .filter_map(|pair| pair.trim().split_once('='))
            .find_map(|(key, value)| (key == name).then_some(value))
    };
    Some((part("t")?.parse().ok()?, hex::decode(part("v1")?).ok()?))
}

/// True the first time a signature comes within the window.
fn is_first(at_ms: u64, signature: &[u8], now_ms: u64) -> bool {
    let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
    taken.retain(|(at_ms, _)| now_ms.abs_diff(*at_ms) <= WINDOW_MS);
    taken.insert((at_ms, hex::encode(signature)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn a_signature_has_a_time_and_hex() {
        let read = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("hydroid-signature", HeaderValue::from_static(text));
            signature(&headers)
        };
        assert_eq!(read("t=5,v1=00ff"), Some((5, vec![0, 255])));
        assert_eq!(read("v1=00ff, t=5"), Some((5, vec![0, 255])));
        for wrong in ["", "t=5", "t=x,v1=00", "t=5,v1=zz", "t=-1,v1=00", "t=5,v1=0"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_call_is_taken_once() {
        let signature = b"only in this test";
        assert!(is_first(1_000, signature, 1_000));
        assert!(!is_first(1_000, signature, 2_000));
    }
}
