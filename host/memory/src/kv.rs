//! Components' own durable keys, apart for each user and component. Values are bytes; what they
//! mean is the component's business, and whether it may is decided before this is called.

use crate::database::Database;
use crate::failure::{Cause, Failure};
use crate::sql::Connection;
use futures_util::future::BoxFuture;
use hydroid_core::id::{ComponentId, UserId};
use hydroid_core::ports::{
    KeyError, KeyOwner, KeyValues, LARGEST_COMPONENT_STATE, MOST_KEYS, check_key, check_value,
};
use libsql::params;

/// The keys of one component for one user.
#[derive(Clone, Debug)]
pub struct Kv {
    database: Database,
    user: UserId,
    component: ComponentId,
}

impl Database {
    /// The keys of a component for a user.
    pub fn kv(&self, user: UserId, component: ComponentId) -> Kv {
        Kv { database: self.clone(), user, component }
    }
}

impl KeyValues for Database {
    fn get<'a>(
        &'a self,
        owner: KeyOwner<'a>,
        key: &'a str,
    ) -> BoxFuture<'a, Result<Option<Vec<u8>>, KeyError>> {
        let kv = self.kv(owner.user.clone(), owner.component.clone());
        Box::pin(async move { kv.get(key).await })
    }

    fn set<'a>(
        &'a self,
        owner: KeyOwner<'a>,
        key: &'a str,
        value: Vec<u8>,
    ) -> BoxFuture<'a, Result<(), KeyError>> {
        let kv = self.kv(owner.user.clone(), owner.component.clone());
        Box::pin(async move { kv.set(key, value, owner.quota).await })
    }

    fn delete<'a>(
        &'a self,
        owner: KeyOwner<'a>,
        key: &'a str,
    ) -> BoxFuture<'a, Result<(), KeyError>> {
        let kv = self.kv(owner.user.clone(), owner.component.clone());
        Box::pin(async move { kv.delete(key).await })
    }

    fn keys<'a>(
        &'a self,
        owner: KeyOwner<'a>,
        prefix: &'a str,
        after: Option<&'a str>,
        limit: u32,
    ) -> BoxFuture<'a, Result<Vec<String>, KeyError>> {
        let kv = self.kv(owner.user.clone(), owner.component.clone());
        Box::pin(async move { kv.keys(prefix, after, limit).await })
    }
}

impl Kv {
    /// The value of a key.
    pub async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, KeyError> {
        check_key(key)?;
        let (user, component, key) = self.row(key);
        let sql = "SELECT value FROM kv WHERE user_id = ?1 AND component = ?2 AND key = ?3";
        let value = self
            .database
            .read("read a key", async move |connection| {
                let mut rows = connection.query(sql, [user, component, key]).await?;
                Ok(rows.next().await?.map(|row| row.get(0)).transpose()?)
            })
            .await?;
        Ok(value)
    }

    /// Sets a key, if all keys and values have at most so many bytes then.
    pub async fn set(&self, key: &str, value: Vec<u8>, quota: u64) -> Result<(), KeyError> {
        let quota = quota.min(LARGEST_COMPONENT_STATE);
        check_key(key)?;
        check_value(&value)?;
        let row = self.row(key);
        // The outer result is the database's, the inner one the component's limit.
        self.database
            .write("set a key", async move |connection| set(connection, row, value, quota).await)
            .await?
    }

    /// Removes a key; a missing one is fine.
    pub async fn delete(&self, key: &str) -> Result<(), KeyError> {
        check_key(key)?;
        let (user, component, key) = self.row(key);
        let sql = "DELETE FROM kv WHERE user_id = ?1 AND component = ?2 AND key = ?3";
        self.database
            .write("delete a key", async move |connection| {
                connection.execute(sql, [user, component, key]).await?;
                Ok(())
            })
            .await?;
        Ok(())
    }

    /// Keys that start with `prefix`, sorted by their bytes, after `after`, at most `limit` and
    /// never more than [`MOST_KEYS`].
    pub async fn keys(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<String>, KeyError> {
        let (user, component, prefix) = self.row(prefix);
        let (after, limit) = (after.map(str::to_owned), limit.min(MOST_KEYS));
        let keys = self
            .database
            .read("list keys", async move |connection| {
                let mut rows = connection
                    .query(
                        "SELECT key FROM kv WHERE user_id = ?1 AND component = ?2 AND key >= ?3
                         AND (?4 IS NULL OR key > ?4) ORDER BY key LIMIT ?5",
                        params![user, component, prefix.as_str(), after, limit],
                    )
                    .await?;
                let mut keys = Vec::new();
                while let Some(row) = rows.next().await? {
                    let key: String = row.get(0)?;
                    // Keys with the prefix stand together, so the first without ends the list.
                    if !key.starts_with(&prefix) {
                        break;
                    }
                    keys.push(key);
                }
                Ok(keys)
            })
            .await?;
        Ok(keys)
    }

    fn row(&self, key: &str) -> (String, String, String) {
        (self.user.to_string(), self.component.to_string(), key.to_owned())
    }
}

async fn set(
    connection: &Connection,
    (user, component, key): (String, String, String),
    value: Vec<u8>,
    quota: u64,
) -> Result<Result<(), KeyError>, Failure> {
    let sizes = "SELECT (SELECT bytes FROM kv_usage WHERE user_id = ?1 AND component = ?2),
                        (SELECT length(CAST(key AS BLOB)) + length(value) FROM kv
                         WHERE user_id = ?1 AND component = ?2 AND key = ?3),
                        EXISTS (SELECT 1 FROM users WHERE id = ?1)";
    let mut rows =
        connection.query(sizes, [user.as_str(), component.as_str(), key.as_str()]).await?;
    let row = rows.next().await?.ok_or(libsql::Error::QueryReturnedNoRows)?;
    let used = u64::try_from(row.get::<Option<i64>>(0)?.unwrap_or(0))?;
    let replaced = u64::try_from(row.get::<Option<i64>>(1)?.unwrap_or(0))?;
    if !row.get::<bool>(2)? {
        return Err(Cause::NoUser(user).into());
    }
    drop((row, rows));
    if used.saturating_sub(replaced) + (key.len() + value.len()) as u64 > quota {
        return Ok(Err(KeyError::Full { used, quota }));
    }
    connection
        .execute(
            "INSERT INTO kv (user_id, component, key, value) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (user_id, component, key) DO UPDATE SET value = excluded.value",
            params![user, component, key, value],
        )
        .await?;
    Ok(Ok(()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hydroid_core::ports::{LARGEST_VALUE, LONGEST_KEY};

    async fn kv() -> Kv {
        let database = Database::open_in_memory().await.unwrap();
        database.kv(UserId::new("local"), ComponentId::new("tool-notes"))
    }

    async fn used(kv: &Kv) -> u64 {
        let (user, component, _) = kv.row("");
        kv.database
            .read("read the usage", async move |connection| {
                let sql = "SELECT coalesce(sum(bytes), 0) FROM kv_usage WHERE user_id = ?1 AND component = ?2";
                let mut rows = connection.query(sql, [user, component]).await?;
                Ok(rows.next().await?.unwrap().get::<i64>(0)?.cast_unsigned())
            })
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn a_key_is_set_replaced_and_deleted() {
        let kv = kv().await;
        assert_eq!(kv.get("ü").await.unwrap(), None);
        kv.set("ü", vec![0, 255], LARGEST_COMPONENT_STATE).await.unwrap();
        kv.set("ü", vec![], LARGEST_COMPONENT_STATE).await.unwrap();
        assert_eq!((kv.get("ü").await.unwrap(), used(&kv).await), (Some(vec![]), 2));
        kv.delete("ü").await.unwrap();
        kv.delete("ü").await.unwrap();
        assert_eq!((kv.get("ü").await.unwrap(), used(&kv).await), (None, 0));
    }

    #[tokio::test]
    async fn keys_are_sorted_and_paged() {
        let kv = kv().await;
        for key in ["b", "a/2", "a/1", "a", "a0", "a/🦀", "a/ü"] {
            kv.set(key, vec![1], LARGEST_COMPONENT_STATE).await.unwrap();
        }
        let keys = async |prefix, after, limit| kv.keys(prefix, after, limit).await.unwrap();
        assert_eq!(keys("", None, 100).await, ["a", "a/1", "a/2", "a/ü", "a/🦀", "a0", "b"]);
        assert_eq!(keys("a/", None, 2).await, ["a/1", "a/2"]);
        assert_eq!(keys("a/", Some("a/2"), 9).await, ["a/ü", "a/🦀"]);
        assert_eq!(keys("a/", Some("b"), 9).await, Vec::<String>::new());
        assert_eq!(keys("c", None, 9).await, Vec::<String>::new());
        assert_eq!(keys("", None, 0).await, Vec::<String>::new());
    }

    #[tokio::test]
    async fn users_and_components_do_not_see_each_other() {
        let mine = kv().await;
        let hers = mine.database.kv(UserId::new("anna"), ComponentId::new("tool-notes"));
        let other = mine.database.kv(UserId::new("local"), ComponentId::new("tool-time"));
        mine.set("key", b"mine".to_vec(), LARGEST_COMPONENT_STATE).await.unwrap();
        let nobody = hers.set("key", vec![], LARGEST_COMPONENT_STATE).await.unwrap_err();
        assert_eq!(nobody.to_string(), "the database could not set a key");
        mine.database.add_user(&UserId::new("anna")).await.unwrap();
        hers.set("key", b"hers".to_vec(), LARGEST_COMPONENT_STATE).await.unwrap();
        assert_eq!(other.get("key").await.unwrap(), None);
        other.delete("key").await.unwrap();
        assert_eq!(mine.get("key").await.unwrap(), Some(b"mine".to_vec()));
        assert_eq!(hers.keys("", None, 9).await.unwrap(), ["key"]);
    }

    #[tokio::test]
    async fn the_port_reaches_the_same_keys() {
        let kv = kv().await;
        let port: &dyn KeyValues = &kv.database;
        let owner =
            KeyOwner { user: &kv.user, component: &kv.component, quota: LARGEST_COMPONENT_STATE };
        port.set(owner, "key", b"value".to_vec()).await.unwrap();
        assert_eq!(kv.get("key").await.unwrap(), Some(b"value".to_vec()));
        let other = ComponentId::new("tool-other");
        let stranger = KeyOwner { component: &other, ..owner };
        assert_eq!(port.get(stranger, "key").await.unwrap(), None);
        assert_eq!(port.keys(owner, "k", None, 9).await.unwrap(), ["key"]);
        port.delete(owner, "key").await.unwrap();
        assert_eq!(port.get(owner, "key").await.unwrap(), None);
        assert!(matches!(port.set(owner, "a\0b", vec![]).await, Err(KeyError::Nul)));
    }

    #[tokio::test]
    async fn keys_and_values_have_limits() {
        let kv = kv().await;
        for key in [String::new(), "x".repeat(LONGEST_KEY + 1)] {
            assert!(matches!(
                kv.set(&key, vec![], LARGEST_COMPONENT_STATE).await,
                Err(KeyError::Key(_))
            ));
            assert!(matches!(kv.get(&key).await, Err(KeyError::Key(_))));
        }
        kv.set(&"x".repeat(LONGEST_KEY), vec![0; LARGEST_VALUE], LARGEST_COMPONENT_STATE)
            .await
            .unwrap();
        let error =
            kv.set("x", vec![0; LARGEST_VALUE + 1], LARGEST_COMPONENT_STATE).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "a value has at most 1048576 bytes and this one has 1048577; store it in parts"
        );
    }

    #[tokio::test]
    async fn a_component_keeps_no_more_than_its_share() {
        let kv = kv().await;
        for n in 0..15 {
            kv.set(&format!("{n:04}"), vec![0; LARGEST_VALUE], LARGEST_COMPONENT_STATE)
                .await
                .unwrap();
        }
        kv.set("last", vec![0; LARGEST_VALUE - 16 * 4], LARGEST_COMPONENT_STATE).await.unwrap();
        assert_eq!(used(&kv).await, LARGEST_COMPONENT_STATE);
        let error = kv.set("x", vec![], LARGEST_COMPONENT_STATE).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "the component may keep 16777216 bytes and has 16777216; delete some keys first, or a person can allow it more with `hydroid component grant NAME state --quota SIZE`, up to what its manifest wants"
        );
        kv.set("last", vec![1; LARGEST_VALUE - 16 * 4], LARGEST_COMPONENT_STATE)
            .await
            .expect("replacing needs no more space");
        kv.delete("0003").await.unwrap();
        kv.set("x", vec![], LARGEST_COMPONENT_STATE).await.unwrap();
    }

    #[tokio::test]
    async fn a_quota_counts_keys_and_values_and_what_is_replaced_does_not() {
        let kv = kv().await;
        kv.set("ab", vec![0; 8], 10).await.unwrap();
        let full = kv.set("c", vec![0; 1], 10).await.unwrap_err();
        assert!(matches!(full, KeyError::Full { used: 10, quota: 10 }), "{full:?}");
        kv.set("ab", vec![1; 7], 10).await.unwrap();
        kv.set("c", vec![], 10).await.unwrap();
        assert_eq!(used(&kv).await, 10);
        // A smaller one takes nothing away, and lets nothing in.
        assert!(kv.set("c", vec![1], 4).await.is_err());
        kv.delete("ab").await.unwrap();
        kv.set("c", vec![1], 4).await.unwrap();
    }
}
