//! Secret places in the database: files, notes and sessions that hold something secret. Finding
//! out that they do is the caller's work.

use crate::database::Database;
use crate::failure::Failure;
use crate::journal::stored;
use crate::sql::Connection;
use futures_util::future::BoxFuture;
use hydroid_core::id::UserId;
use hydroid_core::ports::{SecretPlace, SecretPlaces, StoreError};
use libsql::params;
use std::collections::BTreeSet;

impl SecretPlaces for Database {
    fn mark<'a>(
        &'a self,
        user: &'a UserId,
        places: BTreeSet<SecretPlace>,
        now_ms: u64,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        let user = user.clone();
        Box::pin(self.write_memory("mark what is secret", async move |connection| {
            for place in &places {
                mark(connection, &user, place, now_ms).await?;
            }
            Ok(())
        }))
    }

    fn marked<'a>(
        &'a self,
        user: &'a UserId,
    ) -> BoxFuture<'a, Result<BTreeSet<SecretPlace>, StoreError>> {
        let user = user.clone();
        Box::pin(self.read_memory("look up what is secret", async move |connection| {
            let sql = "SELECT kind || ':' || place FROM secret_places WHERE user_id = ?1";
            let mut rows = connection.query(sql, [user.as_str()]).await?;
            let mut places = BTreeSet::new();
            while let Some(row) = rows.next().await? {
                // The table's check leaves no other kinds, and marking no empty places.
                places.extend(row.get_str(0)?.parse::<SecretPlace>());
            }
            Ok(places)
        }))
    }

    fn clear<'a>(
        &'a self,
        user: &'a UserId,
        place: SecretPlace,
    ) -> BoxFuture<'a, Result<bool, StoreError>> {
        let user = user.clone();
        Box::pin(self.write_memory("forget that something is secret", async move |connection| {
            let (kind, place) = place.parts();
            let sql = "DELETE FROM secret_places WHERE user_id = ?1 AND kind = ?2 AND place = ?3";
            Ok(connection.execute(sql, params![user.as_str(), kind, place]).await? > 0)
        }))
    }
}

pub(crate) async fn mark(
    connection: &Connection,
    user: &UserId,
    place: &SecretPlace,
    now_ms: u64,
) -> Result<(), Failure> {
    let (kind, place) = place.parts();
    let sql = "INSERT OR IGNORE INTO secret_places (user_id, kind, place, marked_ms)
               VALUES (?1, ?2, ?3, ?4)";
    connection.execute(sql, params![user.as_str(), kind, place, stored(now_ms)]).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use hydroid_core::id::SessionId;
    use hydroid_core::ports::{Note, Question, Recall};

    fn local() -> UserId {
        UserId::new("local")
    }

    fn places(all: &[&str]) -> BTreeSet<SecretPlace> {
        all.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[tokio::test]
    async fn what_was_marked_stays_marked_until_it_is_cleared() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.db");
        let database = Database::open(&path).await.unwrap();
        let anna = UserId::new("anna");
        database.add_user(&anna).await.unwrap();
        let all = places(&["file:/shared/a", "note:note-3", "session:s"]);
        database.mark(&local(), all.clone(), 1).await.unwrap();
        database.mark(&local(), places(&["session:s"]), 2).await.unwrap();
        drop(database);
        let database = Database::open(&path).await.unwrap();
        assert_eq!(database.marked(&local()).await.unwrap(), all);
        assert_eq!(database.marked(&anna).await.unwrap(), BTreeSet::new());
        let session: SecretPlace = "session:s".parse().unwrap();
        assert!(!database.clear(&anna, session.clone()).await.unwrap());
        assert!(database.clear(&local(), session.clone()).await.unwrap());
        assert!(!database.clear(&local(), session).await.unwrap());
        let left = places(&["file:/shared/a", "note:note-3"]);
        assert_eq!(database.marked(&local()).await.unwrap(), left);
    }

    #[tokio::test]
    async fn a_note_of_a_secret_session_is_secret_and_others_are_not() {
        let database = Database::open_in_memory().await.unwrap();
        database.mark(&local(), places(&["session:s"]), 1).await.unwrap();
        let note = |text: &str, session: &str| {
            Note::new(text.into(), &[]).unwrap().written_in(SessionId::new(session))
        };
        let first = database.save(&local(), note("salary is 7", "s"), 1).await.unwrap();
        let second = database.save(&local(), note("salary is due", "other"), 1).await.unwrap();
        let found = async || {
            let question = Question { words: "salary".into(), limit: 9, ..Question::default() };
            let hits = database.search(&local(), question).await.unwrap();
            let mut secret: Vec<_> =
                hits.into_iter().filter(|hit| hit.secret).map(|hit| hit.id).collect();
            secret.sort();
            secret
        };
        assert_eq!(found().await, std::slice::from_ref(&first));
        database.update(&local(), &second, note("salary is 8", "s"), 2).await.unwrap();
        assert_eq!(found().await, [first.clone(), second.clone()]);
        let newest = Question { limit: 9, ..Question::default() };
        let hits = database.search(&local(), newest).await.unwrap();
        assert!(hits.iter().all(|hit| hit.secret), "{hits:?}");
        database.delete(&local(), &first).await.unwrap();
        let left = format!("note:{second}");
        assert_eq!(database.marked(&local()).await.unwrap(), places(&["session:s", &left]));
    }
}
