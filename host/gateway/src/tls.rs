//! TLS by two PEM files, as rustls wants them. What is wrong with them is said before anything
//! listens.

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{CertificateError, Error, RootCertStore, ServerConfig};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;
use tokio_rustls::TlsAcceptor;

/// What HTTP/2 is called in a handshake.
pub(crate) const HTTP_2: &[u8] = b"h2";

/// How long before its end a certificate is warned of.
const SOON: Duration = Duration::from_secs(14 * 24 * 3600);

/// What accepts TLS at this time, in milliseconds since 1970; the error is a sentence.
pub(crate) fn acceptor(
    certificates: &[u8],
    key: &[u8],
    now_ms: u64,
) -> Result<TlsAcceptor, String> {
    let chain = CertificateDer::pem_slice_iter(certificates)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| format!("`gateway.tls_cert` is no PEM file of certificates: {error}"))?;
    if chain.is_empty() {
        return Err("`gateway.tls_cert` has no certificate in it".to_owned());
    }
    let key = PrivateKeyDer::from_pem_slice(key)
        .map_err(|error| format!("`gateway.tls_key` is no PEM file of a private key: {error}"))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    check_time(&chain, &provider, Duration::from_millis(now_ms))?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("TLS cannot be set up: {error}"))?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|error| {
            format!("`gateway.tls_cert` and `gateway.tls_key` do not fit together: {error}")
        })?;
    config.alpn_protocols = vec![HTTP_2.to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Refuses a certificate that no client would take because of the time.
fn check_time(
    chain: &[CertificateDer<'_>],
    provider: &Arc<CryptoProvider>,
    now: Duration,
) -> Result<(), String> {
    match out_of_time(chain, provider, now) {
        Some(Time::Over) => {
            Err("the certificate in `gateway.tls_cert` has expired; put a new one in its place"
                .to_owned())
        }
        Some(Time::NotYet) => Err(
            "the certificate in `gateway.tls_cert` is not valid yet; is the clock of this machine right?"
                .to_owned(),
        ),
        None => {
            if out_of_time(chain, provider, now + SOON) == Some(Time::Over) {
                tracing::warn!(
                    "the certificate in `gateway.tls_cert` expires within {} days; `hydroid restart` takes up a new one",
                    SOON.as_secs() / (24 * 3600)
                );
            }
            Ok(())
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Time {
    Over,
    NotYet,
}

/// What a client would say of the time. Everything else it would look at, such as who signed, is
/// not known here.
fn out_of_time(
    chain: &[CertificateDer<'_>],
    provider: &Arc<CryptoProvider>,
    at: Duration,
) -> Option<Time> {
    let (own, issuers) = chain.split_first()?;
    let mut roots = RootCertStore::empty();
    roots.add(chain.last()?.clone().into_owned()).ok()?;
    let verifier =
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
    let name = ServerName::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST).into());
    let verifier = verifier.build().ok()?;
    let at = UnixTime::since_unix_epoch(at);
    match verifier.verify_server_cert(own, issuers, &name, &[], at) {
        Err(Error::InvalidCertificate(
            CertificateError::Expired | CertificateError::ExpiredContext { .. },
        )) => Some(Time::Over),
        Err(Error::InvalidCertificate(
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. },
        )) => Some(Time::NotYet),
        _ => None,
    }
}
