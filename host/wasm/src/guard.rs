//! What a component sends and changes is written to the audit log, and what it sends is searched
//! for the person's secrets first. A secret the host attaches itself comes later, at the door.

use crate::egress::{Answer, Credential, EgressError, Outgoing, Target};
use crate::instance::Equipment;
use bytes::Bytes;
use http::HeaderValue;
use hydroid_core::audit::{AuditAction, AuditEvent, AuditOutcome};
use hydroid_core::config::Leaks;
use hydroid_core::ports::{Audit, CallContext};
use hydroid_core::scrub::{LiveScrubber, Scrubber, Tally};
use std::sync::Arc;
use wasmtime::Result;

/// How often a text is decoded: servers and what stands before them do it once each.
const MOST_DECODINGS: usize = 3;

/// Characters of a resource in the audit log.
const LONGEST_RESOURCE: usize = 512;

/// Who watches over what leaves.
#[derive(Clone)]
pub(crate) struct Guard {
    pub(crate) audit: Arc<dyn Audit>,
    pub(crate) scrubber: LiveScrubber,
    pub(crate) leaks: Leaks,
}

/// Sends a request of a component: searched for secrets, audited, then through the door.
pub(crate) async fn send(
    equipment: &Equipment,
    call: &CallContext,
    outgoing: Outgoing,
    credential: Option<Credential>,
) -> Result<Answer, EgressError> {
    let Some(guard) = &equipment.guard else {
        // Nothing is granted to a component that is only asked what it is; the door says so.
        return equipment.egress.send(&equipment.component, &equipment.grant, outgoing, None).await;
    };
    let scrubber = refreshed(guard).await;
    let searched = scrubber.as_ref().map_or_else(|_| guard.scrubber.current(), Scrubber::clone);
    let resource = resource(&searched, &outgoing);
    let bytes = outgoing.body.len() as u64;
    let event = |outcome, rule: String| AuditEvent {
        bytes: Some(bytes),
        rule,
        ..event_of(equipment, call, AuditAction::Request, &resource, outcome)
    };
    let denied =
        |problem: &EgressError| event(outcome_of(problem), searched.scrub(&problem.to_string()));
    let allowed =
        scrubber.and_then(|scrubber| allowed(equipment, guard, &scrubber, outgoing.clone()));
    let (outgoing, rule) = match allowed {
        Ok(allowed) => allowed,
        Err(problem) => {
            record(guard, denied(&problem)).await?;
            return Err(problem);
        }
    };
    record(guard, event(AuditOutcome::Allowed, rule)).await?;
    let sent = send_with_any(equipment, call, guard, outgoing, credential).await;
    if let Err(problem) = &sent {
        record(guard, denied(problem)).await?;
    }
    sent
}

/// Sends a request with the first of a credential's values that the service does not refuse.
async fn send_with_any(
    equipment: &Equipment,
    call: &CallContext,
    guard: &Guard,
    outgoing: Outgoing,
    credential: Option<Credential>,
) -> Result<Answer, EgressError> {
    let (egress, component, grant) = (&equipment.egress, &equipment.component, &equipment.grant);
    let secret_event = |action, name: &str, outcome, rule| AuditEvent {
        rule,
        ..event_of(equipment, call, action, name, outcome)
    };
    let mut left = egress.rotation().in_order(credential);
    let mut refused = Vec::new();
    while let Some(Some(credential)) = left.pop_front() {
        let covers = |rule| crate::egress::covers(rule, &outgoing.target);
        if credential.audience.iter().any(covers) {
            let rule = format!("for `{}`", outgoing.target.grantable());
            let used = secret_event(
                AuditAction::SecretUsed,
                &credential.name,
                AuditOutcome::Allowed,
                rule,
            );
            record(guard, used).await?;
        }
        let request = outgoing.clone();
        let mut answer = egress.send(component, grant, request, Some(credential.clone())).await?;
        if matches!(answer.status, 401 | 403) {
            refused.push(credential.name.clone());
            answer.refused.clone_from(&refused);
        }
        let is_refused = egress.rotation().rests(&credential, &answer);
        let Some(Some(next)) = left.front().filter(|_| is_refused) else { return Ok(answer) };
        let rule = format!("status {}; `{}` is sent instead", answer.status, next.name);
        let outcome = AuditOutcome::Failed;
        record(guard, secret_event(AuditAction::SecretRotated, &credential.name, outcome, rule))
            .await?;
    }
    egress.send(component, grant, outgoing, None).await
}

/// The scrubber of the secrets as they are now. What cannot be searched is not sent.
async fn refreshed(guard: &Guard) -> Result<Scrubber, EgressError> {
    let shared = guard.scrubber.clone();
    // It may ask a database.
    tokio::task::spawn_blocking(move || shared.refreshed())
        .await
        .unwrap_or_else(|_| Err("a defect in the host stopped looking for them".to_owned()))
        .map_err(EgressError::Unsearched)
}

/// Records that a component changed a file; `path` is as the component knows it.
pub(crate) async fn file_changed(
    equipment: &Equipment,
    call: &CallContext,
    resource: &str,
    bytes: Option<u64>,
) {
    let Some(guard) = &equipment.guard else { return };
    let event = AuditEvent {
        bytes,
        ..event_of(equipment, call, AuditAction::FileChanged, resource, AuditOutcome::Allowed)
    };
    if let Err(error) = guard.audit.record(event).await {
        tracing::error!(component = %equipment.component, %error, "a changed file could not be audited");
    }
}

/// The request as it may leave, and what it rests on.
fn allowed(
    equipment: &Equipment,
    guard: &Guard,
    scrubber: &Scrubber,
    outgoing: Outgoing,
) -> Result<(Outgoing, String), EgressError> {
    crate::egress::check_grant(
        &equipment.component,
        &equipment.grant,
        &outgoing.target,
        &outgoing.method,
    )?;
    let mut tally = Tally::default();
    let clean = without_secrets(scrubber, &outgoing, &mut tally);
    if tally.redactions == 0 {
        return Ok((outgoing, "grant `web`".to_owned()));
    }
    let kinds: Vec<&str> = tally.kinds.iter().map(String::as_str).collect();
    let kinds = kinds.join(", ");
    match (guard.leaks, clean) {
        (Leaks::Redact, Some(clean)) => Ok((clean, format!("grant `web`, without {kinds}"))),
        (Leaks::Redact | Leaks::Block, _) => Err(EgressError::Leak {
            component: equipment.component.clone(),
            target: outgoing.target.grantable(),
            kinds,
        }),
    }
}

/// The request without the person's secrets; none when they are where nothing can be put in
/// their place: in the name of the host, or in bytes that are no text.
fn without_secrets(
    scrubber: &Scrubber,
    outgoing: &Outgoing,
    tally: &mut Tally,
) -> Option<Outgoing> {
    let mut clean = outgoing.clone();
    let url = scrubber.known_counted(outgoing.target.url().as_str(), tally);
    let url_changed = url != outgoing.target.url().as_str();
    for value in clean.headers.values_mut() {
        let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
        let masked = scrubber.known_counted(&text, tally);
        if masked != text {
            *value = HeaderValue::from_str(&masked).unwrap_or(HeaderValue::from_static("[secret]"));
        }
    }
    match std::str::from_utf8(&outgoing.body) {
        Ok(text) => {
            let masked = scrubber.known_counted(text, tally);
            if masked != text {
                clean.body = Bytes::from(masked);
            }
        }
        Err(_) => {
            let text = String::from_utf8_lossy(&outgoing.body);
            let before = tally.redactions;
            drop(scrubber.known_counted(&text, tally));
            if tally.redactions > before {
                return None;
            }
        }
    }
    if url_changed {
        let target = Target::parse(&url).ok()?;
        let same = (target.scheme(), target.host(), target.port())
            == (outgoing.target.scheme(), outgoing.target.host(), outgoing.target.port());
        if !same {
            return None;
        }
        clean.target = target;
    }
    let body = String::from_utf8_lossy(&clean.body);
    let hidden = [clean.target.url().as_str(), &body]
        .into_iter()
        .any(|text| is_hidden_in(scrubber, text, tally));
    (!hidden).then_some(clean)
}

/// True if a secret comes out when the text is decoded as a server would, once or several times:
/// one letter of it written otherwise is enough to hide it from a search for whole forms.
fn is_hidden_in(scrubber: &Scrubber, text: &str, tally: &mut Tally) -> bool {
    let mut text = text.to_owned();
    for _ in 0..MOST_DECODINGS {
        let decoded = decoded(&text);
        if decoded == text {
            return false;
        }
        let mut found = Tally::default();
        drop(scrubber.known_counted(&decoded, &mut found));
        if found.redactions > 0 {
            tally.join(&found);
            return true;
        }
        text = decoded;
    }
    false
}

/// The text with `%41` and `\u0041` as the letters they stand for.
fn decoded(text: &str) -> String {
    let text = percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once("\\u") {
        out.push_str(before);
        let digits = after.get(..4).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
        let letter =
            digits.and_then(|digits| u32::from_str_radix(digits, 16).ok()).and_then(char::from_u32);
        match letter {
            Some(letter) => {
                out.push(letter);
                rest = after.get(4..).unwrap_or_default();
            }
            None => {
                out.push_str("\\u");
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

/// Method, origin and path; what stands behind a `?` may be anything.
fn resource(scrubber: &Scrubber, outgoing: &Outgoing) -> String {
    let mut url = outgoing.target.url().clone();
    url.set_query(None);
    let text = format!("{} {url}", outgoing.method);
    scrubber.scrub(&text).chars().take(LONGEST_RESOURCE).collect()
}

fn outcome_of(problem: &EgressError) -> AuditOutcome {
    match problem {
        EgressError::NotFound { .. }
        | EgressError::Timeout(_)
        | EgressError::Connection { .. }
        | EgressError::Token { .. }
        | EgressError::TooLarge(_) => AuditOutcome::Failed,
        EgressError::Url(_)
        | EgressError::NotGranted(_)
        | EgressError::Method(_)
        | EgressError::SpecialAddress { .. }
        | EgressError::Header { .. }
        | EgressError::Audience { .. }
        | EgressError::Place { .. }
        | EgressError::Supplied { .. }
        | EgressError::Budget { .. }
        | EgressError::Uncounted(_)
        | EgressError::Busy { .. }
        | EgressError::Stopped
        | EgressError::Unaudited
        | EgressError::Unsearched(_)
        | EgressError::Leak { .. }
        | EgressError::NotRecorded { .. } => AuditOutcome::Denied,
    }
}

fn event_of(
    equipment: &Equipment,
    call: &CallContext,
    action: AuditAction,
    resource: &str,
    outcome: AuditOutcome,
) -> AuditEvent {
    AuditEvent {
        session: Some(call.session.clone()),
        turn: Some(call.turn.clone()),
        call: call.call.clone(),
        component: Some(equipment.component.clone()),
        digest: Some(equipment.digest.clone()),
        ..AuditEvent::new(
            call.user.clone(),
            action,
            resource.chars().take(LONGEST_RESOURCE).collect::<String>(),
            outcome,
        )
    }
}

/// What cannot be recorded is not done.
async fn record(guard: &Guard, event: AuditEvent) -> Result<(), EgressError> {
    guard.audit.record(event).await.map_err(|error| {
        tracing::error!(%error, "the audit log could not be written");
        EgressError::Unaudited
    })
}
