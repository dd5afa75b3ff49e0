//! No provider ever holds a key: while a request waits for its answer, and after each piece of an
//! answer that has the key in it, every linear memory of this process is searched, as the kernel
//! maps it. That it is searched is shown by the prompt, which must be there.

use super::{Scene, context, scene_with};
use crate::grants::Entry;
use hydroid_core::id::ComponentId;
use hydroid_core::message::{Content, Label, Message, Part, Role};
use hydroid_core::ports::{Model, ModelEvent, ModelRequest};
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::FileExt;
use std::sync::mpsc::{Receiver, Sender, channel};

/// A linear memory is followed by at least this much that cannot be touched: the rest of what was
/// reserved for it and its guard. Arenas of the allocator have less behind them.
const RESERVED: u64 = 128 << 20;

/// How often one looks before giving up.
const LOOKS: usize = 20;

/// Before it is a guard, or the end of what another has. Before the stack of a thread is a page.
const GUARD: u64 = 16 << 20;

/// Whether each text is in any linear memory. Texts come in halves, so that a search does not find
/// itself.
fn in_linear_memory(texts: [[&str; 2]; 2]) -> [bool; 2] {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let memory = File::open("/proc/self/mem").unwrap();
    let mut run: Option<(u64, u64)> = None;
    // Where the last region ended that cannot be touched, if it is large enough to be a guard.
    let mut guarded = None;
    let mut found = [false; 2];
    for line in maps.lines() {
        let mut words = line.split_whitespace();
        let (Some(range), Some(access)) = (words.next(), words.next()) else { continue };
        let (from, to) = range.split_once('-').unwrap();
        let (from, to) =
            (u64::from_str_radix(from, 16).unwrap(), u64::from_str_radix(to, 16).unwrap());
        match (access, &mut run) {
            ("rw-p", Some((_, end))) if *end == from => *end = to,
            ("rw-p", _) => run = (guarded == Some(from)).then_some((from, to)),
            ("---p", Some((begin, end))) if *end == from && to - from >= RESERVED => {
                let mut bytes = vec![0; usize::try_from(*end - *begin).unwrap()];
                // What another thread has given back meanwhile holds nothing.
                if memory.read_exact_at(&mut bytes, *begin).is_ok() {
                    for (found, text) in found.iter_mut().zip(texts) {
                        *found |= holds(&bytes, text);
                    }
                }
                run = None;
            }
            _ => run = None,
        }
        if access == "---p" && (to - from >= GUARD || guarded == Some(from)) {
            guarded = Some(to);
        }
    }
    found
}

fn holds(bytes: &[u8], [first, second]: [&str; 2]) -> bool {
    memchr::memmem::find_iter(bytes, first).any(|at| {
        let after = at + first.len();
        bytes.get(after..after + second.len()) == Some(second.as_bytes())
    })
}

/// A server that tells when a request has come and answers when it is told to, with a body in which
/// the key stands where `{KEY}` is. It is the only one that knows the key by itself.
struct Server {
    address: SocketAddr,
    came: Receiver<String>,
    go: Sender<()>,
}

fn serve(status: u16, kind: &'static str, body: &'static str) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (coming, came) = channel();
    let (go, told) = channel();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut head = String::new();
        while reader.read_line(&mut head).is_ok_and(|read| read > 2) {}
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("content-length").then(|| value.parse().ok()).flatten()
        });
        reader.read_exact(&mut vec![0; length.unwrap_or(0)]).unwrap();
        coming.send(head).unwrap();
        told.recv().unwrap();
        let body = body.replace("{KEY}", &KEY.concat());
        let head = format!(
            "HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-type: {kind}\r\nx-echo: {}\r\ncontent-length: {}\r\n\r\n",
            KEY.concat(),
            body.len()
        );
        stream.write_all((head + &body).as_bytes()).unwrap();
    });
    Server { address, came, go }
}

/// In two halves, so that the test's own constants are not what is found.
const KEY: [&str; 2] = ["sk-in-no-guest-", "5d41402abc4b2a76"];
const PROMPT: [&str; 2] = ["what a guest has in ", "its memory 7f83b165"];

/// One provider and an answer of its service.
struct Case {
    component: &'static str,
    secret: &'static str,
    config: &'static str,
    /// The media type of the answer.
    kind: &'static str,
    answer: &'static str,
}

const SSE: &str = "text/event-stream";
const JSON: &str = "application/json";

const CASES: [Case; 6] = [
    Case {
        component: "provider-openai",
        secret: "openai",
        config: "",
        kind: SSE,
        answer: "data: {\"choices\":[{\"delta\":{\"content\":\"your key is {KEY}\"}}]}\n\ndata: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n",
    },
    Case {
        component: "provider-openai-responses",
        secret: "openai",
        config: "",
        kind: SSE,
        answer: "data: {\"type\":\"response.output_text.delta\",\"item_id\":\"a\",\"output_index\":0,\"content_index\":0,\"delta\":\"your key is {KEY}\"}\n\ndata: {\"type\":\"response.completed\",\"response\":{\"id\":\"r\",\"status\":\"completed\",\"output\":[]}}\n\n",
    },
    Case {
        component: "provider-anthropic",
        secret: "anthropic",
        config: "",
        kind: SSE,
        answer: "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"role\":\"assistant\",\"content\":[],\"usage\":{\"input_tokens\":1,\"output_tokens\":1}}}\n\nevent: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\nevent: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"your key is {KEY}\"}}\n\nevent: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\nevent: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":3}}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
    },
    Case {
        component: "provider-gemini",
        secret: "gemini",
        config: "",
        kind: SSE,
        answer: "data: {\"candidates\":[{\"content\":{\"role\":\"model\",\"parts\":[{\"text\":\"your key is {KEY}\"}]},\"finishReason\":\"STOP\"}]}\n\n",
    },
    Case {
        component: "provider-ollama",
        secret: "ollama",
        config: "api_key_secret = \"ollama\"\n",
        kind: "application/x-ndjson",
        answer: "{\"message\":{\"role\":\"assistant\",\"content\":\"your key is {KEY}\"},\"done\":false}\n{\"message\":{\"role\":\"assistant\",\"content\":\"\"},\"done\":true,\"done_reason\":\"stop\"}\n",
    },
    Case {
        component: "provider-bedrock",
        secret: "aws-secret-access-key",
        config: "stream = false\n",
        kind: JSON,
        answer: "{\"output\":{\"message\":{\"role\":\"assistant\",\"content\":[{\"text\":\"your key is {KEY}\"}]}},\"stopReason\":\"end_turn\",\"usage\":{\"inputTokens\":1,\"outputTokens\":1,\"totalTokens\":2}}",
    },
];

const REFUSAL: &str = "{\"error\":{\"message\":\"Incorrect API key provided: {KEY}\",\"code\":\"invalid_api_key\",\"type\":\"invalid_request_error\"},\"message\":\"Incorrect API key provided: {KEY}\"}";

fn scene(case: &Case, server: SocketAddr) -> Scene {
    let Case { component, secret, config, .. } = case;
    let origin = format!("http://{server}");
    let base = if config.contains("base_url") { "" } else { "base_url" };
    let key = KEY.concat();
    let scene = scene_with(
        &[component],
        &format!(
            "[egress]\nallow_private = [\"{server}\"]\n[secrets.{secret}]\nenv = \"UNUSED\"\nhosts = [\"{origin}\"]\n\
             [secrets.aws-access-key-id]\nenv = \"UNUSED\"\nhosts = [\"{origin}\"]\n\
             [components.{component}.config]\n{base} = \"{origin}\"\n{config}"
        ),
        &[(secret, &key), ("aws-access-key-id", "AKIDINNOGUEST000001")],
    );
    let entry = Entry { hosts: [origin].into(), ..Entry::default() };
    scene.grants.lock().unwrap().components.insert((*component).to_owned(), entry);
    scene.catalog.refresh().unwrap();
    scene
}

/// The text of the answer, or its error, with a search after each piece.
fn ask(case: &Case, status: u16, kind: &'static str, answer: &'static str) -> String {
    let server = serve(status, kind, answer);
    let scene = scene(case, server.address);
    let request = ModelRequest {
        provider: ComponentId::new(case.component),
        model: match case.component {
            "provider-bedrock" => "amazon.nova-pro-v1:0".into(),
            _ => "m".into(),
        },
        system: String::new(),
        messages: vec![Message {
            role: Role::User,
            parts: vec![Part::new(Content::text(PROMPT.concat()), Label::user())],
        }],
        tools: Vec::new(),
        max_tokens: Some(64),
        temperature: None,
        options: None,
    };
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let catalog = scene.catalog;
    let (told, pieces) = channel::<Option<String>>();
    let (seen, go_on) = channel::<()>();
    // The guest stands still while it is searched: it waits for the server, or for its next call.
    runtime.spawn(async move {
        let mut completion = match catalog.complete(request, context()).await {
            Ok(completion) => completion,
            Err(error) => {
                told.send(Some(error.message)).unwrap();
                return drop(told.send(None));
            }
        };
        loop {
            let piece = match completion.next().await {
                Ok(events) if events.is_empty() => break,
                Ok(events) => events
                    .iter()
                    .filter_map(|event| match event {
                        ModelEvent::Text(text) => Some(text.as_str()),
                        _ => None,
                    })
                    .collect(),
                Err(error) => error.message,
            };
            told.send(Some(piece)).unwrap();
            go_on.recv().unwrap();
        }
        drop(told.send(None));
    });
    let name = case.component;
    let head = server.came.recv().unwrap();
    // A signature is made with the key and does not have it in it.
    let is_sent = head.contains(&KEY.concat()) || head.contains("AWS4-HMAC-SHA256");
    assert!(is_sent, "{name} sent no key: {head}");
    // What other tests map meanwhile may hide a memory from one look, so only one counts in which
    // the guest was seen.
    let looks = (0..LOOKS).map(|_| in_linear_memory([PROMPT, KEY]));
    let seen_in = looks.into_iter().find(|[prompt, _]| *prompt);
    let [_, key] = seen_in.unwrap_or_else(|| panic!("{name}: the guest's memory was not found"));
    assert!(!key, "{name} has the key while it waits");
    server.go.send(()).unwrap();
    let mut said = String::new();
    while let Some(piece) = pieces.recv().unwrap() {
        let [_, key] = in_linear_memory([PROMPT, KEY]);
        assert!(!key, "{name} has the key after `{piece}`");
        said.push_str(&piece);
        let _ = seen.send(());
    }
    drop(runtime);
    said
}

#[test]
fn no_provider_has_the_key_in_its_memory_also_when_the_service_echoes_it() {
    for case in &CASES {
        let said = ask(case, 200, case.kind, case.answer);
        assert!(said.contains("your key is ***"), "{}: {said}", case.component);
        assert!(!said.contains(&KEY.concat()), "{}: {said}", case.component);
    }
}

#[test]
fn no_provider_has_the_key_in_its_memory_when_it_is_refused_by_name() {
    for case in &CASES {
        let said = ask(case, 401, JSON, REFUSAL);
        assert!(said.contains("Incorrect API key provided: ***"), "{}: {said}", case.component);
        // Only the host can say which one it was.
        let named = format!("refused the secret `{}`", case.secret);
        assert!(said.contains(&named), "expected `{named}` in: {said}");
    }
}

/// The search finds what is there: a guest that was given the key in a prompt has it.
#[test]
fn a_key_in_a_guests_memory_would_be_found() {
    assert!(holds(format!("..{}..", KEY.concat()).as_bytes(), KEY));
    assert!(!holds(format!("..{}{}", KEY[0], "other").as_bytes(), KEY));
}
