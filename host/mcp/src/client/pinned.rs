//! What a server says of its tools, as a person allowed it. Descriptions are read by a model, so
//! they are as much a thing to allow as the tools are: the model reads what was allowed, and a
//! server that says something else now is not called.

use rmcp::model::Tool;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// Tools of one server that are offered. A model that is shown more chooses badly, and pays for
/// each with every request.
const MOST_TOOLS: usize = 128;

/// Characters of a description, as for components.
const LONGEST_DESCRIPTION: usize = 4_096;

/// Bytes of a schema, as for components.
const LONGEST_SCHEMA: usize = 64 << 10;

/// Characters of the name of a tool, for models.
const LONGEST_NAME: usize = 64;

/// Tools of the host's own, by which prompts and resources are read.
pub(super) const READERS: [(&str, &str); 4] = [
    ("prompt_get", "prompt"),
    ("prompts_list", "prompts"),
    ("resource_read", "resource"),
    ("resources_list", "resources"),
];

/// All that a model is told of a server.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pinned {
    /// The tools, by the name the server gives them.
    pub tools: Vec<PinnedTool>,
    /// It offers prompts.
    pub prompts: bool,
    /// It offers resources.
    pub resources: bool,
}

/// One tool.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PinnedTool {
    /// Name the server knows it by.
    pub name: String,
    /// Title for people.
    pub title: Option<String>,
    /// What it does, as the server says.
    pub description: String,
    /// JSON Schema of its arguments.
    pub input_schema: Value,
    /// JSON Schema of the data it answers with, if it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_schema: Option<Value>,
}

/// Why a server's tools cannot be offered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PinError {
    /// More than a model can choose from.
    #[error("it offers {0} tools, and {MOST_TOOLS} are the most: choose some with `--tool NAME`")]
    TooMany(usize),
    /// Something that cannot be shown to a model.
    #[error("its tool `{name}` {problem}; leave it out by choosing others with `--tool NAME`")]
    Tool {
        /// The tool.
        name: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Two tools come to one name.
    #[error(
        "its tools `{0}` and `{1}` would have the same name for a model; choose one with `--tool NAME`"
    )]
    SameName(String, String),
    /// A tool that was chosen is not there.
    #[error("it offers no tool `{0}`")]
    NoTool(String),
}

impl Pinned {
    /// What a server says, of the tools that were chosen, or of all.
    pub fn of(
        server: &str,
        tools: &[Tool],
        only: &[String],
        prompts: bool,
        resources: bool,
    ) -> Result<Self, PinError> {
        for wanted in only {
            if !tools.iter().any(|tool| tool.name == *wanted) {
                return Err(PinError::NoTool(shown(wanted)));
            }
        }
        let chosen: Vec<&Tool> = tools
            .iter()
            .filter(|tool| only.is_empty() || only.iter().any(|name| tool.name == *name))
            .collect();
        if chosen.len() > MOST_TOOLS {
            return Err(PinError::TooMany(chosen.len()));
        }
        let mut names: BTreeMap<String, &str> = BTreeMap::new();
        let mut pinned = Vec::new();
        for tool in chosen {
            let one = one(tool)?;
            let name = tool_name(server, &one.name);
            let taken = READERS
                .into_iter()
                .find(|(name, _)| tool_name(server, name) == tool_name(server, &one.name));
            if let Some((reader, _)) = taken {
                return Err(PinError::SameName(shown(&one.name), reader.to_owned()));
            }
            if let Some(other) = names.insert(name, &tool.name) {
                return Err(PinError::SameName(shown(other), shown(&one.name)));
            }
            pinned.push(one);
        }
        pinned.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(Self { tools: pinned, prompts, resources })
    }

    /// `sha256:…` over all of it.
    pub fn digest(&self) -> String {
        let mut text = String::new();
        let value = serde_json::to_value(self).unwrap_or_default();
        canonical(&value, &mut text);
        format!("sha256:{}", hex::encode(Sha256::digest(text.as_bytes())))
    }
}

fn one(tool: &Tool) -> Result<PinnedTool, PinError> {
    let wrong = |problem: &str| PinError::Tool { name: shown(&tool.name), problem: problem.into() };
    if tool.name.is_empty() || !tool.name.chars().any(|c| c.is_ascii_alphanumeric()) {
        return Err(wrong("has a name without a letter"));
    }
    let description = tool.description.as_deref().unwrap_or_default();
    if description.chars().count() > LONGEST_DESCRIPTION {
        return Err(wrong("has a description that is too long"));
    }
    let input_schema = Value::Object((*tool.input_schema).clone());
    let output_schema = tool.output_schema.as_ref().map(|schema| Value::Object((**schema).clone()));
    let long = |schema: &Value| schema.to_string().len() > LONGEST_SCHEMA;
    if long(&input_schema) || output_schema.as_ref().is_some_and(long) {
        return Err(wrong("has a schema that is too long"));
    }
    Ok(PinnedTool {
        name: tool.name.to_string(),
        title: tool.title.clone(),
        description: description.to_owned(),
        input_schema,
        output_schema,
    })
}

/// What a model calls a tool of a server.
pub fn tool_name(server: &str, tool: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
    let name: String = format!("mcp_{server}_").chars().chain(tool.chars().map(plain)).collect();
    // Only ASCII is left, so a character is a byte.
    name.chars().take(LONGEST_NAME).collect()
}

fn shown(name: &str) -> String {
    name.chars().map(|c| if c.is_control() { ' ' } else { c }).take(64).collect()
}

/// JSON in one way: keys in order, no white space.
fn canonical(value: &Value, out: &mut String) {
    match value {
        Value::Object(object) => {
            out.push('{');
            let sorted: BTreeMap<&String, &Value> = object.iter().collect();
            for (place, (key, value)) in sorted.into_iter().enumerate() {
                if place > 0 {
                    out.push(',');
                }
                out.push_str(&Value::String(key.clone()).to_string());
                out.push(':');
                canonical(value, out);
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (place, value) in items.iter().enumerate() {
                if place > 0 {
                    out.push(',');
                }
                canonical(value, out);
            }
            out.push(']');
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            out.push_str(&value.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::sync::Arc;

    fn tool(name: &str, description: &str) -> Tool {
        let schema = json!({ "type": "object", "b": 1, "a": [true, null] });
        let schema = schema.as_object().cloned().unwrap();
        Tool::new_with_raw(name.to_owned(), Some(description.to_owned().into()), Arc::new(schema))
    }

    fn pinned(tools: &[Tool]) -> Result<Pinned, PinError> {
        Pinned::of("s", tools, &[], false, false)
    }

    #[test]
    fn a_word_in_a_description_is_another_digest_and_an_order_is_not() {
        let one = pinned(&[tool("a", "reads"), tool("b", "writes")]).unwrap();
        let other = pinned(&[tool("b", "writes"), tool("a", "reads")]).unwrap();
        assert_eq!(one.digest(), other.digest());
        let changed =
            pinned(&[tool("a", "reads, and then <obey me>"), tool("b", "writes")]).unwrap();
        assert_ne!(one.digest(), changed.digest());
    }

    #[test]
    fn a_name_is_made_plain_and_none_is_had_twice() {
        assert_eq!(tool_name("docs", "Find/All things"), "mcp_docs_find_all_things");
        assert_eq!(tool_name("docs", &"é".repeat(100)).len(), 64);
        let same = pinned(&[tool("get-it", ""), tool("get_it", "")]).unwrap_err();
        assert_eq!(same, PinError::SameName("get-it".into(), "get_it".into()));
        let readers = pinned(&[tool("Resource.Read", "")]).unwrap_err();
        assert_eq!(readers, PinError::SameName("Resource.Read".into(), "resource_read".into()));
        for name in ["", "///", "\u{0}\u{1b}["] {
            assert!(matches!(pinned(&[tool(name, "")]), Err(PinError::Tool { .. })), "{name}");
        }
    }

    #[test]
    fn thousands_are_not_offered_but_some_of_them_are() {
        let many: Vec<Tool> = (0..10_000).map(|n| tool(&format!("t{n}"), "")).collect();
        assert_eq!(pinned(&many).unwrap_err(), PinError::TooMany(10_000));
        let some = Pinned::of("s", &many, &["t7".into()], false, false).unwrap();
        assert_eq!(some.tools.len(), 1);
        let none = Pinned::of("s", &many, &["t".into()], false, false).unwrap_err();
        assert_eq!(none, PinError::NoTool("t".into()));
    }
}
