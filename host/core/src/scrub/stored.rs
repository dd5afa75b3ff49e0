//! What was recorded before a secret became known: entries and messages are masked as they are
//! read, in every text of theirs. Nothing is guessed, as that was done when they were recorded.

use super::{Scrubber, Stream};
use crate::entry::{Entry, Outcome};
use crate::message::{Bytes, Content, Message, Part};
use crate::policy::Decision;
use crate::skill::LoadedSkill;
use crate::tool::{Preview, ToolCall, ToolOutput};
use serde_json::Value;

impl Scrubber {
    /// The message without known secrets and host paths. What a provider wants back verbatim stays
    /// as it is.
    pub fn known_message(&self, message: Message) -> Message {
        Message { parts: self.known_parts(message.parts), ..message }
    }

    /// A session's entries without known secrets and host paths, one for each. A secret that is
    /// divided between pieces of one answer is found too.
    pub fn known_entries(&self, entries: impl IntoIterator<Item = Entry>) -> Vec<Entry> {
        let mut masked: Vec<Entry> = Vec::new();
        let mut stream = self.stream_known();
        for entry in entries {
            if !masked.last().is_some_and(|last| goes_on(last, &entry)) {
                close(&mut masked, &mut stream);
            }
            masked.push(match entry {
                Entry::Text { turn, text } => Entry::Text { turn, text: stream.push(&text) },
                Entry::Thinking { turn, text, opaque } => {
                    Entry::Thinking { turn, text: stream.push(&text), opaque }
                }
                entry => self.known_entry(entry),
            });
        }
        close(&mut masked, &mut stream);
        masked
    }

    fn known_entry(&self, entry: Entry) -> Entry {
        match entry {
            Entry::TurnStarted { turn, parts, key } => {
                Entry::TurnStarted { turn, parts: self.known_parts(parts), key }
            }
            Entry::Text { turn, text } => Entry::Text { turn, text: self.mask_known(&text) },
            Entry::Thinking { turn, text, opaque } => {
                Entry::Thinking { turn, text: self.mask_known(&text), opaque }
            }
            Entry::Cited { turn, uri, title } => {
                let title = title.map(|title| self.mask_known(&title));
                Entry::Cited { turn, uri: self.mask_known(&uri), title }
            }
            Entry::CallReceived { turn, call, parent } => {
                Entry::CallReceived { turn, call: self.known_call(call), parent }
            }
            Entry::ApprovalAsked {
                turn,
                call_id,
                call,
                component,
                impact,
                reason,
                scope,
                preview,
            } => Entry::ApprovalAsked {
                turn,
                call_id,
                call: self.known_call(call),
                component,
                impact,
                reason: self.mask_known(&reason),
                scope: self.mask_known(&scope),
                preview: preview.map(|preview| self.known_preview(preview)),
            },
            Entry::CallEdited { turn, call_id, arguments } => {
                Entry::CallEdited { turn, call_id, arguments: self.mask_known(&arguments) }
            }
            Entry::CallDecided { turn, call_id, decision, by, rule, component } => {
                let decision = match decision {
                    Decision::Allow => Decision::Allow,
                    Decision::Ask { reason } => Decision::Ask { reason: self.mask_known(&reason) },
                    Decision::Deny { reason } => {
                        Decision::Deny { reason: self.mask_known(&reason) }
                    }
                };
                Entry::CallDecided {
                    turn,
                    call_id,
                    decision,
                    by,
                    rule: self.mask_known(&rule),
                    component,
                }
            }
            Entry::CallStarted { turn, call_id, component, call } => {
                Entry::CallStarted { turn, call_id, component, call: self.known_call(call) }
            }
            Entry::CallFinished { turn, call_id, output, label } => {
                let content = self.known_contents(output.content);
                let output = ToolOutput { content, is_error: output.is_error };
                Entry::CallFinished { turn, call_id, output, label }
            }
            Entry::Notice { turn, text } => Entry::Notice { turn, text: self.mask_known(&text) },
            Entry::ModelNews { turn, news } => {
                let news = news.with_texts(|text| self.mask_known(text));
                Entry::ModelNews { turn, news }
            }
            Entry::TurnEnded { turn, outcome, usage, dollars } => {
                Entry::TurnEnded { turn, outcome: self.known_outcome(outcome), usage, dollars }
            }
            Entry::Steered { turn, parts, key } => {
                Entry::Steered { turn, parts: self.known_parts(parts), key }
            }
            Entry::Compacted { covers, summary, by } => {
                Entry::Compacted { covers, summary: self.mask_known(&summary), by }
            }
            Entry::SkillLoaded { turn, call_id, by, skill } => {
                let text = self.mask_known(&skill.text);
                Entry::SkillLoaded { turn, call_id, by, skill: LoadedSkill { text, ..skill } }
            }
            Entry::StepStarted { .. }
            | Entry::StepEnded { .. }
            | Entry::ChildAnswered { .. }
            | Entry::SkillUnloaded { .. }
            | Entry::Rewound { .. }
            | Entry::SettingsChanged { .. } => entry,
        }
    }

    fn known_parts(&self, parts: Vec<Part>) -> Vec<Part> {
        let masked = |part: Part| Part { content: self.known_content(part.content), ..part };
        parts.into_iter().map(masked).collect()
    }

    fn known_contents(&self, contents: Vec<Content>) -> Vec<Content> {
        contents.into_iter().map(|content| self.known_content(content)).collect()
    }

    fn known_content(&self, content: Content) -> Content {
        let mask = |text: String| self.mask_known(&text);
        match content {
            Content::Text { text } => Content::Text { text: mask(text) },
            Content::Thinking { text, opaque } => Content::Thinking { text: mask(text), opaque },
            Content::ToolCall { call } => Content::ToolCall { call: self.known_call(call) },
            Content::ToolResult { call_id, content, is_error } => {
                Content::ToolResult { call_id, content: self.known_contents(content), is_error }
            }
            Content::Media { media_type, data, name } => {
                // A picture is left as it is; what is text is masked, whatever type it claims.
                let data = match String::from_utf8(data.0) {
                    Ok(text) => Bytes(self.mask_known(&text).into_bytes()),
                    Err(error) => Bytes(error.into_bytes()),
                };
                Content::Media { media_type: mask(media_type), data, name: name.map(mask) }
            }
            Content::Json { json } => Content::Json { json: self.known_json(json) },
            Content::Link { uri, title, media_type } => {
                let media_type = media_type.map(mask);
                Content::Link { uri: mask(uri), title: title.map(mask), media_type }
            }
            Content::Other { kind, json } => Content::Other { kind, json: mask(json) },
        }
    }

    fn known_json(&self, json: Value) -> Value {
        match json {
            Value::Null | Value::Bool(_) => json,
            Value::Number(number) => {
                let text = number.to_string();
                let masked = self.mask_known(&text);
                if masked == text { Value::Number(number) } else { Value::String(masked) }
            }
            Value::String(text) => Value::String(self.mask_known(&text)),
            Value::Array(items) => items.into_iter().map(|item| self.known_json(item)).collect(),
            Value::Object(fields) => fields
                .into_iter()
                .map(|(key, value)| (self.mask_known(&key), self.known_json(value)))
                .collect(),
        }
    }

    fn known_call(&self, call: ToolCall) -> ToolCall {
        ToolCall { arguments: self.mask_known(&call.arguments), ..call }
    }

    fn known_preview(&self, preview: Preview) -> Preview {
        match preview {
            Preview::Difference { text, digest } => {
                Preview::Difference { text: self.mask_known(&text), digest }
            }
            Preview::Copy { source, destination, bytes, digest } => Preview::Copy {
                source: self.mask_known(&source),
                destination: self.mask_known(&destination),
                bytes,
                digest,
            },
            Preview::Send { host, bytes } => Preview::Send { host: self.mask_known(&host), bytes },
            Preview::Unknown { reason } => Preview::Unknown { reason: self.mask_known(&reason) },
        }
    }

    fn known_outcome(&self, outcome: Outcome) -> Outcome {
        match outcome {
            Outcome::BudgetReached { reason } => {
                Outcome::BudgetReached { reason: self.mask_known(&reason) }
            }
            Outcome::Repeating { reason } => {
                Outcome::Repeating { reason: self.mask_known(&reason) }
            }
            Outcome::Failed { reason } => Outcome::Failed { reason: self.mask_known(&reason) },
            Outcome::Completed | Outcome::Cancelled | Outcome::Stopped | Outcome::Interrupted => {
                outcome
            }
        }
    }
}

/// True if one text is in both, the end of the first and the beginning of the second.
fn goes_on(last: &Entry, next: &Entry) -> bool {
    matches!(
        (last, next),
        (Entry::Text { .. }, Entry::Text { .. }) | (Entry::Thinking { .. }, Entry::Thinking { .. })
    )
}

/// Puts what was held back where the text ended.
fn close(masked: &mut [Entry], stream: &mut Stream) {
    let rest = stream.finish();
    if let Some(Entry::Text { text, .. } | Entry::Thinking { text, .. }) = masked.last_mut() {
        text.push_str(&rest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{CallId, TurnId};
    use crate::ports::SecretValue;
    use crate::scrub::KnownSecret;

    const KEY: &str = "correct horse battery";

    fn scrubber() -> Scrubber {
        let value = SecretValue::new(KEY.into());
        Scrubber::new(&[KnownSecret { name: Some("key".into()), value }], &[]).unwrap()
    }

    fn turn() -> TurnId {
        TurnId::new("t")
    }

    fn text(text: &str) -> Entry {
        Entry::Text { turn: turn(), text: text.into() }
    }

    #[test]
    fn a_secret_divided_between_pieces_of_an_answer_is_masked() {
        let notice = Entry::Notice { turn: turn(), text: format!("{KEY}!") };
        let entries = [text("it is correct ho"), text("rse batt"), text("ery, I think"), notice];
        let masked = scrubber().known_entries(entries);
        let texts: Vec<&str> = masked
            .iter()
            .filter_map(|entry| match entry {
                Entry::Text { text, .. } | Entry::Notice { text, .. } => Some(text.as_str()),
                _ => None,
            })
            .collect();
        assert_eq!(texts.len(), 4, "one for each");
        assert_eq!(texts.concat(), "it is [secret:key], I think[secret:key]!");
    }

    #[test]
    fn what_another_entry_interrupts_is_shown_where_it_was() {
        let other = Entry::StepStarted {
            turn: turn(),
            step: 1,
            provider: crate::id::ComponentId::new("p"),
            model: "m".into(),
        };
        let entries = vec![text("correct ho"), other, text("rse battery")];
        assert_eq!(scrubber().known_entries(entries.clone()), entries);
    }

    #[test]
    fn no_kind_of_entry_keeps_a_secret() {
        let call = serde_json::json!({ "id": "c", "name": "n", "arguments": KEY });
        let mut entries = vec![
            Entry::Cited { turn: turn(), uri: KEY.into(), title: Some(KEY.into()) },
            Entry::CallReceived {
                turn: turn(),
                call: serde_json::from_value(call).unwrap(),
                parent: None,
            },
            Entry::CallEdited { turn: turn(), call_id: CallId::new("c"), arguments: KEY.into() },
            Entry::CallDecided {
                turn: turn(),
                call_id: CallId::new("c"),
                decision: Decision::Deny { reason: KEY.into() },
                by: crate::entry::DecidedBy::Policy,
                rule: KEY.into(),
                component: None,
            },
            Entry::TurnEnded {
                turn: turn(),
                outcome: Outcome::Failed { reason: KEY.into() },
                usage: crate::message::Usage::default(),
                dollars: None,
            },
        ];
        let contents = vec![
            Content::text(KEY),
            Content::Json { json: serde_json::json!({ KEY: [KEY, 1, null] }) },
            Content::Link { uri: KEY.into(), title: Some(KEY.into()), media_type: None },
            Content::Other { kind: "k".into(), json: KEY.into() },
            Content::Media {
                media_type: "application/x".into(),
                data: Bytes(KEY.as_bytes().to_vec()),
                name: Some(KEY.into()),
            },
        ];
        let result = Content::ToolResult {
            call_id: CallId::new("c"),
            content: contents.clone(),
            is_error: false,
        };
        let label = crate::message::Label::user();
        entries.push(Entry::TurnStarted {
            turn: turn(),
            parts: vec![Part::new(result, label.clone())],
            key: None,
        });
        entries.push(Entry::CallFinished {
            turn: turn(),
            call_id: CallId::new("c"),
            output: ToolOutput { content: contents, is_error: false },
            label,
        });
        for entry in scrubber().known_entries(entries) {
            let shown = format!("{entry:?}{}", serde_json::to_string(&entry).unwrap());
            assert!(!shown.contains(KEY) && shown.contains("[secret:key]"), "{shown}");
            let bytes = format!("{:?}", KEY.as_bytes());
            assert!(!shown.contains(&bytes), "{shown}");
        }
    }

    /// The key is in every text of these, and what is written of them tells what else changed.
    #[test]
    fn every_text_of_an_entry_is_masked_and_nothing_else() {
        let key = || KEY.to_owned();
        let call = || ToolCall { id: CallId::new("c"), name: "n".into(), arguments: key() };
        let asked = |preview| Entry::ApprovalAsked {
            turn: turn(),
            call_id: CallId::new("c"),
            call: call(),
            component: crate::id::ComponentId::new("p"),
            impact: crate::tool::Impact::ReadOnly,
            reason: key(),
            scope: key(),
            preview,
        };
        let decided = |decision| Entry::CallDecided {
            turn: turn(),
            call_id: CallId::new("c"),
            decision,
            by: crate::entry::DecidedBy::Policy,
            rule: key(),
            component: None,
        };
        let ended = |outcome| Entry::TurnEnded {
            turn: turn(),
            outcome,
            usage: crate::message::Usage::default(),
            dollars: None,
        };
        let contents = || {
            vec![
                Content::text(KEY),
                Content::Thinking { text: key(), opaque: None },
                Content::ToolCall { call: call() },
                Content::Json { json: serde_json::json!({ KEY: [KEY, { "a": KEY }, 1.5, true] }) },
                Content::Link { uri: key(), title: Some(key()), media_type: Some(key()) },
                Content::Media { media_type: key(), data: Bytes(vec![0xff]), name: Some(key()) },
            ]
        };
        let label = crate::message::Label::user();
        let parts = || {
            let result = Content::ToolResult {
                call_id: CallId::new("c"),
                content: contents(),
                is_error: true,
            };
            vec![Part::new(result, label.clone()), Part::new(Content::text(KEY), label.clone())]
        };
        let difference = Preview::Difference { text: key(), digest: "d".into() };
        let copy =
            Preview::Copy { source: key(), destination: key(), bytes: 1, digest: "d".into() };
        let message = Message { role: crate::message::Role::User, parts: parts() };
        for entry in [
            Entry::TurnStarted { turn: turn(), parts: parts(), key: None },
            Entry::Steered { turn: turn(), parts: parts(), key: None },
            Entry::Thinking { turn: turn(), text: key(), opaque: None },
            Entry::Cited { turn: turn(), uri: key(), title: None },
            Entry::CallReceived { turn: turn(), call: call(), parent: None },
            asked(None),
            asked(Some(difference)),
            asked(Some(copy)),
            asked(Some(Preview::Send { host: key(), bytes: 1 })),
            asked(Some(Preview::Unknown { reason: key() })),
            Entry::CallEdited { turn: turn(), call_id: CallId::new("c"), arguments: key() },
            decided(Decision::Allow),
            decided(Decision::Ask { reason: key() }),
            decided(Decision::Deny { reason: key() }),
            Entry::CallStarted {
                turn: turn(),
                call_id: CallId::new("c"),
                component: crate::id::ComponentId::new("p"),
                call: call(),
            },
            Entry::CallFinished {
                turn: turn(),
                call_id: CallId::new("c"),
                output: ToolOutput { content: contents(), is_error: true },
                label: label.clone(),
            },
            Entry::Notice { turn: turn(), text: key() },
            ended(Outcome::BudgetReached { reason: key() }),
            ended(Outcome::Repeating { reason: key() }),
            ended(Outcome::Failed { reason: key() }),
            ended(Outcome::Cancelled),
        ] {
            let expect = serde_json::to_string(&entry).unwrap().replace(KEY, "[secret:key]");
            let masked = scrubber().known_entries([entry]);
            assert_eq!(masked.len(), 1);
            assert_eq!(serde_json::to_string(&masked[0]).unwrap(), expect);
        }
        let expect = serde_json::to_string(&message).unwrap().replace(KEY, "[secret:key]");
        let masked = scrubber().known_message(message);
        assert_eq!(serde_json::to_string(&masked).unwrap(), expect);
    }

    #[test]
    fn a_number_of_a_result_may_be_a_secret() {
        let value = SecretValue::new("483920".into());
        let scrubber = Scrubber::new(&[KnownSecret { name: None, value }], &[]).unwrap();
        let masked = scrubber.known_json(serde_json::json!([483920, 483921]));
        assert_eq!(masked, serde_json::json!(["[secret]", 483921]));
    }

    #[test]
    fn thoughts_and_answers_are_texts_of_their_own() {
        let thinking =
            |text: &str| Entry::Thinking { turn: turn(), text: text.into(), opaque: None };
        let (first, last) = ("correct ho", "rse battery");
        let apart = [text(first), thinking(last), text(first)];
        assert_eq!(scrubber().known_entries(apart.clone()), apart);
        let together = [thinking(first), thinking(last), text("!")];
        let expect = [thinking(""), thinking("[secret:key]"), text("!")];
        assert_eq!(scrubber().known_entries(together), expect);
    }
}
