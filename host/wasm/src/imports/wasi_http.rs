//! `wasi:http/outgoing-handler`: the standard interface through the same door, for programs that
//! use `fetch` or an HTTP library. A credential is attached by the host where the manifest names
//! one for the target.

use super::{secrets, web};
use crate::egress::{Answer, EgressError, Outgoing, Target};
use crate::guard;
use crate::instance::{Equipment, State};
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderName, Request, Response};
use http_body_util::{BodyExt, Limited, StreamBody};
use hydroid_core::ports::CallContext;
use hyper::body::Frame;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use wasmtime::Result;
use wasmtime::component::Linker;
use wasmtime_wasi_http::{
    DEFAULT_FORBIDDEN_HEADERS, Error as HttpError, ForbiddenHeaderFilter, RequestOptions, WasiBody,
    WasiHttpCtxView, WasiHttpHooks, WasiHttpView,
};

/// What a request goes through.
pub(crate) struct Hooks {
    equipment: Arc<Equipment>,
    call: CallContext,
    requests: Arc<AtomicU32>,
}

impl Hooks {
    pub(crate) fn new(
        equipment: Arc<Equipment>,
        call: CallContext,
        requests: Arc<AtomicU32>,
    ) -> Self {
        Self { equipment, call, requests }
    }
}

/// Links the interface; only with the Web profile.
pub(crate) fn link(linker: &mut Linker<State>) -> Result<()> {
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(linker)
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.hooks, table: &mut self.table, ctx: &mut self.http }
    }
}

type Transmission = Box<dyn Future<Output = Result<(), HttpError>> + Send>;
type Sending =
    Box<dyn Future<Output = Result<(Response<WasiBody>, Transmission), HttpError>> + Send>;

impl WasiHttpHooks for Hooks {
    fn forbidden_header_filter(&mut self) -> ForbiddenHeaderFilter {
        // `authorization` and the like are refused with a sentence when the request is sent; a
        // guest's library only knows that a header was forbidden, not why.
        Arc::new(|name: &HeaderName| DEFAULT_FORBIDDEN_HEADERS.contains(name))
    }

    /// The host is part of the URL that was checked; hyper writes the header from it.
    fn set_host_header(&mut self) -> bool {
        false
    }

    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _: Transmission,
    ) -> Sending {
        let (equipment, call, requests) =
            (self.equipment.clone(), self.call.clone(), self.requests.clone());
        Box::new(async move {
            let answer = send(&equipment, &call, &requests, request, options).await?;
            let mut response = Response::new(());
            *response.status_mut() = http::StatusCode::from_u16(answer.status)
                .map_err(|_| HttpError::HttpProtocolError)?;
            *response.headers_mut() = answer.headers.clone();
            let done: Transmission = Box::new(async { Ok(()) });
            Ok((response.map(|()| body(answer)), done))
        })
    }
}

async fn send(
    equipment: &Equipment,
    call: &CallContext,
    requests: &AtomicU32,
    request: Request<WasiBody>,
    options: Option<RequestOptions>,
) -> Result<Answer, HttpError> {
    web::count_request(equipment, requests)
        .map_err(|problem| HttpError::InternalError(Some(problem)))?;
    let (head, body) = request.into_parts();
    let target =
        Target::parse(&head.uri.to_string()).map_err(|_| HttpError::HttpRequestUriInvalid)?;
    let limit = usize::try_from(equipment.egress.limits().max_request.0).unwrap_or(usize::MAX);
    let body = Limited::new(body, limit)
        .collect()
        .await
        .map_err(|_| HttpError::HttpRequestBodySize(Some(limit as u64)))?
        .to_bytes();
    let mut headers = head.headers;
    headers.remove(http::header::HOST);
    headers.remove(http::header::CONTENT_LENGTH);
    let outgoing = Outgoing {
        target,
        method: head.method,
        headers,
        body,
        timeout: options.and_then(|options| options.first_byte_timeout),
    };
    secrets::check_guest(equipment, &outgoing).map_err(|problem| http_error(&problem))?;
    let credential = secrets::fitting(equipment, &call.user, &outgoing.target)
        .map_err(|problem| HttpError::InternalError(Some(problem.message)))?;
    guard::send(equipment, call, outgoing, credential).await.map_err(|problem| http_error(&problem))
}

fn body(answer: Answer) -> WasiBody {
    let chunks = stream::unfold(Some(answer), |answer| async move {
        let mut answer = answer?;
        match answer.next().await {
            Ok(Some(bytes)) => {
                Some((Ok::<Frame<Bytes>, HttpError>(Frame::data(bytes)), Some(answer)))
            }
            Ok(None) => None,
            Err(problem) => Some((Err(http_error(&problem)), None)),
        }
    });
    BodyExt::boxed_unsync(StreamBody::new(chunks))
}

/// The standard's code for each refusal; those without one carry our sentence.
fn http_error(problem: &EgressError) -> HttpError {
    match problem {
        EgressError::Url(_) => HttpError::HttpRequestUriInvalid,
        EgressError::SpecialAddress { .. } => HttpError::DestinationIpProhibited,
        EgressError::NotFound { .. } => {
            HttpError::DnsError { rcode: Some("NXDOMAIN".into()), info_code: None }
        }
        EgressError::Timeout(_) => HttpError::HttpResponseTimeout,
        EgressError::TooLarge(_) => HttpError::HttpResponseBodySize(None),
        EgressError::Method(_) => HttpError::HttpRequestMethodInvalid,
        // `HTTP-request-denied` would not carry the command that allows it.
        EgressError::NotGranted(_)
        | EgressError::Budget { .. }
        | EgressError::Uncounted(_)
        | EgressError::Busy { .. }
        | EgressError::Header { .. }
        | EgressError::Audience { .. }
        | EgressError::Place { .. }
        | EgressError::Supplied { .. }
        | EgressError::Token { .. }
        | EgressError::Stopped
        | EgressError::Unaudited
        | EgressError::Unsearched(_)
        | EgressError::Leak { .. }
        | EgressError::NotRecorded { .. }
        | EgressError::Connection { .. } => HttpError::InternalError(Some(problem.to_string())),
    }
}
