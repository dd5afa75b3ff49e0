//! From a command to a call of an offered tool, by the tool's name and its JSON Schema.
//!
//! Not a validator: the host checks the arguments against the schema.

use hydroid_component::provider::ToolDefinition;
use serde_json::{Map, Value, json};

use crate::grammar::Command;

/// A call that can be made.
#[derive(Clone, Debug, PartialEq)]
pub struct Planned {
    pub tool: String,
    pub arguments: String,
    /// Changes nothing, so it may run beside others.
    pub read_only: bool,
}

/// One argument: the names it may have in a schema, and its value.
struct Slot {
    names: &'static [&'static str],
    value: Value,
    needed: bool,
}

fn needed(names: &'static [&'static str], value: impl Into<Value>) -> Slot {
    Slot { names, value: value.into(), needed: true }
}

fn wanted(names: &'static [&'static str], value: Option<Value>) -> Option<Slot> {
    value.map(|value| Slot { names, value, needed: false })
}

const PATH: &[&str] = &["path", "file", "file_path", "filename"];
const DIRECTORY: &[&str] = &["path", "directory", "dir", "folder", "root"];
/// Deeper than any directory tree people make by hand.
const ALL_LEVELS: u32 = 64;
const TEXT: &[&str] = &["content", "text", "contents", "data"];
const PATTERN: &[&str] = &["pattern", "query", "text", "regex"];

/// The first call a command needs; none if it needs no tool.
/// The error is a sentence for the user that says which tool is missing.
pub fn call_for(command: &Command, offered: &[ToolDefinition]) -> Result<Option<Planned>, String> {
    let read_only = |name, slots: Vec<Slot>| build(offered, name, slots, true).map(Some);
    let changing = |name, slots: Vec<Slot>| build(offered, name, slots, false).map(Some);
    match command {
        Command::List { directory, recursive } => {
            list(offered, directory.as_deref(), *recursive).map(Some)
        }
        Command::Read { file } | Command::Summarise { file, .. } => {
            read_only("file_read", vec![needed(PATH, file.as_str())])
        }
        Command::Write { file, text } => write(offered, file, text).map(Some),
        Command::Append { file, text } => append(offered, file, text).map(Some),
        Command::Replace { old, new, file } => edit(offered, old, new, file).map(Some),
        Command::Delete { file } => changing("file_delete", vec![needed(PATH, file.as_str())]),
        Command::Search { text, directory } => {
            let path = wanted(DIRECTORY, directory.clone().map(Value::from));
            let literal = wanted(&["literal", "fixed"], Some(json!(true)));
            let slots = path.into_iter().chain(literal).chain([needed(PATTERN, text.as_str())]);
            read_only("file_search", slots.collect())
        }
        Command::Fetch { url } => {
            read_only("web_fetch", vec![needed(&["url", "uri"], url.as_str())])
        }
        Command::Time { zone } => {
            let zone =
                wanted(&["zone", "timezone", "time_zone", "tz"], zone.clone().map(Value::from));
            let slots = zone.into_iter().map(|slot| Slot { needed: true, ..slot });
            read_only("time_now", slots.collect())
        }
        Command::Query { filter, json } => {
            let document = needed(&["json", "input", "data", "document", "value"], json.as_str());
            let filter =
                needed(&["filter", "query", "expression", "jq", "jsonpath"], filter.as_str());
            read_only("json_query", vec![filter, document])
        }
        Command::Remember { text } if offers(offered, "memory_save") => {
            changing("memory_save", vec![needed(&["text", "note", "content"], text.as_str())])
        }
        Command::Recall { about } if offers(offered, "memory_search") => {
            let about = about.as_deref().unwrap_or("*");
            read_only("memory_search", vec![needed(&["query", "text", "about"], about)])
        }
        Command::Call { tool, arguments } => {
            find(offered, tool)?;
            let (tool, arguments) = (tool.clone(), arguments.clone());
            Ok(Some(Planned { tool, arguments, read_only: false }))
        }
        Command::Remember { .. }
        | Command::Recall { .. }
        | Command::SummariseConversation
        | Command::Think { .. }
        | Command::Say { .. }
        | Command::Help
        | Command::Greet
        | Command::Incomplete { .. }
        | Command::Unknown { .. } => Ok(None),
    }
}

fn list(
    offered: &[ToolDefinition],
    directory: Option<&str>,
    recursive: bool,
) -> Result<Planned, String> {
    let schema = find(offered, "file_list")?.schema;
    let mut slots: Vec<Slot> =
        directory.map(|directory| needed(DIRECTORY, directory)).into_iter().collect();
    if recursive && schema.properties.contains_key("depth") {
        slots.push(needed(&["depth"], ALL_LEVELS));
    } else if recursive {
        slots.push(needed(&["recursive", "recursively"], true));
    }
    build(offered, "file_list", slots, true)
}

/// Replaces a file as a whole.
pub fn write(offered: &[ToolDefinition], file: &str, text: &str) -> Result<Planned, String> {
    let schema = find(offered, "file_write")?.schema;
    let mode = choice(&schema, &["mode"], &["replace", "overwrite", "write"]);
    let slots = vec![needed(PATH, file), needed(TEXT, text)];
    build(offered, "file_write", slots.into_iter().chain(mode).collect(), false)
}

fn append(offered: &[ToolDefinition], file: &str, text: &str) -> Result<Planned, String> {
    let slots = || vec![needed(PATH, file), needed(TEXT, text)];
    if offers(offered, "file_append") {
        return build(offered, "file_append", slots(), false);
    }
    let schema = find(offered, "file_write")?.schema;
    let switch = choice(&schema, &["mode"], &["append"])
        .or_else(|| schema.properties.contains_key("append").then(|| needed(&["append"], true)));
    let switch = switch
        .ok_or("the offered tool `file_write` cannot append; use `replace A with B in FILE`")?;
    build(offered, "file_write", slots().into_iter().chain([switch]).collect(), false)
}

fn edit(offered: &[ToolDefinition], old: &str, new: &str, file: &str) -> Result<Planned, String> {
    const OLD: &[&str] = &["old", "old_text", "old_string", "find", "search", "from"];
    const NEW: &[&str] = &["new", "new_text", "new_string", "replace", "replacement", "with", "to"];
    let schema = find(offered, "file_edit")?.schema;
    let everywhere = wanted(&["replace_all", "all"], Some(json!(true)));
    let change = [needed(OLD, old), needed(NEW, new)].into_iter().chain(everywhere).collect();
    let mut slots = match schema.item_of("edits") {
        Some(item) => vec![needed(&["edits"], json!([item.fill("file_edit", change)?]))],
        None => change,
    };
    slots.push(needed(PATH, file));
    build(offered, "file_edit", slots, false)
}

fn offers(offered: &[ToolDefinition], name: &str) -> bool {
    offered.iter().any(|tool| tool.name == name)
}

struct Found {
    schema: Schema,
}

fn find(offered: &[ToolDefinition], name: &str) -> Result<Found, String> {
    let Some(tool) = offered.iter().find(|tool| tool.name == name) else {
        let mut names: Vec<&str> = offered.iter().map(|tool| tool.name.as_str()).collect();
        names.sort_unstable();
        return Err(if names.is_empty() {
            format!("I would need the tool `{name}`, but no tools are offered to me")
        } else {
            format!(
                "I would need the tool `{name}`, which is not offered to me; I have: {}",
                names.join(", ")
            )
        });
    };
    let root = serde_json::from_str(&tool.input_schema)
        .map_err(|error| format!("the schema of the tool `{name}` is not JSON: {error}"))?;
    Ok(Found { schema: Schema::new(root, None) })
}

fn build(
    offered: &[ToolDefinition],
    name: &str,
    slots: Vec<Slot>,
    read_only: bool,
) -> Result<Planned, String> {
    let arguments = find(offered, name)?.schema.fill(name, slots)?;
    Ok(Planned {
        tool: name.to_owned(),
        arguments: Value::Object(arguments).to_string(),
        read_only,
    })
}

/// A slot for the first of `names` whose enumeration has one of `values`.
fn choice(schema: &Schema, names: &'static [&'static str], values: &[&str]) -> Option<Slot> {
    let name = names.iter().find(|name| schema.properties.contains_key(**name))?;
    let offered = schema.choices(name);
    let value = values.iter().find(|value| offered.iter().any(|offered| offered == *value))?;
    Some(needed(names, *value))
}

/// The little of JSON Schema that is needed to name arguments.
struct Schema {
    root: Value,
    properties: Map<String, Value>,
}

impl Schema {
    /// `root` holds the definitions, `node` the object described; the root itself if absent.
    fn new(root: Value, node: Option<&Value>) -> Self {
        let node = node.unwrap_or(&root);
        let properties =
            node.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
        Self { root, properties }
    }

    fn fill(&self, tool: &str, slots: Vec<Slot>) -> Result<Map<String, Value>, String> {
        let mut arguments = Map::new();
        for slot in slots {
            let free = |name: &&&str| {
                self.properties.contains_key(**name) && !arguments.contains_key(**name)
            };
            match slot.names.iter().find(free) {
                Some(name) => {
                    let value = self.fit(name, slot.value);
                    arguments.insert((*name).to_owned(), value);
                }
                None if slot.needed => {
                    return Err(format!(
                        "the offered tool `{tool}` has no argument I know for this (looked for {}); say `call {tool} {{json}}`",
                        slot.names.join(", ")
                    ));
                }
                None => {}
            }
        }
        Ok(arguments)
    }

    /// A JSON text becomes the value it stands for where the schema does not want a string.
    fn fit(&self, name: &str, value: Value) -> Value {
        let types =
            self.resolve(&self.properties[name]).get("type").cloned().unwrap_or(json!("string"));
        let takes_text = types == "string"
            || types.as_array().is_some_and(|types| types.contains(&json!("string")));
        match &value {
            Value::String(text) if !takes_text => serde_json::from_str(text).unwrap_or(value),
            _ => value,
        }
    }

    /// The item of an array of objects.
    fn item_of(&self, property: &str) -> Option<Schema> {
        let items = self.resolve(self.properties.get(property)?).get("items")?;
        let item = self.resolve(items).clone();
        Some(Schema::new(self.root.clone(), Some(&item)))
    }

    /// The texts a property may be.
    fn choices(&self, property: &str) -> Vec<String> {
        let Some(property) = self.properties.get(property) else { return Vec::new() };
        let mut found = Vec::new();
        let mut open = vec![self.resolve(property)];
        while let Some(node) = open.pop() {
            found.extend(node.get("const").and_then(Value::as_str).map(str::to_owned));
            let listed = node.get("enum").and_then(Value::as_array).into_iter().flatten();
            found.extend(listed.filter_map(Value::as_str).map(str::to_owned));
            // One level of alternatives is what derived schemas have; `$ref` cycles end here.
            if std::ptr::eq(node, self.resolve(property)) {
                for key in ["oneOf", "anyOf"] {
                    let inner = node.get(key).and_then(Value::as_array).into_iter().flatten();
                    open.extend(inner.map(|inner| self.resolve(inner)));
                }
            }
        }
        found
    }

    fn resolve<'a>(&'a self, node: &'a Value) -> &'a Value {
        node.get("$ref")
            .and_then(Value::as_str)
            .and_then(|reference| self.root.pointer(reference.strip_prefix('#')?))
            .unwrap_or(node)
    }
}

#[cfg(test)]
mod tests;
