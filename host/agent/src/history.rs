//! What a session remembers: its entries as the journal has them, and what has to be added when
//! the process ended in the middle of a turn. It writes nothing itself.

use hydroid_core::entry::{Entry, INTERRUPTED, NEVER_RAN, Outcome};
use hydroid_core::id::{CallId, TurnId};
use hydroid_core::message::{Content, Label, Part, Usage};
use hydroid_core::money::Money;
use hydroid_core::ports::Saying;
use hydroid_core::protocol::SessionSettings;
use hydroid_core::tool::ToolOutput;
use std::collections::BTreeSet;

/// Characters of a session's title.
const TITLE_LENGTH: usize = 60;

/// Call identifiers in use.
pub(crate) fn used_ids(entries: &[Entry]) -> BTreeSet<CallId> {
    let received = entries.iter().filter_map(|entry| match entry {
        Entry::CallReceived { call, .. } => Some(call.id.clone()),
        _ => None,
    });
    received.collect()
}

/// What the session has of its own.
pub(crate) fn settings(entries: &[Entry]) -> SessionSettings {
    let last = entries.iter().rev().find_map(|entry| match entry {
        Entry::SettingsChanged { settings } => Some(settings.clone()),
        _ => None,
    });
    last.unwrap_or_default()
}

/// What closes a last turn that never ended: a result for every open call and the end itself.
/// Empty when there is nothing to close.
pub(crate) fn closing_entries(entries: &[Entry]) -> Vec<Entry> {
    let Some(open) = OpenTurn::last_of(entries) else { return Vec::new() };
    let results = open.calls.into_iter().map(|call_id| Entry::CallFinished {
        turn: open.turn.clone(),
        output: ToolOutput::error(if open.started.contains(&call_id) {
            INTERRUPTED
        } else {
            NEVER_RAN
        }),
        call_id,
        label: Label::host(),
    });
    let ended = Entry::TurnEnded {
        turn: open.turn.clone(),
        outcome: Outcome::Interrupted,
        usage: open.usage,
        dollars: open.dollars,
    };
    results.chain([ended]).collect()
}

/// What was said into a last turn that never ended and was read by no step of it, each with its
/// place in the turn.
pub(crate) fn unread(entries: &[Entry]) -> Vec<(String, Saying)> {
    let (mut number, mut unread) = (0, Vec::new());
    for entry in entries {
        match entry {
            Entry::TurnStarted { .. } => {
                number = 0;
                unread.clear();
            }
            Entry::StepStarted { .. } | Entry::TurnEnded { .. } => unread.clear(),
            Entry::Steered { turn, parts, key } => {
                number += 1;
                let (parts, key) = (parts.clone(), key.clone());
                let saying = Saying { parts, key, ..Saying::default() };
                unread.push((format!("{turn}/{number}"), saying));
            }
            _ => {}
        }
    }
    unread
}

/// The title of a session that began without words.
pub(crate) const NO_TEXT: &str = "(no text)";

/// The texts of a message in one line.
pub(crate) fn words(parts: &[Part]) -> String {
    let texts = parts.iter().filter_map(|part| match &part.content {
        Content::Text { text } => Some(text.as_str()),
        _ => None,
    });
    texts.flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ")
}

/// The first words of a message, cut between words where that is possible.
pub(crate) fn title(parts: &[Part]) -> String {
    let texts = parts.iter().filter_map(|part| match &part.content {
        Content::Text { text } => Some(text.as_str()),
        _ => None,
    });
    let words =
        texts.flat_map(str::split_whitespace).filter(|word| !word.chars().all(char::is_control));
    let text = words.take(TITLE_LENGTH).collect::<Vec<_>>().join(" ");
    let text: String = text.chars().filter(|c| !c.is_control()).collect();
    if text.is_empty() {
        return NO_TEXT.to_owned();
    }
    if text.chars().count() <= TITLE_LENGTH {
        return text;
    }
    let cut: String = text.chars().take(TITLE_LENGTH - 1).collect();
    let whole_words = cut.rsplit_once(' ').map_or(cut.as_str(), |(words, _)| words);
    format!("{whole_words}…")
}

/// A turn as far as it was recorded.
struct OpenTurn {
    turn: TurnId,
    calls: Vec<CallId>,
    started: BTreeSet<CallId>,
    usage: Usage,
    dollars: Option<Money>,
}

impl OpenTurn {
    fn last_of(entries: &[Entry]) -> Option<Self> {
        let mut open: Option<Self> = None;
        for entry in entries {
            match (entry, &mut open) {
                (Entry::TurnStarted { turn, .. }, _) => {
                    open = Some(Self {
                        turn: turn.clone(),
                        calls: Vec::new(),
                        started: BTreeSet::new(),
                        usage: Usage::default(),
                        dollars: None,
                    });
                }
                (Entry::TurnEnded { .. }, _) => open = None,
                (Entry::CallReceived { call, .. }, Some(open)) => open.calls.push(call.id.clone()),
                (Entry::CallStarted { call_id, .. }, Some(open)) => {
                    open.started.insert(call_id.clone());
                }
                (Entry::CallFinished { call_id, .. }, Some(open)) => {
                    open.calls.retain(|id| id != call_id)
                }
                (
                    Entry::StepEnded { usage, dollars, .. }
                    | Entry::ChildAnswered { usage, dollars, .. },
                    Some(open),
                ) => {
                    open.usage += *usage;
                    if let Some(dollars) = dollars {
                        open.dollars = Some(open.dollars.unwrap_or_default().plus(*dollars));
                    }
                }
                _ => {}
            }
        }
        open
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hydroid_core::message::{Message, StopReason};
    use hydroid_core::tool::ToolCall;

    #[track_caller]
    fn check_title(text: &str, expect: &str) {
        assert_eq!(title(&Message::user(text).parts), expect);
        assert!(expect.chars().count() <= TITLE_LENGTH);
    }

    #[test]
    fn a_title_is_the_first_words_on_one_line() {
        check_title("  list\n\tfiles ", "list files");
        check_title("", "(no text)");
        check_title("\u{1b}[31mred\u{7}", "[31mred");
        let long = "é".repeat(70);
        check_title(&long, &format!("{}…", "é".repeat(59)));
        check_title(
            "please read every file in the directory and tell me which is the longest of them",
            "please read every file in the directory and tell me which…",
        );
    }

    #[test]
    fn an_interrupted_turn_gets_its_results_and_its_end() {
        let turn = TurnId::new("t2");
        let call = |id: &str| Entry::CallReceived {
            turn: turn.clone(),
            call: ToolCall { id: CallId::new(id), name: "x".into(), arguments: "{}".into() },
            parent: None,
        };
        let usage = Usage { input: 3, output: 1, ..Usage::default() };
        let result = |id: &str, output| Entry::CallFinished {
            turn: turn.clone(),
            call_id: CallId::new(id),
            output,
            label: Label::host(),
        };
        let entries = vec![
            Entry::TurnStarted { turn: turn.clone(), parts: Message::user("hi").parts, key: None },
            call("a"),
            call("b"),
            Entry::StepEnded {
                turn: turn.clone(),
                stop: StopReason::ToolUse,
                usage,
                dollars: Money::of_dollars(0.5),
            },
            result("a", ToolOutput::text("ok")),
        ];
        let ended = Entry::TurnEnded {
            turn: turn.clone(),
            outcome: Outcome::Interrupted,
            usage,
            dollars: Money::of_dollars(0.5),
        };
        let closing = closing_entries(&entries);
        assert_eq!(closing, [result("b", ToolOutput::error(NEVER_RAN)), ended.clone()]);
        let started = Entry::CallStarted {
            turn: turn.clone(),
            call_id: CallId::new("b"),
            component: hydroid_core::id::ComponentId::new("c"),
            call: hydroid_core::tool::ToolCall {
                id: CallId::new("b"),
                name: "x".into(),
                arguments: "{}".into(),
            },
        };
        let started = closing_entries(&[entries.clone(), vec![started]].concat());
        assert_eq!(started, [result("b", ToolOutput::error(INTERRUPTED)), ended]);
        assert_eq!(closing_entries(&[entries.clone(), closing].concat()), []);
        assert_eq!(used_ids(&entries), BTreeSet::from([CallId::new("a"), CallId::new("b")]));
    }
}
