//! What every component of a role must keep to, tried on one: definitions, schemas, error types,
//! cancellation, memory, repetition, hostile arguments. Not a test of what it is for; that is
//! what its cases say.

mod channel;
mod embedder;
mod hook;
mod parser;
mod provider;
mod tool;

pub(super) use channel::channel;
pub(super) use embedder::embedder;
pub(super) use hook::hook;
pub(super) use parser::parser;
pub(super) use provider::provider;
pub(super) use tool::{lint, tool};

/// One rule and how it went.
pub(super) struct Finding {
    /// The rule.
    pub(super) rule: String,
    /// What is wrong and what to do; none if nothing is.
    pub(super) problem: Option<String>,
}

/// Rules with their outcome.
#[derive(Default)]
pub(super) struct Findings(pub(super) Vec<Finding>);

impl Findings {
    fn kept(&mut self, rule: impl Into<String>) {
        self.0.push(Finding { rule: rule.into(), problem: None });
    }

    fn broken(&mut self, rule: impl Into<String>, problem: impl Into<String>) {
        self.0.push(Finding { rule: rule.into(), problem: Some(problem.into()) });
    }

    fn judge(&mut self, rule: impl Into<String>, problem: Option<String>) {
        match problem {
            None => self.kept(rule),
            Some(problem) => self.broken(rule, problem),
        }
    }
}
