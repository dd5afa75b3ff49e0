//! `memory`: what is recalled, how what is found is weighed, and which files are read into every
//! conversation.

use super::ConfigError;
use crate::retrieval::fusion::{Tuning, Weights};
use serde::Deserialize;

/// Memory as it is configured.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "documented once, in KEYS")]
pub struct Memory {
    pub embedder: String,
    pub recall: bool,
    pub recall_tokens: u32,
    pub files: bool,
    pub files_chars: usize,
    pub recency: f64,
    pub importance: f64,
    pub diversity: f64,
    pub weights: MemoryWeights,
}

#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "documented once, in KEYS")]
pub struct MemoryWeights {
    pub keyword: f64,
    pub keyword_window: f64,
    pub vector: f64,
    pub vector_window: f64,
}

impl Memory {
    /// The component that makes vectors; none if it is switched off.
    pub fn embedder(&self) -> Option<&str> {
        (self.embedder != "none").then_some(self.embedder.as_str())
    }

    /// As searching takes it.
    pub fn tuning(&self) -> Tuning {
        let MemoryWeights { keyword, keyword_window, vector, vector_window } = self.weights;
        Tuning {
            weights: Weights { keyword, keyword_window, vector, vector_window },
            recency: self.recency,
            importance: self.importance,
            diversity: self.diversity,
        }
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let wrong = |text: String| Err(ConfigError::Value(text));
        let shares = [
            ("recency", self.recency),
            ("importance", self.importance),
            ("diversity", self.diversity),
            ("weights.keyword", self.weights.keyword),
            ("weights.keyword_window", self.weights.keyword_window),
            ("weights.vector", self.weights.vector),
            ("weights.vector_window", self.weights.vector_window),
        ];
        for (key, share) in shares {
            if !(0.0..=1.0).contains(&share) {
                return wrong(format!("`memory.{key}` is `{share}`; it is from 0 to 1"));
            }
        }
        if self.weights.keyword + self.weights.keyword_window <= 0.0 {
            return wrong(
                "`memory.weights.keyword` and `memory.weights.keyword_window` are not both 0: without an embedder nothing would be found".into(),
            );
        }
        Ok(())
    }
}

impl Default for Memory {
    fn default() -> Self {
        let tuning = Tuning::default();
        Self {
            embedder: "embedder-model2vec".into(),
            recall: true,
            recall_tokens: 600,
            files: true,
            files_chars: 16_000,
            recency: tuning.recency,
            importance: tuning.importance,
            diversity: tuning.diversity,
            weights: MemoryWeights::default(),
        }
    }
}

impl Default for MemoryWeights {
    fn default() -> Self {
        let Weights { keyword, keyword_window, vector, vector_window } = Weights::default();
        Self { keyword, keyword_window, vector, vector_window }
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    #[test]
    fn shares_are_from_nought_to_one() {
        let refused =
            |text: &str| Config::from_table(text.parse().unwrap()).unwrap_err().to_string();
        assert!(refused("[memory]\nrecency = 2.0").contains("`memory.recency` is `2`"));
        assert!(refused("[memory]\ndiversity = nan").contains("from 0 to 1"));
        let neither = "[memory.weights]\nkeyword = 0.0\nkeyword_window = 0.0";
        assert!(refused(neither).contains("not both 0"));
    }
}
