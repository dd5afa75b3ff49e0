//! An answer of a model service, streamed over loopback: through a provider component, and by a
//! small native reader with the same HTTP library. What is compared is processor time of the
//! reading thread, so the server's own work and the time between events do not count.

use crate::scene::{self, Scene};
use crate::table::{Row, Samples, Table, ratio, shown};
use http_body_util::{BodyExt, Full};
use hydroid_core::id::ComponentId;
use hydroid_core::message::Message;
use hydroid_core::ports::{Model, ModelEvent, ModelRequest};
use hydroid_wasm::grants::{Entry, Grants};
use hyper::body::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustix::time::{ClockId, clock_gettime};
use serde::Deserialize;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

/// How a service sends its events.
struct Form {
    what: &'static str,
    events: usize,
    /// Events in one chunk of the transfer encoding.
    per_chunk: usize,
    /// Between two chunks; none means as fast as they are read.
    pause: Option<Duration>,
    rounds: usize,
}

const FORMS: [Form; 3] = [
    Form {
        what: "64 events a chunk, as fast as read",
        events: 10_000,
        per_chunk: 64,
        pause: None,
        rounds: 15,
    },
    Form {
        what: "1 event a chunk, as fast as read",
        events: 10_000,
        per_chunk: 1,
        pause: None,
        rounds: 15,
    },
    Form {
        what: "1 event a chunk, 2 ms apart",
        events: 500,
        per_chunk: 1,
        pause: Some(Duration::from_millis(2)),
        rounds: 4,
    },
];

/// Processor time by the native reader that the component may take.
const AIM: f64 = 1.2;

/// Adds the rows of each form.
pub(crate) fn measure(table: &mut Table) {
    for form in FORMS {
        one(&form, table);
    }
}

fn one(form: &Form, table: &mut Table) {
    let chunks = chunks(form);
    let bytes: usize = chunks.iter().map(Vec::len).sum();
    let server = serve(chunks, form.pause);
    let scene = scene_for(server);
    // One thread for everything on our side, so that its processor time is all of it.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime without threads can always be made");
    let client = Client::builder(TokioExecutor::new()).build_http();
    let [mut ours, mut native, mut ours_wall, mut native_wall] =
        std::array::from_fn(|_| Samples::default());
    for round in 0..=form.rounds {
        let component = clocked(|| runtime.block_on(by_component(&scene)), form.events);
        let without = clocked(|| runtime.block_on(natively(&client, server)), form.events);
        // The first round connects.
        if round > 0 {
            ours.add(component.processor);
            ours_wall.add(component.wall);
            native.add(without.processor);
            native_wall.add(without.wall);
        }
    }
    let by = ratio(ours.p50(), native.p50());
    table.add(Row {
        what: format!("stream, processor time an event: {}", form.what),
        value: shown(ours.p50()),
        baseline: format!("native: {}", shown(native.p50())),
        ratio: format!("{by:.2} ×"),
        aim: Some((format!("≤ {AIM} ×"), by <= AIM)),
    });
    if form.pause.is_none() {
        table.add(Row {
            what: format!("stream, bytes a second: {}", form.what),
            value: rate(bytes, ours_wall.p50(), form.events),
            baseline: format!("native: {}", rate(bytes, native_wall.p50(), form.events)),
            ratio: format!("{:.2} × the time", ratio(ours_wall.p50(), native_wall.p50())),
            aim: None,
        });
    }
}

/// What one event took.
struct Clocked {
    processor: Duration,
    wall: Duration,
}

fn clocked(read: impl FnOnce() -> usize, events: usize) -> Clocked {
    let (processor, wall) = (thread_time(), Instant::now());
    assert_eq!(read(), events, "events got lost");
    let count = u32::try_from(events).expect("a few thousand");
    Clocked { processor: (thread_time() - processor) / count, wall: wall.elapsed() / count }
}

fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(time).expect("processor time is not negative")
}

async fn by_component(scene: &Scene) -> usize {
    let request = ModelRequest {
        provider: ComponentId::new("provider-openai"),
        model: "m".into(),
        system: String::new(),
        messages: vec![Message::user("count")],
        tools: Vec::new(),
        max_tokens: None,
        temperature: None,
        options: None,
    };
    let mut answer = scene.catalog.complete(request, scene::context()).await.expect("it answers");
    let mut texts = 0;
    loop {
        let events = answer.next().await.expect("the stream is whole");
        if events.is_empty() {
            return texts;
        }
        texts += events.iter().filter(|event| matches!(event, ModelEvent::Text(_))).count();
    }
}

#[derive(Deserialize)]
struct Chunk {
    choices: Vec<Choice>,
}

#[derive(Deserialize)]
struct Choice {
    delta: Delta,
}

#[derive(Deserialize)]
struct Delta {
    content: Option<String>,
}

/// Lines, JSON, events: the least a native provider would do.
async fn natively(client: &Client<HttpConnector, Full<Bytes>>, server: SocketAddr) -> usize {
    let request = http::Request::post(format!("http://{server}/v1/chat/completions"))
        .body(Full::new(Bytes::from_static(b"{}")))
        .expect("a plain request");
    let mut body = client.request(request).await.expect("it answers").into_body();
    let mut rest: Vec<u8> = Vec::new();
    let mut texts = 0;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.expect("the stream is whole").into_data() else { continue };
        rest.extend_from_slice(&data);
        let mut begin = 0;
        while let Some(length) = memchr::memchr(b'\n', &rest[begin..]) {
            let line = &rest[begin..begin + length];
            begin += length + 1;
            let Some(json) = line.strip_prefix(b"data: ").filter(|json| *json != b"[DONE]") else {
                continue;
            };
            let chunk: Chunk = serde_json::from_slice(json).expect("the bench's own JSON");
            let events = chunk.choices.into_iter().filter_map(|choice| choice.delta.content);
            let events: Vec<ModelEvent> = events.map(ModelEvent::Text).collect();
            texts += std::hint::black_box(events).len();
        }
        rest.drain(..begin);
    }
    texts
}

/// The answer in chunks of the transfer encoding, each event as long as those of real services.
fn chunks(form: &Form) -> Vec<Vec<u8>> {
    let event = |delta: &str, finish: &str| {
        format!(
            "data: {{\"id\":\"chatcmpl-AbCdEfGhIjKlMnOpQrStUvWxYz012\",\"object\":\"chat.completion.chunk\",\"created\":1760000000,\"model\":\"m-2026-10-01\",\"service_tier\":\"default\",\"system_fingerprint\":\"fp_0123456789\",\"choices\":[{{\"index\":0,\"delta\":{{{delta}}},\"logprobs\":null,\"finish_reason\":{finish}}}]}}\n\n"
        )
    };
    let mut events: Vec<String> = (0..form.events)
        .map(|number| event(&format!("\"content\":\" word{}\"", number % 10), "null"))
        .collect();
    events.push(event("", "\"stop\"") + "data: [DONE]\n\n");
    events
        .chunks(form.per_chunk)
        .map(|events| {
            let text = events.concat();
            format!("{:x}\r\n{text}\r\n", text.len()).into_bytes()
        })
        .collect()
}

fn serve(chunks: Vec<Vec<u8>>, pause: Option<Duration>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a port");
    let address = listener.local_addr().expect("it is bound");
    // Without pauses in one piece: the server must not be what is waited for.
    let chunks = if pause.is_some() { chunks } else { vec![chunks.concat()] };
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(stream) = stream else { return };
            let chunks = chunks.clone();
            // Ends when the client closes the connection.
            std::thread::spawn(move || answer(stream, &chunks, pause));
        }
    });
    address
}

fn answer(
    mut stream: TcpStream,
    chunks: &[Vec<u8>],
    pause: Option<Duration>,
) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
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
        stream.write_all(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n",
        )?;
        for chunk in chunks {
            stream.write_all(chunk)?;
            if let Some(pause) = pause {
                std::thread::sleep(pause);
            }
        }
        stream.write_all(b"0\r\n\r\n")?;
    }
}

/// A host whose provider may reach this server, with a credential as it would have one.
fn scene_for(server: SocketAddr) -> Scene {
    let config = format!(
        "[egress]\nallow_private = [\"{server}\"]\n\
         [components.provider-openai.config]\nbase_url = \"http://{server}/v1\"\n\
         [secrets.openai]\nfile = \"unused\"\nhosts = [\"http://{server}\"]\n"
    );
    let entry = Entry { hosts: [format!("http://{server}")].into(), ..Entry::default() };
    let grants =
        Grants { components: [("provider-openai".to_owned(), entry)].into(), ..Grants::default() };
    Scene::granting(&["provider-openai"], &config, grants)
}

fn rate(bytes: usize, an_event: Duration, events: usize) -> String {
    let bytes = f64::from(u32::try_from(bytes).expect("a few megabytes"));
    let events = f64::from(u32::try_from(events).expect("a few thousand"));
    format!("{:.0} MB/s", bytes / events / an_event.as_secs_f64() / 1e6)
}
