//! Attacks on the log, each with what verifying says of it, and the log under many writers.

use super::*;
use hydroid_core::audit::{AuditAction, AuditOutcome};
use hydroid_core::id::{ComponentId, SessionId, UserId};
use std::error::Error;
use std::path::Path;

struct At;

impl Clock for At {
    fn now_ms(&self) -> u64 {
        1_700_000_000_000
    }
}

fn event(resource: impl Into<String>) -> AuditEvent {
    let user = UserId::new("local");
    AuditEvent::new(user, AuditAction::Request, resource, AuditOutcome::Allowed)
}

async fn open(directory: &Path) -> AuditLog {
    let database = Database::open(directory.join("journal.db")).await.unwrap();
    AuditLog::new(database, Arc::new(At))
}

async fn with_records(directory: &Path, count: u32) -> AuditLog {
    let log = open(directory).await;
    for n in 1..=count {
        log.record(event(format!("r{n}"))).await.unwrap();
    }
    log
}

/// As somebody does who has the file and another program.
async fn tamper(directory: &Path, sql: &str) {
    let database = libsql::Builder::new_local(directory.join("journal.db")).build().await.unwrap();
    let connection = database.connect().unwrap();
    let triggers = "DROP TRIGGER audit_never_changed; DROP TRIGGER audit_never_removed;
        DROP TRIGGER audit_only_appended;";
    connection.execute_batch(&format!("{triggers}{sql}")).await.unwrap();
}

async fn breaks(directory: &Path) -> Vec<AuditBreak> {
    open(directory).await.verify().await.unwrap().breaks
}

/// Five records, then `sql`; what is found, and that it is still found after another record.
async fn check(sql: &str, expect: &[AuditBreak]) {
    let directory = tempfile::tempdir().unwrap();
    with_records(directory.path(), 5).await;
    tamper(directory.path(), sql).await;
    assert_eq!(breaks(directory.path()).await, expect, "{sql}");
    open(directory.path()).await.record(event("later")).await.unwrap();
    let later = breaks(directory.path()).await;
    assert!(!later.is_empty(), "forgotten after another record: {sql}");
}

#[tokio::test]
async fn a_log_that_nobody_touched_is_whole() {
    let directory = tempfile::tempdir().unwrap();
    let log = with_records(directory.path(), 5).await;
    let report = log.verify().await.unwrap();
    assert_eq!((report.records, report.breaks.as_slice()), (5, [].as_slice()));
    assert_eq!(report.last.map(|head| head.seq), Some(5));
    // Also after it was opened again, and before the first record.
    open(directory.path()).await.record(event("r6")).await.unwrap();
    assert_eq!(breaks(directory.path()).await, []);
    let empty = tempfile::tempdir().unwrap();
    assert_eq!(open(empty.path()).await.verify().await.unwrap().records, 0);
    assert_eq!(breaks(empty.path()).await, []);
}

#[tokio::test]
async fn a_removed_record_is_found_wherever_it_was() {
    use AuditBreak::{Missing, MissingAtEnd};
    check("DELETE FROM audit WHERE seq = 1", &[Missing { from: 1, to: 1 }]).await;
    check("DELETE FROM audit WHERE seq IN (2, 3)", &[Missing { from: 2, to: 3 }]).await;
    check("DELETE FROM audit WHERE seq = 5", &[MissingAtEnd { from: 5, to: 5 }]).await;
    check("DELETE FROM audit", &[MissingAtEnd { from: 1, to: 5 }]).await;
}

#[tokio::test]
async fn what_was_removed_at_the_end_stays_missing_under_later_records() {
    let directory = tempfile::tempdir().unwrap();
    with_records(directory.path(), 5).await;
    tamper(directory.path(), "DELETE FROM audit WHERE seq > 3").await;
    with_records(directory.path(), 3).await;
    assert_eq!(breaks(directory.path()).await, [AuditBreak::Missing { from: 4, to: 5 }]);
}

#[tokio::test]
async fn a_whole_file_that_was_removed_stays_missing() {
    let directory = tempfile::tempdir().unwrap();
    drop(with_records(directory.path(), 5).await);
    for end in ["", "-wal", "-shm"] {
        let path = directory.path().join(format!("journal.db{end}"));
        #[expect(clippy::disallowed_methods, reason = "the test removes a file")]
        drop(std::fs::remove_file(path));
    }
    assert_eq!(breaks(directory.path()).await, [AuditBreak::MissingAtEnd { from: 1, to: 5 }]);
    with_records(directory.path(), 2).await;
    assert_eq!(breaks(directory.path()).await, [AuditBreak::Missing { from: 1, to: 5 }]);
}

#[tokio::test]
async fn a_table_that_was_dropped_is_found() {
    let directory = tempfile::tempdir().unwrap();
    with_records(directory.path(), 5).await;
    tamper(directory.path(), "DROP TABLE audit").await;
    assert_eq!(breaks(directory.path()).await, [AuditBreak::NoTable]);
    let later = open(directory.path()).await.record(event("later")).await;
    assert!(later.is_err(), "what cannot be recorded is not done");
}

#[tokio::test]
async fn a_changed_record_is_found() {
    use AuditBreak::{Changed, Unchained};
    check(
        "UPDATE audit SET json = replace(json, 'allowed', 'denied') WHERE seq = 2",
        &[Changed(2)],
    )
    .await;
    check("UPDATE audit SET at_ms = at_ms + 1 WHERE seq = 5", &[Changed(5)]).await;
    check("UPDATE audit SET at_ms = -1 WHERE seq = 5", &[Changed(5)]).await;
    check("UPDATE audit SET prev = zeroblob(32) WHERE seq = 3", &[Unchained(3), Changed(3)]).await;
    check("UPDATE audit SET hash = zeroblob(32) WHERE seq = 3", &[Changed(3), Unchained(4)]).await;
}

#[tokio::test]
async fn records_that_changed_places_are_found() {
    use AuditBreak::{Changed, Unchained};
    let swap = "UPDATE audit SET seq = 99 WHERE seq = 2; UPDATE audit SET seq = 2 WHERE seq = 3;
        UPDATE audit SET seq = 3 WHERE seq = 99;";
    check(swap, &[Unchained(2), Changed(2), Unchained(3), Changed(3), Unchained(4)]).await;
}

/// A row whose own hash is right, as somebody makes it who knows how.
async fn forged(directory: &Path, seq: u64, json: &str) -> String {
    let log = open(directory).await;
    let before = log
        .database
        .read("test", async move |connection| hash_of(connection, seq - 1).await)
        .await
        .unwrap()
        .unwrap_or(BEGIN);
    let hash = chain::hash(seq, 7, &before, json);
    format!(
        "DELETE FROM audit WHERE seq = {seq};
         INSERT INTO audit VALUES ({seq}, 7, '{json}', X'{}', X'{}');",
        chain::hex(&before),
        chain::hex(&hash)
    )
}

#[tokio::test]
async fn a_record_that_was_put_in_with_its_right_hash_is_found() {
    for (seq, expect) in [
        (3, vec![AuditBreak::Unchained(4)]),
        (5, vec![AuditBreak::Replaced(5)]),
        // Behind the head, where a crash may have left it behind by one, it is not.
        (6, vec![]),
    ] {
        let directory = tempfile::tempdir().unwrap();
        with_records(directory.path(), 5).await;
        let sql = forged(directory.path(), seq, "{}").await;
        tamper(directory.path(), &sql).await;
        assert_eq!(breaks(directory.path()).await, expect, "{seq}");
        open(directory.path()).await.record(event("later")).await.unwrap();
        let later = breaks(directory.path()).await;
        assert_eq!(later.is_empty(), expect.is_empty(), "{seq}: {later:?}");
    }
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "the test changes the file")]
async fn a_head_that_is_gone_is_an_alarm_that_stays() {
    for content in [None, Some("nonsense"), Some("\u{ff}"), Some("6 00")] {
        let directory = tempfile::tempdir().unwrap();
        with_records(directory.path(), 5).await;
        let head = directory.path().join("audit.head");
        match content {
            None => std::fs::remove_file(&head).unwrap(),
            Some(text) => std::fs::write(&head, text).unwrap(),
        }
        assert_eq!(breaks(directory.path()).await, [AuditBreak::NoHead], "{content:?}");
        open(directory.path()).await.record(event("later")).await.unwrap();
        assert_eq!(breaks(directory.path()).await, [AuditBreak::Unchained(6)], "{content:?}");
    }
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "the test changes the file")]
async fn a_head_that_a_crash_left_behind_is_no_alarm() {
    let directory = tempfile::tempdir().unwrap();
    let head = directory.path().join("audit.head");
    with_records(directory.path(), 4).await;
    let old = std::fs::read(&head).unwrap();
    with_records(directory.path(), 1).await;
    std::fs::write(&head, &old).unwrap();
    assert_eq!(breaks(directory.path()).await, []);
    with_records(directory.path(), 1).await;
    assert_eq!(breaks(directory.path()).await, []);
    // The mode of what is written anew.
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(std::fs::metadata(&head).unwrap().permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn the_table_takes_no_change_from_the_programs_that_use_it() {
    let directory = tempfile::tempdir().unwrap();
    let log = with_records(directory.path(), 2).await;
    for sql in [
        "DELETE FROM audit",
        "UPDATE audit SET at_ms = 0",
        "UPDATE audit SET seq = 9 WHERE seq = 2",
        "INSERT OR REPLACE INTO audit SELECT 1, at_ms, json, prev, hash FROM audit WHERE seq = 2",
        "INSERT INTO audit SELECT 2, at_ms, json, prev, hash FROM audit WHERE seq = 1",
    ] {
        let done = log.database.write("test", async move |connection| {
            connection.execute(sql, ()).await?;
            Ok(())
        });
        let error = done.await.expect_err(sql);
        let cause = error.source().unwrap().to_string();
        assert!(cause.contains("append-only"), "{sql}: {cause}");
    }
    assert_eq!(breaks(directory.path()).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_writers_make_one_chain() {
    let directory = tempfile::tempdir().unwrap();
    let mut writing = tokio::task::JoinSet::new();
    for writer in 0..6 {
        // Each with connections of its own, as processes have.
        let path = directory.path().to_owned();
        writing.spawn(async move {
            let log = open(&path).await;
            for n in 0..20 {
                log.record(event(format!("w{writer} {n}"))).await.unwrap();
            }
        });
    }
    writing.join_all().await;
    let report = open(directory.path()).await.verify().await.unwrap();
    assert_eq!((report.records, report.breaks), (120, vec![]));
    let head = HeadFile::beside(&directory.path().join("journal.db")).read().unwrap();
    assert_eq!(head, report.last, "the head is behind although everybody has finished");
}

#[tokio::test]
async fn records_are_found_by_what_is_known_of_them() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path()).await;
    let denied = AuditEvent {
        component: Some(ComponentId::new("tool-web")),
        session: Some(SessionId::new("abc-1")),
        outcome: AuditOutcome::Denied,
        ..event("denied")
    };
    for event in [event("one"), denied.clone(), event("two")] {
        log.record(event).await.unwrap();
    }
    let found = async |query: AuditQuery| -> Vec<u64> {
        log.newest(query, 9).await.unwrap().into_iter().map(|record| record.seq).collect()
    };
    let any = AuditQuery::default;
    assert_eq!(found(any()).await, [1, 2, 3]);
    assert_eq!(found(AuditQuery { outcome: Some(AuditOutcome::Denied), ..any() }).await, [2]);
    assert_eq!(found(AuditQuery { component: Some("tool-web".into()), ..any() }).await, [2]);
    assert_eq!(found(AuditQuery { component: Some("tool".into()), ..any() }).await, [0; 0]);
    assert_eq!(found(AuditQuery { session: Some("abc".into()), ..any() }).await, [2]);
    assert_eq!(found(AuditQuery { session: Some("bc".into()), ..any() }).await, [0; 0]);
    assert_eq!(found(AuditQuery { session: Some("' OR 1".into()), ..any() }).await, [0; 0]);
    assert_eq!(
        found(AuditQuery { action: Some(AuditAction::Request), after: 1, ..any() }).await,
        [2, 3]
    );
    assert_eq!(found(AuditQuery { since_ms: Some(1_700_000_000_001), ..any() }).await, [0; 0]);
    let newest = log.newest(any(), 1).await.unwrap();
    assert_eq!(newest[0].seq, 3);
    let oldest = log.oldest(AuditQuery { after: 1, ..any() }, 1).await.unwrap();
    assert_eq!(oldest[0].event(), Some(denied));
}
