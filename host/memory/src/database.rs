//! Opening the database and running work on it: one connection that writes, a few that read.
//! What the work is, is in the other files.

use crate::chunking::cut_what_is_new;
use crate::failure::{Cause, Failure, is_busy};
use crate::migration;
use crate::search::Sampled;
use crate::service::{self, Service};
use crate::sql::{Connection, Prepared};
use crate::vectors::Matrix;
use crate::writing::Writer;
use futures_util::FutureExt as _;
use hydroid_core::id::UserId;
use hydroid_core::ports::{StoreError, StoreService};
use libsql::{Builder, OpenFlags, TransactionBehavior};
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::{Notify, Semaphore};

/// How long to wait for another process, such as a second terminal. Its transactions take
/// milliseconds; longer means that it hangs, and then a sentence is better than silence.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Reads side by side. A read is short, and a laptop's disk gains nothing from more.
const READERS: usize = 4;

/// The database. Clones share it.
#[derive(Clone)]
pub struct Database {
    inner: Arc<Inner>,
}

struct Inner {
    path: Option<PathBuf>,
    database: libsql::Database,
    writer: Writer,
    /// None in memory, where a second connection would see another database.
    readers: Option<Readers>,
    /// Vectors of users, as far as they were searched. Held only to look one up.
    matrices: Mutex<BTreeMap<UserId, Arc<tokio::sync::Mutex<Matrix>>>>,
    /// How common words are with users, as far as they searched. Held only to look one up.
    sampled: Mutex<BTreeMap<UserId, Arc<tokio::sync::Mutex<Sampled>>>>,
    /// Told when something was written that has no vectors yet.
    written: Notify,
    /// Where sessions and memory are, if not in the file.
    service: Option<Arc<Service>>,
    /// Writes to the service wait here: it has one writer too.
    sending: Arc<tokio::sync::Mutex<()>>,
}

struct Readers {
    permits: Arc<Semaphore>,
    /// Held only to push and pop.
    idle: Mutex<Vec<Prepared>>,
}

impl Database {
    /// Opens the file, creating it and its directory, readable by their owner only, and brings
    /// an older one up to date. A file of a newer version is refused.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::open_with(path, None).await
    }

    /// Opens the file for what belongs to this machine, with sessions and memory at a service if
    /// one is given. The service is asked when something is wanted of it.
    pub async fn open_with(
        path: impl AsRef<Path>,
        service: Option<Arc<dyn StoreService>>,
    ) -> Result<Self, StoreError> {
        let path = path.as_ref().to_owned();
        let service = service.map(|door| Arc::new(Service::new(door)));
        blocking(move |handle| {
            let path = prepare(&path)?;
            handle.block_on(Self::connect(Some(path), service))
        })
        .await
        .map_err(|failure| failure.doing("open its file"))
    }

    /// A database that is gone when it is dropped.
    pub async fn open_in_memory() -> Result<Self, StoreError> {
        blocking(|handle| handle.block_on(Self::connect(None, None)))
            .await
            .map_err(|failure| failure.doing("open in memory"))
    }

    /// The version of the schema, the number of the last migration.
    pub async fn schema_version(&self) -> Result<u32, StoreError> {
        self.read("read its version", async |connection| {
            let mut rows = connection.query("PRAGMA user_version", ()).await?;
            let row = rows.next().await?.ok_or(libsql::Error::QueryReturnedNoRows)?;
            Ok(u32::try_from(row.get::<i64>(0)?)?)
        })
        .await
    }

    /// The service at which sessions and memory are, if they are not in the file.
    pub fn service(&self) -> Option<&str> {
        self.inner.service.as_ref().map(|service| service.address())
    }

    /// Reads the whole file and returns what is wrong with it; nothing if all is well.
    pub async fn integrity_check(&self) -> Result<Vec<String>, StoreError> {
        self.read("check itself", async |connection| {
            let mut problems = Vec::new();
            let mut rows = connection.query("PRAGMA integrity_check", ()).await?;
            while let Some(row) = rows.next().await? {
                let problem: String = row.get(0)?;
                if problem != "ok" {
                    problems.push(problem);
                }
            }
            let mut rows = connection.query("PRAGMA foreign_key_check", ()).await?;
            while let Some(row) = rows.next().await? {
                let table: String = row.get(0)?;
                problems.push(format!("a row of `{table}` refers to one that does not exist"));
            }
            Ok(problems)
        })
        .await
    }

    /// Makes a user known; one that is known already is fine.
    pub async fn add_user(&self, user: &hydroid_core::id::UserId) -> Result<(), StoreError> {
        let doing = "add a user";
        let user = user.as_str().to_owned();
        let there = user.clone();
        self.write(doing, async move |connection| service::add_user(connection, &user).await)
            .await?;
        match &self.inner.service {
            // One that was not asked yet learns of everybody when it is.
            Some(service) if service.is_ready() => {
                let add = async move |connection: &Connection| {
                    service::add_user(connection, &there).await
                };
                self.write_memory(doing, add).await
            }
            _ => Ok(()),
        }
    }

    /// The vectors of a user in memory.
    pub(crate) fn matrix(&self, user: &UserId) -> Arc<tokio::sync::Mutex<Matrix>> {
        let mut matrices = self.inner.matrices.lock().unwrap_or_else(PoisonError::into_inner);
        matrices.entry(user.clone()).or_default().clone()
    }

    /// How common words are with a user.
    pub(crate) fn sampled(&self, user: &UserId) -> Arc<tokio::sync::Mutex<Sampled>> {
        let mut sampled = self.inner.sampled.lock().unwrap_or_else(PoisonError::into_inner);
        sampled.entry(user.clone()).or_default().clone()
    }

    /// Told when something was written that has no vectors yet.
    pub(crate) fn written(&self) -> &Notify {
        &self.inner.written
    }

    /// Where its file is; none in memory.
    pub(crate) fn path(&self) -> Option<&Path> {
        self.inner.path.as_deref()
    }

    /// Runs work in one transaction: all of it is stored when this returns, or nothing. The work
    /// goes on to its end also when the caller stops waiting.
    pub(crate) async fn write<T, W>(&self, doing: &'static str, work: W) -> Result<T, StoreError>
    where
        T: Send + 'static,
        W: AsyncFnOnce(&Connection) -> Result<T, Failure> + Send + 'static,
    {
        self.inner.writer.write(work).await.map_err(|failure: Failure| failure.doing(doing))
    }

    /// Like [`Self::write`], in a transaction of its own: for work that tells somebody else, such
    /// as another file, what is stored.
    pub(crate) async fn write_alone<T, W>(
        &self,
        doing: &'static str,
        work: W,
    ) -> Result<T, StoreError>
    where
        T: Send + 'static,
        W: AsyncFnOnce(&Connection) -> Result<T, Failure> + Send + 'static,
    {
        self.inner.writer.write_alone(work).await.map_err(|failure: Failure| failure.doing(doing))
    }

    /// Like [`Self::write`], for what is at a service if there is one: sessions and memory.
    pub(crate) async fn write_memory<T, W>(
        &self,
        doing: &'static str,
        work: W,
    ) -> Result<T, StoreError>
    where
        T: Send + 'static,
        W: AsyncFnOnce(&Connection) -> Result<T, Failure> + Send + 'static,
    {
        let Some(service) = self.inner.service.clone() else {
            return self.write(doing, work).await;
        };
        let users = self.users().await?;
        let sending = Arc::clone(&self.inner.sending).lock_owned().await;
        blocking(move |handle| {
            let _sending = sending;
            handle.block_on(service.write(&users, work))
        })
        .await
        .map_err(|failure: Failure| failure.doing(doing))
    }

    /// Like [`Self::read`], for what is at a service if there is one: sessions and memory.
    pub(crate) async fn read_memory<T, W>(
        &self,
        doing: &'static str,
        work: W,
    ) -> Result<T, StoreError>
    where
        T: Send + 'static,
        W: AsyncFnOnce(&Connection) -> Result<T, Failure> + Send + 'static,
    {
        let Some(service) = self.inner.service.clone() else {
            return self.read(doing, work).await;
        };
        let users = self.users().await?;
        blocking(move |handle| handle.block_on(service.read(&users, work)))
            .await
            .map_err(|failure: Failure| failure.doing(doing))
    }

    /// Everybody the file knows: whoever was added before is added at the service too.
    async fn users(&self) -> Result<Vec<String>, StoreError> {
        self.read("list users", async |connection| {
            let mut rows = connection.query("SELECT id FROM users", ()).await?;
            let mut users = Vec::new();
            while let Some(row) = rows.next().await? {
                users.push(row.get(0)?);
            }
            Ok(users)
        })
        .await
    }

    /// Brings everything that is committed to the disk, past a power cut; false while another
    /// process reads what came before.
    pub(crate) async fn checkpoint(&self) -> Result<bool, StoreError> {
        let connection = self.inner.writer.lock().await;
        blocking(move |handle| {
            handle.block_on(async {
                let pragma = "PRAGMA wal_checkpoint(TRUNCATE)";
                let mut rows = connection.connection().query(pragma, ()).await?;
                let row = rows.next().await?.ok_or(libsql::Error::QueryReturnedNoRows)?;
                Ok(row.get::<i64>(0)? == 0)
            })
        })
        .await
        .map_err(|failure: Failure| failure.doing("write its log to the disk"))
    }

    /// Runs work outside of any transaction, while nobody else of this process writes.
    pub(crate) async fn exclusively<T, W>(
        &self,
        doing: &'static str,
        work: W,
    ) -> Result<T, StoreError>
    where
        T: Send + 'static,
        W: AsyncFnOnce(&Connection) -> Result<T, Failure> + Send + 'static,
    {
        let connection = self.inner.writer.lock().await;
        blocking(move |handle| handle.block_on(work(&Connection::File(connection.clone()))))
            .await
            .map_err(|failure: Failure| failure.doing(doing))
    }

    /// Runs work that only reads, beside other reads and a write.
    pub(crate) async fn read<T, W>(&self, doing: &'static str, work: W) -> Result<T, StoreError>
    where
        T: Send + 'static,
        W: AsyncFnOnce(&Connection) -> Result<T, Failure> + Send + 'static,
    {
        let result = match &self.inner.readers {
            Some(readers) => {
                let permits = Arc::clone(&readers.permits);
                let permit = permits.acquire_owned().await.expect("the semaphore is never closed");
                let inner = Arc::clone(&self.inner);
                blocking(move |handle| {
                    let _permit = permit;
                    handle.block_on(inner.read(work))
                })
                .await
            }
            None => {
                let connection = self.inner.writer.lock().await;
                blocking(move |handle| handle.block_on(work(&Connection::File(connection.clone()))))
                    .await
            }
        };
        result.map_err(|failure: Failure| failure.doing(doing))
    }

    /// Like [`Self::read`], on the thread that asks: for what is so short that to hand it to
    /// another costs more, and is asked where nothing can be awaited. None where that cannot be,
    /// as in memory.
    pub(crate) fn read_here<T, W>(
        &self,
        doing: &'static str,
        work: W,
    ) -> Option<Result<T, StoreError>>
    where
        W: AsyncFnOnce(&Connection) -> Result<T, Failure>,
    {
        self.inner.readers.as_ref()?;
        // A file's calls look async and are done when they return.
        let result = self.inner.read(work).now_or_never()?;
        Some(result.map_err(|failure: Failure| failure.doing(doing)))
    }

    async fn connect(
        path: Option<PathBuf>,
        service: Option<Arc<Service>>,
    ) -> Result<Self, Failure> {
        let file = path.as_deref().unwrap_or(Path::new(":memory:"));
        let database = Builder::new_local(file).flags(OpenFlags::default()).build().await?;
        let writer = database.connect()?;
        configure(&writer).await?;
        migration::migrate(&writer, file).await?;
        cut_what_is_new_in(&writer).await?;
        let readers = path.is_some().then(|| Readers {
            permits: Arc::new(Semaphore::new(READERS)),
            idle: Mutex::new(Vec::new()),
        });
        let writer = Writer::new(Prepared::new(writer));
        let inner = Inner {
            path,
            database,
            writer,
            readers,
            matrices: Mutex::default(),
            sampled: Mutex::default(),
            written: Notify::new(),
            service,
            sending: Arc::default(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }
}

impl Inner {
    async fn read<T>(
        &self,
        work: impl AsyncFnOnce(&Connection) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let readers = self.readers.as_ref().expect("only called with readers");
        let idle = || readers.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = idle().pop();
        let connection = match waiting {
            Some(connection) => connection,
            None => {
                let connection = self.database.connect()?;
                configure(&connection).await?;
                connection.execute("PRAGMA query_only = ON", ()).await?;
                Prepared::new(connection)
            }
        };
        let done = work(&Connection::File(connection.clone())).await?;
        // After an error the connection is dropped instead; the next read opens a fresh one.
        let mut idle = idle();
        if idle.len() < READERS {
            idle.push(connection);
        }
        Ok(done)
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database").field("path", &self.inner.path).finish_non_exhaustive()
    }
}

/// libsql's calls look async and block, so they get a thread that may.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce(Handle) -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let handle = Handle::current();
    tokio::task::spawn_blocking(move || work(handle)).await?
}

/// Cuts what an older version wrote, and left uncut, once.
async fn cut_what_is_new_in(connection: &libsql::Connection) -> Result<(), Failure> {
    let mut rows = connection.query("SELECT 1 FROM unchunked LIMIT 1", ()).await?;
    if rows.next().await?.is_none() {
        return Ok(());
    }
    drop(rows);
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).await?;
    cut_what_is_new(&Connection::File(Prepared::new(transaction.clone()))).await?;
    transaction.commit().await?;
    Ok(())
}

async fn configure(connection: &libsql::Connection) -> Result<(), Failure> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    // Changing the mode takes the file for a moment and, unlike other work, does not always wait
    // for whoever has it.
    let mut tries = 0;
    loop {
        match pragma(connection, "PRAGMA journal_mode = WAL").await {
            Ok(()) => break,
            Err(error) if tries < 50 && is_busy(&error) => {
                tries += 1;
                std::thread::sleep(Duration::from_millis(20));
            }
            Err(error) => return Err(error.into()),
        }
    }
    pragma(connection, "PRAGMA synchronous = NORMAL").await?;
    pragma(connection, "PRAGMA foreign_keys = ON").await?;
    pragma(connection, "PRAGMA cache_size = -8192").await?;
    Ok(())
}

/// Some pragmas answer with a row and some do not.
async fn pragma(connection: &libsql::Connection, sql: &str) -> Result<(), libsql::Error> {
    let mut rows = connection.query(sql, ()).await?;
    while rows.next().await?.is_some() {}
    Ok(())
}

/// Creates the directory and the file for their owner only. SQLite gives the files beside it the
/// same permissions. The result is absolute, so that no name is taken for a URI or for memory.
#[expect(
    clippy::disallowed_methods,
    reason = "this crate has the authority over the database file"
)]
fn prepare(path: &Path) -> Result<PathBuf, Failure> {
    use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};

    let refused = |source| Cause::File { path: path.to_owned(), source };
    let path = std::path::absolute(path).map_err(refused)?;
    if let Some(directory) = path.parent() {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(refused)?;
    }
    // A file that is there is not opened here: this process may have it open already, and closing
    // it once would take the locks of all its connections away. Another process would then take
    // itself for the last one and remove the log that is in use.
    let created = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
    match created {
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(source) => return Err(refused(source).into()),
    }
    let found = std::fs::metadata(&path).map_err(refused)?;
    if found.is_dir() {
        return Err(refused(std::io::ErrorKind::IsADirectory.into()).into());
    }
    let permissions = found.permissions();
    if permissions.mode() & 0o077 != 0 {
        let private = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(&path, private).map_err(refused)?;
    }
    Ok(path)
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the tests look at files and copy them")]
mod tests {
    use super::*;
    use hydroid_core::entry::Entry;
    use hydroid_core::id::{SessionId, TurnId, UserId};
    use hydroid_core::ports::{Journal, NewSession};
    use std::error::Error;
    use std::os::unix::fs::PermissionsExt;

    fn text(text: impl Into<String>) -> Entry {
        Entry::Text { turn: TurnId::new("t"), text: text.into() }
    }

    async fn with_session(database: &Database) -> SessionId {
        let id = SessionId::new("s");
        let session = NewSession {
            id: id.clone(),
            user: UserId::new("local"),
            title: "t".into(),
            created_ms: 1,
        };
        database.create(session).await.unwrap();
        id
    }

    #[tokio::test]
    async fn the_files_are_their_owners_only() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("deep/er/hydroid.db");
        let database = Database::open(&path).await.unwrap();
        let mode = |path: PathBuf| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(directory.path().join("deep")), 0o700);
        for file in ["hydroid.db", "hydroid.db-wal", "hydroid.db-shm"] {
            assert_eq!(mode(path.with_file_name(file)), 0o600, "{file}");
        }
        drop(database);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let _database = Database::open(&path).await.unwrap();
        assert_eq!(mode(path), 0o600, "an open file is closed to others");
    }

    #[tokio::test]
    async fn a_path_that_cannot_be_opened_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let error = Database::open(directory.path()).await.unwrap_err();
        let cause = error.source().unwrap().to_string();
        assert!(cause.contains(&format!("refused `{}`", directory.path().display())), "{cause}");
    }

    /// What a crash leaves is what is on the disk while the database is open.
    #[tokio::test]
    async fn what_was_appended_is_there_after_a_crash() {
        let directory = tempfile::tempdir().unwrap();
        let database = Database::open(directory.path().join("a.db")).await.unwrap();
        let session = with_session(&database).await;
        for n in 0..50 {
            database.append(&session, &[text(n.to_string())], 2).await.unwrap();
        }
        for end in ["", "-wal"] {
            let from = directory.path().join(format!("a.db{end}"));
            std::fs::copy(from, directory.path().join(format!("b.db{end}"))).unwrap();
        }
        let after = Database::open(directory.path().join("b.db")).await.unwrap();
        assert_eq!(after.entries(&UserId::new("local"), &session, 0).await.unwrap().len(), 50);
        assert_eq!(after.integrity_check().await.unwrap(), Vec::<String>::new());
        assert_eq!(after.append(&session, &[text("on")], 3).await.unwrap(), 51);
    }

    #[tokio::test]
    async fn a_full_disk_is_an_error_and_loses_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let database = Database::open(directory.path().join("hydroid.db")).await.unwrap();
        let session = with_session(&database).await;
        limit_pages(&database, "PRAGMA max_page_count = 100").await;
        let mut stored = 0;
        let error = loop {
            match database.append(&session, &[text("x".repeat(9_000)), text("y")], 2).await {
                Ok(seq) => stored = seq,
                Err(error) => break error,
            }
        };
        assert!(stored > 10 && stored % 2 == 0, "{stored}");
        assert_eq!(error.to_string(), "the database could not append to a session");
        let cause = error.source().unwrap().to_string();
        assert!(cause.starts_with("there is no space left; free some and try again"), "{cause}");
        let entries = database.entries(&UserId::new("local"), &session, 0).await.unwrap();
        assert_eq!(entries.len() as u64, stored);
        limit_pages(&database, "PRAGMA max_page_count = 1000000").await;
        assert_eq!(database.append(&session, &[text("z")], 3).await.unwrap(), stored + 1);
        assert_eq!(database.integrity_check().await.unwrap(), Vec::<String>::new());
    }

    async fn limit_pages(database: &Database, sql: &'static str) {
        database
            .write("limit the pages", async move |connection| {
                Ok(connection.execute_batch(sql).await?)
            })
            .await
            .unwrap();
    }

    #[tokio::test]
    async fn a_damaged_file_is_reported_and_never_a_panic() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("hydroid.db");
        let database = Database::open(&path).await.unwrap();
        let session = with_session(&database).await;
        for _ in 0..50 {
            database.append(&session, &[text("x".repeat(2_000))], 2).await.unwrap();
        }
        drop(database);
        let mut bytes = std::fs::read(&path).unwrap();
        for (n, byte) in bytes.iter_mut().enumerate().skip(3 * 4096) {
            *byte = u8::try_from(n % 251).unwrap();
        }
        std::fs::write(&path, bytes).unwrap();
        match Database::open(&path).await {
            Ok(database) => {
                let problems =
                    database.integrity_check().await.map_or(true, |found| !found.is_empty());
                assert!(problems, "the damage was not found");
                let _either = database.entries(&UserId::new("local"), &session, 0).await;
            }
            Err(error) => assert!(error.source().unwrap().to_string().contains("damaged")),
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn reads_go_on_beside_a_write() {
        let directory = tempfile::tempdir().unwrap();
        let database = Database::open(directory.path().join("hydroid.db")).await.unwrap();
        let session = with_session(&database).await;
        database.append(&session, &[text("before")], 2).await.unwrap();
        let (started, wait) = std::sync::mpsc::channel::<()>();
        let (release, hold) = std::sync::mpsc::channel::<()>();
        let writing = tokio::spawn({
            let database = database.clone();
            async move {
                database
                    .write("hold the writer", async move |connection| {
                        connection.execute("UPDATE sessions SET title = 'changed'", ()).await?;
                        started.send(()).unwrap();
                        hold.recv().unwrap();
                        Ok(())
                    })
                    .await
            }
        });
        tokio::task::spawn_blocking(move || wait.recv().unwrap()).await.unwrap();
        let user = UserId::new("local");
        let reading = (0..20).map(|_| database.sessions(&user, 10));
        for sessions in futures_util::future::join_all(reading).await {
            assert_eq!(sessions.unwrap()[0].title, "t", "not committed yet");
        }
        release.send(()).unwrap();
        writing.await.unwrap().unwrap();
        assert_eq!(database.sessions(&user, 10).await.unwrap()[0].title, "changed");
    }
}
