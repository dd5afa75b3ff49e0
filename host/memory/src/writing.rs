//! Writing: what waits for the one connection that writes goes into the file together, since to
//! begin and to commit costs more than most of what is written. Each work stands or falls by
//! itself, and nobody is told of theirs before it is stored.

use crate::failure::{Cause, Failure, again};
use crate::sql::{Connection, Prepared};
use futures_util::FutureExt as _;
use futures_util::future::{Either, LocalBoxFuture, select};
use libsql::TransactionBehavior;
use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::runtime::Handle;
use tokio::sync::{OwnedMutexGuard, oneshot};

/// Works in one transaction: enough to share what it costs, and few enough that the first does
/// not wait long for the last.
const TOGETHER: usize = 32;

/// The connection that writes, and what waits for it.
pub(crate) struct Writer {
    connection: Arc<tokio::sync::Mutex<Prepared>>,
    waiting: Arc<Waiting>,
}

/// In the order it came.
#[derive(Default)]
struct Waiting(Mutex<VecDeque<Box<dyn Work>>>);

/// What somebody wants to write.
trait Work: Send {
    /// True if nobody waits for it any more.
    fn is_left(&self) -> bool;

    /// True if it goes into a transaction of its own.
    fn is_alone(&self) -> bool;

    fn run<'a>(self: Box<Self>, connection: &'a Connection) -> LocalBoxFuture<'a, Box<dyn Ran>>;

    /// Tells that it was not begun.
    fn refuse(self: Box<Self>, failure: Failure);
}

/// What ran and is not stored yet.
trait Ran {
    fn is_good(&self) -> bool;

    /// Tells what became of it: its own failure, or else that of storing it.
    fn tell(self: Box<Self>, stored: Result<(), Failure>);
}

struct Wanted<T, W> {
    work: W,
    alone: bool,
    teller: oneshot::Sender<Result<T, Failure>>,
}

struct Over<T> {
    done: Result<T, Failure>,
    teller: oneshot::Sender<Result<T, Failure>>,
}

impl Writer {
    pub(crate) fn new(connection: Prepared) -> Self {
        Self { connection: Arc::new(tokio::sync::Mutex::new(connection)), waiting: Arc::default() }
    }

    /// The connection, while nobody else of this process writes.
    pub(crate) async fn lock(&self) -> OwnedMutexGuard<Prepared> {
        Arc::clone(&self.connection).lock_owned().await
    }

    /// Runs work in a transaction: all of it is stored when this returns, or nothing. What has
    /// begun goes on to its end also when the caller stops waiting.
    pub(crate) async fn write<T, W>(&self, work: W) -> Result<T, Failure>
    where
        T: Send + 'static,
        W: AsyncFnOnce(&Connection) -> Result<T, Failure> + Send + 'static,
    {
        self.queue(work, false).await
    }

    /// The same in a transaction of its own: what it reads is stored, and not about to be.
    pub(crate) async fn write_alone<T, W>(&self, work: W) -> Result<T, Failure>
    where
        T: Send + 'static,
        W: AsyncFnOnce(&Connection) -> Result<T, Failure> + Send + 'static,
    {
        self.queue(work, true).await
    }

    async fn queue<T, W>(&self, work: W, alone: bool) -> Result<T, Failure>
    where
        T: Send + 'static,
        W: AsyncFnOnce(&Connection) -> Result<T, Failure> + Send + 'static,
    {
        let (teller, mut told) = oneshot::channel();
        self.waiting.lock().push_back(Box::new(Wanted { work, alone, teller }));
        loop {
            // Whoever has the connection takes along what others want.
            match select(told, Box::pin(self.lock())).await {
                Either::Left((told, _)) => return told.unwrap_or_else(|_| Err(Cause::Left.into())),
                Either::Right((connection, still)) => {
                    told = still;
                    let (waiting, handle) = (Arc::clone(&self.waiting), Handle::current());
                    let run = move || handle.block_on(write_some(&connection, waiting.some()));
                    tokio::task::spawn_blocking(run).await?;
                }
            }
        }
    }
}

impl Waiting {
    fn lock(&self) -> MutexGuard<'_, VecDeque<Box<dyn Work>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The first that somebody still waits for and that may go together.
    fn some(&self) -> Vec<Box<dyn Work>> {
        let mut all = self.lock();
        let mut some: Vec<Box<dyn Work>> = Vec::new();
        while some.len() < TOGETHER
            && let Some(work) = all.pop_front()
        {
            if work.is_left() {
                continue;
            }
            if work.is_alone() {
                if some.is_empty() {
                    some.push(work);
                } else {
                    all.push_front(work);
                }
                break;
            }
            some.push(work);
        }
        some
    }
}

async fn write_some(connection: &Prepared, works: Vec<Box<dyn Work>>) {
    let mut works = VecDeque::from(works);
    while !works.is_empty() {
        write_together(connection, &mut works).await;
    }
}

/// Writes in one transaction and takes what it has told of; the rest is for another.
async fn write_together(connection: &Prepared, works: &mut VecDeque<Box<dyn Work>>) {
    let behavior = TransactionBehavior::Immediate;
    let transaction = match connection.connection().transaction_with_behavior(behavior).await {
        Ok(transaction) => transaction,
        Err(error) => {
            works.drain(..).for_each(|work| work.refuse(again(&error).into()));
            return;
        }
    };
    let face = Connection::File(connection.clone());
    let alone = works.len() == 1;
    let mut over: Vec<Box<dyn Ran>> = Vec::new();
    let mut is_whole = true;
    while is_whole && let Some(work) = works.pop_front() {
        if alone {
            let ran = work.run(&face).await;
            is_whole = ran.is_good();
            over.push(ran);
            continue;
        }
        if let Err(error) = connection.execute("SAVEPOINT work", ()).await {
            work.refuse(error.into());
            is_whole = false;
            continue;
        }
        let ran = work.run(&face).await;
        let undone = if ran.is_good() {
            Ok(0)
        } else if connection.connection().is_autocommit() {
            // SQLite has undone everything, as it does when the disk is full.
            Err(Cause::Unstored)
        } else {
            connection.execute("ROLLBACK TO work", ()).await.map_err(Cause::from)
        };
        is_whole = undone.is_ok() && connection.execute("RELEASE work", ()).await.is_ok();
        over.push(ran);
    }
    if !is_whole {
        // What is dropped is rolled back.
        drop(transaction);
        over.into_iter().for_each(|ran| ran.tell(Err(Cause::Unstored.into())));
        return;
    }
    match transaction.commit().await {
        Ok(()) => over.into_iter().for_each(|ran| ran.tell(Ok(()))),
        Err(error) => over.into_iter().for_each(|ran| ran.tell(Err(again(&error).into()))),
    }
}

impl<T, W> Work for Wanted<T, W>
where
    T: Send + 'static,
    W: AsyncFnOnce(&Connection) -> Result<T, Failure> + Send + 'static,
{
    fn is_left(&self) -> bool {
        self.teller.is_closed()
    }

    fn is_alone(&self) -> bool {
        self.alone
    }

    fn run<'a>(self: Box<Self>, connection: &'a Connection) -> LocalBoxFuture<'a, Box<dyn Ran>> {
        let Self { work, teller, .. } = *self;
        Box::pin(async move {
            let done = AssertUnwindSafe(work(connection)).catch_unwind().await;
            let done = done.unwrap_or_else(|_| Err(Cause::Left.into()));
            let over: Box<dyn Ran> = Box::new(Over { done, teller });
            over
        })
    }

    fn refuse(self: Box<Self>, failure: Failure) {
        // Nobody waits any more.
        drop(self.teller.send(Err(failure)));
    }
}

impl<T> Ran for Over<T> {
    fn is_good(&self) -> bool {
        self.done.is_ok()
    }

    fn tell(self: Box<Self>, stored: Result<(), Failure>) {
        let Self { done, teller } = *self;
        let told = done.and_then(|done| stored.map(|()| done));
        // Nobody waits any more.
        drop(teller.send(told));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// A writer of a table.
    async fn scene() -> (Arc<Writer>, libsql::Connection) {
        let database = libsql::Builder::new_local(":memory:").build().await.unwrap();
        let connection = database.connect().unwrap();
        connection.execute_batch("CREATE TABLE t (a INTEGER UNIQUE)").await.unwrap();
        (Arc::new(Writer::new(Prepared::new(connection.clone()))), connection)
    }

    async fn insert(connection: &Connection, numbers: &[i64]) -> Result<i64, Failure> {
        for number in numbers {
            connection.execute("INSERT INTO t VALUES (?1)", [*number]).await?;
        }
        Ok(numbers[0])
    }

    async fn stored(connection: &libsql::Connection) -> Vec<i64> {
        let mut rows = connection.query("SELECT a FROM t ORDER BY a", ()).await.unwrap();
        let mut numbers = Vec::new();
        while let Some(row) = rows.next().await.unwrap() {
            numbers.push(row.get(0).unwrap());
        }
        numbers
    }

    #[tokio::test]
    async fn what_is_written_together_stands_or_falls_by_itself() {
        let (writer, connection) = scene().await;
        let begun = Arc::new(AtomicUsize::new(0));
        let held = writer.lock().await;
        let write = |numbers: Vec<i64>| {
            let (writer, begun) = (Arc::clone(&writer), Arc::clone(&begun));
            tokio::spawn(async move {
                let work = async move |connection: &Connection| {
                    begun.fetch_add(1, Ordering::SeqCst);
                    let written = insert(connection, &numbers).await;
                    assert_ne!(numbers, [7], "a defect");
                    written
                };
                writer.write(work).await.map_err(|failure| failure.doing("write").to_string())
            })
        };
        // The third takes back what it wrote before it failed, the fourth before its defect.
        let written = [vec![1], vec![2, 3], vec![4, 5, 1], vec![7], vec![6]].map(write);
        let left = write(vec![8]);
        while writer.waiting.lock().len() < 6 {
            tokio::task::yield_now().await;
        }
        left.abort();
        assert!(left.await.unwrap_err().is_cancelled());
        assert_eq!(begun.load(Ordering::SeqCst), 0, "somebody else has the connection");
        drop(held);
        let written = futures_util::future::join_all(written).await;
        let written: Vec<Result<i64, String>> =
            written.into_iter().map(|told| told.unwrap()).collect();
        assert_eq!((&written[0], &written[1], &written[4]), (&Ok(1), &Ok(2), &Ok(6)));
        assert!(written[2].is_err() && written[3].is_err(), "{written:?}");
        assert_eq!(stored(&connection).await, [1, 2, 3, 6]);
        assert_eq!(begun.load(Ordering::SeqCst), 5, "what nobody waits for is not begun");
        assert!(connection.is_autocommit());
    }

    #[tokio::test]
    async fn what_takes_a_transaction_down_takes_along_what_it_had_and_not_what_follows() {
        let (writer, connection) = scene().await;
        let held = writer.lock().await;
        let write = |number: i64| {
            let writer = Arc::clone(&writer);
            tokio::spawn(async move {
                let work = async move |connection: &Connection| {
                    if number == 2 {
                        // As a full disk has it.
                        connection.execute_batch("ROLLBACK").await?;
                        return Err(Cause::Unexpected.into());
                    }
                    insert(connection, &[number]).await
                };
                writer.write(work).await.map_err(|failure| failure.doing("write"))
            })
        };
        let written = [1, 2, 3].map(write);
        while writer.waiting.lock().len() < 3 {
            tokio::task::yield_now().await;
        }
        drop(held);
        let written = futures_util::future::join_all(written).await;
        let is_stored: Vec<bool> = written.into_iter().map(|told| told.unwrap().is_ok()).collect();
        assert_eq!(is_stored, [false, false, true]);
        assert_eq!(stored(&connection).await, [3]);
    }

    #[tokio::test]
    async fn more_than_go_together_are_all_written() {
        let (writer, connection) = scene().await;
        let count = i64::try_from(TOGETHER).unwrap() * 3;
        let write = |number: i64| {
            let work = async move |connection: &Connection| insert(connection, &[number]).await;
            writer.write(work)
        };
        let told = futures_util::future::join_all((0..count).map(write)).await;
        assert!(told.into_iter().all(|told| told.is_ok()));
        assert_eq!(stored(&connection).await, (0..count).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn what_is_written_alone_sees_only_what_is_stored() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("a.db");
        let database = libsql::Builder::new_local(&file).build().await.unwrap();
        let connection = database.connect().unwrap();
        connection.execute_batch("CREATE TABLE t (a INTEGER UNIQUE)").await.unwrap();
        let writer = Writer::new(Prepared::new(connection));
        let held = writer.lock().await;
        let write = |number: i64| {
            writer.write(async move |connection: &Connection| insert(connection, &[number]).await)
        };
        // What somebody else sees is what survives a sudden end.
        let look = writer.write_alone(async move |connection: &Connection| {
            let mut rows = connection.query("SELECT count(*) FROM t", ()).await?;
            let seen: i64 = rows.next().await?.expect("a count").get(0)?;
            let other = database.connect()?;
            Ok((seen, i64::try_from(stored(&other).await.len())?))
        });
        let all = async { tokio::join!(write(1), write(2), look, write(3)) };
        let release = async {
            while writer.waiting.lock().len() < 4 {
                tokio::task::yield_now().await;
            }
            drop(held);
        };
        let ((first, second, seen, third), ()) = tokio::join!(all, release);
        assert!(first.is_ok() && second.is_ok() && third.is_ok());
        assert_eq!(seen.unwrap(), (2, 2));
    }
}
