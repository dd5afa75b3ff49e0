//! Connecting: the name is resolved once, every address is checked, and one that was checked is
//! dialled. What comes out is a plain or an encrypted stream.

use super::address::{AddressClass, classify};
use super::client::{EgressError, EgressSettings};
use super::resolver::Resolver;
use super::target::Target;
use http::Uri;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Certificates and settings, made at the first secure connection and then shared.
pub(super) type Tls = Arc<OnceLock<Result<Arc<rustls::ClientConfig>, String>>>;

/// Resolves, checks, connects and encrypts.
#[derive(Clone)]
pub(super) struct Connector {
    pub(super) settings: Arc<EgressSettings>,
    pub(super) tls: Tls,
    pub(super) resolver: Resolver,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum DialError {
    #[error("special address")]
    Special { address: SocketAddr, what: &'static str },
    #[error("not found")]
    NotFound,
    #[error("connecting took too long")]
    Timeout(Duration),
    #[error("{0}")]
    Other(String),
}

/// The address that was dialled, for whoever reads the response.
#[derive(Clone, Copy, Debug)]
pub(super) struct RemoteAddress(pub(super) SocketAddr);

impl DialError {
    pub(super) fn to_egress(&self, target: &Target) -> EgressError {
        let host = target.host().to_owned();
        match self {
            Self::Special { address, what } => {
                EgressError::SpecialAddress { host, address: address.ip(), what, open: *address }
            }
            Self::NotFound => EgressError::NotFound { host },
            Self::Timeout(limit) => EgressError::Timeout(format!(
                "`{host}` could not be connected to within `egress.connect` ({} s)",
                limit.as_secs()
            )),
            Self::Other(problem) => {
                EgressError::Connection { host, problem: problem.clone(), sent: false }
            }
        }
    }
}

impl tower_service::Service<Uri> for Connector {
    type Response = Stream;
    type Error = DialError;
    type Future = Pin<Box<dyn Future<Output = Result<Stream, DialError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), DialError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connector = self.clone();
        Box::pin(async move {
            let limit = Duration::from_secs(connector.settings.limits.connect.0);
            tokio::time::timeout(limit, connector.connect(uri))
                .await
                .unwrap_or(Err(DialError::Timeout(limit)))
        })
    }
}

impl Connector {
    async fn connect(&self, uri: Uri) -> Result<Stream, DialError> {
        let host = uri
            .host()
            .ok_or(DialError::NotFound)?
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        let https = uri.scheme_str() == Some("https");
        let port = uri.port_u16().unwrap_or(if https { 443 } else { 80 });
        let addresses = self.resolve(&host, port).await?;
        let limit = Duration::from_secs(self.settings.limits.connect.0);
        let (tcp, address) = dial(&addresses, limit).await?;
        let _ = tcp.set_nodelay(true);
        if !https {
            return Ok(Stream { io: Io::Plain(TokioIo::new(tcp)), address });
        }
        let tls = self.tls.get_or_init(|| tls_config(self.settings.authorities.as_deref()));
        let tls = tls.clone().map_err(DialError::Other)?;
        let name = rustls::pki_types::ServerName::try_from(host)
            .map_err(|_| DialError::Other("its name is not one a certificate can have".into()))?;
        let stream = TlsConnector::from(tls)
            .connect(name, tcp)
            .await
            .map_err(|error| DialError::Other(format!("no secure connection: {error}")))?;
        Ok(Stream { io: Io::Tls(Box::new(TokioIo::new(stream))), address })
    }

    /// Resolves once. If any answer is special and not opened, the name as a whole is refused.
    pub(super) async fn resolve(
        &self,
        host: &str,
        port: u16,
    ) -> Result<Vec<SocketAddr>, DialError> {
        let found = self.resolver.addresses(host).await.ok_or(DialError::NotFound)?;
        let addresses: Vec<SocketAddr> =
            found.into_iter().map(|address| SocketAddr::new(address, port)).collect();
        if addresses.is_empty() {
            return Err(DialError::NotFound);
        }
        for address in &addresses {
            if let AddressClass::Special(what) = classify(address.ip()) {
                let open = SocketAddr::new(address.ip().to_canonical(), address.port());
                if !self.settings.allow_private.contains(&open) {
                    return Err(DialError::Special { address: open, what });
                }
            }
        }
        Ok(addresses)
    }
}

/// Dials one after the other. A silent one gets no more than its share of the time.
async fn dial(
    addresses: &[SocketAddr],
    limit: Duration,
) -> Result<(TcpStream, SocketAddr), DialError> {
    let share = limit / u32::try_from(addresses.len()).unwrap_or(u32::MAX).max(1);
    let mut problem = None;
    for address in addresses {
        match tokio::time::timeout(share, TcpStream::connect(*address)).await {
            Ok(Ok(stream)) => return Ok((stream, *address)),
            Ok(Err(error)) => problem = Some(error.to_string()),
            Err(_) => {}
        }
    }
    Err(problem.map_or(DialError::Timeout(limit), DialError::Other))
}

/// The authorities to trust; an error says where they could come from.
pub(super) fn authorities(authorities: Option<&[u8]>) -> Result<rustls::RootCertStore, String> {
    use rustls::pki_types::pem::PemObject;
    let mut roots = rustls::RootCertStore::empty();
    match authorities {
        Some(pem) => {
            for certificate in rustls::pki_types::CertificateDer::pem_slice_iter(pem) {
                let certificate = certificate
                    .map_err(|error| format!("`egress.ca_file` cannot be read: {error}"))?;
                roots.add(certificate).map_err(|error| format!("`egress.ca_file`: {error}"))?;
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    if roots.is_empty() {
        return Err("no certificate authorities are known; install the system's `ca-certificates`, or set `egress.ca_file`".into());
    }
    Ok(roots)
}

fn tls_config(pem: Option<&[u8]>) -> Result<Arc<rustls::ClientConfig>, String> {
    let roots = authorities(pem)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// A connection, plain or encrypted.
pub(super) struct Stream {
    io: Io,
    address: SocketAddr,
}

enum Io {
    Plain(TokioIo<TcpStream>),
    Tls(Box<TokioIo<tokio_rustls::client::TlsStream<TcpStream>>>),
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        let connected = Connected::new().extra(RemoteAddress(self.address));
        match &self.io {
            Io::Tls(stream) if stream.inner().get_ref().1.alpn_protocol() == Some(b"h2") => {
                connected.negotiated_h2()
            }
            Io::Tls(_) | Io::Plain(_) => connected,
        }
    }
}

impl hyper::rt::Read for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: hyper::rt::ReadBufCursor<'_>,
    ) -> Poll<std::io::Result<()>> {
        match &mut self.io {
            Io::Plain(io) => Pin::new(io).poll_read(cx, buf),
            Io::Tls(io) => Pin::new(io).poll_read(cx, buf),
        }
    }
}

impl hyper::rt::Write for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        match &mut self.io {
            Io::Plain(io) => Pin::new(io).poll_write(cx, buf),
            Io::Tls(io) => Pin::new(io).poll_write(cx, buf),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        match &mut self.io {
            Io::Plain(io) => Pin::new(io).poll_flush(cx),
            Io::Tls(io) => Pin::new(io).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        match &mut self.io {
            Io::Plain(io) => Pin::new(io).poll_shutdown(cx),
            Io::Tls(io) => Pin::new(io).poll_shutdown(cx),
        }
    }
}
