//! What is put to hooks at each point of the loop, and what their answers do. Who answers is
//! behind `core::ports::Hooks`. A subject is scrubbed before anybody is asked, and only what a
//! hook changed is taken from what comes back.

mod model;
mod skill;
mod tool;

pub(crate) use model::{Answered, Asked, Spent, after_model, before_model};
pub(crate) use skill::skill_load;
pub(crate) use tool::{Kept, after_tool, before_tool};

use crate::effects::{News, TurnContext};
use crate::sessions::AgentParts;
use hydroid_core::entry::{Entry, Outcome};
use hydroid_core::hook::{HookPoint, HookVerdict, HookWord};
use hydroid_core::id::{SessionId, TurnId, UserId};
use hydroid_core::message::{Content, Label, Message, Part, Role};
use hydroid_core::policy::Who;
use hydroid_core::ports::{CallContext, CancelFlag, SawSecret};
use hydroid_core::scrub::Scrubber;
use hydroid_core::telemetry::Trace;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// How often something is done again because a hook wanted it.
pub(crate) const MOST_RETRIES: u32 = 2;

/// How long the end of a session waits for those who only look on.
pub(crate) const LOOKING_ON: Duration = Duration::from_secs(10);

/// What becomes of something a person said.
#[derive(Debug, PartialEq)]
pub(crate) struct Opening {
    /// What is kept of it.
    pub(crate) parts: Vec<Part>,
    /// What the person is told beside.
    pub(crate) notices: Vec<HookWord>,
    /// Who has the word now.
    pub(crate) word: Opened,
}

/// Who has the word after a person.
#[derive(Debug, PartialEq)]
pub(crate) enum Opened {
    /// A model.
    Turn,
    /// Nobody: a hook did not let it in.
    Denied(HookWord),
    /// A hook, and this is the answer.
    Replied(HookWord),
}

/// A context for a question that belongs to no turn, or to one as a whole.
pub(crate) fn context(
    user: &UserId,
    session: &SessionId,
    turn: TurnId,
    trace: Trace,
) -> CallContext {
    CallContext {
        user: user.clone(),
        session: session.clone(),
        turn,
        call: None,
        cancel: CancelFlag::default(),
        progress: Arc::new(|_, _| {}),
        secret: SawSecret::default(),
        trace,
        nested: None,
        wants_data: false,
    }
}

/// Asks what is to become of something a person said.
pub(crate) async fn opening(
    agent: &AgentParts,
    who: &Who,
    context: CallContext,
    parts: Vec<Part>,
) -> Opening {
    if !agent.hooks.wants(HookPoint::TurnStart, None) {
        return Opening { parts, notices: Vec::new(), word: Opened::Turn };
    }
    let message = Message { role: Role::User, parts };
    let subject = json!({ "channel": who.channel, "parts": message.parts });
    let subject = scrubbed(&agent.scrubber.current(), subject);
    let outcome = agent.hooks.ask(HookPoint::TurnStart, None, subject, context).await;
    let notices = outcome.notices;
    let denied =
        |word| Opening { parts: withheld(), notices: notices.clone(), word: Opened::Denied(word) };
    let parts = if outcome.replaced {
        let parts = outcome.subject.get("parts").cloned().unwrap_or_default();
        let Ok(parts) = serde_json::from_value::<Vec<Part>>(parts) else {
            return denied(unfit("what was said into no message"));
        };
        let changed = Message { role: Role::User, parts };
        if !only_texts_differ(&message, &changed) {
            return denied(unfit("of what was said, more than texts"));
        }
        changed.parts
    } else {
        message.parts
    };
    match outcome.verdict {
        HookVerdict::Proceed => Opening { parts, notices, word: Opened::Turn },
        HookVerdict::Reply(word) => Opening { parts, notices, word: Opened::Replied(word) },
        // There is nothing yet that a person could decide on or that could be done again.
        HookVerdict::Deny(word) | HookVerdict::Ask(word) | HookVerdict::Retry(word) => denied(word),
    }
}

/// What is kept of a message that was not let in.
fn withheld() -> Vec<Part> {
    vec![Part::new(Content::text("(a message that a hook did not let in)"), Label::host())]
}

fn unfit(what: &str) -> HookWord {
    HookWord {
        by: hydroid_core::id::ComponentId::new("hooks"),
        text: format!("a hook changed {what}; take it out of `hooks.use`, or mend it"),
    }
}

/// The subject of the end of the last turn; none if it has none.
pub(crate) fn turn_ended(entries: &[Entry]) -> Option<Value> {
    let Some(Entry::TurnEnded { outcome, usage, dollars, .. }) = entries.last() else {
        return None;
    };
    let step = entries.iter().rposition(|entry| matches!(entry, Entry::StepStarted { .. }));
    let said = entries.iter().skip(step.unwrap_or(entries.len()));
    let text: String = said
        .filter_map(|entry| match entry {
            Entry::Text { text, .. } => Some(text.as_str()),
            _ => None,
        })
        .collect();
    Some(json!({
        "outcome": outcome_name(outcome),
        "text": text,
        "usage": usage,
        "dollars": dollars.map(|money| money.dollars()),
    }))
}

fn outcome_name(outcome: &Outcome) -> Value {
    let value = serde_json::to_value(outcome).unwrap_or_default();
    value.get("outcome").cloned().unwrap_or(value)
}

/// The same with every text scrubbed.
pub(crate) fn scrubbed(scrubber: &Scrubber, value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(scrubber.scrub(&text)),
        Value::Array(items) => {
            Value::Array(items.into_iter().map(|item| scrubbed(scrubber, item)).collect())
        }
        Value::Object(fields) => Value::Object(
            fields.into_iter().map(|(name, value)| (name, scrubbed(scrubber, value))).collect(),
        ),
        other => other,
    }
}

/// True if a hook left everything but texts as it was: who said what, and where it came from, is
/// not its to say.
fn only_texts_differ(one: &Message, other: &Message) -> bool {
    one.role == other.role
        && one.parts.len() == other.parts.len()
        && one.parts.iter().zip(&other.parts).all(|(one, other)| {
            one.label == other.label && without_text(&one.content) == without_text(&other.content)
        })
}

fn without_text(content: &Content) -> Content {
    match content {
        Content::Text { .. } => Content::text(String::new()),
        Content::ToolResult { call_id, content, is_error } => Content::ToolResult {
            call_id: call_id.clone(),
            content: content.iter().map(without_text).collect(),
            is_error: *is_error,
        },
        other => other.clone(),
    }
}

impl TurnContext {
    /// Asks at one point of this turn, with every text of the subject scrubbed.
    pub(crate) async fn ask_hooks(
        &self,
        point: HookPoint,
        tool: Option<&str>,
        subject: Value,
    ) -> hydroid_core::hook::HookOutcome {
        let subject = scrubbed(&self.agent.scrubber.current(), subject);
        let context = context(&self.user, &self.session, self.turn.clone(), self.trace.clone());
        let mut outcome = self.agent.hooks.ask(point, tool, subject, context).await;
        for word in std::mem::take(&mut outcome.notices) {
            self.report(News::Noticed(word.to_string())).await;
        }
        outcome
    }

    /// Tells those who look on that something failed; nobody waits for them.
    pub(crate) fn tell_failure(&self, subject: Value) {
        self.tell(HookPoint::Error, subject);
    }

    /// Tells those who only look on; nobody waits for them.
    pub(crate) fn tell(&self, point: HookPoint, subject: Value) {
        if self.agent.hooks.wants(point, None) {
            // What is dropped at the end of the process has nobody to tell.
            let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
            let turn = self.clone();
            runtime.spawn(async move {
                let told = turn.ask_hooks(point, None, subject);
                drop(tokio::time::timeout(LOOKING_ON, told).await);
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hydroid_core::id::CallId;

    #[test]
    fn a_hook_changes_texts_and_nothing_else() {
        let result = |text: &str| Content::ToolResult {
            call_id: CallId::new("c"),
            content: vec![Content::text(text)],
            is_error: false,
        };
        let message = |content: Content, label: Label| Message {
            role: Role::User,
            parts: vec![Part::new(content, label)],
        };
        let base = message(Content::text("a"), Label::user());
        assert!(only_texts_differ(&base, &message(Content::text("b"), Label::user())));
        assert!(!only_texts_differ(&base, &message(Content::text("a"), Label::host())));
        assert!(!only_texts_differ(&base, &message(result("a"), Label::user())));
        assert!(!only_texts_differ(&base, &Message { role: Role::Assistant, ..base.clone() }));
        assert!(!only_texts_differ(&base, &Message { parts: Vec::new(), ..base.clone() }));
        let told = message(result("a"), Label::host());
        assert!(only_texts_differ(&told, &message(result("b"), Label::host())));
    }
}
