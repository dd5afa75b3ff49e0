//! A stream of statements to a database that is a service: Hrana over HTTP, version 3, with JSON.
//! What was read is not believed: a service that answers nonsense is an error and nothing more.
//! How a message travels is [`StoreService`]'s affair.
//!
//! Outside of a transaction each statement is a message of its own, so that nothing is left open
//! at the service. A transaction begins with its first statement, in the same message, and
//! everything in it goes to the one stream whose baton the service gave; without that baton
//! nothing more is sent, because it would be done outside of the transaction.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use hydroid_core::harmless::excerpt;
use hydroid_core::ports::StoreService;
use libsql::Value;
use serde_json::{Value as Json, json};
use std::sync::Arc;
use tokio::sync::Mutex;

const PIPELINE: &str = "v3/pipeline";

/// What a transaction begins with: what is kept in a file is checked too, and nobody else writes.
const BEGIN: [&str; 2] = ["PRAGMA foreign_keys = ON", "BEGIN IMMEDIATE"];

/// Statements in one message: few ways, and an error is found before much was done in vain.
const MOST_STEPS: usize = 128;

/// Bytes of values in one message, as they are here; a larger value goes alone.
const MOST_BYTES: usize = 1 << 20;

/// Characters of what a service says that are repeated.
const SHOWN: usize = 300;

/// Some servers leave the padding out.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Why a service did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the memory at `{address}` {problem}")]
pub(crate) struct Refusal {
    address: String,
    problem: String,
}

/// What a statement returned.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Done {
    pub(crate) rows: Vec<Vec<Value>>,
    pub(crate) changed: u64,
}

/// Where statements go, one after another.
pub(crate) struct Stream {
    service: Arc<dyn StoreService>,
    state: Mutex<State>,
}

enum State {
    /// Each statement for itself.
    Single,
    /// A transaction that begins with its first statement.
    Waiting,
    /// In a transaction.
    Within(Place),
    /// The transaction was committed or given up.
    Ended,
}

/// Where the service keeps the stream.
#[derive(Clone)]
struct Place {
    baton: String,
    /// Where the service wants to be asked from now on.
    named: Option<String>,
}

impl Stream {
    /// For statements that only read.
    pub(crate) fn reading(service: Arc<dyn StoreService>) -> Arc<Self> {
        Arc::new(Self { service, state: Mutex::new(State::Single) })
    }

    /// For one transaction.
    pub(crate) fn transaction(service: Arc<dyn StoreService>) -> Arc<Self> {
        Arc::new(Self { service, state: Mutex::new(State::Waiting) })
    }

    /// Runs one statement.
    pub(crate) async fn run(&self, sql: &str, values: Vec<Value>) -> Result<Done, Refusal> {
        let done = self.send(vec![statement(sql, &values)]).await?;
        Ok(done.into_iter().next_back().unwrap_or_default())
    }

    /// Runs a statement once for each row of values.
    pub(crate) async fn run_each(&self, sql: &str, rows: Vec<Vec<Value>>) -> Result<(), Refusal> {
        let (mut steps, mut bytes) = (Vec::new(), 0);
        for values in rows {
            let more: usize = values.iter().map(size).sum();
            if steps.len() == MOST_STEPS || (bytes + more > MOST_BYTES && !steps.is_empty()) {
                self.send(std::mem::take(&mut steps)).await?;
                bytes = 0;
            }
            bytes += more;
            steps.push(statement(sql, &values));
        }
        if !steps.is_empty() {
            self.send(steps).await?;
        }
        Ok(())
    }

    /// Runs the statements of a text; only in a transaction that has begun.
    pub(crate) async fn run_all(&self, sql: &str) -> Result<(), Refusal> {
        let mut state = self.state.lock().await;
        let State::Within(place) = &*state else { return Err(self.over()) };
        let place = place.clone();
        *state = State::Ended;
        let request = json!({ "type": "sequence", "sql": sql });
        let (answers, next) = self.ask(Some(&place), vec![request]).await?;
        *state = State::Within(next.ok_or_else(|| self.ended())?);
        drop(state);
        let done = self.result(answers.first()).map(drop);
        if done.is_err() {
            self.give_up().await;
        }
        done
    }

    /// Makes everything of the transaction last.
    pub(crate) async fn commit(&self) -> Result<(), Refusal> {
        let mut state = self.state.lock().await;
        match std::mem::replace(&mut *state, State::Ended) {
            State::Waiting => Ok(()),
            State::Within(place) => {
                let commit = json!({ "type": "execute", "stmt": statement("COMMIT", &[]) });
                let requests = vec![commit, json!({ "type": "close" })];
                match self.ask(Some(&place), requests).await {
                    Ok((answers, _)) => self.result(answers.first()).map(drop),
                    // What can be let go of was not committed.
                    Err(refusal) if refusal == self.ended() || self.let_go(&place).await => {
                        Err(refusal)
                    }
                    Err(mut refusal) => {
                        let unknown = "; whether the last change was kept is not known";
                        refusal.problem.push_str(unknown);
                        Err(refusal)
                    }
                }
            }
            State::Single | State::Ended => Err(self.over()),
        }
    }

    /// Lets go of everything of the transaction. A service that does not hear of it does so by
    /// itself after a while.
    pub(crate) async fn give_up(&self) {
        let mut state = self.state.lock().await;
        if let State::Within(place) = std::mem::replace(&mut *state, State::Ended) {
            self.let_go(&place).await;
        }
    }

    /// Closes the stream at a place, so that nobody waits for what was begun there. True if it was
    /// still there, and so had got nothing since.
    async fn let_go(&self, place: &Place) -> bool {
        let closed = self.ask(Some(place), vec![json!({ "type": "close" })]).await;
        if let Err(refusal) = &closed {
            tracing::debug!(%refusal, "a transaction was left to end by itself");
        }
        closed.is_ok()
    }

    /// Runs steps one after another, up to the first that fails. An error ends a transaction:
    /// what came after it might be done outside of one.
    async fn send(&self, steps: Vec<Json>) -> Result<Vec<Done>, Refusal> {
        let mut state = self.state.lock().await;
        let (place, first) = match std::mem::replace(&mut *state, State::Ended) {
            State::Single => {
                *state = State::Single;
                let requests = vec![batch(&[], &steps), json!({ "type": "close" })];
                let (answers, _) = self.ask(None, requests).await?;
                return self.steps(answers.first(), 0, steps.len());
            }
            State::Waiting => (None, BEGIN.map(|sql| statement(sql, &[])).to_vec()),
            State::Within(place) => (Some(place), Vec::new()),
            State::Ended => return Err(self.over()),
        };
        let asked = self.ask(place.as_ref(), vec![batch(&first, &steps)]).await;
        if let (Err(_), Some(place)) = (&asked, &place) {
            self.let_go(place).await;
        }
        let (answers, next) = asked?;
        let Some(next) = next else { return Err(self.ended()) };
        let done = self.steps(answers.first(), first.len(), steps.len());
        *state = State::Within(next);
        drop(state);
        if done.is_err() {
            self.give_up().await;
        }
        done
    }

    /// One message and its answer: the results, and where the stream goes on.
    async fn ask(
        &self,
        place: Option<&Place>,
        requests: Vec<Json>,
    ) -> Result<(Vec<Json>, Option<Place>), Refusal> {
        let asked = requests.len();
        let baton = place.map(|place| place.baton.as_str());
        let named = place.and_then(|place| place.named.as_deref());
        let body = json!({ "baton": baton, "requests": requests }).to_string().into_bytes();
        let answer = self
            .service
            .post(named, PIPELINE, body)
            .await
            .map_err(|error| self.refusal(&error.message))?;
        if answer.status != 200 {
            return Err(self.unusual(answer.status, &answer.body));
        }
        let other = || self.refusal("is no database by its answer; check `memory.url`");
        let mut answer: Json = serde_json::from_slice(&answer.body).map_err(|_| other())?;
        let Some(Json::Array(results)) = answer.get_mut("results").map(Json::take) else {
            return Err(other());
        };
        let mut taken = |key: &str| match answer.get_mut(key).map(Json::take) {
            Some(Json::String(text)) => Some(text),
            _ => None,
        };
        if results.len() != asked {
            return Err(self.nonsense());
        }
        let named = taken("base_url").or_else(|| named.map(str::to_owned));
        let next = taken("baton").map(|baton| Place { baton, named });
        Ok((results, next))
    }

    /// The response of a result, or why there is none.
    fn result<'a>(&self, result: Option<&'a Json>) -> Result<&'a Json, Refusal> {
        let result = result.ok_or_else(|| self.nonsense())?;
        match result["type"].as_str() {
            Some("ok") => Ok(&result["response"]),
            Some("error") => Err(self.said(&result["error"])),
            _ => Err(self.nonsense()),
        }
    }

    /// What the steps of a batch returned, without the first ones; the first error otherwise.
    fn steps(
        &self,
        result: Option<&Json>,
        without: usize,
        count: usize,
    ) -> Result<Vec<Done>, Refusal> {
        let batch = &self.result(result)?["result"];
        let (Some(results), Some(errors)) =
            (batch["step_results"].as_array(), batch["step_errors"].as_array())
        else {
            return Err(self.nonsense());
        };
        if let Some(error) = errors.iter().find(|error| !error.is_null()) {
            return Err(self.said(error));
        }
        if results.len() != without + count {
            return Err(self.nonsense());
        }
        results
            .iter()
            .skip(without)
            .map(|result| done(result).ok_or_else(|| self.nonsense()))
            .collect()
    }

    /// An error of the database.
    fn said(&self, error: &Json) -> Refusal {
        let message = excerpt(error["message"].as_str().unwrap_or("an error"), SHOWN);
        let problem = match error["code"].as_str().unwrap_or_default() {
            "SQLITE_BUSY" | "SQLITE_LOCKED" | "TRANSACTION_BUSY" | "TRANSACTION_TIMEOUT" => {
                "is held by another; try again when it has finished"
            }
            "SQLITE_FULL" => "has no space left; free some there and try again",
            "SQLITE_READONLY" | "SQLITE_AUTH" | "BLOCKED" => {
                "cannot be written; check what the token may do, and the plan of the service"
            }
            "SQLITE_CORRUPT" | "SQLITE_NOTADB" | "SQLITE_IOERR" => {
                "is damaged or its disk is; ask who runs it"
            }
            "RESPONSE_TOO_LARGE" => "has more to say than it sends at once",
            _ => "answered",
        };
        self.refusal(&format!("{problem}: {message}"))
    }

    /// An answer that is none of the database itself.
    fn unusual(&self, status: u16, body: &[u8]) -> Refusal {
        let error: Json = serde_json::from_slice(body).unwrap_or_default();
        let code = error["code"].as_str().or_else(|| error["error"].as_str()).unwrap_or_default();
        if matches!(code, "STREAM_EXPIRED" | "BATON_INVALID" | "BATON_REUSED") {
            return self.ended();
        }
        let said = match error["message"].as_str() {
            Some(message) => excerpt(message, SHOWN),
            None => excerpt(&String::from_utf8_lossy(body), SHOWN),
        };
        let what = match status {
            404 => "has no database of that name; check `memory.url`",
            429 => "was asked too often; wait a moment",
            500.. => "has a problem of its own; try again later",
            _ => "refused",
        };
        self.refusal(&format!("{what}: status {status} {said}"))
    }

    fn ended(&self) -> Refusal {
        self.refusal("ended a transaction in the middle; nothing of it was kept")
    }

    fn over(&self) -> Refusal {
        self.refusal("was not asked, because what came before it failed")
    }

    fn nonsense(&self) -> Refusal {
        self.refusal(
            "answered with something else than was asked for; update Hydroid or the service",
        )
    }

    fn refusal(&self, problem: &str) -> Refusal {
        let address = self.service.address().to_owned();
        Refusal { address, problem: problem.trim_end().to_owned() }
    }
}

/// A batch, each step of which is done if the one before was.
fn batch(first: &[Json], steps: &[Json]) -> Json {
    let steps = first.iter().chain(steps).enumerate().map(|(at, statement)| match at {
        0 => json!({ "stmt": statement }),
        _ => json!({ "stmt": statement, "condition": { "type": "ok", "step": at - 1 } }),
    });
    json!({ "type": "batch", "batch": { "steps": steps.collect::<Vec<_>>() } })
}

/// A file ignores values that the statement does not name, and a service refuses them.
fn statement(sql: &str, values: &[Value]) -> Json {
    let values = values.iter().take(named(sql)).map(encoded);
    json!({ "sql": sql, "args": values.collect::<Vec<_>>() })
}

/// How many values a statement names: ours number them, `?1` and so on.
fn named(sql: &str) -> usize {
    let numbers = sql.split('?').skip(1).filter_map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        rest.get(..end)?.parse().ok()
    });
    numbers.max().unwrap_or(0)
}

fn encoded(value: &Value) -> Json {
    match value {
        Value::Null => json!({ "type": "null" }),
        // As a file keeps what is no number; JSON has none of these.
        Value::Real(number) if !number.is_finite() => json!({ "type": "null" }),
        Value::Integer(number) => json!({ "type": "integer", "value": number.to_string() }),
        Value::Real(number) => json!({ "type": "float", "value": number }),
        Value::Text(text) => json!({ "type": "text", "value": text }),
        Value::Blob(bytes) => json!({ "type": "blob", "base64": BASE64.encode(bytes) }),
    }
}

/// Bytes of a value, roughly.
fn size(value: &Value) -> usize {
    match value {
        Value::Null | Value::Integer(_) | Value::Real(_) => 8,
        Value::Text(text) => text.len(),
        Value::Blob(bytes) => bytes.len(),
    }
}

fn done(result: &Json) -> Option<Done> {
    let row = |row: &Json| row.as_array()?.iter().map(decoded).collect::<Option<Vec<_>>>();
    Some(Done {
        rows: result["rows"].as_array()?.iter().map(row).collect::<Option<_>>()?,
        changed: result["affected_row_count"].as_u64().unwrap_or(0),
    })
}

fn decoded(value: &Json) -> Option<Value> {
    let inner = &value["value"];
    match value["type"].as_str()? {
        "null" => Some(Value::Null),
        "integer" => {
            let number = inner.as_str().and_then(|text| text.parse().ok());
            number.or_else(|| inner.as_i64()).map(Value::Integer)
        }
        "float" => inner.as_f64().map(Value::Real),
        "text" => inner.as_str().map(|text| Value::Text(text.to_owned())),
        "blob" => BASE64.decode(value["base64"].as_str()?).ok().map(Value::Blob),
        _ => None,
    }
}
