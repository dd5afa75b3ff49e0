//! `hydroid:cap/web`: HTTP through the one door, with a credential the guest cannot read.

use super::{error, secrets};
use crate::bindings::cap::web::{Attach, Header, Host, HostResponse, Request};
use crate::bindings::core::types::{Error, ErrorKind};
use crate::egress::{Answer, EgressError, Outgoing, Place, Target};
use crate::imports::secrets::OpenSecret;
use crate::instance::{Equipment, State};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use wasmtime::Result;
use wasmtime::component::Resource;

/// Most bytes one read returns.
const LARGEST_READ: u32 = 1 << 20;

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
        match equipment
            .egress
            .send(&equipment.component, &equipment.grant, outgoing, credential)
            .await
        {
            Ok(answer) => Ok(Ok(self.table.push(OpenResponse { answer, rest: Bytes::new() })?)),
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
    let credential = secrets::credential(&state.equipment, &state.call.user, name)?;
    let wanted = match attach {
        Attach::Bearer => Place::Bearer,
        Attach::Header(name) => Place::Header(name.clone()),
        Attach::Query(name) => Place::Query(name.clone()),
        Attach::Path(placeholder) => Place::Path(placeholder.clone()),
        Attach::BasicUser(user) => Place::Basic(user.clone()),
        Attach::Other(place) => {
            return Err(error(
                ErrorKind::Unsupported,
                format!("this host knows no place `{place}` for a credential"),
            ));
        }
    };
    if wanted != credential.place {
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
        EgressError::Url(_) | EgressError::Header { .. } | EgressError::Place { .. } => {
            (ErrorKind::InvalidInput, false)
        }
        EgressError::NotGranted { .. }
        | EgressError::SpecialAddress { .. }
        | EgressError::Audience { .. } => (ErrorKind::Denied, false),
        EgressError::NotFound { .. } => (ErrorKind::NotFound, false),
        EgressError::TooLarge(_) => (ErrorKind::TooLarge, false),
        EgressError::Timeout(_) => (ErrorKind::Timeout, true),
        EgressError::Connection { sent, .. } => (ErrorKind::Unavailable, *sent),
    };
    Error { sent, ..error(kind, problem.to_string()) }
}
