//! What the host tells of a request to a model, to the person, the journal and the audit log: that
//! it is sent again, that another model answers, that an answer was kept. Not part of an answer.

use crate::id::ComponentId;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// A model of a provider.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ModelRef {
    /// The provider component.
    pub provider: ComponentId,
    /// The model, as the provider knows it.
    pub model: String,
}

/// One thing the host tells of a request. The JSON shape is stored and sent to clients: fields
/// may be added with a default, never renamed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum ModelNews {
    /// A request failed before anything of an answer came, and is sent again after a while.
    Retrying {
        /// Who failed.
        of: ModelRef,
        /// The kind of failure, in the contract's words.
        kind: String,
        /// What the provider said of it.
        why: String,
        /// How long it waits, in milliseconds.
        wait_ms: u64,
        /// The number of the request that will be sent.
        attempt: u32,
        /// How many are sent at the most.
        attempts: u32,
        /// The failed request reached the service, so it may have to be paid.
        #[serde(default)]
        sent: bool,
    },
    /// Another model answers, because this one could not.
    FellBack {
        /// Who could not.
        from: ModelRef,
        /// Who answers.
        to: ModelRef,
        /// The kind of failure, in the contract's words.
        kind: String,
        /// What the provider said of it.
        why: String,
    },
    /// Another model answers, because of what is asked.
    Routed {
        /// Who answers.
        to: ModelRef,
        /// The task, as `model.route` calls it.
        task: String,
    },
    /// The answer was given before, to the very same request.
    Kept {
        /// Who gave it.
        by: ModelRef,
        /// When, in milliseconds since 1970-01-01 UTC.
        at_ms: u64,
    },
    /// A model failed so often in a row that it is left alone for a while.
    LeftAlone {
        /// Which.
        of: ModelRef,
        /// How often it failed.
        failures: u32,
        /// For how long, in milliseconds.
        for_ms: u64,
    },
}

impl ModelNews {
    /// The model whose answer follows, when that is what it tells.
    pub fn answers(&self) -> Option<&ModelRef> {
        match self {
            Self::FellBack { to, .. } | Self::Routed { to, .. } => Some(to),
            Self::Kept { by, .. } => Some(by),
            Self::Retrying { .. } | Self::LeftAlone { .. } => None,
        }
    }

    /// The model it is about.
    pub fn about(&self) -> &ModelRef {
        match self {
            Self::Retrying { of, .. } | Self::LeftAlone { of, .. } => of,
            Self::FellBack { from, .. } => from,
            Self::Routed { to, .. } => to,
            Self::Kept { by, .. } => by,
        }
    }

    /// The same with what a provider said put through this.
    #[must_use]
    pub fn with_texts(self, clean: impl Fn(&str) -> String) -> Self {
        match self {
            Self::Retrying { of, kind, why, wait_ms, attempt, attempts, sent } => {
                Self::Retrying { of, kind, why: clean(&why), wait_ms, attempt, attempts, sent }
            }
            Self::FellBack { from, to, kind, why } => {
                Self::FellBack { from, to, kind, why: clean(&why) }
            }
            Self::Routed { .. } | Self::Kept { .. } | Self::LeftAlone { .. } => self,
        }
    }
}

/// A kind of failure as a person says it.
pub fn in_words(kind: &str) -> &str {
    match kind {
        "rate-limited" => "rate limited",
        "unavailable" => "not available",
        "timeout" => "too slow",
        "conflict" => "busy with something else",
        "too-large" => "too long for this model",
        "unauthenticated" => "the credential was not taken",
        "not-found" => "not found",
        "invalid-input" => "the request was not taken",
        "internal" => "a defect",
        other => other,
    }
}

/// A length of time as a person writes it.
pub fn length(time: Duration) -> String {
    let milliseconds = time.as_millis();
    let seconds = milliseconds.div_ceil(1000);
    match seconds {
        _ if milliseconds < 950 => format!("{:.1} s", time.as_secs_f64()),
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds.div_ceil(60)),
        _ => format!("{} h", seconds.div_ceil(3600)),
    }
}

impl fmt::Display for ModelRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.model, self.provider)
    }
}

/// For the person, without the provider's own words, which the journal has.
impl fmt::Display for ModelNews {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Retrying { kind, wait_ms, attempt, attempts, sent, .. } => {
                let kind = in_words(kind);
                let wait = length(Duration::from_millis(*wait_ms));
                write!(f, "{kind}, trying again in {wait} ({attempt} of {attempts})")?;
                if *sent { f.write_str("; the failed request may be billed too") } else { Ok(()) }
            }
            Self::FellBack { from, to, kind, why } => {
                write!(f, "{from}: {}; {to} answers instead: {why}", in_words(kind))
            }
            Self::Routed { to, task } => write!(f, "{to} answers (`model.route.{task}`)"),
            Self::Kept { by, .. } => {
                write!(f, "this is an answer {by} gave before to the same request (`model.cache`)")
            }
            Self::LeftAlone { of, failures, for_ms } => {
                let time = length(Duration::from_millis(*for_ms));
                write!(f, "{of} failed {failures} times in a row and is left alone for {time}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(name: &str) -> ModelRef {
        ModelRef { provider: ComponentId::new("provider-x"), model: name.into() }
    }

    fn retrying(wait_ms: u64, sent: bool) -> ModelNews {
        ModelNews::Retrying {
            of: model("a"),
            kind: "rate-limited".into(),
            why: "slow down".into(),
            wait_ms,
            attempt: 2,
            attempts: 4,
            sent,
        }
    }

    #[test]
    fn news_are_stored_in_these_shapes() {
        for (news, json) in [
            (
                retrying(2500, false),
                r#"{"what":"retrying","of":{"provider":"provider-x","model":"a"},"kind":"rate-limited","why":"slow down","wait_ms":2500,"attempt":2,"attempts":4,"sent":false}"#,
            ),
            (
                ModelNews::FellBack {
                    from: model("a"),
                    to: model("b"),
                    kind: "timeout".into(),
                    why: "w".into(),
                },
                r#"{"what":"fell_back","from":{"provider":"provider-x","model":"a"},"to":{"provider":"provider-x","model":"b"},"kind":"timeout","why":"w"}"#,
            ),
            (
                ModelNews::Routed { to: model("b"), task: "vision".into() },
                r#"{"what":"routed","to":{"provider":"provider-x","model":"b"},"task":"vision"}"#,
            ),
            (
                ModelNews::Kept { by: model("a"), at_ms: 7 },
                r#"{"what":"kept","by":{"provider":"provider-x","model":"a"},"at_ms":7}"#,
            ),
            (
                ModelNews::LeftAlone { of: model("a"), failures: 5, for_ms: 30_000 },
                r#"{"what":"left_alone","of":{"provider":"provider-x","model":"a"},"failures":5,"for_ms":30000}"#,
            ),
        ] {
            assert_eq!(serde_json::to_string(&news).unwrap(), json);
            assert_eq!(serde_json::from_str::<ModelNews>(json).unwrap(), news);
        }
    }

    #[test]
    fn a_person_reads_what_happened_and_what_comes() {
        assert_eq!(retrying(2500, false).to_string(), "rate limited, trying again in 3 s (2 of 4)");
        assert_eq!(
            retrying(200, true).to_string(),
            "rate limited, trying again in 0.2 s (2 of 4); the failed request may be billed too"
        );
    }

    #[test]
    fn lengths_read_as_people_write_them() {
        let lengths = [0, 949, 950, 1001, 119_000, 120_000, 121_000, 7_200_000];
        let read: Vec<String> =
            lengths.into_iter().map(|ms| length(Duration::from_millis(ms))).collect();
        assert_eq!(read, ["0.0 s", "0.9 s", "1 s", "2 s", "119 s", "2 min", "3 min", "2 h"]);
    }
}
