//! Published tool calls, and how they are cut and put together again.

use std::path::Path;

use hydroid_component::provider::{Event, EventQueue, EventSource};
use serde::Deserialize;

use crate::pieces::next;

/// A call that somebody published.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Published {
    /// Name of the tool.
    pub name: String,
    /// Arguments, JSON text.
    pub arguments: String,
}

/// The calls of `tests/fixtures/functions/bfcl.jsonl`.
pub fn published() -> Vec<Published> {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/functions/bfcl.jsonl");
    let text = std::fs::read_to_string(path).expect("the published calls can be read");
    let calls: Vec<Published> =
        text.lines().map(|line| serde_json::from_str(line).expect("a call a line")).collect();
    assert!(calls.len() > 1000, "only {} published calls", calls.len());
    calls
}

/// `text` in fragments of arbitrary length, cut between characters.
pub fn fragments(text: &str, seed: &mut u64) -> Vec<String> {
    let characters: Vec<char> = text.chars().collect();
    let mut rest = &characters[..];
    let mut fragments = Vec::new();
    while !rest.is_empty() {
        let (fragment, after) = rest.split_at((next(seed) % 12 + 1).min(rest.len()));
        fragments.push(fragment.iter().collect());
        rest = after;
    }
    fragments
}

/// The calls a source makes, as a host puts them together; each must begin, end, and come to a
/// finish.
pub fn assembled(source: impl EventSource) -> Vec<Published> {
    let mut queue = EventQueue::new(source);
    let mut calls: Vec<(Published, bool)> = Vec::new();
    loop {
        let events = queue.next(32, || false).expect("the answer is whole");
        if events.is_empty() {
            assert!(calls.iter().all(|(_, ended)| *ended), "a call without an end: {calls:?}");
            return calls.into_iter().map(|(call, _)| call).collect();
        }
        for event in events {
            match event {
                Event::ToolCallStart(start) => {
                    assert_eq!(start.index as usize, calls.len(), "calls are counted");
                    calls.push((Published { name: start.name, arguments: String::new() }, false));
                }
                Event::ToolCallArgs(args) => {
                    calls[args.index as usize].0.arguments.push_str(&args.fragment);
                }
                Event::ToolCallEnd(index) => calls[index as usize].1 = true,
                _ => {}
            }
        }
    }
}
