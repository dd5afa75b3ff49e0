//! What is pinned: `components.lock` beside the configuration, one entry a component that was
//! installed, with the versions before it. Reading and writing the file is the caller's work.

use super::keys::{KeyLevel, Keys};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// All that is pinned.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    /// One entry a component.
    #[serde(default)]
    pub components: BTreeMap<String, Locked>,
}

/// One version of a component.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Locked {
    /// Its version.
    pub version: semver::Version,
    /// `sha256:…` of its bytes.
    pub digest: String,
    /// Where it came from.
    pub source: String,
    /// The public key that signed it, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Versions it took the place of, the latest last. Their bytes are kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub before: Vec<Locked>,
}

/// What may be loaded under a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pinned {
    /// `sha256:…` of the only bytes.
    pub digest: String,
    /// The name of the distrusted key that signed them.
    pub distrusted: Option<String>,
}

/// A lock file that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error(
    "`components.lock` cannot be read, so it is not known what may be loaded: {0}; mend it, or remove it and add your components again"
)]
pub struct BadLock(String);

impl Lock {
    /// Reads the file's text.
    pub fn parse(text: &str) -> Result<Self, BadLock> {
        toml::from_str(text).map_err(|error| BadLock(error.to_string().trim().to_owned()))
    }

    /// The file's text.
    pub fn to_toml(&self) -> String {
        let text = toml::to_string_pretty(self).expect("what is pinned is plain tables");
        format!(
            "# Which bytes are installed under each name. Written by `hydroid component add`, `update`, `rollback` and `remove`.\n{text}"
        )
    }

    /// Pins a version in place of the one before, which stays in the list of those before it.
    /// Returns what no version names any more.
    pub fn pin(&mut self, name: &str, mut new: Locked, most_before: usize) -> Vec<Locked> {
        let Some(mut old) = self.components.remove(name) else {
            self.components.insert(name.to_owned(), new);
            return Vec::new();
        };
        new.before = std::mem::take(&mut old.before);
        if old.digest != new.digest {
            new.before.retain(|before| before.digest != old.digest && before.digest != new.digest);
            new.before.push(old);
        }
        let surplus = new.before.len().saturating_sub(most_before);
        let gone = new.before.drain(..surplus).collect();
        self.components.insert(name.to_owned(), new);
        gone
    }

    /// What the host may load, given what is known of the keys.
    pub fn pinned(&self, keys: &Keys) -> BTreeMap<String, Pinned> {
        let pinned = |locked: &Locked| {
            let of = locked.key.as_deref().and_then(|key| keys.of(key));
            let distrusted = of.filter(|(_, level)| *level == KeyLevel::Distrusted);
            Pinned {
                digest: locked.digest.clone(),
                distrusted: distrusted.map(|(name, _)| name.to_owned()),
            }
        };
        self.components.iter().map(|(name, locked)| (name.clone(), pinned(locked))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn locked(version: &str, digest: &str) -> Locked {
        Locked {
            version: version.parse().unwrap(),
            digest: digest.into(),
            source: "file".into(),
            key: None,
            before: Vec::new(),
        }
    }

    #[test]
    fn versions_before_are_kept_in_order_and_no_more_than_wanted() {
        let mut lock = Lock::default();
        for (version, digest) in [("1.0.0", "a"), ("1.1.0", "b"), ("1.2.0", "c")] {
            assert!(lock.pin("x", locked(version, digest), 2).is_empty());
        }
        let gone = lock.pin("x", locked("1.3.0", "d"), 2);
        assert_eq!(gone.iter().map(|gone| gone.digest.as_str()).collect::<Vec<_>>(), ["a"]);
        let again = lock.pin("x", locked("1.3.0", "d"), 2);
        assert!(again.is_empty());
        let entry = &lock.components["x"];
        let before: Vec<_> = entry.before.iter().map(|before| before.digest.as_str()).collect();
        assert_eq!((entry.digest.as_str(), before), ("d", vec!["b", "c"]));
        assert_eq!(Lock::parse(&lock.to_toml()).unwrap(), lock);
    }

    #[test]
    fn a_file_that_says_something_else_is_refused() {
        assert!(
            Lock::parse("[components.x]\nversion = \"one\"\ndigest = \"a\"\nsource = \"f\"\n")
                .is_err()
        );
        assert!(Lock::parse("[components.x]\nversion = \"1.0.0\"\n").is_err());
        assert!(Lock::parse("[component.x]\n").is_err());
    }
}
