//! `skills`: which are loaded from the start, and how much of them a model reads.

use super::ConfigError;
use crate::skill::is_name;
use serde::Deserialize;

/// Most that may be loaded at once, whatever is configured.
const MOST_LOADED: usize = 32;

/// Most characters of one, whatever is configured.
const MOST_CHARS: usize = 200_000;

/// Skills as they are configured.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "documented once, in KEYS")]
pub struct Skills {
    pub always: Vec<String>,
    pub index_chars: usize,
    pub max_chars: usize,
    pub max_loaded: usize,
}

impl Default for Skills {
    fn default() -> Self {
        Self { always: Vec::new(), index_chars: 8_000, max_chars: 30_000, max_loaded: 4 }
    }
}

impl Skills {
    /// Why instructions cannot be loaded, if they are too long.
    pub fn too_long(&self, text: &str) -> Option<String> {
        let count = text.chars().count();
        (count > self.max_chars).then(|| {
            format!(
                "its instructions have {count} characters, and `skills.max_chars` is {}",
                self.max_chars
            )
        })
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let wrong = |text: String| Err(ConfigError::Value(text));
        if let Some(name) = self.always.iter().find(|name| !is_name(name)) {
            return wrong(format!(
                "`skills.always` has `{name}`, which is no name of a skill; `hydroid skill list` shows them"
            ));
        }
        if !(1..=MOST_LOADED).contains(&self.max_loaded) {
            return wrong(format!("`skills.max_loaded` is from 1 to {MOST_LOADED}"));
        }
        if self.always.len() > self.max_loaded {
            return wrong(format!(
                "`skills.always` names {} skills, and `skills.max_loaded` is {}; raise it, or name fewer",
                self.always.len(),
                self.max_loaded
            ));
        }
        if !(1..=MOST_CHARS).contains(&self.max_chars) {
            return wrong(format!("`skills.max_chars` is from 1 to {MOST_CHARS}"));
        }
        Ok(())
    }
}
