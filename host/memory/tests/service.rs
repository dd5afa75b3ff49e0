//! Sessions and memory at a service that speaks Hrana: everything a file can do, through trouble on
//! the way. The way itself, with HTTP and the token, is tested with the built binary.

#[path = "../../../tests/it/support/hrana.rs"]
mod hrana;

use futures_util::future::BoxFuture;
use hrana::{Hrana, Trouble};
use hydroid_core::entry::Entry;
use hydroid_core::id::{ClientKey, SessionId, TurnId, UserId};
use hydroid_core::message::{Message, StopReason, Usage};
use hydroid_core::ports::{
    EmbedError, EmbedPurpose, Embedder, EmbedderDescription, Journal, NewSession, Note, Question,
    Recall, Saying, Scope, ServiceAnswer, ServiceError, StoreError, StoreService, StoredSessions,
    WaitingMessages,
};
use hydroid_core::retrieval::fusion::Tuning;
use hydroid_memory::{Database, Memory, NewFile, Taken};
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The way to the service without a network.
struct Way(Arc<Hrana>);

impl StoreService for Way {
    fn address(&self) -> &str {
        "https://db.example.com"
    }

    fn post<'a>(
        &'a self,
        named: Option<&'a str>,
        path: &'a str,
        body: Vec<u8>,
    ) -> BoxFuture<'a, Result<ServiceAnswer, ServiceError>> {
        assert_eq!((named, path), (None, "v3/pipeline"));
        let hrana = self.0.clone();
        Box::pin(async move {
            let body = String::from_utf8(body).expect("JSON is UTF-8");
            // A connection that waits for another blocks its thread.
            let handle = tokio::runtime::Handle::current();
            let answer =
                tokio::task::spawn_blocking(move || handle.block_on(hrana.pipeline(&body)));
            match answer.await.expect("the service does not panic") {
                Some((status, body)) => Ok(ServiceAnswer { status, body: body.into_bytes() }),
                None => {
                    Err(ServiceError { message: "cannot be reached: it broke".into(), sent: true })
                }
            }
        })
    }
}

struct Scene {
    directory: tempfile::TempDir,
    hrana: Arc<Hrana>,
    database: Database,
}

impl Scene {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let hrana = Arc::new(Hrana::open(&directory.path().join("service.db")).await);
        let database = Self::machine(&directory, &hrana, "one").await;
        Self { directory, hrana, database }
    }

    /// A machine with a file of its own, and the same service.
    async fn machine(directory: &tempfile::TempDir, hrana: &Arc<Hrana>, name: &str) -> Database {
        let path = directory.path().join(name).join("journal.db");
        Database::open_with(path, Some(Arc::new(Way(hrana.clone())))).await.unwrap()
    }

    async fn another(&self) -> Database {
        Self::machine(&self.directory, &self.hrana, "two").await
    }
}

fn local() -> UserId {
    UserId::new("local")
}

fn session(id: &str, user: &str) -> NewSession {
    NewSession { id: SessionId::new(id), user: UserId::new(user), title: "t".into(), created_ms: 1 }
}

fn said(text: &str) -> Vec<Entry> {
    let turn = TurnId::new("t");
    let answer = |text: &str| Entry::Text { turn: turn.clone(), text: text.into() };
    vec![
        Entry::TurnStarted { turn: turn.clone(), parts: Message::user(text).parts, key: None },
        answer("the answer to "),
        answer(text),
        Entry::StepEnded {
            turn: turn.clone(),
            stop: StopReason::EndTurn,
            usage: Usage::default(),
            dollars: None,
        },
    ]
}

async fn found(database: &Database, user: &UserId, words: &str) -> Vec<String> {
    let question = Question { words: words.into(), limit: 9, ..Question::default() };
    database.search(user, question).await.unwrap().into_iter().map(|hit| hit.text).collect()
}

fn why(error: &StoreError) -> String {
    error.source().map(ToString::to_string).unwrap_or_default()
}

/// What was said, saved and taken in on one machine is there on another, and none of it in a file.
#[tokio::test(flavor = "multi_thread")]
async fn what_one_machine_keeps_another_finds() {
    let scene = Scene::new().await;
    let (here, user) = (&scene.database, local());
    assert_eq!(here.service(), Some("https://db.example.com"));
    here.create(session("s", "local")).await.unwrap();
    assert!(matches!(here.create(session("s", "local")).await, Err(StoreError::SessionExists(_))));
    let text = "the harbour \0 'inn' 🦀 has a room";
    assert_eq!(here.append(&SessionId::new("s"), &said(text), 5).await.unwrap(), 4);
    let note =
        Note::new("the ferry leaves at noon".into(), &["travel".into(), "boat".into()]).unwrap();
    let id = here.save(&user, note, 6).await.unwrap();
    let file = NewFile {
        path: "/f/a.md".into(),
        scope: Scope::User,
        text: "A lighthouse. ".repeat(900),
        digest: "d".into(),
        bytes: 1,
        modified_ms: 1,
    };
    let Taken::New { chunks } = here.take_file(&user, file.clone(), 7).await.unwrap() else {
        panic!("it was known")
    };
    assert!(chunks > 15, "{chunks}");
    assert_eq!(here.take_file(&user, file, 8).await.unwrap(), Taken::Same);

    let there = scene.another().await;
    let entries = there.entries(&user, &SessionId::new("s"), 0).await.unwrap();
    let entries: Vec<Entry> = entries.into_iter().map(|entry| entry.entry).collect();
    assert_eq!(entries, said(text));
    assert_eq!(there.sessions(&user, 9).await.unwrap()[0].turns, 1);
    let hits = found(&there, &user, "harbour").await;
    assert_eq!(hits.len(), 2, "{hits:?}");
    assert!(hits.iter().any(|hit| hit.starts_with("the answer to the harbour")), "{hits:?}");
    assert_eq!(found(&there, &user, "ferries").await, ["the ferry leaves at noon"]);
    assert!(found(&there, &user, "lighthouses").await.len() > 3);
    assert_eq!(there.note(&user, &id).await.unwrap().tags.len(), 2);
    let changed = Note::new("the ferry leaves at one".into(), &[]).unwrap();
    there.update(&user, &id, changed, 9).await.unwrap();
    assert_eq!(found(here, &user, "ferry").await, ["the ferry leaves at one"]);

    // Another person of the same service sees nothing of it.
    let eve = UserId::new("eve");
    there.add_user(&eve).await.unwrap();
    assert_eq!(found(&there, &eve, "ferry").await, [""; 0]);
    assert!(there.entries(&eve, &SessionId::new("s"), 0).await.is_err());

    // Without the service nothing of it is left here.
    let path = scene.directory.path().join("one/journal.db");
    let alone = Database::open(path).await.unwrap();
    assert_eq!(alone.sessions(&user, 9).await.unwrap(), []);
    assert_eq!(found(&alone, &user, "ferry").await, [""; 0]);
    let forgotten = here.purge(&user, true).await.unwrap();
    assert_eq!((forgotten.notes, forgotten.files, forgotten.sessions), (1, 1, 1));
    assert_eq!(there.sessions(&user, 9).await.unwrap(), []);
    assert_eq!(found(&there, &user, "ferry harbour lighthouse").await, [""; 0]);
    assert_eq!(scene.hrana.counts().1, 0, "no stream is left open");
}

/// An embedder whose vectors say how long a text is.
struct Lengths;

impl Embedder for Lengths {
    fn describe(&self) -> BoxFuture<'_, Result<EmbedderDescription, EmbedError>> {
        Box::pin(async {
            let (identity, model) = ("lengths".to_owned(), "lengths".to_owned());
            Ok(EmbedderDescription { identity, model, dimensions: 4, normalized: false })
        })
    }

    fn embed<'a>(
        &'a self,
        _: &'a UserId,
        texts: Vec<String>,
        _: EmbedPurpose,
        _: Option<hydroid_core::telemetry::Trace>,
    ) -> BoxFuture<'a, Result<Vec<Vec<f32>>, EmbedError>> {
        Box::pin(async move {
            Ok(texts.iter().map(|text| vec![1.0, text.len() as f32, 0.5, -3.0]).collect())
        })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn vectors_are_kept_there_and_compared_here() {
    let scene = Scene::new().await;
    let user = local();
    for number in 0..150 {
        let note = Note::new(format!("note {number} about boats"), &[]).unwrap();
        scene.database.save(&user, note, number).await.unwrap();
    }
    let memory = |database: &Database| {
        Memory::new(database.clone(), Some(Arc::new(Lengths)), Tuning::default())
    };
    let before = scene.hrana.counts().0;
    let progress = memory(&scene.database).embed_all(&user, |_| {}).await.unwrap();
    assert_eq!((progress.done, progress.total), (150, 150));
    let ways = scene.hrana.counts().0 - before;
    assert!(ways < 60, "{ways} requests for 150 vectors");
    let question = Question { words: "boats".into(), limit: 5, ..Question::default() };
    let hits = memory(&scene.another().await).search(&user, question).await.unwrap();
    let why = &hits[0].why;
    assert!(why.cosine.is_some(), "{why:?}");
}

/// Whatever breaks in the middle, a transaction is there as a whole or not at all, and the next one
/// goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_way_that_breaks_leaves_no_half_transaction() {
    let scene = Scene::new().await;
    let (database, s) = (&scene.database, SessionId::new("s"));
    database.create(session("s", "local")).await.unwrap();
    let mut stored = 0;
    // One append takes fewer requests than this; the last rounds meet no trouble.
    for trouble in [Trouble::LostRequest, Trouble::LostAnswer, Trouble::Expired] {
        let mut failed = 0;
        for at in 0..12 {
            let (count, what) = (AtomicUsize::new(0), trouble.clone());
            scene.hrana.trouble(move |_| {
                (count.fetch_add(1, Ordering::SeqCst) == at).then(|| what.clone())
            });
            let appended = database.append(&s, &said("hello"), 5).await;
            scene.hrana.trouble(|_| None);
            // What did not arrive is let go of at once; what did, and was not answered, is not.
            let open = scene.hrana.counts().1;
            assert!(open == 0 || matches!(trouble, Trouble::LostAnswer), "{open} at {at}");
            scene.hrana.expire();
            let entries = database.entries(&local(), &s, 0).await.unwrap();
            let now = entries.len();
            assert!(entries.iter().map(|entry| entry.seq).eq(1..=now as u64), "a gap at {at}");
            match appended {
                Ok(last) => assert_eq!((last, now), (now as u64, stored + 4)),
                Err(error) => {
                    failed += 1;
                    let why = why(&error);
                    // Only of the last message, which keeps everything, the end is not known.
                    let unknown = why.contains("not known");
                    assert!(now == stored || (unknown && now == stored + 4), "{at}: {why}");
                    assert!(why.starts_with("the memory at `https://db.example.com` "), "{why}");
                }
            }
            stored = now;
        }
        assert!(failed > 2, "{trouble:?} met nothing");
    }
    assert_eq!(found(database, &local(), "hello").await.len().min(2), 2);
}

/// A stream that ended is not gone on with outside of a transaction.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_outside_of_a_transaction_that_ended() {
    let scene = Scene::new().await;
    let (database, s) = (&scene.database, SessionId::new("s"));
    database.create(session("s", "local")).await.unwrap();
    scene.hrana.trouble(|body| {
        // The service closes the stream itself and forgets what was begun.
        body.contains("BEGIN").then(|| {
            let done =
                r#"{"cols":[],"rows":[[{"type":"integer","value":"1"}]],"affected_row_count":0}"#;
            let result = format!(
                r#"{{"step_results":[{done},{done},{done}],"step_errors":[null,null,null]}}"#
            );
            let result =
                format!(r#"{{"type":"ok","response":{{"type":"batch","result":{result}}}}}"#);
            Trouble::Answer(
                200,
                format!(r#"{{"baton":null,"base_url":null,"results":[{result}]}}"#),
            )
        })
    });
    let error = database.append(&s, &said("hello"), 5).await.unwrap_err();
    assert!(why(&error).contains("nothing of it was kept"), "{}", why(&error));
    scene.hrana.trouble(|_| None);
    assert_eq!(database.entries(&local(), &s, 0).await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_are_none_are_errors_that_say_so() {
    let scene = Scene::new().await;
    scene.database.create(session("s", "local")).await.unwrap();
    let deep = format!("{{\"results\":{}", "[".repeat(100_000));
    let value = |value: &str| {
        let done = format!(r#"{{"cols":[],"rows":[[{value}]],"affected_row_count":0}}"#);
        let result = format!(r#"{{"step_results":[{done}],"step_errors":[null]}}"#);
        let batch = format!(r#"{{"type":"ok","response":{{"type":"batch","result":{result}}}}}"#);
        format!(
            r#"{{"baton":null,"results":[{batch},{{"type":"ok","response":{{"type":"close"}}}}]}}"#
        )
    };
    let cases = [
        (200, "<html>It works!</html>".to_owned(), "check `memory.url`"),
        (200, "null".to_owned(), "check `memory.url`"),
        (200, deep, "check `memory.url`"),
        (200, r#"{"results":[]}"#.to_owned(), "something else than was asked for"),
        (200, r#"{"results":[7,{}]}"#.to_owned(), "something else than was asked for"),
        (200, value(r#"{"type":"blob","base64":"%%%"}"#), "something else than was asked for"),
        (200, value(r#"{"type":"integer","value":"99999999999999999999"}"#), "something else"),
        (200, value(r#"{"type":"null"}"#), "something else than was asked for"),
        (200, value(""), "something else than was asked for"),
        (404, "no such namespace".to_owned(), "check `memory.url`: status 404"),
        (429, String::new(), "wait a moment"),
        (503, "\u{1b}[31mdown".to_owned(), "try again later: status 503"),
    ];
    for (status, body, expect) in cases {
        let shown: String = body.chars().take(60).collect();
        scene.hrana.trouble(move |_| Some(Trouble::Answer(status, body.clone())));
        let error = scene.database.sessions(&local(), 9).await.unwrap_err();
        let why = why(&error);
        assert!(why.contains(expect) && !why.contains('\u{1b}'), "{status} {shown}: {why}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_another_or_of_a_newer_version_is_left_alone() {
    let scene = Scene::new().await;
    let path = scene.directory.path().join("service.db");
    let alter = async |sql: &str| {
        let other = libsql::Builder::new_local(&path).build().await.unwrap();
        other.connect().unwrap().execute_batch(sql).await.unwrap();
    };
    alter("CREATE TABLE bookmarks (x)").await;
    let error = scene.database.sessions(&local(), 9).await.unwrap_err();
    assert!(why(&error).contains("belongs to another program"), "{}", why(&error));
    alter("DROP TABLE bookmarks").await;
    // What was wrong is looked at again.
    scene.database.sessions(&local(), 9).await.unwrap();
    alter("PRAGMA user_version = 99").await;
    let error = scene.another().await.sessions(&local(), 9).await.unwrap_err();
    assert!(why(&error).contains("update Hydroid"), "{}", why(&error));
}

/// Two machines write at once; each waits for the other.
#[tokio::test(flavor = "multi_thread")]
async fn two_machines_write_without_gaps() {
    let scene = Scene::new().await;
    let s = SessionId::new("s");
    scene.database.create(session("s", "local")).await.unwrap();
    let writing = [scene.database.clone(), scene.another().await].map(|database| {
        let s = s.clone();
        tokio::spawn(async move {
            for _ in 0..10 {
                database.append(&s, &said("hello"), 5).await.unwrap();
            }
        })
    });
    for writing in writing {
        writing.await.unwrap();
    }
    let entries = scene.database.entries(&local(), &s, 0).await.unwrap();
    assert!(entries.iter().map(|entry| entry.seq).eq(1..=80));
    assert_eq!(found(&scene.database, &local(), "hello").await.len(), 9);
}

/// More than such a service sends at once is read a page at a time.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_larger_than_an_answer_is_read_whole() {
    let scene = Scene::new().await;
    let s = SessionId::new("s");
    scene.database.create(session("s", "local")).await.unwrap();
    for _ in 0..12 {
        let text = Entry::Text { turn: TurnId::new("t"), text: "x".repeat(1 << 20) };
        scene.database.append(&s, &[text], 5).await.unwrap();
    }
    assert_eq!(scene.database.entries(&local(), &s, 0).await.unwrap().len(), 12);
    let copy = scene.database.fork(&s, session("copy", "local"), None, None);
    copy.await.unwrap();
    assert_eq!(
        scene.database.entries(&local(), &SessionId::new("copy"), 0).await.unwrap().len(),
        12
    );
}

/// What one home accepted is not begun by another at the same service, whose key it still is.
#[tokio::test(flavor = "multi_thread")]
async fn what_waits_is_the_affair_of_the_home_that_accepted_it() {
    let scene = Scene::new().await;
    let (here, user) = (&scene.database, local());
    let there = scene.another().await;
    here.create(session("s", "local")).await.unwrap();
    let (id, key) = (SessionId::new("s"), ClientKey::new("k"));
    let said_first = said("one");
    let Entry::TurnStarted { parts, .. } = said_first[0].clone() else { panic!() };
    let message = Saying { parts, key: Some(key.clone()), ..Saying::default() };
    let number = here.keep_waiting(&id, &message, None, 1).await.unwrap();
    assert_eq!(here.with_waiting(&user).await.unwrap(), [id.clone()]);
    assert_eq!(there.with_waiting(&user).await.unwrap(), []);
    assert_eq!(there.waiting(&user, &id).await.unwrap(), []);
    assert!(there.was_said(&user, &id, &key).await.unwrap());
    there.forget_waiting(&user, None).await.unwrap();
    // The same home, started again.
    let again = Scene::machine(&scene.directory, &scene.hrana, "one").await;
    let kept = Saying { waiting: Some(number), ..message };
    assert_eq!(again.waiting(&user, &id).await.unwrap(), [kept]);
    again.append_begun(&id, &said_first, number, 2).await.unwrap();
    assert_eq!(again.waiting(&user, &id).await.unwrap(), []);
    assert_eq!(again.entries(&user, &id, 0).await.unwrap().len(), said_first.len());
}
