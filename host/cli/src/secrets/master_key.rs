//! Where the master key of a user is kept, found again and made. The store says which key it
//! needs, so that a key is never guessed and a second one never made while the first is needed.

use crate::env::Environment;
use crate::secrets::keyring::Keyring;
use crate::secrets::{base64_key, key_file};
use hydroid_core::config::MasterKeyPlace;
use hydroid_memory::{KeyId, KeyInForce, MasterKey};
use std::fmt;
use std::path::PathBuf;

/// The variable with the key.
pub(crate) const VARIABLE: &str = "HYDROID_MASTER_KEY";
/// The variable with the key to rotate to.
pub(crate) const NEXT_VARIABLE: &str = "HYDROID_NEW_MASTER_KEY";

/// Where a key is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeptIn {
    /// The system's keyring.
    Keyring,
    /// A file of the user's data.
    File,
    /// An environment variable.
    Env,
}

/// A key and where it is kept.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    /// The key.
    pub(crate) key: MasterKey,
    /// Where.
    pub(crate) place: KeptIn,
}

/// A key that was just made.
#[derive(Debug)]
pub(crate) struct Made {
    /// The key.
    pub(crate) kept: Kept,
    /// What the person should know about where it is.
    pub(crate) notice: Option<String>,
}

/// The places of one user's master key.
#[derive(Clone, Debug)]
pub(crate) struct KeyPlaces {
    configured: MasterKeyPlace,
    directory: PathBuf,
    keyring: Keyring,
    /// As the environment has them; not keys yet, since only one of them may be needed.
    variable: Variable,
    next: Variable,
}

/// What a variable holds.
#[derive(Clone, Debug)]
enum Variable {
    Unset,
    Wrong(String),
    Key(MasterKey),
}

impl KeyPlaces {
    /// The places, with files in this directory. Nothing is read but the environment.
    pub(crate) fn new(
        configured: MasterKeyPlace,
        directory: PathBuf,
        environment: &Environment,
    ) -> Self {
        Self {
            configured,
            directory,
            keyring: Keyring::detect(environment),
            variable: variable(environment, VARIABLE),
            next: variable(environment, NEXT_VARIABLE),
        }
    }

    /// The key that the store needs, where the configuration says that it is.
    pub(crate) async fn find(&self, needed: &KeyInForce) -> Result<Kept, String> {
        let problem = match self.configured_place() {
            None => return self.find_anywhere(needed).await,
            Some(place) => match self.find_in(place, &needed.id).await {
                Ok(Some(key)) => return Ok(Kept { key, place }),
                Ok(None) => self.missing(place, &needed.id),
                Err(problem) => problem,
            },
        };
        match KeptIn::of(&needed.place) {
            Some(place) if Some(place) != self.configured_place() => Err(format!(
                "the secrets are sealed under a key in {place}, and `secrets_store.master_key` names another place; `hydroid secret rotate` moves them to a key there"
            )),
            Some(_) | None => Err(problem),
        }
    }

    /// The key that the store needs, wherever it is.
    pub(crate) async fn find_anywhere(&self, needed: &KeyInForce) -> Result<Kept, String> {
        let recorded = KeptIn::of(&needed.place);
        let others = [KeptIn::Env, KeptIn::File, KeptIn::Keyring];
        let mut problem = None;
        for place in recorded.into_iter().chain(others.into_iter().filter(|o| Some(*o) != recorded))
        {
            match self.find_in(place, &needed.id).await {
                Ok(Some(key)) => return Ok(Kept { key, place }),
                // The place where it was says most about why it is not there.
                Ok(None) => problem = problem.or_else(|| Some(self.missing(place, &needed.id))),
                Err(refused) => problem = problem.or(Some(refused)),
            }
        }
        Err(problem.unwrap_or_else(|| "the master key is nowhere to be found".to_owned()))
    }

    /// Makes the first key, or takes the one that the environment gives.
    pub(crate) async fn make(&self) -> Result<Made, String> {
        match (self.configured, &self.variable) {
            (MasterKeyPlace::Auto, Variable::Unset) => self.make_in_keyring_or_file().await,
            (MasterKeyPlace::Auto | MasterKeyPlace::Env, variable) => {
                from(variable, VARIABLE).map(Made::from)
            }
            (MasterKeyPlace::Keyring, _) => self.make_in_keyring().await,
            (MasterKeyPlace::File, _) => self.make_in_file(None),
        }
    }

    /// Makes the key to rotate to, or takes the one that the environment gives.
    pub(crate) async fn make_next(&self, old: &Kept) -> Result<Made, String> {
        let in_env = match self.configured {
            MasterKeyPlace::Env => true,
            MasterKeyPlace::Auto => {
                old.place == KeptIn::Env || !matches!(self.next, Variable::Unset)
            }
            MasterKeyPlace::Keyring | MasterKeyPlace::File => false,
        };
        if in_env {
            let made = from(&self.next, NEXT_VARIABLE)?;
            if made.key == old.key {
                return Err(format!(
                    "`{NEXT_VARIABLE}` holds the key that is in force; give it a new one, like `openssl rand -base64 32` prints"
                ));
            }
            return Ok(Made {
                kept: made,
                notice: Some(format!(
                    "from now on `{VARIABLE}` must hold what `{NEXT_VARIABLE}` holds"
                )),
            });
        }
        match self.configured {
            MasterKeyPlace::Keyring => self.make_in_keyring().await,
            MasterKeyPlace::File => self.make_in_file(None),
            MasterKeyPlace::Auto | MasterKeyPlace::Env => self.make_in_keyring_or_file().await,
        }
    }

    /// Removes a key that nothing is sealed under any more, and left-overs of rotations that were
    /// cut off.
    pub(crate) async fn forget(&self, old: &Kept, new: &Kept) -> Result<(), String> {
        if old.place == KeptIn::Keyring && old.key != new.key {
            self.keyring.remove(&old.key.id().to_string()).await.map_err(|problem| {
                format!("the old master key is still in the keyring: {problem}")
            })?;
        }
        let keep = (new.place == KeptIn::File).then(|| new.key.id());
        key_file::remove_others(&self.directory, keep.as_ref())
    }

    /// What `doctor` says of a key.
    pub(crate) fn describe(&self, kept: &Kept) -> String {
        match kept.place {
            KeptIn::Keyring => "the system's keyring".to_owned(),
            KeptIn::File => {
                let path = key_file::path(&self.directory, &kept.key.id());
                format!("the file `{}`, which only you can read", path.display())
            }
            KeptIn::Env => format!("the environment variable `{VARIABLE}`"),
        }
    }

    fn configured_place(&self) -> Option<KeptIn> {
        match self.configured {
            MasterKeyPlace::Auto => None,
            MasterKeyPlace::Keyring => Some(KeptIn::Keyring),
            MasterKeyPlace::File => Some(KeptIn::File),
            MasterKeyPlace::Env => Some(KeptIn::Env),
        }
    }

    async fn find_in(&self, place: KeptIn, id: &KeyId) -> Result<Option<MasterKey>, String> {
        let found = match place {
            KeptIn::Keyring => {
                let kept = self.keyring.read(&id.to_string()).await;
                let kept = kept.map_err(|problem| no_keyring(&problem))?;
                kept.and_then(|bytes| MasterKey::from_bytes(&bytes))
            }
            KeptIn::File => key_file::read(&key_file::path(&self.directory, id))?,
            // The new one counts too: a rotation may have ended just before it was renamed.
            KeptIn::Env => match (from(&self.variable, VARIABLE), &self.next) {
                (_, Variable::Key(next)) if next.id() == *id => Some(next.clone()),
                (Ok(kept), _) => Some(kept.key),
                (Err(problem), _) => return Err(problem),
            },
        };
        Ok(found.filter(|key| key.id() == *id))
    }

    fn missing(&self, place: KeptIn, id: &KeyId) -> String {
        let lost = "if it is lost for good, `hydroid secret remove` the secrets and set them again";
        match place {
            KeptIn::Keyring => format!(
                "the keyring does not have the master key that the secrets are sealed under; log in as the user who set them, or {lost}"
            ),
            KeptIn::File => format!(
                "the master key `{}` is not there; put the file back from a copy, or {lost}",
                key_file::path(&self.directory, id).display()
            ),
            KeptIn::Env => format!(
                "`{VARIABLE}` holds another key than the one the secrets are sealed under; set it to that one, or {lost}"
            ),
        }
    }

    async fn make_in_keyring_or_file(&self) -> Result<Made, String> {
        match self.make_in_keyring().await {
            Ok(made) => Ok(made),
            Err(problem) => self.make_in_file(Some(&problem)),
        }
    }

    async fn make_in_keyring(&self) -> Result<Made, String> {
        let key = MasterKey::generate().map_err(|error| error.to_string())?;
        let written = self.keyring.write(&key.id().to_string(), key.expose()).await;
        written.map_err(|problem| no_keyring(&problem))?;
        Ok(Kept { key, place: KeptIn::Keyring }.into())
    }

    fn make_in_file(&self, because: Option<&str>) -> Result<Made, String> {
        let key = MasterKey::generate().map_err(|error| error.to_string())?;
        let path = key_file::write(&self.directory, &key)?;
        let because = because.map(|because| format!(" ({because})")).unwrap_or_default();
        let notice = format!(
            "the master key of your secrets is kept in `{}`, which only you can read{because}; whoever copies it together with the database can open them",
            path.display()
        );
        Ok(Made { kept: Kept { key, place: KeptIn::File }, notice: Some(notice) })
    }
}

fn no_keyring(problem: &str) -> String {
    // The sentence stands in errors and in the notice about a file.
    if problem.starts_with("the keyring ") {
        problem.to_owned()
    } else {
        format!("the keyring cannot be used: {problem}")
    }
}

fn variable(environment: &Environment, name: &str) -> Variable {
    match environment.secret(name) {
        Ok(None) => Variable::Unset,
        Ok(Some(text)) => match base64_key(text.trim()) {
            Some(key) => Variable::Key(key),
            None => Variable::Wrong(format!(
                "`{name}` holds no master key, which is 32 bytes as base64; `openssl rand -base64 32` prints a new one"
            )),
        },
        Err(error) => Variable::Wrong(error.to_string()),
    }
}

fn from(variable: &Variable, name: &str) -> Result<Kept, String> {
    match variable {
        Variable::Key(key) => Ok(Kept { key: key.clone(), place: KeptIn::Env }),
        Variable::Wrong(problem) => Err(problem.clone()),
        Variable::Unset => Err(format!(
            "the environment variable `{name}` is not set; set it to the master key, or to a new one, which `openssl rand -base64 32` prints"
        )),
    }
}

impl KeptIn {
    /// As the store records it.
    pub(crate) fn recorded(self) -> &'static str {
        match self {
            Self::Keyring => "keyring",
            Self::File => "file",
            Self::Env => "env",
        }
    }

    fn of(recorded: &str) -> Option<Self> {
        [Self::Keyring, Self::File, Self::Env]
            .into_iter()
            .find(|place| place.recorded() == recorded)
    }
}

impl fmt::Display for KeptIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Keyring => "the keyring",
            Self::File => "a file",
            Self::Env => "the environment",
        })
    }
}

impl From<Kept> for Made {
    fn from(kept: Kept) -> Self {
        Self { kept, notice: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use std::path::Path;

    fn places(configured: MasterKeyPlace, directory: &Path, env: &[(&str, &str)]) -> KeyPlaces {
        KeyPlaces::new(configured, directory.to_owned(), &Environment::of(env))
    }

    fn needed(key: &MasterKey, place: KeptIn) -> KeyInForce {
        KeyInForce { id: key.id(), place: place.recorded().into(), secrets: 1, generation: 1 }
    }

    fn text(key: &MasterKey) -> String {
        STANDARD.encode(key.expose())
    }

    #[tokio::test]
    async fn without_a_keyring_the_key_is_in_a_file_and_that_is_said() {
        let directory = tempfile::tempdir().unwrap();
        let places = places(MasterKeyPlace::Auto, directory.path(), &[]);
        let made = places.make().await.unwrap();
        assert_eq!(made.kept.place, KeptIn::File);
        let notice = made.notice.unwrap();
        assert!(notice.contains("is kept in `") && notice.contains("D-Bus"), "{notice}");
        let found = places.find(&needed(&made.kept.key, KeptIn::File)).await.unwrap();
        assert_eq!(found.key, made.kept.key);
    }

    #[tokio::test]
    async fn a_keyring_that_was_asked_for_is_never_replaced_by_a_file() {
        let directory = tempfile::tempdir().unwrap();
        let places = places(MasterKeyPlace::Keyring, directory.path(), &[]);
        let problem = places.make().await.unwrap_err();
        assert!(problem.contains("the keyring cannot be used"), "{problem}");
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn a_key_in_the_environment_is_used_and_a_wrong_one_named() {
        let directory = tempfile::tempdir().unwrap();
        let (key, other) = (MasterKey::generate().unwrap(), MasterKey::generate().unwrap());
        for configured in [MasterKeyPlace::Auto, MasterKeyPlace::Env] {
            let right = places(configured, directory.path(), &[(VARIABLE, &text(&key))]);
            assert_eq!(right.make().await.unwrap().kept.key, key);
            assert_eq!(right.find(&needed(&key, KeptIn::Env)).await.unwrap().key, key);
            let wrong = places(configured, directory.path(), &[(VARIABLE, &text(&other))]);
            let problem = wrong.find(&needed(&key, KeptIn::Env)).await.unwrap_err();
            assert!(problem.contains("holds another key"), "{problem}");
            let none = places(configured, directory.path(), &[(VARIABLE, "hunter2")]);
            let problem = none.make().await.unwrap_err();
            assert!(problem.contains("32 bytes") && !problem.contains("hunter2"), "{problem}");
        }
        let unset = places(MasterKeyPlace::Env, directory.path(), &[]);
        assert!(unset.make().await.unwrap_err().contains("is not set"));
    }

    #[tokio::test]
    async fn a_lost_file_is_named_with_what_can_be_done() {
        let directory = tempfile::tempdir().unwrap();
        let places = places(MasterKeyPlace::Auto, directory.path(), &[]);
        let key = MasterKey::generate().unwrap();
        let problem = places.find(&needed(&key, KeptIn::File)).await.unwrap_err();
        let path = key_file::path(directory.path(), &key.id());
        assert!(problem.contains(&format!("`{}` is not there", path.display())), "{problem}");
        assert!(problem.contains("from a copy") && problem.contains("hydroid secret remove"));
    }

    #[tokio::test]
    async fn another_place_is_only_moved_to_by_rotating() {
        let directory = tempfile::tempdir().unwrap();
        let made = places(MasterKeyPlace::File, directory.path(), &[]).make().await.unwrap().kept;
        let moved = places(MasterKeyPlace::Env, directory.path(), &[(NEXT_VARIABLE, "x")]);
        let problem = moved.find(&needed(&made.key, KeptIn::File)).await.unwrap_err();
        assert!(problem.contains("`hydroid secret rotate` moves them"), "{problem}");
        let found = moved.find_anywhere(&needed(&made.key, KeptIn::File)).await.unwrap();
        assert_eq!(found.place, KeptIn::File);
    }

    /// What a rotation leaves behind at each of its steps, in the order in which it takes them.
    #[tokio::test]
    async fn a_rotation_that_stops_anywhere_leaves_the_key_that_is_needed() {
        let directory = tempfile::tempdir().unwrap();
        let places = places(MasterKeyPlace::File, directory.path(), &[]);
        let old = places.make().await.unwrap().kept;
        let new = places.make_next(&old).await.unwrap().kept;
        // The new key is written and the records are not: the old one is needed.
        assert_eq!(places.find(&needed(&old.key, KeptIn::File)).await.unwrap().key, old.key);
        // The records are sealed anew and the old key is not removed: the new one is needed.
        assert_eq!(places.find(&needed(&new.key, KeptIn::File)).await.unwrap().key, new.key);
        places.forget(&old, &new).await.unwrap();
        assert_eq!(places.find(&needed(&new.key, KeptIn::File)).await.unwrap().key, new.key);
        assert!(places.find(&needed(&old.key, KeptIn::File)).await.is_err());
    }

    #[tokio::test]
    async fn a_rotation_in_the_environment_takes_a_new_key_from_there() {
        let directory = tempfile::tempdir().unwrap();
        let (old, new) = (MasterKey::generate().unwrap(), MasterKey::generate().unwrap());
        let kept = Kept { key: old.clone(), place: KeptIn::Env };
        let (old, new) = (text(&old), text(&new));
        let both = [(VARIABLE, old.as_str()), (NEXT_VARIABLE, new.as_str())];
        let made = places(MasterKeyPlace::Auto, directory.path(), &both).make_next(&kept).await;
        let made = made.unwrap();
        assert_eq!(text(&made.kept.key), new);
        assert!(made.notice.unwrap().contains("must hold what"));
        let same = [(VARIABLE, old.as_str()), (NEXT_VARIABLE, old.as_str())];
        let places_same = places(MasterKeyPlace::Env, directory.path(), &same);
        assert!(places_same.make_next(&kept).await.unwrap_err().contains("is in force"));
        let one = places(MasterKeyPlace::Auto, directory.path(), &both[..1]);
        let problem = one.make_next(&kept).await.unwrap_err();
        assert!(problem.contains(&format!("`{NEXT_VARIABLE}` is not set")), "{problem}");
    }
}
