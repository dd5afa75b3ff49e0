//! Secrets as the configuration names them: an environment variable or a file. Values are read
//! when they are asked for and never printed or logged.

use crate::env::Environment;
use hydroid_core::config::SecretSource;
use hydroid_core::id::UserId;
use hydroid_core::ports::{SecretError, SecretValue, Secrets};
use hydroid_core::scrub::KnownSecret;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;

/// A key or token is never longer; a file that is was named by mistake.
const LONGEST: u64 = 64 << 10;

/// The secrets of the configuration.
pub(crate) struct ConfiguredSecrets {
    sources: BTreeMap<String, SecretSource>,
    environment: Arc<Environment>,
    /// Where a relative file is looked for: beside the configuration.
    base: PathBuf,
}

impl ConfiguredSecrets {
    /// The secrets of these sources.
    pub(crate) fn new(
        sources: BTreeMap<String, SecretSource>,
        environment: Arc<Environment>,
        base: PathBuf,
    ) -> Self {
        Self { sources, environment, base }
    }

    /// Every secret that has a value, with its name, for masking.
    pub(crate) fn known(&self) -> Vec<KnownSecret> {
        self.sources
            .keys()
            .filter_map(|name| {
                Some(KnownSecret { name: Some(name.clone()), value: self.read(name).ok()?? })
            })
            .collect()
    }

    /// Names, and what is the matter with each: a value, none, or a problem.
    pub(crate) fn states(&self) -> Vec<(String, Result<bool, SecretError>)> {
        self.sources
            .keys()
            .map(|name| (name.clone(), self.read(name).map(|value| value.is_some())))
            .collect()
    }

    fn read(&self, name: &str) -> Result<Option<SecretValue>, SecretError> {
        let Some(source) = self.sources.get(name) else { return Ok(None) };
        let problem = |problem: String| SecretError { name: name.to_owned(), problem };
        if let Some(variable) = &source.env {
            let text =
                self.environment.secret(variable).map_err(|error| problem(error.to_string()))?;
            return match text.filter(|text| !text.is_empty()) {
                Some(text) => Ok(Some(SecretValue::new(text.to_owned()))),
                None => Err(problem(format!(
                    "the environment variable `{variable}` is not set; `export {variable}=…` sets it"
                ))),
            };
        }
        let Some(file) = &source.file else { return Ok(None) };
        let path = self.base.join(file);
        let mut text = String::new();
        let read =
            File::open(&path).and_then(|opened| opened.take(LONGEST + 1).read_to_string(&mut text));
        match read {
            Ok(size) if size as u64 > LONGEST => {
                Err(problem(format!("the file `{}` has more than {LONGEST} bytes", path.display())))
            }
            Ok(_) => {
                let value = text.strip_suffix('\n').unwrap_or(&text);
                let value = value.strip_suffix('\r').unwrap_or(value);
                Ok(Some(value)
                    .filter(|value| !value.is_empty())
                    .map(|value| SecretValue::new(value.to_owned())))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Err(problem(format!("the file `{}` does not exist", path.display())))
            }
            Err(error) => Err(problem(format!("the file `{}`: {error}", path.display()))),
        }
    }
}

impl Secrets for ConfiguredSecrets {
    fn value(&self, _user: &UserId, name: &str) -> Result<Option<SecretValue>, SecretError> {
        self.read(name)
    }

    fn known_values(&self, _user: &UserId) -> Vec<SecretValue> {
        self.known().into_iter().map(|known| known.value).collect()
    }
}

impl std::fmt::Debug for ConfiguredSecrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConfiguredSecrets")
            .field("names", &self.sources.keys())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(directory: &std::path::Path) -> ConfiguredSecrets {
        let env = |name: &str| SecretSource { env: Some(name.into()), ..SecretSource::default() };
        let file = |name: &str| SecretSource { file: Some(name.into()), ..SecretSource::default() };
        let sources = [
            ("a", env("A")),
            ("b", env("B")),
            ("c", file("key")),
            ("d", file("gone")),
            ("e", file(".")),
        ];
        let sources = sources.into_iter().map(|(name, source)| (name.to_owned(), source)).collect();
        ConfiguredSecrets::new(
            sources,
            Arc::new(Environment::of(&[("A", "from-env")])),
            directory.to_owned(),
        )
    }

    #[test]
    fn values_come_from_where_the_configuration_says() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("key"), "from-file\n").unwrap();
        let secrets = secrets(directory.path());
        let value = |name: &str| {
            secrets.value(&UserId::new("u"), name).unwrap().map(|value| value.expose().to_owned())
        };
        assert_eq!(value("a").as_deref(), Some("from-env"));
        assert_eq!(value("c").as_deref(), Some("from-file"));
        assert_eq!(value("unknown"), None);
        assert_eq!(secrets.known().len(), 2);
    }

    #[test]
    fn a_source_without_a_value_says_what_is_missing() {
        let directory = tempfile::tempdir().unwrap();
        let secrets = secrets(directory.path());
        let problem = |name: &str| secrets.value(&UserId::new("u"), name).unwrap_err().problem;
        assert_eq!(problem("b"), "the environment variable `B` is not set; `export B=…` sets it");
        let gone = directory.path().join("gone");
        assert_eq!(problem("d"), format!("the file `{}` does not exist", gone.display()));
    }

    #[test]
    fn no_value_is_ever_printed() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("key"), [b'x', 0xff]).unwrap();
        let secrets = secrets(directory.path());
        assert!(!format!("{secrets:?}").contains("from-env"));
        let error = secrets.value(&UserId::new("u"), "c").unwrap_err().to_string();
        assert!(error.contains("`c`") && error.contains("UTF-8"), "{error}");
        assert!(secrets.value(&UserId::new("u"), "e").is_err());
    }
}
