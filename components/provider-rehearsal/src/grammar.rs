//! The grammar: one sentence of a person in, commands out. `HELP` is its documentation.
//!
//! Not a planner: nothing here knows which tools there are.

use crate::split::segments;
use crate::text::{after_any, after_word, quoted, split_first, split_last};

/// One thing to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    List {
        directory: Option<String>,
        recursive: bool,
    },
    Read {
        file: String,
    },
    Write {
        file: String,
        text: String,
    },
    Append {
        file: String,
        text: String,
    },
    Replace {
        old: String,
        new: String,
        file: String,
    },
    Delete {
        file: String,
    },
    Search {
        text: String,
        directory: Option<String>,
    },
    Fetch {
        url: String,
    },
    Time {
        zone: Option<String>,
    },
    Query {
        filter: String,
        json: String,
    },
    Remember {
        text: String,
    },
    Recall {
        about: Option<String>,
    },
    Summarise {
        file: String,
        into: Option<String>,
    },
    /// A digest of the conversation itself, which needs no tool.
    SummariseConversation,
    Call {
        tool: String,
        arguments: String,
    },
    Think {
        text: String,
    },
    Say {
        text: String,
    },
    Help,
    Greet,
    /// Begins like a command but lacks something; the text says what.
    Incomplete {
        problem: String,
    },
    /// Not in the grammar.
    Unknown {
        text: String,
    },
}

/// The grammar for people.
pub const HELP: &str = "\
I understand these commands, in any case, one per line or joined by `then`, `and then` or `;`:

- `list files [in DIR] [recursively]`
- `read FILE`
- `write FILE: TEXT`, or `write FILE:` and the lines below it, up to a line `end` or `then …`
- `append FILE: TEXT`
- `replace A with B in FILE`
- `delete FILE`
- `search for X [in DIR]`
- `fetch URL`
- `what time is it [in ZONE]`
- `query FILTER in JSON`
- `remember TEXT`, `what do you remember [about X]`, `recall X`
- `summarise FILE [into FILE]`, `summarise the conversation`
- `call TOOL {json}`, for any tool that is offered
- `think TEXT`, `say TEXT`, `help`

Put names and texts in quotes if they contain spaces, colons or `then`. \
In double quotes, `\\n` is a line break.";

/// All commands of a message, in order. Never empty for a text with words in it.
pub fn parse(message: &str) -> Vec<Command> {
    if asks_for_digest(message) {
        return vec![Command::SummariseConversation];
    }
    segments(message).into_iter().map(|segment| command(&segment)).collect()
}

/// Compaction prompts have many lines of instructions; the first words decide.
fn asks_for_digest(message: &str) -> bool {
    let words: Vec<String> = message
        .split(|character: char| !character.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .take(8)
        .map(str::to_lowercase)
        .collect();
    matches!(words.first().map(String::as_str), Some("summarise" | "summarize"))
        && words.get(1).is_some_and(|word| matches!(word.as_str(), "the" | "this" | "our"))
        && words.iter().any(|word| word == "conversation")
}

/// What may stand before a command without changing it.
const POLITENESS: &[&str] = &[
    "please",
    "now",
    "first",
    "finally",
    "also",
    "can you",
    "could you",
    "would you",
    "ok",
    "okay",
    "hydroid,",
    "and",
];

/// `text` without the words of politeness in front.
pub fn without_politeness(text: &str) -> &str {
    let mut text = text.trim();
    while let Some(rest) = after_any(text, POLITENESS) {
        text = rest.trim_start_matches([' ', ',', '\t']);
    }
    text
}

type Rule = fn(&str) -> Command;

/// First words and what they begin. Longer ones stand before their own beginnings.
const RULES: &[(&[&str], Rule)] = &[
    (&["list", "ls"], list),
    (&["read", "show me", "show"], read),
    (&["write"], write),
    (&["append"], append),
    (&["replace"], replace),
    (&["delete", "remove"], delete),
    (&["search for", "search"], search),
    (&["fetch"], fetch),
    (&["what time is it", "what is the time", "what's the time", "tell me the time"], time),
    (&["query"], query),
    (&["what do you remember", "what do you know", "recall"], recall),
    (&["remember that", "remember"], remember),
    (&["summarise", "summarize"], summarise),
    (&["call"], call),
    (&["think about", "think"], |text| Command::Think { text: free(text) }),
    (&["say"], |text| Command::Say { text: free(text) }),
    (&["help", "what can you do", "what do you understand"], |_| Command::Help),
    (&["hello", "hi", "hey", "good morning", "good evening", "who are you"], greet),
];

/// True if a command of the grammar begins here.
pub fn begins_command(text: &str) -> bool {
    let text = without_politeness(text);
    RULES.iter().any(|(words, _)| after_any(text, words).is_some())
}

fn command(segment: &str) -> Command {
    let text = without_politeness(segment);
    RULES
        .iter()
        .find_map(|(words, rule)| after_any(text, words).map(rule))
        .unwrap_or_else(|| Command::Unknown { text: segment.trim().to_owned() })
}

fn incomplete(name: &str, form: &str) -> Command {
    Command::Incomplete { problem: format!("`{name}` needs more: say `{form}`") }
}

/// "Hello" is a greeting; "hi there, buy milk" is not in the grammar.
fn greet(rest: &str) -> Command {
    if rest.split_whitespace().count() <= 3 {
        Command::Greet
    } else {
        Command::Unknown { text: rest.to_owned() }
    }
}

fn list(rest: &str) -> Command {
    let sentence = rest.trim().trim_end_matches(['.', '!', '?']);
    let head = sentence.to_ascii_lowercase().strip_suffix("recursively").map(str::len);
    let mut recursive = head.is_some();
    let rest = head.map_or(rest.trim(), |head| sentence[..head].trim());
    let text = after_any(rest, &["all the", "all", "the", "my"]).unwrap_or(rest);
    let text = after_any(text, &["files", "directory", "folder"]).unwrap_or(text);
    let text = after_any(text, &["recursively"]).inspect(|_| recursive = true).unwrap_or(text);
    let text = after_any(text, &["in", "under", "of"]).unwrap_or(text);
    Command::List { directory: optional(name(text)), recursive }
}

fn read(rest: &str) -> Command {
    let file = name(rest);
    if file.starts_with("https://") || file.starts_with("http://") {
        return Command::Fetch { url: file };
    }
    if file.is_empty() { incomplete("read", "read FILE") } else { Command::Read { file } }
}

fn write(rest: &str) -> Command {
    match file_and_text(rest) {
        Some((file, text)) => Command::Write { file, text },
        None => incomplete("write", "write FILE: TEXT"),
    }
}

fn append(rest: &str) -> Command {
    match file_and_text(rest) {
        Some((file, text)) => Command::Append { file, text },
        None => incomplete("append", "append FILE: TEXT"),
    }
}

/// `FILE: TEXT`, `"TEXT" to FILE` or `TEXT to FILE`.
fn file_and_text(rest: &str) -> Option<(String, String)> {
    let rest = after_any(rest, &["to", "into", "the file", "file"]).unwrap_or(rest);
    let pair = match quoted(rest) {
        Some((first, after)) => match after.trim_start().strip_prefix(':') {
            Some(text) => (first, content(text)),
            None => (name(after_any(after.trim_start(), &["to", "into", "in"])?), first),
        },
        None => match header_colon(rest) {
            Some((file, text)) => (name(file), content(text)),
            None => {
                let (text, file) =
                    split_last(rest, " to ").or_else(|| split_last(rest, " into "))?;
                (name(file), free(text))
            }
        },
    };
    (!pair.0.is_empty()).then_some(pair)
}

/// The colon that ends a file name: the first with space, a quote or nothing behind it, else the first.
fn header_colon(rest: &str) -> Option<(&str, &str)> {
    let first_line = rest.lines().next().unwrap_or(rest);
    let clear = first_line.match_indices(':').map(|(at, _)| at).find(|at| {
        rest[at + 1..]
            .chars()
            .next()
            .is_none_or(|next| next.is_whitespace() || "\"'`“".contains(next))
    });
    let at = clear.or_else(|| first_line.find(':'))?;
    Some((&rest[..at], &rest[at + 1..]))
}

/// The text of a `write`: quoted, fenced, the lines below, or what stands there.
fn content(text: &str) -> String {
    let trimmed = text.trim();
    if let Some(inside) = trimmed.strip_prefix("```").and_then(|text| text.strip_suffix("```")) {
        return inside.split_once('\n').map_or(inside, |(_language, lines)| lines).to_owned();
    }
    if let Some((content, rest)) = quoted(trimmed)
        && rest.trim().is_empty()
    {
        return content;
    }
    match text.trim_start_matches([' ', '\t', '\r']).strip_prefix('\n') {
        Some(block) => {
            let block = block.trim_end();
            let block = block.strip_suffix("\nend").unwrap_or(block);
            format!("{block}\n")
        }
        None => trimmed.to_owned(),
    }
}

fn replace(rest: &str) -> Command {
    let parsed = split_first(rest, " with ").and_then(|(old, rest)| {
        let (new, file) = split_last(rest, " in ")?;
        Some((exact(old), exact(new), name(file)))
    });
    match parsed {
        Some((old, new, file)) if !old.is_empty() && !file.is_empty() => {
            Command::Replace { old, new, file }
        }
        _ => incomplete("replace", "replace A with B in FILE"),
    }
}

fn delete(rest: &str) -> Command {
    let file = name(rest);
    if file.is_empty() { incomplete("delete", "delete FILE") } else { Command::Delete { file } }
}

fn search(rest: &str) -> Command {
    let (text, directory) = match split_last(rest, " in ") {
        Some((text, directory)) => (text, optional(name(directory))),
        None => (rest, None),
    };
    let text = free(text);
    if text.is_empty() {
        return incomplete("search", "search for X in DIR");
    }
    Command::Search { text, directory }
}

fn fetch(rest: &str) -> Command {
    let url = name(rest);
    if url.is_empty() { incomplete("fetch", "fetch URL") } else { Command::Fetch { url } }
}

fn time(rest: &str) -> Command {
    let zone = bare(after_any(rest, &["now"]).unwrap_or(rest));
    Command::Time { zone: optional(name(after_word(&zone, "in").unwrap_or(&zone))) }
}

fn query(rest: &str) -> Command {
    // The filter may contain " in " itself; the JSON decides where it ends.
    let mut from = 0;
    while let Some(at) = rest.get(from..).and_then(|tail| tail.find(" in ")) {
        let (filter, json) = (&rest[..from + at], rest[from + at + 4..].trim());
        let json = quoted(json)
            .filter(|(_, rest)| rest.is_empty())
            .map_or(json.to_owned(), |(text, _)| text);
        if serde_json::from_str::<serde_json::Value>(&json).is_ok() && !filter.trim().is_empty() {
            return Command::Query { filter: exact(filter), json };
        }
        from += at + 1;
    }
    incomplete("query", "query FILTER in JSON")
}

fn remember(rest: &str) -> Command {
    let text = free(rest.trim_start_matches(':'));
    if text.is_empty() {
        incomplete("remember", "remember TEXT")
    } else {
        Command::Remember { text }
    }
}

fn recall(rest: &str) -> Command {
    let about = after_any(rest, &["about", "of"]).unwrap_or(rest);
    Command::Recall { about: optional(name(about)) }
}

fn summarise(rest: &str) -> Command {
    let (file, into) = match split_last(rest, " into ").or_else(|| split_last(rest, " to ")) {
        Some((file, into)) => (name(file), optional(name(into))),
        None => (name(rest), None),
    };
    if file.is_empty() {
        return incomplete("summarise", "summarise FILE into FILE");
    }
    Command::Summarise { file, into }
}

fn call(rest: &str) -> Command {
    let rest = after_any(rest, &["the tool", "tool"]).unwrap_or(rest);
    let end = rest
        .find(|character: char| character.is_whitespace() || character == '{')
        .unwrap_or(rest.len());
    let (tool, arguments) = (name(&rest[..end]), rest[end..].trim());
    let arguments = after_word(arguments, "with").unwrap_or(arguments);
    let arguments = if arguments.is_empty() { "{}" } else { arguments };
    if tool.is_empty() {
        return incomplete("call", "call TOOL {json}");
    }
    match serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(arguments) {
        Ok(_) => Command::Call { tool, arguments: arguments.to_owned() },
        Err(error) => Command::Incomplete {
            problem: format!("the arguments of `call {tool}` are no JSON object: {error}"),
        },
    }
}

/// A file, directory or tool: quoted, or what stands there without articles and a full stop.
fn name(text: &str) -> String {
    const ARTICLES: &[&str] =
        &["the file called", "the file", "a file called", "the folder", "the directory", "file"];
    let text = text.trim();
    let text = after_any(text, ARTICLES).filter(|rest| !rest.is_empty()).unwrap_or(text);
    match quoted(text) {
        Some((name, _)) => name,
        None => bare(text),
    }
}

/// Without the punctuation that ends a sentence; `.` and `..` are directories.
fn bare(text: &str) -> String {
    let text = text.trim();
    if matches!(text, "." | "..") || text.ends_with("/.") || text.ends_with("/..") {
        return text.to_owned();
    }
    text.strip_suffix(['.', '!', '?', ',']).unwrap_or(text).trim_end().to_owned()
}

/// Quoted, or exactly what stands there.
fn exact(text: &str) -> String {
    match quoted(text.trim()) {
        Some((content, rest)) if rest.trim().is_empty() => content,
        _ => text.trim().to_owned(),
    }
}

/// The same for running text.
fn free(text: &str) -> String {
    exact(text)
}

fn optional(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests;
