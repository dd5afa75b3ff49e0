//! The hook role for authors: one trait, one macro, and the answers that have a name of their
//! own. Not a tool: nothing here is offered to a model.
//!
//! ```ignore
//! struct Quiet;
//! impl Hook for Quiet { /* points, decide */ }
//! hydroid_component::export_hook!(Quiet);
//! ```

use std::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::bindings::hook::exports::hydroid::hook::hook as wit;
pub use crate::bindings::imports::hydroid::core::types::{Error, ErrorKind, Ext};

/// A component that is asked at points of the loop.
pub trait Hook: 'static {
    /// Where it wants to be asked. Asked without any authority, so it is known from the
    /// configuration alone.
    fn points() -> Result<Vec<Point>, Error>;

    /// Decides. A failure counts as a denial at the points that can be denied.
    fn decide(question: Question) -> Result<Answer, Error>;
}

/// A point at which it wants to be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Point {
    name: String,
    tools: Vec<String>,
    order: u32,
}

impl Point {
    /// By its name: `turn-start`, `before-model`, `after-model`, `before-tool`, `after-tool`,
    /// `turn-end`, `session-start`, `session-end`, `error` or `compaction`.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), tools: Vec::new(), order: 100 }
    }

    /// Only for tools whose names fit one of these patterns; `*` stands for anything.
    #[must_use]
    pub fn for_tools(mut self, patterns: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.tools = patterns.into_iter().map(Into::into).collect();
        self
    }

    /// Those with a lower number are asked first; 100 if nothing is said.
    #[must_use]
    pub fn order(mut self, order: u32) -> Self {
        self.order = order;
        self
    }
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The point.
    pub point: String,
    /// The session, by an identifier that means nothing outside this host.
    pub session: String,
    /// The turn; empty where none runs.
    pub turn: String,
    /// The thing at hand as JSON; its shape depends on the point.
    pub subject: String,
}

impl Question {
    /// The subject as the type it has.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_str(&self.subject).map_err(|error| {
            Error::new(
                ErrorKind::InvalidInput,
                format!("the subject of `{}` has another shape than expected: {error}", self.point),
            )
        })
    }
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Go on.
    Proceed,
    /// Go on with this in place of the subject, as JSON.
    Replace(String),
    /// Stop here; the text is the reason the model and the person read.
    Deny(String),
    /// Let a person decide; the text says why.
    Ask(String),
    /// Do not do it: this is what came of it.
    Reply(String),
    /// Do it again; the text says why.
    Retry(String),
    /// Go on, and tell the person this.
    Notice(String),
}

impl Answer {
    /// Go on with this in place of the subject.
    pub fn replace(subject: &impl Serialize) -> Result<Self, Error> {
        let text = serde_json::to_string(subject).map_err(|error| {
            Error::internal(format!("the subject does not become JSON: {error}"))
        })?;
        Ok(Self::Replace(text))
    }
}

impl From<Answer> for wit::Answer {
    fn from(answer: Answer) -> Self {
        let other = |kind: &str, text: String| {
            Self::Other(Ext { kind: kind.to_owned(), json: json!({ "text": text }).to_string() })
        };
        match answer {
            Answer::Proceed => Self::Proceed,
            Answer::Replace(subject) => Self::Replace(subject),
            Answer::Deny(reason) => Self::Deny(reason),
            Answer::Ask(reason) => Self::Ask(reason),
            Answer::Reply(text) => other("hydroid/reply", text),
            Answer::Retry(text) => other("hydroid/retry", text),
            Answer::Notice(text) => other("hydroid/notice", text),
        }
    }
}

/// Makes `type` the hook of this component.
#[macro_export]
macro_rules! export_hook {
    ($hook:ty) => {
        const _: () = {
            type Component = $crate::hook::Adapter<$hook>;
    $crate::bindings::hook::export!(Component with_types_in $crate::bindings::hook);
        };
    };
}

/// What `export_hook!` exports for `H`.
pub struct Adapter<H>(PhantomData<H>);

impl<H: Hook> wit::Guest for Adapter<H> {
    fn points() -> Result<Vec<wit::Subscription>, Error> {
        let points = H::points()?.into_iter();
        Ok(points
            .map(|Point { name, tools, order }| wit::Subscription { point: name, tools, order })
            .collect())
    }

    fn decide(question: wit::Question) -> Result<wit::Answer, Error> {
        let wit::Question { point, session, turn, subject_json } = question;
        H::decide(Question { point, session, turn, subject: subject_json }).map(Into::into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_without_a_case_of_its_own_goes_as_a_named_value() {
        let wit::Answer::Other(ext) = wit::Answer::from(Answer::Retry("\"again\"".into())) else {
            panic!("another case");
        };
        assert_eq!(ext.kind, "hydroid/retry");
        assert_eq!(ext.json, r#"{"text":"\"again\""}"#);
    }
}
