//! Answers of services as files, beside the events that they are.
//!
//! `UPDATE=1` writes the events anew; a person then reads the difference.

use std::fs;
use std::path::Path;

use hydroid_component::provider::EventSource;

use crate::pieces::{Pieces, SIZES, pieces, play};

/// Reads each answer in `directory` in pieces of every size, and compares the events with
/// `NAME.events`, where neighbours of one kind are joined.
///
/// `NAME.chunks.txt` has the data of one event of a stream in each line; `.sse`, `.json` and
/// `.ndjson` are bodies as they are.
pub fn golden<S: EventSource>(directory: &Path, answer: impl Fn(&str, Pieces) -> S) {
    let update = std::env::var_os("UPDATE").is_some();
    let mut count = 0;
    let entries = fs::read_dir(directory).expect("the directory with answers can be read");
    for entry in entries {
        let path = entry.expect("the directory with answers can be read").path();
        let name = path.file_name().and_then(|name| name.to_str()).expect("names are UTF-8");
        if name.ends_with(".events") || name.ends_with(".md") {
            continue;
        }
        let text = fs::read_to_string(&path).expect("answers are UTF-8");
        let body = if name.ends_with(".chunks.txt") { stream(&text) } else { text };
        let mut shown: Option<Vec<String>> = None;
        for (size, seed) in SIZES {
            let events = play(answer(name, pieces(body.as_bytes(), size, seed)));
            if let Some(first) = &shown {
                assert_eq!(&events, first, "{name} in pieces of {size} bytes, seed {seed}");
            }
            shown = Some(events);
        }
        let joined = joined(&shown.expect("there are sizes"));
        let expected = path.with_file_name(format!("{name}.events"));
        if update {
            fs::write(&expected, &joined).expect("the events can be written");
        } else {
            let known = fs::read_to_string(&expected).unwrap_or_default();
            assert_eq!(joined, known, "{name}: compare, then run with UPDATE=1");
        }
        count += 1;
    }
    assert!(count > 0, "no answers in {}", directory.display());
}

fn stream(chunks: &str) -> String {
    let lines = chunks.lines().filter(|line| !line.trim().is_empty());
    lines.map(|line| format!("data: {line}\n\n")).collect()
}

/// Texts, thoughts and arguments of one call as one line each.
fn joined(events: &[String]) -> String {
    let mut lines: Vec<String> = Vec::new();
    for event in events {
        let kind = if event.starts_with("args ") {
            event.splitn(3, ' ').take(2).map(|word| format!("{word} ")).collect()
        } else {
            let word = event.split(' ').next().unwrap_or_default();
            format!("{word} ")
        };
        let joins = matches!(kind.trim_end(), "text" | "thought") || kind.starts_with("args ");
        match lines.last_mut().filter(|last| joins && last.starts_with(&kind)) {
            Some(last) => last.push_str(&event[kind.len()..]),
            None => lines.push(event.clone()),
        }
    }
    lines.iter().map(|line| format!("{line}\n")).collect()
}
