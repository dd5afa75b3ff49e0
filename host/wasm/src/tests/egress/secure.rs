//! TLS and HTTP/2 with a server of our own: the authority is the one that `egress.ca_file` names,
//! and the name and the time of a certificate count.

use super::dns::NameServer;
use super::{body, get, grant, settings};
use crate::egress::{Egress, EgressError, EgressSettings};
use bytes::Bytes;
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair, date_time_ymd};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

const NAME: &str = "secure.test";

struct Authority {
    certificate: rcgen::Certificate,
    key: KeyPair,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self { certificate: params.self_signed(&key).unwrap(), key }
    }

    /// A server with a certificate for a name, which speaks these protocols.
    async fn server(&self, name: &str, until: i32, protocols: &[&str]) -> SocketAddr {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_before = date_time_ymd(2000, 1, 1);
        params.not_after = date_time_ymd(until, 1, 1);
        let certificate = params.signed_by(&key, &self.certificate, &self.key).unwrap();
        let chain = vec![CertificateDer::from(certificate.der().to_vec())];
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(acceptor.clone(), stream));
            }
        });
        address
    }

    fn egress(&self, dns: &NameServer, address: SocketAddr) -> Egress {
        Egress::new(EgressSettings {
            authorities: Some(self.certificate.pem().into_bytes()),
            dns: Some(dns.address),
            ..settings(&[address])
        })
    }
}

/// Answers with the protocol, the name of the handshake and the URL as it came.
async fn serve(acceptor: TlsAcceptor, stream: TcpStream) {
    let Ok(stream) = acceptor.accept(stream).await else { return };
    let (_, tls) = stream.get_ref();
    let name = tls.server_name().unwrap_or_default().to_owned();
    let Ok(mut connection) = h2::server::handshake(stream).await else { return };
    while let Some(Ok((request, mut respond))) = connection.accept().await {
        let said = format!("{:?} {name} {}", request.version(), request.uri());
        let mut answer = respond.send_response(http::Response::new(()), false).unwrap();
        answer.send_data(Bytes::from(said), true).unwrap();
    }
}

async fn fetch(egress: &Egress, address: SocketAddr) -> Result<String, EgressError> {
    let origin = format!("https://{NAME}:{}", address.port());
    body(egress, &grant(&origin), get(&format!("{origin}/v1?q=1")), None).await
}

#[tokio::test]
async fn http_2_is_spoken_over_tls_to_the_address_that_was_checked() {
    let dns = NameServer::of(&[(NAME, &["127.0.0.1"])]);
    let authority = Authority::new();
    let address = authority.server(NAME, 2100, &["h2"]).await;
    let egress = authority.egress(&dns, address);
    let expect = format!("HTTP/2.0 {NAME} https://{NAME}:{}/v1?q=1", address.port());
    for _ in 0..2 {
        assert_eq!(fetch(&egress, address).await.unwrap(), expect);
    }
    assert_eq!(dns.asked_for(NAME), 1, "the second request did not use the first connection");
}

#[tokio::test]
async fn a_certificate_is_refused_for_its_name_its_time_and_its_authority() {
    let dns = NameServer::of(&[(NAME, &["127.0.0.1"])]);
    let authority = Authority::new();
    for (name, until, problem) in
        [("other.test", 2100, "not valid for name"), (NAME, 2001, "expired")]
    {
        let address = authority.server(name, until, &["h2"]).await;
        let error = fetch(&authority.egress(&dns, address), address).await.unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, EgressError::Connection { sent: false, .. }), "{text}");
        assert!(text.contains("no secure connection") && text.contains(problem), "{text}");
    }
    let address = Authority::new().server(NAME, 2100, &["h2"]).await;
    let error = fetch(&authority.egress(&dns, address), address).await.unwrap_err();
    assert!(error.to_string().contains("invalid peer certificate"), "{error}");
}
