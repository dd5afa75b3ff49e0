//! Registries that ask who is there, lie, lead elsewhere and break off, played by a server of ours.
//! A real one is spoken to in `tests/it/shipping.rs`.

use crate::catalog::Catalog;
use crate::component::digest;
use crate::egress::{Egress, EgressSettings};
use crate::shipping::{Image, Login, Logins, OciReference, Registry, ShippingError, fetch};
use hydroid_core::config;
use hydroid_core::ports::SecretValue;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};

/// What a request was, for a server that decides by it.
struct Asked {
    method: String,
    path: String,
    authorization: Option<String>,
    body: String,
}

/// A server that answers by a function: status line, header lines, body.
fn server(
    answer: impl Fn(&Asked, SocketAddr) -> (u16, Vec<String>, Vec<u8>) + Send + Sync + 'static,
) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let log = Arc::new(Mutex::new(Vec::new()));
    let (kept, answer) = (log.clone(), Arc::new(answer));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let (kept, answer) = (kept.clone(), answer.clone());
            std::thread::spawn(move || {
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                let mut lines = Vec::new();
                loop {
                    let mut line = String::new();
                    if reader.read_line(&mut line).unwrap_or(0) <= 2 {
                        break;
                    }
                    lines.push(line.trim().to_owned());
                }
                let header = |name: &str| {
                    lines.iter().find_map(|line| {
                        let (found, value) = line.split_once(": ")?;
                        found.eq_ignore_ascii_case(name).then(|| value.to_owned())
                    })
                };
                let length = header("content-length").map_or(0, |text| text.parse().unwrap());
                let mut body = vec![0; length];
                reader.read_exact(&mut body).unwrap();
                let Some(first) = lines.first() else { return };
                let mut words = first.split(' ');
                let asked = Asked {
                    method: words.next().unwrap().to_owned(),
                    path: words.next().unwrap().to_owned(),
                    authorization: header("authorization"),
                    body: String::from_utf8_lossy(&body).into_owned(),
                };
                kept.lock().unwrap().push(format!(
                    "{} {} {}",
                    asked.method,
                    asked.path,
                    asked.authorization.as_deref().unwrap_or("-")
                ));
                let (status, head, body) = answer(&asked, address);
                let head: String = head.iter().map(|line| format!("{line}\r\n")).collect();
                let _ = write!(
                    stream,
                    "HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: {}\r\n{head}\r\n",
                    body.len()
                );
                let _ = stream.write_all(&body);
            });
        }
    });
    (address, log)
}

struct Anna;

impl Logins for Anna {
    fn login(&self, _: &str) -> Result<Option<Login>, String> {
        let password = SecretValue::new("open sesame".to_owned());
        Ok(Some(Login::Basic { user: "anna".to_owned(), password }))
    }
}

struct Nobody;

impl Logins for Nobody {
    fn login(&self, _: &str) -> Result<Option<Login>, String> {
        Ok(None)
    }
}

struct WithToken;

impl Logins for WithToken {
    fn login(&self, _: &str) -> Result<Option<Login>, String> {
        Ok(Some(Login::Identity(SecretValue::new("identity".to_owned()))))
    }
}

fn egress(open: &[SocketAddr]) -> Egress {
    Egress::new(EgressSettings {
        allow_private: open.to_vec(),
        authorities: None,
        dns: None,
        counter: None,
        limits: config::Egress::default(),
    })
}

fn reference(address: SocketAddr, rest: &str) -> OciReference {
    format!("oci://{address}/acme/notes{rest}").parse().unwrap()
}

/// A manifest with one layer that has these bytes.
fn manifest(layer: &[u8]) -> Vec<u8> {
    format!(
        r#"{{"schemaVersion":2,"config":{{"mediaType":"application/vnd.wasm.config.v0+json","digest":"{0}","size":2}},"layers":[{{"mediaType":"application/wasm","digest":"{1}","size":{2}}}]}}"#,
        digest(b"{}"),
        digest(layer),
        layer.len()
    )
    .into_bytes()
}

const ANNA: &str = "Basic YW5uYTpvcGVuIHNlc2FtZQ==";

#[tokio::test]
async fn a_token_is_obtained_where_the_registry_says_and_sent_to_it_alone() {
    let (store, stored) = server(|_, _| (200, vec![], b"wasm".to_vec()));
    let (address, log) = server(move |asked, address| {
        if asked.path.starts_with("/token?") {
            let known = asked.authorization.as_deref() == Some(ANNA);
            let status = if known { 200 } else { 401 };
            return (status, vec![], br#"{"token":"t0ken"}"#.to_vec());
        }
        if asked.authorization.as_deref() != Some("Bearer t0ken") {
            let challenge = format!(
                r#"WWW-Authenticate: Bearer realm="http://{address}/token",service="s",scope="repository:acme/notes:pull""#
            );
            return (401, vec![challenge], vec![]);
        }
        match asked.path.as_str() {
            "/v2/acme/notes/manifests/1.0.0" => (200, vec![], manifest(b"wasm")),
            path if path.starts_with("/v2/acme/notes/blobs/") => {
                (307, vec![format!("Location: http://{store}/layer")], vec![])
            }
            _ => (404, vec![], vec![]),
        }
    });
    let egress = egress(&[address, store]);
    let pulled = Registry::new(&egress, &Anna).pull(&reference(address, ":1.0.0")).await.unwrap();
    assert_eq!((pulled.wasm.as_slice(), pulled.signature), (b"wasm".as_slice(), None));
    // Where the bytes lie is another service: it is not shown what the registry is.
    assert_eq!(*stored.lock().unwrap(), ["GET /layer -"]);
    let log = log.lock().unwrap().clone();
    let token = "GET /token?scope=repository%3Aacme%2Fnotes%3Apull&service=s";
    assert!(log.contains(&format!("{token} {ANNA}")), "{log:#?}");
    assert_eq!(log.iter().filter(|line| line.starts_with("GET /token")).count(), 1, "{log:#?}");
}

#[tokio::test]
async fn an_identity_token_is_exchanged() {
    let (address, log) = server(|asked, address| match asked.authorization.as_deref() {
        _ if asked.path == "/token" => {
            assert!(asked.body.contains("refresh_token=identity"), "{}", asked.body);
            (200, vec![], br#"{"access_token":"t"}"#.to_vec())
        }
        Some("Bearer t") => (200, vec![], br#"{"tags":["1.0.0","latest"]}"#.to_vec()),
        _ => (
            401,
            vec![format!(r#"WWW-Authenticate: Bearer realm="http://{address}/token""#)],
            vec![],
        ),
    });
    let egress = egress(&[address]);
    let tags = Registry::new(&egress, &WithToken).tags(&reference(address, "")).await.unwrap();
    assert_eq!(tags, ["1.0.0", "latest"]);
    assert_eq!(log.lock().unwrap().len(), 3);
}

#[tokio::test]
async fn who_is_not_known_is_told_how_to_log_in() {
    let (address, _) =
        server(|_, _| (401, vec!["WWW-Authenticate: Basic realm=\"x\"".into()], vec![]));
    let egress = egress(&[address]);
    for logins in [&Nobody as &dyn Logins, &Anna] {
        let error = Registry::new(&egress, logins).tags(&reference(address, "")).await.unwrap_err();
        assert!(error.to_string().contains(&format!("`docker login {address}`")), "{error}");
    }
}

#[tokio::test]
async fn other_bytes_than_were_asked_for_are_not_taken() {
    let (address, _) = server(|asked, _| match asked.path.as_str() {
        "/v2/acme/notes/manifests/index" => (200, vec![], br#"{"manifests":[]}"#.to_vec()),
        path if path.contains("manifests") => (200, vec![], manifest(b"wasm")),
        _ => (200, vec![], b"wasn".to_vec()),
    });
    let egress = egress(&[address]);
    let registry = Registry::new(&egress, &Nobody);
    let error = registry.pull(&reference(address, ":1.0.0")).await.unwrap_err();
    assert!(matches!(error, ShippingError::OtherBytes { .. }), "{error}");
    let other = format!("@{}", digest(b"x"));
    let error = registry.pull(&reference(address, &other)).await.unwrap_err();
    assert!(matches!(error, ShippingError::OtherBytes { .. }), "{error}");
    let error = registry.pull(&reference(address, ":index")).await.unwrap_err();
    assert!(error.to_string().contains("index of several images"), "{error}");
}

#[tokio::test]
async fn a_place_that_leads_on_without_end_or_into_the_open_is_left() {
    let (address, _) = server(|asked, address| match asked.path.as_str() {
        "/metadata" => (302, vec!["Location: http://169.254.169.254/".into()], vec![]),
        "/file" => (302, vec!["Location: file:///etc/passwd".into()], vec![]),
        _ => (302, vec![format!("Location: http://{address}/again")], vec![]),
    });
    let egress = egress(&[address]);
    let of = |path: &str| format!("http://{address}{path}");
    let error = fetch(&egress, &of("/"), 100).await.unwrap_err();
    assert!(error.to_string().contains("without end"), "{error}");
    let error = fetch(&egress, &of("/metadata"), 100).await.unwrap_err();
    assert!(error.to_string().contains("egress.allow_private"), "{error}");
    assert!(fetch(&egress, &of("/file"), 100).await.is_err());
    let error = fetch(&egress, "http://example.com/x.wasm", 100).await.unwrap_err();
    assert!(error.to_string().contains("without encryption"), "{error}");
}

#[tokio::test]
async fn more_than_a_component_ever_has_is_not_taken() {
    let (address, _) = server(|_, _| (200, vec![], vec![b'x'; 5_000]));
    let egress = egress(&[address]);
    let error = fetch(&egress, &format!("http://{address}/x"), 4_999).await.unwrap_err();
    assert!(matches!(error, ShippingError::TooLarge { .. }), "{error}");
    let whole = fetch(&egress, &format!("http://{address}/x"), 5_000).await.unwrap();
    assert_eq!(whole.map(|bytes| bytes.len()), Some(5_000));
}

#[tokio::test]
async fn a_registry_on_this_machine_is_opened_by_a_person_only() {
    let (address, log) = server(|_, _| (200, vec![], vec![]));
    let egress = egress(&[]);
    let error =
        Registry::new(&egress, &Nobody).pull(&reference(address, ":1.0.0")).await.unwrap_err();
    let expected = format!("egress.allow_private = [\"{address}\"]");
    assert!(error.to_string().contains(&expected), "{error}");
    assert!(log.lock().unwrap().is_empty());
}

#[tokio::test]
async fn the_same_component_is_the_same_image_wherever_it_is_made() {
    let scene = super::scene(&[], "");
    let wasm = super::built("tool-json");
    let examined = |catalog: &Catalog| catalog.examine(wasm.clone(), "x").unwrap();
    let one = Image::new(&wasm, &examined(&scene.catalog), None);
    let two = Image::new(&wasm, &examined(&scene.catalog), Some("s".into()));
    assert_eq!(one.digest(), Image::new(&wasm, &examined(&scene.catalog), None).digest());
    assert_ne!(one.digest(), two.digest());
}
