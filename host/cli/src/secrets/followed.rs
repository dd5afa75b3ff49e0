//! The secrets as the scrubber follows them: whether anything changed is told without opening a
//! record. Variables and what programs print stay as they are for as long as the process runs.

use crate::secrets::{Programs, UserSecrets};
use hydroid_core::ports::KnownSecrets;
use hydroid_core::scrub::KnownSecret;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

/// Follows the secrets of one user.
pub(crate) struct Followed {
    secrets: Arc<UserSecrets>,
    programs: Programs,
}

impl Followed {
    /// Follows these, and runs programs or leaves them.
    pub(crate) fn new(secrets: Arc<UserSecrets>, programs: Programs) -> Self {
        Self { secrets, programs }
    }
}

impl KnownSecrets for Followed {
    /// The store's own generation, and for each file what changes when it is written or replaced.
    fn generation(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.secrets.sealed().generation().hash(&mut hasher);
        for file in self.secrets.files() {
            let metadata = std::fs::metadata(file).ok();
            let marks = metadata.map(|metadata| {
                let written = (metadata.mtime(), metadata.mtime_nsec());
                let changed = (metadata.ctime(), metadata.ctime_nsec());
                (metadata.dev(), metadata.ino(), metadata.len(), written, changed)
            });
            marks.hash(&mut hasher);
        }
        hasher.finish()
    }

    fn known(&self) -> Vec<KnownSecret> {
        self.secrets.known(self.programs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::Environment;
    use crate::secrets::master_key::KeyPlaces;
    use crate::secrets::sealed::Sealed;
    use hydroid_core::config::{MasterKeyPlace, SecretSource};
    use hydroid_core::id::UserId;
    use hydroid_core::ports::{SecretValue, Secrets as _};
    use hydroid_core::scrub::LiveScrubber;
    use hydroid_memory::Database;
    use std::path::Path;

    fn user() -> UserId {
        UserId::new("u")
    }

    fn secrets(directory: &Path) -> Arc<UserSecrets> {
        let environment = Arc::new(Environment::of(&[]));
        let places = KeyPlaces::new(MasterKeyPlace::Auto, directory.to_owned(), &environment);
        let (database, lock) = (directory.join("journal.db"), directory.join("secrets.lock"));
        let sealed = Sealed::new(user(), database, lock, places);
        let file = SecretSource { file: Some("key".into()), ..SecretSource::default() };
        let sources = [("in-file".to_owned(), file)].into();
        Arc::new(UserSecrets::new(sources, environment, directory.to_owned(), sealed))
    }

    /// What `hydroid secret set` of another process does.
    async fn set(directory: &Path, value: &str) {
        let database = Database::open(directory.join("journal.db")).await.unwrap();
        database.add_user(&user()).await.unwrap();
        let environment = Environment::of(&[]);
        let places = KeyPlaces::new(MasterKeyPlace::Auto, directory.to_owned(), &environment);
        let kept = match database.secrets_key(&user()).await.unwrap() {
            Some(needed) => places.find(&needed).await.unwrap(),
            None => places.make().await.unwrap().kept,
        };
        let values = vec![("stored".to_owned(), SecretValue::new(value.to_owned()))];
        database.set_secrets(&user(), &kept.key, kept.place.recorded(), values, 1).await.unwrap();
    }

    #[tokio::test]
    async fn a_secret_that_another_process_or_a_service_sets_is_masked_once_it_is_looked_for() {
        let directory = tempfile::tempdir().unwrap();
        let secrets = secrets(directory.path());
        let followed = Arc::new(Followed::new(secrets.clone(), Programs::Run));
        let shared = LiveScrubber::following(followed.clone(), Vec::new()).unwrap();
        let text = "first-value second-value third-value file-value other-file";
        let masked = || shared.refreshed().unwrap().mask_known(text);
        assert_eq!(masked(), text);
        set(directory.path(), "first-value").await;
        assert_eq!(shared.current().mask_known(text), text, "nobody looked");
        assert_eq!(masked(), "[secret:stored] second-value third-value file-value other-file");
        set(directory.path(), "second-value").await;
        assert_eq!(masked(), "[secret:stored] [secret:stored] third-value file-value other-file");
        secrets.store(&user(), "stored", &SecretValue::new("third-value".into())).unwrap();
        let all_stored = "[secret:stored] [secret:stored] [secret:stored]";
        assert_eq!(masked(), format!("{all_stored} file-value other-file"));
        std::fs::write(directory.path().join("key"), "file-value").unwrap();
        assert_eq!(masked(), format!("{all_stored} [secret:in-file] other-file"));
        std::fs::write(directory.path().join("new"), "other-file").unwrap();
        std::fs::rename(directory.path().join("new"), directory.path().join("key")).unwrap();
        assert_eq!(masked(), format!("{all_stored} [secret:in-file] [secret:in-file]"));
        assert_eq!(followed.generation(), followed.generation());
    }
}
