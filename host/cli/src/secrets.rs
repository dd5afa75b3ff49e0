//! The secrets of a user, wherever they are: an environment variable, a file or a program that
//! the configuration names, or the sealed store. Values are never printed or logged.

mod exec;
pub(crate) mod followed;
pub(crate) mod import;
mod key_file;
mod keyring;
pub(crate) mod lock;
pub(crate) mod master_key;
pub(crate) mod sealed;

use crate::env::Environment;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hydroid_core::config::{SecretSource, is_name};
use hydroid_core::id::UserId;
use hydroid_core::ports::{SecretError, SecretValue, Secrets};
use hydroid_core::scrub::{KnownSecret, Scrubber};
use hydroid_memory::MasterKey;
use sealed::{Look, Sealed, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use zeroize::Zeroizing;

/// A key or token is never longer; a file that is was named by mistake.
pub(crate) const LONGEST: u64 = 64 << 10;

/// The secrets of one user.
pub(crate) struct UserSecrets {
    sources: BTreeMap<String, SecretSource>,
    environment: Arc<Environment>,
    /// Where a relative file is looked for: beside the configuration.
    base: PathBuf,
    sealed: Sealed,
    /// What programs printed; each is run once.
    printed: Mutex<BTreeMap<String, SecretValue>>,
}

/// Whether programs of the configuration may be run to learn what they print.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Programs {
    /// They are run: something in this process might see what they print.
    Run,
    /// Not for a list; a password manager would ask the person.
    Leave,
}

/// Checks a name that was typed. It is not repeated: it may be a value typed in the wrong place.
pub(crate) fn check_name(name: &str) -> Result<(), String> {
    if !is_name(name) || name.contains('.') {
        return Err("the name of a secret has letters, digits, `-` and `_`, begins with a letter or digit, and has at most 64 characters; its value is typed afterwards, or comes from standard input".to_owned());
    }
    let looked_at = Scrubber::new(&[], &[]).map(|scrubber| scrubber.scrub(name));
    if looked_at.is_ok_and(|masked| masked != name) {
        return Err("that looks like the value of a secret, not like its name; it may be in the history of your shell now, so replace it where it is from".to_owned());
    }
    Ok(())
}

/// A master key as text.
fn base64_key(text: &str) -> Option<MasterKey> {
    let bytes = Zeroizing::new(STANDARD.decode(text).ok()?);
    MasterKey::from_bytes(&bytes)
}

impl UserSecrets {
    /// The secrets of these sources and of the store.
    pub(crate) fn new(
        sources: BTreeMap<String, SecretSource>,
        environment: Arc<Environment>,
        base: PathBuf,
        sealed: Sealed,
    ) -> Self {
        Self { sources, environment, base, sealed, printed: Mutex::default() }
    }

    /// The sealed store.
    pub(crate) fn sealed(&self) -> &Sealed {
        &self.sealed
    }

    /// What the configuration says of a secret.
    pub(crate) fn source(&self, name: &str) -> Option<&SecretSource> {
        self.sources.get(name)
    }

    /// The names of the configuration.
    pub(crate) fn configured(&self) -> impl Iterator<Item = (&String, &SecretSource)> {
        self.sources.iter()
    }

    /// The files that values are read from.
    fn files(&self) -> impl Iterator<Item = PathBuf> {
        self.sources.values().filter_map(|source| Some(self.base.join(source.file.as_ref()?)))
    }

    /// True if something says where the value is.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.sources.get(name).is_some_and(SecretSource::names_a_value)
            || matches!(self.sealed.look(name), Look::Stored(_))
    }

    /// Every value that is known, with its name, for masking: also one that is not used because
    /// two places have it.
    pub(crate) fn known(&self, programs: Programs) -> Vec<KnownSecret> {
        let mut known = self.known_without_programs();
        if programs == Programs::Run {
            let listed = self.sources.iter().filter(|(_, source)| !source.exec.is_empty());
            // Side by side: each may take a second.
            let printed: Vec<_> = std::thread::scope(|scope| {
                let running: Vec<_> = listed
                    .map(|(name, source)| {
                        (name, scope.spawn(move || self.printed(name, source).ok()))
                    })
                    .collect();
                let joined = running.into_iter().map(|(name, run)| (name, run.join().ok()));
                joined.filter_map(|(name, value)| Some((name, value??))).collect()
            });
            known.extend(printed.into_iter().map(|(name, value)| named(name, value)));
        }
        known
    }

    fn known_without_programs(&self) -> Vec<KnownSecret> {
        let configured = self.sources.iter().filter(|(_, source)| source.exec.is_empty());
        let mut known: Vec<KnownSecret> = configured
            .filter_map(|(name, source)| {
                Some(named(name, self.configured_value(name, source)?.ok()?))
            })
            .collect();
        let stored = self.sealed.values();
        known
            .extend(stored.into_iter().filter_map(|(name, value)| Some(named(&name, value.ok()?))));
        known
    }

    /// Names, and what is the matter with each: a value, none, or a problem.
    pub(crate) fn states(&self) -> Vec<(String, Result<bool, SecretError>)> {
        let mut stored = self.sealed.values();
        let mut names: BTreeSet<String> = self.sources.keys().cloned().collect();
        names.extend(stored.keys().cloned());
        let state = |name: String| {
            let look = stored.remove(&name).map_or(Look::Absent, Look::Stored);
            let state = self.read(&name, look).map(|value| value.is_some());
            (name, state)
        };
        names.into_iter().map(state).collect()
    }

    fn read(&self, name: &str, stored: Look) -> Result<Option<SecretValue>, SecretError> {
        let configured = self.sources.get(name).filter(|source| source.names_a_value());
        let value = match (configured, stored) {
            // Not one of them silently: a person who replaced the other would look for hours.
            (Some(source), Look::Stored(_)) => Some(Err(twice(name, source))),
            (Some(source), Look::Absent | Look::Unknown(_)) => self.configured_value(name, source),
            (None, Look::Stored(value)) => Some(value),
            (None, Look::Absent) => None,
            (None, Look::Unknown(problem)) => Some(Err(problem)),
        };
        value.transpose().map_err(|problem| SecretError { name: name.to_owned(), problem })
    }

    /// None if the source has no value.
    fn configured_value(&self, name: &str, source: &SecretSource) -> Option<Value> {
        if let Some(variable) = &source.env {
            return Some(self.variable(variable));
        }
        if let Some(file) = &source.file {
            return self.file(file).transpose();
        }
        (!source.exec.is_empty()).then(|| self.printed(name, source))
    }

    fn variable(&self, variable: &str) -> Value {
        match self.environment.secret(variable) {
            Ok(Some(text)) => Ok(SecretValue::new(text.to_owned())),
            Ok(None) => Err(format!(
                "the environment variable `{variable}` is not set; `export {variable}=…` sets it"
            )),
            Err(error) => Err(error.to_string()),
        }
    }

    fn file(&self, file: &str) -> Result<Option<SecretValue>, String> {
        let path = self.base.join(file);
        let shown = path.display();
        let mut text = Zeroizing::new(String::new());
        let read =
            File::open(&path).and_then(|opened| opened.take(LONGEST + 1).read_to_string(&mut text));
        match read {
            Ok(size) if size as u64 > LONGEST => {
                Err(format!("the file `{shown}` has more than {LONGEST} bytes"))
            }
            Ok(_) => {
                let value = text.strip_suffix('\n').unwrap_or(&text);
                let value = value.strip_suffix('\r').unwrap_or(value);
                Ok((!value.is_empty()).then(|| SecretValue::new(value.to_owned())))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Err(format!("the file `{shown}` does not exist"))
            }
            Err(error) => Err(format!("the file `{shown}`: {error}")),
        }
    }

    fn printed(&self, name: &str, source: &SecretSource) -> Value {
        let cache = || self.printed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(value) = cache().get(name) {
            return Ok(value.clone());
        }
        let keys = [master_key::VARIABLE, master_key::NEXT_VARIABLE];
        if let Some(key) = source.exec_env.iter().find(|variable| keys.contains(&variable.as_str()))
        {
            return Err(format!(
                "`{key}` is given to no program; take it out of `secrets.{name}.exec_env`"
            ));
        }
        // What it says when it fails may repeat any other secret.
        let known = Scrubber::new(&self.known_without_programs(), &[])?;
        let program = exec::Program {
            argv: &source.exec,
            variables: &source.exec_env,
            environment: &self.environment,
            directory: &self.base,
            largest: LONGEST,
        };
        let text = exec::run(&program, &known)?;
        let value = SecretValue::new(text.to_string());
        cache().insert(name.to_owned(), value.clone());
        Ok(value)
    }
}

fn named(name: &str, value: SecretValue) -> KnownSecret {
    KnownSecret { name: Some(name.to_owned()), value }
}

/// Why a secret that two places have is not used.
pub(crate) fn twice(name: &str, source: &SecretSource) -> String {
    format!(
        "it is in the sealed store and `secrets.{name}.{}` in the configuration names it too; `hydroid secret remove {name}` or take that key out of the configuration",
        kind(source)
    )
}

/// The key of the configuration that says where the value is, or `sealed`.
pub(crate) fn kind(source: &SecretSource) -> &'static str {
    match (&source.env, &source.file, source.exec.is_empty()) {
        (Some(_), _, _) => "env",
        (None, Some(_), _) => "file",
        (None, None, false) => "exec",
        (None, None, true) => "sealed",
    }
}

impl Secrets for UserSecrets {
    fn value(&self, _user: &UserId, name: &str) -> Result<Option<SecretValue>, SecretError> {
        self.read(name, self.sealed.look(name))
    }

    fn known_values(&self, _user: &UserId) -> Vec<SecretValue> {
        self.known(Programs::Run).into_iter().map(|known| known.value).collect()
    }

    fn store(&self, _user: &UserId, name: &str, value: &SecretValue) -> Result<(), SecretError> {
        let configured = self.sources.get(name).filter(|source| source.names_a_value());
        let stored = match configured {
            Some(source) => Err(format!(
                "it comes from `secrets.{name}.{}` in the configuration, which the host only reads; take that key out first",
                kind(source)
            )),
            None => self.sealed.renew(name, value),
        };
        stored.map_err(|problem| SecretError { name: name.to_owned(), problem })
    }
}

impl std::fmt::Debug for UserSecrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UserSecrets").field("names", &self.sources.keys()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
