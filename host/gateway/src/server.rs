//! Listening: binding, TLS, accepting, and ending without cutting anybody off. What a connection
//! may do is in the other files.

use crate::figures::{During, Figures, count};
use crate::login::Codes;
use crate::rate::Rates;
use crate::refusal::Refusal;
use crate::tokens::{BadTokens, Scope, TokenHolder, TokenStore, hash_of};
use crate::uploads::Uploads;
use crate::{api, endpoint, guard, tls};
use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Request, header};
use hydroid_core::config;
use hydroid_core::id::UserId;
use hydroid_core::ports::{Administration, Clock, Conversations, Household, SecretValue};
use hydroid_core::protocol::{ErrorCode, Limits, RequestError};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use subtle::ConstantTimeEq as _;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_rustls::TlsAcceptor;
use tower_service::Service as _;

/// How long a client may take for its handshake, and for the head of a request.
const SLOWEST_HEAD: Duration = Duration::from_secs(10);

/// Bytes of a request's head, and of what is read at once.
const LARGEST_HEAD: u32 = 32 << 10;

/// Requests at once on one connection of HTTP/2: more than a page has, with its events.
const STREAMS: u32 = 64;

/// How often a client of HTTP/2 is asked whether it is there.
const SIGN_OF_LIFE: Duration = Duration::from_secs(30);

/// How long connections may take to end when the host does.
const ENDING: Duration = Duration::from_secs(5);

/// Tokens that are none, from one address in a minute.
const FAILURES_PER_MINUTE: u32 = 30;

/// Everything a listener needs.
pub struct GatewayParts {
    /// Where everything is asked for.
    pub household: Arc<dyn Household>,
    /// Where administration is asked for, if that is possible at all.
    pub administration: Option<Arc<dyn Administration>>,
    /// Who is who.
    pub tokens: Arc<dyn TokenStore>,
    /// The token of whoever may read this host's files, and whose it is.
    pub local: (SecretValue, UserId),
    /// Secrets of webhooks, by the webhook's name.
    pub webhook_secrets: Vec<(String, SecretValue)>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// What is configured.
    pub config: config::Gateway,
    /// TLS, if it is to be spoken.
    pub tls: Option<TlsFiles>,
    /// The host's version.
    pub version: String,
    /// Identifies this run of the host.
    pub run: String,
}

/// The contents of two PEM files.
pub struct TlsFiles {
    /// The certificate chain.
    pub certificates: Vec<u8>,
    /// The private key.
    pub key: Vec<u8>,
}

/// Why nothing is served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address cannot be had.
    #[error("`{address}` cannot be listened on; choose another with `--bind` or `gateway.bind`")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Anybody could listen in.
    #[error(
        "`{0}` can be reached from other machines, and nothing would be encrypted: set `gateway.tls_cert` and `gateway.tls_key`, or set `gateway.insecure` to true if something in front of it has TLS; every client needs a token of `hydroid token create` in any case"
    )]
    Exposed(SocketAddr),
    /// Nobody could get in.
    #[error(
        "`{0}` can be reached from other machines, and there is no token with which anybody could get in: make one first, with `hydroid token create`"
    )]
    NoToken(SocketAddr),
    /// TLS cannot be spoken.
    #[error("{0}")]
    Tls(String),
    /// The tokens cannot be read.
    #[error("the tokens cannot be read")]
    Tokens(#[source] BadTokens),
}

/// The listener.
#[derive(Debug)]
pub struct Gateway;

/// A listener that has its address and waits to serve.
pub struct Bound {
    listener: Arc<Listener>,
    socket: TcpListener,
    tls: Option<TlsAcceptor>,
    router: Router,
    shutdown: watch::Sender<bool>,
}

/// Lets browsers in, for whoever may read this host's files.
#[derive(Clone)]
pub struct Door {
    listener: Arc<Listener>,
}

impl Door {
    /// The path and query that let a browser in, once and for a few minutes; the error is a
    /// sentence.
    pub fn link(&self) -> Result<String, String> {
        let user = self.listener.default_user();
        let code = self.listener.codes.give(user, self.listener.clock.now_ms());
        code.map(|code| format!("/login?code={code}")).map_err(|refusal| refusal.0.message)
    }

    /// Connections that are there, those of sockets among them.
    pub fn connections(&self) -> u64 {
        let figures = &self.listener.figures;
        // What became a socket is counted as that, and no longer as a connection.
        figures.connections.load(Ordering::Relaxed) + figures.sockets.load(Ordering::Relaxed)
    }
}

impl std::fmt::Debug for Door {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Door").finish_non_exhaustive()
    }
}

/// What every connection shares.
pub(crate) struct Listener {
    pub(crate) household: Arc<dyn Household>,
    pub(crate) administration: Option<Arc<dyn Administration>>,
    pub(crate) tokens: Arc<dyn TokenStore>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) config: config::Gateway,
    pub(crate) address: SocketAddr,
    pub(crate) version: String,
    pub(crate) run: String,
    pub(crate) started_ms: u64,
    pub(crate) figures: Figures,
    pub(crate) uploads: Uploads,
    pub(crate) codes: Codes,
    pub(crate) webhook_secrets: Vec<(String, SecretValue)>,
    /// Requests by token.
    pub(crate) rates: Rates<String>,
    /// True once the host ends.
    pub(crate) ending: watch::Receiver<bool>,
    has_tls: bool,
    local_hash: String,
    local_user: UserId,
    /// Tokens that are none, by address.
    failures: Rates<IpAddr>,
}

/// Where a request comes from. Its place among the connections is held as long as this is.
#[derive(Clone)]
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    _place: Arc<OwnedSemaphorePermit>,
}

/// How somebody showed who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    /// By a header that only a program sets.
    Header,
    /// By a cookie, which a browser sends of itself.
    Cookie,
}

impl Gateway {
    /// Takes the address, after it is clear that serving there is meant.
    pub async fn bind(parts: GatewayParts) -> Result<Bound, ServeError> {
        Self::bind_routes(parts, api::router).await
    }

    /// The same for a service of another protocol, at one path and alone: behind the same guard,
    /// for tokens of the local user that may chat.
    pub async fn bind_service<S>(
        parts: GatewayParts,
        path: &str,
        service: S,
    ) -> Result<Bound, ServeError>
    where
        S: tower_service::Service<Request<Body>, Error = Infallible>
            + Clone
            + Send
            + Sync
            + 'static,
        S::Response: axum::response::IntoResponse,
        S::Future: Send + 'static,
    {
        Self::bind_routes(parts, |listener| endpoint::router(listener, path, service)).await
    }

    async fn bind_routes(
        parts: GatewayParts,
        routes: impl FnOnce(Arc<Listener>) -> Router,
    ) -> Result<Bound, ServeError> {
        let address: SocketAddr = parts.config.bind.parse().expect("checked by core");
        if !address.ip().is_loopback() {
            if parts.tls.is_none() && !parts.config.insecure {
                return Err(ServeError::Exposed(address));
            }
            let book = parts.tokens.book().map_err(ServeError::Tokens)?;
            if book.tokens().is_empty() {
                return Err(ServeError::NoToken(address));
            }
        }
        let now_ms = parts.clock.now_ms();
        let tls = parts
            .tls
            .map(|files| tls::acceptor(&files.certificates, &files.key, now_ms))
            .transpose()
            .map_err(ServeError::Tls)?;
        let bound = |source| ServeError::Bind { address, source };
        let socket = listen(address).await.map_err(bound)?;
        let (shutdown, ending) = watch::channel(false);
        let listener = Arc::new(Listener {
            address: socket.local_addr().map_err(bound)?,
            household: parts.household,
            administration: parts.administration,
            tokens: parts.tokens,
            rates: Rates::new(parts.config.requests_per_minute),
            started_ms: parts.clock.now_ms(),
            clock: parts.clock,
            config: parts.config,
            version: parts.version,
            run: parts.run,
            figures: Figures::default(),
            uploads: Uploads::default(),
            codes: Codes::default(),
            webhook_secrets: parts.webhook_secrets,
            ending,
            has_tls: tls.is_some(),
            local_hash: hash_of(parts.local.0.expose()),
            local_user: parts.local.1,
            failures: Rates::new(FAILURES_PER_MINUTE),
        });
        let router = routes(Arc::clone(&listener))
            .layer(axum::middleware::from_fn_with_state(Arc::clone(&listener), guard::guard));
        Ok(Bound { listener, socket, tls, router, shutdown })
    }
}

#[expect(clippy::disallowed_methods, reason = "this crate is the one that listens")]
async fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    TcpListener::bind(address).await
}

impl Bound {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.listener.address
    }

    /// `http` or `https`.
    pub fn scheme(&self) -> &'static str {
        if self.listener.has_tls { "https" } else { "http" }
    }

    /// What lets a browser in.
    pub fn door(&self) -> Door {
        Door { listener: Arc::clone(&self.listener) }
    }

    /// Serves until `over` resolves, then lets requests come to their end, tells every client, and
    /// closes the household.
    pub async fn serve(self, over: impl Future<Output = ()> + Send) {
        let Self { listener, socket, tls, router, shutdown } = self;
        let places = Arc::new(Semaphore::new(listener.config.max_connections));
        tokio::pin!(over);
        loop {
            let accepted = tokio::select! {
                accepted = socket.accept() => accepted,
                () = &mut over => break,
            };
            let (stream, address) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of descriptors, most likely: others may close meanwhile.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            };
            let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
                count(&listener.figures.refused_full);
                tracing::warn!(%address, "refused a connection: `gateway.max_connections` are there");
                continue;
            };
            drop(stream.set_nodelay(true));
            let peer = Peer { address, _place: Arc::new(place) };
            let (listener, router) = (Arc::clone(&listener), router.clone());
            let (tls, ending) = (tls.clone(), listener.ending.clone());
            tokio::spawn(async move {
                let _counted = During::new(&listener.figures.connections);
                match tls {
                    None => connection(stream, peer, router, ending).await,
                    Some(tls) => {
                        match tokio::time::timeout(SLOWEST_HEAD, tls.accept(stream)).await {
                            Ok(Ok(stream)) => {
                                let chosen = stream.get_ref().1.alpn_protocol();
                                if chosen == Some(tls::HTTP_2) {
                                    multiplexed(stream, peer, router, ending).await;
                                } else {
                                    connection(stream, peer, router, ending).await;
                                }
                            }
                            Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
                            Err(_) => tracing::debug!("a TLS handshake took too long"),
                        }
                    }
                }
            });
        }
        drop(socket);
        // Sessions first: what they still have to tell goes out before the sockets end.
        listener.household.close().await;
        let _ = shutdown.send(true);
        let gone = async {
            let figures = &listener.figures;
            while figures.connections.load(Ordering::Relaxed) > 0
                || figures.sockets.load(Ordering::Relaxed) > 0
            {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        drop(tokio::time::timeout(ENDING, gone).await);
    }
}

async fn connection<S>(stream: S, peer: Peer, router: Router, mut ending: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request: Request<hyper::body::Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(peer.clone());
        router.clone().call(request)
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(SLOWEST_HEAD)
        .max_buf_size(LARGEST_HEAD as usize)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = is_over(&mut ending) => {
            // The request it is at comes to its end.
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// A connection that speaks HTTP/2, as clients do that are offered it. Sockets come over HTTP/1.1:
/// nothing here says that they could come otherwise.
async fn multiplexed<S>(stream: S, peer: Peer, router: Router, mut ending: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request: Request<hyper::body::Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(peer.clone());
        router.clone().call(request)
    });
    let connection = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_header_list_size(LARGEST_HEAD)
        .max_concurrent_streams(STREAMS)
        .keep_alive_interval(Some(SIGN_OF_LIFE))
        .keep_alive_timeout(SLOWEST_HEAD)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = is_over(&mut ending) => {
            // Requests it is at come to their end.
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// Resolves when the host ends.
pub(crate) async fn is_over(ending: &mut watch::Receiver<bool>) {
    // Without a sender it has ended too.
    drop(ending.wait_for(|over| *over).await);
}

impl Listener {
    pub(crate) fn is_tls(&self) -> bool {
        self.has_tls
    }

    /// Who a token belongs to.
    pub(crate) fn holder(&self, peer: &Peer, token: &str) -> Result<TokenHolder, Refusal> {
        let now_ms = self.clock.now_ms();
        let ip = peer.address.ip();
        if self.failures.is_empty(&ip, now_ms) {
            count(&self.figures.refused_rate);
            return Err(Refusal(RequestError {
                retry_after_ms: Some(60_000),
                ..RequestError::new(ErrorCode::RateLimited, "too many wrong tokens; wait a minute")
            }));
        }
        let hash = hash_of(token);
        if bool::from(hash.as_bytes().ct_eq(self.local_hash.as_bytes())) {
            let scopes = Scope::ALL.into();
            let user = self.local_user.clone();
            return Ok(TokenHolder { token: "local".to_owned(), user, scopes });
        }
        let book = self.tokens.book().map_err(|error| {
            tracing::error!(%error, "the tokens cannot be read");
            Refusal::new(ErrorCode::Internal, "the host failed; `hydroid logs` says more")
        })?;
        book.holder(token, now_ms).ok_or_else(|| {
            // A client that tries many waits; one mistake costs nothing.
            let _ = self.failures.take(&ip, now_ms);
            self.unauthenticated(peer, "this token is unknown, or it has ended or was revoked; `hydroid token create` makes one")
        })
    }

    pub(crate) fn unauthenticated(&self, peer: &Peer, text: &str) -> Refusal {
        count(&self.figures.refused_unauthenticated);
        tracing::warn!(peer = %peer.address, "refused a request: {text}");
        Refusal::new(ErrorCode::Unauthenticated, text)
    }

    /// Who a request comes from, as its headers show; none if they show nobody.
    pub(crate) fn shown(
        &self,
        peer: &Peer,
        headers: &HeaderMap,
    ) -> Result<Option<(TokenHolder, Shown)>, Refusal> {
        if let Some(value) = headers.get(header::AUTHORIZATION) {
            let text = value.to_str().unwrap_or_default();
            let token = text
                .split_once(' ')
                .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
                .map(|(_, token)| token.trim());
            let Some(token) = token else {
                let text = "`Authorization` is not `Bearer` with a token";
                return Err(self.unauthenticated(peer, text));
            };
            return Ok(Some((self.holder(peer, token)?, Shown::Header)));
        }
        match crate::login::cookie(headers) {
            Some(token) => Ok(Some((self.holder(peer, token)?, Shown::Cookie))),
            None => Ok(None),
        }
    }

    /// Whose everything is where nobody else is named.
    pub(crate) fn default_user(&self) -> UserId {
        self.local_user.clone()
    }

    /// Takes one of the requests a token has in a minute.
    pub(crate) fn pace(&self, holder: &TokenHolder) -> Result<(), RequestError> {
        self.rates.take(&holder.token, self.clock.now_ms()).map_err(|wait| {
            count(&self.figures.refused_rate);
            RequestError {
                retry_after_ms: Some(wait),
                ..RequestError::new(
                    ErrorCode::RateLimited,
                    "too many requests; `gateway.requests_per_minute` says how many there may be",
                )
            }
        })
    }

    pub(crate) async fn conversations(
        &self,
        holder: &TokenHolder,
    ) -> Result<Arc<dyn Conversations>, RequestError> {
        if *self.ending.borrow() {
            return Err(RequestError::new(ErrorCode::ShuttingDown, "the host ends"));
        }
        self.household.of(&holder.user).await
    }

    pub(crate) fn limits(&self) -> Limits {
        let small = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Limits {
            message_bytes: self.config.max_message.0,
            attachments: small(hydroid_core::protocol::MOST_ATTACHMENTS),
            attachment_bytes: hydroid_core::protocol::LARGEST_ATTACHMENT,
            queued: small(self.config.queued_messages),
            turns: small(self.config.turns_per_user),
            sessions: small(self.config.sessions_per_user),
            heartbeat_seconds: small(
                usize::try_from(crate::socket::HEARTBEAT.as_secs()).unwrap_or(usize::MAX),
            ),
        }
    }
}

impl std::fmt::Debug for Bound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bound").field("address", &self.listener.address).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for GatewayParts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GatewayParts").field("config", &self.config).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for TlsFiles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TlsFiles").finish_non_exhaustive()
    }
}
