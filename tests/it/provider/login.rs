//! `hydroid provider login` as a person uses it: a code, a token, and an answer of a model with a
//! token of a short life that the host obtained for it, against a server that follows a script.

use super::found_below;
use crate::root;
use crate::support::hydroid::{Home, Ran};
use crate::support::manifest::with_manifest;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};

/// What must never be seen anywhere but at the server.
const TOKEN: &str = "gho_16C7e42F292c6912E7710c838347Ae178B4a";
const SHORT: &str = "tid=4f2a;exp=1795305600;sku=free:9f8e7d6c5b4a3210";

/// A service to sign in to, to get a token of a short life from, and to ask.
struct Service {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
}

/// With these answers to the questions whether the person has signed in.
fn service(polls: &[&'static str]) -> Service {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let requests: Arc<Mutex<Vec<String>>> = Arc::default();
    let log = requests.clone();
    let polls: Vec<&'static str> = polls.to_vec();
    let mut polls = polls.into_iter();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut head = String::new();
            while reader.read_line(&mut head).is_ok_and(|read| read > 2) {}
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(": ")?;
                name.eq_ignore_ascii_case("content-length").then(|| value.parse().ok()).flatten()
            });
            let mut body = vec![0; length.unwrap_or(0)];
            if reader.read_exact(&mut body).is_err() {
                continue;
            }
            let body = String::from_utf8_lossy(&body).into_owned();
            log.lock().unwrap().push(format!("{head}{body}"));
            let asked = |path: &str| head.split(' ').nth(1).is_some_and(|at| at.starts_with(path));
            let (status, kind, answer) = if asked("/device") {
                let answer = format!(
                    r#"{{"device_code":"d1","user_code":"WDJB-MJHT","verification_uri":"http://{address}/login","expires_in":60,"interval":1}}"#
                );
                (200, "application/json", answer)
            } else if asked("/token") {
                let answer = polls.next().unwrap_or(r#"{"error":"expired_token"}"#);
                let status = if answer.contains("error") { 400 } else { 200 };
                (status, "application/json", answer.to_owned())
            } else if asked("/short") && head.contains(&format!("authorization: token {TOKEN}")) {
                let answer = format!(r#"{{"token":"{SHORT}","expires_at":9999999999}}"#);
                (200, "application/json", answer)
            } else if asked("/v1/") && head.contains(&format!("authorization: Bearer {SHORT}")) {
                let answer = format!(
                    "data: {{\"choices\":[{{\"delta\":{{\"content\":\"Signed in with {SHORT}.\"}}}}]}}\n\ndata: [DONE]\n\n"
                );
                (200, "text/event-stream", answer)
            } else {
                (401, "application/json", r#"{"error":{"message":"who are you"}}"#.to_owned())
            };
            let _ = write!(
                stream,
                "HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n{answer}",
                answer.len()
            );
        }
    });
    Service { address, requests }
}

/// `provider-openai` with a manifest of its own, as somebody else would publish one.
fn component(home: &Home, address: SocketAddr) -> String {
    let wasm = std::fs::read(root().join("target/components/provider-openai.wasm"))
        .expect("`cargo xtask components` builds it");
    let text = std::fs::read_to_string(root().join("components/provider-openai/manifest.toml"));
    let text = text.unwrap().replace("name = \"provider-openai\"", "name = \"provider-mine\"");
    let own = format!(
        "[secrets.mine]\nhosts = [\"http://{address}\"]\noptional = true\n\
         [secrets.mine.sign]\nkind = \"token-exchange\"\ntoken_url = \"http://{address}/short\"\n\
         token_attach = \"header:Authorization:token \"\n\
         [secrets.mine.login]\ndevice_url = \"http://{address}/device\"\n\
         token_url = \"http://{address}/token\"\nclient_id = \"app\"\nscopes = [\"read:user\"]\n\n[config]\n"
    );
    let text = text.replacen("[config]\n", &own, 1);
    let path = home.path("provider-mine.wasm");
    std::fs::write(&path, with_manifest(wasm, &text)).unwrap();
    path.to_str().unwrap().to_owned()
}

fn home(service: &Service) -> Home {
    let address = service.address;
    let home = Home::with_config(&format!(
        "[model]\nprovider = \"provider-mine\"\nname = \"m\"\n[model.retry]\nattempts = 1\n[egress]\nallow_private = [\"{address}\"]\n\
         [components.provider-mine.config]\nbase_url = \"http://{address}/v1\"\napi_key_secret = \"mine\"\n"
    ));
    let file = component(&home, address);
    home.run(&["component", "add", "--allow-unsigned", &file]).code(0);
    let host = format!("http://{address}");
    home.run(&["component", "grant", "provider-mine", "web", "--host", &host]).code(0);
    home
}

fn clean(ran: Ran) -> Ran {
    for secret in [TOKEN, SHORT, "d1\""] {
        assert!(!ran.stdout.contains(secret) && !ran.stderr.contains(secret), "{ran:?}");
    }
    ran
}

#[test]
fn a_person_signs_in_and_the_model_answers() {
    let pending = r#"{"error":"authorization_pending"}"#;
    let token = r#"{"access_token":"gho_16C7e42F292c6912E7710c838347Ae178B4a","token_type":"bearer","scope":"read:user"}"#;
    let service = service(&[pending, token]);
    let home = home(&service);
    home.run(&["ask", "hello"]).code(3).tells("hydroid provider login mine");
    home.run(&["doctor"]).says("`hydroid provider login mine` sets it");
    clean(home.run(&["provider", "login", "provider-mine"]))
        .code(0)
        .tells(&format!("http://{}/login", service.address))
        .tells("WDJB-MJHT")
        .says("signed in: mine is set, version 1");
    // This service does not say how many tokens it took.
    clean(home.run(&["ask", "hello"]).code(0))
        .says("Signed in with ***")
        .tells("0 tokens in, 0 out, cost unknown");
    home.run(&["secret", "list"]).code(0).says("mine");
    let audit = home.run(&["audit", "query", "--json"]).code(0).stdout;
    assert!(audit.contains("provider login"), "{audit}");
    let sent = service.requests.lock().unwrap().clone();
    let form = sent.iter().find(|request| request.starts_with("POST /device")).unwrap();
    assert!(form.ends_with("client_id=app&scope=read%3Auser"), "{form}");
    // The code of the device and both tokens are nowhere below the home but sealed.
    assert_eq!(found_below(home.path("").as_path(), &[TOKEN, SHORT]), Vec::<String>::new());
}

#[test]
fn whoever_does_not_sign_in_has_nothing_stored() {
    for (polls, expected) in [
        (vec![r#"{"error":"access_denied"}"#], "was declined where you signed in"),
        (vec![r#"{"error":"expired_token"}"#], "was not used in time"),
        (vec![r#"{"error":"incorrect_client_credentials"}"#], "(incorrect_client_credentials)"),
        (vec![r#"{"token_type":"bearer"}"#], "has no `access_token`"),
    ] {
        let service = service(&polls);
        let home = home(&service);
        let ran = clean(home.run(&["provider", "login", "mine"]));
        assert_ne!(ran.code, Some(0), "{ran:?}");
        ran.tells(expected);
        home.run(&["ask", "hello"]).code(3).tells("hydroid provider login mine");
    }
}

#[test]
fn what_nobody_signs_in_for_is_said_with_what_to_do() {
    let home = Home::new();
    for (name, expected) in [
        ("groq", "hydroid secret set groq"),
        ("vllm", "wants no key"),
        ("provider-anthropic", "is obtained by signing in"),
        ("nosuch", "is no service"),
    ] {
        home.run(&["provider", "login", name]).code(2).tells(expected);
    }
    home.run(&["provider", "add", "groq", "--as", "g", "--model", "m"]).code(0);
    home.run(&["provider", "login", "g"]).code(2).tells("hydroid secret set groq");
    home.run(&["provider", "add", "github-copilot", "--model", "gpt-4.1"])
        .code(0)
        .tells("hydroid provider login github-copilot");
    home.run(&["provider", "show", "github-copilot"]).code(0).says("in use");
    home.run(&["provider", "test"]).code(3).tells("hydroid provider login github-copilot");
}
