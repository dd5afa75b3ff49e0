//! A service or a gateway that refuses to stream is asked for a whole answer, once, in every
//! protocol; any other refusal is told.

use super::{context, scene_with};
use crate::grants::Entry;
use hydroid_core::id::ComponentId;
use hydroid_core::message::Message;
use hydroid_core::ports::{Model, ModelEvent, ModelRequest};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};

/// A component, its secret, and a whole answer of its service.
const CASES: [(&str, &str, &str); 6] = [
    (
        "provider-openai",
        "openai",
        r#"{"choices":[{"message":{"role":"assistant","content":"whole"},"finish_reason":"stop"}]}"#,
    ),
    (
        "provider-openai-responses",
        "openai",
        r#"{"id":"r","object":"response","status":"completed","output":[{"type":"message","id":"m","role":"assistant","status":"completed","content":[{"type":"output_text","text":"whole","annotations":[]}]}]}"#,
    ),
    (
        "provider-anthropic",
        "anthropic",
        r#"{"id":"m","type":"message","role":"assistant","content":[{"type":"text","text":"whole"}],"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":1}}"#,
    ),
    (
        "provider-gemini",
        "gemini",
        r#"{"candidates":[{"content":{"role":"model","parts":[{"text":"whole"}]},"finishReason":"STOP"}]}"#,
    ),
    (
        "provider-ollama",
        "ollama",
        r#"{"message":{"role":"assistant","content":"whole"},"done":true,"done_reason":"stop"}"#,
    ),
    (
        "provider-bedrock",
        "aws-secret-access-key",
        r#"{"output":{"message":{"role":"assistant","content":[{"text":"whole"}]}},"stopReason":"end_turn","usage":{"inputTokens":1,"outputTokens":1,"totalTokens":2}}"#,
    ),
];

/// A server that refuses the first request so and answers the others.
fn serve(refusal: &'static str, answer: &'static str) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let requests: Arc<Mutex<Vec<String>>> = Arc::default();
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
            let mut log = log.lock().unwrap();
            log.push(head + &String::from_utf8_lossy(&body));
            let (status, body) = if log.len() == 1 { (400, refusal) } else { (200, answer) };
            let _ = write!(
                stream,
                "HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            );
        }
    });
    (address, requests)
}

/// What is answered, or the error, and what the server was sent.
async fn ask(case: (&str, &str, &'static str), refusal: &'static str) -> (String, Vec<String>) {
    let (component, secret, answer) = case;
    let (server, requests) = serve(refusal, answer);
    let origin = format!("http://{server}");
    let config = format!(
        "[egress]\nallow_private = [\"{server}\"]\n[components.{component}.config]\nbase_url = \"{origin}\"\n\
         [secrets.{secret}]\nenv = \"UNUSED\"\nhosts = [\"{origin}\"]\n\
         [secrets.aws-access-key-id]\nenv = \"UNUSED\"\nhosts = [\"{origin}\"]\n"
    );
    let scene = scene_with(
        &[component],
        &config,
        &[(secret, "sk-one-shot-0123456789"), ("aws-access-key-id", "AKIDONESHOT00000001")],
    );
    let entry = Entry { hosts: [origin].into(), ..Entry::default() };
    scene.grants.lock().unwrap().components.insert(component.to_owned(), entry);
    scene.catalog.refresh().unwrap();
    let request = ModelRequest {
        provider: ComponentId::new(component),
        model: if component == "provider-bedrock" { "amazon.nova-pro-v1:0" } else { "m" }.into(),
        system: String::new(),
        messages: vec![Message::user("hello")],
        tools: Vec::new(),
        max_tokens: Some(64),
        temperature: None,
        options: None,
    };
    let mut said = String::new();
    match scene.catalog.complete(request, context()).await {
        Err(error) => said = error.message,
        Ok(mut completion) => loop {
            let events = completion.next().await.unwrap();
            if events.is_empty() {
                break;
            }
            for event in events {
                if let ModelEvent::Text(text) = event {
                    said.push_str(&text);
                }
            }
        },
    }
    let requests = requests.lock().unwrap().clone();
    (said, requests)
}

#[tokio::test]
async fn what_refuses_to_stream_is_asked_for_a_whole_answer_in_every_protocol() {
    let refusal = r#"{"error":{"message":"streaming is not supported by this gateway","code":"unsupported"},"message":"streaming is not supported by this gateway"}"#;
    for case in CASES {
        let (said, requests) = ask(case, refusal).await;
        assert_eq!((said.as_str(), requests.len()), ("whole", 2), "{}: {requests:?}", case.0);
        let streams = |request: &str| {
            request.contains("\"stream\":true")
                || request.contains("streamGenerateContent")
                || request.contains("converse-stream")
        };
        assert!(streams(&requests[0]) && !streams(&requests[1]), "{requests:?}");
        assert!(!requests[1].contains("stream_options"), "{}", requests[1]);
    }
}

#[tokio::test]
async fn any_other_refusal_is_told_and_asked_once() {
    let refusal = r#"{"error":{"message":"the tools are not as they should be"},"message":"the tools are not as they should be"}"#;
    for case in CASES {
        let (said, requests) = ask(case, refusal).await;
        assert!(said.contains("not as they should be"), "{}: {said}", case.0);
        assert_eq!(requests.len(), 1, "{}", case.0);
    }
}
