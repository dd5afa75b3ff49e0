//! Each provider component against its own decoder outside of WebAssembly: what an event costs, what
//! an open stream takes, and what two hundred streams at once do to each other. The decoder outside
//! is the component's own code, which its workspace runs on the same answer.

use crate::memory::{in_megabytes, resident};
use crate::scene::{self, Scene};
use crate::table::{Row, Samples, Table, ratio, shown};
use http_body_util::{BodyExt, Full};
use hydroid_core::id::ComponentId;
use hydroid_core::message::Message;
use hydroid_core::ports::{Completion, Model, ModelEvent, ModelRequest};
use hydroid_wasm::grants::{Entry, Grants};
use hyper::body::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustix::time::{ClockId, clock_gettime};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Texts in an answer.
const TEXTS: usize = 10_000;
/// Rounds, of which the median counts.
const ROUNDS: usize = 11;
/// Streams at once; a quarter less than the engine has room for.
const STREAMS: usize = 200;
/// Texts in each of those.
const FEW: usize = 500;

/// How a service writes an answer.
struct Format {
    component: &'static str,
    /// Its secret, and what else its configuration needs.
    secret: &'static str,
    config: &'static str,
    kind: &'static str,
    answer: fn(usize) -> Vec<u8>,
}

const SSE: &str = "text/event-stream";

const FORMATS: [Format; 6] = [
    Format { component: "provider-openai", secret: "openai", config: "", kind: SSE, answer: chat },
    Format {
        component: "provider-openai-responses",
        secret: "openai",
        config: "",
        kind: SSE,
        answer: responses,
    },
    Format {
        component: "provider-anthropic",
        secret: "anthropic",
        config: "",
        kind: SSE,
        answer: messages,
    },
    Format {
        component: "provider-gemini",
        secret: "gemini",
        config: "",
        kind: SSE,
        answer: gemini,
    },
    Format {
        component: "provider-ollama",
        secret: "ollama",
        config: "api_key_secret = \"ollama\"\n",
        kind: "application/x-ndjson",
        answer: ollama,
    },
    Format {
        component: "provider-bedrock",
        secret: "bedrock-api-key",
        config: "auth = \"api-key\"\n",
        kind: "application/vnd.amazon.eventstream",
        answer: bedrock,
    },
];

/// Adds the rows of each component.
pub(crate) fn measure(table: &mut Table) {
    for format in &FORMATS {
        one_stream(format, table);
    }
    for format in &FORMATS {
        many_streams(format, table);
    }
}

fn one_stream(format: &Format, table: &mut Table) {
    let body = (format.answer)(TEXTS);
    let server = serve(format.kind, body.clone(), None);
    let scene = scene_for(format, server);
    // One thread for everything on our side, so that its processor time is all of it.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime without threads can always be made");
    let client = Client::builder(TokioExecutor::new()).build_http();
    let [mut ours, mut reading] = std::array::from_fn(|_| Samples::default());
    for round in 0..=ROUNDS {
        let (texts, component) = clocked(|| runtime.block_on(whole(format, &scene)));
        assert_eq!(texts, TEXTS, "{}: texts got lost", format.component);
        let (bytes, read) = clocked(|| runtime.block_on(read(&client, server)));
        assert_eq!(bytes, body.len(), "bytes got lost");
        // The first round connects.
        if round > 0 {
            ours.add(component);
            reading.add(read);
        }
    }
    let decoding = outside(format, &body, scene.directory.path());
    let native = decoding + reading.p50();
    let texts = u32::try_from(TEXTS).expect("ten thousand");
    let by = ratio(ours.p50(), native);
    table.add(Row {
        what: format!("stream, processor time an event: `{}`", format.component),
        value: format!("{} ({} events/s)", shown(ours.p50() / texts), rate(TEXTS, ours.p50())),
        baseline: format!(
            "the same decoder outside, and reading: {} ({} events/s)",
            shown(native / texts),
            rate(TEXTS, native)
        ),
        ratio: format!("{by:.2} ×"),
        aim: None,
    });
}

fn many_streams(format: &Format, table: &mut Table) {
    let workers = std::thread::available_parallelism().map_or(2, usize::from);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers)
        .enable_all()
        .build()
        .expect("a runtime with threads");
    let held = Arc::new(AtomicBool::new(true));
    let server = serve(format.kind, (format.answer)(FEW), Some(held.clone()));
    let scene = scene_for(format, server);
    // Once through, so that what is made once is not counted for each.
    held.store(false, Ordering::Release);
    let alone = Instant::now();
    assert_eq!(runtime.block_on(whole(format, &scene)), FEW);
    let alone = alone.elapsed();
    held.store(true, Ordering::Release);
    let before = resident("Rss:");
    let began = Instant::now();
    let open = runtime.block_on(open(format, &scene));
    let opened = began.elapsed();
    let grown = resident("Rss:") - before;
    held.store(false, Ordering::Release);
    let began = Instant::now();
    let texts = runtime.block_on(finish(open));
    let took = began.elapsed();
    assert_eq!(texts, STREAMS * FEW, "{}: texts got lost", format.component);
    let streams = i64::try_from(STREAMS).expect("two hundred");
    table.add(Row {
        what: format!("{STREAMS} streams open at once, memory of each: `{}`", format.component),
        value: format!("{:.2} MB", in_megabytes(grown / streams)),
        baseline: format!("all of them: {:.0} MB, open in {}", in_megabytes(grown), shown(opened)),
        ..Row::default()
    });
    table.add(Row {
        what: format!("{STREAMS} streams at once, {FEW} events each: `{}`", format.component),
        value: format!("{}, {} events/s", shown(took), rate(texts, took)),
        baseline: format!("one alone: {} events/s", rate(FEW, alone)),
        ratio: String::new(),
        aim: Some(("none lost".into(), true)),
    });
}

fn rate(events: usize, time: Duration) -> String {
    let events = f64::from(u32::try_from(events).expect("fewer than a million"));
    format!("{:.0}", events / time.as_secs_f64())
}

fn clocked(read: impl FnOnce() -> usize) -> (usize, Duration) {
    let time = || {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        Duration::try_from(time).expect("processor time is not negative")
    };
    let before = time();
    let count = read();
    (count, time() - before)
}

/// How long the component's own decoder takes for the answer outside of WebAssembly.
fn outside(format: &Format, body: &[u8], directory: &std::path::Path) -> Duration {
    let path = directory.join("answer");
    std::fs::write(&path, body).expect("the directory is writable");
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../../components/Cargo.toml");
    let output = Command::new(env!("CARGO"))
        .args(["test", "--quiet", "--release", "--manifest-path", manifest])
        .args(["--package", format.component, "--", "--ignored", "--exact"])
        .args(["decode::tests::pace", "--nocapture"])
        .env("HYDROID_PACE", &path)
        .output()
        .expect("cargo starts");
    let said = String::from_utf8_lossy(&output.stdout);
    let line = said.lines().find_map(|line| line.split("pace ").nth(1));
    let nanoseconds = line.and_then(|line| line.split(' ').next()?.trim().parse().ok());
    let nanoseconds = nanoseconds.unwrap_or_else(|| {
        panic!("{}: {said}{}", format.component, String::from_utf8_lossy(&output.stderr))
    });
    Duration::from_nanos(nanoseconds)
}

fn request(format: &Format) -> ModelRequest {
    ModelRequest {
        provider: ComponentId::new(format.component),
        model: "m".into(),
        system: String::new(),
        messages: vec![Message::user("count")],
        tools: Vec::new(),
        max_tokens: Some(1000),
        temperature: None,
        options: None,
    }
}

async fn whole(format: &Format, scene: &Scene) -> usize {
    let answer = scene.catalog.complete(request(format), scene::context()).await;
    rest(answer.expect("it answers")).await
}

async fn rest(mut answer: Box<dyn Completion>) -> usize {
    let mut texts = 0;
    loop {
        let events = answer.next().await.expect("the stream is whole");
        if events.is_empty() {
            return texts;
        }
        texts += events.iter().filter(|event| matches!(event, ModelEvent::Text(_))).count();
    }
}

/// All streams, each with its head and nothing of its texts.
async fn open(format: &Format, scene: &Scene) -> Vec<Box<dyn Completion>> {
    let opening = (0..STREAMS).map(|_| {
        let (catalog, request) = (scene.catalog.clone(), request(format));
        tokio::spawn(async move {
            catalog.complete(request, scene::context()).await.expect("it answers")
        })
    });
    let opening: Vec<_> = opening.collect();
    let mut open = Vec::new();
    for task in opening {
        open.push(task.await.expect("it does not panic"));
    }
    open
}

async fn finish(open: Vec<Box<dyn Completion>>) -> usize {
    let tasks: Vec<_> = open.into_iter().map(|answer| tokio::spawn(rest(answer))).collect();
    let mut texts = 0;
    for task in tasks {
        texts += task.await.expect("it does not panic");
    }
    texts
}

/// The bytes alone, with the same HTTP library.
async fn read(client: &Client<HttpConnector, Full<Bytes>>, server: SocketAddr) -> usize {
    let request = http::Request::post(format!("http://{server}/v1"))
        .body(Full::new(Bytes::from_static(b"{}")))
        .expect("a plain request");
    let mut body = client.request(request).await.expect("it answers").into_body();
    let mut bytes = 0;
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.expect("the stream is whole").into_data() {
            bytes += std::hint::black_box(data).len();
        }
    }
    bytes
}

/// A server that answers every request so. While it is held, only heads are sent.
fn serve(kind: &'static str, body: Vec<u8>, held: Option<Arc<AtomicBool>>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a port");
    let address = listener.local_addr().expect("it is bound");
    let body = Arc::new(body);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(stream) = stream else { return };
            let (body, held) = (body.clone(), held.clone());
            // Ends when the client closes the connection.
            std::thread::spawn(move || answer(stream, kind, &body, held.as_deref()));
        }
    });
    address
}

fn answer(
    mut stream: TcpStream,
    kind: &str,
    body: &[u8],
    held: Option<&AtomicBool>,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    loop {
        let mut length = 0;
        let mut line = String::new();
        while reader.read_line(&mut line)? > 2 {
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().unwrap_or(0);
            }
            line.clear();
        }
        if line.is_empty() {
            return Ok(());
        }
        reader.read_exact(&mut vec![0; length])?;
        let length = body.len();
        let head =
            format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n");
        stream.write_all(head.as_bytes())?;
        while held.is_some_and(|held| held.load(Ordering::Acquire)) {
            std::thread::sleep(Duration::from_millis(1));
        }
        stream.write_all(body)?;
    }
}

/// A host whose provider may reach this server, with a credential as it would have one.
fn scene_for(format: &Format, server: SocketAddr) -> Scene {
    let Format { component, secret, config, .. } = format;
    let config = format!(
        "[egress]\nallow_private = [\"{server}\"]\nmax_concurrent = 256\nmax_concurrent_per_component = 256\n\
         max_requests_per_minute = 100000\nmax_requests_per_hour = 1000000\n\
         [components.{component}.config]\nbase_url = \"http://{server}\"\n{config}\
         [secrets.{secret}]\nfile = \"unused\"\nhosts = [\"http://{server}\"]\n"
    );
    let entry = Entry { hosts: [format!("http://{server}")].into(), ..Entry::default() };
    let components = [((*component).to_owned(), entry)].into();
    let grants = Grants { components, ..Grants::default() };
    Scene::granting(&[component], &config, grants)
}

fn words(texts: usize) -> impl Iterator<Item = String> {
    (0..texts).map(|number| format!(" word{}", number % 10))
}

fn chat(texts: usize) -> Vec<u8> {
    let event = |delta: &str, finish: &str| {
        format!(
            "data: {{\"id\":\"chatcmpl-AbCdEfGhIjKlMnOpQrStUvWxYz012\",\"object\":\"chat.completion.chunk\",\"created\":1760000000,\"model\":\"m-2026-10-01\",\"choices\":[{{\"index\":0,\"delta\":{{{delta}}},\"logprobs\":null,\"finish_reason\":{finish}}}]}}\n\n"
        )
    };
    let said = words(texts).map(|word| event(&format!("\"content\":\"{word}\""), "null"));
    let end = event("", "\"stop\"") + "data: [DONE]\n\n";
    said.chain([end]).collect::<String>().into_bytes()
}

fn responses(texts: usize) -> Vec<u8> {
    let said = words(texts).map(|word| {
        format!(
            "event: response.output_text.delta\ndata: {{\"type\":\"response.output_text.delta\",\"sequence_number\":4,\"item_id\":\"msg_0123456789abcdef0123456789abcdef\",\"output_index\":0,\"content_index\":0,\"delta\":\"{word}\",\"logprobs\":[]}}\n\n"
        )
    });
    let end = "event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"id\":\"resp_1\",\"status\":\"completed\",\"output\":[],\"usage\":{\"input_tokens\":1,\"output_tokens\":1}}}\n\n";
    said.chain([end.to_owned()]).collect::<String>().into_bytes()
}

fn messages(texts: usize) -> Vec<u8> {
    let begin = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"content\":[],\"usage\":{\"input_tokens\":1,\"output_tokens\":1}}}\n\nevent: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n";
    let said = words(texts).map(|word| {
        format!(
            "event: content_block_delta\ndata: {{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{{\"type\":\"text_delta\",\"text\":\"{word}\"}}}}\n\n"
        )
    });
    let end = "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\nevent: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":9}}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";
    let all = [begin.to_owned()].into_iter().chain(said).chain([end.to_owned()]);
    all.collect::<String>().into_bytes()
}

fn gemini(texts: usize) -> Vec<u8> {
    let event = |word: &str, finish: &str| {
        format!(
            "data: {{\"candidates\":[{{\"content\":{{\"parts\":[{{\"text\":\"{word}\"}}],\"role\":\"model\"}},\"index\":0{finish}}}],\"usageMetadata\":{{\"promptTokenCount\":8,\"candidatesTokenCount\":9,\"totalTokenCount\":17}},\"modelVersion\":\"m\"}}\r\n\r\n"
        )
    };
    let last = texts - 1;
    let said = words(texts).enumerate().map(|(number, word)| {
        event(&word, if number == last { ",\"finishReason\":\"STOP\"" } else { "" })
    });
    said.collect::<String>().into_bytes()
}

fn ollama(texts: usize) -> Vec<u8> {
    let said = words(texts).map(|word| {
        format!(
            "{{\"model\":\"m\",\"created_at\":\"2026-11-22T19:22:45.499127Z\",\"message\":{{\"role\":\"assistant\",\"content\":\"{word}\"}},\"done\":false}}\n"
        )
    });
    let end = "{\"model\":\"m\",\"created_at\":\"2026-11-22T19:22:45.499127Z\",\"message\":{\"role\":\"assistant\",\"content\":\"\"},\"done\":true,\"done_reason\":\"stop\",\"prompt_eval_count\":1,\"eval_count\":1}\n";
    said.chain([end.to_owned()]).collect::<String>().into_bytes()
}

fn bedrock(texts: usize) -> Vec<u8> {
    let event = |kind: &str, json: &str| frame(kind, json.as_bytes());
    let mut body = event("messageStart", "{\"role\":\"assistant\"}");
    for word in words(texts) {
        let json = format!(
            "{{\"contentBlockIndex\":0,\"delta\":{{\"text\":\"{word}\"}},\"p\":\"abcdefghijklm\"}}"
        );
        body.extend(event("contentBlockDelta", &json));
    }
    body.extend(event("contentBlockStop", "{\"contentBlockIndex\":0}"));
    body.extend(event("messageStop", "{\"stopReason\":\"end_turn\"}"));
    body
}

/// A frame of AWS's event streams.
fn frame(kind: &str, payload: &[u8]) -> Vec<u8> {
    let mut lines = Vec::new();
    let headers =
        [(":event-type", kind), (":content-type", "application/json"), (":message-type", "event")];
    for (name, value) in headers {
        lines.push(u8::try_from(name.len()).expect("a short name"));
        lines.extend_from_slice(name.as_bytes());
        lines.push(7);
        lines.extend_from_slice(&u16::try_from(value.len()).expect("short").to_be_bytes());
        lines.extend_from_slice(value.as_bytes());
    }
    let four = |number: usize| u32::try_from(number).expect("short").to_be_bytes();
    let mut frame = [four(16 + lines.len() + payload.len()), four(lines.len())].concat();
    frame.extend_from_slice(&crc32(&frame).to_be_bytes());
    frame.extend_from_slice(&lines);
    frame.extend_from_slice(payload);
    let sum = crc32(&frame);
    frame.extend_from_slice(&sum.to_be_bytes());
    frame
}

/// Bit by bit: it is done once, before anything is measured.
fn crc32(bytes: &[u8]) -> u32 {
    let mut sum = u32::MAX;
    for byte in bytes {
        sum ^= u32::from(*byte);
        for _ in 0..8 {
            sum = if sum & 1 == 1 { (sum >> 1) ^ 0xedb8_8320 } else { sum >> 1 };
        }
    }
    !sum
}
