//! The meter, between a model that answers as it is told and a ledger in memory that writes down
//! what happens in which order.

use crate::Metered;
use crate::fakes::models;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use hydroid_core::config::Config;
use hydroid_core::id::{ComponentId, SessionId, TurnId, UserId};
use hydroid_core::message::{StopReason, Usage};
use hydroid_core::money::Money;
use hydroid_core::ports::{
    CallContext, CancelFlag, Charge, Clock, Completion, Grouping, Ledger, Model, ModelError,
    ModelEvent, ModelRequest, RateLimit, RateLimits, RequestNumber, SawSecret, Since, Spent,
    SpentBy, StoreError,
};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

/// 2026-11-25, a little after seven.
const NOW_MS: u64 = 20_782 * 86_400_000 + 7 * 3_600_000;

type Said = Result<Vec<ModelEvent>, ModelError>;

/// Model, ledger and clock in one, with what happened to them.
#[derive(Default)]
struct Scene {
    happened: Mutex<Vec<String>>,
    answers: Mutex<VecDeque<Said>>,
    refuses: Option<ModelError>,
    /// What was spent before, in picodollars.
    spent: u64,
    broken: bool,
}

impl Scene {
    fn happens(&self, what: String) {
        self.happened.lock().unwrap().push(what);
    }
}

impl Clock for Scene {
    fn now_ms(&self) -> u64 {
        NOW_MS
    }
}

impl Model for Scene {
    fn complete(
        &self,
        _: ModelRequest,
        _: CallContext,
    ) -> BoxFuture<'_, Result<Box<dyn Completion>, ModelError>> {
        self.happens("asked".into());
        let answers = std::mem::take(&mut *self.answers.lock().unwrap());
        let result = match &self.refuses {
            Some(error) => Err(error.clone()),
            None => Ok(Box::new(Answer(answers)) as Box<dyn Completion>),
        };
        async { result }.boxed()
    }
}

struct Answer(VecDeque<Said>);

impl Completion for Answer {
    fn next(&mut self) -> BoxFuture<'_, Said> {
        let next = self.0.pop_front().unwrap_or(Ok(Vec::new()));
        async { next }.boxed()
    }
}

impl Ledger for Scene {
    fn begin(&self, charge: Charge) -> BoxFuture<'_, Result<RequestNumber, StoreError>> {
        if self.broken {
            let source = "no space".into();
            return async { Err(StoreError::Database { doing: "write", source }) }.boxed();
        }
        self.happens(format!(
            "begun {} {} {} {}/{}",
            charge.user, charge.agent, charge.session, charge.provider, charge.model
        ));
        async { Ok(RequestNumber(1)) }.boxed()
    }

    fn settle(
        &self,
        _: RequestNumber,
        usage: Usage,
        cost: Option<Money>,
    ) -> BoxFuture<'_, Result<(), StoreError>> {
        let cost = cost.map_or("unknown".to_owned(), |cost| cost.pico().to_string());
        self.happens(format!("settled {}+{} {cost}", usage.input, usage.output));
        async { Ok(()) }.boxed()
    }

    fn spent<'a>(
        &'a self,
        _: &'a UserId,
        since: Since<'a>,
    ) -> BoxFuture<'a, Result<Spent, StoreError>> {
        let session = since.session.map_or("any".to_owned(), ToString::to_string);
        self.happens(format!("summed {session} from day {}", since.from_ms / 86_400_000));
        let spent = Spent { requests: 1, known: Money::of_pico(self.spent), ..Spent::default() };
        async move { Ok(spent) }.boxed()
    }

    fn spent_by<'a>(
        &'a self,
        _: &'a UserId,
        _: Since<'a>,
        _: Grouping,
    ) -> BoxFuture<'a, Result<Vec<SpentBy>, StoreError>> {
        async { Ok(Vec::new()) }.boxed()
    }
}

impl RateLimits for Scene {
    fn keep_limits<'a>(
        &'a self,
        user: &'a UserId,
        said: RateLimit,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        let left = said.windows.left(std::time::Duration::ZERO);
        self.happens(format!("{user} has {left} of {}/{}", said.provider, said.model));
        let result = if self.broken {
            Err(StoreError::Database { doing: "write", source: "no space".into() })
        } else {
            Ok(())
        };
        async { result }.boxed()
    }

    fn limits<'a>(&'a self, _: &'a UserId) -> BoxFuture<'a, Result<Vec<RateLimit>, StoreError>> {
        async { Ok(Vec::new()) }.boxed()
    }
}

fn used(input: u64, output: u64) -> ModelEvent {
    ModelEvent::Usage(Usage { input, output, ..Usage::default() })
}

fn failure(kind: &str) -> ModelError {
    ModelError { kind: kind.into(), message: "no".into(), retry_after_ms: None, sent: false }
}

/// Asks once and pulls until the end; what was given out, and what happened meanwhile.
async fn ask(scene: Scene, config: &str) -> (Result<Vec<ModelEvent>, ModelError>, Vec<String>) {
    let config = Config::from_table(config.parse().unwrap()).unwrap();
    let scene = Arc::new(scene);
    let known = Arc::new(models(&config));
    let metered =
        Metered::new(scene.clone(), scene.clone(), scene.clone(), scene.clone(), known, &config);
    let request = ModelRequest {
        provider: ComponentId::new(&config.model.provider),
        model: config.model.name.clone(),
        system: String::new(),
        messages: Vec::new(),
        tools: Vec::new(),
        max_tokens: None,
        temperature: None,
        options: None,
    };
    let context = CallContext {
        user: UserId::new("me"),
        session: SessionId::new("s"),
        turn: TurnId::new("t"),
        call: None,
        cancel: CancelFlag::default(),
        progress: Arc::new(|_, _| {}),
        secret: SawSecret::default(),
        trace: Default::default(),
        nested: None,
        wants_data: false,
    };
    let pull = async {
        let mut completion = metered.complete(request, context).await?;
        let mut all = Vec::new();
        loop {
            let events = completion.next().await?;
            if events.is_empty() {
                return Ok(all);
            }
            scene.happens("given".into());
            all.extend(events);
        }
    };
    let given = pull.await;
    let happened = scene.happened.lock().unwrap().clone();
    (given, happened)
}

const PRICED: &str = "[model]\nprovider = \"p\"\nname = \"priced\"\ncatalog = \"acme\"\n";

fn answering(answers: Vec<Said>) -> Scene {
    Scene { answers: Mutex::new(answers.into()), ..Scene::default() }
}

#[tokio::test]
async fn a_request_is_kept_before_it_is_sent_and_its_cost_before_it_is_shown() {
    let scene = answering(vec![
        Ok(vec![used(10, 1)]),
        Ok(vec![used(10, 2)]),
        Ok(vec![used(10, 3), ModelEvent::Finished(StopReason::EndTurn)]),
    ]);
    let (given, happened) = ask(scene, PRICED).await;
    let cost = |pico| ModelEvent::Charged(Some(Money::of_pico(pico)));
    assert_eq!(
        given.unwrap(),
        [
            ModelEvent::Charged(None),
            used(10, 1),
            cost(20_000_000),
            used(10, 2),
            cost(30_000_000),
            used(10, 3),
            cost(40_000_000),
            ModelEvent::Finished(StopReason::EndTurn)
        ]
    );
    // What comes within a second of the last is not written, but for the end.
    assert_eq!(
        happened,
        [
            "begun me main s p/priced",
            "asked",
            "settled 10+1 20000000",
            "given",
            "given",
            "settled 10+3 40000000",
            "given"
        ]
    );
}

#[tokio::test]
async fn an_unknown_price_is_unknown_and_tokens_are_counted() {
    let scene = answering(vec![Ok(vec![used(10, 1)])]);
    let (given, happened) = ask(scene, "").await;
    let unknown = ModelEvent::Charged(None);
    assert_eq!(given.unwrap(), [unknown.clone(), used(10, 1), unknown]);
    assert!(happened.contains(&"settled 10+1 unknown".to_owned()), "{happened:?}");
}

#[tokio::test]
async fn an_answer_that_breaks_off_costs_what_it_used_until_then() {
    let scene = answering(vec![Ok(vec![used(10, 1), used(10, 2)]), Err(failure("timeout"))]);
    let (given, happened) = ask(scene, PRICED).await;
    assert_eq!(given.unwrap_err().kind, "timeout");
    assert_eq!(happened[2..], ["settled 10+2 30000000", "given"]);
}

#[tokio::test]
async fn a_count_that_no_end_follows_is_kept_with_the_first_piece() {
    let scene = answering(vec![Ok(vec![used(10, 1)]), Ok(Vec::new())]);
    let (_, happened) = ask(scene, PRICED).await;
    // A turn that is cancelled after this drops the answer, and nothing more is written.
    assert_eq!(happened[2..], ["settled 10+1 20000000", "given"]);
}

#[tokio::test]
async fn a_refusal_costs_nothing_and_of_a_timeout_nobody_knows() {
    let refuses = |kind| Scene { refuses: Some(failure(kind)), ..Scene::default() };
    let (_, happened) = ask(refuses("rate-limited"), PRICED).await;
    assert_eq!(happened[1..], ["asked", "settled 0+0 0"]);
    let (_, happened) = ask(refuses("timeout"), PRICED).await;
    assert_eq!(happened[1..], ["asked"]);
    let (_, happened) = ask(answering(vec![Err(failure("denied"))]), PRICED).await;
    assert_eq!(happened[1..], ["asked", "settled 0+0 0"]);
    // A server that failed after the request was there may have worked on it.
    let sent = ModelError { sent: true, ..failure("unavailable") };
    let (_, happened) = ask(answering(vec![Err(sent.clone())]), PRICED).await;
    assert_eq!(happened[1..], ["asked"]);
    let free = format!("{PRICED}prices = {{ input = 0.0, output = 0.0 }}\n");
    let (_, happened) = ask(answering(vec![Err(sent)]), &free).await;
    assert_eq!(happened[1..], ["asked", "settled 0+0 0"]);
}

#[tokio::test]
async fn an_answer_without_a_count_costs_nothing_only_where_nothing_costs() {
    let says = || answering(vec![Ok(vec![ModelEvent::Text("hi".into())]), Ok(Vec::new())]);
    let (given, happened) = ask(says(), PRICED).await;
    assert_eq!(given.unwrap()[0], ModelEvent::Charged(None));
    assert_eq!(happened[1..], ["asked", "given"]);
    let free = format!("{PRICED}prices = {{ input = 0.0, output = 0.0 }}\n");
    let (given, happened) = ask(says(), &free).await;
    assert_eq!(given.unwrap()[0], ModelEvent::Charged(Some(Money::ZERO)));
    assert_eq!(happened[1..], ["asked", "given", "settled 0+0 0"]);
}

#[tokio::test]
async fn what_a_service_says_of_its_limits_is_kept() {
    let limits = ModelEvent::Other {
        kind: "hydroid/rate-limit".into(),
        json: r#"{"requests":{"limit":60,"remaining":59}}"#.into(),
    };
    let other = ModelEvent::Other { kind: "hydroid/rate-limit".into(), json: "[".into() };
    let (_, happened) = ask(answering(vec![Ok(vec![other, limits])]), PRICED).await;
    assert_eq!(happened[2..], ["me has 59 of 60 requests of p/priced", "given"]);
}

#[tokio::test]
async fn what_cannot_be_kept_is_not_sent() {
    let (given, happened) = ask(Scene { broken: true, ..Scene::default() }, PRICED).await;
    let error = given.unwrap_err();
    assert!(error.message.contains("could not be kept"), "{error}");
    assert_eq!(happened, [""; 0]);
}

#[track_caller]
fn refused(given: &Result<Vec<ModelEvent>, ModelError>, expect: &str) {
    let error = given.as_ref().unwrap_err();
    assert_eq!((error.kind.as_str(), error.message.as_str()), (ModelError::BUDGET, expect));
}

#[tokio::test]
async fn nothing_is_sent_that_a_budget_has_no_money_for() {
    let spent = |pico| Scene { spent: pico, ..Scene::default() };
    for (key, summed, expect) in [
        (
            "session_dollars",
            "summed s from day 0",
            "this session has cost $2.0000 of $2.0000, so the model was not asked again; raise `budget.session_dollars`, or begin a new session",
        ),
        (
            "day_dollars",
            "summed any from day 20782",
            "today has cost $2.0000 of $2.0000, so the model was not asked again; raise `budget.day_dollars`, or go on tomorrow (UTC)",
        ),
        (
            "month_dollars",
            "summed any from day 20758",
            "this month has cost $2.0000 of $2.0000, so the model was not asked again; raise `budget.month_dollars`, or go on next month",
        ),
    ] {
        let config = format!("{PRICED}[budget]\n{key} = 2.0\n");
        let (given, happened) = ask(spent(2_000_000_000_000), &config).await;
        refused(&given, expect);
        assert_eq!(happened, [summed]);
        let (given, _) = ask(spent(1_999_999_999_999), &config).await;
        assert!(given.is_ok(), "{given:?}");
    }
}

#[tokio::test]
async fn with_a_budget_no_model_of_unknown_price_is_asked() {
    let (given, happened) = ask(Scene::default(), "[budget]\nday_dollars = 2.0\n").await;
    refused(
        &given,
        "`budget.day_dollars` is set and nobody knows what `rehearsal` costs, so it was not asked; set `model.prices.input` and `model.prices.output`, or take `budget.day_dollars` out",
    );
    assert_eq!(happened, [""; 0]);
}
