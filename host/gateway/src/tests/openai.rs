//! The API that clients of OpenAI speak, over real sockets, with turns that were written down
//! before.

use super::*;
use hydroid_core::entry::{DecidedBy, Outcome};
use hydroid_core::id::{CallId, ComponentId};
use hydroid_core::message::{StopReason, Usage};
use hydroid_core::policy::{Decision, Mode};
use hydroid_core::protocol::{ApprovalAnswer, ModelOffer, NumberedEntry};
use hydroid_core::tool::{Impact, ToolCall};
use std::time::Duration;
use tokio::sync::mpsc;

/// A turn that happens when something is said, and whoever follows it. Without one the household
/// is as it is for everybody else.
#[derive(Clone, Default)]
pub(super) struct Stage {
    script: Arc<Mutex<Option<Vec<Entry>>>>,
    followers: Arc<Mutex<Vec<mpsc::UnboundedSender<Told>>>>,
    /// A question waits in the session.
    asks: Arc<Mutex<bool>>,
    /// What happened.
    shown: Arc<Mutex<Vec<NumberedEntry>>>,
}

/// What somebody who follows is told.
type Told = Result<SessionMessage, (Stopped, u64)>;

struct Watching(mpsc::UnboundedReceiver<Told>);

impl Following for Watching {
    fn next(&mut self) -> BoxFuture<'_, Result<SessionMessage, (Stopped, u64)>> {
        Box::pin(async move { self.0.recv().await.unwrap_or(Err((Stopped::ShuttingDown, 0))) })
    }
}

impl Stage {
    fn set(&self, entries: Vec<Entry>) {
        *self.script.lock().unwrap() = Some(entries);
    }

    pub(super) fn follow(&self) -> Option<(SessionInfo, Box<dyn Following>)> {
        self.script.lock().unwrap().as_ref()?;
        let (show, shown) = mpsc::unbounded_channel();
        self.followers.lock().unwrap().push(show);
        let asks = *self.asks.lock().unwrap();
        let activity = if asks { Activity::Asking } else { Activity::Idle };
        Some((SessionInfo { activity, ..info() }, Box::new(Watching(shown))))
    }

    pub(super) fn play(&self, parts: &[Part], key: Option<ClientKey>) {
        let script = self.script.lock().unwrap().clone();
        let Some(script) = script else { return };
        if script.is_empty() {
            // The turn does not come about.
            for now in [Activity::Idle, Activity::Waiting, Activity::Idle] {
                self.tell(state(now));
            }
            return;
        }
        self.show(Entry::TurnStarted { turn: turn(), parts: parts.to_vec(), key });
        script.into_iter().for_each(|entry| self.show(entry));
    }

    pub(super) fn hear(&self, request: &Request) {
        match request {
            Request::Cancel { .. } => self.show(ended(Outcome::Cancelled)),
            Request::Answer { call_id, answer: ApprovalAnswer::Deny { reason }, .. } => {
                self.show(Entry::CallDecided {
                    turn: turn(),
                    call_id: call_id.clone(),
                    decision: Decision::Deny { reason: reason.clone().unwrap_or_default() },
                    by: DecidedBy::User,
                    rule: String::new(),
                    component: None,
                });
                self.show(ended(Outcome::Completed));
            }
            _ => {}
        }
    }

    pub(super) fn entries(&self) -> Vec<NumberedEntry> {
        self.shown.lock().unwrap().clone()
    }

    fn show(&self, entry: Entry) {
        let mut shown = self.shown.lock().unwrap();
        let seq = shown.len() as u64 + 1;
        shown.push(NumberedEntry { seq, at_ms: 5_000, entry: entry.clone() });
        drop(shown);
        self.tell(SessionMessage::Entry { session: SessionId::new("s"), seq: 1, at_ms: 1, entry });
    }

    /// Whoever follows is told nothing more.
    fn stop(&self, why: Stopped) {
        for follower in self.followers.lock().unwrap().drain(..) {
            drop(follower.send(Err((why, 1))));
        }
    }

    async fn is_followed(&self) {
        while self.followers.lock().unwrap().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    fn tell(&self, message: SessionMessage) {
        self.followers.lock().unwrap().retain(|show| show.send(Ok(message.clone())).is_ok());
    }
}

pub(super) fn models() -> Reply {
    let offer = |model: &str, default| ModelOffer {
        provider: "p".into(),
        model: model.into(),
        title: None,
        context_tokens: Some(9),
        default,
    };
    Reply::Models { models: vec![offer("m", true), offer("org/n", false)] }
}

/// What the session does, as those who follow it are told.
fn state(activity: Activity) -> SessionMessage {
    SessionMessage::State { session: SessionId::new("s"), activity, turn: None, queued: 0 }
}

fn turn() -> TurnId {
    TurnId::new("t")
}

fn text(text: &str) -> Entry {
    Entry::Text { turn: turn(), text: text.into() }
}

fn step(number: u32) -> Entry {
    let provider = ComponentId::new("p");
    Entry::StepStarted { turn: turn(), step: number, provider, model: "m".into() }
}

fn call() -> ToolCall {
    ToolCall { id: CallId::new("c"), name: "shell_run".into(), arguments: "{}".into() }
}

fn received() -> Entry {
    Entry::CallReceived { turn: turn(), call: call(), parent: None }
}

fn asked() -> Entry {
    Entry::ApprovalAsked {
        turn: turn(),
        call_id: call().id,
        call: call(),
        component: ComponentId::new("tool-shell"),
        impact: Impact::Changes,
        reason: "no rule".into(),
        scope: String::new(),
        preview: None,
    }
}

fn step_ended(stop: StopReason) -> Entry {
    Entry::StepEnded { turn: turn(), stop, usage: Usage::default(), dollars: None }
}

fn ended(outcome: Outcome) -> Entry {
    let usage = Usage { input: 5, output: 2, cache_read: 1, ..Usage::default() };
    Entry::TurnEnded { turn: turn(), outcome, usage, dollars: None }
}

fn hello() -> Vec<Entry> {
    vec![
        step(1),
        text("Hel"),
        text("lo"),
        step_ended(StopReason::EndTurn),
        ended(Outcome::Completed),
    ]
}

async fn playing(entries: Vec<Entry>) -> Running {
    let running = Running::start("").await;
    running.household.stage.set(entries);
    running
}

const CHAT: &str = "POST /v1/chat/completions";

fn hi(more: Value) -> String {
    let mut body = json!({ "model": "hydroid", "messages": [{ "role": "user", "content": "hi" }] });
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    body.to_string()
}

impl Running {
    /// The data of each event of a streamed answer.
    async fn stream(&self, line: &str, more: &str, body: &str) -> Vec<String> {
        let (status, head, body) = self.http(&self.head(line, more), body).await;
        assert_eq!(status, 200, "{body}");
        assert!(head.contains("text/event-stream"), "{head}");
        body.lines().filter_map(|line| line.strip_prefix("data: ")).map(str::to_owned).collect()
    }

    fn head(&self, line: &str, more: &str) -> String {
        format!(
            "{line} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {LOCAL}\r\nContent-Type: application/json{more}",
            self.address
        )
    }

    /// The types of requests that were made of the household.
    fn requested(&self) -> Vec<String> {
        let requests = self.household.requests.lock().unwrap();
        let kind = |request: &Request| serde_json::to_value(request).unwrap()["type"].clone();
        requests.iter().map(|request| kind(request).as_str().unwrap().to_owned()).collect()
    }

    async fn requests_come_to(&self, expect: &[&str]) {
        for _ in 0..100 {
            if self.requested() == expect {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(self.requested(), expect);
    }
}

#[tokio::test]
async fn models_are_the_configured_one_and_those_on_offer() {
    let running = Running::start("").await;
    let (status, list) = running.call("GET /v1/models", "", "").await;
    let ids: Vec<&str> =
        list["data"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap()).collect();
    assert_eq!((status, ids), (200, vec!["hydroid", "p/m", "p/org/n"]));
    for (path, id) in [
        ("hydroid", "hydroid"),
        ("p/m", "p/m"),
        ("p%2Fm", "p/m"),
        ("m", "p/m"),
        ("org/n", "p/org/n"),
    ] {
        let (status, model) = running.call(&format!("GET /v1/models/{path}"), "", "").await;
        assert_eq!((status, &model["id"], &model["object"]), (200, &json!(id), &json!("model")));
    }
    for path in ["other", "%ff", "%00", "..%2f"] {
        let (status, answer) = running.call(&format!("GET /v1/models/{path}"), "", "").await;
        assert_eq!((status, &answer["error"]["code"]), (404, &json!("model_not_found")), "{path}");
    }
}

#[tokio::test]
async fn a_completion_is_what_came_of_the_turn() {
    let running = playing(hello()).await;
    let (status, head, body) = running.http(&running.head(CHAT, ""), &hi(json!({}))).await;
    assert_eq!(status, 200, "{body}");
    assert!(head.contains("x-hydroid-session: s"), "{head}");
    let mut got: Value = serde_json::from_str(&body).unwrap();
    assert!(got["id"].as_str().unwrap().starts_with("chatcmpl-"));
    got["id"] = Value::Null;
    let expect = json!({
        "id": null,
        "object": "chat.completion",
        "created": NOW_MS / 1_000,
        "model": "hydroid",
        "choices": [{
            "index": 0,
            "message": { "role": "assistant", "content": "Hello", "refusal": null },
            "logprobs": null,
            "finish_reason": "stop",
        }],
        "usage": {
            "prompt_tokens": 5,
            "completion_tokens": 2,
            "total_tokens": 7,
            "prompt_tokens_details": { "cached_tokens": 1 },
            "completion_tokens_details": { "reasoning_tokens": 0 },
        },
        "hydroid": {
            "session": "s", "turn": "t", "outcome": "completed", "calls": [], "sources": [], "dollars": null,
        },
    });
    assert_eq!(got, expect);
    running.requests_come_to(&["create", "archive"]).await;
    let requests = running.household.requests.lock().unwrap();
    let Request::Create { settings, .. } = &requests[0] else { panic!("{requests:?}") };
    assert_eq!(settings, &SessionSettings { mode: Some(Mode::Headless), ..Default::default() });
}

#[tokio::test]
async fn another_model_and_effort_are_the_sessions_own() {
    let running = playing(hello()).await;
    let body = hi(json!({ "model": "org/n", "reasoning_effort": "low", "store": true }));
    assert_eq!(running.call(CHAT, "", &body).await.0, 200);
    running.requests_come_to(&["models", "create"]).await;
    {
        let requests = running.household.requests.lock().unwrap();
        let Request::Create { settings, .. } = &requests[1] else { panic!("{requests:?}") };
        let expect = SessionSettings {
            provider: Some("p".into()),
            model: Some("org/n".into()),
            effort: Some("low".into()),
            mode: Some(Mode::Headless),
        };
        assert_eq!(settings, &expect);
    }
    let body = hi(json!({ "model": "org/n", "user": "session:s" }));
    assert_eq!(running.call(CHAT, "", &body).await.0, 200);
    running.requests_come_to(&["models", "create", "models", "settings"]).await;
    let (status, answer) = running.call(CHAT, "", &hi(json!({ "model": "gpt-0" }))).await;
    assert_eq!((status, &answer["error"]["code"]), (404, &json!("model_not_found")));
    assert_eq!(answer["error"]["param"], "model");
}

#[tokio::test]
async fn a_streamed_completion_comes_in_chunks() {
    let mut entries = hello();
    let thinking = Entry::Thinking { turn: turn(), text: "hm".into(), opaque: None };
    entries.insert(1, thinking);
    entries.splice(4..4, [received(), step(2), text("again")]);
    let running = playing(entries).await;
    let body = hi(json!({ "stream": true, "stream_options": { "include_usage": true } }));
    let data = running.stream(CHAT, "", &body).await;
    assert_eq!(data.last().map(String::as_str), Some("[DONE]"));
    let chunks: Vec<Value> =
        data[..data.len() - 1].iter().map(|chunk| serde_json::from_str(chunk).unwrap()).collect();
    let deltas: Vec<&Value> = chunks.iter().map(|chunk| &chunk["choices"][0]["delta"]).collect();
    let expect = [
        json!({ "role": "assistant", "content": "", "refusal": null }),
        json!({ "reasoning_content": "hm" }),
        json!({ "content": "Hel" }),
        json!({ "content": "lo" }),
        json!({}),
        json!({ "content": "\n\nagain" }),
        json!({}),
        Value::Null,
    ];
    assert_eq!(deltas, expect.iter().collect::<Vec<_>>());
    assert_eq!(chunks[4]["hydroid"]["call"]["name"], "shell_run");
    assert_eq!(chunks[6]["choices"][0]["finish_reason"], "stop");
    assert_eq!(
        (&chunks[7]["choices"], &chunks[7]["usage"]["total_tokens"]),
        (&json!([]), &json!(7))
    );
    assert!(chunks[..7].iter().all(|chunk| chunk["usage"].is_null()
        && chunk["object"] == "chat.completion.chunk"
        && chunk["id"] == chunks[0]["id"]));
    let data = running.stream(CHAT, "", &hi(json!({ "stream": true }))).await;
    assert!(data.iter().all(|chunk| !chunk.contains("\"usage\"")));
}

#[tokio::test]
async fn a_call_that_a_person_would_approve_is_denied_and_the_answer_says_so() {
    let running = playing(vec![step(1), text("let me see"), received(), asked()]).await;
    let (status, answer) = running.call(CHAT, "", &hi(json!({}))).await;
    assert_eq!(status, 200, "{answer}");
    let content = answer["choices"][0]["message"]["content"].as_str().unwrap();
    assert!(
        content.starts_with("let me see\n\n[`shell_run` was not run: nobody can be asked"),
        "{content}"
    );
    let call = &answer["hydroid"]["calls"][0];
    assert_eq!((&call["id"], &call["status"]), (&json!("c"), &json!("denied")));
    running.requests_come_to(&["create", "answer", "archive"]).await;
}

#[tokio::test]
async fn a_call_waits_for_a_person_where_the_client_says_so() {
    let running = playing(vec![step(1), received(), asked()]).await;
    let stage = running.household.stage.clone();
    let body = hi(json!({}));
    let answered = async {
        running.requests_come_to(&["create"]).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(running.requested(), ["create"]);
        stage.show(text("done"));
        stage.show(ended(Outcome::Completed));
    };
    let asked = running.call(CHAT, "\r\nX-Hydroid-Approvals: wait", &body);
    let ((status, answer), ()) = tokio::join!(asked, answered);
    assert_eq!((status, &answer["choices"][0]["message"]["content"]), (200, &json!("done")));
    assert_eq!(answer["hydroid"]["calls"][0]["status"], "waits_for_approval");
    let Request::Create { settings, .. } = &running.household.requests.lock().unwrap()[0] else {
        panic!("no session was begun")
    };
    assert_eq!(settings.mode, None);
}

#[tokio::test]
async fn a_turn_that_fails_is_an_error_that_is_not_tried_again() {
    let failed = || ended(Outcome::Failed { reason: "the service is down".into() });
    let running = playing(vec![step(1), failed()]).await;
    let head = running.head(CHAT, "");
    let (status, head, body) = running.http(&head, &hi(json!({ "store": false }))).await;
    assert_eq!(status, 500, "{body}");
    assert!(head.contains("x-should-retry: false"), "{head}");
    let answer: Value = serde_json::from_str(&body).unwrap();
    let expect = json!({ "message": "the service is down", "type": "server_error", "param": null, "code": "turn_failed" });
    assert_eq!(answer["error"], expect);
    running.requests_come_to(&["create", "delete"]).await;
    running.household.stage.set(vec![text("so"), failed()]);
    let data = running.stream(CHAT, "", &hi(json!({ "stream": true }))).await;
    let last: Value = serde_json::from_str(data.last().unwrap()).unwrap();
    assert_eq!(last["error"], expect);
}

#[tokio::test]
async fn a_message_that_is_not_taken_up_is_not_waited_for() {
    let running = playing(vec![]).await;
    let (status, answer) = running.call(CHAT, "", &hi(json!({}))).await;
    assert_eq!((status, &answer["error"]["code"]), (500, &json!("not_taken_up")));
}

#[tokio::test]
async fn a_session_that_asks_a_person_is_not_waited_for() {
    let running = playing(hello()).await;
    *running.household.stage.asks.lock().unwrap() = true;
    let body = hi(json!({ "user": "session:s" }));
    let (status, answer) = running.call(CHAT, "", &body).await;
    assert_eq!((status, &answer["error"]["code"]), (409, &json!("session_asks")));
    let waits = running.call(CHAT, "\r\nX-Hydroid-Approvals: wait", &body).await;
    assert_eq!(waits.0, 200);
    assert_eq!(running.household.said.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_client_that_fell_behind_loses_nothing() {
    let running = playing(vec![step(1), text("Hel")]).await;
    let stage = running.household.stage.clone();
    let body = hi(json!({}));
    let goes_on = async {
        stage.is_followed().await;
        while running.household.said.lock().unwrap().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        stage.stop(Stopped::FellBehind);
        stage.is_followed().await;
        stage.show(text("lo"));
        stage.show(ended(Outcome::Completed));
    };
    let ((status, answer), ()) = tokio::join!(running.call(CHAT, "", &body), goes_on);
    assert_eq!((status, &answer["choices"][0]["message"]["content"]), (200, &json!("Hello")));
}

#[tokio::test]
async fn a_session_that_is_shown_no_more_ends_the_answer() {
    for (why, status, code) in [
        (Stopped::Deleted, 409, "session_deleted"),
        (Stopped::Failed, 500, "internal_error"),
        (Stopped::ShuttingDown, 503, "shutting_down"),
    ] {
        let running = playing(vec![step(1)]).await;
        let stage = running.household.stage.clone();
        let body = hi(json!({}));
        let stops = async {
            stage.is_followed().await;
            stage.stop(why);
        };
        let ((got, answer), ()) = tokio::join!(running.call(CHAT, "", &body), stops);
        assert_eq!((got, &answer["error"]["code"]), (status, &json!(code)));
    }
}

#[tokio::test]
async fn an_answer_that_was_cut_off_says_so() {
    let budget = Outcome::BudgetReached { reason: "25 steps".into() };
    for (outcome, stop, finish, content) in [
        (Outcome::Completed, StopReason::MaxTokens, "length", "so"),
        (Outcome::Completed, StopReason::Refusal, "content_filter", "so"),
        (budget, StopReason::ToolUse, "length", "so\n\n[25 steps]"),
    ] {
        let running = playing(vec![text("so"), step_ended(stop), ended(outcome)]).await;
        let (_, answer) = running.call(CHAT, "", &hi(json!({}))).await;
        let choice = &answer["choices"][0];
        assert_eq!(
            (&choice["finish_reason"], &choice["message"]["content"]),
            (&json!(finish), &json!(content))
        );
    }
}

#[tokio::test]
async fn who_may_not_is_told_as_clients_expect() {
    let running = Running::start("requests_per_minute = 2").await;
    let call = async |token: &str, line: &str, more: &str, body: &str| {
        let head = format!(
            "{line} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {token}{more}",
            running.address
        );
        let (status, head, body) = running.http(&head, body).await;
        let body: Value = serde_json::from_str(&body).unwrap_or(Value::Null);
        (status, head, body["error"]["code"].as_str().unwrap_or_default().to_owned())
    };
    let json = "\r\nContent-Type: application/json";
    let (status, _, code) = call("sk-wrong", "GET /v1/models", "", "").await;
    assert_eq!((status, code.as_str()), (401, "invalid_api_key"));
    let reader = running.token("anna", Scope::Read);
    assert_eq!(call(&reader, "GET /v1/models", "", "").await.0, 200);
    let (status, _, code) = call(&reader, CHAT, json, &hi(json!({}))).await;
    assert_eq!((status, code.as_str()), (403, "insufficient_permissions"));
    let (status, head, code) = call(&reader, "GET /v1/models", "", "").await;
    assert_eq!((status, code.as_str()), (429, "rate_limit_exceeded"));
    assert!(head.contains("retry-after: 30"), "{head}");
    let other = running.token("ben", Scope::Chat);
    let (status, _, code) = call(&other, CHAT, json, &hi(json!({ "user": "session:s" }))).await;
    assert_eq!((status, code.as_str()), (404, "session_not_found"));
}

#[tokio::test]
async fn hostile_bodies_are_refused_and_nothing_is_said() {
    let running = playing(hello()).await;
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let long =
        hi(json!({ "messages": [{ "role": "user", "content": "x".repeat((1 << 20) + 1) }] }));
    let wide = hi(json!({ "messages": vec![json!({}); 5_000] }));
    for path in [CHAT, "POST /v1/responses"] {
        for body in [
            "{",
            "[]",
            "null",
            "1",
            "\"\u{0}\"",
            "{\"model\":1}",
            "{\"messages\":{}}",
            "{\"model\":\"hydroid\",\"messages\":[[[[]]]]}",
            deep.as_str(),
            long.as_str(),
            wide.as_str(),
            "{\"input\":[{\"role\":{}}],\"model\":\"hydroid\"}",
        ] {
            let (status, answer) = running.call(path, "", body).await;
            let shown: String = body.chars().take(50).collect();
            assert_eq!(status, 400, "{shown}: {answer}");
            let error = &answer["error"];
            assert!(
                error["code"].is_string() && error["type"] == "invalid_request_error",
                "{answer}"
            );
            assert!(error["message"].as_str().unwrap().len() < 400, "{answer}");
        }
    }
    let head = running.head(CHAT, "");
    // Refused by what it says of itself: no such body is waited for.
    let huge = format!("{head}\r\nContent-Length: 99999999999\r\n\r\n");
    let mut stream = TcpStream::connect_here(running.address).await;
    stream.write_all(huge.as_bytes()).await.unwrap();
    let mut answer = [0; 400];
    let read = stream.read(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer[..read]).into_owned();
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    let plain = head.replace("application/json", "text/plain");
    assert_eq!(running.http(&plain, "{}").await.0, 415);
    for (line, expect, code) in [
        ("GET /v1/chat/completions", 405, "method_not_allowed"),
        ("DELETE /v1/models/hydroid", 405, "method_not_allowed"),
        ("POST /v1/embeddings", 404, "unknown_url"),
    ] {
        let (status, answer) = running.call(line, "", "").await;
        assert_eq!((status, &answer["error"]["code"]), (expect, &json!(code)), "{line}");
    }
    assert!(running.household.said.lock().unwrap().is_empty());
    assert!(running.requested().is_empty());
}

#[tokio::test]
async fn a_turn_ends_with_its_client_unless_its_session_was_named() {
    for streams in [false, true] {
        let running = playing(vec![step(1), text("so")]).await;
        let leave = async |more: Value| {
            let body = hi(more);
            let length = format!("\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            let mut stream = TcpStream::connect_here(running.address).await;
            let before = running.household.said.lock().unwrap().len();
            stream.write_all((running.head(CHAT, "") + &length).as_bytes()).await.unwrap();
            while running.household.said.lock().unwrap().len() == before {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            drop(stream);
        };
        leave(json!({ "stream": streams, "user": "session:s" })).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert_eq!(running.requested(), Vec::<String>::new());
        leave(json!({ "stream": streams })).await;
        running.requests_come_to(&["create", "cancel", "archive"]).await;
    }
}

#[tokio::test]
async fn what_other_turns_do_in_a_named_session_is_not_the_answer() {
    let running = playing(hello()).await;
    let stage = running.household.stage.clone();
    let other = TurnId::new("other");
    stage.set(vec![
        Entry::Text { turn: other.clone(), text: "not this".into() },
        text("this"),
        Entry::TurnEnded {
            turn: other,
            outcome: Outcome::Cancelled,
            usage: Usage::default(),
            dollars: None,
        },
        text(" one"),
        ended(Outcome::Completed),
    ]);
    let messages = json!([
        { "role": "system", "content": "be brief" },
        { "role": "user", "content": "a" },
        { "role": "assistant", "content": "b" },
        { "role": "user", "content": [
            { "type": "text", "text": "c" },
            { "type": "image_url", "image_url": { "url": "data:image/png;base64,cG5n" } },
        ] },
    ]);
    let body = hi(json!({ "messages": messages }));
    let (status, answer) = running.call(CHAT, "\r\nX-Hydroid-Session: s", &body).await;
    assert_eq!((status, &answer["choices"][0]["message"]["content"]), (200, &json!("this one")));
    assert!(running.requested().is_empty());
    let said = running.household.said.lock().unwrap();
    let (_, parts) = said.last().unwrap();
    assert!(
        matches!(&parts.last().unwrap().content, Content::Media { data, .. } if data.0 == b"png")
    );
}

#[tokio::test]
async fn a_response_is_what_came_of_the_turn_and_can_be_gone_on_from() {
    let running = playing(hello()).await;
    let line = "POST /v1/responses";
    let body = json!({ "model": "hydroid", "input": "hi", "instructions": "be brief" });
    let (status, answer) = running.call(line, "", &body.to_string()).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!((&answer["object"], &answer["status"]), (&json!("response"), &json!("completed")));
    assert_eq!(answer["output"][0]["content"][0]["text"], "Hello");
    assert_eq!(answer["usage"]["total_tokens"], 7);
    assert_eq!((&answer["store"], &answer["instructions"]), (&json!(true), &json!("be brief")));
    running.requests_come_to(&["create"]).await;
    let more = json!({ "model": "hydroid", "input": "more", "previous_response_id": answer["id"] });
    let (status, next) = running.call(line, "", &more.to_string()).await;
    assert_eq!((status, &next["previous_response_id"]), (200, &answer["id"]));
    // A response is named for its session and its turn, which has another name each time.
    assert_eq!(next["id"], "resp_s_t");
    running.requests_come_to(&["create"]).await;
    for (id, status) in [("resp_x_1", 404), ("x", 404)] {
        let body = json!({ "model": "hydroid", "input": "a", "previous_response_id": id });
        assert_eq!(running.call(line, "", &body.to_string()).await.0, status, "{id}");
    }
}

#[tokio::test]
async fn a_streamed_response_has_its_events_in_order() {
    let running = playing(hello()).await;
    let line = "POST /v1/responses";
    let body = json!({ "model": "hydroid", "input": "hi", "stream": true, "store": false });
    let events: Vec<Value> = running
        .stream(line, "", &body.to_string())
        .await
        .iter()
        .map(|data| serde_json::from_str(data).unwrap())
        .collect();
    let kinds: Vec<&str> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    let expect = [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ];
    assert_eq!(kinds, expect);
    for (number, event) in events.iter().enumerate() {
        assert_eq!(event["sequence_number"], number);
    }
    assert_eq!((&events[4]["delta"], &events[6]["text"]), (&json!("Hel"), &json!("Hello")));
    let last = &events[9]["response"];
    assert_eq!((&last["id"], &last["store"]), (&events[0]["response"]["id"], &json!(false)));
    running.requests_come_to(&["create", "delete"]).await;
    running.household.stage.set(vec![ended(Outcome::Failed { reason: "no".into() })]);
    let data = running.stream(line, "", &body.to_string()).await;
    let last: Value = serde_json::from_str(data.last().unwrap()).unwrap();
    assert_eq!(
        (&last["type"], &last["response"]["error"]["message"]),
        (&json!("response.failed"), &json!("no"))
    );
}

#[tokio::test]
async fn a_response_is_read_again_from_the_journal_and_taken_back() {
    let running = playing(hello()).await;
    let body = json!({ "model": "hydroid", "input": "hi", "instructions": "be brief" });
    let given = running.call("POST /v1/responses", "", &body.to_string()).await.1;
    running.requests_come_to(&["create"]).await;
    let (status, again) = running.call("GET /v1/responses/resp_s_t", "", "").await;
    assert_eq!((status, &again["id"]), (200, &given["id"]));
    for same in ["object", "status", "output", "usage", "hydroid", "store"] {
        assert_eq!(again[same], given[same], "{same}");
    }
    assert_eq!((&again["created_at"], &again["model"]), (&json!(5), &json!("p/m")));
    let (status, items) =
        running.call("GET /v1/responses/resp_s_t/input_items?limit=3", "", "").await;
    assert_eq!((status, &items["has_more"]), (200, &json!(false)));
    let said = items["data"][0]["content"].to_string();
    assert!(said.contains("hi\"") && said.contains("input_text"), "{said}");
    running.household.requests.lock().unwrap().clear();
    let (status, gone) = running.call("DELETE /v1/responses/resp_s_t", "", "").await;
    assert_eq!((status, &gone["deleted"]), (200, &json!(true)));
    running.requests_come_to(&["entries", "delete"]).await;
    for (line, expect) in [
        ("GET /v1/responses/resp_s_other", 404),
        ("GET /v1/responses/resp_x_t", 404),
        ("GET /v1/responses/t", 404),
        ("GET /v1/responses/resp_s_%C3%A9", 404),
        ("DELETE /v1/responses/resp_s_other", 404),
        ("GET /v1/responses/resp_s_t?stream=true", 400),
        ("POST /v1/responses/resp_s_t", 405),
        ("PUT /v1/responses/resp_s_t/input_items", 405),
    ] {
        let (status, refused) = running.call(line, "", "").await;
        assert_eq!(status, expect, "{line}");
        assert!(refused["error"]["code"].is_string(), "{line}: {refused}");
    }
}

#[tokio::test]
async fn a_response_that_failed_or_goes_on_is_read_as_that() {
    let running = playing(vec![step(1), ended(Outcome::Failed { reason: "no".into() })]).await;
    let body = json!({ "model": "hydroid", "input": "hi" }).to_string();
    assert_eq!(running.call("POST /v1/responses", "", &body).await.0, 500);
    let read = async |running: &Running| running.call("GET /v1/responses/resp_s_t", "", "").await.1;
    let failed = read(&running).await;
    assert_eq!((&failed["status"], &failed["error"]["message"]), (&json!("failed"), &json!("no")));
    let running = playing(Vec::new()).await;
    running.household.stage.show(Entry::TurnStarted { turn: turn(), parts: Vec::new(), key: None });
    assert_eq!(read(&running).await["status"], "in_progress");
    running.household.stage.show(ended(Outcome::Cancelled));
    assert_eq!(read(&running).await["status"], "cancelled");
}
