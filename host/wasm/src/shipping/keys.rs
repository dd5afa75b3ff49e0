//! The keys a person knows: `keys.toml` beside the configuration, and how far each is trusted.
//! Reading and writing the file is the caller's work; what it means is decided here.

use super::signature::PublicKey;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// All keys of a user.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keys {
    /// One entry a key, by the name the person gave it.
    #[serde(default)]
    pub keys: BTreeMap<String, Trusted>,
}

/// One key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trusted {
    /// The public key, `ed25519:…`.
    pub key: String,
    /// How far it is trusted.
    pub level: KeyLevel,
}

/// How far a key is trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyLevel {
    /// What it signs may be installed; a newer version that wants no more is not asked about.
    Trusted,
    /// What it signs may be installed; each version is asked about.
    Known,
    /// What it signs is never installed and not loaded.
    Distrusted,
}

/// A keys file that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error(
    "`keys.toml` cannot be read, so it is not known whom you trust: {0}; mend it, or remove it and trust the keys again"
)]
pub struct BadKeys(String);

impl Keys {
    /// Reads the file's text.
    pub fn parse(text: &str) -> Result<Self, BadKeys> {
        let keys: Self =
            toml::from_str(text).map_err(|error| BadKeys(error.to_string().trim().to_owned()))?;
        for (name, trusted) in &keys.keys {
            trusted
                .key
                .parse::<PublicKey>()
                .map_err(|error| BadKeys(format!("[keys.{name}]: {error}")))?;
        }
        Ok(keys)
    }

    /// The file's text.
    pub fn to_toml(&self) -> String {
        let text = toml::to_string_pretty(self).expect("keys are plain tables");
        format!(
            "# Whose components may be installed. Written by `hydroid key trust` and `distrust`.\n{text}"
        )
    }

    /// The name and level of a key, if the person knows it.
    pub fn of(&self, key: &str) -> Option<(&str, KeyLevel)> {
        let found = self.keys.iter().find(|(_, trusted)| trusted.key == key);
        found.map(|(name, trusted)| (name.as_str(), trusted.level))
    }
}

impl KeyLevel {
    /// As it is written.
    pub fn id(self) -> &'static str {
        match self {
            Self::Trusted => "trusted",
            Self::Known => "known",
            Self::Distrusted => "distrusted",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shipping::SecretKey;

    #[test]
    fn the_file_reads_what_it_writes() {
        let key = SecretKey::generate().unwrap().public().to_string();
        let mut keys = Keys::default();
        let trusted = Trusted { key: key.clone(), level: KeyLevel::Known };
        keys.keys.insert("acme".into(), trusted);
        let again = Keys::parse(&keys.to_toml()).unwrap();
        assert_eq!((again.of(&key), again.of("x")), (Some(("acme", KeyLevel::Known)), None));
        for wrong in [
            "[keys.a]\nkey = \"x\"\nlevel = \"known\"\n",
            "[keys.a]\nkey = \"x\"\n",
            "[keys.a]\nkey = \"x\"\nlevel = \"good\"\n",
            "[kees.a]\n",
        ] {
            assert!(Keys::parse(wrong).is_err(), "{wrong}");
        }
    }
}
