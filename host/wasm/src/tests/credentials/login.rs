//! Signing in on another device, against a server that follows a script: what is asked, how often,
//! and what becomes of every answer of RFC 8628 and of answers of no RFC.

use crate::egress::{Egress, EgressSettings, LoginError, SignIn, SignedIn, UserCode};
use hydroid_core::config;
use hydroid_core::id::ComponentId;
use hydroid_core::manifest::{ClientAuth, DeviceLogin, LoginClient, Obtains};
use hydroid_core::ports::SecretValue;
use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const DEVICE: &str = r#"{"device_code":"dev+code","user_code":"WDJB-MJHT","verification_uri":"https://example.com/device","expires_in":60,"interval":5}"#;
const PENDING: (u16, &str) = (400, r#"{"error":"authorization_pending"}"#);
const TOKEN: (u16, &str) = (200, r#"{"access_token":"gho_abc","token_type":"bearer"}"#);
/// The connection is closed without an answer.
const NOTHING: (u16, &str) = (0, "");

struct Script {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
}

fn script(answers: &[(u16, &str)]) -> Script {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let requests: Arc<Mutex<Vec<String>>> = Arc::default();
    let mut answers: VecDeque<(u16, String)> =
        answers.iter().map(|(status, body)| (*status, (*body).to_owned())).collect();
    let log = requests.clone();
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
            log.lock().unwrap().push(format!("{head}{}", String::from_utf8(body).unwrap()));
            let (status, body) = answers.pop_front().unwrap_or((500, "the script is over".into()));
            if status != 0 {
                let length = body.len();
                let _ = write!(
                    stream,
                    "HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
                );
            }
        }
    });
    Script { address, requests }
}

/// What came of it, what was shown, and how long was waited between the questions.
struct Outcome {
    result: Result<SignedIn, LoginError>,
    shown: Vec<UserCode>,
    waits: Vec<u64>,
    requests: Vec<String>,
}

async fn sign_in_as(
    answers: &[(u16, &str)],
    obtains: Obtains,
    secret: Option<ClientAuth>,
) -> Outcome {
    let script = script(answers);
    let egress = Egress::new(EgressSettings {
        allow_private: vec![script.address],
        authorities: None,
        dns: None,
        counter: None,
        limits: config::Egress::default(),
    });
    let login = DeviceLogin {
        device_url: format!("http://{}/device/code", script.address),
        token_url: format!("http://{}/token", script.address),
        client: LoginClient::Public("app".into()),
        scopes: vec!["read:user".into(), "b".into()],
        obtains,
    };
    let component = ComponentId::new("provider-x");
    let value = SecretValue::new("client secret".into());
    let client_secret = secret.map(|auth| (&value, auth));
    let sign_in = SignIn { component: &component, login: &login, client_id: "app", client_secret };
    let (mut shown, waits) = (Vec::new(), Arc::new(Mutex::new(Vec::new())));
    let log = waits.clone();
    let result = sign_in
        .run(
            &egress,
            |code| shown.push(code.clone()),
            move |time: Duration| {
                log.lock().unwrap().push(time.as_secs());
                Box::pin(std::future::ready(()))
            },
        )
        .await;
    let waits = waits.lock().unwrap().clone();
    let requests = script.requests.lock().unwrap().clone();
    Outcome { result, shown, waits, requests }
}

async fn sign_in(answers: &[(u16, &str)]) -> Outcome {
    sign_in_as(answers, Obtains::AccessToken, None).await
}

#[track_caller]
fn value(outcome: &Outcome) -> &str {
    outcome.result.as_ref().unwrap().value.expose()
}

#[tokio::test]
async fn a_code_is_shown_and_asked_about_until_there_is_a_token() {
    let outcome = sign_in(&[(200, DEVICE), PENDING, PENDING, TOKEN]).await;
    assert_eq!(value(&outcome), "gho_abc");
    let expected = UserCode {
        url: "https://example.com/device".into(),
        code: "WDJB-MJHT".into(),
        whole_url: None,
        lasts: Duration::from_secs(60),
    };
    assert_eq!(outcome.shown, [expected]);
    assert_eq!(outcome.waits, [5, 5, 5]);
    let [code, asked, ..] = outcome.requests.as_slice() else { panic!("{:?}", outcome.requests) };
    assert!(code.starts_with("POST /device/code "), "{code}");
    assert!(code.ends_with("\r\n\r\nclient_id=app&scope=read%3Auser+b"), "{code}");
    assert!(asked.starts_with("POST /token ") && asked.contains("accept: application/json"));
    assert!(
        asked.ends_with(
            "\r\n\r\ngrant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code&device_code=dev%2Bcode&client_id=app"
        ),
        "{asked}"
    );
}

#[tokio::test]
async fn a_service_that_is_asked_too_often_is_asked_more_seldom() {
    let slower = (200, r#"{"error":"slow_down"}"#);
    let named = (400, r#"{"error":"slow_down","interval":20}"#);
    let outcome = sign_in(&[(200, DEVICE), slower, PENDING, named, TOKEN]).await;
    assert_eq!(value(&outcome), "gho_abc");
    assert_eq!(outcome.waits, [5, 10, 10, 20]);
    let hasty = DEVICE.replace("\"interval\":5", "\"interval\":0");
    assert_eq!(sign_in(&[(200, &hasty), TOKEN]).await.waits, [1]);
    // As services wrote it before there was a standard.
    let older = DEVICE.replace("verification_uri", "verification_url").replace(":60", ":\"60\"");
    assert_eq!(value(&sign_in(&[(200, &older), TOKEN]).await), "gho_abc");
    let silent = DEVICE.replace(",\"interval\":5", "");
    assert_eq!(sign_in(&[(200, &silent), TOKEN]).await.waits, [5]);
}

#[tokio::test]
async fn what_passes_is_waited_for() {
    let busy = (503, "<html>later</html>");
    let device = DEVICE.replace("\"expires_in\":60", "\"expires_in\":600");
    let answers = [(200, device.as_str()), NOTHING, busy, (429, "{}"), PENDING, TOKEN];
    let outcome = sign_in(&answers).await;
    assert_eq!(value(&outcome), "gho_abc");
    assert_eq!(outcome.waits, [5, 10, 20, 40, 40]);
}

#[tokio::test]
async fn a_person_may_say_no_or_nothing() {
    let denied = sign_in(&[(200, DEVICE), PENDING, (400, r#"{"error":"access_denied"}"#)]).await;
    assert!(matches!(denied.result, Err(LoginError::Denied)));
    let expired = sign_in(&[(200, DEVICE), (400, r#"{"error":"expired_token"}"#)]).await;
    assert!(matches!(expired.result, Err(LoginError::Expired)));
    // A service that never says so is not asked for ever.
    let answers: Vec<_> = [(200, DEVICE)].into_iter().chain([PENDING; 40]).collect();
    let outcome = sign_in(&answers).await;
    assert!(matches!(outcome.result, Err(LoginError::Expired)));
    assert_eq!(outcome.waits.len(), 12, "a minute of five seconds");
}

#[tokio::test]
async fn an_endpoint_that_refuses_is_told_without_its_text() {
    let client = (401, r#"{"error":"invalid_client","error_description":"value"}"#);
    for (answers, expected) in [
        (vec![client], "device/code` refused: status 401 (invalid_client)"),
        (vec![(200, r#"{"error":"device_flow_disabled"}"#)], "(device_flow_disabled)"),
        (vec![(404, "value")], "refused: status 404"),
        (vec![(200, DEVICE), client], "token` refused: status 401 (invalid_client)"),
        (vec![(200, DEVICE), (400, r#"{"error":"value"}"#)], "refused: status 400"),
        (vec![(200, DEVICE), (403, "value")], "refused: status 403"),
        (vec![(200, DEVICE), (403, r#"{"access_token":"value"}"#)], "refused: status 403"),
        (vec![(200, DEVICE), (201, r#"{"access_token":"value"}"#)], "refused: status 201"),
        (vec![(302, "")], "refused: status 302"),
    ] {
        let error = sign_in(&answers).await.result.unwrap_err().to_string();
        assert!(error.contains(expected) && !error.contains("value"), "{error}");
    }
}

#[tokio::test]
async fn an_answer_that_is_none_is_refused() {
    let long = format!("{{\"access_token\":\"{}\"}}", "a".repeat(70_000));
    let with = |from: &str, to: &str| DEVICE.replace(from, to);
    for (device, polled, expected) in [
        ("{}".to_owned(), None, "has no `device_code`"),
        ("[1".to_owned(), None, "has no `device_code`"),
        (with("WDJB-MJHT", ""), None, "code is empty"),
        (with("WDJB-MJHT", "\\u001b[2J"), None, "control characters"),
        (with("WDJB-MJHT", &"x".repeat(65)), None, "too long"),
        (with("https://example.com/device", "javascript:alert(1)"), None, "no web address"),
        (with("https://example.com", "https://you@example.com"), None, "no web address"),
        (DEVICE.to_owned(), Some("{}"), "has no `access_token`"),
        (DEVICE.to_owned(), Some(r#"{"access_token":""}"#), "has no `access_token`"),
        (DEVICE.to_owned(), Some("gho_abc"), "it is not JSON"),
        (
            DEVICE.to_owned(),
            Some(r#"{"access_token":"gho_abc","token_type":"DPoP"}"#),
            "not `bearer`",
        ),
        (DEVICE.to_owned(), Some(long.as_str()), "more than 64 KiB"),
    ] {
        let answers: Vec<(u16, &str)> =
            [(200, device.as_str())].into_iter().chain(polled.map(|body| (200, body))).collect();
        let error = sign_in(&answers).await.result.unwrap_err().to_string();
        assert!(error.contains(expected), "expected `{expected}` in: {error}");
        assert!(!error.contains("gho_abc"), "{error}");
    }
}

#[tokio::test]
async fn an_answer_that_is_as_long_as_may_be_is_read_whole() {
    let empty = r#"{"access_token":""}"#;
    for (length, fits) in [(65_536, true), (65_537, false)] {
        let token = "a".repeat(length - empty.len());
        let answer = format!("{{\"access_token\":\"{token}\"}}");
        assert_eq!(answer.len(), length);
        let outcome = sign_in(&[(200, DEVICE), (200, &answer)]).await;
        match fits {
            true => assert_eq!(value(&outcome), token),
            false => assert!(outcome.result.unwrap_err().to_string().contains("64 KiB")),
        }
    }
}

#[tokio::test]
async fn a_refresh_token_is_what_a_signer_exchanges() {
    let both = (200, r#"{"access_token":"short","refresh_token":"long","expires_in":3600}"#);
    for (auth, expected) in [
        (ClientAuth::Body, "client_secret=client+secret"),
        (ClientAuth::Basic, "authorization: Basic YXBwOmNsaWVudCtzZWNyZXQ="),
    ] {
        let outcome = sign_in_as(&[(200, DEVICE), both], Obtains::RefreshToken, Some(auth)).await;
        assert_eq!(value(&outcome), "long");
        assert_eq!(outcome.result.as_ref().unwrap().lasts, None);
        assert!(outcome.requests[1].contains(expected), "{}", outcome.requests[1]);
        assert!(!outcome.requests[0].contains("secret"), "{}", outcome.requests[0]);
    }
    let outcome = sign_in_as(&[(200, DEVICE), TOKEN], Obtains::RefreshToken, None).await;
    assert!(outcome.result.unwrap_err().to_string().contains("offline_access"));
    let outcome = sign_in(&[(200, DEVICE), both]).await;
    assert_eq!(outcome.result.unwrap().lasts, Some(Duration::from_secs(3600)));
}
