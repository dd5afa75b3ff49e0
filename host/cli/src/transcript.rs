//! A session that is over, to read: as plain text or as Markdown, from its entries alone.

use crate::render::{ending, text_of};
use hydroid_core::entry::{DecidedBy, Entry};
use hydroid_core::harmless::{exact, excerpt, harmless};
use hydroid_core::id::CallId;
use hydroid_core::message::{Content, Part};
use hydroid_core::policy::Decision;
use std::collections::{BTreeMap, BTreeSet};

/// Characters of a result that plain text shows; an export has all.
const RESULT: usize = 400;

/// One thing to read.
#[derive(Debug, PartialEq, Eq)]
enum Passage {
    Said(String),
    Answered(String),
    Called { name: String, arguments: String },
    Returned { name: String, text: String, is_error: bool },
    Denied { name: String, reason: String },
    Note(String),
}

/// Plain text, results shortened.
pub(crate) fn plain(entries: &[Entry]) -> String {
    let lines = passages(entries).into_iter().map(|passage| match passage {
        Passage::Said(text) => format!("\nyou: {}\n", harmless(&text)),
        Passage::Answered(text) => format!("{}\n", harmless(&text).trim_end()),
        Passage::Called { name, arguments } => {
            format!("  → {} {}\n", exact(&name), exact(&arguments))
        }
        Passage::Returned { name, text, is_error } => {
            format!(
                "  {} {}: {}\n",
                if is_error { "✗" } else { "✓" },
                exact(&name),
                excerpt(&text, RESULT)
            )
        }
        Passage::Denied { name, reason } => {
            format!("  ✗ {} denied: {}\n", exact(&name), harmless(&reason))
        }
        Passage::Note(text) => format!("  ({})\n", harmless(&text)),
    });
    lines.collect::<String>().trim_start_matches('\n').to_owned()
}

/// Markdown with everything that was said and returned.
pub(crate) fn markdown(title: &str, entries: &[Entry]) -> String {
    let mut text = format!("# {}\n", excerpt(title, 200));
    for passage in passages(entries) {
        text.push('\n');
        text.push_str(&match passage {
            Passage::Said(said) => format!("## {}\n", harmless(&said).trim().replace('\n', "\n> ")),
            Passage::Answered(answer) => format!("{}\n", harmless(&answer).trim_end()),
            Passage::Called { name, arguments } => {
                format!("**{}**\n\n{}", exact(&name), fenced("json", &exact(&arguments)))
            }
            Passage::Returned { name, text, is_error } => {
                let failed = if is_error { " failed" } else { "" };
                format!("{}{failed}:\n\n{}", exact(&name), fenced("", &harmless(&text)))
            }
            Passage::Denied { name, reason } => {
                format!("{} was denied: {}\n", exact(&name), harmless(&reason))
            }
            Passage::Note(note) => format!("_{}_\n", harmless(&note)),
        });
    }
    text
}

/// A block whose fence is longer than any run of backquotes inside, so that nothing breaks out.
fn fenced(language: &str, text: &str) -> String {
    let longest = text.split(|character| character != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}{language}\n{}\n{fence}\n", text.trim_end_matches('\n'))
}

fn passages(entries: &[Entry]) -> Vec<Passage> {
    let mut passages = Vec::new();
    let mut names: BTreeMap<&CallId, &str> = BTreeMap::new();
    let mut denied: BTreeSet<&CallId> = BTreeSet::new();
    for entry in entries {
        match entry {
            Entry::TurnStarted { parts, .. } => passages.push(Passage::Said(said(parts))),
            Entry::Steered { parts, .. } => passages.push(Passage::Said(said(parts))),
            Entry::Rewound { .. } => passages.push(Passage::Note(
                "the conversation was taken back to an earlier place".to_owned(),
            )),
            Entry::Text { text, .. } => match passages.last_mut() {
                Some(Passage::Answered(answer)) => answer.push_str(text),
                _ => passages.push(Passage::Answered(text.clone())),
            },
            Entry::Cited { uri, title, .. } => {
                passages.push(Passage::Note(format!(
                    "source: {} {uri}",
                    title.as_deref().unwrap_or_default()
                )));
            }
            Entry::CallReceived { call, .. } => {
                names.insert(&call.id, &call.name);
                passages.push(Passage::Called {
                    name: call.name.clone(),
                    arguments: call.arguments.clone(),
                });
            }
            Entry::CallDecided { call_id, decision: Decision::Deny { reason }, by, .. } => {
                denied.insert(call_id);
                let by = match by {
                    DecidedBy::Policy => "",
                    DecidedBy::User | DecidedBy::Session | DecidedBy::Standing => "by you: ",
                };
                passages.push(Passage::Denied {
                    name: name(&names, call_id),
                    reason: format!("{by}{reason}"),
                });
            }
            Entry::CallFinished { call_id, .. } if denied.contains(call_id) => {}
            Entry::CallFinished { call_id, output, .. } => {
                passages.push(Passage::Returned {
                    name: name(&names, call_id),
                    text: text_of(&output.content),
                    is_error: output.is_error,
                });
            }
            Entry::CallEdited { call_id, arguments, .. } => passages.push(Passage::Note(format!(
                "you changed the arguments of {} to {arguments}",
                name(&names, call_id)
            ))),
            Entry::SkillLoaded { skill, .. } => {
                passages.push(Passage::Note(format!("the skill {} was loaded", skill.name)));
            }
            Entry::SkillUnloaded { name, .. } => {
                passages.push(Passage::Note(format!("the skill {name} was unloaded")));
            }
            Entry::Notice { text, .. } => passages.push(Passage::Note(text.clone())),
            Entry::Compacted { covers, summary, by } => {
                let by = by.as_ref().map_or("the host".to_owned(), ToString::to_string);
                passages.push(Passage::Note(format!(
                    "the first {covers} turns were summed up by {by}:\n{summary}"
                )));
            }
            Entry::ModelNews { news, .. } => passages.push(Passage::Note(news.to_string())),
            Entry::TurnEnded { outcome, .. } => {
                passages.extend(ending(outcome).map(|(_, text)| Passage::Note(text)))
            }
            Entry::StepStarted { .. }
            | Entry::SettingsChanged { .. }
            | Entry::Thinking { .. }
            | Entry::ApprovalAsked { .. }
            | Entry::CallDecided { .. }
            | Entry::CallStarted { .. }
            | Entry::ChildAnswered { .. }
            | Entry::StepEnded { .. } => {}
        }
    }
    passages
}

fn name(names: &BTreeMap<&CallId, &str>, call: &CallId) -> String {
    names.get(call).map_or_else(|| "a call".to_owned(), |name| (*name).to_owned())
}

fn said(parts: &[Part]) -> String {
    let contents: Vec<Content> = parts.iter().map(|part| part.content.clone()).collect();
    text_of(&contents)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hydroid_core::entry::Outcome;
    use hydroid_core::id::TurnId;
    use hydroid_core::message::{Label, Message, Usage};
    use hydroid_core::tool::{ToolCall, ToolOutput};

    fn session() -> Vec<Entry> {
        let turn = TurnId::new("t");
        let call = ToolCall {
            id: CallId::new("c"),
            name: "file_read".into(),
            arguments: "{\"path\":\"a\"}".into(),
        };
        vec![
            Entry::TurnStarted {
                turn: turn.clone(),
                parts: Message::user("read a").parts,
                key: None,
            },
            Entry::Text { turn: turn.clone(), text: "I ".into() },
            Entry::Text { turn: turn.clone(), text: "read\x1b[2J".into() },
            Entry::CallReceived { turn: turn.clone(), call, parent: None },
            Entry::CallFinished {
                turn: turn.clone(),
                call_id: CallId::new("c"),
                output: ToolOutput::text("```\nx"),
                label: Label::host(),
            },
            Entry::TurnEnded {
                turn,
                outcome: Outcome::Cancelled,
                usage: Usage::default(),
                dollars: None,
            },
        ]
    }

    #[test]
    fn plain_text_reads_from_top_to_bottom() {
        let expect = "you: read a\nI read␛[2J\n  → file_read {\"path\":\"a\"}\n  ✓ file_read: ``` x\n  (the turn was cancelled)\n";
        assert_eq!(plain(&session()), expect);
    }

    #[test]
    fn nothing_breaks_out_of_a_markdown_block() {
        let text = markdown("read a", &session());
        assert!(text.starts_with("# read a\n\n## read a\n"), "{text}");
        assert!(text.contains("````\n```\nx\n````\n"), "{text}");
    }
}
