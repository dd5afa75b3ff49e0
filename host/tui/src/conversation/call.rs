//! A tool call on its way from the model's request to its result, and the question whether it may
//! run. It decides nothing.

use super::Clipped;
use hydroid_core::entry::DecidedBy;
use hydroid_core::id::{CallId, ComponentId};
use hydroid_core::message::Content;
use hydroid_core::policy::Decision;
use hydroid_core::tool::{Impact, Preview, ToolCall, ToolOutput};

/// A tool call.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Call {
    /// Its identifier.
    pub(crate) id: CallId,
    /// The tool.
    pub(crate) name: String,
    /// The arguments as they are now.
    pub(crate) arguments: String,
    /// The person changed them.
    pub(crate) edited: bool,
    /// How far it is.
    pub(crate) state: CallState,
    /// How far it has come, as it says itself.
    pub(crate) progress: Option<(Option<f32>, String)>,
    /// Why it runs or does not, where that is worth telling.
    pub(crate) decision: Option<String>,
    /// What came of it.
    pub(crate) output: Clipped,
    /// Milliseconds it took.
    pub(crate) took_ms: Option<u64>,
}

/// How far a call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CallState {
    /// The model asked for it.
    Received,
    /// The person is asked.
    Asked,
    /// It runs.
    Running {
        /// When it began, by our clock.
        since: u64,
        /// When it began, by the host's clock.
        started_ms: u64,
    },
    /// It gave a result.
    Done,
    /// It failed.
    Failed,
    /// It was not allowed to run.
    Denied,
    /// The turn ended before it had a result.
    Unfinished,
}

/// A question whether a call may run, as the host asks it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Question {
    /// The call.
    pub(crate) call_id: CallId,
    /// What will run, exactly.
    pub(crate) call: ToolCall,
    /// The component that would run it.
    pub(crate) component: ComponentId,
    /// What it can do.
    pub(crate) impact: Impact,
    /// Why it is asked.
    pub(crate) reason: String,
    /// The pattern that an answer for longer would be about.
    pub(crate) scope: String,
    /// What it would do.
    pub(crate) preview: Option<Preview>,
}

impl Call {
    pub(super) fn new(call: ToolCall) -> Self {
        Self {
            id: call.id,
            name: call.name,
            arguments: call.arguments,
            edited: false,
            state: CallState::Received,
            progress: None,
            decision: None,
            output: Clipped::default(),
            took_ms: None,
        }
    }

    pub(super) fn decided(&mut self, decision: &Decision, by: DecidedBy) {
        let who = match by {
            DecidedBy::Policy => "a rule",
            DecidedBy::User => "you",
            DecidedBy::Session => "you, for this session",
            DecidedBy::Standing => "you, for good",
        };
        match decision {
            Decision::Allow => {
                self.decision = (by != DecidedBy::Policy).then(|| format!("allowed by {who}"));
                if self.state == CallState::Asked {
                    self.state = CallState::Received;
                }
            }
            Decision::Ask { .. } => {}
            Decision::Deny { reason } => {
                self.state = CallState::Denied;
                self.decision = Some(format!("denied by {who}: {reason}"));
            }
        }
    }

    pub(super) fn finished(&mut self, output: &ToolOutput, at_ms: u64) {
        if let CallState::Running { started_ms, .. } = self.state {
            self.took_ms = at_ms.checked_sub(started_ms);
        }
        self.progress = None;
        if self.state != CallState::Denied {
            self.state = if output.is_error { CallState::Failed } else { CallState::Done };
        }
        self.output = Clipped::default();
        for content in &output.content {
            if !self.output.text.is_empty() {
                self.output.push("\n");
            }
            self.output.push(&shown(content));
        }
    }

    /// The turn is over; true if this call had not ended.
    pub(super) fn never_ended(&mut self) -> bool {
        match self.state {
            CallState::Received | CallState::Asked | CallState::Running { .. } => {
                self.state = CallState::Unfinished;
                self.progress = None;
                true
            }
            CallState::Done | CallState::Failed | CallState::Denied | CallState::Unfinished => {
                false
            }
        }
    }
}

impl Question {
    /// False for what is approved each time, as a copy out of the vault, and for a call that no
    /// pattern describes: then an answer is for this call only.
    pub(crate) fn can_be_answered_for_longer(&self) -> bool {
        self.impact != Impact::Vault && !self.scope.is_empty()
    }
}

fn shown(content: &Content) -> String {
    match content {
        Content::Text { text } | Content::Thinking { text, .. } => text.clone(),
        Content::Json { json } => {
            serde_json::to_string_pretty(json).unwrap_or_else(|_| json.to_string())
        }
        Content::Link { uri, title, .. } => match title {
            Some(title) => format!("{title} ({uri})"),
            None => uri.clone(),
        },
        Content::Media { media_type, data, name } => {
            let name = name.as_deref().unwrap_or("unnamed");
            format!("[{media_type}: {name}, {} bytes]", data.0.len())
        }
        Content::ToolCall { call } => call.name.clone(),
        Content::ToolResult { content, .. } => {
            content.iter().map(shown).collect::<Vec<_>>().join("\n")
        }
        Content::Other { kind, json } => format!("[{kind}] {json}"),
    }
}
