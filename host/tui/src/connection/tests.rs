//! Over a real socket: what is said arrives, and a connection that is cut is made again without
//! anything lost or said twice.

#![expect(clippy::disallowed_methods, reason = "the host of a test listens on loopback")]

use super::*;
use crate::app::{App, Begin, Command, Input, Link};
use crate::conversation::Kind;
use crate::desk::{Attachment, Endpoint};
use crate::scripted::{ScriptedHost, said_in};
use crate::theme::Theme;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use std::sync::Mutex;
use tokio::net::TcpListener;
use tokio_tungstenite::accept_async;

/// Time for anything that is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

struct Nowhere(String);

impl Desk for Nowhere {
    fn endpoint(&self) -> Result<Endpoint, String> {
        Ok(Endpoint { url: self.0.clone(), token: None })
    }
    fn attach(&self, _: &str) -> Result<Attachment, String> {
        Err("no files".to_owned())
    }
    fn save(&self, _: &str, _: &str) -> Result<String, String> {
        Err("no files".to_owned())
    }
    fn edit(&self, _: &str) -> Result<String, String> {
        Err("no editor".to_owned())
    }
    fn history(&self) -> Vec<String> {
        Vec::new()
    }
    fn remember(&self, _: &str) {}
}

/// Serves the host; each connection ends after so many messages of the host, the next one later.
async fn serve(listener: TcpListener, host: Arc<Mutex<ScriptedHost>>, mut cut: usize) {
    loop {
        let (stream, _) = listener.accept().await.expect("a connection");
        let mut socket = accept_async(stream).await.expect("a handshake");
        host.lock().expect("one owner").connect();
        let mut left = cut;
        cut += 3;
        'connection: while let Some(Ok(message)) = socket.next().await {
            let Message::Text(text) = message else { continue };
            let message = serde_json::from_str(&text).expect("a message of the protocol");
            let told = host.lock().expect("one owner").take(message);
            for message in told {
                if left == 0 {
                    break 'connection;
                }
                left -= 1;
                let text = serde_json::to_string(&message).expect("it is JSON");
                if socket.send(Message::text(text)).await.is_err() {
                    break 'connection;
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_turn_is_whole_however_often_the_socket_is_cut() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("ws://{}/api/v1/socket", listener.local_addr().expect("an address"));
    let host = Arc::new(Mutex::new(ScriptedHost::new()));
    let server = tokio::spawn(serve(listener, Arc::clone(&host), 2));
    let (mut events, connection) = keep(Arc::new(Nowhere(url)));
    let mut app = App::new(Begin::New, Theme::default(), false, Vec::new(), "t".into());
    for letter in "hello".chars() {
        app.handle(Input::Key(KeyEvent::new(KeyCode::Char(letter), KeyModifiers::NONE)));
    }
    app.handle(Input::Key(KeyEvent::new(KeyCode::Enter, KeyModifiers::NONE)));
    let mut outbox = None;
    let whole = async {
        loop {
            let link = match events.recv().await.expect("it is kept") {
                Event::Opened { token, outbox: opened } => {
                    outbox = Some(opened);
                    Link::Opened { token }
                }
                Event::Told(message) => Link::Told(message),
                Event::Lost(why) => Link::Lost(why),
            };
            for command in app.handle(Input::Link(link)) {
                if let (Command::Send(message), Some(outbox)) = (command, &outbox) {
                    drop(outbox.send(message).await);
                }
            }
            let ended =
                app.conversation().is_some_and(|one| one.items.len() >= 2 && !one.is_busy());
            if ended && app.unsaid() == 0 {
                return;
            }
        }
    };
    timeout(PATIENCE, whole).await.expect("the turn ends in time");
    connection.abort();
    server.abort();
    let conversation = app.conversation().expect("a session");
    let said: Vec<&str> = conversation
        .items
        .iter()
        .map(|item| match &item.kind {
            Kind::Person { text, .. } | Kind::Said(text) => text.text.as_str(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(said, ["hello", "It is **done**."]);
    let host = host.lock().expect("one owner");
    let kept: Vec<String> = host.sessions.values().flat_map(said_in).collect();
    assert_eq!(kept, ["hello"]);
    assert!(host.asked.iter().filter(|kind| *kind == "hello").count() > 2, "{:?}", host.asked);
}

#[track_caller]
fn check_address(url: &str, expect: Result<(), &str>) {
    match (check(url), expect) {
        (Ok(()), Ok(())) => {}
        (Err(why), Err(part)) => assert!(why.contains(part), "{why}"),
        (got, expect) => panic!("{url}: {got:?}, expected {expect:?}"),
    }
}

#[test]
fn other_machines_are_reached_by_tls_only() {
    check_address("ws://127.0.0.1:7717/api/v1/socket", Ok(()));
    check_address("ws://[::1]:7717/api/v1/socket", Ok(()));
    check_address("ws://localhost/x", Ok(()));
    check_address("wss://host.example/api/v1/socket", Ok(()));
    check_address("ws://host.example/api/v1/socket", Err("not encrypted"));
    check_address("ws://localhost.example/", Err("not encrypted"));
    check_address("http://127.0.0.1/", Err("neither"));
    check_address("ws://127.0.0.1@evil.example/", Err("not encrypted"));
}
