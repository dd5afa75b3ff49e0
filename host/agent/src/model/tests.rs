//! The layers around a scripted model, with paused time: what is asked of which model and when,
//! what is handed on, and that nothing of it is handed on twice.

mod any_schedule;
mod sessions;

use super::{ModelCounters, ModelParts, reliable};
use crate::fakes::{FakeClock, FakeModel, FakeRecords, Play, SECRET, models, says, text};
use hydroid_core::config::Config;
use hydroid_core::id::{ComponentId, SessionId, TurnId, UserId};
use hydroid_core::message::{Bytes, Content, Label, Message, Part, Role, StopReason, Usage};
use hydroid_core::money::Money;
use hydroid_core::ports::{
    CallContext, CancelFlag, Model, ModelError, ModelEvent, ModelRequest, SawSecret, SecretValue,
};
use hydroid_core::scrub::{KnownSecret, LiveScrubber};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::Instant;

fn error(kind: &str, retry_after_ms: Option<u32>) -> ModelError {
    ModelError { kind: kind.into(), message: format!("it was {kind}"), retry_after_ms, sent: false }
}

/// An answer that fails at once and may be asked for again.
fn fails(kind: &str) -> Vec<Play> {
    vec![Play::Refuse(error(kind, Some(0)))]
}

/// A scripted model with the layers around it.
struct Scene {
    model: Arc<FakeModel>,
    layers: Arc<dyn Model>,
    records: Arc<FakeRecords>,
    counters: Arc<ModelCounters>,
    cancel: CancelFlag,
}

impl Scene {
    fn new(config: &str, script: Vec<Vec<Play>>) -> Self {
        Self::with_random(config, script, Arc::new(|| 500))
    }

    fn with_random(
        config: &str,
        script: Vec<Vec<Play>>,
        random: Arc<dyn Fn() -> u64 + Send + Sync>,
    ) -> Self {
        Self::of(config, script, random, Arc::default())
    }

    fn keeping(config: &str, script: Vec<Vec<Play>>, records: Arc<FakeRecords>) -> Self {
        Self::of(config, script, Arc::new(|| 500), records)
    }

    fn of(
        config: &str,
        script: Vec<Vec<Play>>,
        random: Arc<dyn Fn() -> u64 + Send + Sync>,
        records: Arc<FakeRecords>,
    ) -> Self {
        let config = Config::from_table(config.parse().unwrap()).unwrap();
        let model = Arc::new(FakeModel::alone(script));
        let counters: Arc<ModelCounters> = Arc::default();
        let known = KnownSecret { name: None, value: SecretValue::new(SECRET.to_owned()) };
        let parts = ModelParts {
            inner: model.clone(),
            models: Arc::new(models(&config)),
            kept: records.clone(),
            clock: Arc::new(FakeClock),
            scrubber: LiveScrubber::fixed(vec![known], Vec::new()).unwrap(),
            random,
            counters: counters.clone(),
        };
        let layers = reliable(parts, &config).unwrap();
        Self { model, layers, records, counters, cancel: CancelFlag::default() }
    }

    /// What is handed on of an answer, a line for each piece.
    async fn ask(&self, request: ModelRequest) -> Vec<String> {
        let context = CallContext {
            user: UserId::new("me"),
            session: SessionId::new("s"),
            turn: TurnId::new("t"),
            call: None,
            cancel: self.cancel.clone(),
            progress: Arc::new(|_, _| {}),
            secret: SawSecret::default(),
            trace: Default::default(),
            nested: None,
            wants_data: false,
        };
        let mut lines = Vec::new();
        let mut answer = match self.layers.complete(request, context).await {
            Ok(answer) => answer,
            Err(error) => return vec![failed(&error)],
        };
        loop {
            match answer.next().await {
                Ok(events) if events.is_empty() => return lines,
                Ok(events) => lines.extend(events.iter().map(line)),
                Err(error) => {
                    lines.push(failed(&error));
                    return lines;
                }
            }
        }
    }

    async fn hello(&self) -> Vec<String> {
        self.ask(request()).await
    }

    /// Who was asked, in order.
    fn asked(&self) -> Vec<String> {
        let requests = self.model.requests.lock().unwrap();
        requests.iter().map(|request| format!("{} {}", request.provider, request.model)).collect()
    }
}

fn line(event: &ModelEvent) -> String {
    match event {
        ModelEvent::Text(text) => format!("text {text}"),
        ModelEvent::News(news) => format!("news {news}"),
        ModelEvent::Charged(Some(cost)) => format!("charged {}", cost.pico()),
        ModelEvent::Usage(usage) => format!("used {} {}", usage.input, usage.output),
        ModelEvent::Finished(stop) => format!("finished {stop:?}"),
        other => format!("{other:?}"),
    }
}

fn failed(error: &ModelError) -> String {
    format!("failed {}: {}", error.kind, error.message)
}

fn request() -> ModelRequest {
    ModelRequest {
        provider: ComponentId::new("p"),
        model: "m".into(),
        system: String::new(),
        messages: vec![Message::user("hello")],
        tools: Vec::new(),
        max_tokens: None,
        temperature: None,
        options: Some(serde_json::json!({ "own": true })),
    }
}

fn used(input: u64, output: u64) -> ModelEvent {
    ModelEvent::Usage(Usage { input, output, ..Usage::default() })
}

fn answered() -> [String; 2] {
    ["text hi".to_owned(), "finished EndTurn".to_owned()]
}

// ---- repetition ----

#[tokio::test(start_paused = true)]
async fn a_request_that_failed_is_sent_again_after_a_wait_that_is_told() {
    let limited = || vec![Play::Error(error("rate-limited", Some(7_000)))];
    let scene = Scene::new("", vec![limited(), fails("unavailable"), says("hi")]);
    let began = Instant::now();
    let got = scene.hello().await;
    assert_eq!(
        got,
        [
            "news rate limited, trying again in 8 s (2 of 4)",
            "news not available, trying again in 0.5 s (3 of 4)",
            "text hi",
            "finished EndTurn",
        ]
    );
    assert_eq!(began.elapsed(), Duration::from_millis(8_000));
    let counts = scene.counters.counts();
    assert_eq!((counts.requests, counts.retries), (3, 2));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_tried_again_after_text_was_shown() {
    let started = || ModelEvent::CallStarted { index: 0, id: "a".into(), name: "read".into() };
    let thought = || ModelEvent::Thinking { text: "hm".into(), opaque: None };
    for shown in [text("hi"), thought(), started()] {
        let broken = vec![Play::Batch(vec![shown]), Play::Error(error("unavailable", Some(0)))];
        let config = "[[model.fallback]]\nprovider = \"q\"\nname = \"n\"";
        let scene = Scene::new(config, vec![broken, says("again")]);
        let got = scene.hello().await;
        assert_eq!(got.last().unwrap(), "failed unavailable: it was unavailable");
        assert_eq!(scene.asked(), ["p m"], "{got:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_only_used_tokens_is_tried_again_and_what_it_used_is_counted() {
    let broken = vec![Play::Batch(vec![used(10, 0)]), Play::Error(error("unavailable", Some(0)))];
    let whole = vec![
        Play::Batch(vec![used(10, 1), text("hi")]),
        Play::Batch(vec![used(10, 4), ModelEvent::Finished(StopReason::EndTurn)]),
    ];
    let scene = Scene::new("", vec![broken, whole]);
    let got = scene.hello().await;
    assert_eq!(got[0], "used 10 0");
    assert_eq!(got[2..], ["used 20 1", "text hi", "used 20 4", "finished EndTurn"]);
}

#[tokio::test(start_paused = true)]
async fn what_failed_requests_cost_is_in_the_sum_and_an_unknown_part_makes_it_unknown() {
    let charged = |pico: Option<u64>| ModelEvent::Charged(pico.map(Money::of_pico));
    for (first, second, sum) in [
        (Some(5), Some(7), "charged 12"),
        (None, Some(7), "Charged(None)"),
        (Some(5), None, "Charged(None)"),
    ] {
        let broken = vec![
            Play::Batch(vec![used(10, 0), charged(first)]),
            Play::Error(error("unavailable", Some(0))),
        ];
        let whole = vec![Play::Batch(vec![
            used(10, 1),
            charged(second),
            text("hi"),
            ModelEvent::Finished(StopReason::EndTurn),
        ])];
        let scene = Scene::new("", vec![broken, whole]);
        let got = scene.hello().await;
        assert_eq!(got[3..], ["used 20 1", sum, "text hi", "finished EndTurn"], "{got:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_ends_as_failed_before_it_said_anything_is_tried_again() {
    let nothing = vec![Play::Batch(vec![used(3, 0), ModelEvent::Finished(StopReason::Error)])];
    let scene = Scene::new("", vec![nothing, says("hi")]);
    let got = scene.hello().await;
    assert_eq!(got[1..], answered());
    let half = vec![Play::Batch(vec![text("h"), ModelEvent::Finished(StopReason::Error)])];
    let scene = Scene::new("", vec![half]);
    assert_eq!(scene.hello().await, ["text h", "finished Error"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_used_up_is_told_with_the_error() {
    let config = "[model.retry]\nattempts = 2\n[model.breaker]\nfailures = 0";
    let scene = Scene::new(config, vec![fails("timeout"), fails("timeout")]);
    assert_eq!(
        scene.hello().await.last().unwrap(),
        "failed timeout: it was timeout; tried 2 times (`model.retry.attempts`)"
    );
    let scene = Scene::new("", vec![vec![Play::Refuse(error("rate-limited", Some(600_000)))]]);
    let got = scene.hello().await;
    assert_eq!(
        got,
        [
            "failed rate-limited: it was rate-limited; the service asks to wait 10 min, longer than `model.retry.longest_wait` (30 s): say `go on` then"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_cancel_ends_the_wait_at_once() {
    let long = vec![Play::Refuse(error("rate-limited", Some(20_000)))];
    let scene = Scene::new("", vec![long, says("hi")]);
    let cancel = scene.cancel.clone();
    let began = Instant::now();
    let cancelling = async move {
        tokio::time::sleep(Duration::from_secs(3)).await;
        cancel.cancel();
    };
    let (got, ()) = tokio::join!(scene.hello(), cancelling);
    assert_eq!(began.elapsed(), Duration::from_secs(3));
    assert!(got[1].starts_with("failed cancelled"), "{got:?}");
    assert_eq!(scene.asked().len(), 1);
}

// ---- time limits ----

#[tokio::test(start_paused = true)]
async fn an_answer_that_does_not_begin_is_dropped_and_asked_for_again() {
    let scene = Scene::new("", vec![vec![Play::Hang], says("hi")]);
    let began = Instant::now();
    let got = scene.hello().await;
    assert!(got[0].starts_with("news too slow, trying again"), "{got:?}");
    assert_eq!(got[1..], answered());
    assert_eq!(began.elapsed(), Duration::from_millis(300_500));
    assert_eq!(scene.model.open.load(Ordering::SeqCst), 0);
    assert_eq!(scene.counters.counts().timeouts, 1);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_stops_in_the_middle_is_dropped_and_told() {
    let config = "[model.timeouts]\nidle = 10";
    let stops = vec![Play::Batch(vec![text("h")]), Play::Hang];
    let scene = Scene::new(config, vec![stops]);
    let began = Instant::now();
    let got = scene.hello().await;
    assert!(got[1].contains("raise `model.timeouts.idle`"), "{got:?}");
    assert_eq!((began.elapsed(), got.len()), (Duration::from_secs(10), 2));
    assert_eq!(scene.model.open.load(Ordering::SeqCst), 0);
}

// ---- a circuit ----

#[tokio::test(start_paused = true)]
async fn a_model_that_failed_in_a_row_is_left_alone_until_one_request_finds_out() {
    let config = "[model.retry]\nattempts = 1\n[model.breaker]\nfailures = 2\nopen = 30";
    let script = vec![fails("unavailable"), fails("timeout"), fails("unavailable"), says("hi")];
    let scene = Scene::new(config, script);
    assert_eq!(scene.hello().await.len(), 1);
    let got = scene.hello().await;
    assert_eq!(got[0], "news m (p) failed 2 times in a row and is left alone for 30 s");
    assert_eq!(got[1], "failed timeout: it was timeout");
    let got = scene.hello().await;
    assert!(got[0].contains("is left alone: it is asked again in 30 s"), "{got:?}");
    tokio::time::advance(Duration::from_secs(31)).await;
    assert_eq!(scene.hello().await.len(), 2, "the one that finds out fails");
    assert!(scene.hello().await[0].contains("left alone"));
    tokio::time::advance(Duration::from_secs(31)).await;
    assert_eq!(scene.hello().await, answered());
    assert_eq!(scene.asked().len(), 4);
    let counts = scene.counters.counts();
    assert_eq!((counts.opened, counts.refused), (2, 2));
}

/// What is told must be one thing: a request that would only be refused here is not promised.
#[tokio::test(start_paused = true)]
async fn a_model_that_is_left_alone_from_now_on_is_not_tried_again() {
    let config = "[model.retry]\nattempts = 4\n[model.breaker]\nfailures = 2\nopen = 30";
    let scene = Scene::new(config, vec![fails("unavailable"), fails("unavailable"), says("hi")]);
    assert_eq!(
        scene.hello().await,
        [
            "news not available, trying again in 0.5 s (2 of 4)",
            "news m (p) failed 2 times in a row and is left alone for 30 s",
            "failed unavailable: it was unavailable",
        ]
    );
    assert_eq!(scene.asked(), ["p m", "p m"]);
}

#[tokio::test(start_paused = true)]
async fn what_was_wrong_with_the_request_opens_no_circuit() {
    let config = "[model.retry]\nattempts = 1\n[model.breaker]\nfailures = 1";
    let script =
        vec![fails("invalid-input"), fails("unauthenticated"), fails("denied"), says("hi")];
    let scene = Scene::new(config, script);
    for _ in 0..3 {
        scene.hello().await;
    }
    assert_eq!(scene.hello().await, answered());
}

#[tokio::test(start_paused = true)]
async fn a_request_that_finds_out_and_is_dropped_lets_the_next_one_find_out() {
    let config = "[model.retry]\nattempts = 1\n[model.breaker]\nfailures = 1\nopen = 5";
    let scene = Scene::new(config, vec![fails("timeout"), vec![Play::Hang], says("hi")]);
    scene.hello().await;
    tokio::time::advance(Duration::from_secs(6)).await;
    assert!(tokio::time::timeout(Duration::from_secs(1), scene.hello()).await.is_err());
    assert_eq!(scene.hello().await, answered());
}

// ---- other models ----

const CHAIN: &str = "[model.retry]\nattempts = 1\n[[model.fallback]]\nprovider = \"q\"\nname = \"n\"\noptions = { other = 1 }\n[[model.fallback]]\nprovider = \"p\"\nname = \"small\"\n";

#[tokio::test(start_paused = true)]
async fn the_next_model_is_asked_when_one_cannot_answer_and_it_is_told() {
    let scene = Scene::new(CHAIN, vec![fails("too-large"), fails("unavailable"), says("hi")]);
    let got = scene.hello().await;
    assert_eq!(
        got[..2],
        [
            "news m (p): too long for this model; n (q) answers instead: it was too-large",
            "news n (q): not available; small (p) answers instead: it was unavailable",
        ]
    );
    assert_eq!(got[2..], answered());
    assert_eq!(scene.asked(), ["p m", "q n", "p small"]);
    let requests = scene.model.requests.lock().unwrap();
    let options: Vec<_> = requests.iter().map(|request| request.options.clone()).collect();
    let own = |value| Some(value);
    assert_eq!(
        options,
        [own(serde_json::json!({ "own": true })), own(serde_json::json!({ "other": 1 })), None]
    );
}

#[tokio::test(start_paused = true)]
async fn the_retries_of_one_model_are_used_up_before_the_next_is_asked() {
    let config = CHAIN.replace("attempts = 1", "attempts = 2");
    let script = vec![fails("timeout"), fails("timeout"), fails("timeout"), says("hi")];
    let scene = Scene::new(&config, script);
    let got = scene.hello().await;
    assert_eq!(scene.asked(), ["p m", "p m", "q n", "q n"]);
    assert_eq!(got[got.len() - 2..], answered());
}

#[tokio::test(start_paused = true)]
async fn a_request_that_was_wrong_is_put_to_no_other_model_unless_configured() {
    let scene = Scene::new(CHAIN, vec![fails("invalid-input")]);
    assert_eq!(scene.hello().await, ["failed invalid-input: it was invalid-input"]);
    let config = format!("model.fallback_on = [\"invalid-input\"]\n{CHAIN}");
    let scene = Scene::new(&config, vec![fails("invalid-input"), says("hi")]);
    assert_eq!(scene.hello().await[1..], answered());
    let scene = Scene::new(&config, vec![fails("unavailable")]);
    assert_eq!(scene.asked().len() + scene.hello().await.len(), 1);
}

/// `acme` is the catalog of the configured provider, so the other model is one of it.
#[tokio::test(start_paused = true)]
async fn another_model_gets_what_it_has_room_for_and_can_use() {
    let config = |name: &str| {
        format!(
            "[model]\nprovider = \"p\"\nname = \"priced\"\ncatalog = \"acme\"\ntemperature = 0.5\n[model.retry]\nattempts = 1\n[[model.fallback]]\nprovider = \"p\"\nname = \"{name}\"\n"
        )
    };
    let tool = hydroid_core::tool::ToolSpec {
        name: "read".into(),
        title: None,
        description: "Reads.".into(),
        input_schema: serde_json::json!({ "type": "object" }),
        component: ComponentId::new("tool"),
        impact: hydroid_core::tool::Impact::ReadOnly,
        claims_read_only: true,
        about_skills: false,
    };
    let long = |number: usize| Message::user(format!("{number} {}", "word ".repeat(300)));
    let asked = || ModelRequest {
        model: "priced".into(),
        tools: vec![tool.clone()],
        temperature: Some(0.5),
        max_tokens: Some(4_000),
        messages: (0..12).map(long).collect(),
        ..request()
    };
    let scene = Scene::new(&config("deaf"), vec![fails("unavailable"), says("hi")]);
    scene.ask(asked()).await;
    let sent = scene.model.requests.lock().unwrap()[1].clone();
    assert_eq!((sent.tools.len(), sent.temperature, sent.messages.len()), (0, None, 12));
    let scene = Scene::new(&config("small"), vec![fails("unavailable"), says("hi")]);
    scene.ask(asked()).await;
    let sent = scene.model.requests.lock().unwrap()[1].clone();
    assert_eq!((sent.tools.len(), sent.temperature), (1, Some(0.5)));
    assert!((1..6).contains(&sent.messages.len()), "{}", sent.messages.len());
    assert_eq!(sent.max_tokens, Some(500));
    // One without room for any of it is passed over, and that is said.
    let scene = Scene::new(&config("small"), vec![fails("unavailable"), says("hi")]);
    let one = Message::user("word ".repeat(9_000));
    let got = scene.ask(ModelRequest { messages: vec![one], ..asked() }).await;
    assert!(got[0].contains("small (p) cannot answer instead: "), "{got:?}");
    assert_eq!(scene.asked(), ["p priced"]);
}

#[tokio::test(start_paused = true)]
async fn the_last_model_fails_with_its_own_error() {
    let script = vec![fails("timeout"), fails("denied"), fails("unavailable")];
    let got = Scene::new(CHAIN, script).hello().await;
    assert_eq!(got.last().unwrap(), "failed unavailable: it was unavailable");
}

#[tokio::test(start_paused = true)]
async fn a_model_gets_only_what_its_own_provider_wanted_back() {
    let thought = |provider: &str| {
        let opaque = Some(Bytes(b"signed".to_vec()));
        let label = Label::model(ComponentId::new(provider), "m");
        Part::new(Content::Thinking { text: "hm".into(), opaque }, label)
    };
    let parts = vec![thought("p"), thought("q")];
    let messages = vec![Message::user("hi"), Message { role: Role::Assistant, parts }];
    let scene = Scene::new(CHAIN, vec![fails("timeout"), fails("timeout"), says("hi")]);
    scene.ask(ModelRequest { messages, ..request() }).await;
    let requests = scene.model.requests.lock().unwrap();
    let kept = |request: &ModelRequest| -> Vec<bool> {
        let parts = &request.messages[1].parts;
        let kept = |part: &Part| matches!(part.content, Content::Thinking { opaque: Some(_), .. });
        parts.iter().map(kept).collect()
    };
    let kept: Vec<Vec<bool>> = requests.iter().map(kept).collect();
    assert_eq!(kept, [[true, false], [false, true], [true, false]]);
}

#[tokio::test(start_paused = true)]
async fn a_model_that_is_left_alone_is_passed_over_without_a_wait() {
    let config = format!("[model.breaker]\nfailures = 1\n{CHAIN}");
    let scene = Scene::new(&config, vec![fails("unavailable"), says("a"), says("hi")]);
    scene.hello().await;
    let began = Instant::now();
    assert_eq!(scene.hello().await[1..], answered());
    assert!(began.elapsed().is_zero());
    assert_eq!(scene.asked(), ["p m", "q n", "q n"]);
}

// ---- a route ----

#[tokio::test(start_paused = true)]
async fn a_conversation_with_an_image_goes_to_its_own_model_and_then_to_the_others() {
    let route =
        "[model.route.vision]\nprovider = \"v\"\nname = \"eye\"\noptions = { sharp = true }\n";
    let image = Content::Media { media_type: "image/png".into(), data: Bytes(vec![1]), name: None };
    let parts = vec![Part::new(image, Label::user())];
    let seen = ModelRequest { messages: vec![Message { role: Role::User, parts }], ..request() };
    let scene =
        Scene::new(&format!("{route}{CHAIN}"), vec![fails("timeout"), says("hi"), says("hi")]);
    let got = scene.ask(seen).await;
    assert_eq!(got[0], "news eye (v) answers (`model.route.vision`)");
    assert!(got[1].starts_with("news eye (v): too slow; n (q) answers instead"), "{got:?}");
    assert_eq!(scene.hello().await, answered());
    assert_eq!(scene.asked(), ["v eye", "q n", "p m"]);
    let options = scene.model.requests.lock().unwrap()[0].options.clone();
    assert_eq!(options, Some(serde_json::json!({ "sharp": true })));
}

// ---- kept answers ----

const CACHE: &str = "[model.cache]\nenabled = true\n";

#[tokio::test(start_paused = true)]
async fn the_same_request_gets_the_answer_that_was_kept_at_no_cost() {
    let streamed = vec![
        Play::Batch(vec![used(7, 0), text("h")]),
        Play::Batch(vec![text("i"), used(7, 1), ModelEvent::Finished(StopReason::EndTurn)]),
    ];
    let scene = Scene::new(CACHE, vec![streamed, says("other")]);
    scene.hello().await;
    let got = scene.hello().await;
    assert_eq!(
        got,
        [
            "news this is an answer m (p) gave before to the same request (`model.cache`)",
            "charged 0",
            "text hi",
            "finished EndTurn",
        ]
    );
    assert_eq!(scene.counters.counts().reused, 1);
    let other = ModelRequest { messages: vec![Message::user("hello!")], ..request() };
    assert_eq!(scene.ask(other).await[0], "text other");
}

#[tokio::test(start_paused = true)]
async fn an_answer_of_another_service_under_the_same_name_is_not_given() {
    let records = Arc::new(FakeRecords::default());
    for (address, expect) in [("a", "text of a"), ("b", "text of b"), ("a", "news")] {
        let config = format!("{CACHE}[components.p.config]\nbase_url = \"http://{address}\"");
        let script = vec![says(&format!("of {address}"))];
        let scene = Scene::keeping(&config, script, records.clone());
        let got = scene.hello().await;
        assert!(got[0].starts_with(expect), "{address}: {got:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_kept_unless_it_is_wanted() {
    let scene = Scene::new("", vec![says("hi"), says("hi")]);
    scene.hello().await;
    assert!(scene.records.kept.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn only_whole_answers_of_the_model_that_was_asked_are_kept() {
    let cut_off = vec![Play::Batch(vec![text("h"), ModelEvent::Finished(StopReason::MaxTokens)])];
    let broken = vec![Play::Batch(vec![text("h")]), Play::Error(error("denied", None))];
    let endless = vec![Play::Batch(vec![text("h")])];
    let script = vec![cut_off, broken, endless, fails("timeout"), says("from another")];
    let scene = Scene::new(&format!("{CACHE}{CHAIN}"), script);
    for _ in 0..4 {
        scene.hello().await;
    }
    assert_eq!(scene.asked().len(), 5);
    assert!(scene.records.kept.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn no_known_secret_is_kept() {
    let (head, tail) = SECRET.split_at(9);
    let arguments = ModelEvent::CallArguments { index: 0, fragment: SECRET.into() };
    let leaks = vec![
        Play::Batch(vec![text("it is "), text(head)]),
        Play::Batch(vec![text(tail), arguments, ModelEvent::CallEnded { index: 0 }]),
        Play::Batch(vec![ModelEvent::Finished(StopReason::ToolUse)]),
    ];
    let scene = Scene::new(CACHE, vec![leaks]);
    scene.hello().await;
    let kept = format!("{:?}", scene.records.kept.lock().unwrap());
    assert!(kept.contains("it is ") && kept.contains("Finished"), "{kept}");
    assert!(!kept.contains(SECRET) && !kept.contains(head), "{kept}");
}
