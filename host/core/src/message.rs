//! Messages and their parts: the stored form of a conversation. Every part says where it came
//! from. The JSON shape is a boundary and is held by golden tests.

use crate::id::{CallId, ComponentId};
use crate::tool::ToolCall;
use base64::Engine as _;
use serde::{Deserialize, Serialize};

/// One message of a conversation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said, in order.
    pub parts: Vec<Part>,
}

/// Who speaks in a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The operator's instructions.
    System,
    /// The person.
    User,
    /// The model.
    Assistant,
    /// Results of tool calls.
    Tool,
}

/// One piece of a message with its origin.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// The content.
    #[serde(flatten)]
    pub content: Content,
    /// Where it came from and how far it is trusted.
    pub label: Label,
}

/// The content of a part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Content {
    /// Plain or Markdown text.
    Text {
        /// The text.
        text: String,
    },
    /// The model's thinking.
    Thinking {
        /// Readable text, possibly empty.
        text: String,
        /// Signature or encrypted form that the provider wants back verbatim.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        opaque: Option<Bytes>,
    },
    /// A tool call the model asked for.
    ToolCall {
        /// The call.
        call: ToolCall,
    },
    /// The result of a tool call.
    ToolResult {
        /// The call it answers.
        call_id: CallId,
        /// What the model reads.
        content: Vec<Content>,
        /// The call failed or was refused.
        is_error: bool,
    },
    /// Inline bytes.
    Media {
        /// IANA media type.
        media_type: String,
        /// The bytes.
        data: Bytes,
        /// File name to show.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
    },
    /// A JSON value.
    Json {
        /// The value.
        json: serde_json::Value,
    },
    /// A reference.
    Link {
        /// Absolute URI.
        uri: String,
        /// Title to show.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        title: Option<String>,
        /// IANA media type.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        media_type: Option<String>,
    },
    /// A value of a kind this version does not name.
    Other {
        /// Namespaced kind.
        kind: String,
        /// JSON text.
        json: String,
    },
}

/// Bytes, stored as base64.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bytes(pub Vec<u8>);

/// Where a part came from and how far it is trusted. The host sets it; no component can.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Label {
    /// Where it came from.
    pub source: Source,
    /// Whether it may be taken as the person's will.
    pub trust: Trust,
    /// Something secret was in it; what was recognised is masked.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub secret: bool,
}

/// Where a part came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "from", rename_all = "snake_case")]
pub enum Source {
    /// The person at a client.
    User,
    /// The host itself.
    Host,
    /// A model.
    Model {
        /// The provider component.
        provider: ComponentId,
        /// The model.
        model: String,
    },
    /// A tool.
    Tool {
        /// The component that ran.
        component: ComponentId,
        /// The tool.
        tool: String,
        /// What the result is made of.
        #[serde(default)]
        of: Origin,
    },
    /// A file the person handed over.
    File {
        /// Its name, without a directory.
        name: String,
    },
    /// A summary of what was said before in the session.
    Summary,
    /// A person at an outside service.
    Channel {
        /// The channel component.
        channel: ComponentId,
        /// Who sent it, as the service calls them.
        sender: String,
    },
}

/// What a tool's result is made of, as its imports and arguments tell.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "of", rename_all = "snake_case")]
pub enum Origin {
    /// Nothing but its arguments, by code that came with the release.
    Computed,
    /// A file of the workspace; the path when the arguments name just one.
    File {
        /// Path as components see it.
        path: Option<String>,
    },
    /// The person's notes and past sessions.
    Memory,
    /// A skill that the person keeps, by code that came with the release.
    Skill,
    /// Another machine; its name when the arguments name just one.
    Host {
        /// Name of the host.
        host: Option<String>,
    },
    /// Something the host cannot tell.
    #[default]
    Unknown,
}

/// Whether a part may be taken as the person's will.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trust {
    /// Said by the person or the host.
    Trusted,
    /// Data: it informs, it does not give orders.
    Untrusted,
}

/// Tokens used, as the service counts them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Input tokens, cached ones included.
    pub input: u64,
    /// Output tokens, reasoning included.
    pub output: u64,
    /// Input tokens read from a cache.
    #[serde(default)]
    pub cache_read: u64,
    /// Input tokens written to a cache.
    #[serde(default)]
    pub cache_write: u64,
    /// Output tokens spent on reasoning.
    #[serde(default)]
    pub reasoning: u64,
}

/// Why an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// The model had finished.
    EndTurn,
    /// The output limit was reached.
    MaxTokens,
    /// Tools are to be run.
    ToolUse,
    /// A stop text appeared.
    StopSequence,
    /// The model or the service declined.
    Refusal,
    /// The service failed in the middle.
    Error,
    /// Anything else.
    Other,
}

impl Label {
    /// Said by the person.
    pub fn user() -> Self {
        Self::trusted(Source::User)
    }

    /// Written by the host.
    pub fn host() -> Self {
        Self::trusted(Source::Host)
    }

    /// Returned by a tool: data, never orders. What came of nothing but its arguments brings
    /// nothing in and is as trusted as they were; a skill is there because the person wants it
    /// followed.
    pub fn tool(component: ComponentId, tool: impl Into<String>, of: Origin) -> Self {
        let trusted = matches!(of, Origin::Computed | Origin::Skill);
        let source = Source::Tool { component, tool: tool.into(), of };
        if trusted { Self::trusted(source) } else { Self::untrusted(source) }
    }

    /// A file the person handed over: they chose it, but did not write every word of it.
    pub fn file(name: impl Into<String>) -> Self {
        Self::untrusted(Source::File { name: name.into() })
    }

    /// A summary of what was said before: made of what nobody vouches for.
    pub fn summary() -> Self {
        Self::untrusted(Source::Summary)
    }

    /// Found in the person's notes, files and past sessions, beside a message of theirs. What
    /// they wrote themselves brings nothing in; the rest may be made of anything.
    pub fn recalled(own: bool) -> Self {
        let source = Source::Tool {
            component: ComponentId::new("memory"),
            tool: "recall".to_owned(),
            of: Origin::Memory,
        };
        if own { Self::trusted(source) } else { Self::untrusted(source) }
    }

    fn trusted(source: Source) -> Self {
        Self { source, trust: Trust::Trusted, secret: false }
    }

    fn untrusted(source: Source) -> Self {
        Self { source, trust: Trust::Untrusted, secret: false }
    }

    /// Produced by a model.
    pub fn model(provider: ComponentId, model: impl Into<String>) -> Self {
        Self::untrusted(Source::Model { provider, model: model.into() })
    }
}

impl Content {
    /// Text content.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text { text: text.into() }
    }
}

impl Part {
    /// A part with its label.
    pub fn new(content: Content, label: Label) -> Self {
        Self { content, label }
    }
}

impl Message {
    /// A message of the person.
    pub fn user(text: impl Into<String>) -> Self {
        Self { role: Role::User, parts: vec![Part::new(Content::text(text), Label::user())] }
    }

    /// All text parts, joined by nothing.
    pub fn text(&self) -> String {
        self.parts
            .iter()
            .filter_map(|part| match &part.content {
                Content::Text { text } => Some(text.as_str()),
                Content::Thinking { .. }
                | Content::ToolCall { .. }
                | Content::ToolResult { .. }
                | Content::Media { .. }
                | Content::Json { .. }
                | Content::Link { .. }
                | Content::Other { .. } => None,
            })
            .collect()
    }
}

impl Usage {
    /// Input and output together.
    pub fn total(&self) -> u64 {
        self.input.saturating_add(self.output)
    }
}

impl std::ops::AddAssign for Usage {
    fn add_assign(&mut self, other: Self) {
        self.input = self.input.saturating_add(other.input);
        self.output = self.output.saturating_add(other.output);
        self.cache_read = self.cache_read.saturating_add(other.cache_read);
        self.cache_write = self.cache_write.saturating_add(other.cache_write);
        self.reasoning = self.reasoning.saturating_add(other.reasoning);
    }
}

impl Serialize for Bytes {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&base64::engine::general_purpose::STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        base64::engine::general_purpose::STANDARD
            .decode(text)
            .map(Self)
            .map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(part: Part, json: &str) {
        assert_eq!(serde_json::to_string(&part).unwrap(), json);
        assert_eq!(serde_json::from_str::<Part>(json).unwrap(), part);
    }

    #[test]
    fn text_is_stored_in_this_shape() {
        check(
            Part::new(Content::text("hi"), Label::user()),
            r#"{"type":"text","text":"hi","label":{"source":{"from":"user"},"trust":"trusted"}}"#,
        );
    }

    #[test]
    fn tool_result_is_stored_in_this_shape() {
        check(
            Part::new(
                Content::ToolResult {
                    call_id: CallId::new("c1"),
                    content: vec![Content::text("ok")],
                    is_error: false,
                },
                Label::tool(
                    ComponentId::new("tool-web"),
                    "web_fetch",
                    Origin::Host { host: Some("example.com".into()) },
                ),
            ),
            r#"{"type":"tool_result","call_id":"c1","content":[{"type":"text","text":"ok"}],"is_error":false,"label":{"source":{"from":"tool","component":"tool-web","tool":"web_fetch","of":{"of":"host","host":"example.com"}},"trust":"untrusted"}}"#,
        );
    }

    #[test]
    fn a_label_of_an_older_journal_is_still_read() {
        let label: Label = serde_json::from_str(
            r#"{"source":{"from":"tool","component":"tool-time","tool":"time_now"},"trust":"untrusted"}"#,
        )
        .unwrap();
        assert_eq!(label, Label::tool(ComponentId::new("tool-time"), "time_now", Origin::Unknown));
    }

    #[test]
    fn bytes_are_stored_as_base64() {
        check(
            Part::new(
                Content::Media {
                    media_type: "image/png".into(),
                    data: Bytes(vec![0, 255]),
                    name: None,
                },
                Label::user(),
            ),
            r#"{"type":"media","media_type":"image/png","data":"AP8=","label":{"source":{"from":"user"},"trust":"trusted"}}"#,
        );
    }
}
