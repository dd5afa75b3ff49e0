//! TLS as clients see it: a handshake with an authority they trust, both versions of HTTP, the
//! socket, and what is refused before anything listens.

use super::*;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair, date_time_ymd};
use rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

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

    /// Files for a host of these names, for these years.
    fn files(&self, names: &[&str], (from, until): (i32, i32)) -> TlsFiles {
        let key = KeyPair::generate().unwrap();
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.not_before = date_time_ymd(from, 1, 1);
        params.not_after = date_time_ymd(until, 1, 1);
        let own = params.signed_by(&key, &self.certificate, &self.key).unwrap();
        let chain = format!("{}{}", own.pem(), self.certificate.pem());
        TlsFiles { certificates: chain.into_bytes(), key: key.serialize_pem().into_bytes() }
    }

    /// A connection of a client that trusts this authority and nobody else.
    async fn connect(
        &self,
        address: SocketAddr,
        name: &'static str,
        protocols: &[&str],
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from(self.certificate.der().to_vec())).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        let stream = TcpStream::connect_here(address).await;
        let name = ServerName::try_from(name).unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, stream).await
    }
}

async fn serving(tls: TlsFiles, config: &str) -> Running {
    let (household, tokens) = (Scripted::default(), Arc::new(InMemory::default()));
    let parts = GatewayParts { tls: Some(tls), ..parts(config, household.clone(), tokens.clone()) };
    let bound = Gateway::bind(parts).await.unwrap();
    assert_eq!(bound.scheme(), "https");
    let address = bound.address();
    let (over, ended) = oneshot::channel();
    let served = tokio::spawn(bound.serve(async { drop(ended.await) }));
    Running { address, household, tokens, over: Some(over), served }
}

fn request(target: &str, host: Option<String>) -> http::Request<Full<bytes::Bytes>> {
    let mut request = http::Request::builder().uri(target);
    if let Some(host) = host {
        request = request.header("host", host);
    }
    let request = request.header("authorization", format!("Bearer {LOCAL}"));
    request.body(Full::default()).unwrap()
}

#[tokio::test]
async fn rest_page_and_socket_come_over_tls_in_both_versions_of_http() {
    let authority = Authority::new();
    let tls = authority.files(&["localhost", "127.0.0.1"], (2000, 2100));
    let running = serving(tls, "").await;
    let (address, port) = (running.address, running.address.port());

    let stream = authority.connect(address, "localhost", &["h2", "http/1.1"]).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (mut sender, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    let connection = tokio::spawn(connection);
    for (path, status) in [("/", 200), ("/api/v1/status", 200), ("/api/v1/nothing", 404)] {
        let target = format!("https://localhost:{port}{path}");
        let answer = sender.send_request(request(&target, None)).await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.version()), (status, http::Version::HTTP_2));
        assert!(answer.headers().contains_key("strict-transport-security"), "{path}");
        answer.into_body().collect().await.unwrap();
    }
    // A name that was made to lead here is refused in this version too.
    for (target, host) in [
        (format!("https://evil.example:{port}/api/v1/status"), None),
        (format!("https://localhost:{port}/api/v1/status"), Some("evil.example".to_owned())),
    ] {
        let answer = sender.send_request(request(&target, host)).await.unwrap();
        assert_eq!(answer.status(), 403, "{target}");
    }
    drop(sender);
    connection.await.unwrap().unwrap();

    let stream = authority.connect(address, "localhost", &["http/1.1"]).await.unwrap();
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    let connection = tokio::spawn(connection);
    let own = Some(format!("localhost:{port}"));
    let answer = sender.send_request(request("/api/v1/status", own)).await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.version()), (200, http::Version::HTTP_11));
    drop((sender, answer));
    drop(connection.await);

    // A browser's socket: a page of this host over https, and its cookie kept to https.
    let stream = authority.connect(address, "localhost", &["http/1.1"]).await.unwrap();
    let url = format!("wss://localhost:{port}/api/v1/socket");
    let mut opening = url.into_client_request().unwrap();
    let origin = format!("https://localhost:{port}").parse().unwrap();
    opening.headers_mut().insert("origin", origin);
    let (mut socket, _) = tokio_tungstenite::client_async(opening, stream).await.unwrap();
    let hello = json!({ "id": 1, "type": "hello", "protocol": 1, "token": LOCAL, "client": { "name": "test" } });
    socket.send(Message::text(hello.to_string())).await.unwrap();
    let welcome = socket.next().await.unwrap().unwrap().into_text().unwrap();
    assert!(welcome.contains("\"welcome\""), "{welcome}");
}

#[tokio::test]
async fn a_client_that_trusts_somebody_else_or_names_another_host_gets_no_connection() {
    let authority = Authority::new();
    let running = serving(authority.files(&["localhost"], (2000, 2100)), "").await;
    let address = running.address;
    assert!(Authority::new().connect(address, "localhost", &[]).await.is_err());
    assert!(authority.connect(address, "other.example", &[]).await.is_err());
    // Whoever speaks no TLS is let go, and the others are served.
    let mut plain = TcpStream::connect_here(address).await;
    plain.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    drop(plain.read_to_end(&mut answer).await);
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    assert!(authority.connect(address, "localhost", &[]).await.is_ok());
}

#[tokio::test]
async fn a_certificate_that_no_client_would_take_is_refused_before_anything_listens() {
    let authority = Authority::new();
    let other = authority.files(&["localhost"], (2000, 2100));
    let with = |certificates: Vec<u8>, key: Vec<u8>| TlsFiles { certificates, key };
    let good = || authority.files(&["localhost"], (2000, 2100));
    for (files, expect) in [
        (authority.files(&["localhost"], (2000, 2020)), "has expired"),
        (authority.files(&["localhost"], (2090, 2100)), "not valid yet"),
        (with(good().certificates, other.key), "do not fit together"),
        (with(b"x".to_vec(), good().key), "has no certificate in it"),
        (with(good().certificates, b"x".to_vec()), "is no PEM file of a private key"),
        (with(good().key, good().certificates), "has no certificate in it"),
    ] {
        let parts = parts("", Scripted::default(), Arc::default());
        let refused = Gateway::bind(GatewayParts { tls: Some(files), ..parts }).await;
        let error = refused.err().unwrap_or_else(|| panic!("`{expect}` was expected"));
        assert!(error.to_string().contains(expect), "{error}");
    }
}
