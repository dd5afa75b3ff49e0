//! Protocol 1 as clients in other languages see it: a sample of every message, kept in
//! `fixtures/protocol/1.jsonl`, and `docs/protocol.md`, whose tables are made of the samples and of
//! what the code says about each. Not the gateway, which speaks it.

mod languages;
mod samples;
mod shapes;

use crate::{root, update};
use hydroid_core::protocol::{ClientMessage, ServerMessage};
use samples::{Direction, samples};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;

const FROM: &str = "<!-- generated: messages -->";
const TO: &str = "<!-- end -->";

/// Where the types stand that messages are made of, below `host/core/src`.
const SOURCES: [&str; 10] = [
    "entry.rs",
    "message.rs",
    "policy.rs",
    "protocol/answer.rs",
    "protocol/client.rs",
    "protocol/server.rs",
    "protocol/session.rs",
    "reliability/news.rs",
    "skill/loaded.rs",
    "tool.rs",
];

#[test]
fn the_samples_are_what_is_sent() {
    let file = root().join("tests/fixtures/protocol/1.jsonl");
    let expect: String = samples()
        .into_iter()
        .map(|sample| {
            let from = match sample.from {
                Direction::Client => "client",
                Direction::Host => "host",
            };
            format!("{}\n", serde_json::json!({ "from": from, "message": sample.message }))
        })
        .collect();
    compare(&file, &expect);
}

#[test]
fn every_sample_is_read_back_as_it_was() {
    for sample in samples() {
        let text = sample.message.to_string();
        let again = match sample.from {
            Direction::Client => {
                serde_json::to_value(serde_json::from_str::<ClientMessage>(&text).unwrap())
            }
            Direction::Host => {
                serde_json::to_value(serde_json::from_str::<ServerMessage>(&text).unwrap())
            }
        };
        assert_eq!(again.unwrap(), sample.message);
    }
}

#[test]
fn a_message_may_have_fields_that_this_version_does_not_know() {
    for sample in samples() {
        let mut message = sample.message.clone();
        message["of_a_later_version"] = true.into();
        let text = message.to_string();
        match sample.from {
            Direction::Client => drop(serde_json::from_str::<ClientMessage>(&text).unwrap()),
            Direction::Host => drop(serde_json::from_str::<ServerMessage>(&text).unwrap()),
        }
    }
}

#[test]
fn every_message_has_a_sample() {
    for (file, of) in [
        ("client.rs", "pub enum Request {"),
        ("server.rs", "pub enum ServerMessage {"),
        ("server.rs", "pub enum Reply {"),
        ("session.rs", "pub enum SessionMessage {"),
        ("../entry.rs", "pub enum Entry {"),
    ] {
        let names = samples().into_iter().flat_map(|sample| [sample.name(), sample.entry()]);
        let got: BTreeSet<String> = names.collect();
        let prefix = match of {
            "pub enum Reply {" => "reply ",
            "pub enum Entry {" => "entry ",
            _ => "",
        };
        for (name, _) in variants(file, of) {
            let name = format!("{prefix}{name}");
            // A reply is a message of its own kind, and what a session tells is one of these.
            if !["reply", "session"].contains(&name.as_str()) {
                assert!(got.contains(&name), "no sample of `{name}`");
            }
        }
    }
}

#[test]
fn the_page_about_the_protocol_says_what_the_code_says() {
    let file = root().join("docs/protocol.md");
    let page = fs::read_to_string(&file).expect("docs/protocol.md is there");
    let (before, rest) = page.split_once(FROM).expect("the page marks where it is generated");
    let (_, after) = rest.split_once(TO).expect("the page marks the end of it");
    compare(&file, &format!("{before}{FROM}\n{}{TO}{after}", messages()));
}

#[test]
fn the_types_of_the_clients_are_those_of_the_sources() {
    let read = |name: &&str| {
        fs::read_to_string(root().join("host/core/src").join(name)).expect("a source")
    };
    let shapes = shapes::read(&SOURCES.iter().map(read).collect::<Vec<_>>());
    let written = languages::Written::of(&shapes);
    compare(&root().join("clients/typescript/protocol.d.ts"), &written.typescript());
    compare(&root().join("clients/python/src/hydroid/protocol.py"), &written.python());
}

fn messages() -> String {
    let mut text = String::new();
    for (title, file, of, prefix) in [
        ("Requests of a client", "client.rs", "pub enum Request {", ""),
        ("Replies", "server.rs", "pub enum Reply {", "reply "),
        ("What a session tells", "session.rs", "pub enum SessionMessage {", ""),
        ("What the host tells beside it", "server.rs", "pub enum ServerMessage {", ""),
    ] {
        write!(text, "\n### {title}\n").unwrap();
        for (name, doc) in variants(file, of) {
            if prefix.is_empty() && ["reply", "session"].contains(&name.as_str()) {
                continue;
            }
            write!(text, "\n#### `{name}`\n{}\n", doc.replace(". ", ".\n")).unwrap();
            let wanted = format!("{prefix}{name}");
            for sample in samples().iter().filter(|sample| sample.name() == wanted) {
                write!(text, "```json\n{}\n```\n", sample.message).unwrap();
            }
        }
    }
    text.push('\n');
    text
}

/// The variants of an enum in the protocol's sources, as they are on the wire, and what their
/// comment says.
fn variants(file: &str, of: &str) -> Vec<(String, String)> {
    let path = root().join("host/core/src/protocol").join(file);
    let source = fs::read_to_string(&path).expect("the protocol's sources are there");
    let (_, body) = source.split_once(of).expect("the enum is there");
    let mut variants = Vec::new();
    let mut doc = String::new();
    for line in body.lines().take_while(|line| *line != "}") {
        // Variants stand at one step, their fields at two.
        let Some(line) = line.strip_prefix("    ").filter(|line| !line.starts_with(' ')) else {
            continue;
        };
        if let Some(comment) = line.strip_prefix("/// ") {
            if !doc.is_empty() {
                doc.push(' ');
            }
            doc.push_str(comment);
        } else if line.starts_with(|first: char| first.is_ascii_uppercase()) {
            let name: String = line.chars().take_while(char::is_ascii_alphanumeric).collect();
            variants.push((snake(&name), std::mem::take(&mut doc)));
        }
    }
    assert!(variants.len() > 2, "the sources could not be read: {file} {of}");
    variants
}

fn snake(name: &str) -> String {
    let mut snake = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

#[track_caller]
fn compare(file: &std::path::Path, expect: &str) {
    if update() {
        fs::create_dir_all(file.parent().expect("a file")).unwrap();
        fs::write(file, expect).unwrap();
    }
    let got = fs::read_to_string(file).unwrap_or_default();
    if let Some((number, (got, expect))) =
        (1..).zip(got.lines().zip(expect.lines())).find(|(_, (got, expect))| got != expect)
    {
        panic!("{}:{number}: expected\n{expect}\ngot\n{got}\nrun with UPDATE=1", file.display());
    }
    assert_eq!(got.len(), expect.len(), "{} ends elsewhere; run with UPDATE=1", file.display());
}

impl samples::Sample {
    /// Its kind, as the pages and tables call it.
    fn name(&self) -> String {
        let field = |name: &str| self.message.get(name).and_then(Value::as_str);
        match (field("type"), field("reply")) {
            (Some("reply"), Some(reply)) => format!("reply {reply}"),
            (kind, _) => kind.unwrap_or_default().to_owned(),
        }
    }

    /// The kind of the entry that it carries, if it carries one.
    fn entry(&self) -> String {
        format!("entry {}", self.message["entry"]["kind"].as_str().unwrap_or_default())
    }
}
