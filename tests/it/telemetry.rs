//! Spans of turns as a service gets them: whose parts they are, what they have and lack, and that
//! no service, however it behaves, disturbs a turn.

use crate::support::daemon::Daemon;
use crate::support::hydroid::{Home, Ran};
use crate::support::otlp::{Collector, attribute};
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use serde_json::{Value, json};
use std::net::TcpListener;
use std::time::{Duration, Instant};

const ASK: &str = "list files, then what time is it";

/// What a service that is away may cost the end of a command.
const AT_MOST: Duration = Duration::from_secs(20);

#[track_caller]
fn ask(home: &Home, settings: &[&str]) -> Ran {
    let settings = settings.iter().flat_map(|setting| ["--set", setting]);
    let arguments: Vec<&str> = settings.chain(["ask", ASK]).collect();
    home.run(&arguments).code(0)
}

#[track_caller]
fn named<'a>(spans: &'a [Span], start: &str) -> &'a Span {
    let found = spans.iter().find(|span| span.name.starts_with(start));
    found.unwrap_or_else(|| panic!("no span `{start}`: {spans:?}"))
}

#[test]
fn a_turn_reaches_a_service_with_its_requests_calls_and_components() {
    let (home, collector) = (Home::new(), Collector::start(200));
    ask(&home, &[&collector.setting()]);
    let spans = collector.spans();
    let turn = named(&spans, "invoke_agent main");
    assert!(turn.parent_span_id.is_empty());
    assert!(spans.iter().all(|span| span.trace_id == turn.trace_id), "one turn is one trace");
    assert!(spans.iter().all(|span| span.start_time_unix_nano <= span.end_time_unix_nano));
    let parent = |span: &Span| {
        let parent = spans.iter().find(|other| other.span_id == span.parent_span_id);
        parent.unwrap_or_else(|| panic!("`{}` has no parent", span.name)).name.clone()
    };
    let chat = named(&spans, "chat ");
    assert_eq!((parent(chat), chat.kind()), (turn.name.clone(), SpanKind::Client));
    let tool = named(&spans, "execute_tool file_list");
    assert_eq!(parent(tool), turn.name);
    let provider = named(&spans, "component provider-rehearsal");
    assert_eq!(parent(provider), chat.name);
    assert_eq!(parent(named(&spans, "instantiate provider-rehearsal")), provider.name);
    let component = named(&spans, "component tool-files-read");
    assert_eq!(parent(component), tool.name);
    assert_eq!(parent(named(&spans, "instantiate tool-files-read")), component.name);
    let has = |span: &Span, name: &str| attribute(&span.attributes, name);
    assert_eq!(has(turn, "gen_ai.operation.name").as_deref(), Some("invoke_agent"));
    assert_eq!(has(turn, "hydroid.turn.outcome").as_deref(), Some("completed"));
    let session = home.run(&["session", "list", "--json"]).code(0).json_lines();
    assert_eq!(has(turn, "gen_ai.conversation.id").as_deref(), session[0][0]["id"].as_str());
    assert_eq!(has(chat, "gen_ai.operation.name").as_deref(), Some("chat"));
    assert_eq!(has(chat, "gen_ai.provider.name").as_deref(), Some("rehearsal"));
    assert!(has(chat, "gen_ai.request.model").is_some());
    assert!(has(chat, "gen_ai.usage.input_tokens").is_some());
    assert_eq!(has(tool, "gen_ai.tool.name").as_deref(), Some("file_list"));
    let digest = has(component, "hydroid.component.digest").expect("a digest");
    assert!(digest.starts_with("sha256:") && digest.len() == 71, "{digest}");
    let request = &collector.received()[0];
    assert_eq!(request.request, "POST /v1/traces HTTP/1.1");
    assert_eq!(request.header("content-type"), Some("application/x-protobuf"));
    // Nothing of what was said.
    let all = format!("{spans:?}");
    assert!(!all.contains("list files"), "{all}");
}

#[test]
fn no_service_disturbs_a_turn() {
    let home = Home::new();
    let expect = ask(&home, &[]).stdout;
    // A port where nobody listens, a service that never answers, and two that refuse.
    let nobody = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("one");
    let silent = Collector::start(0);
    let (busy, refusing) = (Collector::start(503), Collector::start(400));
    let nobody = format!("telemetry.otlp_endpoint=http://{nobody}");
    for endpoint in [nobody, silent.setting(), busy.setting(), refusing.setting()] {
        let began = Instant::now();
        let ran = ask(&home, &[&endpoint]);
        assert_eq!(ran.stdout.lines().count(), expect.lines().count(), "{endpoint}");
        assert!(began.elapsed() < AT_MOST, "{endpoint}: {:?}", began.elapsed());
        ran.tells("span");
    }
}

#[test]
fn the_daemon_counts_what_became_of_spans() {
    let (home, collector) = (Home::new(), Collector::start(200));
    let turn = |daemon: &Daemon| {
        let created = daemon.call("POST", "/api/v1/sessions", &json!({}));
        let session = created["session"]["session"].as_str().expect("an id").to_owned();
        let path = format!("/api/v1/sessions/{session}/messages");
        daemon.call("POST", &path, &json!({ "text": "say hello" }));
        daemon.events(&session, 0, |message| message["entry"]["kind"] == "turn_ended");
    };
    let figure = |daemon: &Daemon, what: &str| {
        let name = format!("hydroid_spans_total{{what=\"{what}\"}} ");
        let until = Instant::now() + AT_MOST;
        loop {
            let (_, text) = daemon.answer("GET", "/metrics", &Value::Null);
            let count = text.lines().find_map(|line| line.strip_prefix(&name)).unwrap_or("none");
            if count != "0" || Instant::now() > until {
                return count.to_owned();
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    let daemon = Daemon::start(&home, &[&collector.setting()]);
    turn(&daemon);
    let spans = collector.spans_with("invoke_agent main");
    assert_eq!(figure(&daemon, "sent"), spans.len().to_string());
    drop(daemon);
    let refusing = Collector::start(400);
    let daemon = Daemon::start(&home, &[&refusing.setting()]);
    turn(&daemon);
    assert_eq!(figure(&daemon, "dropped"), spans.len().to_string());
}

#[test]
fn what_was_told_is_handed_over_when_the_daemon_ends() {
    let (home, collector) = (Home::new(), Collector::start(200));
    let daemon = Daemon::start(&home, &[&collector.setting()]);
    let created = daemon.call("POST", "/api/v1/sessions", &json!({}));
    let session = created["session"]["session"].as_str().expect("an id");
    let path = format!("/api/v1/sessions/{session}/messages");
    daemon.call("POST", &path, &json!({ "text": "write a.txt: one" }));
    daemon.events(session, 0, |message| message["entry"]["kind"] == "approval_asked");
    home.run(&["stop"]).code(0);
    let spans = collector.spans_with("invoke_agent main");
    let turn = named(&spans, "invoke_agent main");
    let asked = turn.events.iter().any(|event| event.name == "hydroid.approval.asked");
    assert!(asked, "{turn:?}");
}
