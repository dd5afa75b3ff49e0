//! Words and meaning together: an embedder that is there, one that is changed, one that fails.

use super::*;
use crate::NewFile;
use hydroid_core::entry::Entry;
use hydroid_core::id::TurnId;
use hydroid_core::message::Message;
use hydroid_core::ports::{
    EmbedError, EmbedderDescription, Journal, NewSession, Note, Scope, Scopes,
};
use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Knows a few words that mean the same, and gives every other word a place by its bytes.
pub(crate) struct Tiny {
    name: String,
    fails: AtomicBool,
    embedded: AtomicUsize,
    users: Mutex<BTreeSet<String>>,
}

const ALIKE: [&[&str]; 3] =
    [&["car", "automobile", "vehicle"], &["doctor", "physician"], &["tea", "drink", "beverage"]];

impl Tiny {
    fn new(name: &str) -> Arc<Self> {
        Arc::new(Self {
            name: name.into(),
            fails: AtomicBool::new(false),
            embedded: AtomicUsize::new(0),
            users: Mutex::default(),
        })
    }

    fn vector(&self, text: &str) -> Vec<f32> {
        let mut vector = vec![0.0; 64];
        for word in text.to_lowercase().split(|c: char| !c.is_alphanumeric()) {
            let group = ALIKE.iter().position(|words| words.contains(&word));
            let place = match group {
                Some(place) => place,
                // Names of embedders move everything, so that vectors of two never compare.
                None => {
                    3 + word.bytes().chain(self.name.bytes()).fold(7_usize, |hash, byte| {
                        hash.wrapping_mul(31).wrapping_add(usize::from(byte))
                    }) % 61
                }
            };
            if !word.is_empty() {
                vector[place] += 1.0;
            }
        }
        vector
    }
}

impl Embedder for Tiny {
    fn describe(&self) -> BoxFuture<'_, Result<EmbedderDescription, EmbedError>> {
        Box::pin(async {
            Ok(EmbedderDescription {
                identity: self.name.clone(),
                model: "tiny".into(),
                dimensions: 64,
                normalized: false,
            })
        })
    }

    fn embed<'a>(
        &'a self,
        user: &'a UserId,
        texts: Vec<String>,
        _: EmbedPurpose,
        _: Option<Trace>,
    ) -> BoxFuture<'a, Result<Vec<Vec<f32>>, EmbedError>> {
        Box::pin(async move {
            if self.fails.load(Ordering::SeqCst) {
                let (kind, message) = ("unavailable".to_owned(), "it is away".to_owned());
                return Err(EmbedError { kind, message, retry_after_ms: None });
            }
            self.users.lock().unwrap().insert(user.to_string());
            self.embedded.fetch_add(texts.len(), Ordering::SeqCst);
            Ok(texts.iter().map(|text| self.vector(text)).collect())
        })
    }
}

fn local() -> UserId {
    UserId::new("local")
}

fn question(words: &str) -> Question {
    Question { words: words.into(), limit: 10, ..Question::default() }
}

async fn memory_with(embedder: Option<Arc<Tiny>>, notes: &[&str]) -> Memory {
    let database = Database::open_in_memory().await.unwrap();
    let embedder = embedder.map(|embedder| embedder as Arc<dyn Embedder>);
    let memory = Memory::new(database, embedder, Tuning::default());
    for text in notes {
        memory.save(&local(), Note::new((*text).into(), &[]).unwrap(), 5).await.unwrap();
    }
    memory
}

async fn texts(memory: &Memory, question: Question) -> Vec<String> {
    let hits = memory.search(&local(), question).await.unwrap();
    hits.into_iter().map(|hit| hit.text).collect()
}

const NOTES: [&str; 4] = [
    "the automobile is in the garage",
    "the physician is away",
    "buy green tea",
    "trains are late",
];

#[tokio::test]
async fn what_means_the_same_is_found_once_there_are_vectors() {
    let memory = memory_with(Some(Tiny::new("a")), &NOTES).await;
    assert_eq!(texts(&memory, question("car")).await, [""; 0], "no vectors yet");
    let progress = memory.embed_all(&local(), |_| {}).await.unwrap();
    assert_eq!(progress, Progress { done: 4, total: 4 });
    assert_eq!(texts(&memory, question("car")).await[0], NOTES[0]);
    assert_eq!(texts(&memory, question("doctor")).await[0], NOTES[1]);
    let hits = memory.search(&local(), question("doctor away")).await.unwrap();
    let why = hits[0].why;
    assert_eq!((why.legs.keyword, why.legs.vector), (Some(1.0), Some(1.0)), "{why:?}");
    assert!(why.cosine.is_some_and(|cosine| cosine > 0.5), "{why:?}");
    let none = memory_with(None, &NOTES).await;
    assert_eq!(texts(&none, question("car")).await, [""; 0]);
    let hits = none.search(&local(), question("physician")).await.unwrap();
    assert_eq!((hits[0].why.legs.vector, hits[0].why.cosine), (None, None));
}

#[tokio::test]
async fn another_embedder_embeds_again_and_words_serve_meanwhile() {
    let memory = memory_with(Some(Tiny::new("a")), &NOTES).await;
    memory.embed_all(&local(), |_| {}).await.unwrap();
    let other = Tiny::new("b");
    let changed = Memory::new(memory.database().clone(), Some(other.clone()), Tuning::default());
    let hits = changed.search(&local(), question("green tea")).await.unwrap();
    assert_eq!(hits[0].text, NOTES[2]);
    assert_eq!(hits[0].why.legs.vector, None, "vectors of two embedders never meet");
    let mut seen = Vec::new();
    let progress = changed.embed_all(&local(), |progress| seen.push(progress)).await.unwrap();
    assert_eq!(
        (progress, seen[0]),
        (Progress { done: 4, total: 4 }, Progress { done: 0, total: 4 })
    );
    assert_eq!(texts(&changed, question("car")).await[0], NOTES[0]);
    let described = other.describe().await.unwrap();
    let status = changed.database().memory_status(&local(), Some(&described)).await.unwrap();
    assert_eq!((status.embedded, status.of_other_embedders), (4, 0));
    let again = other.embedded.load(Ordering::SeqCst);
    changed.embed_all(&local(), |_| {}).await.unwrap();
    assert_eq!(other.embedded.load(Ordering::SeqCst), again, "nothing is embedded twice");
}

#[tokio::test]
async fn an_embedder_that_is_away_costs_no_hit() {
    let embedder = Tiny::new("a");
    let memory = memory_with(Some(embedder.clone()), &NOTES).await;
    memory.embed_all(&local(), |_| {}).await.unwrap();
    embedder.fails.store(true, Ordering::SeqCst);
    assert_eq!(texts(&memory, question("green tea")).await, [NOTES[2]]);
    assert!(memory.embed_all(&local(), |_| {}).await.is_ok(), "nothing to do is no failure");
    memory.save(&local(), Note::new("a new note".into(), &[]).unwrap(), 6).await.unwrap();
    let error = memory.embed_all(&local(), |_| {}).await.unwrap_err();
    assert!(error.contains("it is away"), "{error}");
    assert_eq!(texts(&memory, question("new note")).await[0], "a new note");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_task_embeds_what_is_written_while_it_runs() {
    let memory = memory_with(Some(Tiny::new("a")), &[]).await;
    let memory = memory.indexing(local());
    memory.save(&local(), Note::new(NOTES[0].into(), &[]).unwrap(), 6).await.unwrap();
    for _ in 0..500 {
        if texts(&memory, question("car")).await == [NOTES[0]] {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("a note that was saved got no vector");
}

#[tokio::test]
async fn forgotten_and_changed_notes_have_no_vector_left() {
    let memory = memory_with(Some(Tiny::new("a")), &NOTES).await;
    memory.embed_all(&local(), |_| {}).await.unwrap();
    assert_eq!(texts(&memory, question("car")).await[0], NOTES[0]);
    memory.delete(&local(), "note-1").await.unwrap();
    assert!(!texts(&memory, question("car")).await.contains(&NOTES[0].to_owned()));
    memory
        .update(&local(), "note-2", Note::new("he drives a car".into(), &[]).unwrap(), 7)
        .await
        .unwrap();
    memory.embed_all(&local(), |_| {}).await.unwrap();
    assert_eq!(texts(&memory, question("vehicle")).await[0], "he drives a car");
    let status = memory.database().memory_status(&local(), None).await.unwrap();
    assert_eq!((status.chunks, status.of_other_embedders), (3, 3));
}

/// Two users, the same words and the same questions, one of them with far more: no row crosses,
/// and the other's many rows do not crowd out the few.
#[tokio::test]
async fn no_row_of_another_user_crosses_over_and_none_is_crowded_out() {
    let embedder = Tiny::new("a");
    let memory = memory_with(Some(embedder.clone()), &[]).await;
    let anna = UserId::new("anna");
    memory.database().add_user(&anna).await.unwrap();
    for n in 0..600 {
        let text = format!("automobile number {n} of anna is in the garage");
        memory.save(&anna, Note::new(text, &["x".into()]).unwrap(), 5).await.unwrap();
    }
    for n in 0..5 {
        let text = format!("automobile number {n} of local is in the garage");
        memory.save(&local(), Note::new(text, &["x".into()]).unwrap(), 5).await.unwrap();
    }
    for user in [&anna, &local()] {
        memory.embed_all(user, |_| {}).await.unwrap();
    }
    for words in ["car", "garage automobile", "anna", "number 3 local", "vehicle of anna"] {
        for (user, other) in [(&anna, "of local"), (&local(), "of anna")] {
            for scopes in [Scopes::default(), Scopes::All] {
                for tags in [BTreeSet::new(), BTreeSet::from(["x".to_owned()])] {
                    let asked =
                        Question { limit: 50, tags, scopes: scopes.clone(), ..question(words) };
                    let hits = memory.search(user, asked).await.unwrap();
                    assert!(hits.iter().all(|hit| !hit.text.contains(other)), "{user} {words}");
                    if words == "car" {
                        assert_eq!(hits.len(), if *user == anna { 50 } else { 5 }, "{words}");
                    }
                }
            }
        }
    }
    let users = embedder.users.lock().unwrap().clone();
    assert_eq!(users, BTreeSet::from(["anna".to_owned(), "local".to_owned()]));
}

#[tokio::test]
async fn times_in_words_narrow_and_recent_things_can_count_more() {
    const DAY: u64 = 86_400_000;
    let now = 20_000 * DAY;
    let memory = memory_with(None, &[]).await;
    for (days, text) in
        [(400, "lunch with anna, long ago"), (1, "lunch with anna"), (0, "lunch today")]
    {
        let note = Note::new(text.into(), &[]).unwrap();
        memory.save(&local(), note, now - days * DAY).await.unwrap();
    }
    let asked = |words: &str| Question { now_ms: Some(now + 1_000), ..question(words) };
    assert_eq!(texts(&memory, asked("lunch yesterday")).await, ["lunch with anna"]);
    assert_eq!(texts(&memory, asked("yesterday?")).await, ["lunch with anna"]);
    assert_eq!(texts(&memory, asked("lunch last month")).await.len(), 3, "nothing is from then");
    let old = Question { now_ms: None, ..asked("lunch yesterday") };
    assert_eq!(texts(&memory, old).await.len(), 3);
    let recent = Tuning { recency: 1.0, ..Tuning::default() };
    let asked = Question { tuning: Some(recent), ..asked("lunch anna long") };
    let hits = memory.search(&local(), asked).await.unwrap();
    assert!(hits[0].why.recency < 1.1 && hits[1].why.recency > 1.8, "{hits:?}");
    assert_eq!(hits[0].text, "lunch with anna, long ago", "three words against two");
}

#[tokio::test]
async fn what_is_newest_is_listed_of_every_kind() {
    let memory = memory_with(None, &["a note"]).await;
    let session = SessionId::new("s");
    let new = NewSession { id: session.clone(), user: local(), title: "t".into(), created_ms: 1 };
    memory.database().create(new).await.unwrap();
    let parts = Message::user("something said").parts;
    let entry = Entry::TurnStarted { turn: TurnId::new("t"), parts, key: None };
    memory.database().append(&session, &[entry], 9).await.unwrap();
    let newest = Question { order: Order::Newest, ..question("ignored") };
    assert_eq!(texts(&memory, newest.clone()).await, ["something said", "a note"]);
    let here = Question { not_of: Some(session), ..newest };
    assert_eq!(texts(&memory, here).await, ["a note"]);
}

/// Changing a note, taking a file in and embedding on a disk that takes no more: each says so, each
/// leaves what was there, and each goes on once there is space.
#[tokio::test]
async fn a_full_disk_leaves_notes_files_and_vectors_as_they_were() {
    let directory = tempfile::tempdir().unwrap();
    let database = Database::open(directory.path().join("hydroid.db")).await.unwrap();
    let user = UserId::new("local");
    let pages = async |sql: &'static str| {
        let limited = database.exclusively("limit the pages", async move |connection| {
            Ok(connection.execute_batch(sql).await?)
        });
        limited.await.unwrap();
    };
    let file = |number: usize| NewFile {
        path: "/f/a.md".into(),
        scope: Scope::User,
        text: format!("the tide of {number}. ").repeat(200 * number),
        digest: number.to_string(),
        bytes: 1,
        modified_ms: 1,
    };
    let first = Note::new("the lighthouse is open".into(), &[]).unwrap();
    let id = database.save(&user, first, 1).await.unwrap();
    database.take_file(&user, file(1), 1).await.unwrap();
    for number in 0..200 {
        let note = Note::new(format!("note {number} of tea"), &[]).unwrap();
        database.save(&user, note, 1).await.unwrap();
    }
    pages("PRAGMA max_page_count = 1").await;
    let full = |error: &dyn std::error::Error| {
        let why = with_cause(error);
        assert!(why.contains("there is no space left; free some and try again"), "{why}");
    };
    let changed = Note::new("the lighthouse is closed. ".repeat(200), &[]).unwrap();
    let RecallError::Store(error) =
        database.update(&user, &id, changed.clone(), 2).await.unwrap_err()
    else {
        panic!("another error")
    };
    full(&error);
    full(&database.take_file(&user, file(9), 2).await.unwrap_err());
    let memory = Memory::new(database.clone(), Some(Tiny::new("tiny")), Tuning::default());
    let problem = memory.embed_all(&user, |_| {}).await.unwrap_err();
    assert!(problem.contains("there is no space left"), "{problem}");
    // Reading goes on, and finds what was there.
    assert_eq!(database.note(&user, &id).await.unwrap().text, "the lighthouse is open");
    assert_eq!(database.files(&user).await.unwrap()[0].digest, "1");
    let question = Question { words: "lighthouse tide".into(), limit: 9, ..Question::default() };
    assert!(memory.search(&user, question).await.unwrap().len() > 1);
    assert_eq!(database.integrity_check().await.unwrap(), Vec::<String>::new());
    pages("PRAGMA max_page_count = 1000000").await;
    database.update(&user, &id, changed, 3).await.unwrap();
    database.take_file(&user, file(9), 3).await.unwrap();
    let progress = memory.embed_all(&user, |_| {}).await.unwrap();
    assert!(progress.total > 200 && progress.done == progress.total, "{progress:?}");
    assert_eq!(database.integrity_check().await.unwrap(), Vec::<String>::new());
}
