//! Where everything is on disk, and how private files are written. Nothing is created by asking
//! for a path.

use crate::env::Environment;
use anyhow::{Context, Result};
use etcetera::BaseStrategy;
use hydroid_core::id::UserId;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The operator's configuration for every user of the machine.
const SYSTEM_CONFIG: &str = "/etc/hydroid/config.toml";

/// The directories of this user.
#[derive(Clone, Debug)]
pub(crate) struct Paths {
    /// Configuration and grants.
    pub(crate) config: PathBuf,
    /// Components, sessions, workspaces.
    pub(crate) data: PathBuf,
    /// What can be made again.
    pub(crate) cache: PathBuf,
}

impl Paths {
    /// The directory of `HYDROID_HOME`, else the platform's.
    pub(crate) fn find(environment: &Environment) -> Result<Self> {
        if let Some(home) = environment.home() {
            let home = std::path::absolute(home).context("`HYDROID_HOME` is not a path")?;
            return Ok(Self { config: home.clone(), cache: home.join("cache"), data: home });
        }
        let platform = etcetera::choose_base_strategy().context(
            "this user has no home directory; set `HYDROID_HOME` to a directory of your own",
        )?;
        Ok(Self {
            config: platform.config_dir().join("hydroid"),
            data: platform.data_dir().join("hydroid"),
            cache: platform.cache_dir().join("hydroid"),
        })
    }

    /// The operator's file.
    pub(crate) fn system_file(&self) -> PathBuf {
        PathBuf::from(SYSTEM_CONFIG)
    }

    /// The user's file.
    pub(crate) fn config_file(&self) -> PathBuf {
        self.config.join("config.toml")
    }

    /// What components were granted.
    pub(crate) fn grants_file(&self) -> PathBuf {
        self.config.join("grants.toml")
    }

    /// Which bytes are installed under each name.
    pub(crate) fn lock_file(&self) -> PathBuf {
        self.config.join("components.lock")
    }

    /// Whose components may be installed.
    pub(crate) fn keys_file(&self) -> PathBuf {
        self.config.join("keys.toml")
    }

    /// Servers of the Model Context Protocol that may be used.
    pub(crate) fn servers_file(&self) -> PathBuf {
        self.config.join("mcp.toml")
    }

    /// What a server said of its tools when it was allowed.
    pub(crate) fn server_tools(&self, name: &str) -> PathBuf {
        self.data.join("mcp").join(format!("{name}.json"))
    }

    /// What the user says of models, over the catalog.
    pub(crate) fn models_overlay(&self) -> PathBuf {
        self.config.join("models.json")
    }

    /// The user's snapshot of the model catalog. In one directory with the overlay when
    /// `HYDROID_HOME` is set, so its name is another.
    pub(crate) fn models_snapshot(&self) -> PathBuf {
        self.data.join("models.snapshot.json")
    }

    /// The user's own components.
    pub(crate) fn components(&self) -> PathBuf {
        self.data.join("components")
    }

    /// Bytes of earlier versions of a component, for `hydroid component rollback`.
    pub(crate) fn earlier_versions(&self, name: &str) -> PathBuf {
        self.data.join("component-versions").join(name)
    }

    /// The lock of whoever changes what is installed.
    pub(crate) fn components_lock(&self) -> PathBuf {
        self.data.join("component-versions.lock")
    }

    /// Compiled components.
    pub(crate) fn compiled(&self) -> PathBuf {
        self.cache.join("compiled")
    }

    /// Sessions of a user.
    pub(crate) fn journal(&self, user: &UserId) -> PathBuf {
        self.user(user).join("journal.db")
    }

    /// The workspace of a user who chose none.
    pub(crate) fn workspace(&self, user: &UserId) -> PathBuf {
        self.user(user).join("workspace")
    }

    /// What happened to the user's components, with backtraces.
    pub(crate) fn log(&self, user: &UserId) -> PathBuf {
        self.user(user).join("hydroid.log")
    }

    /// What a running daemon leaves for others to find it.
    pub(crate) fn run(&self) -> PathBuf {
        self.data.join("run")
    }

    /// Tokens of clients, without what they are.
    pub(crate) fn tokens(&self) -> PathBuf {
        self.data.join("tokens.json")
    }

    /// Locks of a user's open sessions.
    pub(crate) fn locks(&self, user: &UserId) -> PathBuf {
        self.user(user).join("locks")
    }

    /// Copies of a user's sessions and memory.
    pub(crate) fn backups(&self, user: &UserId) -> PathBuf {
        self.user(user).join("backups")
    }

    /// What a user typed in `hydroid chat`.
    pub(crate) fn history(&self, user: &UserId) -> PathBuf {
        self.user(user).join("history")
    }

    /// The user's skills, a folder each.
    pub(crate) fn skills(&self) -> PathBuf {
        self.config.join("skills")
    }

    /// Where a user's master key is, if it is in a file.
    pub(crate) fn master_keys(&self, user: &UserId) -> PathBuf {
        self.user(user)
    }

    /// The lock of whoever changes a user's stored secrets.
    pub(crate) fn secrets_lock(&self, user: &UserId) -> PathBuf {
        self.user(user).join("secrets.lock")
    }

    fn user(&self, user: &UserId) -> PathBuf {
        self.data.join("users").join(user.as_str())
    }
}

/// Creates a directory that only this user can enter; one that is there is left as it is.
pub(crate) fn private_directory(path: &Path) -> Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .with_context(|| format!("the directory `{}` cannot be created", path.display()))
}

/// Replaces a file as a whole, readable by this user only: whoever reads sees the old or the new.
pub(crate) fn replace_private(path: &Path, content: &[u8]) -> Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    if !directory.as_os_str().is_empty() {
        private_directory(directory)?;
    }
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}.partial", std::process::id()));
    let partial = directory.join(name);
    let write = || {
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&partial)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&partial, path)
    };
    write()
        .inspect_err(|_| drop(fs::remove_file(&partial)))
        .with_context(|| format!("the file `{}` cannot be written", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn one_directory_holds_everything_if_it_is_chosen() {
        let paths = Paths::find(&Environment::of(&[("HYDROID_HOME", "/h")])).unwrap();
        assert_eq!(paths.config_file(), Path::new("/h/config.toml"));
        assert_eq!(paths.journal(&UserId::new("anna")), Path::new("/h/users/anna/journal.db"));
        assert_eq!(paths.compiled(), Path::new("/h/cache/compiled"));
    }

    #[test]
    fn a_replaced_file_is_private_and_leaves_nothing_beside_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("new/grants.toml");
        replace_private(&path, b"a").unwrap();
        replace_private(&path, b"b").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"b");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let parent = path.parent().unwrap();
        assert_eq!(fs::metadata(parent).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(fs::read_dir(parent).unwrap().count(), 1);
    }
}
