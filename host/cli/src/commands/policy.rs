//! `hydroid policy check`: what would become of a call, decided by the very rules a session has,
//! with every rule that was looked at.

use crate::args::Check;
use crate::env::Environment;
use crate::exit::{Exit, usage};
use crate::load::Setting;
use crate::terminal::{self, indented, table};
use crate::wire::{self, Ground, SystemClock};
use anyhow::Result;
use hydroid_agent::session_policy;
use hydroid_core::config::did_you_mean;
use hydroid_core::entry::Entry;
use hydroid_core::harmless::{exact, harmless};
use hydroid_core::id::{CallId, ComponentId, TurnId};
use hydroid_core::message::{Label, Origin};
use hydroid_core::policy::resource::normal_path;
use hydroid_core::policy::{Decision, Policy, Ruling, Who, decide};
use hydroid_core::ports::{Approvals, Clock, Tools};
use hydroid_core::taint::Taint;
use hydroid_core::tool::{CheckedCall, Impact, ResourceKind, ToolCall, ToolOutput, ToolSpec};
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// Column of the second word of a line.
const LABEL: usize = 10;

/// Runs `policy check`.
pub(crate) async fn check(
    check: Check,
    environment: Arc<Environment>,
    settings: &[Setting],
) -> Result<Exit> {
    let ground = Ground::lay_to_look(environment, settings)?;
    let database = ground.database().await?;
    let catalog = ground.catalog(&database)?;
    let Typed { call, made_up } =
        typed_call(&catalog.specs(), &check.call, check.arguments.as_deref())?;
    let checked = catalog.check(&call).map_err(usage)?;
    let user = ground.user();
    let standing = wire::approvals(&database).standing(&user, SystemClock.now_ms()).await?;
    let who = Who { user, agent: hydroid_agent::MAIN_AGENT.to_owned(), channel: check.channel };
    let mode = check.mode.map_or(ground.config.policy.mode, Into::into);
    let policy = session_policy(&ground.config, &who, mode, &standing, &[]);
    let taint = if check.tainted || check.secret {
        Taint::of(&[something_read(check.secret)])
    } else {
        Taint::default()
    };
    let ruling = decide(&policy, &checked, taint.narrows(&checked).as_ref());
    if check.json {
        terminal::print_json(&as_json(&policy, &checked, &made_up, &ruling))?;
    } else {
        terminal::print(&as_text(&policy, &checked, &made_up, &ruling))?;
    }
    Ok(match ruling.decision {
        Decision::Allow => Exit::Done,
        Decision::Ask { .. } => Exit::Waiting,
        Decision::Deny { .. } => Exit::Denied,
    })
}

/// What a session has read that nobody vouches for, or that is secret too.
fn something_read(secret: bool) -> Entry {
    let label = Label::tool(ComponentId::new("some"), "some_tool", Origin::Unknown);
    Entry::CallFinished {
        turn: TurnId::new("earlier"),
        call_id: CallId::new("earlier"),
        output: ToolOutput::text("something"),
        label: Label { secret, ..label },
    }
}

fn as_text(policy: &Policy, call: &CheckedCall, made_up: &[String], ruling: &Ruling) -> String {
    let line = |label: &str, text: &str| format!("{label:<LABEL$}{}\n", indented(text, LABEL));
    let (decision, reason) = in_words(&ruling.decision);
    let mut text =
        line("call", &format!("{} {}", exact(&call.call.name), exact(&call.call.arguments)));
    if !made_up.is_empty() {
        text.push_str(&line("made up", &exact(&made_up.join(", "))));
    }
    text.push_str(&line("of", &exact(call.component.as_str())));
    for found in &call.resources {
        let kind = match found.kind {
            ResourceKind::Path => "path",
            ResourceKind::Url => "url",
            ResourceKind::Address => "address",
            ResourceKind::Text => continue,
        };
        text.push_str(&line("names", &format!("{kind} {}", exact(&found.text))));
    }
    if let Some(path) = out_of_reach(call) {
        text.push_str(&line("but", &outside(&path)));
    }
    text.push_str(&line("mode", policy.mode.id()));
    let rows: Vec<Vec<String>> = policy
        .rules
        .iter()
        .map(|rule| {
            let applies = if rule.applies(call) { "applies" } else { "does not apply" };
            vec![exact(&rule.to_string()), applies.to_owned()]
        })
        .collect();
    let rules = if rows.is_empty() { "none for this person\n".to_owned() } else { table(&rows) };
    text.push_str(&line("rules", rules.trim_end()));
    text.push_str(&line("decision", decision));
    text.push_str(&line("by", &harmless(&ruling.rule)));
    if let Some(reason) = reason {
        text.push_str(&line("because", &harmless(reason)));
    }
    text
}

fn as_json(policy: &Policy, call: &CheckedCall, made_up: &[String], ruling: &Ruling) -> Value {
    let (decision, reason) = in_words(&ruling.decision);
    let rules: Vec<Value> = policy
        .rules
        .iter()
        .map(|rule| json!({ "rule": rule.to_string(), "applies": rule.applies(call) }))
        .collect();
    json!({
        "tool": call.call.name,
        "arguments": serde_json::from_str::<Value>(&call.call.arguments).unwrap_or_default(),
        "made_up": made_up,
        "component": call.component,
        "impact": call.impact,
        "resources": call.resources,
        "out_of_reach": out_of_reach(call),
        "mode": policy.mode,
        "rules": rules,
        "decision": decision,
        "by": ruling.rule,
        "reason": reason,
    })
}

/// A path that no file tool opens, whatever is decided.
fn out_of_reach(call: &CheckedCall) -> Option<String> {
    let below = |path: &str, root: &str| {
        path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let vault = call.impact == Impact::Vault;
    call.resources
        .iter()
        .filter(|found| found.kind == ResourceKind::Path && found.declared)
        .map(|found| normal_path(&found.text))
        .find(|path| {
            let within = below(path, "/shared") || below(path, "/tmp");
            let item = vault && below(path, "/vault");
            !within && !item
        })
}

fn outside(path: &str) -> String {
    format!("`{}` is not under /shared or /tmp, so no file tool opens it", exact(path))
}

fn in_words(decision: &Decision) -> (&'static str, Option<&str>) {
    match decision {
        Decision::Allow => ("allow", None),
        Decision::Ask { reason } => ("ask", Some(reason)),
        Decision::Deny { reason } => ("deny", Some(reason)),
    }
}

/// A call that was typed, with the arguments that were not.
#[derive(Debug)]
struct Typed {
    call: ToolCall,
    made_up: Vec<String>,
}

/// What stands behind the name of a tool.
#[derive(Clone, Copy)]
enum Behind<'a> {
    Nothing,
    /// `tool words`
    Words(&'a str),
    /// `tool(text)` or `tool(argument=text)`, as in a rule.
    Parentheses(&'a str),
}

/// The call that was typed: with all its arguments, or in short with one of them.
fn typed_call(specs: &[ToolSpec], text: &str, arguments: Option<&str>) -> Result<Typed> {
    let (name, behind) = split(text.trim());
    let Some(spec) = specs.iter().find(|spec| spec.name == name) else {
        let known = || specs.iter().map(|spec| spec.name.as_str());
        let hint = did_you_mean(name, known());
        let known: Vec<&str> = known().collect();
        return Err(usage(format!(
            "no tool is called `{name}`{hint}; tools: {}",
            known.join(", ")
        )));
    };
    let (arguments, made_up) = match (arguments, behind) {
        (Some(json), Behind::Nothing) => (json.to_owned(), Vec::new()),
        (Some(_), Behind::Words(_) | Behind::Parentheses(_)) => {
            return Err(usage("give either `--arguments` or words after the tool, not both"));
        }
        (None, behind) => {
            let (arguments, made_up) = in_short(spec, behind)?;
            (Value::Object(arguments).to_string(), made_up)
        }
    };
    let call = ToolCall { id: CallId::new("check"), name: name.to_owned(), arguments };
    Ok(Typed { call, made_up })
}

fn split(text: &str) -> (&str, Behind<'_>) {
    if let Some((name, inside)) = text.strip_suffix(')').and_then(|text| text.split_once('('))
        && !name.contains(char::is_whitespace)
    {
        return (name, Behind::Parentheses(inside.trim()));
    }
    match text.split_once(char::is_whitespace) {
        Some((name, words)) => (name, Behind::Words(words.trim())),
        None => (text, Behind::Nothing),
    }
}

/// What was typed becomes the argument that says where the call goes; what else is required gets
/// some value that fits, and is named.
fn in_short(spec: &ToolSpec, behind: Behind<'_>) -> Result<(Map<String, Value>, Vec<String>)> {
    let schema = &spec.input_schema;
    let none = Map::new();
    let properties = schema.get("properties").and_then(Value::as_object).unwrap_or(&none);
    let required: Vec<&str> = schema
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let mut arguments = Map::new();
    let placed = match behind {
        Behind::Nothing => None,
        Behind::Words(words) => {
            let (name, target) = argument_for(spec, words, properties, &required)?;
            // A text has many words; the name of a place is one.
            if target && words.contains(char::is_whitespace) {
                return Err(usage(format!(
                    "`{words}` is more than the one word that becomes `{name}` of `{tool}`; write `{tool}({words})` if all of it is, or all arguments with `--arguments '{{…}}'`",
                    tool = spec.name
                )));
            }
            Some((name, words))
        }
        Behind::Parentheses(inside) if inside.contains('*') => {
            return Err(usage(format!(
                "`{}({inside})` stands for many calls; write one of them, without `*`",
                spec.name
            )));
        }
        Behind::Parentheses(inside) => {
            let named =
                inside.split_once('=').filter(|(name, _)| properties.contains_key(name.trim()));
            match named {
                Some((name, value)) => Some((name.trim(), value.trim())),
                None => Some((argument_for(spec, inside, properties, &required)?.0, inside)),
            }
        }
    };
    if let Some((name, text)) = placed {
        arguments.insert(name.to_owned(), Value::String(text.to_owned()));
    }
    let mut made_up = Vec::new();
    for name in required {
        if !arguments.contains_key(name) {
            let some = properties.get(name).map_or(Value::Null, some_value);
            arguments.insert(name.to_owned(), some);
            made_up.push(name.to_owned());
        }
    }
    Ok((arguments, made_up))
}

/// The argument that words are, and whether it names where the call goes.
fn argument_for<'a>(
    spec: &ToolSpec,
    words: &str,
    properties: &'a Map<String, Value>,
    required: &[&'a str],
) -> Result<(&'a str, bool)> {
    let names = || required.iter().copied().chain(properties.keys().map(String::as_str));
    let is_target = |name: &&str| {
        let format = properties.get(*name).and_then(|property| property.get("format"));
        matches!(
            format.and_then(Value::as_str),
            Some("path" | "uri" | "iri" | "url" | "email" | "idn-email" | "address")
        )
    };
    let is_text =
        |name: &&str| properties.get(*name).is_some_and(|property| property["type"] == "string");
    let target = names().find(is_target).map(|name| (name, true));
    let text = || required.iter().copied().find(is_text).map(|name| (name, false));
    target.or_else(text).ok_or_else(|| {
        usage(format!(
            "`{}` has no argument that `{words}` could be; write all of them with `--arguments`",
            spec.name
        ))
    })
}

/// A value that fits most schemas; one it does not fit names `--arguments` when it is checked.
fn some_value(schema: &Value) -> Value {
    let given = ["default", "const"].iter().find_map(|key| schema.get(*key).cloned());
    if let Some(value) = given.or_else(|| schema["enum"].get(0).cloned()) {
        return value;
    }
    match schema["type"].as_str() {
        Some("integer" | "number") => schema.get("minimum").cloned().unwrap_or_else(|| json!(1)),
        Some("boolean") => json!(false),
        Some("array") => json!([]),
        Some("object") => json!({}),
        Some("null") => Value::Null,
        Some(_) | None => json!("x"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tool(input_schema: Value) -> Vec<ToolSpec> {
        vec![ToolSpec {
            name: "move".into(),
            title: None,
            description: String::new(),
            input_schema,
            component: ComponentId::new("some"),
            impact: Impact::Edits,
            claims_read_only: false,
            about_skills: false,
        }]
    }

    #[track_caller]
    fn check(schema: Value, text: &str, expect: Value, made_up: &[&str]) {
        let typed = typed_call(&tool(schema), text, None).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&typed.call.arguments).unwrap(), expect);
        assert_eq!(typed.made_up, made_up);
    }

    #[test]
    fn words_are_where_the_call_goes_and_the_rest_fits() {
        check(
            json!({"required": ["text", "path", "count", "how", "deep"], "properties": {
                "text": {"type": "string"}, "path": {"type": "string", "format": "path"},
                "count": {"type": "integer", "minimum": 3}, "how": {"enum": ["a", "b"]},
                "deep": {"type": "boolean"}, "other": {"type": "string"},
            }}),
            "move  /shared/a ",
            json!({"text": "x", "path": "/shared/a", "count": 3, "how": "a", "deep": false}),
            &["text", "count", "how", "deep"],
        );
        check(
            json!({"required": ["n", "query"], "properties": {
                "n": {"type": "integer"}, "query": {"type": "string"}}}),
            "move hello there",
            json!({"n": 1, "query": "hello there"}),
            &["n"],
        );
        check(json!({}), "move", json!({}), &[]);
    }

    #[test]
    fn the_form_of_a_rule_is_one_call() {
        let schema = || {
            json!({"required": ["path", "text"], "properties": {
                "path": {"type": "string", "format": "path"}, "text": {"type": "string"},
                "to": {"type": "string"}}})
        };
        check(
            schema(),
            "move(/shared/a b)",
            json!({"path": "/shared/a b", "text": "x"}),
            &["text"],
        );
        let named = json!({"path": "x", "text": "x", "to": "me"});
        check(schema(), "move(to=me)", named, &["path", "text"]);
        let unnamed = json!({"path": "/a=b", "text": "x"});
        check(schema(), "move(/a=b)", unnamed, &["text"]);
    }

    #[test]
    fn what_cannot_be_a_call_is_refused() {
        let specs = tool(json!({}));
        let refused = |text: &str, arguments: Option<&str>, expect: &str| {
            let error = typed_call(&specs, text, arguments).unwrap_err().to_string();
            assert!(error.contains(expect), "{error}");
        };
        refused("mvoe", None, "did you mean `move`");
        refused("move x", None, "--arguments");
        refused("move x", Some("{}"), "not both");
        refused("move(x)", Some("{}"), "not both");
        refused("move(/shared/**)", None, "many calls");
        let schema = json!({"properties": {"path": {"type": "string", "format": "path"}}});
        let error = typed_call(&tool(schema), "move /shared/a hello", None).unwrap_err();
        assert!(error.to_string().contains("write `move(/shared/a hello)`"), "{error}");
    }
}
