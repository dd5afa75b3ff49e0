//! Sealed secrets in the database. Every function takes the master key from its caller: the key
//! is never stored here, and without it there is nothing to read but names.

mod seal;

pub use seal::{KeyId, MasterKey, NoRandom};

use crate::database::Database;
use crate::failure::{Cause, Failure};
use crate::sql::{Connection, Row};
use hydroid_core::id::UserId;
use hydroid_core::ports::{SecretValue, StoreError};
use libsql::params;
use seal::{Place, Sealed};

/// Which master key the secrets of a user need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyInForce {
    /// What tells it from others.
    pub id: KeyId,
    /// Where it was kept, in the caller's words.
    pub place: String,
    /// Secrets sealed under it.
    pub secrets: u64,
    /// Grows with every change of a secret.
    pub generation: u64,
}

/// What anybody may know of a stored secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSecret {
    /// Its name.
    pub name: String,
    /// Counts from 1 for each name.
    pub version: u64,
    /// When it was set, in milliseconds since 1970-01-01 UTC.
    pub set_ms: u64,
}

/// The secrets of a user, opened.
#[derive(Clone, Debug)]
pub struct Opened {
    /// What [`KeyInForce::generation`] was when they were read.
    pub generation: u64,
    /// Name and value; none if the record was changed or moved by somebody else.
    pub values: Vec<(String, Option<SecretValue>)>,
}

/// What sealing anew left behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resealed {
    /// Secrets sealed under the new key.
    pub secrets: u64,
    /// False while another process reads: then a power cut may bring the old records back, and the
    /// old key must be kept.
    pub durable: bool,
}

/// Why sealed secrets could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The key is not the one they are sealed under.
    #[error("the secrets are sealed under another master key")]
    OtherKey,
    /// A record does not open although the key is right.
    #[error(
        "the stored secret `{0}` was changed or moved outside Hydroid; `hydroid secret set {0}` or `hydroid secret remove {0}` puts that right"
    )]
    Damaged(String),
    /// No random bytes.
    #[error(transparent)]
    NoRandom(#[from] NoRandom),
    /// The database refused.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Database {
    /// The master key a user's secrets need; none if none were ever stored.
    pub async fn secrets_key(&self, user: &UserId) -> Result<Option<KeyInForce>, StoreError> {
        let user = user.clone();
        self.read("read which master key is in force", async move |connection| {
            key_in_force(connection, &user).await
        })
        .await
    }

    /// The same at once, on the thread that asks; none where that cannot be.
    pub fn secrets_key_here(
        &self,
        user: &UserId,
    ) -> Option<Result<Option<KeyInForce>, StoreError>> {
        self.read_here("read which master key is in force", async |connection| {
            key_in_force(connection, user).await
        })
    }

    /// A user's stored secrets by name.
    pub async fn stored_secrets(&self, user: &UserId) -> Result<Vec<StoredSecret>, StoreError> {
        let user = user.clone();
        self.read("list secrets", async move |connection| {
            let records = records(connection, &user).await?;
            Ok(records.into_iter().map(|record| record.stored).collect())
        })
        .await
    }

    /// Opens a user's secrets. One that does not open does not hide the others.
    pub async fn open_secrets(&self, user: &UserId, key: &MasterKey) -> Result<Opened, SealError> {
        let (user, key) = (user.clone(), key.clone());
        self.read("open secrets", async move |connection| {
            let Some(in_force) = key_in_force(connection, &user).await? else {
                return Ok(Ok(Opened { generation: 0, values: Vec::new() }));
            };
            if in_force.id != key.id() {
                return Ok(Err(SealError::OtherKey));
            }
            let opened = records(connection, &user).await?.into_iter().map(|record| {
                let value = record.open(&user, &key);
                (record.stored.name, value)
            });
            Ok(Ok(Opened { generation: in_force.generation, values: opened.collect() }))
        })
        .await?
    }

    /// Seals secrets, all or none, and returns the version of each. The first ones of a user make
    /// the key the one in force.
    pub async fn set_secrets(
        &self,
        user: &UserId,
        key: &MasterKey,
        place: &str,
        secrets: Vec<(String, SecretValue)>,
        now_ms: u64,
    ) -> Result<Vec<StoredSecret>, SealError> {
        let (user, key, place) = (user.clone(), key.clone(), place.to_owned());
        self.write("store secrets", async move |connection| {
            // Nothing is sealed under a key that is lost, so another may take its place.
            let in_force = key_in_force(connection, &user).await?;
            if in_force.as_ref().is_some_and(|found| found.secrets > 0 && found.id != key.id()) {
                return Ok(Err(SealError::OtherKey));
            }
            // Everything is sealed before anything is written, since what is written stays.
            let mut sealed = Vec::new();
            for (name, value) in secrets {
                let version = version(connection, &user, &name).await? + 1;
                let at = Place { user: &user, name: &name, version };
                match key.seal(at, &value) {
                    Ok(record) => {
                        let stored = StoredSecret { name, version, set_ms: now_ms };
                        sealed.push(Record { stored, sealed: record });
                    }
                    Err(error) => return Ok(Err(error.into())),
                }
            }
            put_key(connection, &user, &key, &place).await?;
            for record in &sealed {
                record.write(connection, &user).await?;
            }
            Ok(Ok(sealed.into_iter().map(|record| record.stored).collect()))
        })
        .await?
    }

    /// Removes a secret and wipes its record; false if there is none. No key is needed.
    pub async fn remove_secret(&self, user: &UserId, name: &str) -> Result<bool, StoreError> {
        let (user, name) = (user.to_string(), name.to_owned());
        self.write("remove a secret", async move |connection| {
            connection.execute_batch("PRAGMA secure_delete = ON").await?;
            let row = [user.as_str(), &name];
            let sql = "DELETE FROM secrets WHERE user_id = ?1 AND name = ?2";
            let removed = connection.execute(sql, row).await? > 0;
            if removed {
                let sql = "UPDATE secret_keys SET generation = generation + 1 WHERE user_id = ?1";
                connection.execute(sql, [user.as_str()]).await?;
            }
            Ok(removed)
        })
        .await
    }

    /// Seals every secret of a user under another key, all in one transaction. A record that does
    /// not open stops it before anything is written.
    pub async fn reseal_secrets(
        &self,
        user: &UserId,
        old: &MasterKey,
        new: &MasterKey,
        place: &str,
    ) -> Result<Resealed, SealError> {
        let (owner, old, new, place) = (user.clone(), old.clone(), new.clone(), place.to_owned());
        let secrets = self
            .write("seal secrets anew", async move |connection| {
                match key_in_force(connection, &owner).await? {
                    Some(in_force) if in_force.id == old.id() => {}
                    Some(_) | None => return Ok(Err(SealError::OtherKey)),
                }
                let mut anew = Vec::new();
                for record in records(connection, &owner).await? {
                    let Some(value) = record.open(&owner, &old) else {
                        return Ok(Err(SealError::Damaged(record.stored.name)));
                    };
                    match new.seal(record.stored.place(&owner), &value) {
                        Ok(sealed) => anew.push(Record { sealed, ..record }),
                        Err(error) => return Ok(Err(error.into())),
                    }
                }
                // What was sealed under the old key is not left in pages that are free.
                connection.execute_batch("PRAGMA secure_delete = ON").await?;
                put_key(connection, &owner, &new, &place).await?;
                for record in &anew {
                    record.write(connection, &owner).await?;
                }
                Ok(Ok(anew.len() as u64))
            })
            .await??;
        Ok(Resealed { secrets, durable: self.checkpoint().await? })
    }
}

/// One row of `secrets`.
struct Record {
    stored: StoredSecret,
    sealed: Sealed,
}

impl StoredSecret {
    fn place<'a>(&'a self, user: &'a UserId) -> Place<'a> {
        Place { user, name: &self.name, version: self.version }
    }
}

impl Record {
    fn read(row: &Row) -> Result<Self, Failure> {
        let set_ms = u64::try_from(row.get::<i64>(2)?)?;
        let stored =
            StoredSecret { name: row.get(0)?, version: u64::try_from(row.get::<i64>(1)?)?, set_ms };
        let (salt, nonce): (Vec<u8>, Vec<u8>) = (row.get(3)?, row.get(4)?);
        // Lengths are checked by the table; a file that was made otherwise does not open.
        let sealed = Sealed {
            salt: salt.try_into().unwrap_or_default(),
            nonce: nonce.try_into().unwrap_or_default(),
            bytes: row.get(5)?,
        };
        Ok(Self { stored, sealed })
    }

    fn open(&self, user: &UserId, key: &MasterKey) -> Option<SecretValue> {
        key.open(self.stored.place(user), &self.sealed)
    }

    async fn write(&self, connection: &Connection, user: &UserId) -> Result<(), Failure> {
        let Self { stored, sealed } = self;
        connection
            .execute(
                "INSERT INTO secrets (user_id, name, version, set_ms, salt, nonce, sealed)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
                 ON CONFLICT (user_id, name) DO UPDATE SET version = excluded.version,
                     set_ms = excluded.set_ms, salt = excluded.salt, nonce = excluded.nonce,
                     sealed = excluded.sealed",
                params![
                    user.as_str(),
                    stored.name.as_str(),
                    i64::try_from(stored.version)?,
                    i64::try_from(stored.set_ms)?,
                    sealed.salt.to_vec(),
                    sealed.nonce.to_vec(),
                    sealed.bytes.clone()
                ],
            )
            .await?;
        Ok(())
    }
}

async fn key_in_force(
    connection: &Connection,
    user: &UserId,
) -> Result<Option<KeyInForce>, Failure> {
    let sql = "SELECT key_id, place, generation,
                      (SELECT count(*) FROM secrets WHERE secrets.user_id = secret_keys.user_id)
               FROM secret_keys WHERE user_id = ?1";
    let mut rows = connection.query(sql, [user.as_str()]).await?;
    let Some(row) = rows.next().await? else { return Ok(None) };
    let id: Vec<u8> = row.get(0)?;
    Ok(Some(KeyInForce {
        id: KeyId::from_bytes(&id).ok_or(Cause::KeyId)?,
        place: row.get(1)?,
        generation: u64::try_from(row.get::<i64>(2)?)?,
        secrets: u64::try_from(row.get::<i64>(3)?)?,
    }))
}

/// Makes a key the one in force, and shows other processes that something changed.
async fn put_key(
    connection: &Connection,
    user: &UserId,
    key: &MasterKey,
    place: &str,
) -> Result<(), Failure> {
    connection
        .execute(
            "INSERT INTO secret_keys (user_id, key_id, place, generation) VALUES (?1, ?2, ?3, 1)
             ON CONFLICT (user_id) DO UPDATE SET key_id = excluded.key_id,
                 place = excluded.place, generation = generation + 1",
            params![user.as_str(), key.id().as_bytes().to_vec(), place],
        )
        .await?;
    Ok(())
}

async fn records(connection: &Connection, user: &UserId) -> Result<Vec<Record>, Failure> {
    let sql = "SELECT name, version, set_ms, salt, nonce, sealed FROM secrets
               WHERE user_id = ?1 ORDER BY name";
    let mut rows = connection.query(sql, [user.as_str()]).await?;
    let mut records = Vec::new();
    while let Some(row) = rows.next().await? {
        records.push(Record::read(&row)?);
    }
    Ok(records)
}

/// The version in force of a name; 0 if there is none.
async fn version(connection: &Connection, user: &UserId, name: &str) -> Result<u64, Failure> {
    let sql = "SELECT version FROM secrets WHERE user_id = ?1 AND name = ?2";
    let mut rows = connection.query(sql, [user.as_str(), name]).await?;
    match rows.next().await? {
        None => Ok(0),
        Some(row) => Ok(u64::try_from(row.get::<i64>(0)?)?),
    }
}

#[cfg(test)]
mod tests;
