//! `memory_search`: the question to the host, and its hits as text a model reads. The ranking is
//! the host's.

use std::fmt::Write;
use std::time::{Duration, UNIX_EPOCH};

use httpdate::fmt_http_date;
use hydroid_component::bindings::imports::hydroid::cap::memory::{self, Hit};
use hydroid_component::tool::ToolError;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Hits when nobody says how many: enough to choose from, few enough to read.
const USUAL: u32 = 8;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MemorySearch {
    /// The words to look for; any of them may fit, and words like `last week` narrow the time.
    /// Empty for the newest notes.
    query: String,
    /// Most results; 8 when absent.
    #[serde(default)]
    #[schemars(range(min = 1, max = 50))]
    limit: Option<u32>,
    /// Only notes that have all of these tags.
    #[serde(default)]
    tags: Vec<String>,
    /// Where to look; everywhere when absent.
    #[serde(default)]
    source: Option<Place>,
    /// A project whose own notes and files are looked into, too.
    #[serde(default)]
    project: Option<String>,
    /// Say for each result why it is where it is.
    #[serde(default)]
    explain: bool,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MemoryRecent {
    /// Most results; 8 when absent.
    #[serde(default)]
    #[schemars(range(min = 1, max = 50))]
    limit: Option<u32>,
    /// What to list; everything when absent.
    #[serde(default)]
    source: Option<Place>,
}

/// Where to look.
#[derive(Debug, Clone, Copy, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Place {
    /// Saved notes.
    Note,
    /// What was said in conversations.
    Message,
    /// Files that were taken in.
    File,
}

#[derive(Serialize)]
struct Options {
    tags: Vec<String>,
    sources: Vec<Place>,
    #[serde(skip_serializing_if = "Option::is_none")]
    project: Option<String>,
    newest: bool,
    explain: bool,
}

pub(crate) fn memory_search(arguments: MemorySearch) -> Result<String, ToolError> {
    let MemorySearch { query, limit, tags, source, project, explain } = arguments;
    let sources = source.into_iter().collect();
    let options = Options { tags, sources, project, newest: false, explain };
    let hits = memory::search(&query, limit.unwrap_or(USUAL), Some(&json(&options)?))?;
    Ok(shown(&hits, &query))
}

pub(crate) fn memory_recent(arguments: MemoryRecent) -> Result<String, ToolError> {
    let MemoryRecent { limit, source } = arguments;
    let sources = source.into_iter().collect();
    let options =
        Options { tags: Vec::new(), sources, project: None, newest: true, explain: false };
    let hits = memory::search("", limit.unwrap_or(USUAL), Some(&json(&options)?))?;
    Ok(if hits.is_empty() { "there is nothing yet".to_owned() } else { shown(&hits, "") })
}

fn json(options: &Options) -> Result<String, ToolError> {
    serde_json::to_string(options)
        .map_err(|problem| ToolError::failed(format!("the arguments are not JSON: {problem}")))
}

/// One paragraph a hit, its head saying what it is, when it is from and its id.
fn shown(hits: &[Hit], query: &str) -> String {
    if hits.is_empty() {
        let query: String = query.chars().take(100).collect();
        return match query.trim() {
            "" => "there are no notes yet".to_owned(),
            words => format!("nothing fits `{words}`; try other or fewer words"),
        };
    }
    let mut text = String::new();
    for hit in hits {
        let day = date(hit.created_s);
        let head = head(hit);
        let why = why(hit);
        // Writing to a `String` cannot fail.
        let _ = write!(text, "[{head}, {day}]{why}\n{}\n\n", hit.text.trim());
    }
    text.truncate(text.trim_end().len());
    text
}

/// How a hit did in each way of searching, if that was asked.
fn why(hit: &Hit) -> String {
    let details = details(hit);
    let Some(why) = details["why"].as_object() else { return String::new() };
    let parts = why
        .iter()
        .filter_map(|(name, value)| Some(format!("{name} {:.2}", value.as_f64()?)))
        .collect::<Vec<_>>();
    format!(" score {:.2} of {}", hit.score, parts.join(", "))
}

fn details(hit: &Hit) -> Value {
    hit.details_json.as_deref().and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default()
}

fn head(hit: &Hit) -> String {
    let details = details(hit);
    match (hit.source.as_str(), details["role"].as_str()) {
        ("message", Some(role)) => format!("{}, said by the {role}", hit.id),
        ("file", _) => match details["path"].as_str() {
            Some(path) => format!("{}, from {path}", hit.id),
            None => hit.id.clone(),
        },
        _ => {
            let tags = details["tags"].as_array().into_iter().flatten().filter_map(Value::as_str);
            let tags: Vec<&str> = tags.collect();
            let tags =
                if tags.is_empty() { String::new() } else { format!(", tags: {}", tags.join(" ")) };
            format!("{}{tags}", hit.id)
        }
    }
}

/// Seconds since 1970 as a date and a time in UTC.
fn date(seconds: u32) -> String {
    fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hit(id: &str, source: &str, text: &str, details: Option<&str>) -> Hit {
        Hit {
            id: id.into(),
            text: text.into(),
            source: source.into(),
            score: 1.0,
            created_s: 1_700_000_000,
            details_json: details.map(str::to_owned),
        }
    }

    #[test]
    fn hits_say_what_they_are() {
        let hits = [
            hit("note-1", "note", "the inn has a room\n", Some(r#"{"tags":["sea","travel"]}"#)),
            hit("note-2", "note", "buy milk", Some(r#"{"tags":[]}"#)),
            hit("message-7", "message", "…is full", Some(r#"{"session":"s","role":"user"}"#)),
            hit("file-3.1", "file", "later", Some(r#"{"path":"/shared/a.md","part":1}"#)),
            hit("other-1", "other", "new", Some(r#"{"why":{"keyword":0.5,"vector":null}}"#)),
        ];
        assert_eq!(
            shown(&hits, "inn"),
            "[note-1, tags: sea travel, Tue, 14 Nov 2023 22:13:20 GMT]\nthe inn has a room\n\n\
             [note-2, Tue, 14 Nov 2023 22:13:20 GMT]\nbuy milk\n\n\
             [message-7, said by the user, Tue, 14 Nov 2023 22:13:20 GMT]\n…is full\n\n\
             [file-3.1, from /shared/a.md, Tue, 14 Nov 2023 22:13:20 GMT]\nlater\n\n\
             [other-1, Tue, 14 Nov 2023 22:13:20 GMT] score 1.00 of keyword 0.50\nnew"
        );
    }

    #[test]
    fn nothing_found_says_what_to_do() {
        assert_eq!(shown(&[], "tea"), "nothing fits `tea`; try other or fewer words");
        assert_eq!(shown(&[], " "), "there are no notes yet");
    }

    #[test]
    fn every_date_the_contract_can_say_is_shown() {
        assert_eq!(date(0), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(date(u32::MAX), "Sun, 07 Feb 2106 06:28:15 GMT");
    }
}
