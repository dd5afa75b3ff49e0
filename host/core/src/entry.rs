//! Entries of the journal: everything that happened in a session, in order. What a client is
//! shown is an entry that was appended first, so a conversation can be rebuilt from entries
//! alone, also after the process was killed.

use crate::id::{CallId, ClientKey, ComponentId, TurnId};
use crate::message::{Content, Label, Message, Part, Role, StopReason, Usage};
use crate::money::Money;
use crate::policy::Decision;
use crate::protocol::SessionSettings;
use crate::reliability::ModelNews;
use crate::skill::{LoadedSkill, SkillBy};
use crate::tool::{Impact, Preview, ToolCall, ToolOutput};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// One thing that happened. The JSON shape is stored and sent to clients: fields may be added
/// with a default, never renamed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Entry {
    /// A turn began with the person's message.
    TurnStarted {
        /// The turn.
        turn: TurnId,
        /// The message.
        parts: Vec<Part>,
        /// The key that the client gave the message.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<ClientKey>,
    },
    /// The person said something into a running turn; the model reads it before its next step.
    Steered {
        /// The turn.
        turn: TurnId,
        /// The message.
        parts: Vec<Part>,
        /// The key that the client gave it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<ClientKey>,
    },
    /// The conversation forgets a turn and all that follows it.
    Rewound {
        /// The first turn that is forgotten; all of them when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<TurnId>,
    },
    /// The session has other settings of its own, from its next turn on.
    SettingsChanged {
        /// All of them.
        settings: SessionSettings,
    },
    /// A model was asked.
    StepStarted {
        /// The turn.
        turn: TurnId,
        /// Number of the step in the turn, from 1.
        step: u32,
        /// The provider component.
        provider: ComponentId,
        /// The model.
        model: String,
    },
    /// The model said something; to be appended to what it said before in this step.
    Text {
        /// The turn.
        turn: TurnId,
        /// The text.
        text: String,
    },
    /// The model thought something.
    Thinking {
        /// The turn.
        turn: TurnId,
        /// Readable text.
        text: String,
        /// What the provider wants back verbatim.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        opaque: Option<crate::message::Bytes>,
    },
    /// The model cited a source.
    Cited {
        /// The turn.
        turn: TurnId,
        /// Where it is.
        uri: String,
        /// Its title.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        title: Option<String>,
    },
    /// The model asked for a tool call, or a component that is being called did.
    CallReceived {
        /// The turn.
        turn: TurnId,
        /// The call.
        call: ToolCall,
        /// The call that asked for it; none if the model did. The model reads neither such a call
        /// nor its result.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        parent: Option<CallId>,
    },
    /// The person is asked whether a call may run.
    ApprovalAsked {
        /// The turn.
        turn: TurnId,
        /// The call.
        call_id: CallId,
        /// What will run, exactly.
        call: ToolCall,
        /// The component that would run it.
        component: ComponentId,
        /// What it can do.
        impact: Impact,
        /// Why it is asked.
        reason: String,
        /// The pattern that an answer for longer would be about; empty when there is none, because
        /// a person approves such a call each time.
        #[serde(default)]
        scope: String,
        /// What the person is shown beside the arguments.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        preview: Option<Preview>,
    },
    /// The person changed the arguments of a call they were asked about.
    CallEdited {
        /// The turn.
        turn: TurnId,
        /// The call.
        call_id: CallId,
        /// The arguments now, as JSON text.
        arguments: String,
    },
    /// It was decided whether a call may run.
    CallDecided {
        /// The turn.
        turn: TurnId,
        /// The call.
        call_id: CallId,
        /// The decision in force.
        decision: Decision,
        /// Who decided.
        by: DecidedBy,
        /// The rule in force, as the person can find it.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        rule: String,
        /// The component that would run it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        component: Option<ComponentId>,
    },
    /// A call began to run.
    CallStarted {
        /// The turn.
        turn: TurnId,
        /// The call.
        call_id: CallId,
        /// The component that runs it.
        component: ComponentId,
        /// The call as it runs, arguments normalised.
        call: ToolCall,
    },
    /// A call ended.
    CallFinished {
        /// The turn.
        turn: TurnId,
        /// The call.
        call_id: CallId,
        /// What the model reads.
        output: ToolOutput,
        /// Where it came from.
        label: Label,
    },
    /// The model's answer ended.
    StepEnded {
        /// The turn.
        turn: TurnId,
        /// Why.
        stop: StopReason,
        /// Tokens of this step.
        usage: Usage,
        /// Money of this step in US dollars; none when its price or its tokens are not known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        dollars: Option<Money>,
    },
    /// The model of a child turn answered. What it said is in what its call returns; the calls it
    /// asks for are entries of their own.
    ChildAnswered {
        /// The turn.
        turn: TurnId,
        /// The call that started the child turn.
        call_id: CallId,
        /// Number of the step in the child turn, from 1.
        step: u32,
        /// Who answered.
        by: crate::reliability::ModelRef,
        /// Why the answer ended.
        stop: StopReason,
        /// Tokens of this step.
        usage: Usage,
        /// Money of this step in US dollars; none when its price or its tokens are not known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        dollars: Option<Money>,
    },
    /// The host has something to say to the person.
    Notice {
        /// The turn.
        turn: TurnId,
        /// The text.
        text: String,
    },
    /// The host tells what became of a request to a model: that it is sent again, or that another
    /// model than the step began with answers.
    ModelNews {
        /// The turn.
        turn: TurnId,
        /// What happened.
        news: ModelNews,
    },
    /// The older part of the conversation was summed up. From here on the summary is sent in its
    /// place; the entries stay.
    Compacted {
        /// Turns from the beginning of the session that the summary stands for.
        covers: u32,
        /// The summary.
        summary: String,
        /// The model that wrote it; none if the host shortened what was said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<crate::reliability::ModelRef>,
    },
    /// The session took a skill up: from here on the model reads its instructions.
    SkillLoaded {
        /// The turn; none if no model wants it loaded.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        turn: Option<TurnId>,
        /// The call that wanted it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        call_id: Option<CallId>,
        /// Who wants it.
        #[serde(default)]
        by: SkillBy,
        /// The skill.
        skill: LoadedSkill,
    },
    /// The session laid a skill down.
    SkillUnloaded {
        /// The turn; none if no model wants it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        turn: Option<TurnId>,
        /// Who wants it.
        #[serde(default)]
        by: SkillBy,
        /// Its name.
        name: String,
    },
    /// The turn ended.
    TurnEnded {
        /// The turn.
        turn: TurnId,
        /// How.
        outcome: Outcome,
        /// Tokens of the turn.
        usage: Usage,
        /// Money of those steps whose price is known, in US dollars.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        dollars: Option<Money>,
    },
}

/// Who decided on a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DecidedBy {
    /// The rules.
    Policy,
    /// The person, this time.
    User,
    /// The person, earlier in this session.
    Session,
    /// The person, earlier and for good.
    Standing,
}

/// How a turn ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// The model gave its final answer.
    Completed,
    /// The person cancelled.
    Cancelled,
    /// Everything was stopped, by `hydroid stop --all`.
    Stopped,
    /// A budget was used up.
    BudgetReached {
        /// Which and how much, with the key that raises it.
        reason: String,
    },
    /// The model repeated itself.
    Repeating {
        /// What it repeated.
        reason: String,
    },
    /// The model could not answer.
    Failed {
        /// Why.
        reason: String,
    },
    /// The process ended in the middle; found on the next start.
    Interrupted,
}

/// What the model reads in place of a result that never came.
pub const INTERRUPTED: &str = "the host stopped before this call had a result; it may or may not have had an effect: look before trying again";

/// What the model reads of a call that was never run.
pub const NEVER_RAN: &str = "the host stopped before this call was run, so it had no effect; ask again if it is still wanted";

/// Rebuilds the conversation from a session's entries, oldest first.
///
/// Every tool call has exactly one result afterwards: a call whose result never came gets
/// [`INTERRUPTED`], and a result without a call is left out. Text that was shown is kept, also
/// of an answer that was cut off.
///
/// What was summed up is not in it; the summary stands before the first message that is.
pub fn conversation(entries: &[Entry]) -> Vec<Message> {
    let messages = whole_conversation(entries);
    let Some((covers, summary)) = summary_in_force(entries) else { return messages };
    let mut turns = 0;
    let kept = messages.iter().position(|message| {
        turns += u32::from(message.role == Role::User);
        turns > covers
    });
    // A summary of everything there is would leave nothing to answer.
    let Some(kept) = kept else { return messages };
    let mut messages: Vec<Message> = messages.into_iter().skip(kept).collect();
    if let Some(first) = messages.first_mut() {
        first.parts.insert(0, Part::new(Content::text(summary), Label::summary()));
    }
    messages
}

/// The last summary and the messages of the person it stands for. One that stands for messages
/// that were taken back since is none any more.
pub fn summary_in_force(entries: &[Entry]) -> Option<(u32, &str)> {
    entries.iter().enumerate().rev().find_map(|(place, entry)| match entry {
        Entry::Compacted { covers, summary, .. } if stands(entries, place, *covers) => {
            Some((*covers, summary.as_str()))
        }
        _ => None,
    })
}

fn stands(entries: &[Entry], place: usize, covers: u32) -> bool {
    let said = |until: usize| {
        let messages = whole_conversation(&entries[..=until]);
        messages.iter().filter(|message| message.role == Role::User).count()
    };
    let after = entries.iter().enumerate().skip(place);
    after
        .filter(|(_, entry)| matches!(entry, Entry::Rewound { .. }))
        .all(|(until, _)| u32::try_from(said(until)).is_ok_and(|said| said >= covers))
}

/// The conversation as if nothing had been summed up.
pub fn whole_conversation(entries: &[Entry]) -> Vec<Message> {
    let mut rebuild = Rebuild::default();
    for entry in entries {
        rebuild.take(entry);
    }
    rebuild.close_step();
    rebuild.messages
}

#[derive(Default)]
struct Rebuild {
    messages: Vec<Message>,
    assistant: Vec<Part>,
    asked: Vec<ToolCall>,
    seen: BTreeSet<CallId>,
    started: BTreeSet<CallId>,
    results: Vec<(CallId, ToolOutput, Label)>,
    /// What the person said into the step.
    steered: Vec<Part>,
    /// Where each turn begins among the messages.
    turns: Vec<(TurnId, usize)>,
    /// What a person put in place of a call's arguments.
    edited: BTreeMap<CallId, String>,
    model: Option<Label>,
}

impl Rebuild {
    fn take(&mut self, entry: &Entry) {
        match entry {
            Entry::TurnStarted { turn, parts, .. } => {
                self.close_step();
                self.turns.push((turn.clone(), self.messages.len()));
                self.messages.push(Message { role: Role::User, parts: parts.clone() });
            }
            Entry::Steered { parts, .. } => self.steered.extend(parts.iter().cloned()),
            Entry::Rewound { to } => {
                self.close_step();
                self.forget(to.as_ref());
            }
            Entry::StepStarted { provider, model, .. } => {
                self.close_step();
                self.model = Some(Label::model(provider.clone(), model.clone()));
            }
            Entry::Text { text, .. } => {
                let label = self.label();
                match self.assistant.last_mut() {
                    Some(Part { content: Content::Text { text: said }, .. }) => said.push_str(text),
                    _ => self.assistant.push(Part::new(Content::text(text.clone()), label)),
                }
            }
            Entry::Thinking { text, opaque, .. } => {
                let label = self.label();
                match self.assistant.last_mut() {
                    Some(Part {
                        content: Content::Thinking { text: said, opaque: open @ None },
                        ..
                    }) => {
                        said.push_str(text);
                        *open = opaque.clone();
                    }
                    _ => self.assistant.push(Part::new(
                        Content::Thinking { text: text.clone(), opaque: opaque.clone() },
                        label,
                    )),
                }
            }
            Entry::Cited { uri, title, .. } => {
                let label = self.label();
                self.assistant.push(Part::new(
                    Content::Link { uri: uri.clone(), title: title.clone(), media_type: None },
                    label,
                ));
            }
            // What a component asked for is between it and the other one.
            Entry::CallReceived { parent: Some(_), .. } => {}
            Entry::CallReceived { call, parent: None, .. } => {
                if self.seen.insert(call.id.clone()) {
                    let label = self.label();
                    self.asked.push(call.clone());
                    self.assistant.push(Part::new(Content::ToolCall { call: call.clone() }, label));
                }
            }
            Entry::CallFinished { call_id, output, label, .. } => {
                self.results.push((call_id.clone(), output.clone(), label.clone()));
            }
            Entry::ModelNews { news, .. } => {
                if let Some(by) = news.answers() {
                    self.model = Some(Label::model(by.provider.clone(), by.model.clone()));
                }
            }
            Entry::TurnEnded { .. } => self.close_step(),
            Entry::CallStarted { call_id, .. } => {
                self.started.insert(call_id.clone());
            }
            Entry::CallEdited { call_id, arguments, .. } => {
                self.edited.insert(call_id.clone(), arguments.clone());
            }
            Entry::ApprovalAsked { .. }
            | Entry::CallDecided { .. }
            | Entry::StepEnded { .. }
            | Entry::ChildAnswered { .. }
            | Entry::SkillLoaded { .. }
            | Entry::SkillUnloaded { .. }
            | Entry::SettingsChanged { .. }
            | Entry::Compacted { .. }
            | Entry::Notice { .. } => {}
        }
    }

    /// Forgets a turn and what follows; a turn that was forgotten before is no longer there.
    fn forget(&mut self, to: Option<&TurnId>) {
        let from = match to {
            None => Some(0),
            Some(turn) => self.turns.iter().position(|(known, _)| known == turn),
        };
        if let Some(from) = from {
            let begins = self.turns.get(from).map_or(0, |(_, begins)| *begins);
            self.messages.truncate(begins);
            self.turns.truncate(from);
        }
    }

    fn label(&self) -> Label {
        self.model.clone().unwrap_or_else(Label::host)
    }

    fn close_step(&mut self) {
        if !self.assistant.is_empty() {
            let parts = std::mem::take(&mut self.assistant);
            self.messages.push(Message { role: Role::Assistant, parts });
        }
        let asked = std::mem::take(&mut self.asked);
        let results = std::mem::take(&mut self.results);
        if !asked.is_empty() {
            self.close_calls(asked, results);
        }
        let parts = std::mem::take(&mut self.steered);
        if !parts.is_empty() {
            self.messages.push(Message { role: Role::User, parts });
        }
    }

    fn close_calls(&mut self, asked: Vec<ToolCall>, mut results: Vec<(CallId, ToolOutput, Label)>) {
        let parts = asked
            .into_iter()
            .map(|call| {
                let found = results.iter().position(|(id, _, _)| *id == call.id);
                let (output, label) = match found {
                    Some(index) => {
                        let (_, output, label) = results.swap_remove(index);
                        (output, label)
                    }
                    None if self.started.contains(&call.id) => {
                        (ToolOutput::error(INTERRUPTED), Label::host())
                    }
                    None => (ToolOutput::error(NEVER_RAN), Label::host()),
                };
                let mut content = output.content;
                if let Some(arguments) = self.edited.remove(&call.id) {
                    let note =
                        format!("[the person changed the arguments of this call to {arguments}]");
                    content.insert(0, Content::text(note));
                }
                Part::new(
                    Content::ToolResult { call_id: call.id, content, is_error: output.is_error },
                    label,
                )
            })
            .collect();
        self.messages.push(Message { role: Role::Tool, parts });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reliability::ModelRef;

    fn turn() -> TurnId {
        TurnId::new("t")
    }

    fn call(id: &str) -> ToolCall {
        ToolCall { id: CallId::new(id), name: "file_read".into(), arguments: "{}".into() }
    }

    fn started() -> Vec<Entry> {
        vec![
            Entry::TurnStarted { turn: turn(), parts: Message::user("hi").parts, key: None },
            Entry::StepStarted {
                turn: turn(),
                step: 1,
                provider: ComponentId::new("p"),
                model: "m".into(),
            },
        ]
    }

    /// One line a message: role, then its parts.
    fn render(messages: &[Message]) -> Vec<String> {
        messages
            .iter()
            .map(|message| {
                let parts: Vec<String> = message
                    .parts
                    .iter()
                    .map(|part| match &part.content {
                        Content::Text { text } => text.clone(),
                        Content::ToolCall { call } => format!("call {}", call.id),
                        Content::ToolResult { call_id, is_error, .. } => {
                            format!("result {call_id}{}", if *is_error { " error" } else { "" })
                        }
                        other => format!("{other:?}"),
                    })
                    .collect();
                format!("{:?}: {}", message.role, parts.join(" | "))
            })
            .collect()
    }

    #[track_caller]
    fn check(more: Vec<Entry>, expect: &[&str]) {
        let mut entries = started();
        entries.extend(more);
        assert_eq!(render(&conversation(&entries)), expect);
    }

    fn text(text: &str) -> Entry {
        Entry::Text { turn: turn(), text: text.into() }
    }

    fn received(id: &str) -> Entry {
        Entry::CallReceived { turn: turn(), call: call(id), parent: None }
    }

    fn finished(id: &str) -> Entry {
        Entry::CallFinished {
            turn: turn(),
            call_id: CallId::new(id),
            output: ToolOutput::text("ok"),
            label: Label::host(),
        }
    }

    #[test]
    fn what_another_model_said_is_labelled_with_that_model() {
        let to = ModelRef { provider: ComponentId::new("q"), model: "n".into() };
        let news = ModelNews::Routed { to, task: "vision".into() };
        let mut entries = started();
        entries.extend([Entry::ModelNews { turn: turn(), news }, text("hello")]);
        let label = conversation(&entries)[1].parts[0].label.clone();
        assert_eq!(label, Label::model(ComponentId::new("q"), "n"));
    }

    fn steered(text: &str) -> Entry {
        Entry::Steered { turn: turn(), parts: Message::user(text).parts, key: None }
    }

    #[test]
    fn what_is_said_into_a_turn_stands_after_the_step() {
        check(
            vec![text("let me"), steered("faster"), received("a"), finished("a")],
            &["User: hi", "Assistant: let me | call a", "Tool: result a", "User: faster"],
        );
        check(vec![steered("one"), text("ok")], &["User: hi", "Assistant: ok", "User: one"]);
    }

    #[test]
    fn a_conversation_forgets_from_a_turn_on() {
        let second = Entry::TurnStarted {
            turn: TurnId::new("t2"),
            parts: Message::user("b").parts,
            key: None,
        };
        let rewound = |to: Option<&str>| Entry::Rewound { to: to.map(TurnId::new) };
        let again = Entry::TurnStarted {
            turn: TurnId::new("t3"),
            parts: Message::user("c").parts,
            key: None,
        };
        let both = vec![text("yes"), second, text("no")];
        let with = |more: Vec<Entry>| [both.clone(), more].concat();
        check(with(vec![rewound(Some("t2"))]), &["User: hi", "Assistant: yes"]);
        check(
            with(vec![rewound(Some("t2")), again.clone(), rewound(Some("t2"))]),
            &["User: hi", "Assistant: yes", "User: c"],
        );
        check(with(vec![rewound(None), again]), &["User: c"]);
        check(
            with(vec![rewound(Some("other"))]),
            &["User: hi", "Assistant: yes", "User: b", "Assistant: no"],
        );
    }

    #[test]
    fn a_summary_of_what_was_taken_back_is_none_any_more() {
        let turn = |id: &str, said: &str| Entry::TurnStarted {
            turn: TurnId::new(id),
            parts: Message::user(said).parts,
            key: None,
        };
        let summed_up = Entry::Compacted { covers: 2, summary: "before".into(), by: None };
        let rewound = |to: &str| Entry::Rewound { to: Some(TurnId::new(to)) };
        let begun = vec![text("one"), turn("t2", "b"), text("two"), turn("t3", "c"), summed_up];
        let with = |more: Vec<Entry>| [begun.clone(), more].concat();
        check(with(vec![text("three")]), &["User: before | c", "Assistant: three"]);
        check(with(vec![rewound("t3"), turn("t4", "d")]), &["User: before | d"]);
        check(
            with(vec![rewound("t2"), turn("t4", "d"), turn("t5", "e")]),
            &["User: hi", "Assistant: one", "User: d", "User: e"],
        );
    }

    #[test]
    fn streamed_text_becomes_one_part() {
        check(vec![text("Hel"), text("lo")], &["User: hi", "Assistant: Hello"]);
    }

    #[test]
    fn results_come_in_call_order() {
        check(
            vec![received("a"), received("b"), finished("b"), finished("a")],
            &["User: hi", "Assistant: call a | call b", "Tool: result a | result b"],
        );
    }

    #[test]
    fn a_call_cut_off_by_a_crash_gets_a_result() {
        check(
            vec![text("let me see"), received("a"), received("b"), finished("a")],
            &[
                "User: hi",
                "Assistant: let me see | call a | call b",
                "Tool: result a | result b error",
            ],
        );
    }

    #[test]
    fn a_result_without_a_call_is_left_out() {
        check(vec![finished("x"), text("done")], &["User: hi", "Assistant: done"]);
    }

    #[test]
    fn a_call_recorded_twice_appears_once() {
        check(
            vec![received("a"), received("a"), finished("a")],
            &["User: hi", "Assistant: call a", "Tool: result a"],
        );
    }
}
