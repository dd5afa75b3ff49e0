//! A database as Turso and libSQL's server speak for it: Hrana over HTTP, version 3, with JSON, in
//! front of a database of libsql's own. It allows what that server allows: its parser reads every
//! statement first, and pragmas and sizes are those of its source. No HTTP; that is in
//! `database_service`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use fallible_iterator::FallibleIterator;
use libsql::{Builder, Connection, Value};
use libsql_sqlite3_parser::ast::{Cmd, Stmt};
use libsql_sqlite3_parser::lexer::sql::Parser;
use serde_json::{Value as Json, json};
use std::collections::HashMap;
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Largest answer, as that server is configured by default.
const LARGEST_ANSWER: usize = 10 << 20;

/// How long another waits for a transaction that nobody goes on with; that server waits longer.
const ABANDONED: Duration = Duration::from_secs(3);

/// Pragmas that may be set, and those that may only be read.
const MAY_BE_SET: [&str; 3] = ["foreign_keys", "defer_foreign_keys", "user_version"];
const MAY_BE_READ: [&str; 6] =
    ["application_id", "integrity_check", "page_count", "page_size", "table_info", "index_list"];

/// Says what goes wrong with a request.
type Making = Box<dyn FnMut(&str) -> Option<Trouble> + Send>;

/// The service.
pub(crate) struct Hrana {
    database: libsql::Database,
    streams: Mutex<Streams>,
    /// Decides what goes wrong, by the body of a request.
    trouble: Mutex<Making>,
}

#[derive(Default)]
struct Streams {
    /// With when they were used last.
    open: HashMap<String, (Connection, Instant)>,
    given: u64,
    requests: usize,
}

/// What goes wrong.
#[derive(Clone, Debug)]
pub(crate) enum Trouble {
    /// The request does not arrive.
    LostRequest,
    /// It is done, and nobody hears of it.
    LostAnswer,
    /// All streams ended before it came.
    Expired,
    /// It is answered so.
    Answer(u16, String),
}

/// An answer; none where the connection breaks.
pub(crate) type Answer = Option<(u16, String)>;

impl Hrana {
    pub(crate) async fn open(path: &Path) -> Self {
        let database = Builder::new_local(path).build().await.expect("a database");
        let connection = database.connect().expect("a connection");
        let mode = connection.query("PRAGMA journal_mode = WAL", ()).await;
        drop(mode.expect("a mode").next().await.expect("a row"));
        Self { database, streams: Mutex::default(), trouble: Mutex::new(Box::new(|_| None)) }
    }

    /// From now on this goes wrong.
    pub(crate) fn trouble(&self, when: impl FnMut(&str) -> Option<Trouble> + Send + 'static) {
        *self.trouble.lock().expect("no holder panics") = Box::new(when);
    }

    /// Whoever was killed in the middle of a transaction left it here.
    async fn end_abandoned(&self) {
        let waits = || {
            let mut streams = self.streams.lock().expect("no holder panics");
            streams.open.retain(|_, (_, used)| used.elapsed() < ABANDONED);
            streams.open.values().any(|(connection, _)| !connection.is_autocommit())
        };
        let began = Instant::now();
        while waits() && began.elapsed() < ABANDONED * 2 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Ends what was left open, as that server does after some seconds.
    pub(crate) fn expire(&self) {
        self.streams.lock().expect("no holder panics").open.clear();
    }

    /// Requests so far, and streams that are open now.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let streams = self.streams.lock().expect("no holder panics");
        (streams.requests, streams.open.len())
    }

    /// Answers a request to `v3/pipeline`.
    pub(crate) async fn pipeline(&self, body: &str) -> Answer {
        self.streams.lock().expect("no holder panics").requests += 1;
        let trouble = (self.trouble.lock().expect("no holder panics"))(body);
        match trouble {
            None => Some(self.answer(body).await),
            Some(Trouble::LostRequest) => None,
            Some(Trouble::LostAnswer) => {
                drop(self.answer(body).await);
                None
            }
            Some(Trouble::Expired) => {
                self.expire();
                Some(self.answer(body).await)
            }
            Some(Trouble::Answer(status, body)) => Some((status, body)),
        }
    }

    async fn answer(&self, body: &str) -> (u16, String) {
        let Ok(body) = serde_json::from_str::<Json>(body) else {
            return (400, "Could not parse the request body".into());
        };
        let connection = match body["baton"].as_str() {
            None => {
                let connection = self.database.connect().expect("a connection");
                connection.busy_timeout(Duration::from_secs(20)).expect("a timeout");
                if body.to_string().contains("BEGIN IMMEDIATE") {
                    self.end_abandoned().await;
                }
                connection
            }
            Some(baton) => {
                match self.streams.lock().expect("no holder panics").open.remove(baton) {
                    Some((connection, _)) => connection,
                    None => {
                        let said = json!({ "message": "The stream has expired due to inactivity", "code": "STREAM_EXPIRED" });
                        return (400, said.to_string());
                    }
                }
            }
        };
        let mut closed = false;
        let mut results = Vec::new();
        for request in body["requests"].as_array().expect("requests") {
            let response = match request["type"].as_str().expect("a type") {
                "close" => {
                    closed = true;
                    Ok(json!({ "type": "close" }))
                }
                "execute" => {
                    let result = statement(&connection, &request["stmt"]).await;
                    result.map(|result| json!({ "type": "execute", "result": result }))
                }
                "batch" => batch(&connection, &request["batch"]["steps"]).await,
                "sequence" => sequence(&connection, request["sql"].as_str().expect("text")).await,
                other => panic!("the test server knows no `{other}`"),
            };
            results.push(match response {
                Ok(response) => json!({ "type": "ok", "response": response }),
                Err(error) => json!({ "type": "error", "error": error }),
            });
        }
        let mut streams = self.streams.lock().expect("no holder panics");
        // A connection that is dropped rolls back what it has begun.
        let baton = (!closed).then(|| {
            streams.given += 1;
            let baton = format!("baton-{}", streams.given);
            streams.open.insert(baton.clone(), (connection, Instant::now()));
            baton
        });
        let answer = json!({ "baton": baton, "base_url": null, "results": results });
        (200, answer.to_string())
    }
}

fn error(code: &str, message: impl ToString) -> Json {
    json!({ "message": message.to_string(), "code": code })
}

/// Runs steps whose condition, the success of another, is met.
async fn batch(connection: &Connection, steps: &Json) -> Result<Json, Json> {
    let (mut results, mut errors): (Vec<Json>, Vec<Json>) = (Vec::new(), Vec::new());
    let steps = steps.as_array().expect("steps");
    for step in steps {
        // As there, a statement that cannot be read spoils the whole batch.
        check(step["stmt"]["sql"].as_str().expect("text"), true)?;
    }
    for step in steps {
        let needed = step["condition"]["step"].as_u64().and_then(|step| usize::try_from(step).ok());
        if needed.is_some_and(|needed| results[needed].is_null()) {
            results.push(Json::Null);
            errors.push(Json::Null);
            continue;
        }
        match statement(connection, &step["stmt"]).await {
            Ok(result) => {
                results.push(result);
                errors.push(Json::Null);
            }
            Err(error) => {
                results.push(Json::Null);
                errors.push(error);
            }
        }
    }
    let result = json!({ "step_results": results, "step_errors": errors });
    Ok(json!({ "type": "batch", "result": result }))
}

async fn sequence(connection: &Connection, sql: &str) -> Result<Json, Json> {
    check(sql, false)?;
    connection.execute_batch(sql).await.map_err(|error| said(&error))?;
    Ok(json!({ "type": "sequence" }))
}

async fn statement(connection: &Connection, stmt: &Json) -> Result<Json, Json> {
    let sql = stmt["sql"].as_str().expect("text");
    let changes = check(sql, true)?;
    let values: Vec<Value> = stmt["args"].as_array().expect("values").iter().map(value).collect();
    let prepared = connection.prepare(sql).await.map_err(|error| said(&error))?;
    if prepared.parameter_count() < values.len() {
        let (named, found) = (prepared.parameter_count(), values.len());
        let problem = format!("too many parameters, expected {named} found {found}");
        return Err(error("ARGS_INVALID", problem));
    }
    drop(prepared);
    let mut rows = connection.query(sql, values).await.map_err(|error| said(&error))?;
    let columns = rows.column_count();
    let (mut all, mut bytes) = (Vec::new(), 0);
    while let Some(row) = rows.next().await.map_err(|error| said(&error))? {
        let row: Vec<Json> =
            (0..columns).map(|at| encoded(&row.get_value(at).expect("a column"))).collect();
        bytes += row.iter().map(|value| value.to_string().len()).sum::<usize>();
        if bytes > LARGEST_ANSWER {
            return Err(error("RESPONSE_TOO_LARGE", "Response is too large"));
        }
        all.push(row);
    }
    let changed = if changes { connection.changes() } else { 0 };
    Ok(json!({
        "cols": (0..columns).map(|at| json!({ "name": rows.column_name(at), "decltype": null })).collect::<Vec<_>>(),
        "rows": all,
        "affected_row_count": changed,
        "last_insert_rowid": connection.last_insert_rowid().to_string(),
    }))
}

/// Refuses what the server's parser does not read, and what it does not allow; true if it changes
/// rows.
fn check(sql: &str, one: bool) -> Result<bool, Json> {
    let mut parser = Parser::new(sql.as_bytes());
    let (mut count, mut changes) = (0, false);
    while let Some(command) =
        parser.next().map_err(|problem| error("SQL_PARSE_ERROR", format!("{problem}: {sql}")))?
    {
        count += 1;
        let Cmd::Stmt(statement) = command else { continue };
        changes |=
            matches!(statement, Stmt::Insert { .. } | Stmt::Update { .. } | Stmt::Delete { .. });
        let allowed = match &statement {
            Stmt::Pragma(name, body) => {
                let name = name.name.0.as_str();
                MAY_BE_SET.contains(&name) || (body.is_none() && MAY_BE_READ.contains(&name))
            }
            Stmt::Vacuum(..) | Stmt::Analyze(..) | Stmt::Attach { .. } => false,
            Stmt::CreateTable { temporary, .. }
            | Stmt::CreateTrigger { temporary, .. }
            | Stmt::CreateView { temporary, .. } => !temporary,
            _ => true,
        };
        if !allowed {
            return Err(error("SQL_PARSE_ERROR", format!("unsupported statement: {sql}")));
        }
    }
    match count {
        1 => Ok(changes),
        0 => Err(error("SQL_NO_STATEMENT", "no statement")),
        _ if one => Err(error("SQL_MANY_STATEMENTS", sql)),
        _ => Ok(changes),
    }
}

fn said(problem: &libsql::Error) -> Json {
    let code = match problem {
        libsql::Error::SqliteFailure(code, _) => match code & 0xff {
            5 => "SQLITE_BUSY",
            13 => "SQLITE_FULL",
            19 => "SQLITE_CONSTRAINT",
            _ => "SQLITE_UNKNOWN",
        },
        _ => "SQLITE_UNKNOWN",
    };
    error(code, problem)
}

fn value(value: &Json) -> Value {
    let text = || value["value"].as_str().expect("text").to_owned();
    match value["type"].as_str().expect("a type") {
        "null" => Value::Null,
        "integer" => Value::Integer(text().parse().expect("a whole number")),
        "float" => Value::Real(value["value"].as_f64().expect("a number")),
        "text" => Value::Text(text()),
        "blob" => {
            // The server takes both forms.
            let text = value["base64"].as_str().expect("base64").trim_end_matches('=');
            Value::Blob(STANDARD_NO_PAD.decode(text).expect("base64"))
        }
        other => panic!("no type of a value: `{other}`"),
    }
}

fn encoded(value: &Value) -> Json {
    match value {
        Value::Null => json!({ "type": "null" }),
        Value::Integer(number) => json!({ "type": "integer", "value": number.to_string() }),
        Value::Real(number) => json!({ "type": "float", "value": number }),
        Value::Text(text) => json!({ "type": "text", "value": text }),
        Value::Blob(bytes) => json!({ "type": "blob", "base64": STANDARD_NO_PAD.encode(bytes) }),
    }
}
