//! Notes carried elsewhere and back: a JSON object a line, or Markdown in which a comment before
//! each note says what else is known of it.

use crate::args::NotesFormat;
use crate::exit::Exit;
use crate::terminal;
use crate::wire::{Ground, SystemClock};
use anyhow::{Context, Result};
use hydroid_core::ports::{Clock, Note, Scope};
use hydroid_memory::{Database, KeptNote};
use serde::Deserialize;
use serde_json::{Value, json};
use std::io::Read;
use std::path::Path;

/// Notes read at once while exporting.
const PAGE: u32 = 500;

/// What stands before and after what is known of a note in Markdown.
const BEFORE: &str = "<!-- note ";
const AFTER: &str = " -->";

/// A note as it is written.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Carried {
    /// Only for people; the note gets a new one.
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    text: String,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    scope: String,
    #[serde(default)]
    important: bool,
    created_ms: Option<u64>,
    updated_ms: Option<u64>,
}

/// Writes all notes.
pub(super) async fn export(
    ground: &Ground,
    database: &Database,
    format: NotesFormat,
) -> Result<Exit> {
    let scrubber = ground.scrubber.current();
    let mut skip = 0;
    loop {
        let notes = database.notes(&ground.user(), skip, PAGE).await?;
        for note in &notes {
            let text = scrubber.mask_known(&note.text);
            match format {
                NotesFormat::Jsonl => terminal::print_line(&as_json(note, &text).to_string())?,
                NotesFormat::Markdown => terminal::print(&as_markdown(note, &text))?,
            }
        }
        if notes.len() < PAGE as usize {
            return Ok(Exit::Done);
        }
        skip += PAGE;
    }
}

/// Brings notes in. What is wrong with one is said with its place, and nothing of it is kept.
pub(super) async fn import(
    ground: &Ground,
    database: &Database,
    file: Option<&Path>,
    format: NotesFormat,
) -> Result<Exit> {
    let mut text = String::new();
    match file {
        Some(path) => {
            text = std::fs::read_to_string(path)
                .with_context(|| format!("`{}` cannot be read as text", path.display()))?;
        }
        None => {
            std::io::stdin().lock().read_to_string(&mut text)?;
        }
    }
    let carried = match format {
        NotesFormat::Jsonl => from_jsonl(&text)?,
        NotesFormat::Markdown => from_markdown(&text)?,
    };
    let now_ms = SystemClock.now_ms();
    let (mut new, mut known) = (0, 0);
    // All are looked at before the first is kept.
    let mut notes = Vec::new();
    for (place, carried) in carried {
        let note = Note::new(carried.text, &carried.tags)
            .and_then(|note| Ok(note.in_scope(Scope::read(&carried.scope)?)))
            .with_context(|| format!("{place} cannot be kept"))?
            .marked_important(carried.important);
        let created_ms = carried.created_ms.unwrap_or(now_ms);
        notes.push((note, created_ms, carried.updated_ms.unwrap_or(created_ms)));
    }
    for (note, created_ms, updated_ms) in notes {
        if database.bring_back(&ground.user(), note, created_ms, updated_ms).await? {
            new += 1;
        } else {
            known += 1;
        }
    }
    terminal::print_line(&format!("{new} notes came in, {known} were there"))?;
    Ok(Exit::Done)
}

/// A note as a line.
pub(super) fn as_json(note: &KeptNote, text: &str) -> Value {
    json!({
        "id": note.id, "text": text, "tags": note.tags, "scope": note.scope,
        "important": note.important, "created_ms": note.created_ms, "updated_ms": note.updated_ms,
    })
}

fn as_markdown(note: &KeptNote, text: &str) -> String {
    let mut about = as_json(note, text);
    if let Some(about) = about.as_object_mut() {
        about.remove("text");
    }
    // A comment ends at the first of these, wherever it stands.
    let about = about.to_string().replace("-->", "--\\u003e");
    format!("{BEFORE}{about}{AFTER}\n{}\n\n", text.trim_end())
}

fn from_jsonl(text: &str) -> Result<Vec<(String, Carried)>> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(number, line)| {
            let place = format!("line {}", number + 1);
            let carried = serde_json::from_str(line).with_context(|| {
                format!("{place} is no note as `hydroid memory export` writes it")
            })?;
            Ok((place, carried))
        })
        .collect()
}

fn from_markdown(text: &str) -> Result<Vec<(String, Carried)>> {
    let mut notes: Vec<(String, Carried)> = Vec::new();
    let mut exported = false;
    for (number, line) in text.lines().enumerate() {
        let place = || format!("line {}", number + 1);
        if let Some(about) = line.strip_prefix(BEFORE).and_then(|rest| rest.strip_suffix(AFTER)) {
            let carried = serde_json::from_str(about)
                .with_context(|| format!("{} does not say what a note is", place()))?;
            notes.push((place(), carried));
            exported = true;
        } else if exported {
            if let Some((_, note)) = notes.last_mut() {
                note.text.push_str(line);
                note.text.push('\n');
            }
        } else if line.trim().is_empty() || line.starts_with(['-', '*']) || line.starts_with('#') {
            // Other Markdown: a paragraph or an item of a list is a note, a heading is none.
            let item = line.trim_start_matches(['-', '*', ' ']);
            let text = if line.starts_with('#') { "" } else { item };
            notes.push((place(), Carried { text: text.to_owned(), ..Carried::default() }));
        } else {
            match notes.last_mut() {
                Some((_, note)) if !note.text.is_empty() => {
                    note.text.push('\n');
                    note.text.push_str(line.trim());
                }
                _ => notes.push((
                    place(),
                    Carried { text: line.trim().to_owned(), ..Carried::default() },
                )),
            }
        }
    }
    for (_, note) in &mut notes {
        note.text.truncate(note.text.trim_end().len());
    }
    notes.retain(|(_, note)| !note.text.is_empty());
    Ok(notes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(text: &str) -> KeptNote {
        KeptNote {
            id: "note-7".into(),
            text: text.into(),
            tags: ["a-->b".to_owned()].into(),
            scope: "project:x".into(),
            important: true,
            created_ms: 5,
            updated_ms: 9,
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        for text in ["one line", "two\n\nparagraphs # and\n- a list", "<!-- note is no note", "é🦀"]
        {
            let expect = Carried {
                id: Some("note-7".into()),
                text: text.into(),
                tags: vec!["a-->b".into()],
                scope: "project:x".into(),
                important: true,
                created_ms: Some(5),
                updated_ms: Some(9),
            };
            let markdown = as_markdown(&kept(text), text).repeat(2);
            let found = from_markdown(&markdown).unwrap();
            assert_eq!(found.len(), 2, "{markdown}");
            assert!(found.iter().all(|(_, carried)| *carried == expect), "{found:?}");
            let line = as_json(&kept(text), text).to_string();
            assert_eq!(from_jsonl(&format!("{line}\n\n")).unwrap()[0].1, expect);
        }
    }

    #[test]
    fn any_markdown_is_a_note_a_paragraph() {
        let text =
            "# Facts\n\nAnna likes tea\nand cake.\n\n- the inn has a room\n- trains are late\n";
        let found: Vec<String> =
            from_markdown(text).unwrap().into_iter().map(|(_, note)| note.text).collect();
        assert_eq!(found, ["Anna likes tea\nand cake.", "the inn has a room", "trains are late"]);
    }

    #[test]
    fn what_is_no_note_is_named_by_its_line() {
        for text in ["{\"text\":1}", "[]", "{\"texts\":\"a\"}", "x"] {
            let error = format!("{:#}", from_jsonl(&format!("\n{text}")).unwrap_err());
            assert!(error.starts_with("line 2 is no note"), "{error}");
        }
        assert!(from_markdown("<!-- note {\"a\":1} -->\n").is_err());
    }
}
