//! Signing in with a browser, against a service that says of itself what a test wants.

use super::{egress, settings};
use crate::egress::{Authorize, AuthorizeError, Authorized, Post, Target};
use base64::Engine as _;
use futures_util::FutureExt as _;
use hydroid_core::config;
use hydroid_core::id::ComponentId;
use hydroid_core::manifest::ClientAuth;
use hydroid_core::ports::SecretValue;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use url::Url;

const REDIRECT: &str = "http://127.0.0.1:9/signed-in";

/// What was asked: `METHOD PATH`, the head in lower case, the body.
type Asked = (String, String, String);

/// A path, a status, a body.
type Answer = (&'static str, u16, Value);

/// What is wanted of a service beside what it says itself.
#[derive(Default)]
struct Wanted {
    challenge: &'static str,
    client: Option<(&'static str, SecretValue)>,
    described_at: Option<&'static str>,
    scopes: Vec<String>,
}

/// A service; its thread ends with the process.
struct Service {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Service {
    /// Answers by path, `{at}` standing for its origin; what is not there is not found.
    fn start(answers: &[Answer]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let at = format!("http://{address}");
        let answers: BTreeMap<String, (u16, String)> = answers
            .iter()
            .map(|(path, status, body)| {
                ((*path).to_owned(), (*status, body.to_string().replace("{at}", &at)))
            })
            .collect();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                drop(answer(stream, &answers, &kept));
            }
        });
        Self { address, asked }
    }

    fn url(&self) -> String {
        format!("http://{}/mcp", self.address)
    }

    /// The last request of this line.
    fn last(&self, line: &str) -> (String, String) {
        let asked = self.asked.lock().unwrap();
        let found = asked.iter().rfind(|(its, ..)| its == line);
        let (_, head, body) = found.unwrap_or_else(|| panic!("no {line} in {asked:?}"));
        (head.clone(), body.clone())
    }

    /// Signs in; the browser comes back with a code and what it was sent with.
    async fn sign_in(
        &self,
        wanted: Wanted,
    ) -> (Result<Authorized, AuthorizeError>, BTreeMap<String, String>) {
        let (server, url) = (ComponentId::new("mcp-it"), self.url());
        let wish = Authorize {
            server: &server,
            url: &url,
            challenge: wanted.challenge,
            redirect: REDIRECT,
            client: wanted.client.as_ref().map(|(id, secret)| (*id, Some(secret))),
            described_at: wanted.described_at,
            scopes: &wanted.scopes,
        };
        let seen = Arc::new(Mutex::new(BTreeMap::new()));
        let browser = Arc::clone(&seen);
        let browse = move |to: String| {
            async move {
                let to = Url::parse(&to).unwrap();
                let sent: BTreeMap<String, String> = to.query_pairs().into_owned().collect();
                let back = format!("{REDIRECT}?code=the-code&state={}", sent["state"]);
                *browser.lock().unwrap() = sent;
                Ok(back)
            }
            .boxed()
        };
        let egress = egress(&[self.address], config::Egress::default());
        let ended = wish.run(&egress, browse).await;
        let seen = seen.lock().unwrap().clone();
        (ended, seen)
    }
}

fn answer(
    mut stream: TcpStream,
    answers: &BTreeMap<String, (u16, String)>,
    asked: &Mutex<Vec<Asked>>,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut head = String::new();
    while reader.read_line(&mut head).is_ok_and(|read| read > 2) {}
    let lower = head.to_lowercase();
    let length = lower.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body)?;
    let mut words = head.split_whitespace();
    let line = format!("{} {}", words.next().unwrap_or(""), words.next().unwrap_or(""));
    let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
    asked.lock().unwrap().push((line, head, String::from_utf8_lossy(&body).into_owned()));
    let (status, body) = answers.get(&path).cloned().unwrap_or((404, "{}".to_owned()));
    write!(
        stream,
        "HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn resource() -> Value {
    json!({
        "resource": "{at}/mcp",
        "authorization_servers": ["{at}"],
        "scopes_supported": ["read", "write"],
    })
}

fn issuer(more: Value) -> Value {
    let mut issuer = json!({
        "issuer": "{at}",
        "authorization_endpoint": "{at}/authorize",
        "token_endpoint": "{at}/token",
        "registration_endpoint": "{at}/register",
        "code_challenge_methods_supported": ["S256"],
    });
    issuer.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    issuer
}

fn token() -> Value {
    json!({ "access_token": "the-token", "token_type": "Bearer", "refresh_token": "the-refresh" })
}

fn service(more: Value, registered: Value) -> Service {
    Service::start(&[
        ("/.well-known/oauth-protected-resource/mcp", 200, resource()),
        ("/.well-known/oauth-authorization-server", 200, issuer(more)),
        ("/register", 201, registered),
        ("/token", 200, token()),
    ])
}

fn form(body: &str) -> BTreeMap<String, String> {
    url::form_urlencoded::parse(body.as_bytes()).into_owned().collect()
}

#[tokio::test]
async fn a_browser_is_sent_with_what_only_the_exchange_can_redeem() {
    let service = service(json!({}), json!({ "client_id": "c1" }));
    let (ended, sent) = service.sign_in(Wanted::default()).await;
    let authorized = ended.unwrap();
    assert_eq!(authorized.access.expose(), "the-token");
    assert_eq!(authorized.refresh.unwrap().expose(), "the-refresh");
    assert_eq!(authorized.token_url, format!("http://{}/token", service.address));
    assert_eq!((authorized.client_id.as_str(), authorized.resource), ("c1", service.url()));
    assert_eq!(authorized.scopes, ["read", "write"]);
    let expect = [
        ("response_type", "code"),
        ("client_id", "c1"),
        ("redirect_uri", REDIRECT),
        ("code_challenge_method", "S256"),
        ("scope", "read write"),
    ];
    for (name, value) in expect {
        assert_eq!(sent[name], value, "{sent:?}");
    }
    assert_eq!(sent["resource"], service.url());
    assert!(!sent.contains_key("prompt"), "{sent:?}");
    let (_, wish) = service.last("POST /register");
    let wish: Value = serde_json::from_str(&wish).unwrap();
    assert_eq!(wish["redirect_uris"], json!([REDIRECT]));
    let (head, body) = service.last("POST /token");
    let form = form(&body);
    assert_eq!((form["code"].as_str(), form["client_id"].as_str()), ("the-code", "c1"));
    let digest = Sha256::digest(form["code_verifier"].as_bytes());
    let challenge = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(digest);
    assert_eq!(challenge, sent["code_challenge"]);
    assert!(form["code_verifier"].len() >= 43 && form["code_verifier"] != sent["state"]);
    assert!(!head.to_lowercase().contains("authorization:"), "{head}");
}

#[tokio::test]
async fn scopes_are_those_that_are_asked_for_and_wanted_each_once() {
    let offers = json!({ "scopes_supported": ["read", "offline_access"] });
    let service = service(offers, json!({ "client_id": "c1" }));
    let wanted = Wanted {
        challenge: "Bearer error=\"x\", scope=\"one two\"",
        scopes: vec!["more".to_owned(), "one".to_owned()],
        ..Wanted::default()
    };
    let (ended, sent) = service.sign_in(wanted).await;
    assert_eq!(ended.unwrap().scopes, ["one", "two", "more", "offline_access"]);
    assert_eq!(sent["prompt"], "consent");
}

#[tokio::test]
async fn a_client_shows_its_secret_as_the_service_takes_it() {
    let registered = json!({ "client_id": "c 1", "client_secret": "s:2" });
    let cases: [(Value, Value, Option<ClientAuth>); 4] = [
        (json!({}), json!({}), Some(ClientAuth::Basic)),
        (
            json!({ "token_endpoint_auth_methods_supported": ["client_secret_post"] }),
            json!({}),
            Some(ClientAuth::Body),
        ),
        (
            json!({ "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"] }),
            json!({}),
            Some(ClientAuth::Basic),
        ),
        (json!({}), json!({ "token_endpoint_auth_method": "none" }), None),
    ];
    for (offers, more, expect) in cases {
        let mut registered = registered.clone();
        registered.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let service = service(offers.clone(), registered);
        let (ended, _) = service.sign_in(Wanted::default()).await;
        let auth = ended.unwrap().client_secret.map(|(_, auth)| auth);
        assert_eq!(auth, expect, "{offers}");
        let (head, body) = service.last("POST /token");
        let (head, form) = (head.to_lowercase(), form(&body));
        assert_eq!(head.contains("authorization: basic "), expect == Some(ClientAuth::Basic));
        let shown = form.get("client_secret").map(String::as_str);
        assert_eq!(shown, (expect == Some(ClientAuth::Body)).then_some("s:2"));
    }
}

#[tokio::test]
async fn a_client_that_is_known_or_described_is_not_registered() {
    let secret = SecretValue::new("by-hand".into());
    let mine = Wanted { client: Some(("mine", secret)), ..Wanted::default() };
    let described =
        || Wanted { described_at: Some("https://me.example/client.json"), ..Wanted::default() };
    let known = service(json!({}), json!({}));
    let (ended, sent) = known.sign_in(mine).await;
    assert_eq!((ended.unwrap().client_id.as_str(), sent["client_id"].as_str()), ("mine", "mine"));
    let reads = service(json!({ "client_id_metadata_document_supported": true }), json!({}));
    let (ended, _) = reads.sign_in(described()).await;
    assert_eq!(ended.unwrap().client_id, "https://me.example/client.json");
    for service in [&known, &reads] {
        assert!(!service.asked.lock().unwrap().iter().any(|(line, ..)| line.contains("/register")));
    }
    // One that reads no descriptions is not given one.
    let other = service(json!({}), json!({ "client_id": "c1" }));
    let (ended, _) = other.sign_in(described()).await;
    assert_eq!(ended.unwrap().client_id, "c1");
}

#[tokio::test]
async fn what_a_service_says_wrongly_is_named_and_nobody_signs_in() {
    let protected = "/.well-known/oauth-protected-resource/mcp";
    let server = "/.well-known/oauth-authorization-server";
    let client = json!({ "client_id": "c1" });
    let elsewhere =
        json!({ "resource": "http://127.0.0.1:1/mcp", "authorization_servers": ["{at}"] });
    let nobody = json!({ "resource": "{at}/mcp" });
    let spied = json!({ "resource": "{at}/mcp", "authorization_servers": ["http://as.example"] });
    let long = json!({ "x": "y".repeat(300 << 10) });
    let good = || issuer(json!({}));
    let cases: Vec<(Vec<Answer>, &str)> = vec![
        (vec![], "does not say where to sign in"),
        (vec![(protected, 200, elsewhere)], "is about another server"),
        (vec![(protected, 200, nobody)], "names nobody to sign in with"),
        (vec![(protected, 200, spied)], "is without encryption"),
        (vec![(protected, 200, long)], "answers with more than 256 KiB"),
        (vec![(protected, 200, resource())], "does not say how one signs in"),
        (
            vec![
                (protected, 200, resource()),
                (server, 200, issuer(json!({ "issuer": "http://127.0.0.1:1" }))),
            ],
            "speaks for somebody else",
        ),
        (
            vec![
                (protected, 200, resource()),
                (server, 200, issuer(json!({ "code_challenge_methods_supported": ["plain"] }))),
            ],
            "(PKCE)",
        ),
        (
            vec![
                (protected, 200, resource()),
                (server, 200, issuer(json!({ "registration_endpoint": null }))),
            ],
            "registers no clients by itself",
        ),
        (
            vec![
                (protected, 200, resource()),
                (server, 200, good()),
                ("/register", 400, json!({ "error": "invalid_redirect_uri" })),
            ],
            "refused: status 400 (invalid_redirect_uri)",
        ),
        (
            vec![
                (protected, 200, resource()),
                (server, 200, good()),
                ("/register", 200, json!({})),
            ],
            "answers without a `client_id`",
        ),
        (
            vec![
                (protected, 200, resource()),
                (server, 200, good()),
                ("/register", 201, client.clone()),
                ("/token", 400, json!({ "error": "The secret is s3cr3t" })),
            ],
            "/token` refused: status 400",
        ),
        (
            vec![
                (protected, 200, resource()),
                (server, 200, good()),
                ("/register", 201, client.clone()),
                ("/token", 200, json!({ "access_token": "t", "token_type": "mac" })),
            ],
            "none to be sent as it is",
        ),
        (
            vec![
                (protected, 200, resource()),
                (server, 200, good()),
                ("/register", 201, client),
                ("/token", 200, json!({ "access_token": "" })),
            ],
            "none to be sent as it is",
        ),
    ];
    for (answers, expect) in cases {
        let service = Service::start(&answers);
        let (ended, _) = service.sign_in(Wanted::default()).await;
        let error = ended.unwrap_err().to_string();
        assert!(error.contains(expect) && !error.contains("s3cr3t"), "{expect}: {error}");
    }
}

#[tokio::test]
async fn a_refusal_says_where_it_wants_one_to_sign_in() {
    let service = Service::start(&[
        ("/elsewhere", 200, resource()),
        ("/.well-known/openid-configuration", 200, issuer(json!({}))),
        ("/register", 201, json!({ "client_id": "c1" })),
        ("/token", 200, token()),
    ]);
    let challenge = format!("Bearer resource_metadata=\"http://{}/elsewhere\"", service.address);
    let (server, url) = (ComponentId::new("mcp-it"), service.url());
    let wish = Authorize {
        server: &server,
        url: &url,
        challenge: &challenge,
        redirect: REDIRECT,
        client: None,
        described_at: None,
        scopes: &[],
    };
    let egress = egress(&[service.address], config::Egress::default());
    let gone = |_| async { Err("with nothing".to_owned()) }.boxed();
    let error = wish.run(&egress, gone).await.unwrap_err().to_string();
    assert!(error.contains("came back with nothing"), "{error}");
    service.last("GET /elsewhere");
    service.last("GET /.well-known/openid-configuration");
}

#[tokio::test]
async fn an_answer_that_is_as_long_as_may_be_is_read_whole() {
    let empty = json!({ "access_token": "", "token_type": "Bearer" }).to_string().len();
    for (length, fits) in [(256 << 10, true), ((256 << 10) + 1, false)] {
        let long = "t".repeat(length - empty);
        let service = Service::start(&[
            ("/.well-known/oauth-protected-resource/mcp", 200, resource()),
            ("/.well-known/oauth-authorization-server", 200, issuer(json!({}))),
            ("/register", 201, json!({ "client_id": "c1" })),
            ("/token", 200, json!({ "access_token": long, "token_type": "Bearer" })),
        ]);
        match (fits, service.sign_in(Wanted::default()).await.0) {
            (true, Ok(authorized)) => assert_eq!(authorized.access.expose().len(), long.len()),
            (false, Err(error)) => assert!(error.to_string().contains("256 KiB"), "{error}"),
            (_, ended) => panic!("{length}: {}", ended.is_ok()),
        }
    }
}

#[tokio::test]
async fn what_the_host_posts_arrives_with_its_headers_and_the_status_comes_back() {
    let service = Service::start(&[("/v1/traces", 202, json!({}))]);
    let target = |path: &str| Target::parse(&format!("http://{}{path}", service.address)).unwrap();
    let allow = Post::own_addresses(&target("/v1/traces"));
    assert_eq!(allow, [service.address]);
    let egress = crate::egress::Egress::new(settings(&allow));
    let secret = |text: &str| SecretValue::new(text.to_owned());
    let post = Post::to("telemetry", target("/v1/traces"), "application/x-protobuf").unwrap();
    let post = post.with_header("authorization", "key", &[], secret("Bearer one")).unwrap();
    let post = post.with_header("x-team", "team", &[], secret("two")).unwrap();
    assert_eq!(post.send(&egress, b"a body".to_vec()).await.unwrap(), 202);
    let (head, body) = service.last("POST /v1/traces");
    let head = head.to_lowercase();
    assert_eq!(body, "a body");
    for line in ["authorization: bearer one", "x-team: two", "content-type: application/x-protobuf"]
    {
        assert!(head.contains(line), "{line}: {head}");
    }
    let shown = format!("{post:?}");
    assert!(shown.starts_with("Post {") && !shown.contains("Bearer"), "{shown}");
    let lost = Post::to("telemetry", target("/lost"), "application/json").unwrap();
    assert_eq!(lost.send(&egress, Vec::new()).await.unwrap(), 404);
    // A secret goes only where it may.
    let other = ["api.example".to_owned()];
    assert!(lost.with_header("x-team", "team", &other, secret("two")).is_err());
    let named = Target::parse("https://localhost:4318/v1/traces").unwrap();
    assert_eq!(Post::own_addresses(&named).len(), 2);
    assert!(Post::own_addresses(&Target::parse("https://otlp.example/").unwrap()).is_empty());
}
