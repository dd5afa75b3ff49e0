//! Bringing the file to the schema this version knows: forward only, one transaction for each
//! step. A migration that was released is never changed; a test compares with what it made.

use crate::failure::{Cause, Failure};
use libsql::{Connection, TransactionBehavior};
use std::path::Path;

/// Marks a file as ours in its header, `Hydr` in ASCII.
const APPLICATION_ID: u32 = 0x4879_6472;

/// The migrations in order; the number of each is its position from 1.
const MIGRATIONS: &[&str] = &[
    include_str!("../migrations/0001_sessions.sql"),
    include_str!("../migrations/0002_kv.sql"),
    include_str!("../migrations/0003_notes.sql"),
    include_str!("../migrations/0004_request_counts.sql"),
    include_str!("../migrations/0005_secrets.sql"),
    include_str!("../migrations/0006_audit.sql"),
    include_str!("../migrations/0007_approvals.sql"),
    include_str!("../migrations/0008_secret_places.sql"),
    include_str!("../migrations/0009_model_requests.sql"),
    include_str!("../migrations/0010_kept_answers.sql"),
    include_str!("../migrations/0011_secret_state.sql"),
    include_str!("../migrations/0012_conversations.sql"),
    include_str!("../migrations/0013_rate_limits.sql"),
    include_str!("../migrations/0014_chunks.sql"),
    include_str!("../migrations/0015_client_keys.sql"),
    include_str!("../migrations/0016_waiting.sql"),
];

/// The version of the schema of a file; 0 if it is new.
pub(crate) async fn version(connection: &Connection) -> Result<u32, Failure> {
    header(connection, "PRAGMA user_version").await
}

/// Applies what is missing.
pub(crate) async fn migrate(connection: &Connection, path: &Path) -> Result<(), Failure> {
    let known = u32::try_from(MIGRATIONS.len())?;
    loop {
        // The version is read inside, because another process may be doing the same.
        let transaction =
            connection.transaction_with_behavior(TransactionBehavior::Immediate).await?;
        let found = version(&transaction).await?;
        check_owner(&transaction, path, found).await?;
        if found > known {
            return Err(Cause::Newer { path: path.to_owned(), found, known }.into());
        }
        let Some(migration) = MIGRATIONS.get(usize::try_from(found)?) else { return Ok(()) };
        transaction.execute_batch(migration).await?;
        transaction.execute(&format!("PRAGMA application_id = {APPLICATION_ID}"), ()).await?;
        transaction.execute(&format!("PRAGMA user_version = {}", found + 1), ()).await?;
        transaction.commit().await?;
        tracing::debug!(version = found + 1, "migrated the database");
    }
}

/// Refuses a file that another program made: its tables would be mixed with ours.
async fn check_owner(connection: &Connection, path: &Path, version: u32) -> Result<(), Failure> {
    let application = header(connection, "PRAGMA application_id").await?;
    let tables = header(connection, "SELECT count(*) FROM sqlite_schema").await?;
    let ours =
        if version == 0 { application == 0 && tables == 0 } else { application == APPLICATION_ID };
    if ours { Ok(()) } else { Err(Cause::Foreign { path: path.to_owned() }.into()) }
}

async fn header(connection: &Connection, sql: &str) -> Result<u32, Failure> {
    let mut rows = connection.query(sql, ()).await?;
    let row = rows.next().await?.ok_or(libsql::Error::QueryReturnedNoRows)?;
    Ok(u32::try_from(row.get::<i64>(0)?)?)
}

#[cfg(test)]
#[expect(
    clippy::disallowed_methods,
    reason = "the tests make files as other versions and programs left them"
)]
mod tests {
    use super::*;
    use crate::{AuditBreak, AuditLog, Database, MasterKey, StandingApprovals};
    use hydroid_core::id::{ClientKey, ComponentId, SessionId, UserId};
    use hydroid_core::ports::{
        AnswerCache, Approvals, Clock, Journal, Ledger, NewSession, Question, RateLimits, Recall,
        RequestBudget, RequestWindow, SecretPlaces, Since, StoreError, StoredSessions,
        WaitingMessages,
    };
    use std::error::Error;
    use std::sync::Arc;

    struct At(u64);

    impl Clock for At {
        fn now_ms(&self) -> u64 {
            self.0
        }
    }

    /// What each version left, with rows in every table it had.
    const FIXTURES: [&str; MIGRATIONS.len()] = [
        include_str!("../migrations/fixtures/0001.sql"),
        include_str!("../migrations/fixtures/0002.sql"),
        include_str!("../migrations/fixtures/0003.sql"),
        include_str!("../migrations/fixtures/0004.sql"),
        include_str!("../migrations/fixtures/0005.sql"),
        include_str!("../migrations/fixtures/0006.sql"),
        include_str!("../migrations/fixtures/0007.sql"),
        include_str!("../migrations/fixtures/0008.sql"),
        include_str!("../migrations/fixtures/0009.sql"),
        include_str!("../migrations/fixtures/0010.sql"),
        include_str!("../migrations/fixtures/0011.sql"),
        include_str!("../migrations/fixtures/0012.sql"),
        include_str!("../migrations/fixtures/0013.sql"),
        include_str!("../migrations/fixtures/0014.sql"),
        include_str!("../migrations/fixtures/0015.sql"),
        include_str!("../migrations/fixtures/0016.sql"),
    ];

    async fn file_with(path: &Path, sql: &str) {
        let database = libsql::Builder::new_local(path).build().await.unwrap();
        database.connect().unwrap().execute_batch(sql).await.unwrap();
    }

    async fn schema(database: &Database) -> Vec<String> {
        database
            .read("read the schema", async |connection| {
                let sql = "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY type, name";
                let mut rows = connection.query(sql, ()).await?;
                let mut schema = Vec::new();
                while let Some(row) = rows.next().await? {
                    schema.push(row.get(0)?);
                }
                Ok(schema)
            })
            .await
            .unwrap()
    }

    #[track_caller]
    fn refused(opened: Result<Database, StoreError>, because: &str) {
        let error = opened.expect_err("opened");
        let sentence = format!("{error}: {}", error.source().unwrap());
        assert!(sentence.contains(because), "expected {because}\n  got {sentence}");
    }

    /// Fails when a migration was edited, too: the fixture holds the schema as it was.
    #[tokio::test]
    async fn every_old_file_becomes_like_a_new_one_and_keeps_its_rows() {
        let new = schema(&Database::open_in_memory().await.unwrap()).await;
        for (fixture, version) in FIXTURES.iter().zip(1_usize..) {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("hydroid.db");
            file_with(&path, fixture).await;
            let database = Database::open(&path).await.unwrap();
            assert_eq!(schema(&database).await, new, "from version {version}");
            assert_eq!(database.schema_version().await.unwrap() as usize, MIGRATIONS.len());
            assert_eq!(database.integrity_check().await.unwrap(), Vec::<String>::new());
            let entries =
                database.entries(&UserId::new("local"), &SessionId::new("s1"), 0).await.unwrap();
            assert_eq!(entries.len(), 2, "from version {version}");
            if version >= 2 {
                let kv = database.kv(UserId::new("local"), ComponentId::new("tool-notes"));
                assert_eq!(kv.get("key").await.unwrap(), Some(vec![0, 255]));
            }
            let local = UserId::new("local");
            let found = |words: &str| {
                let question = Question { words: words.into(), limit: 9, ..Question::default() };
                let search = database.search(&local, question);
                async { search.await.unwrap().into_iter().map(|hit| hit.text).collect::<Vec<_>>() }
            };
            // Said before there was an index, and found all the same; never another user's.
            assert_eq!(found("hello").await, ["hello", "hi ü"], "from version {version}");
            assert_eq!(found("HI u").await, ["hi ü", "hello"], "from version {version}");
            assert_eq!(found("secret").await, [""; 0], "from version {version}");
            database.check_index().await;
            if version >= 3 {
                assert_eq!(found("harbour").await, ["the harbour inn has a room"]);
                let session = SessionId::new("s1");
                assert_eq!(database.scratchpad(&local, &session).await.unwrap(), "in view");
            }
            if version >= 4 {
                let window = RequestWindow { key: "k", seconds: 60, most: 3 };
                let tool = ComponentId::new("tool-notes");
                let full = database.take(&tool, &[window], 1_700_000_010).await.unwrap();
                assert_eq!(full.and_then(|full| full.free_in), Some(50));
            }
            if version >= 5 {
                // Sealed by another program by the same rules.
                let bytes: Vec<u8> = (0..32).collect();
                let key = MasterKey::from_bytes(&bytes).unwrap();
                let opened = database.open_secrets(&local, &key).await.unwrap();
                let (name, value) = &opened.values[0];
                let value = value.as_ref().map(|value| value.expose());
                assert_eq!((name.as_str(), value), ("openai", Some("fixture-value")));
            }
            if version >= 6 {
                let log = AuditLog::new(database.clone(), Arc::new(At(5)));
                let report = log.verify().await.unwrap();
                // The dump has no head beside it.
                assert_eq!((report.records, report.breaks), (2, vec![AuditBreak::NoHead]));
            }
            if version >= 7 {
                let approvals = StandingApprovals::new(database.clone(), Arc::new(At(5)));
                let standing = approvals.standing(&local, 1_800_000_000_000).await.unwrap();
                let ids: Vec<&str> = standing.iter().map(|approval| approval.id.as_str()).collect();
                assert_eq!(ids, ["a1"]);
            }
            if version >= 8 {
                let places = database.marked(&local).await.unwrap();
                let places: Vec<String> = places.iter().map(ToString::to_string).collect();
                let state = if version >= 11 { &["state:tool-notes"][..] } else { &[] };
                assert_eq!(places, [&["file:/shared/a"], state].concat());
            }
            if version >= 9 {
                let spent = database.spent(&local, Since::default()).await.unwrap();
                assert_eq!((spent.requests, spent.unknown), (2, 1));
                assert_eq!(spent.known.pico(), 21_000_000_001);
            }
            if version >= 10 {
                let kept = database.kept(&local, "n1", 0).await.unwrap();
                let kept = kept.map(|kept| (kept.events.len(), kept.kept_ms));
                assert_eq!(kept, Some((2, 1_700_000_005_000)));
            }
            if version >= 12 {
                let described = database.described(&local, &SessionId::new("s1")).await.unwrap();
                assert!(described.archived);
                assert_eq!(database.untold(&local).await.unwrap().len(), 1);
            }
            if version >= 13 {
                let limits = database.limits(&local).await.unwrap();
                let limits: Vec<_> =
                    limits.iter().map(|said| (said.model.as_str(), said.at_ms)).collect();
                assert_eq!(limits, [("gpt-5", 1_700_000_006_000)]);
            }
            if version >= 14 {
                assert_eq!(found("ferry").await, ["the ferry leaves at noon"]);
                let status = database.memory_status(&local, None).await.unwrap();
                assert_eq!((status.files, status.of_other_embedders), (1, 1));
            }
            if version >= 15 {
                let again = NewSession {
                    id: SessionId::new("other"),
                    user: local.clone(),
                    title: String::new(),
                    created_ms: 1,
                };
                let begun =
                    StoredSessions::begin(&database, again, ClientKey::new("k1")).await.unwrap();
                assert_eq!(begun, SessionId::new("s1"));
            }
            if version >= 16 {
                let waiting = database.waiting(&local, &SessionId::new("s1")).await.unwrap();
                let numbers: Vec<_> = waiting.iter().map(|said| said.waiting).collect();
                assert_eq!(numbers, [Some(7)]);
            }
        }
    }

    #[tokio::test]
    async fn a_newer_file_is_refused_and_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("hydroid.db");
        drop(Database::open(&path).await.unwrap());
        file_with(&path, "PRAGMA user_version = 99; CREATE TABLE later (x);").await;
        let because = format!(
            "newer Hydroid: it has schema version 99 and this one knows {}; update",
            MIGRATIONS.len()
        );
        refused(Database::open(&path).await, &because);
    }

    #[tokio::test]
    async fn a_file_of_another_program_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("other.db");
        file_with(&path, "CREATE TABLE bookmarks (x); PRAGMA user_version = 2;").await;
        refused(Database::open(&path).await, "belongs to another program");
        let path = directory.path().join("text.db");
        std::fs::write(
            &path,
            "just some text, long enough to have no header of a database ".repeat(20),
        )
        .unwrap();
        refused(Database::open(&path).await, "the file is no database; choose another file");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn processes_that_start_together_migrate_once() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("hydroid.db");
        let opening: Vec<_> = (0..8).map(|_| tokio::spawn(Database::open(path.clone()))).collect();
        for opened in opening {
            let version = opened.await.unwrap().unwrap().schema_version().await.unwrap();
            assert_eq!(version as usize, MIGRATIONS.len());
        }
    }
}
