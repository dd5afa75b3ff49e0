//! The forms in which models write calls into their text, and how each is read.
//!
//! No state: a form is found in a text, or it is not, or the text is too short to tell.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;
use serde_json::value::RawValue;

use super::Tools;

/// One way to write calls.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Form {
    /// What begins it.
    pub(super) opener: &'static str,
    /// What ends it; a form without goes to the end of the answer.
    closer: Option<&'static str>,
}

impl Form {
    /// Fenced JSON, which is a call only at the end of an answer.
    pub(super) fn is_fence(&self) -> bool {
        self.opener == FENCE
    }
}

const FENCE: &str = "```";

/// Hermes and Qwen, Qwen's coders and Llama, MiniMax, Mistral, Llama's own tag, and JSON in a
/// fence.
static FORMS: [Form; 9] = [
    Form { opener: "<tool_call>", closer: Some("</tool_call>") },
    Form { opener: "<function=", closer: Some("</function>") },
    Form { opener: "<function_call>", closer: Some("</function_call>") },
    Form { opener: "<function_calls>", closer: Some("</function_calls>") },
    Form { opener: "<minimax:tool_call>", closer: Some("</minimax:tool_call>") },
    Form { opener: "<invoke name=", closer: Some("</invoke>") },
    Form { opener: "[TOOL_CALLS]", closer: None },
    Form { opener: "<|python_tag|>", closer: None },
    Form { opener: FENCE, closer: Some(FENCE) },
];

/// JSON and nothing else.
pub(super) static BARE: Form = Form { opener: "", closer: None };

/// A call as it was written.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) name: String,
    pub(super) arguments: String,
}

/// What a text that begins with a form's opener is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Calls, which end at this byte.
    Calls { calls: Vec<Call>, end: usize },
    /// It may become calls; up to here no end was found.
    Unfinished { searched: usize },
    /// No call of a tool that was offered.
    Nothing,
}

/// Whether JSON may be a call, by its first key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Likely {
    Yes,
    Maybe,
    No,
}

/// The first form in a text.
pub(super) fn first(text: &str, any: bool) -> Option<(usize, &'static Form)> {
    if !any {
        return None;
    }
    FORMS.iter().filter_map(|form| Some((text.find(form.opener)?, form))).min_by_key(|(at, _)| *at)
}

/// Bytes at the end of a text that may be the beginning of an opener.
pub(super) fn unfinished(text: &str, any: bool) -> usize {
    if !any {
        return 0;
    }
    FORMS.iter().map(|form| overlap(text, form.opener)).max().unwrap_or(0)
}

/// Bytes of the longest end of `text` that is a beginning of `marker`, not the whole of it.
pub(super) fn overlap(text: &str, marker: &str) -> usize {
    // Markers are ASCII, so each of their beginnings is a text.
    let longest = (marker.len() - 1).min(text.len());
    (1..=longest).rev().find(|length| text.ends_with(&marker[..*length])).unwrap_or(0)
}

/// Reads a text that begins with `form`. `over` says that no more will come.
pub(super) fn read(
    form: &'static Form,
    text: &str,
    searched: usize,
    over: bool,
    tools: &Tools,
) -> Found {
    let Some(closer) = form.closer else {
        return match over {
            true => read_tail(&text[form.opener.len()..], text.len(), tools),
            false => Found::Unfinished { searched: 0 },
        };
    };
    if form.is_fence() {
        // A fence that is open stays so until another one comes.
        let closes = text.get(searched..).is_none_or(|rest| rest.contains(FENCE));
        return match over || searched == 0 || closes {
            true => read_fence(text, over, tools),
            false => Found::Unfinished { searched: before_end(text, FENCE.len()) },
        };
    }
    let body_start = form.opener.len();
    let mut from = searched.max(body_start);
    while let Some(at) = text.get(from..).and_then(|rest| rest.find(closer)) {
        let body = &text[body_start..from + at];
        let end = from + at + closer.len();
        match read_body(form, body, tools) {
            Body::Calls(calls) => return Found::Calls { calls, end },
            Body::Nothing => return Found::Nothing,
            // The end was inside a text of the arguments.
            Body::Unfinished => from = end,
        }
    }
    if over {
        // Many servers take the closing tag for a stop text and leave it out.
        return match read_body(form, &text[body_start..], tools) {
            Body::Calls(calls) => Found::Calls { calls, end: text.len() },
            Body::Nothing | Body::Unfinished => Found::Nothing,
        };
    }
    // The closer may be half here.
    Found::Unfinished { searched: before_end(text, closer.len()).max(from.min(text.len())) }
}

/// The byte at which a marker of this length may have begun that the end of the text cuts.
fn before_end(text: &str, length: usize) -> usize {
    let mut at = text.len().saturating_sub(length);
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

enum Body {
    Calls(Vec<Call>),
    Unfinished,
    Nothing,
}

fn read_body(form: &Form, body: &str, tools: &Tools) -> Body {
    match form.opener {
        "<function=" => {
            named_function(body, tools).map_or(Body::Nothing, |call| Body::Calls(vec![call]))
        }
        "<invoke name=" => {
            invoke(body, tools).map_or(Body::Nothing, |call| Body::Calls(vec![call]))
        }
        _ => {
            let body = body.trim();
            if body.starts_with(['{', '[']) {
                return json_calls(body, tools);
            }
            if let Some(rest) = body.strip_prefix("<function=") {
                let end = rest.rfind("</function>").unwrap_or(rest.len());
                return named_function(&rest[..end], tools)
                    .map_or(Body::Nothing, |call| Body::Calls(vec![call]));
            }
            if body.starts_with("<invoke name=") {
                let calls: Option<Vec<_>> = body
                    .split("<invoke name=")
                    .skip(1)
                    .map(|one| {
                        invoke(one.trim_end().strip_suffix("</invoke>").unwrap_or(one), tools)
                    })
                    .collect();
                return calls.map_or(Body::Nothing, Body::Calls);
            }
            keyed(body, tools).map_or(Body::Nothing, |call| Body::Calls(vec![call]))
        }
    }
}

/// `[TOOL_CALLS]` and the like: JSON, or `name[ARGS]{…}`, up to the end of the answer.
fn read_tail(body: &str, end: usize, tools: &Tools) -> Found {
    let body = body.trim().trim_end_matches("<|eom_id|>").trim();
    if let Some((name, arguments)) = body.split_once("[ARGS]") {
        let call = call(name.trim(), arguments.trim(), tools);
        return call.map_or(Found::Nothing, |call| Found::Calls { calls: vec![call], end });
    }
    match json_calls(body, tools) {
        Body::Calls(calls) => Found::Calls { calls, end },
        Body::Unfinished | Body::Nothing => Found::Nothing,
    }
}

/// A fence is a call only if nothing but further ones follows: otherwise it is an example.
fn read_fence(text: &str, over: bool, tools: &Tools) -> Found {
    let mut calls = Vec::new();
    let mut rest = text;
    loop {
        let Some(inside) = rest.strip_prefix(FENCE) else {
            return if !over && FENCE.starts_with(rest) {
                Found::Unfinished { searched: 0 }
            } else if rest.is_empty() && !calls.is_empty() {
                Found::Calls { calls, end: text.len() }
            } else {
                Found::Nothing
            };
        };
        let Some((language, body)) = inside.split_once('\n') else {
            return match over || inside.len() > 20 {
                true => Found::Nothing,
                false => Found::Unfinished { searched: 0 },
            };
        };
        if !matches!(language.trim(), "" | "json" | "tool_call" | "tool_code") {
            return Found::Nothing;
        }
        match likely(body.trim_start()) {
            Likely::No => return Found::Nothing,
            Likely::Maybe if !over => return Found::Unfinished { searched: 0 },
            Likely::Maybe | Likely::Yes => {}
        }
        let Some((json, after)) = body.split_once("\n```") else {
            return match over {
                true => Found::Nothing,
                false => Found::Unfinished { searched: before_end(text, FENCE.len()) },
            };
        };
        match json_calls(json.trim(), tools) {
            Body::Calls(found) => calls.extend(found),
            Body::Unfinished | Body::Nothing => return Found::Nothing,
        }
        rest = after.trim_start();
        if rest.is_empty() && !over {
            return Found::Unfinished { searched: 0 };
        }
    }
}

/// First keys of the objects that models write calls as.
const KEYS: &[&str] =
    &["name", "function", "tool", "tool_name", "tool_calls", "type", "arguments", "parameters"];

/// Whether JSON may be a call, as far as it has come.
pub(super) fn likely(json: &str) -> Likely {
    let mut rest = json;
    while let Some(after) = rest.strip_prefix(['[', '{']) {
        rest = after.trim_start();
    }
    let Some(key) = rest.strip_prefix('"') else {
        return if rest.is_empty() { Likely::Maybe } else { Likely::No };
    };
    match key.split_once('"') {
        Some((key, _)) if KEYS.contains(&key) => Likely::Yes,
        Some(_) => Likely::No,
        None if KEYS.iter().any(|known| known.starts_with(key)) => Likely::Maybe,
        None => Likely::No,
    }
}

/// A call as JSON; the arguments stay as they are written.
#[derive(Deserialize)]
struct JsonCall {
    #[serde(default, alias = "tool", alias = "tool_name")]
    name: Option<String>,
    #[serde(default, alias = "parameters", alias = "args", alias = "tool_input", alias = "input")]
    arguments: Option<Box<RawValue>>,
    /// The name, or a call of its own.
    #[serde(default)]
    function: Option<Box<RawValue>>,
    #[serde(default)]
    tool_calls: Option<Vec<JsonCall>>,
}

/// Objects and arrays of them, one behind the other, perhaps with semicolons between.
fn json_calls(text: &str, tools: &Tools) -> Body {
    let mut calls = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let mut values = serde_json::Deserializer::from_str(rest).into_iter::<Box<RawValue>>();
        let value = match values.next() {
            Some(Ok(value)) => value,
            Some(Err(error)) if error.is_eof() => return Body::Unfinished,
            Some(Err(_)) | None => return Body::Nothing,
        };
        let end = values.byte_offset();
        let written: Result<Vec<JsonCall>, _> = if value.get().starts_with('[') {
            serde_json::from_str(value.get())
        } else {
            serde_json::from_str(value.get()).map(|call| vec![call])
        };
        let Some(found) = written.ok().and_then(|written| all(written, tools)) else {
            return Body::Nothing;
        };
        calls.extend(found);
        rest = rest[end..].trim_start_matches([';', ',', ' ', '\n', '\r', '\t']);
    }
    if calls.is_empty() { Body::Nothing } else { Body::Calls(calls) }
}

fn all(written: Vec<JsonCall>, tools: &Tools) -> Option<Vec<Call>> {
    let mut calls = Vec::new();
    for one in written {
        if let Some(inner) = one.tool_calls {
            calls.extend(all(inner, tools)?);
            continue;
        }
        let one = match one.function {
            Some(function) if function.get().starts_with('{') => {
                serde_json::from_str(function.get()).ok()?
            }
            Some(function) => {
                JsonCall { name: serde_json::from_str(function.get()).ok()?, function: None, ..one }
            }
            None => one,
        };
        let arguments = one.arguments.as_deref().map_or("{}", RawValue::get);
        calls.push(call(&one.name?, arguments, tools)?);
    }
    Some(calls)
}

/// A call of a tool that was offered, with an object as arguments.
fn call(name: &str, arguments: &str, tools: &Tools) -> Option<Call> {
    let arguments = match arguments {
        "" | "null" => "{}".to_owned(),
        // JSON inside a text, as in the services' own format.
        text if text.starts_with('"') => serde_json::from_str(text).ok()?,
        text => text.to_owned(),
    };
    let is_object = serde_json::from_str::<Value>(&arguments).is_ok_and(|value| value.is_object());
    (is_object && tools.contains_key(name)).then(|| Call { name: name.to_owned(), arguments })
}

/// `NAME>{…}` or `NAME><parameter=KEY>VALUE</parameter>…`.
fn named_function(body: &str, tools: &Tools) -> Option<Call> {
    let (name, body) = body.split_once('>')?;
    let name = name.trim().trim_matches('"');
    let schema = tools.get(name)?;
    let body = body.trim();
    if body.is_empty() || body.starts_with('{') {
        return call(name, body, tools);
    }
    let arguments = parameters(body, "<parameter=", ">", "</parameter>", schema)?;
    Some(Call { name: name.to_owned(), arguments })
}

/// `"NAME"><parameter name="KEY">VALUE</parameter>…`.
fn invoke(body: &str, tools: &Tools) -> Option<Call> {
    let (name, body) = body.split_once('>')?;
    let name = name.trim().trim_matches('"');
    let schema = tools.get(name)?;
    let arguments = parameters(body.trim(), "<parameter name=\"", "\">", "</parameter>", schema)?;
    Some(Call { name: name.to_owned(), arguments })
}

/// `NAME <arg_key>KEY</arg_key><arg_value>VALUE</arg_value>…`, as GLM writes it.
fn keyed(body: &str, tools: &Tools) -> Option<Call> {
    let end = body.find("<arg_key>").unwrap_or(body.len());
    let name = body[..end].trim();
    let schema = tools.get(name)?;
    let mut arguments = Vec::new();
    let mut rest = body[end..].trim();
    while !rest.is_empty() {
        let (key, after) = rest.strip_prefix("<arg_key>")?.split_once("</arg_key>")?;
        let after = after.trim_start().strip_prefix("<arg_value>")?;
        let (text, after) = value_end(after, "</arg_value>", "<arg_key>")?;
        arguments.push(member(key.trim(), text, schema));
        rest = after;
    }
    Some(Call { name: name.to_owned(), arguments: object(&arguments) })
}

fn parameters(
    body: &str,
    opener: &str,
    after_key: &str,
    closer: &str,
    schema: &Value,
) -> Option<String> {
    let mut arguments = Vec::new();
    let mut rest = body.trim();
    while !rest.is_empty() {
        let (key, after) = rest.strip_prefix(opener)?.split_once(after_key)?;
        let (text, after) = value_end(after, closer, opener)?;
        arguments.push(member(key.trim(), text, schema));
        rest = after;
    }
    Some(object(&arguments))
}

/// A value ends at a closer behind which the next begins or nothing is left: a closer inside a
/// text that the model writes, such as a page about this very format, is part of the text.
fn value_end<'a>(text: &'a str, closer: &str, next: &str) -> Option<(&'a str, &'a str)> {
    text.match_indices(closer).find_map(|(at, _)| {
        let after = text[at + closer.len()..].trim_start();
        (after.is_empty() || after.starts_with(next)).then(|| (&text[..at], after))
    })
}

/// Members in the order the model wrote them.
fn object(members: &[String]) -> String {
    format!("{{{}}}", members.join(","))
}

/// One member, its value as the schema wants it. One line feed at each end belongs to the form.
fn member(key: &str, text: &str, schema: &Value) -> String {
    let text = text.strip_prefix('\n').unwrap_or(text);
    let text = text.strip_suffix('\n').unwrap_or(text);
    let wanted = schema.pointer("/properties").and_then(|all| all.get(key)?.get("type")?.as_str());
    let is_json = wanted != Some("string") && serde_json::from_str::<IgnoredAny>(text).is_ok();
    let value = if is_json { text.trim().to_owned() } else { Value::from(text).to_string() };
    format!("{}:{value}", Value::from(key))
}
