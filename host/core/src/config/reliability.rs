//! `model.retry`, `model.timeouts`, `model.breaker`, `model.cache`, `model.fallback` and
//! `model.route`: their types, their defaults, and what of them does not fit together.

use super::{ConfigError, Model, Prices, Seconds, Size};
use crate::id::ComponentId;
use crate::reliability::{Backoff, CircuitSettings, KINDS, ModelRef};
use serde::Deserialize;
use std::time::Duration;

/// How often a failed request is sent again, and with which waits.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "documented once, in KEYS")]
pub struct Retry {
    pub attempts: u32,
    pub first_wait: Seconds,
    pub longest_wait: Seconds,
    pub total: Seconds,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "documented once, in KEYS")]
pub struct Timeouts {
    pub first_event: Seconds,
    pub idle: Seconds,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "documented once, in KEYS")]
pub struct Breaker {
    pub failures: u32,
    pub open: Seconds,
}

/// Answers that are kept to be given again.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "documented once, in KEYS")]
pub struct ModelCache {
    pub enabled: bool,
    pub max_age: Seconds,
    pub max_size: Size,
}

/// A model beside the main one.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "documented once, in KEYS")]
pub struct OtherModel {
    pub provider: String,
    pub name: String,
    pub options: Option<toml::Table>,
    #[serde(default)]
    pub prices: Prices,
}

/// A model for each kind of task that has one of its own.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "documented once, in KEYS")]
pub struct Routes {
    pub compaction: Option<OtherModel>,
    pub delegate: Option<OtherModel>,
    pub title: Option<OtherModel>,
    pub vision: Option<OtherModel>,
}

/// Kinds of tasks for which nothing asks a model yet, and what they would be.
const WITHOUT_A_CALLER: [(&str, &str); 1] =
    [("main", "the main model is `model.provider` and `model.name`")];

impl Retry {
    /// As the decision takes it.
    pub fn backoff(&self) -> Backoff {
        Backoff {
            attempts: self.attempts,
            first_wait: Duration::from_secs(self.first_wait.0),
            longest_wait: Duration::from_secs(self.longest_wait.0),
            total: Duration::from_secs(self.total.0),
        }
    }
}

impl Breaker {
    /// As the decision takes it.
    pub fn circuit(&self) -> CircuitSettings {
        CircuitSettings { failures: self.failures, open: Duration::from_secs(self.open.0) }
    }
}

impl OtherModel {
    /// Which model it is.
    pub fn model(&self) -> ModelRef {
        ModelRef { provider: ComponentId::new(&self.provider), model: self.name.clone() }
    }
}

impl Model {
    /// The models beside the main one, each with its key.
    pub fn others(&self) -> impl Iterator<Item = (String, &OtherModel)> {
        let fallback = self.fallback.iter().enumerate();
        let fallback = fallback.map(|(at, model)| (format!("model.fallback[{at}]"), model));
        let routes = [
            ("model.route.compaction", &self.route.compaction),
            ("model.route.delegate", &self.route.delegate),
            ("model.route.title", &self.route.title),
            ("model.route.vision", &self.route.vision),
        ];
        let routes =
            routes.into_iter().filter_map(|(key, model)| Some((key.to_owned(), model.as_ref()?)));
        fallback.chain(routes)
    }

    /// What does not fit together.
    pub(super) fn check_reliability(&self) -> Result<(), ConfigError> {
        let wrong = |text: String| Err(ConfigError::Value(text));
        if self.retry.attempts == 0 {
            return wrong(
                "`model.retry.attempts` is at least 1, which sends each request once".into(),
            );
        }
        if self.timeouts.first_event.0 == 0 || self.timeouts.idle.0 == 0 {
            return wrong(
                "`model.timeouts.first_event` and `model.timeouts.idle` are at least 1".into(),
            );
        }
        if let Some(kind) = self.fallback_on.iter().find(|kind| !KINDS.contains(&kind.as_str())) {
            let kinds = KINDS.join(", ");
            return wrong(format!("`model.fallback_on` has `{kind}`; it lists some of {kinds}"));
        }
        for (key, other) in self.others() {
            if other.provider.is_empty() || other.name.is_empty() {
                return wrong(format!("`{key}` needs a `provider` and a `name`"));
            }
        }
        Ok(())
    }
}

/// The refusal of a route for a task that nothing asks a model for; none for any other key.
pub(super) fn route_without_a_caller(path: &str) -> Option<ConfigError> {
    let task = path.strip_prefix("model.route.")?.split('.').next()?;
    let (task, why) = WITHOUT_A_CALLER.into_iter().find(|(known, _)| *known == task)?;
    Some(ConfigError::Value(format!(
        "`model.route.{task}` would have no effect: {why}; the routes there are: `model.route.compaction`, `model.route.delegate`, `model.route.title`, `model.route.vision`"
    )))
}

impl Default for Retry {
    fn default() -> Self {
        Self { attempts: 4, first_wait: Seconds(1), longest_wait: Seconds(30), total: Seconds(600) }
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { first_event: Seconds(300), idle: Seconds(120) }
    }
}

impl Default for Breaker {
    fn default() -> Self {
        Self { failures: 5, open: Seconds(30) }
    }
}

impl Default for ModelCache {
    fn default() -> Self {
        Self { enabled: false, max_age: Seconds(24 * 3600), max_size: Size(64 << 20) }
    }
}

/// All that another model may mend: every kind but a request that was wrong.
pub(super) fn default_fallback_on() -> Vec<String> {
    KINDS.into_iter().filter(|kind| *kind != "invalid-input").map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    #[track_caller]
    fn refused(text: &str, expect: &str) {
        let error = Config::from_table(text.parse().unwrap()).unwrap_err().to_string();
        assert!(error.contains(expect), "expected `{expect}` in: {error}");
    }

    #[test]
    fn a_route_that_nothing_asks_for_is_refused_with_a_sentence() {
        let main = "[model.route.main]\nname = \"m\"";
        refused(main, "would have no effect");
        refused(main, "`model.provider` and `model.name`");
        refused("[model.route.vison]\nname = \"m\"", "did you mean `model.route.vision");
    }

    #[test]
    fn what_does_not_fit_together_is_refused() {
        refused("[model.retry]\nattempts = 0", "at least 1");
        refused("[model.timeouts]\nidle = 0", "at least 1");
        refused("[model]\nfallback_on = [\"cancelled\"]", "it lists some of conflict, denied");
        refused("[[model.fallback]]\nprovider = \"p\"", "missing field `name`");
        refused("[[model.fallback]]\nprovider = \"\"\nname = \"m\"", "`model.fallback[0]` needs");
        refused("[model.route.vision]\nname = \"m\"", "missing field `provider`");
    }
}
