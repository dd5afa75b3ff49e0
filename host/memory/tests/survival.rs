//! What was acknowledged survives `kill -9`. The test runs itself again as a process that
//! appends, kills it at twenty moments, and compares what it said with what is in the file.
//! It is no test of power cuts; those need another machine.
#![expect(clippy::disallowed_methods, reason = "the test starts itself as the process it kills")]

use futures_util::future::BoxFuture;
use hydroid_core::audit::{AuditAction, AuditEvent, AuditOutcome};
use hydroid_core::entry::Entry;
use hydroid_core::id::{SessionId, TurnId, UserId};
use hydroid_core::message::{StopReason, Usage};
use hydroid_core::ports::{
    Audit, Clock, EmbedError, EmbedPurpose, Embedder, EmbedderDescription, Journal, NewSession,
    Note, Question, Recall, Scope, StoreError,
};
use hydroid_core::retrieval::fusion::Tuning;
use hydroid_memory::{AuditLog, Database, Memory, NewFile};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Set for the process that is to be killed.
const FILE: &str = "HYDROID_TEST_SURVIVAL_FILE";

/// Records an auditor writes at once, as many calls of one answer do: they are stored together.
const AT_ONCE: usize = 8;

/// What the rememberer is at.
const AT: &str = "at ";

/// Where the rememberer is killed, in turn.
const PLACES: [&str; 4] = ["save", "update", "ingest", "embed"];

/// Separates what the appender says from what the test harness prints around it.
const ACKNOWLEDGED: &str = "acknowledged ";

fn session() -> SessionId {
    SessionId::new("s")
}

/// Each slice has a length that follows from where it begins, so a torn one is recognised, and
/// ends a step, so that it is a message of its own in the index.
fn slice(begin: u64) -> Vec<Entry> {
    let turn = TurnId::new("t");
    let word = word(begin);
    let text = format!(" {word} {}", "x".repeat(usize::try_from(begin % 7).unwrap() * 500));
    let pieces = usize::try_from(begin % 4 + 1).unwrap();
    let mut slice = vec![Entry::Text { turn: turn.clone(), text }; pieces];
    let usage = Usage::default();
    slice.push(Entry::StepEnded { turn, stop: StopReason::EndTurn, usage, dollars: None });
    slice
}

/// A word that no other slice has, not even as the beginning of one.
fn word(begin: u64) -> String {
    format!("n{begin}n")
}

/// Does nothing unless the test below starts it.
#[tokio::test]
async fn appender() {
    let Ok(path) = std::env::var(FILE) else { return };
    let database = Database::open(path).await.unwrap();
    let new =
        NewSession { id: session(), user: UserId::new("local"), title: "t".into(), created_ms: 1 };
    match database.create(new).await {
        Ok(()) | Err(StoreError::SessionExists(_)) => {}
        Err(error) => panic!("{error:?}"),
    }
    let mut last = database.append(&session(), &[], 1).await.unwrap();
    loop {
        last = database.append(&session(), &slice(last + 1), 1).await.unwrap();
        let mut out = std::io::stdout().lock();
        writeln!(out, "\n{ACKNOWLEDGED}{last}").unwrap();
        out.flush().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_kill_9() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("hydroid.db");
    let mut acknowledged = 0;
    for round in 0..20 {
        // The first rounds fall into opening and migrating, the later ones into appending.
        let life = Duration::from_micros(if round < 5 {
            3_000 * (round + 1)
        } else {
            30_000 + 7_919 * round % 50_000
        });
        let said = tokio::task::spawn_blocking({
            let path = path.clone();
            move || run_and_kill("appender", &path, life)
        });
        acknowledged = said.await.unwrap().unwrap_or(acknowledged);
        let database = Database::open(&path).await.unwrap();
        assert_eq!(
            database.integrity_check().await.unwrap(),
            Vec::<String>::new(),
            "round {round}"
        );
        let entries = match database.entries(&UserId::new("local"), &session(), 0).await {
            Ok(entries) => entries,
            Err(StoreError::NoSession(_)) if acknowledged == 0 => continue,
            Err(error) => panic!("round {round}: {error:?}"),
        };
        let stored = entries.len() as u64;
        assert!(
            stored >= acknowledged,
            "round {round}: {acknowledged} acknowledged, {stored} stored"
        );
        assert!(entries.iter().map(|entry| entry.seq).eq(1..=stored), "round {round}: a gap");
        let mut rest = entries.into_iter().map(|entry| entry.entry).collect::<Vec<_>>();
        let (mut begin, mut last) = (1, None);
        while !rest.is_empty() {
            let expect = slice(begin);
            assert!(rest.len() >= expect.len(), "round {round}: the append at {begin} is torn");
            assert_eq!(rest.drain(..expect.len()).collect::<Vec<_>>(), expect, "round {round}");
            last = Some(begin);
            begin += expect.len() as u64;
        }
        // What is in the journal can be found, and what is not cannot.
        for (begin, expect) in last.map(|last| (last, 1)).into_iter().chain([(begin, 0)]) {
            let question = Question { words: word(begin), limit: 9, ..Question::default() };
            let hits = database.search(&UserId::new("local"), question).await.unwrap();
            let with = hits.iter().filter(|hit| hit.text.contains(&word(begin))).count();
            assert_eq!(with, expect, "round {round}: the message at {begin}");
        }
        acknowledged = stored;
    }
    assert!(acknowledged > 100, "the appender hardly ran: {acknowledged}");
}

struct Epoch;

impl Clock for Epoch {
    fn now_ms(&self) -> u64 {
        0
    }
}

async fn audit_log(path: impl AsRef<std::path::Path>) -> AuditLog {
    AuditLog::new(Database::open(path).await.unwrap(), Arc::new(Epoch))
}

/// Does nothing unless the test below starts it.
#[tokio::test]
async fn auditor() {
    let Ok(path) = std::env::var(FILE) else { return };
    let log = audit_log(path).await;
    for written in (0_u64..).step_by(AT_ONCE).skip(1) {
        let records = (0..AT_ONCE).map(|number| {
            let what = format!("{written} {number}");
            let user = UserId::new("local");
            log.record(AuditEvent::new(user, AuditAction::Request, what, AuditOutcome::Allowed))
        });
        for recorded in futures_util::future::join_all(records).await {
            recorded.unwrap();
        }
        let mut out = std::io::stdout().lock();
        writeln!(out, "\n{ACKNOWLEDGED}{written}").unwrap();
        out.flush().unwrap();
    }
}

/// Two at a time write and are killed; nothing that was acknowledged is missing, and the crash is
/// not taken for somebody who removed records.
#[tokio::test(flavor = "multi_thread")]
async fn an_audit_log_survives_kill_9_and_stays_whole() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("hydroid.db");
    let mut acknowledged = 0;
    for round in 0..12 {
        let killed = [0, 1].map(|which| {
            let path = path.clone();
            let life = Duration::from_micros(40_000 + 7_919 * (2 * round + which) % 50_000);
            tokio::task::spawn_blocking(move || run_and_kill("auditor", &path, life))
        });
        for killed in killed {
            acknowledged += killed.await.unwrap().unwrap_or(0);
        }
        let report = audit_log(&path).await.verify().await.unwrap();
        assert_eq!(report.breaks, [], "round {round}");
        assert!(report.records >= acknowledged, "round {round}: {acknowledged} of {report:?}");
    }
    assert!(acknowledged > 30, "the auditors hardly ran: {acknowledged}");
}

/// Does nothing unless the test below starts it: opens the file and closes it again.
#[tokio::test]
async fn visitor() {
    let Ok(path) = std::env::var(FILE) else { return };
    drop(Database::open(path).await.unwrap());
}

/// POSIX locks belong to the process: closing any descriptor of the file lets all of them go. Then
/// a visitor takes itself for the last one and removes the log that is still in use.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_opened_twice_here_keeps_its_log_when_another_process_leaves() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("hydroid.db");
    let first = Database::open(&path).await.unwrap();
    first.add_user(&UserId::new("anna")).await.unwrap();
    let second = Database::open(&path).await.unwrap();
    second.schema_version().await.unwrap();
    let visited = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "visitor"])
        .env(FILE, &path)
        .output()
        .unwrap();
    assert!(visited.status.success(), "{visited:?}");
    assert!(path.with_file_name("hydroid.db-wal").exists(), "the visitor removed the log");
    first.add_user(&UserId::new("ben")).await.unwrap();
    assert_eq!(second.integrity_check().await.unwrap(), Vec::<String>::new());
}

/// Does nothing unless the test below starts it: saves notes, changes them, takes files in, and
/// gives everything vectors by one embedder after another.
#[tokio::test(flavor = "multi_thread")]
async fn rememberer() {
    let Ok(path) = std::env::var(FILE) else { return };
    let database = Database::open(path).await.unwrap();
    let user = UserId::new("local");
    let begun = database.memory_status(&user, None).await.unwrap().notes;
    let life = std::process::id();
    let embedding = tokio::spawn({
        let (database, user) = (database.clone(), user.clone());
        async move {
            for round in 0_u64.. {
                let embedder = Arc::new(Places(format!("{life}-{}", round / 3)));
                let memory = Memory::new(database.clone(), Some(embedder), Tuning::default());
                memory.embed_all(&user, |_| {}).await.unwrap();
            }
        }
    });
    for number in begun + 1.. {
        at("save");
        let text = format!("note {number} says m{number}m {}", "x".repeat(300));
        let id = database.save(&user, Note::new(text, &[]).unwrap(), 1).await.unwrap();
        at("update");
        let changed = format!("note {number} says c{number}c {}", "y. ".repeat(600));
        database.update(&user, &id, Note::new(changed, &[]).unwrap(), 2).await.unwrap();
        at("ingest");
        let file = NewFile {
            path: format!("/f/{}", number % 5),
            scope: Scope::User,
            text: format!("begins b{number}b. {} ends e{number}e", "z. ".repeat(1_000)),
            digest: number.to_string(),
            bytes: 1,
            modified_ms: 1,
        };
        database.take_file(&user, file, 3).await.unwrap();
        let mut out = std::io::stdout().lock();
        writeln!(out, "\n{ACKNOWLEDGED}{number}").unwrap();
        out.flush().unwrap();
        assert!(!embedding.is_finished(), "the embedding ended");
    }
}

fn at(place: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "\n{AT}{place}").unwrap();
    out.flush().unwrap();
}

/// An embedder whose vectors are of no use and differ from another's.
struct Places(String);

impl Embedder for Places {
    fn describe(&self) -> BoxFuture<'_, Result<EmbedderDescription, EmbedError>> {
        Box::pin(async {
            let (identity, model) = (self.0.clone(), "places".to_owned());
            Ok(EmbedderDescription { identity, model, dimensions: 8, normalized: false })
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
            // What follows is that they are stored.
            at("embed");
            Ok(texts.iter().map(|text| vec![1.0 + text.len() as f32; 8]).collect())
        })
    }
}

/// Killed at fifty moments, a quarter each in saving, changing, taking in and embedding: no note
/// that was acknowledged is lost or half changed, no file is half taken in, and the database and its
/// index are whole.
#[tokio::test(flavor = "multi_thread")]
async fn memory_survives_kill_9_at_fifty_moments() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("hydroid.db");
    drop(Database::open(&path).await.unwrap());
    let user = UserId::new("local");
    let mut acknowledged = 0;
    for round in 0..50_u64 {
        // Beginnings of what it does, and a moment into the last of them: these take from a tenth
        // of a millisecond to some.
        let place = PLACES[usize::try_from(round).unwrap() % PLACES.len()];
        let moment = Moment {
            place,
            times: 1 + usize::try_from(round % 7).unwrap(),
            into: Duration::from_micros(37 * (round * round) % 2_500),
        };
        let said = tokio::task::spawn_blocking({
            let path = path.clone();
            move || run_and_kill_at("rememberer", &path, moment)
        });
        acknowledged = said.await.unwrap().unwrap_or(acknowledged);
        let database = Database::open(&path).await.unwrap();
        assert_eq!(
            database.integrity_check().await.unwrap(),
            Vec::<String>::new(),
            "round {round}"
        );
        let status = database.memory_status(&user, None).await.unwrap();
        assert!(status.notes >= acknowledged, "round {round}: {acknowledged} of {status:?}");
        assert!(status.of_other_embedders <= status.chunks, "round {round}: {status:?}");
        if acknowledged > 0 {
            let note = database.note(&user, &format!("note-{acknowledged}")).await.unwrap();
            assert!(
                note.text.contains(&format!("c{acknowledged}c")),
                "round {round}: {}",
                note.text
            );
            let question =
                Question { words: format!("c{acknowledged}c"), limit: 3, ..Question::default() };
            let hits = database.search(&user, question).await.unwrap();
            assert_eq!(hits.first().map(|hit| &hit.id), Some(&note.id), "round {round}");
        }
        let files = database.files(&user).await.unwrap();
        let newest = files.iter().filter_map(|file| file.digest.parse().ok()).max().unwrap_or(0);
        assert!(newest >= acknowledged, "round {round}: the file of {acknowledged} is not there");
        for file in files {
            // The old text or the new one, from the first chunk to the last.
            let number = &file.digest;
            for word in [format!("b{number}b"), format!("e{number}e")] {
                let question = Question { words: word.clone(), limit: 9, ..Question::default() };
                let hits = database.search(&user, question).await.unwrap();
                let with = hits.iter().filter(|hit| hit.text.contains(&word)).count();
                assert_eq!(with, 1, "round {round}: `{word}` of {file:?}");
            }
        }
    }
    assert!(acknowledged > 40, "the process hardly ran: {acknowledged}");
    // What was left half done is done now, by one embedder.
    let database = Database::open(&path).await.unwrap();
    let memory = Memory::new(database, Some(Arc::new(Places("last".into()))), Tuning::default());
    let progress = memory.embed_all(&user, |_| {}).await.unwrap();
    assert_eq!(progress.done, progress.total);
}

/// When a process is killed.
struct Moment {
    place: &'static str,
    /// So often it has come to that place.
    times: usize,
    /// So long after it came there.
    into: Duration,
}

/// The last number the process said before it was killed at a place.
fn run_and_kill_at(test: &str, path: &std::path::Path, moment: Moment) -> Option<u64> {
    let mut child = start(test, path);
    let out = BufReader::new(child.stdout.take().unwrap());
    let (came, coming) = std::sync::mpsc::channel();
    let reading = std::thread::spawn(move || {
        let (mut times, mut last) = (0, None);
        for line in out.lines().map_while(Result::ok) {
            if let Some(number) = line.strip_prefix(ACKNOWLEDGED) {
                last = number.parse().ok();
            } else if line.strip_prefix(AT) == Some(moment.place) {
                times += 1;
                if times == moment.times {
                    came.send(Instant::now()).ok();
                }
            }
        }
        last
    });
    let began = coming.recv_timeout(Duration::from_secs(60)).expect("it comes to the place");
    while began.elapsed() < moment.into {
        std::hint::spin_loop();
    }
    kill(child);
    reading.join().unwrap()
}

fn start(test: &str, path: &std::path::Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(FILE, path)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// SIGKILL on Unix: the process gets no chance to tidy up.
fn kill(mut child: Child) {
    child.kill().unwrap();
    let status = child.wait().unwrap();
    assert!(!status.success() && status.code().is_none(), "the process ended by itself: {status}");
}

/// The last number the appender said before it was killed.
fn run_and_kill(test: &str, path: &std::path::Path, life: Duration) -> Option<u64> {
    let mut child = start(test, path);
    let out = BufReader::new(child.stdout.take().unwrap());
    let reading = std::thread::spawn(move || {
        let numbers = out.lines().map_while(Result::ok);
        numbers.filter_map(|line| line.strip_prefix(ACKNOWLEDGED)?.parse().ok()).last()
    });
    let start = Instant::now();
    while start.elapsed() < life {
        std::thread::sleep(Duration::from_micros(200));
    }
    kill(child);
    reading.join().unwrap()
}
