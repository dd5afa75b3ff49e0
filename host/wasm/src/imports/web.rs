//! `hydroid:cap/web`: HTTP through the one door, with a credential the guest cannot read.

use super::{error, secrets};
use crate::bindings::cap::web::{Attach, Header, Host, HostResponse, Request};
use crate::bindings::core::types::{Error, ErrorKind};
use crate::egress::{Answer, EgressError, Outgoing, Target};
use crate::guard;
use crate::imports::secrets::OpenSecret;
use crate::instance::{Equipment, State};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use hydroid_core::manifest::{self, AwsSigV4, Place, Signer, is_scope};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use wasmtime::Result;
use wasmtime::component::Resource;

/// Most bytes one read returns.
const LARGEST_READ: u32 = 1 << 20;

/// What a guest says instead of a place to mean the one its manifest declares; the places and
/// signers this track of the contract does not name are reached by it.
const AS_DECLARED: &str = "manifest";

/// What a guest says behind that to name the region its manifest leaves to it.
const IN_REGION: &str = "manifest region=";

/// An answer being read.
#[derive(Debug)]
#[expect(unreachable_pub, reason = "bindgen! re-exports it")]
pub struct OpenResponse {
    answer: Answer,
    rest: Bytes,
}

impl Host for State {
    async fn fetch(
        &mut self,
        request: Request,
        credential: Option<(Resource<OpenSecret>, Attach)>,
    ) -> Result<Result<Resource<OpenResponse>, Error>> {
        let credential = match credential {
            None => None,
            Some((secret, attach)) => {
                let name = self.table.get(&secret)?.name.clone();
                match credential_for(self, &name, &attach) {
                    Ok(credential) => Some(credential),
                    Err(problem) => return Ok(Err(problem)),
                }
            }
        };
        let outgoing = match outgoing(request, &self.equipment, &self.requests) {
            Ok(outgoing) => outgoing,
            Err(problem) => return Ok(Err(problem)),
        };
        let equipment = self.equipment.clone();
        if let Err(problem) = secrets::check_guest(&equipment, &outgoing) {
            return Ok(Err(egress_error(&problem)));
        }
        match guard::send(&equipment, &self.call, outgoing, credential).await {
            Ok(answer) => {
                self.refused.clone_from(&answer.refused);
                Ok(Ok(self.table.push(OpenResponse { answer, rest: Bytes::new() })?))
            }
            Err(problem) => Ok(Err(egress_error(&problem))),
        }
    }
}

impl HostResponse for State {
    async fn status(&mut self, response: Resource<OpenResponse>) -> Result<u16> {
        Ok(self.table.get(&response)?.answer.status)
    }

    async fn headers(&mut self, response: Resource<OpenResponse>) -> Result<Vec<Header>> {
        let answer = &self.table.get(&response)?.answer;
        let header = |(name, value): (&HeaderName, &HeaderValue)| Header {
            name: name.to_string(),
            value: value.as_bytes().to_vec(),
        };
        Ok(answer.headers.iter().map(header).collect())
    }

    async fn url(&mut self, response: Resource<OpenResponse>) -> Result<String> {
        Ok(self.table.get(&response)?.answer.url().to_owned())
    }

    async fn read(
        &mut self,
        response: Resource<OpenResponse>,
        max: u32,
    ) -> Result<Result<Option<Vec<u8>>, Error>> {
        let max = max.clamp(1, LARGEST_READ) as usize;
        let response = self.table.get_mut(&response)?;
        if response.rest.is_empty() {
            match response.answer.next().await {
                Ok(Some(bytes)) => response.rest = bytes,
                Ok(None) => return Ok(Ok(None)),
                Err(problem) => return Ok(Err(egress_error(&problem))),
            }
        }
        let piece = response.rest.split_to(max.min(response.rest.len()));
        Ok(Ok(Some(piece.to_vec())))
    }

    async fn drop(&mut self, response: Resource<OpenResponse>) -> Result<()> {
        self.table.delete(response)?;
        Ok(())
    }
}

/// Counts a request of this call against the operator's limit.
pub(super) fn count_request(equipment: &Equipment, requests: &AtomicU32) -> Result<(), String> {
    let limit = equipment.egress.limits().max_requests_per_call;
    if requests.fetch_add(1, Ordering::Relaxed) >= limit {
        return Err(format!(
            "`{}` sent {limit} requests in one call, the most; a person can raise `egress.max_requests_per_call`",
            equipment.component
        ));
    }
    Ok(())
}

fn credential_for(
    state: &State,
    name: &str,
    attach: &Attach,
) -> Result<crate::egress::Credential, Error> {
    let mut credential = secrets::credential(&state.equipment, &state.call.user, name)?;
    let region = match attach {
        Attach::Other(word) => word.strip_prefix(IN_REGION),
        _ => None,
    };
    let fits = match (attach, &mut credential.attach) {
        (Attach::Other(word), _) if word == AS_DECLARED => true,
        (Attach::Other(_), manifest::Attach::Sign(Signer::AwsSigV4(aws))) if region.is_some() => {
            aws.region.is_none() && name_region(aws, region)
        }
        (Attach::Other(_), _) if region.is_some() => false,
        (Attach::Other(place), _) => {
            let shown: String = place.chars().take(64).collect();
            return Err(error(
                ErrorKind::Unsupported,
                format!(
                    "this host knows no place `{shown}` for a credential; `{AS_DECLARED}` is the one of the manifest"
                ),
            ));
        }
        (wanted, manifest::Attach::Place(place)) => is_place(wanted, place),
        (wanted, manifest::Attach::Sign(Signer::OAuth2(oauth))) => is_place(wanted, &oauth.place),
        (
            _,
            manifest::Attach::Sign(Signer::Hmac(_) | Signer::AwsSigV4(_)) | manifest::Attach::Part,
        ) => false,
    };
    if !fits {
        return Err(error(
            ErrorKind::Denied,
            format!(
                "the manifest of `{}` attaches the secret `{name}` in another place; what the manifest says is what a person granted",
                state.equipment.component
            ),
        ));
    }
    Ok(credential)
}

/// Fills in the region a manifest leaves open; false for a word that is none.
fn name_region(aws: &mut AwsSigV4, region: Option<&str>) -> bool {
    aws.region = region.filter(|region| is_scope(region)).map(str::to_owned);
    aws.region.is_some()
}

fn is_place(wanted: &Attach, place: &Place) -> bool {
    match (wanted, place) {
        (Attach::Bearer, Place::Bearer) => true,
        // The prefix is the manifest's to say.
        (Attach::Header(wanted), Place::Header { name, .. }) => wanted.eq_ignore_ascii_case(name),
        (Attach::Query(wanted), Place::Query(name)) => wanted == name,
        (Attach::Path(wanted), Place::Path(placeholder)) => wanted == placeholder,
        (Attach::BasicUser(wanted), Place::Basic(user)) => wanted == user,
        _ => false,
    }
}

fn outgoing(
    request: Request,
    equipment: &Equipment,
    requests: &AtomicU32,
) -> Result<Outgoing, Error> {
    count_request(equipment, requests).map_err(|problem| error(ErrorKind::RateLimited, problem))?;
    let invalid = |problem: String| error(ErrorKind::InvalidInput, problem);
    let target = Target::parse(&request.url).map_err(|problem| invalid(problem.to_string()))?;
    let method = Method::from_bytes(request.method.as_bytes()).map_err(|_| {
        invalid(format!(
            "`{}` is not a method",
            request.method.chars().take(20).collect::<String>()
        ))
    })?;
    let mut headers = HeaderMap::new();
    for header in request.headers {
        let shown: String = header.name.chars().take(64).collect();
        let name = HeaderName::from_bytes(header.name.as_bytes())
            .map_err(|_| invalid(format!("`{shown}` is not a header name")))?;
        let value = HeaderValue::from_bytes(&header.value)
            .map_err(|_| invalid(format!("the header `{shown}` has a value it cannot have")))?;
        headers.append(name, value);
    }
    Ok(Outgoing {
        target,
        method,
        headers,
        body: request.body.into(),
        timeout: request.timeout_ms.map(|ms| Duration::from_millis(ms.into())),
    })
}

pub(super) fn egress_error(problem: &EgressError) -> Error {
    let (kind, sent) = match problem {
        EgressError::Url(_)
        | EgressError::Method(_)
        | EgressError::Header { .. }
        | EgressError::Supplied { .. }
        | EgressError::Place { .. } => (ErrorKind::InvalidInput, false),
        EgressError::Token { .. } => (ErrorKind::Unauthenticated, false),
        EgressError::Budget { .. } | EgressError::Busy { .. } => (ErrorKind::RateLimited, false),
        EgressError::Uncounted(_) => (ErrorKind::Unavailable, false),
        EgressError::NotGranted(_)
        | EgressError::Unaudited
        | EgressError::Unsearched(_)
        | EgressError::Leak { .. }
        | EgressError::SpecialAddress { .. }
        | EgressError::Audience { .. } => (ErrorKind::Denied, false),
        EgressError::NotFound { .. } | EgressError::NotRecorded { .. } => {
            (ErrorKind::NotFound, false)
        }
        EgressError::TooLarge(_) => (ErrorKind::TooLarge, false),
        // What was under way may have arrived.
        EgressError::Stopped => (ErrorKind::Denied, true),
        EgressError::Timeout(_) => (ErrorKind::Timeout, true),
        EgressError::Connection { sent, .. } => (ErrorKind::Unavailable, *sent),
    };
    let retry_after_ms = match problem {
        EgressError::Budget { free_in: Some(seconds), .. } => {
            Some(u32::try_from(seconds.saturating_mul(1000)).unwrap_or(u32::MAX))
        }
        // The next connection may hold, and the service named no time.
        EgressError::Timeout(_) | EgressError::Connection { .. } => Some(0),
        _ => None,
    };
    Error { sent, retry_after_ms, ..error(kind, problem.to_string()) }
}
