//! Listing, bringing back, pruning and forgetting, and that none of it touches another user.

use super::*;
use hydroid_core::entry::Entry;
use hydroid_core::id::{SessionId, TurnId};
use hydroid_core::message::Message;
use hydroid_core::ports::{Journal, NewSession, Question, Recall};

fn local() -> UserId {
    UserId::new("local")
}

fn note(text: &str, tags: &[&str]) -> Note {
    let tags: Vec<String> = tags.iter().map(|tag| (*tag).to_owned()).collect();
    Note::new(text.into(), &tags).unwrap()
}

async fn said(database: &Database, user: &UserId, session: &str, text: &str, at_ms: u64) {
    let id = SessionId::new(session);
    let (user, title) = (user.clone(), "t".to_owned());
    database.create(NewSession { id: id.clone(), user, title, created_ms: 1 }).await.unwrap();
    let (turn, parts) = (TurnId::new("t"), Message::user(text).parts);
    database.append(&id, &[Entry::TurnStarted { turn, parts, key: None }], at_ms).await.unwrap();
}

async fn count(database: &Database, user: &UserId, words: &str) -> usize {
    let question = Question { words: words.into(), limit: 50, ..Question::default() };
    database.search(user, question).await.unwrap().len()
}

#[tokio::test]
async fn notes_are_listed_and_brought_back_as_they_were() {
    let database = Database::open_in_memory().await.unwrap();
    let first =
        note("old news", &["a"]).in_scope(Scope::Project("p".into())).marked_important(true);
    let id = database.save(&local(), first, 5).await.unwrap();
    database.save(&local(), note("new news", &[]), 9).await.unwrap();
    let notes = database.notes(&local(), 0, 10).await.unwrap();
    assert_eq!(
        notes.iter().map(|note| note.text.as_str()).collect::<Vec<_>>(),
        ["new news", "old news"]
    );
    assert_eq!(database.notes(&local(), 1, 10).await.unwrap(), notes[1..]);
    let kept = database.note(&local(), &id).await.unwrap();
    assert_eq!((kept.scope.as_str(), kept.important), ("project:p", true));
    let other = Database::open_in_memory().await.unwrap();
    for kept in &notes {
        let tags: Vec<String> = kept.tags.iter().cloned().collect();
        let again = Note::new(kept.text.clone(), &tags)
            .unwrap()
            .in_scope(Scope::read(&kept.scope).unwrap())
            .marked_important(kept.important);
        let (made, changed) = (kept.created_ms, kept.updated_ms);
        assert!(other.bring_back(&local(), again.clone(), made, changed).await.unwrap());
        assert!(!other.bring_back(&local(), again, made, changed).await.unwrap(), "twice");
    }
    let without_id = |mut note: KeptNote| {
        note.id = String::new();
        note
    };
    let there: Vec<_> =
        other.notes(&local(), 0, 10).await.unwrap().into_iter().map(without_id).collect();
    assert_eq!(there, notes.into_iter().map(without_id).collect::<Vec<_>>());
    assert!(matches!(other.note(&local(), "note-99").await, Err(RecallError::NoNote(_))));
}

#[tokio::test]
async fn what_is_old_goes_and_what_is_important_stays() {
    let database = Database::open_in_memory().await.unwrap();
    database.save(&local(), note("old", &[]), 5).await.unwrap();
    database
        .save(&local(), note("old and important", &[]).marked_important(true), 5)
        .await
        .unwrap();
    database.save(&local(), note("new", &[]), 50).await.unwrap();
    said(&database, &local(), "s", "an old word", 5).await;
    let what =
        Pruned { before_ms: 10, sources: BTreeSet::new(), important: false, only_count: true };
    let expect = Forgotten { notes: 1, messages: 1, ..Forgotten::default() };
    assert_eq!(database.prune(&local(), what.clone()).await.unwrap(), expect);
    assert_eq!(count(&database, &local(), "old").await, 3, "it was only counted");
    let only_notes = Pruned { sources: [Source::Note].into(), only_count: false, ..what.clone() };
    let expect = Forgotten { notes: 1, ..Forgotten::default() };
    assert_eq!(database.prune(&local(), only_notes).await.unwrap(), expect);
    assert_eq!(count(&database, &local(), "old").await, 2);
    database.prune(&local(), Pruned { important: true, only_count: false, ..what }).await.unwrap();
    assert_eq!(count(&database, &local(), "old").await, 0);
    assert_eq!(database.entries(&local(), &SessionId::new("s"), 0).await.unwrap().len(), 1);
    database.check_index().await;
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "the test looks for what must not be in the file")]
async fn a_person_is_forgotten_down_to_the_bytes_and_another_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("hydroid.db");
    let database = Database::open(&path).await.unwrap();
    let anna = UserId::new("anna");
    database.add_user(&anna).await.unwrap();
    for (user, word) in [(local(), "rhododendron"), (anna.clone(), "chrysanthemum")] {
        database.save(&user, note(&format!("a {word} note"), &[]), 5).await.unwrap();
        said(&database, &user, &format!("s-{user}"), &format!("a {word} word"), 5).await;
    }
    let forgotten = database.purge(&local(), true).await.unwrap();
    assert_eq!(forgotten, Forgotten { notes: 1, messages: 1, files: 0, sessions: 1 });
    assert_eq!(count(&database, &local(), "rhododendron").await, 0);
    assert_eq!(count(&database, &anna, "chrysanthemum").await, 2);
    assert_eq!(database.integrity_check().await.unwrap(), Vec::<String>::new());
    database.check_index().await;
    for end in ["", "-wal"] {
        let bytes = std::fs::read(directory.path().join(format!("hydroid.db{end}"))).unwrap();
        let has = |word: &str| bytes.windows(word.len()).any(|bytes| bytes == word.as_bytes());
        assert!(!has("rhododendron"), "in hydroid.db{end}");
        assert!(!end.is_empty() || has("chrysanthemum"));
    }
}
