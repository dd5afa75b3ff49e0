//! Copies of the database file: made while it is in use, and looked through before anybody
//! trusts one. Where copies are kept is the caller's affair.

use crate::database::Database;
use crate::failure::Failure;
use hydroid_core::ports::StoreError;
use libsql::params;
use std::path::Path;

/// Why a copy cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// It could not be read.
    #[error("the copy cannot be opened")]
    Open(#[source] StoreError),
    /// Something in it is wrong.
    #[error("the copy is damaged: {0}")]
    Damaged(String),
}

impl Database {
    /// Writes a copy of everything that is committed to a new file. Others go on meanwhile.
    pub async fn copy_to(&self, path: &Path) -> Result<(), StoreError> {
        let path = path.to_string_lossy().into_owned();
        self.exclusively("copy its file", async move |connection| {
            connection.execute("VACUUM INTO ?1", params![path]).await?;
            Ok(())
        })
        .await
    }

    /// Writes the file anew, without what was deleted.
    pub(crate) async fn vacuum(&self) -> Result<(), StoreError> {
        self.exclusively("write its file anew", async |connection| {
            connection.execute_batch("VACUUM; PRAGMA wal_checkpoint(TRUNCATE)").await?;
            Ok::<(), Failure>(())
        })
        .await
    }
}

/// Opens a copy, brings it up to date and reads all of it; returns the version of its schema.
pub async fn verify_copy(path: &Path) -> Result<u32, BackupError> {
    let copy = Database::open(path).await.map_err(BackupError::Open)?;
    let problems = copy.integrity_check().await.map_err(BackupError::Open)?;
    if let Some(problem) = problems.first() {
        return Err(BackupError::Damaged(problem.clone()));
    }
    let version = copy.schema_version().await.map_err(BackupError::Open)?;
    // Everything into the one file, so that it can be moved.
    copy.checkpoint().await.map_err(BackupError::Open)?;
    Ok(version)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hydroid_core::id::UserId;
    use hydroid_core::ports::{Note, Question, Recall};

    #[tokio::test]
    #[expect(clippy::disallowed_methods, reason = "the test damages a copy")]
    async fn a_copy_has_everything_and_damage_is_noticed() {
        let directory = tempfile::tempdir().unwrap();
        let database = Database::open(directory.path().join("a.db")).await.unwrap();
        let user = UserId::new("local");
        for n in 0..200 {
            let text = format!("note {n} about a lighthouse {}", "x".repeat(300));
            database.save(&user, Note::new(text, &[]).unwrap(), 1).await.unwrap();
        }
        let path = directory.path().join("copy.db");
        database.copy_to(&path).await.unwrap();
        assert!(database.copy_to(&path).await.is_err(), "a file that is there is not written over");
        let version = verify_copy(&path).await.unwrap();
        assert_eq!(version, database.schema_version().await.unwrap());
        let copy = Database::open(&path).await.unwrap();
        let question = Question { words: "lighthouse".into(), limit: 50, ..Question::default() };
        assert_eq!(copy.search(&user, question).await.unwrap().len(), 50);
        drop(copy);
        let mut bytes = std::fs::read(&path).unwrap();
        for byte in bytes.iter_mut().skip(3 * 4096).step_by(7) {
            *byte = 0x5a;
        }
        std::fs::write(&path, bytes).unwrap();
        assert!(verify_copy(&path).await.is_err());
    }
}
