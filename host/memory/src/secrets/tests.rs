//! What holds of sealed secrets in a real file: who opens them, what a moved row is worth, and
//! that nothing is lost when sealing anew stops anywhere.

use super::*;
use hydroid_core::id::UserId;
use std::path::Path;

const VALUE: &str = "correct horse battery staple";

fn local() -> UserId {
    UserId::new("local")
}

async fn database(directory: &Path) -> Database {
    Database::open(directory.join("journal.db")).await.unwrap()
}

async fn set(database: &Database, key: &MasterKey, name: &str, value: &str) -> u64 {
    let secrets = vec![(name.to_owned(), SecretValue::new(value.to_owned()))];
    let stored = database.set_secrets(&local(), key, "file", secrets, 7).await.unwrap();
    stored[0].version
}

async fn opened(database: &Database, key: &MasterKey) -> Vec<(String, Option<String>)> {
    let opened = database.open_secrets(&local(), key).await.unwrap();
    let text = |value: SecretValue| value.expose().to_owned();
    opened.values.into_iter().map(|(name, value)| (name, value.map(text))).collect()
}

fn is(name: &str, value: &str) -> (String, Option<String>) {
    (name.to_owned(), Some(value.to_owned()))
}

async fn sql(database: &Database, sql: &'static str) {
    database
        .write("meddle", async move |connection| {
            connection.execute_batch(sql).await?;
            Ok(())
        })
        .await
        .unwrap();
}

#[tokio::test]
async fn what_was_set_is_opened_by_its_key_and_no_other() {
    let directory = tempfile::tempdir().unwrap();
    let database = database(directory.path()).await;
    let key = MasterKey::generate().unwrap();
    assert_eq!(database.secrets_key(&local()).await.unwrap(), None);
    assert_eq!(opened(&database, &key).await, []);
    assert_eq!(set(&database, &key, "openai", VALUE).await, 1);
    assert_eq!(set(&database, &key, "github", "other").await, 1);
    assert_eq!(set(&database, &key, "openai", "newer").await, 2);
    assert_eq!(opened(&database, &key).await, [is("github", "other"), is("openai", "newer")]);
    let stored = database.stored_secrets(&local()).await.unwrap();
    assert_eq!(stored[1], StoredSecret { name: "openai".into(), version: 2, set_ms: 7 });
    let wrong = MasterKey::generate().unwrap();
    let error = database.open_secrets(&local(), &wrong).await.unwrap_err();
    assert!(matches!(error, SealError::OtherKey), "{error}");
    let secrets = vec![("x".to_owned(), SecretValue::new("y".into()))];
    let error = database.set_secrets(&local(), &wrong, "file", secrets, 8).await.unwrap_err();
    assert!(matches!(error, SealError::OtherKey), "{error}");
    assert_eq!(opened(&database, &key).await.len(), 2, "nothing was lost");
}

#[tokio::test]
async fn a_change_is_seen_by_another_process() {
    let directory = tempfile::tempdir().unwrap();
    let (one, other) = (database(directory.path()).await, database(directory.path()).await);
    let key = MasterKey::generate().unwrap();
    let generation = async || other.secrets_key(&local()).await.unwrap().unwrap().generation;
    set(&one, &key, "a", "1").await;
    let mut before = generation().await;
    set(&one, &key, "a", "2").await;
    assert!(generation().await > before);
    before = generation().await;
    assert!(one.remove_secret(&local(), "a").await.unwrap());
    assert!(generation().await > before);
    before = generation().await;
    assert!(!one.remove_secret(&local(), "a").await.unwrap(), "the second time");
    assert_eq!(generation().await, before, "nothing changed");
}

#[tokio::test]
async fn a_key_that_is_lost_is_replaced_once_nothing_needs_it() {
    let directory = tempfile::tempdir().unwrap();
    let database = database(directory.path()).await;
    let (lost, new) = (MasterKey::generate().unwrap(), MasterKey::generate().unwrap());
    set(&database, &lost, "a", "1").await;
    assert!(database.remove_secret(&local(), "a").await.unwrap());
    set(&database, &new, "b", "2").await;
    assert_eq!(opened(&database, &new).await, [is("b", "2")]);
}

/// Each line is what somebody with a hand in the file could do to the row of `openai`.
#[tokio::test]
async fn a_moved_or_changed_row_does_not_open_and_hides_no_other() {
    for meddling in [
        "UPDATE secrets SET name = 'moved' WHERE name = 'openai'",
        "UPDATE secrets SET version = 2 WHERE name = 'openai'",
        "UPDATE secrets SET sealed = zeroblob(40) WHERE name = 'openai'",
        "UPDATE secrets SET salt = zeroblob(32) WHERE name = 'openai'",
        "UPDATE secrets SET (salt, nonce, sealed) = (SELECT salt, nonce, sealed FROM secrets WHERE name = 'github') WHERE name = 'openai'",
    ] {
        let directory = tempfile::tempdir().unwrap();
        let database = database(directory.path()).await;
        let key = MasterKey::generate().unwrap();
        set(&database, &key, "github", "other").await;
        set(&database, &key, "openai", VALUE).await;
        sql(&database, meddling).await;
        let opened = opened(&database, &key).await;
        assert_eq!(opened[0], is("github", "other"), "{meddling}");
        assert_eq!(opened[1].1, None, "{meddling}");
        // Sealing anew would make the meddling look right.
        let error = database
            .reseal_secrets(&local(), &key, &MasterKey::generate().unwrap(), "file")
            .await
            .unwrap_err();
        assert!(matches!(error, SealError::Damaged(_)), "{error}");
        assert_eq!(database.secrets_key(&local()).await.unwrap().unwrap().id, key.id());
    }
}

#[tokio::test]
async fn a_row_given_to_another_user_does_not_open() {
    let directory = tempfile::tempdir().unwrap();
    let database = database(directory.path()).await;
    let (key, anna) = (MasterKey::generate().unwrap(), UserId::new("anna"));
    database.add_user(&anna).await.unwrap();
    set(&database, &key, "openai", VALUE).await;
    sql(
        &database,
        "INSERT INTO secret_keys SELECT 'anna', key_id, place, generation FROM secret_keys;
         UPDATE secrets SET user_id = 'anna'",
    )
    .await;
    let opened = database.open_secrets(&anna, &key).await.unwrap();
    assert!(opened.values.len() == 1 && opened.values[0].1.is_none(), "{opened:?}");
}

#[tokio::test]
async fn sealing_anew_keeps_values_and_versions_and_makes_the_old_key_worthless() {
    let directory = tempfile::tempdir().unwrap();
    let database = database(directory.path()).await;
    let (old, new) = (MasterKey::generate().unwrap(), MasterKey::generate().unwrap());
    set(&database, &old, "openai", "first").await;
    set(&database, &old, "openai", VALUE).await;
    let before = database.stored_secrets(&local()).await.unwrap();
    let resealed = database.reseal_secrets(&local(), &old, &new, "keyring").await.unwrap();
    assert_eq!(resealed, Resealed { secrets: 1, durable: true });
    assert_eq!(database.stored_secrets(&local()).await.unwrap(), before);
    assert_eq!(opened(&database, &new).await, [is("openai", VALUE)]);
    assert_eq!(database.secrets_key(&local()).await.unwrap().unwrap().place, "keyring");
    let error = database.open_secrets(&local(), &old).await.unwrap_err();
    assert!(matches!(error, SealError::OtherKey), "{error}");
    let error = database.reseal_secrets(&local(), &old, &new, "file").await.unwrap_err();
    assert!(matches!(error, SealError::OtherKey), "{error}");
}

/// The file as it is on the disk at a moment is what a crash at that moment leaves.
#[tokio::test]
async fn a_crash_before_sealing_anew_ends_leaves_every_secret_to_the_old_key() {
    let directory = tempfile::tempdir().unwrap();
    let one = database(directory.path()).await;
    let (old, new) = (MasterKey::generate().unwrap(), MasterKey::generate().unwrap());
    for n in 0..50 {
        set(&one, &old, &format!("name{n}"), VALUE).await;
    }
    // Stopped in the middle of its transaction: half of the records are written, none committed.
    let stopped: Result<(), StoreError> = one
        .write("stop halfway", {
            let (old, new) = (old.clone(), new.clone());
            async move |connection| {
                put_key(connection, &local(), &new, "file").await?;
                for record in records(connection, &local()).await?.into_iter().take(25) {
                    let value = record.open(&local(), &old).unwrap();
                    let sealed = new.seal(record.stored.place(&local()), &value).unwrap();
                    Record { sealed, ..record }.write(connection, &local()).await?;
                }
                Err(Failure::from(Cause::KeyId))
            }
        })
        .await;
    assert!(stopped.is_err());
    drop(one);
    let after = database(directory.path()).await;
    let opened = opened(&after, &old).await;
    assert!(opened.len() == 50 && opened.iter().all(|(_, value)| value.as_deref() == Some(VALUE)));
}

#[tokio::test]
async fn no_value_is_in_the_bytes_of_the_database() {
    let directory = tempfile::tempdir().unwrap();
    let database = database(directory.path()).await;
    let (old, new) = (MasterKey::generate().unwrap(), MasterKey::generate().unwrap());
    set(&database, &old, "openai", VALUE).await;
    set(&database, &old, "gone", VALUE).await;
    database.remove_secret(&local(), "gone").await.unwrap();
    let found = |needle: &[u8]| {
        ["journal.db", "journal.db-wal", "journal.db-shm"]
            .map(|name| directory.path().join(name))
            .iter()
            .filter_map(|path| read(path))
            .any(|bytes| bytes.windows(needle.len()).any(|window| window == needle))
    };
    assert!(found(b"openai"), "the search is broken");
    assert!(!found(VALUE.as_bytes()) && !found(old.expose()));
    database.reseal_secrets(&local(), &old, &new, "file").await.unwrap();
    assert!(!found(VALUE.as_bytes()) && !found(old.expose()) && !found(new.expose()));
}

#[expect(clippy::disallowed_methods, reason = "the test looks at the file as a thief would")]
fn read(path: &Path) -> Option<Vec<u8>> {
    std::fs::read(path).ok()
}
