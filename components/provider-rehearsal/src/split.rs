//! Cutting a message into the texts of its commands.
//!
//! Not parsing: a piece may turn out to be no command at all.

use crate::grammar::{begins_command, without_politeness};
use crate::text::{after_any, after_word, span};

/// The commands of a message as text, in order. Quotes, fences and JSON are never cut.
pub fn segments(message: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut start = 0;
    let mut at = 0;
    while let Some(character) = message[at..].chars().next() {
        let here = &message[at..];
        let current = &message[start..at];
        if let Some(length) = cut(current, here) {
            found.push(current.to_owned());
            at += length;
            start = at;
            continue;
        }
        let opens = current.chars().next_back().is_none_or(|before| !before.is_alphanumeric());
        at += span(here).filter(|_| opens).unwrap_or(character.len_utf8());
    }
    found.push(message[start..].to_owned());
    found.retain(|segment| !segment.trim_matches([' ', '\t', '\n', '\r', '.', ',']).is_empty());
    found
}

/// The length of the separator at the start of `here`, if the command `current` ends before it.
fn cut(current: &str, here: &str) -> Option<usize> {
    if here.starts_with(['\n', ';']) {
        return cut_line(current, here);
    }
    if !current.ends_with([' ', ',', '\t', '.']) {
        return None;
    }
    let comma = current.trim_end().ends_with(',');
    let (rest, any) = match then(here) {
        Some(rest) => (rest, true),
        None => (after_word(here, "and").or(comma.then_some(here))?, false),
    };
    // The cheap question first: the others look at all that came before.
    let ends = begins_command(rest) && !is_block(current) && (any || !keeps_text(current));
    ends.then_some(here.len() - rest.len())
}

/// The same for a line feed or a semicolon.
fn cut_line(current: &str, here: &str) -> Option<usize> {
    let rest = here[1..].trim_start();
    if let Some(rest) = then(rest).filter(|rest| begins_command(rest)) {
        return Some(here.len() - rest.len());
    }
    if is_block(current) {
        return here.starts_with("\nend\n").then_some("\nend\n".len());
    }
    let continues = keeps_text(current) && !begins_command(rest);
    (!continues && !opens_block(current)).then_some(1)
}

fn then(text: &str) -> Option<&str> {
    after_any(text, &["and then", "then", "after that,", "after that"])
        .filter(|rest| !rest.is_empty())
}

/// A command whose text may contain anything.
fn keeps_text(current: &str) -> bool {
    const FREE: &[&str] =
        &["write", "append", "replace", "remember", "recall", "say", "think", "search"];
    after_any(without_politeness(current), FREE).is_some()
}

/// `write FILE:` with nothing behind the colon: the lines below are its text.
fn opens_block(current: &str) -> bool {
    after_any(without_politeness(current), &["write", "append"]).is_some()
        && current.trim_end_matches([' ', '\t', '\r']).ends_with(':')
}

/// Already inside the lines below a `write FILE:`.
fn is_block(current: &str) -> bool {
    current.trim_start().split_once('\n').is_some_and(|(first, _)| opens_block(first))
}
