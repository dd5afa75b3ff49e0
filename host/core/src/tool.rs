//! Tools as the turn sees them: what is offered, what is called, what comes back.

use crate::hook::HookWord;
use crate::id::{CallId, ComponentId};
use crate::message::{Content, Origin};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A tool offered to the model.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolSpec {
    /// Name the model calls it by, unique in the host.
    pub name: String,
    /// Title for people.
    pub title: Option<String>,
    /// What it does, for the model.
    pub description: String,
    /// JSON Schema of the arguments.
    pub input_schema: Value,
    /// The component that offers it.
    pub component: ComponentId,
    /// What the component's imports make possible.
    pub impact: Impact,
    /// The component claims that this tool changes nothing.
    pub claims_read_only: bool,
    /// It is about the person's skills, and is offered only where there are some.
    pub about_skills: bool,
}

/// What a component says of a tool beside what a model is told: claims, proven by nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ToolDetails {
    /// It may destroy something that cannot be had back.
    pub destructive: bool,
    /// Calling twice with the same arguments is the same as once.
    pub idempotent: bool,
    /// It reaches things outside the person's own files.
    pub open_world: bool,
    /// JSON Schema of the data it gives beside text; an object.
    pub output_schema: Option<Value>,
    /// Further settings of its definition, an object.
    pub options: Option<Value>,
}

/// What a tool can do, proven from its component's imports and grant, not from its own claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Impact {
    /// Computes, or reads the user's files.
    ReadOnly,
    /// Also sends read requests (GET, HEAD) to other machines.
    Network,
    /// Changes what is the person's own and the host keeps: files of the workspace, notes.
    Edits,
    /// Can change something else: the state of another machine, or what the host cannot tell.
    Changes,
    /// Takes something out of the vault. A person approves each copy; no rule does it for them.
    Vault,
}

/// A call the model asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolCall {
    /// Identifier, unique in the session.
    pub id: CallId,
    /// Name of the tool.
    pub name: String,
    /// Arguments as JSON text, exactly as the model wrote them.
    pub arguments: String,
}

/// A call that may be decided on: the tool exists and the arguments fit its schema.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckedCall {
    /// The call, its arguments normalised to one line of JSON.
    pub call: ToolCall,
    /// The component that will run it.
    pub component: ComponentId,
    /// What the component can do.
    pub impact: Impact,
    /// What the arguments name: paths, URLs, addresses.
    pub resources: Vec<Resource>,
    /// What its result is made of.
    pub origin: Origin,
    /// What it can read and write of what is kept.
    pub reach: Reach,
    /// What hooks said of it, or that only a person can answer it.
    pub hooked: Option<Box<Hooked>>,
    /// What a person is shown beside the arguments when asked: a difference, a size, a target.
    pub preview: Option<Preview>,
    /// The call that asked for this one, if a component did and not the model.
    pub parent: Option<CallId>,
}

/// What a call can read and write of what is kept, proven from imports and grant, whatever else
/// the component reaches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// Files of the workspace.
    pub reads_files: bool,
    /// The same, to change them.
    pub writes_files: bool,
    /// The component's own state, from one session to the next.
    pub keeps_state: bool,
    /// It calls tools of others, of which each is decided on by itself.
    pub calls_tools: bool,
}

/// What was said of a call before a rule decided on it, by hooks or by what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hooked {
    /// Only a person can answer it, so one is asked each time, whatever rules say. Who asks.
    Person(String),
    /// A person is to be asked, whatever rules say.
    Ask(HookWord),
    /// This is the result; the call does not run.
    Reply(HookWord),
}

/// Something an argument names that the call would reach.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Resource {
    /// What it is.
    pub kind: ResourceKind,
    /// Normalised: an absolute path without `..`, a URL as it would be sent.
    pub text: String,
    /// JSON pointer of the argument.
    pub argument: String,
    /// The tool's schema says what the argument is; otherwise it only looks like one.
    pub declared: bool,
}

/// What an argument names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResourceKind {
    /// A path as components see it: under `/shared`, `/tmp` or `/vault`.
    Path,
    /// A URL.
    Url,
    /// Somebody or something outside: a mail address, an account, a recipient.
    Address,
    /// Any other text.
    Text,
}

/// What a person is shown beside the arguments, made by the host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "preview", rename_all = "snake_case")]
pub enum Preview {
    /// What would change in files, as a unified difference.
    Difference {
        /// The text, at most 256 KiB; it says itself when something was left out.
        text: String,
        /// SHA-256 over all that would be written, so that what runs can be compared with it.
        digest: String,
    },
    /// What would be copied out of the vault.
    Copy {
        /// Path in the vault.
        source: String,
        /// Path it goes to.
        destination: String,
        /// Size in bytes.
        bytes: u64,
        /// SHA-256 of the bytes.
        digest: String,
    },
    /// Where something would be sent.
    Send {
        /// Host with its port.
        host: String,
        /// Bytes of the arguments, of which what is sent is made.
        bytes: u64,
    },
    /// The host could not find out; the text says why.
    Unknown {
        /// Why.
        reason: String,
    },
}

/// What a call gave back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToolOutput {
    /// What the model reads.
    pub content: Vec<Content>,
    /// The call failed or was refused.
    pub is_error: bool,
}

impl ToolOutput {
    /// An error the model reads.
    pub fn error(text: impl Into<String>) -> Self {
        Self { content: vec![Content::text(text)], is_error: true }
    }

    /// A success with text.
    pub fn text(text: impl Into<String>) -> Self {
        Self { content: vec![Content::text(text)], is_error: false }
    }

    /// Cuts text so that all of it together has at most `limit` characters, and says so, with
    /// how to read the rest. Characters, not bytes: a cut never falls inside one.
    pub fn truncated(mut self, limit: usize) -> Self {
        let mut left = limit;
        let mut cut = 0_usize;
        for content in &mut self.content {
            let text = match content {
                Content::Text { text } => text,
                Content::Json { json } => {
                    let text = json.to_string();
                    if text.chars().count() <= left {
                        left -= text.chars().count();
                        continue;
                    }
                    *content = Content::text(text);
                    match content {
                        Content::Text { text } => text,
                        _ => continue,
                    }
                }
                Content::Thinking { .. }
                | Content::ToolCall { .. }
                | Content::ToolResult { .. }
                | Content::Media { .. }
                | Content::Link { .. }
                | Content::Other { .. } => continue,
            };
            match text.char_indices().nth(left) {
                None => left -= text.chars().count(),
                Some((end, _)) => {
                    cut += text[end..].chars().count();
                    text.truncate(end);
                    left = 0;
                }
            }
        }
        if cut > 0 {
            self.content.push(Content::text(format!(
                "[{cut} more characters were left out; call again for a smaller part, for example with a line range, an offset or a narrower pattern]"
            )));
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, limit: usize, expect: &[&str]) {
        let output = ToolOutput::text(text).truncated(limit);
        let texts: Vec<_> = output
            .content
            .iter()
            .map(|content| match content {
                Content::Text { text } => text.as_str(),
                other => panic!("unexpected {other:?}"),
            })
            .collect();
        assert_eq!(texts, expect);
    }

    #[test]
    fn short_output_is_left_alone() {
        check("short", 5, &["short"]);
    }

    #[test]
    fn a_cut_says_how_to_read_the_rest() {
        check(
            "abcdef",
            4,
            &[
                "abcd",
                "[2 more characters were left out; call again for a smaller part, for example with a line range, an offset or a narrower pattern]",
            ],
        );
    }

    #[test]
    fn a_cut_never_falls_inside_a_character() {
        let output = ToolOutput::text("ééé").truncated(2);
        assert_eq!(output.content[0], Content::text("éé"));
    }
}
