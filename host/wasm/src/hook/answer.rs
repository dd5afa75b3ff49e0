//! What a hook answered, in the host's words: those that the contract names, and those that it
//! leaves to `other`.

use super::wit;
use hydroid_core::config::Size;
use hydroid_core::hook::HookPoint;
use serde::Deserialize;
use serde_json::Value;

/// Longest reason or notice that is passed on, in characters.
const LONGEST_REASON: usize = 500;

/// Characters of it in the audit log.
pub(super) const LONGEST_RECORDED: usize = 200;

/// An answer.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Answer {
    Proceed,
    Replace(Value),
    Deny(String),
    Ask(String),
    Reply(String),
    Retry(String),
    Notice(String),
}

impl Answer {
    /// What it is, in a word.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Proceed => "proceed",
            Self::Replace(_) => "replace",
            Self::Deny(_) => "deny",
            Self::Ask(_) => "ask",
            Self::Reply(_) => "reply",
            Self::Retry(_) => "retry",
            Self::Notice(_) => "notice",
        }
    }
}

/// The value of an answer that has no case of its own.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Named {
    text: String,
}

/// Reads an answer; the error is a sentence.
pub(super) fn answered(answer: wit::Answer, longest: usize) -> Result<Answer, String> {
    let bounded = |text: &str| {
        if text.len() <= longest {
            return Ok(());
        }
        Err(format!(
            "it answered with {}, and {} are passed on",
            Size(text.len() as u64),
            Size(longest as u64)
        ))
    };
    Ok(match answer {
        wit::Answer::Proceed => Answer::Proceed,
        wit::Answer::Deny(text) => Answer::Deny(reason(&text)),
        wit::Answer::Ask(text) => Answer::Ask(reason(&text)),
        wit::Answer::Replace(json) => {
            bounded(&json)?;
            match serde_json::from_str(&json) {
                Ok(subject @ Value::Object(_)) => Answer::Replace(subject),
                Ok(_) | Err(_) => {
                    return Err("what it put in place of the subject is no JSON object".to_owned());
                }
            }
        }
        wit::Answer::Other(ext) => {
            bounded(&ext.json)?;
            let read = serde_json::from_str::<Named>(&ext.json);
            let text = read.map(|named| named.text).map_err(|_| {
                "the value of its answer is no JSON object with a `text`".to_owned()
            })?;
            match ext.kind.as_str() {
                "hydroid/reply" => Answer::Reply(text),
                "hydroid/skip" if text.is_empty() => Answer::Reply("skipped by a hook".to_owned()),
                "hydroid/skip" => Answer::Reply(text),
                "hydroid/retry" => Answer::Retry(reason(&text)),
                "hydroid/notice" => Answer::Notice(reason(&text)),
                kind => {
                    let shown: String = kind.chars().take(60).collect();
                    return Err(format!("it answered `{shown}`, which this host does not know"));
                }
            }
        }
    })
}

impl Answer {
    /// The same where it means something at this point, and a denial where it does not.
    pub(super) fn fit_for(self, point: HookPoint) -> Self {
        let again = matches!(point, HookPoint::AfterModel | HookPoint::AfterTool);
        match self {
            Self::Ask(text) if point != HookPoint::BeforeTool => Self::Deny(text),
            Self::Retry(text) if !again => Self::Deny(text),
            other => other,
        }
    }

    /// The same with its text changed.
    pub(super) fn map_text(self, change: impl FnOnce(String) -> String) -> Self {
        match self {
            Self::Proceed => Self::Proceed,
            Self::Replace(subject) => Self::Replace(subject),
            Self::Deny(text) => Self::Deny(change(text)),
            Self::Ask(text) => Self::Ask(change(text)),
            Self::Reply(text) => Self::Reply(change(text)),
            Self::Retry(text) => Self::Retry(change(text)),
            Self::Notice(text) => Self::Notice(change(text)),
        }
    }
}

/// One line, bounded.
fn reason(text: &str) -> String {
    let line: String = text
        .trim()
        .chars()
        .take(LONGEST_REASON)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if line.is_empty() { "it gives no reason".to_owned() } else { line }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bindings::core::types::Ext;

    fn other(kind: &str, json: &str) -> Result<Answer, String> {
        answered(wit::Answer::Other(Ext { kind: kind.into(), json: json.into() }), 100)
    }

    #[test]
    fn answers_without_a_case_of_their_own_are_known_by_name() {
        assert_eq!(other("hydroid/reply", r#"{"text":"a"}"#), Ok(Answer::Reply("a".into())));
        assert_eq!(other("hydroid/skip", "{}"), Ok(Answer::Reply("skipped by a hook".into())));
        assert_eq!(other("hydroid/retry", "{}"), Ok(Answer::Retry("it gives no reason".into())));
        assert_eq!(other("hydroid/notice", r#"{"text":"a\nb"}"#), Ok(Answer::Notice("a b".into())));
        assert!(other("vendor/thing", "{}").unwrap_err().contains("`vendor/thing`"));
        assert!(other("hydroid/reply", "[1").is_err());
        assert!(other("hydroid/reply", &format!("{{\"text\":\"{}\"}}", "ü".repeat(60))).is_err());
    }

    #[test]
    fn what_means_nothing_at_a_point_is_a_denial_there() {
        let ask = || Answer::Ask("a".into());
        assert_eq!(ask().fit_for(HookPoint::BeforeTool), ask());
        assert_eq!(ask().fit_for(HookPoint::AfterTool), Answer::Deny("a".into()));
        let retry = || Answer::Retry("a".into());
        assert_eq!(retry().fit_for(HookPoint::AfterModel), retry());
        assert_eq!(retry().fit_for(HookPoint::TurnStart), Answer::Deny("a".into()));
    }

    #[test]
    fn only_an_object_takes_the_place_of_a_subject() {
        let replace = |json: &str| answered(wit::Answer::Replace(json.into()), 100);
        assert_eq!(replace("{}"), Ok(Answer::Replace(serde_json::json!({}))));
        assert!(replace("[]").is_err() && replace("{").is_err());
        assert!(replace(&format!("{{\"a\":\"{}\"}}", "x".repeat(100))).is_err());
    }
}
