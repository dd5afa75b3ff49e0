//! The stored secrets of a user, opened and held in memory. They are opened anew when another
//! process changed them, so that one that runs for days sees what was set meanwhile.

use crate::audited;
use crate::secrets::lock::Lock;
use crate::secrets::master_key::{Kept, KeyPlaces};
use crate::wire::SystemClock;
use hydroid_core::audit::{AuditAction, AuditEvent, AuditOutcome};
use hydroid_core::id::UserId;
use hydroid_core::ports::{Audit as _, Clock as _, SecretValue};
use hydroid_memory::{Database, SealError};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A key that was not there is not looked for again before this: a keyring may take seconds to
/// say no.
const TRY_AGAIN: Duration = Duration::from_secs(30);

/// A value, or why it cannot be read.
pub(super) type Value = Result<SecretValue, String>;

/// What a look into the store finds.
#[derive(Debug)]
pub(super) enum Look {
    /// It is there; it may still not open.
    Stored(Value),
    /// It is not there.
    Absent,
    /// The store could not be looked into.
    Unknown(String),
}

/// The stored secrets of one user.
pub(crate) struct Sealed {
    user: UserId,
    database: PathBuf,
    /// Held by whoever changes them.
    lock: PathBuf,
    places: KeyPlaces,
    held: Mutex<Held>,
}

/// What was read last.
#[derive(Default)]
struct Held {
    database: Option<Database>,
    generation: u64,
    values: BTreeMap<String, Value>,
    kept: Option<Kept>,
    /// When the key was not there.
    missed: Option<Instant>,
    /// Why the store could not be looked into.
    problem: Option<String>,
}

impl Held {
    /// True if nothing changed since it was read. It is asked before every text that is masked, so
    /// it takes no thread.
    fn is_as_stored(&self, user: &UserId) -> bool {
        let Some(database) = self.database.as_ref().filter(|_| self.missed.is_none()) else {
            return false;
        };
        match database.secrets_key_here(user) {
            Some(Ok(needed)) => needed.is_none_or(|needed| needed.generation == self.generation),
            Some(Err(_)) | None => false,
        }
    }
}

impl Sealed {
    /// The secrets in this database, which need not be there. Nothing is opened yet.
    pub(crate) fn new(user: UserId, database: PathBuf, lock: PathBuf, places: KeyPlaces) -> Self {
        Self { user, database, lock, places, held: Mutex::default() }
    }

    /// A number that is another one after every change of a stored secret, also by another
    /// process, and after the key was found.
    pub(super) fn generation(&self) -> (u64, bool) {
        let held = self.current();
        (held.generation, held.missed.is_some())
    }

    /// Seals another value for a secret that is stored, as its next version. What the
    /// configuration says of it, such as its hosts, stays.
    pub(super) fn renew(&self, name: &str, value: &SecretValue) -> Result<(), String> {
        if !self.database.exists() {
            return Err("it is not in the sealed store".to_owned());
        }
        on_a_thread(async move || self.seal(name, value).await)?
    }

    async fn seal(&self, name: &str, value: &SecretValue) -> Result<(), String> {
        let _lock = Lock::take(&self.lock).map_err(|error| format!("{error:#}"))?;
        let database = Database::open(&self.database).await.map_err(whole)?;
        let stored = database.stored_secrets(&self.user).await.map_err(whole)?;
        let needed = database.secrets_key(&self.user).await.map_err(whole)?;
        let (Some(needed), true) = (needed, stored.iter().any(|stored| stored.name == name)) else {
            return Err("it is not in the sealed store".to_owned());
        };
        let kept = self.places.find(&needed).await?;
        // Who cannot record what they are about to change does not change it.
        let event = AuditEvent {
            rule: "the service gave a new value in place of the one it had".to_owned(),
            ..AuditEvent::new(
                self.user.clone(),
                AuditAction::SecretChanged,
                format!("renew {name}"),
                AuditOutcome::Allowed,
            )
        };
        audited::log_of(&database).record(event).await.map_err(whole)?;
        let secrets = vec![(name.to_owned(), value.clone())];
        let (place, now_ms) = (kept.place.recorded(), SystemClock.now_ms());
        database
            .set_secrets(&self.user, &kept.key, place, secrets, now_ms)
            .await
            .map(drop)
            .map_err(whole)
    }

    /// What the store has under a name now.
    pub(super) fn look(&self, name: &str) -> Look {
        let held = self.current();
        match (held.values.get(name), &held.problem) {
            (Some(value), _) => Look::Stored(value.clone()),
            (None, Some(problem)) => Look::Unknown(problem.clone()),
            (None, None) => Look::Absent,
        }
    }

    /// Every stored secret as it is now.
    pub(crate) fn values(&self) -> BTreeMap<String, Value> {
        self.current().values.clone()
    }

    /// Where the master key is that opened them; none if nothing is stored or it was not found.
    pub(crate) fn key_place(&self) -> Option<Kept> {
        self.current().kept.clone()
    }

    /// What is the matter with the store as a whole, if anything.
    pub(crate) fn problem(&self) -> Option<String> {
        self.current().problem.clone()
    }

    /// The stored secrets that cannot be read and so cannot be masked, and why; none if all can.
    pub(crate) fn unreadable(&self) -> Option<String> {
        let held = self.current();
        let closed = held.values.iter().find_map(|(name, value)| {
            Some(format!("the stored secret `{name}` cannot be read: {}", value.as_ref().err()?))
        });
        let whole = || {
            held.problem
                .as_ref()
                .map(|problem| format!("the store of secrets cannot be read: {problem}"))
        };
        closed.or_else(whole)
    }

    fn current(&self) -> MutexGuard<'_, Held> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.is_as_stored(&self.user) {
            held.problem = None;
        } else if held.database.is_some() || self.database.exists() {
            let state: &mut Held = &mut held;
            let refreshed = on_a_thread(async move || self.refresh(state).await);
            held.problem = refreshed.and_then(|refreshed| refreshed).err();
        }
        held
    }

    async fn refresh(&self, held: &mut Held) -> Result<(), String> {
        let database = match &held.database {
            Some(database) => database.clone(),
            None => Database::open(&self.database).await.map_err(whole)?,
        };
        held.database = Some(database.clone());
        let Some(needed) = database.secrets_key(&self.user).await.map_err(whole)? else {
            return Ok(());
        };
        let wait = held.missed.is_none_or(|missed| missed.elapsed() < TRY_AGAIN);
        if needed.generation == held.generation && wait {
            return Ok(());
        }
        let stored = database.stored_secrets(&self.user).await.map_err(whole)?;
        held.generation = needed.generation;
        held.missed = None;
        held.kept = None;
        if stored.is_empty() {
            held.values.clear();
            return Ok(());
        }
        match self.open(&database, held, &needed).await {
            Ok(values) => held.values = values,
            Err(problem) => {
                held.missed = Some(Instant::now());
                let closed = stored.into_iter().map(|secret| (secret.name, Err(problem.clone())));
                held.values = closed.collect();
            }
        }
        Ok(())
    }

    async fn open(
        &self,
        database: &Database,
        held: &mut Held,
        needed: &hydroid_memory::KeyInForce,
    ) -> Result<BTreeMap<String, Value>, String> {
        let kept = self.places.find(needed).await?;
        let opened = database.open_secrets(&self.user, &kept.key).await.map_err(whole)?;
        held.generation = opened.generation;
        held.kept = Some(kept);
        let values = opened.values.into_iter().map(|(name, value)| {
            let value = value.ok_or_else(|| SealError::Damaged(name.clone()).to_string());
            (name, value)
        });
        Ok(values.collect())
    }
}

/// The error with its causes.
fn whole(error: impl std::error::Error + Send + Sync + 'static) -> String {
    format!("{:#}", anyhow::Error::new(error))
}

/// The port that asks for values is not async, and whoever asks may be on a thread that drives
/// everything else; so the work gets a thread and a runtime of its own.
fn on_a_thread<T: Send>(work: impl AsyncFnOnce() -> T + Send) -> Result<T, String> {
    let run = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| format!("no runtime can be started: {error}"))?;
        Ok(runtime.block_on(work()))
    };
    std::thread::scope(|scope| scope.spawn(run).join())
        .unwrap_or_else(|_| Err("reading the stored secrets failed; the host has a defect".into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::Environment;
    use hydroid_core::config::MasterKeyPlace;

    struct Scene {
        directory: tempfile::TempDir,
        user: UserId,
    }

    impl Scene {
        fn new() -> Self {
            Self { directory: tempfile::tempdir().unwrap(), user: UserId::new("local") }
        }

        fn places(&self) -> KeyPlaces {
            let directory = self.directory.path().to_owned();
            KeyPlaces::new(MasterKeyPlace::Auto, directory, &Environment::of(&[]))
        }

        fn sealed(&self) -> Sealed {
            let database = self.directory.path().join("journal.db");
            let lock = self.directory.path().join("secrets.lock");
            Sealed::new(self.user.clone(), database, lock, self.places())
        }

        /// What another process does.
        async fn set(&self, name: &str, value: &str) {
            let database = Database::open(self.directory.path().join("journal.db")).await.unwrap();
            let kept = match database.secrets_key(&self.user).await.unwrap() {
                Some(needed) => self.places().find(&needed).await.unwrap(),
                None => self.places().make().await.unwrap().kept,
            };
            let secrets = vec![(name.to_owned(), SecretValue::new(value.to_owned()))];
            let place = kept.place.recorded();
            database.set_secrets(&self.user, &kept.key, place, secrets, 1).await.unwrap();
        }
    }

    #[track_caller]
    fn text(look: Look) -> Option<String> {
        match look {
            Look::Stored(value) => Some(value.unwrap().expose().to_owned()),
            Look::Absent => None,
            Look::Unknown(problem) => panic!("{problem}"),
        }
    }

    #[tokio::test]
    async fn what_another_process_sets_is_seen_when_it_is_asked_for() {
        let scene = Scene::new();
        let sealed = scene.sealed();
        assert_eq!(text(sealed.look("a")), None);
        assert!(sealed.values().is_empty() && sealed.key_place().is_none());
        scene.set("a", "first").await;
        assert_eq!(text(sealed.look("a")).as_deref(), Some("first"));
        scene.set("a", "second").await;
        assert_eq!(text(sealed.look("a")).as_deref(), Some("second"));
        let database = Database::open(scene.directory.path().join("journal.db")).await.unwrap();
        database.remove_secret(&scene.user, "a").await.unwrap();
        assert_eq!(text(sealed.look("a")), None);
    }

    #[tokio::test]
    async fn a_renewed_secret_is_sealed_as_its_next_version_and_audited() {
        let scene = Scene::new();
        scene.set("a", "first").await;
        scene.set("b", "other").await;
        let sealed = scene.sealed();
        let before = sealed.generation();
        sealed.renew("a", &SecretValue::new("second".into())).unwrap();
        assert_ne!(sealed.generation(), before);
        for one in [&sealed, &scene.sealed()] {
            assert_eq!(text(one.look("a")).as_deref(), Some("second"));
            assert_eq!(text(one.look("b")).as_deref(), Some("other"));
        }
        let database = Database::open(scene.directory.path().join("journal.db")).await.unwrap();
        let stored = database.stored_secrets(&scene.user).await.unwrap();
        let versions: Vec<_> = stored.iter().map(|one| (one.name.as_str(), one.version)).collect();
        assert_eq!(versions, [("a", 2), ("b", 1)]);
        let log = audited::log_of(&database);
        let records = log.oldest(hydroid_memory::AuditQuery::default(), 9).await.unwrap();
        let [record] = records.as_slice() else { panic!("one: {records:?}") };
        let event = record.event().unwrap();
        assert_eq!(
            (event.action, event.resource.as_str()),
            (AuditAction::SecretChanged, "renew a")
        );
        assert!(!format!("{records:?}").contains("second"));
    }

    #[tokio::test]
    async fn a_secret_that_is_not_stored_or_whose_key_is_gone_is_not_renewed() {
        let scene = Scene::new();
        let new = SecretValue::new("second".into());
        let not_stored = Err("it is not in the sealed store".to_owned());
        assert_eq!(scene.sealed().renew("a", &new), not_stored);
        scene.set("a", "first").await;
        assert_eq!(scene.sealed().renew("b", &new), not_stored);
        crate::secrets::key_file::remove_others(scene.directory.path(), None).unwrap();
        let problem = scene.sealed().renew("a", &new).unwrap_err();
        assert!(problem.contains("from a copy"), "{problem}");
    }

    #[tokio::test]
    async fn a_rotation_by_another_process_is_followed() {
        let scene = Scene::new();
        scene.set("a", "value").await;
        let sealed = scene.sealed();
        assert_eq!(text(sealed.look("a")).as_deref(), Some("value"));
        let before = sealed.key_place().unwrap().key;
        let database = Database::open(scene.directory.path().join("journal.db")).await.unwrap();
        let needed = database.secrets_key(&scene.user).await.unwrap().unwrap();
        let old = scene.places().find(&needed).await.unwrap();
        let new = scene.places().make_next(&old).await.unwrap().kept;
        database.reseal_secrets(&scene.user, &old.key, &new.key, "file").await.unwrap();
        scene.places().forget(&old, &new).await.unwrap();
        assert_eq!(text(sealed.look("a")).as_deref(), Some("value"));
        assert_ne!(sealed.key_place().unwrap().key, before);
    }

    #[tokio::test]
    async fn without_its_key_a_stored_secret_is_an_error_and_not_absent() {
        let scene = Scene::new();
        scene.set("a", "value").await;
        crate::secrets::key_file::remove_others(scene.directory.path(), None).unwrap();
        let sealed = scene.sealed();
        let Look::Stored(Err(problem)) = sealed.look("a") else { panic!("it was opened") };
        assert!(problem.contains("from a copy"), "{problem}");
        assert!(matches!(sealed.look("b"), Look::Absent), "that one was never set");
    }

    #[tokio::test]
    async fn a_store_that_cannot_be_read_says_so_for_every_name() {
        let scene = Scene::new();
        std::fs::write(scene.directory.path().join("journal.db"), "no database ".repeat(99))
            .unwrap();
        let sealed = scene.sealed();
        let Look::Unknown(problem) = sealed.look("a") else { panic!("it was read") };
        assert!(problem.contains("no database"), "{problem}");
        assert!(sealed.problem().is_some());
    }
}
