//! The listener over real sockets on a port of its own, with a household of one scripted person.
//! What the host does behind it is tested where it is; here is who gets in, and what is said.

mod openai;
mod secure;

use crate::{BadTokens, TlsFiles};
use crate::{Gateway, GatewayParts, Scope, ServeError, TokenBook, TokenHolder, TokenStore};
use futures_core::future::BoxFuture;
use futures_util::{SinkExt as _, StreamExt as _};
use hmac::{Hmac, Mac as _};
use hydroid_core::config;
use hydroid_core::entry::Entry;
use hydroid_core::id::{ClientKey, SessionId, TurnId, UserId};
use hydroid_core::message::{Content, Part, Trust};
use hydroid_core::ports::{Clock, Conversations, Following, Household, News, Saying, SecretValue};
use hydroid_core::protocol::{
    Activity, ErrorCode, Reply, Request, RequestError, RunningTurn, ServerMessage, SessionInfo,
    SessionMessage, SessionSettings, Stopped,
};
use hydroid_core::telemetry::{Parent, SpanId, TraceId};
use serde_json::{Value, json};
use sha2::Sha256;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

const LOCAL: &str = "hyd_local";
const NOW_MS: u64 = 1_795_357_080_000;

struct At;

impl Clock for At {
    fn now_ms(&self) -> u64 {
        NOW_MS
    }
}

#[derive(Default)]
struct InMemory(Mutex<TokenBook>);

impl TokenStore for InMemory {
    fn book(&self) -> Result<TokenBook, BadTokens> {
        Ok(self.0.lock().unwrap().clone())
    }

    fn change(
        &self,
        change: &mut dyn FnMut(&mut TokenBook) -> Result<(), BadTokens>,
    ) -> Result<(), BadTokens> {
        change(&mut self.0.lock().unwrap())
    }
}

/// Who said what.
type Said = (UserId, Vec<Part>);

/// Knows one session, `s`, of one user, and keeps what was said.
#[derive(Clone, Default)]
struct Scripted {
    said: Arc<Mutex<Vec<Said>>>,
    requests: Arc<Mutex<Vec<Request>>>,
    keys: Arc<Mutex<Vec<ClientKey>>>,
    parents: Arc<Mutex<Vec<Option<Parent>>>>,
    stage: openai::Stage,
}

struct Owned(Scripted, UserId);

fn info() -> SessionInfo {
    SessionInfo {
        session: SessionId::new("s"),
        title: "title".into(),
        created_ms: 1,
        updated_ms: 2,
        turns: 0,
        last_seq: 3,
        archived: false,
        forked_from: None,
        settings: SessionSettings::default(),
        activity: Activity::Idle,
        queued: 0,
    }
}

fn no_session() -> RequestError {
    RequestError::new(ErrorCode::NotFound, "no such session")
}

impl Household for Scripted {
    fn of<'a>(
        &'a self,
        user: &'a UserId,
    ) -> BoxFuture<'a, Result<Arc<dyn Conversations>, RequestError>> {
        let owned: Arc<dyn Conversations> = Arc::new(Owned(self.clone(), user.clone()));
        Box::pin(async move { Ok(owned) })
    }

    fn present(&self) -> Vec<Arc<dyn Conversations>> {
        vec![Arc::new(Owned(self.clone(), UserId::new("anna")))]
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}

impl Conversations for Owned {
    fn user(&self) -> &UserId {
        &self.1
    }

    fn request(&self, request: Request) -> BoxFuture<'_, Result<Reply, RequestError>> {
        self.0.requests.lock().unwrap().push(request.clone());
        self.0.stage.hear(&request);
        Box::pin(async move {
            match request {
                Request::Models => Ok(openai::models()),
                Request::Create { .. } => Ok(Reply::Session { session: info() }),
                Request::Entries { session, .. } if session.as_str() == "s" => {
                    let entries = self.0.stage.entries();
                    Ok(Reply::Entries { session, entries, next_after: None })
                }
                Request::Entries { .. } => Err(no_session()),
                Request::Rename { session, .. } if session.as_str() != "s" => Err(no_session()),
                _ => Ok(Reply::Done),
            }
        })
    }

    fn say_once<'a>(
        &'a self,
        session: &'a SessionId,
        Saying { parts, key, parent, .. }: Saying,
    ) -> BoxFuture<'a, Result<Reply, RequestError>> {
        Box::pin(async move {
            if session.as_str() != "s" || self.1 != UserId::new("anna") {
                return Err(no_session());
            }
            self.0.keys.lock().unwrap().extend(key.clone());
            self.0.parents.lock().unwrap().push(parent);
            self.0.stage.play(&parts, key);
            self.0.said.lock().unwrap().push((self.1.clone(), parts));
            Ok(Reply::Accepted { session: session.clone(), queued: 0, repeated: false })
        })
    }

    fn said<'a>(
        &'a self,
        session: &'a SessionId,
        key: &'a ClientKey,
    ) -> BoxFuture<'a, Result<Option<Reply>, RequestError>> {
        let session = session.clone();
        let was_said = self.0.keys.lock().unwrap().contains(key);
        let reply = was_said.then_some(Reply::Accepted { session, queued: 0, repeated: true });
        Box::pin(async move { Ok(reply) })
    }

    fn follow<'a>(
        &'a self,
        session: &'a SessionId,
        after: Option<u64>,
    ) -> BoxFuture<'a, Result<(SessionInfo, Box<dyn Following>), RequestError>> {
        Box::pin(async move {
            if session.as_str() != "s" || self.1 != UserId::new("anna") {
                return Err(no_session());
            }
            if let Some(followed) = self.0.stage.follow() {
                return Ok(followed);
            }
            let following: Box<dyn Following> = Box::new(Counting(after.unwrap_or(3)));
            Ok((info(), following))
        })
    }

    fn aside<'a>(
        &'a self,
        _: &'a SessionId,
        text: String,
        _: Option<Parent>,
        tell: Arc<dyn Fn(String) + Send + Sync>,
    ) -> BoxFuture<'a, Result<Reply, RequestError>> {
        Box::pin(async move {
            tell(text.clone());
            Ok(Reply::AsideEnded { text, usage: Default::default() })
        })
    }

    fn news(&self) -> BoxFuture<'_, Result<Box<dyn News>, RequestError>> {
        let news: Box<dyn News> = Box::new(NoNews);
        Box::pin(async move { Ok(news) })
    }

    fn running(&self) -> Vec<RunningTurn> {
        Vec::new()
    }

    fn awake(&self) -> u32 {
        1
    }

    fn settings(&self) -> SessionSettings {
        SessionSettings { model: Some("m".into()), ..SessionSettings::default() }
    }
}

/// Entries up to the fifth, and then the session is deleted.
struct Counting(u64);

impl Following for Counting {
    fn next(&mut self) -> BoxFuture<'_, Result<SessionMessage, (Stopped, u64)>> {
        Box::pin(async move {
            if self.0 >= 5 {
                return Err((Stopped::Deleted, self.0));
            }
            self.0 += 1;
            let entry = Entry::Text { turn: TurnId::new("t"), text: "x".into() };
            Ok(SessionMessage::Entry { session: SessionId::new("s"), seq: self.0, at_ms: 1, entry })
        })
    }
}

struct NoNews;

impl News for NoNews {
    fn next(&mut self) -> BoxFuture<'_, Option<ServerMessage>> {
        Box::pin(std::future::pending())
    }
}

struct Running {
    address: SocketAddr,
    household: Scripted,
    tokens: Arc<InMemory>,
    over: Option<oneshot::Sender<()>>,
    served: tokio::task::JoinHandle<()>,
}

fn parts(config: &str, household: Scripted, tokens: Arc<InMemory>) -> GatewayParts {
    let config = format!("[gateway]\nbind = \"127.0.0.1:0\"\n{config}");
    let config = config::Config::from_table(config.parse().unwrap()).unwrap();
    GatewayParts {
        administration: None,
        household: Arc::new(household),
        tokens,
        local: (SecretValue::new(LOCAL.into()), UserId::new("anna")),
        webhook_secrets: vec![("ci".into(), SecretValue::new("whsec".into()))],
        clock: Arc::new(At),
        config: config.gateway,
        tls: None,
        version: "1.2.3".into(),
        run: "run".into(),
    }
}

impl Running {
    async fn start(config: &str) -> Self {
        let (household, tokens) = (Scripted::default(), Arc::new(InMemory::default()));
        let bound = Gateway::bind(parts(config, household.clone(), tokens.clone())).await.unwrap();
        let address = bound.address();
        let (over, ended) = oneshot::channel();
        let served = tokio::spawn(bound.serve(async { drop(ended.await) }));
        Self { address, household, tokens, over: Some(over), served }
    }

    fn token(&self, user: &str, scope: Scope) -> String {
        let mut token = String::new();
        self.tokens
            .change(&mut |book| {
                token = book.create(UserId::new(user), "test", [scope].into(), NOW_MS, None)?;
                Ok(())
            })
            .unwrap();
        token
    }

    /// One request over a connection of its own: status, head and body.
    async fn http(&self, head: &str, body: &str) -> (u16, String, String) {
        let mut stream = TcpStream::connect_here(self.address).await;
        let request =
            format!("{head}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        drop(stream.read_to_end(&mut answer).await);
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((answer.as_str(), ""));
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
        (status, head.to_ascii_lowercase(), body.to_owned())
    }

    /// A request with the local token and this host's name.
    async fn call(&self, line: &str, more: &str, body: &str) -> (u16, Value) {
        let json = if body.is_empty() { "" } else { "\r\nContent-Type: application/json" };
        let head = format!(
            "{line} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {LOCAL}{json}{more}",
            self.address
        );
        let (status, _, body) = self.http(&head, body).await;
        // A body without a length comes in pieces.
        let start = body.find('{').unwrap_or(0);
        let end = body.rfind('}').map_or(body.len(), |end| end + 1);
        (
            status,
            serde_json::from_str(body.get(start..end).unwrap_or_default()).unwrap_or(Value::Null),
        )
    }

    async fn socket(&self, headers: &[(&str, &str)]) -> Result<Socket, u16> {
        let mut request =
            format!("ws://{}/api/v1/socket", self.address).into_client_request().unwrap();
        for (name, value) in headers {
            let name = http::HeaderName::from_bytes(name.as_bytes()).unwrap();
            request.headers_mut().insert(name, value.parse().unwrap());
        }
        let stream = TcpStream::connect_here(self.address).await;
        match tokio_tungstenite::client_async(request, stream).await {
            Ok((socket, _)) => Ok(Socket(socket)),
            Err(tokio_tungstenite::tungstenite::Error::Http(answer)) => {
                Err(answer.status().as_u16())
            }
            Err(error) => panic!("{error}"),
        }
    }
}

/// Dialling is somebody else's authority; tests reach loopback.
trait ConnectHere: Sized {
    async fn connect_here(address: SocketAddr) -> Self;
}

impl ConnectHere for TcpStream {
    #[expect(clippy::disallowed_methods, reason = "a test reaches loopback")]
    async fn connect_here(address: SocketAddr) -> Self {
        TcpStream::connect(address).await.unwrap()
    }
}

struct Socket(tokio_tungstenite::WebSocketStream<TcpStream>);

impl Socket {
    async fn send(&mut self, message: Value) {
        self.0.send(Message::text(message.to_string())).await.unwrap();
    }

    /// The code the connection ends with.
    async fn closed(&mut self) -> Option<u16> {
        match self.0.next().await? {
            Ok(Message::Close(Some(frame))) => Some(frame.code.into()),
            other => panic!("{other:?}"),
        }
    }

    async fn next(&mut self) -> Option<Value> {
        loop {
            match self.0.next().await? {
                Ok(Message::Text(text)) => return Some(serde_json::from_str(&text).unwrap()),
                Ok(Message::Close(_)) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    async fn hello(&mut self, token: Option<&str>) -> Value {
        let mut hello =
            json!({ "id": 1, "type": "hello", "protocol": 1, "client": { "name": "test" } });
        if let Some(token) = token {
            hello["token"] = token.into();
        }
        self.send(hello).await;
        self.next().await.unwrap()
    }
}

#[tokio::test]
async fn who_shows_no_token_is_told_so_and_nothing_else() {
    let running = Running::start("").await;
    let head =
        |more: &str| format!("GET /api/v1/status HTTP/1.1\r\nHost: {}{more}", running.address);
    for more in [
        "",
        "\r\nAuthorization: Bearer wrong",
        "\r\nAuthorization: Basic aaa",
        "\r\nCookie: hydroid=wrong",
    ] {
        let (status, head, body) = running.http(&head(more), "").await;
        assert_eq!(status, 401, "{more}");
        assert!(
            body.contains("\"unauthenticated\"") && head.contains("www-authenticate"),
            "{body}"
        );
    }
    assert_eq!(running.call("GET /api/v1/status", "", "").await.0, 200);
    let mut socket = running.socket(&[]).await.unwrap();
    assert_eq!(socket.hello(None).await["code"], "unauthenticated");
    assert_eq!(socket.next().await.unwrap()["type"], "goodbye");
    assert_eq!(socket.closed().await, Some(1008));
    assert_eq!(running.socket(&[("authorization", "Bearer wrong")]).await.err(), Some(401));
    for path in ["/healthz", "/readyz", "/", "/page/js/main.js", "/api/v1/openapi.json"] {
        let head = format!("GET {path} HTTP/1.1\r\nHost: {}", running.address);
        assert_eq!(running.http(&head, "").await.0, 200, "{path}");
    }
    assert_eq!(running.household.requests.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_host_of_another_name_and_a_page_of_another_origin_are_refused() {
    let running =
        Running::start("hosts = [\"hydroid.example\"]\norigins = [\"https://app.example\"]").await;
    let port = running.address.port();
    for (host, expect) in [
        (format!("127.0.0.1:{port}"), 200),
        (format!("localhost:{port}"), 200),
        ("hydroid.example".to_owned(), 200),
        (format!("evil.example:{port}"), 403),
        ("hydroid.example.evil.example".to_owned(), 403),
        ("10.0.0.1".to_owned(), 403),
        (String::new(), 403),
    ] {
        let head = format!("GET /healthz HTTP/1.1\r\nHost: {host}");
        assert_eq!(running.http(&head, "").await.0, expect, "{host}");
    }
    for (origin, expect) in [
        (format!("http://127.0.0.1:{port}"), 200),
        ("https://app.example".to_owned(), 200),
        (format!("https://127.0.0.1:{port}"), 403),
        ("http://evil.example".to_owned(), 403),
        ("null".to_owned(), 403),
    ] {
        let (status, _) =
            running.call("GET /api/v1/status", &format!("\r\nOrigin: {origin}"), "").await;
        assert_eq!(status, expect, "{origin}");
    }
    let bearer = format!("Bearer {LOCAL}");
    let evil = [("authorization", bearer.as_str()), ("origin", "http://evil.example")];
    assert_eq!(running.socket(&evil).await.err(), Some(403));
    assert_eq!(running.socket(&[("host", "evil.example")]).await.err(), Some(403));
}

#[tokio::test]
async fn every_answer_has_the_headers_that_keep_others_out() {
    let running = Running::start("").await;
    for path in ["/", "/nothing", "/api/v1/status"] {
        let head = format!("GET {path} HTTP/1.1\r\nHost: {}", running.address);
        let (_, head, _) = running.http(&head, "").await;
        for expect in [
            "content-security-policy: default-src 'none'",
            "x-frame-options: deny",
            "nosniff",
            "referrer-policy: no-referrer",
        ] {
            assert!(head.contains(expect), "{path}: {expect} in {head}");
        }
        assert!(!head.contains("access-control") && !head.contains("unsafe-"));
    }
}

#[tokio::test]
async fn requests_are_answered_once_with_their_number() {
    let running = Running::start("").await;
    let mut socket = running.socket(&[]).await.unwrap();
    let welcome = socket.hello(Some(LOCAL)).await;
    assert_eq!(
        (&welcome["reply"], &welcome["user"], &welcome["id"]),
        (&json!("welcome"), &json!("anna"), &json!(1))
    );
    socket.send(json!({ "id": 2, "type": "ping" })).await;
    assert_eq!(
        socket.next().await.unwrap(),
        json!({ "type": "reply", "id": 2, "reply": "pong", "at_ms": NOW_MS })
    );
    socket
        .send(json!({ "id": 3, "type": "hello", "protocol": 1, "client": { "name": "x" } }))
        .await;
    assert_eq!(socket.next().await.unwrap()["code"], "out_of_order");
    // Whoever waits for the answer to its number has it, if it can be read.
    for (text, id) in [
        (r#"{"id":4,"type":"dance"}"#, json!(4)),
        (r#"{"type":"say","session":7,"id":5}"#, json!(5)),
        (r#"{"id":5"#, Value::Null),
        (r#"{"id":-1,"type":"ping"}"#, Value::Null),
        (r#"{"id":6,"id":7,"type":"dance"}"#, Value::Null),
    ] {
        socket.0.send(Message::text(text)).await.unwrap();
        let refused = socket.next().await.unwrap();
        assert_eq!((&refused["code"], &refused["id"]), (&json!("bad_message"), &id), "{text}");
    }
    socket.0.send(Message::binary(vec![0, 159])).await.unwrap();
    assert_eq!(socket.next().await.unwrap()["code"], "bad_message");
    socket.send(json!({ "id": 6, "type": "open", "session": "of another" })).await;
    let refused = socket.next().await.unwrap();
    assert_eq!((&refused["code"], &refused["id"]), (&json!("not_found"), &json!(6)));
    socket.send(json!({ "id": 7, "type": "open", "session": "s", "after": 3 })).await;
    assert_eq!(socket.next().await.unwrap()["reply"], "session");
    for seq in [4, 5] {
        assert_eq!(socket.next().await.unwrap()["seq"], seq);
    }
    let stopped = socket.next().await.unwrap();
    assert_eq!(
        stopped,
        json!({ "type": "stopped", "session": "s", "reason": "deleted", "last_seq": 5 })
    );
    socket.send(json!({ "id": 8, "type": "aside", "session": "s", "text": "why?" })).await;
    assert_eq!(socket.next().await.unwrap(), json!({ "type": "aside", "id": 8, "text": "why?" }));
    assert_eq!(socket.next().await.unwrap()["reply"], "aside_ended");
}

#[tokio::test]
async fn a_session_is_resumed_where_the_client_was() {
    let running = Running::start("").await;
    let mut socket = running.socket(&[]).await.unwrap();
    socket
        .send(json!({ "id": 1, "type": "hello", "protocol": 1, "token": LOCAL, "client": { "name": "t" },
            "resume": [{ "session": "s", "after": 4 }, { "session": "gone", "after": 9 }] }))
        .await;
    assert_eq!(socket.next().await.unwrap()["gone"], json!(["gone"]));
    assert_eq!(socket.next().await.unwrap()["seq"], 5);
}

#[tokio::test]
async fn another_protocol_and_a_late_hello_end_the_connection() {
    let running = Running::start("").await;
    let mut socket = running.socket(&[]).await.unwrap();
    socket.send(json!({ "id": 1, "type": "hello", "protocol": 2, "token": LOCAL, "client": { "name": "t" } })).await;
    assert_eq!(socket.next().await.unwrap()["code"], "unsupported_protocol");
    let mut socket = running.socket(&[]).await.unwrap();
    socket.send(json!({ "id": 1, "type": "ping" })).await;
    assert_eq!(socket.next().await.unwrap()["code"], "out_of_order");
    assert_eq!(socket.next().await.unwrap()["type"], "goodbye");
    assert_eq!(socket.next().await, None);
}

#[tokio::test]
async fn what_is_too_large_is_refused_with_a_code() {
    let running = Running::start("max_message = \"16KiB\"").await;
    let mut socket = running.socket(&[]).await.unwrap();
    socket.hello(Some(LOCAL)).await;
    let long = "x".repeat(17 << 10);
    socket.send(json!({ "id": 2, "type": "say", "session": "s", "text": long })).await;
    let goodbye = socket.next().await.unwrap();
    assert_eq!((&goodbye["type"], &goodbye["code"]), (&json!("goodbye"), &json!("too_large")));
    assert_eq!(socket.closed().await, Some(1009));
    let body = json!({ "text": long }).to_string();
    let (status, _) = running.call("POST /api/v1/sessions/s/messages", "", &body).await;
    assert_eq!(status, 413);
    assert!(running.household.said.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_token_may_do_what_its_scope_says_and_only_for_its_user() {
    let running = Running::start("").await;
    let reader = running.token("anna", Scope::Read);
    let other = running.token("ben", Scope::Chat);
    let say = |token: &str| {
        format!(
            "POST /api/v1/sessions/s/messages HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nAuthorization: Bearer {token}",
            running.address
        )
    };
    let body = json!({ "text": "hi" }).to_string();
    assert_eq!(running.http(&say(&reader), &body).await.0, 403);
    assert_eq!(running.http(&say(&other), &body).await.0, 404);
    assert_eq!(running.http(&say(LOCAL), &body).await.0, 200);
    assert_eq!(running.household.said.lock().unwrap().len(), 1);
    running
        .tokens
        .change(&mut |book| {
            let ids: Vec<String> = book.tokens().iter().map(|token| token.id.clone()).collect();
            for id in ids {
                book.revoke(&id);
            }
            Ok(())
        })
        .unwrap();
    assert_eq!(running.http(&say(&reader), &body).await.0, 401);
}

#[tokio::test]
async fn a_token_has_so_many_requests_in_a_minute() {
    let running = Running::start("requests_per_minute = 3").await;
    for expect in [200, 200, 200, 429] {
        assert_eq!(running.call("GET /api/v1/status", "", "").await.0, expect);
    }
    let mut socket = running.socket(&[]).await.unwrap();
    socket.hello(Some(LOCAL)).await;
    socket.send(json!({ "id": 2, "type": "ping" })).await;
    let refused = socket.next().await.unwrap();
    assert_eq!(
        (&refused["code"], &refused["retry_after_ms"]),
        (&json!("rate_limited"), &json!(20_000))
    );
}

#[tokio::test]
async fn whoever_guesses_tokens_waits() {
    let running = Running::start("").await;
    let head = format!(
        "GET /api/v1/status HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer x",
        running.address
    );
    let mut last = 0;
    for _ in 0..32 {
        last = running.http(&head, "").await.0;
    }
    assert_eq!(last, 429);
}

#[tokio::test]
async fn a_browser_gets_in_once_with_a_code_and_changes_things_from_our_page_only() {
    let running = Running::start("").await;
    let (status, code) = running.call("POST /api/v1/login-codes", "", "").await;
    assert_eq!(status, 200);
    let code = code["code"].as_str().unwrap();
    let enter = format!("GET /login?code={code} HTTP/1.1\r\nHost: {}", running.address);
    let (status, head, _) = running.http(&enter, "").await;
    assert_eq!(status, 303);
    assert!(head.contains("httponly") && head.contains("samesite=strict"), "{head}");
    assert_eq!(running.http(&enter, "").await.0, 401);
    // A browser is shown the page, which says so.
    let browser = format!("{enter}\r\nAccept: text/html,application/xhtml+xml");
    let (status, head, _) = running.http(&browser, "").await;
    assert_eq!(status, 303);
    assert!(head.contains("location: /?link=used") && !head.contains("set-cookie"), "{head}");
    let raw = running.tokens.book().unwrap();
    assert_eq!(raw.tokens().len(), 1);
    // The head was made lower case, so another token stands in for the cookie's.
    let token = running.token("anna", Scope::Chat);
    let with = |line: &str, more: &str| {
        format!(
            "{line} HTTP/1.1\r\nHost: {}\r\nCookie: a=b; hydroid={token}{more}",
            running.address
        )
    };
    let own = format!("\r\nOrigin: http://{}", running.address);
    assert_eq!(running.http(&with("GET /api/v1/status", ""), "").await.0, 200);
    assert_eq!(running.http(&with("POST /api/v1/cancel", ""), "").await.0, 403);
    assert_eq!(running.http(&with("POST /api/v1/cancel", &own), "").await.0, 200);
    let cookie = format!("hydroid={token}");
    assert_eq!(running.socket(&[("cookie", &cookie)]).await.err(), Some(403));
    let origin = format!("http://{}", running.address);
    let mut socket = running.socket(&[("cookie", &cookie), ("origin", &origin)]).await.unwrap();
    assert_eq!(socket.hello(None).await["reply"], "welcome");
    assert_eq!(running.http(&with("POST /logout", &own), "").await.0, 200);
    assert_eq!(running.http(&with("GET /api/v1/status", ""), "").await.0, 401);
}

#[tokio::test]
async fn http_has_the_requests_of_the_protocol() {
    let running = Running::start("").await;
    let (status, reply) =
        running.call("PUT /api/v1/sessions/s/title", "", "{\"title\":\"new\"}").await;
    assert_eq!((status, &reply["reply"]), (200, &json!("done")));
    assert_eq!(
        running.call("PUT /api/v1/sessions/other/title", "", "{\"title\":\"x\"}").await.0,
        404
    );
    assert_eq!(running.call("PUT /api/v1/sessions/s/title", "", "{}").await.0, 400);
    assert_eq!(running.call("PUT /api/v1/sessions/s/title", "", "{\"title\":").await.0, 400);
    assert_eq!(running.call("GET /api/v1/search?text=a%20b&limit=2", "", "").await.0, 200);
    assert_eq!(running.call("GET /api/v1/search", "", "").await.0, 400);
    assert_eq!(running.call("GET /nothing", "", "").await.0, 404);
    assert_eq!(running.call("DELETE /api/v1/status", "", "").await.0, 405);
    let requests = running.household.requests.lock().unwrap();
    assert_eq!(requests[0], Request::Rename { session: SessionId::new("s"), title: "new".into() });
    let search = Request::Search { text: "a b".into(), session: None, limit: Some(2) };
    assert_eq!(requests.last(), Some(&search));
}

#[tokio::test]
async fn a_file_is_handed_up_and_said() {
    let running = Running::start("").await;
    let (status, upload) =
        running.call("POST /api/v1/uploads?name=a.png", "\r\nContent-Type: image/png", "").await;
    assert_eq!(status, 400, "{upload}");
    let head = format!(
        "POST /api/v1/uploads?name=a.png HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {LOCAL}\r\nContent-Type: image/png",
        running.address
    );
    let (status, _, body) = running.http(&head, "png").await;
    assert_eq!(status, 200, "{body}");
    let upload: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(upload["complete"], true);
    let body = json!({ "text": "look", "attachments": [upload["upload"]] }).to_string();
    assert_eq!(running.call("POST /api/v1/sessions/s/messages", "", &body).await.0, 200);
    assert_eq!(running.call("POST /api/v1/sessions/s/messages", "", &body).await.0, 404);
    let said = running.household.said.lock().unwrap();
    assert!(matches!(&said[0].1[1].content, Content::Media { data, .. } if data.0 == b"png"));
    assert_eq!(said[0].1[1].label.trust, Trust::Untrusted);
}

#[tokio::test]
async fn what_a_request_belongs_to_is_read_strictly_and_a_malformed_one_is_left_alone() {
    let running = Running::start("").await;
    let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let header = |text: &str| format!("\r\ntraceparent: {text}\r\ntracestate: vendor=1");
    let twice = format!("{}{}", header(good), header(good));
    for headers in [header(good), header("00-x"), header(""), twice, String::new()] {
        let say = "POST /api/v1/sessions/s/messages";
        assert_eq!(running.call(say, &headers, r#"{"text":"hi"}"#).await.0, 200, "{headers}");
    }
    let body = json!({ "text": "hi", "traceparent": good }).to_string();
    let (status, _) = running.call("POST /api/v1/sessions/s/messages", "", &body).await;
    assert_eq!(status, 400, "it is a header over HTTP");
    let say = |traceparent: &str| json!({ "type": "say", "id": 2, "session": "s", "text": "hi", "traceparent": traceparent });
    let mut socket = running.socket(&[]).await.unwrap();
    socket.hello(Some(LOCAL)).await;
    for text in [good, "00-y"] {
        socket.send(say(text)).await;
        assert_eq!(socket.next().await.unwrap()["reply"], "accepted", "{text}");
    }
    let parents = running.household.parents.lock().unwrap();
    let mut trace = [0; 16];
    trace.copy_from_slice(&hex::decode("4bf92f3577b34da6a3ce929d0e0e4736").unwrap());
    let span = SpanId([0, 0xf0, 0x67, 0xaa, 0x0b, 0xa9, 0x02, 0xb7]);
    let parent = Some(Parent { trace: TraceId(trace), span, sampled: true });
    assert_eq!(*parents, [parent, None, None, None, None, parent, None]);
}

#[tokio::test]
async fn what_is_sent_again_with_its_key_is_said_once_also_with_files() {
    let running = Running::start("").await;
    let keyed = "\r\nIdempotency-Key: k1";
    let say = "POST /api/v1/sessions/s/messages";
    let (status, reply) = running.call(say, keyed, r#"{"text":"hi"}"#).await;
    assert_eq!((status, &reply["reply"], reply.get("repeated")), (200, &json!("accepted"), None));
    // The file was let go of when it was said, and nobody misses it.
    let again = r#"{"text":"hi","attachments":["gone"]}"#;
    let (status, reply) = running.call(say, keyed, again).await;
    assert_eq!((status, &reply["repeated"]), (200, &json!(true)));
    assert_eq!(running.household.said.lock().unwrap().len(), 1);
    let twice = format!("{keyed}\r\nIdempotency-Key: k2");
    let (status, reply) = running.call(say, &twice, r#"{"text":"hi"}"#).await;
    assert_eq!((status, &reply["error"]["code"]), (400, &json!("invalid")));
    running.call("POST /api/v1/sessions", keyed, "{}").await;
    let requests = running.household.requests.lock().unwrap();
    let Some(Request::Create { key, .. }) = requests.last() else { panic!("{requests:?}") };
    assert_eq!(*key, Some(ClientKey::new("k1")));
}

#[tokio::test]
async fn a_session_comes_as_events_after_the_last_one_that_was_seen() {
    let running = Running::start("").await;
    let head = |more: &str| {
        format!(
            "GET /api/v1/sessions/s/events?after=0 HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {LOCAL}{more}",
            running.address
        )
    };
    let (status, header, body) = running.http(&head("\r\nLast-Event-ID: 3"), "").await;
    assert_eq!(status, 200);
    assert!(header.contains("text/event-stream"));
    let ids: Vec<&str> = body.lines().filter_map(|line| line.strip_prefix("id: ")).collect();
    assert_eq!(ids, ["4", "5"]);
    assert!(body.contains("event: stopped"), "{body}");
    let (_, _, body) = running.http(&head(""), "").await;
    assert_eq!(body.lines().filter(|line| line.starts_with("id: ")).count(), 5);
}

fn signed(time: u64, body: &str, secret: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(format!("{time}.{body}").as_bytes());
    format!("\r\nHydroid-Signature: t={time},v1={}", hex::encode(mac.finalize().into_bytes()))
}

#[tokio::test]
async fn a_webhook_says_what_it_was_sent_if_it_is_signed_and_new() {
    let running = Running::start("[gateway.webhooks.ci]\nsession = \"s\"\nsecret = \"hook\"").await;
    let now = NOW_MS / 1_000;
    let call = async |name: &str, signature: &str, body: &str| {
        let head = format!(
            "POST /api/v1/webhooks/{name} HTTP/1.1\r\nHost: {}{signature}",
            running.address
        );
        running.http(&head, body).await.0
    };
    assert_eq!(call("ci", "", "built").await, 401);
    assert_eq!(call("ci", &signed(now, "built", "wrong"), "built").await, 401);
    assert_eq!(call("ci", &signed(now, "other", "whsec"), "built").await, 401);
    assert_eq!(call("cd", &signed(now, "built", "whsec"), "built").await, 401);
    assert_eq!(call("ci", &signed(now - 301, "built", "whsec"), "built").await, 400);
    assert_eq!(call("ci", &signed(now, "built", "whsec"), "built").await, 200);
    assert_eq!(call("ci", &signed(now, "built", "whsec"), "built").await, 400);
    let said = running.household.said.lock().unwrap();
    assert_eq!(said.len(), 1);
    assert_eq!(said[0].1[1].label.trust, Trust::Untrusted);
}

#[tokio::test]
async fn figures_are_for_those_with_a_token() {
    let running = Running::start("").await;
    let head = format!("GET /metrics HTTP/1.1\r\nHost: {}", running.address);
    assert_eq!(running.http(&head, "").await.0, 401);
    let (status, _, body) =
        running.http(&format!("{head}\r\nAuthorization: Bearer {LOCAL}"), "").await;
    assert_eq!(status, 200);
    assert!(body.contains("hydroid_refused_total{reason=\"unauthenticated\"} 1"), "{body}");
    assert!(body.contains("hydroid_sessions 1"), "{body}");
}

#[tokio::test]
async fn clients_are_told_when_the_host_ends() {
    let mut running = Running::start("").await;
    let mut socket = running.socket(&[]).await.unwrap();
    socket.hello(Some(LOCAL)).await;
    drop(running.over.take());
    let goodbye = socket.next().await.unwrap();
    assert_eq!((&goodbye["type"], &goodbye["code"]), (&json!("goodbye"), &json!("shutting_down")));
    assert_eq!(socket.next().await, None);
    running.served.await.unwrap();
}

#[tokio::test]
async fn only_so_many_connections_are_taken() {
    let running = Running::start("max_connections = 1").await;
    let held = TcpStream::connect_here(running.address).await;
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    let head = format!("GET /healthz HTTP/1.1\r\nHost: {}", running.address);
    assert_eq!(running.http(&head, "").await.0, 0);
    drop(held);
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    assert_eq!(running.http(&head, "").await.0, 200);
}

#[tokio::test]
async fn other_machines_are_served_with_tls_and_a_token_or_on_purpose() {
    let tokens = Arc::new(InMemory::default());
    let bind = async |config: &str, tls: Option<TlsFiles>| {
        let mut parts = parts("", Scripted::default(), tokens.clone());
        let table = format!("[gateway]\nbind = \"0.0.0.0:0\"\n{config}");
        parts.config = config::Config::from_table(table.parse().unwrap()).unwrap().gateway;
        parts.tls = tls;
        Gateway::bind(parts).await.map(drop)
    };
    assert!(matches!(bind("", None).await, Err(ServeError::Exposed(_))));
    assert!(matches!(bind("insecure = true", None).await, Err(ServeError::NoToken(_))));
    let garbage = || TlsFiles { certificates: b"x".to_vec(), key: b"y".to_vec() };
    tokens
        .change(&mut |book| {
            book.create(UserId::new("anna"), "t", [Scope::Read].into(), NOW_MS, None).map(drop)
        })
        .unwrap();
    assert!(matches!(bind("", Some(garbage())).await, Err(ServeError::Tls(_))));
    bind("insecure = true", None).await.unwrap();
}

#[test]
fn a_holder_of_more_may_do_less() {
    let holder =
        |scope| TokenHolder { token: "t".into(), user: UserId::new("u"), scopes: [scope].into() };
    assert!(holder(Scope::Admin).may(Scope::Read) && !holder(Scope::Read).may(Scope::Chat));
}
