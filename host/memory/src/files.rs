//! Files that were taken in: their text is in the chunks, the file itself stays where it is.
//! Reading files and turning them into text is the caller's work.

use crate::chunking::{Owner, replace, thread};
use crate::database::Database;
use crate::failure::Failure;
use crate::journal::stored;
use crate::sql::Connection;
use hydroid_core::id::UserId;
use hydroid_core::ports::{Scope, StoreError};
use libsql::params;

/// A file to take in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewFile {
    /// Where it is; the name it is known by.
    pub path: String,
    /// Who finds it.
    pub scope: Scope,
    /// Its text.
    pub text: String,
    /// SHA-256 of its bytes, in hexadecimal.
    pub digest: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// When it was last changed, in milliseconds since 1970-01-01 UTC.
    pub modified_ms: u64,
}

/// What became of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It was not known.
    New {
        /// Its chunks.
        chunks: u64,
    },
    /// It has another text than before.
    Changed {
        /// Its chunks.
        chunks: u64,
    },
    /// It is as it was.
    Same,
}

/// A file that was taken in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakenFile {
    /// Identifier.
    pub id: i64,
    /// Where it is.
    pub path: String,
    /// Who finds it, as stored.
    pub scope: String,
    /// SHA-256 of its bytes.
    pub digest: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// Its chunks.
    pub chunks: u64,
    /// When it was taken in, in milliseconds since 1970-01-01 UTC.
    pub taken_ms: u64,
}

impl Database {
    /// Takes a file in, or its new text. All of it is there afterwards, or nothing of it changed.
    pub async fn take_file(
        &self,
        user: &UserId,
        file: NewFile,
        now_ms: u64,
    ) -> Result<Taken, StoreError> {
        let user = user.clone();
        let taken = self
            .write_memory("take a file in", async move |connection| {
                take(connection, &user, &file, now_ms).await
            })
            .await?;
        self.written().notify_waiters();
        Ok(taken)
    }

    /// Files a user has taken in, by their paths.
    pub async fn files(&self, user: &UserId) -> Result<Vec<TakenFile>, StoreError> {
        let user = user.clone();
        self.read_memory("list files", async move |connection| {
            let sql = "SELECT id, path, scope, digest, bytes, taken_ms,
                              (SELECT count(*) FROM chunks WHERE source = 'file' AND owner = files.id)
                       FROM files WHERE user_id = ?1 ORDER BY path";
            let mut rows = connection.query(sql, [user.as_str()]).await?;
            let mut files = Vec::new();
            while let Some(row) = rows.next().await? {
                files.push(TakenFile {
                    id: row.get(0)?,
                    path: row.get(1)?,
                    scope: row.get(2)?,
                    digest: row.get(3)?,
                    bytes: u64::try_from(row.get::<i64>(4)?)?,
                    taken_ms: u64::try_from(row.get::<i64>(5)?)?,
                    chunks: u64::try_from(row.get::<i64>(6)?)?,
                });
            }
            Ok(files)
        })
        .await
    }

    /// Forgets the file at a path, or all below it; returns how many.
    pub async fn forget_files(&self, user: &UserId, path: &str) -> Result<u64, StoreError> {
        let (user, path) = (user.clone(), path.to_owned());
        self.write_memory("forget files", async move |connection| {
            let below = format!("{}/", path.trim_end_matches('/'));
            let sql = "DELETE FROM files WHERE user_id = ?1
                       AND (path = ?2 OR substr(path, 1, length(?3)) = ?3)";
            let gone = connection.execute(sql, params![user.as_str(), path, below]).await?;
            if gone > 0 {
                forget_in_memory(connection, &user).await?;
            }
            Ok(gone)
        })
        .await
    }
}

/// Whoever holds vectors in memory reads them again.
pub(crate) async fn forget_in_memory(
    connection: &Connection,
    user: &UserId,
) -> Result<(), Failure> {
    let sql = "UPDATE user_numbers SET epoch = epoch + 1 WHERE user_id = ?1";
    connection.execute(sql, [user.as_str()]).await?;
    Ok(())
}

async fn take(
    connection: &Connection,
    user: &UserId,
    file: &NewFile,
    now_ms: u64,
) -> Result<Taken, Failure> {
    let sql = "SELECT digest, scope FROM files WHERE user_id = ?1 AND path = ?2";
    let mut rows = connection.query(sql, [user.as_str(), &file.path]).await?;
    let known = match rows.next().await? {
        Some(row) => Some((row.get::<String>(0)?, row.get::<String>(1)?)),
        None => None,
    };
    drop(rows);
    let scope = file.scope.stored();
    if known.as_ref() == Some(&(file.digest.clone(), scope.clone())) {
        return Ok(Taken::Same);
    }
    let sql = "INSERT INTO files (user_id, path, scope, digest, bytes, modified_ms, taken_ms)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
               ON CONFLICT (user_id, path) DO UPDATE SET scope = excluded.scope,
                   digest = excluded.digest, bytes = excluded.bytes,
                   modified_ms = excluded.modified_ms, taken_ms = excluded.taken_ms
               RETURNING id";
    let values = params![
        user.as_str(),
        file.path.as_str(),
        scope.as_str(),
        file.digest.as_str(),
        stored(file.bytes),
        stored(file.modified_ms),
        stored(now_ms)
    ];
    let mut rows = connection.query(sql, values).await?;
    let row = rows.next().await?.ok_or(libsql::Error::QueryReturnedNoRows)?;
    let id: i64 = row.get(0)?;
    drop((row, rows));
    let owner = Owner {
        user: user.as_str(),
        source: "file",
        row: id,
        thread: thread("file", id),
        at_ms: stored(file.modified_ms),
        scope: &scope,
    };
    let chunks = replace(connection, &owner, &file.text).await?;
    if known.is_none() {
        return Ok(Taken::New { chunks });
    }
    forget_in_memory(connection, user).await?;
    Ok(Taken::Changed { chunks })
}

#[cfg(test)]
mod tests {
    use super::*;
    use hydroid_core::ports::{Origin, Question, Recall, Scopes};

    fn file(path: &str, text: &str, scope: Scope) -> NewFile {
        NewFile {
            path: path.into(),
            scope,
            text: text.into(),
            digest: format!("{}-{}", text.len(), text.chars().take(9).collect::<String>()),
            bytes: text.len() as u64,
            modified_ms: 5,
        }
    }

    async fn found(database: &Database, user: &UserId, question: Question) -> Vec<String> {
        let hits = database.search(user, question).await.unwrap();
        hits.into_iter()
            .map(|hit| match hit.from {
                Origin::File { path, .. } => path,
                other => panic!("{other:?}"),
            })
            .collect()
    }

    fn words(words: &str) -> Question {
        Question { words: words.into(), limit: 9, ..Question::default() }
    }

    #[tokio::test]
    async fn a_file_is_taken_in_changed_and_forgotten() {
        let database = Database::open_in_memory().await.unwrap();
        let user = UserId::new("local");
        let new = file("/a/x.md", "the ferry leaves at noon", Scope::User);
        assert_eq!(
            database.take_file(&user, new.clone(), 9).await.unwrap(),
            Taken::New { chunks: 1 }
        );
        assert_eq!(database.take_file(&user, new, 9).await.unwrap(), Taken::Same);
        assert_eq!(found(&database, &user, words("ferry")).await, ["/a/x.md"]);
        let changed = file("/a/x.md", "the train leaves at nine", Scope::User);
        let taken = database.take_file(&user, changed, 9).await.unwrap();
        assert_eq!(taken, Taken::Changed { chunks: 1 });
        assert_eq!(found(&database, &user, words("ferry")).await, [""; 0]);
        let other = file("/ab/y.md", "the train is late", Scope::User);
        database.take_file(&user, other, 9).await.unwrap();
        assert_eq!(database.forget_files(&user, "/a/").await.unwrap(), 1, "not what begins alike");
        assert_eq!(found(&database, &user, words("train")).await, ["/ab/y.md"]);
        assert_eq!(database.integrity_check().await.unwrap(), Vec::<String>::new());
        database.check_index().await;
    }

    #[tokio::test]
    async fn a_file_of_a_project_is_found_in_it_and_nothing_of_another_user() {
        let database = Database::open_in_memory().await.unwrap();
        let (user, anna) = (UserId::new("local"), UserId::new("anna"));
        database.add_user(&anna).await.unwrap();
        let scope = Scope::Project("boat".into());
        database.take_file(&user, file("/b", "oak planks", scope.clone()), 9).await.unwrap();
        database.take_file(&anna, file("/b", "oak table", Scope::User), 9).await.unwrap();
        assert_eq!(found(&database, &user, words("oak")).await, [""; 0]);
        let inside = Question { scopes: Scopes::Of([scope].into()), ..words("oak") };
        assert_eq!(found(&database, &user, inside).await, ["/b"]);
        let all = Question { scopes: Scopes::All, ..words("oak") };
        assert_eq!(found(&database, &user, all.clone()).await.len(), 1);
        assert_eq!(database.search(&anna, all).await.unwrap()[0].text, "oak table");
        assert_eq!(database.forget_files(&anna, "/nothing").await.unwrap(), 0);
    }
}
