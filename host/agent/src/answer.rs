//! A model's answer on its way to the journal, without the secrets the host knows: text, thinking
//! and arguments are scrubbed across the borders of their fragments. In arguments nothing is
//! guessed: a tool must get what the model wrote. It does not judge content.

use crate::effects::NOTE_LENGTH;
use hydroid_core::ports::ModelEvent;
use hydroid_core::scrub::{Scrubber, Stream};
use std::collections::BTreeMap;

/// Scrubs one answer. What could be the beginning of a secret is held back until more of it, or
/// an event of another kind, has come.
pub(crate) struct AnswerScrubber {
    scrubber: Scrubber,
    text: Stream,
    thinking: Stream,
    arguments: BTreeMap<u32, Stream>,
}

impl AnswerScrubber {
    pub(crate) fn new(scrubber: Scrubber) -> Self {
        let text = scrubber.stream();
        let thinking = scrubber.stream();
        Self { scrubber, text, thinking, arguments: BTreeMap::new() }
    }

    /// The events that may be recorded now.
    pub(crate) fn take(&mut self, event: ModelEvent) -> Vec<ModelEvent> {
        match event {
            ModelEvent::Text(text) => {
                let mut events = self.rest_of_thinking(None);
                events.extend(text_event(self.text.push(&text)));
                events
            }
            ModelEvent::Thinking { text, opaque } => {
                let mut events = self.rest_of_text();
                let text = self.thinking.push(&text);
                if opaque.is_some() {
                    events.extend(self.thinking_with(text, opaque));
                } else if !text.is_empty() {
                    events.push(ModelEvent::Thinking { text, opaque: None });
                }
                events
            }
            ModelEvent::CallArguments { index, fragment } => {
                let scrubber = &self.scrubber;
                let stream = self.arguments.entry(index).or_insert_with(|| scrubber.stream_known());
                vec![ModelEvent::CallArguments { index, fragment: stream.push(&fragment) }]
            }
            ModelEvent::CallEnded { index } => {
                let mut events = self.rest_of_arguments(index);
                events.push(ModelEvent::CallEnded { index });
                events
            }
            ModelEvent::Cited { uri, title } => {
                let mut events = self.rest_of_text();
                let title = title.map(|title| self.scrubber.scrub(&title));
                events.push(ModelEvent::Cited { uri: self.scrubber.scrub(&uri), title });
                events
            }
            ModelEvent::News(news) => {
                let news = news.with_texts(|text| self.scrubber.scrub(text));
                vec![ModelEvent::News(news)]
            }
            ModelEvent::CallStarted { .. }
            | ModelEvent::Usage(_)
            | ModelEvent::Charged(_)
            | ModelEvent::Finished(_)
            | ModelEvent::Other { .. } => vec![event],
        }
    }

    /// What was held back, when the answer ends, however it ends.
    pub(crate) fn finish(&mut self) -> Vec<ModelEvent> {
        let mut events = self.rest_of_thinking(None);
        events.extend(self.rest_of_text());
        let open: Vec<u32> = self.arguments.keys().copied().collect();
        events.extend(open.into_iter().flat_map(|index| self.rest_of_arguments(index)));
        events
    }

    fn rest_of_text(&mut self) -> Vec<ModelEvent> {
        text_event(self.text.finish()).into_iter().collect()
    }

    fn rest_of_thinking(&mut self, opaque: Option<Vec<u8>>) -> Vec<ModelEvent> {
        self.thinking_with(String::new(), opaque)
    }

    fn thinking_with(&mut self, before: String, opaque: Option<Vec<u8>>) -> Vec<ModelEvent> {
        let text = before + &self.thinking.finish();
        if text.is_empty() && opaque.is_none() {
            return Vec::new();
        }
        vec![ModelEvent::Thinking { text, opaque }]
    }

    fn rest_of_arguments(&mut self, index: u32) -> Vec<ModelEvent> {
        let Some(mut stream) = self.arguments.remove(&index) else { return Vec::new() };
        vec![ModelEvent::CallArguments { index, fragment: stream.finish() }]
    }
}

fn text_event(text: String) -> Option<ModelEvent> {
    (!text.is_empty()).then_some(ModelEvent::Text(text))
}

/// The kind of event that tells how far something has come that an answer waits for.
const PROGRESS: &str = "hydroid/progress";

/// What events tell of that: how far, where that is known, and a note that can be shown.
pub(crate) fn progress(events: &[ModelEvent], scrubber: &Scrubber) -> Vec<(Option<f32>, String)> {
    let told = events.iter().filter_map(|event| match event {
        ModelEvent::Other { kind, json } if kind == PROGRESS => {
            serde_json::from_str::<serde_json::Value>(json)
                .ok()
                .filter(serde_json::Value::is_object)
        }
        _ => None,
    });
    told.map(|told| {
        let percent = told["fraction"].as_f64().filter(|fraction| fraction.is_finite());
        #[expect(clippy::cast_possible_truncation, reason = "from 0 to 1, and only shown")]
        let fraction = percent.map(|fraction| fraction.clamp(0.0, 1.0) as f32);
        let message = told["message"].as_str().unwrap_or_default();
        (fraction, scrubber.scrub(message).chars().take(NOTE_LENGTH).collect())
    })
    .collect()
}

/// A person's own words: only what is known to be secret is masked, since what merely looks like
/// a credential may be what they are asking about.
pub(crate) fn mask_known(scrubber: &Scrubber, text: &str) -> String {
    scrubber.mask_known(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_tells_how_far_it_is_is_progress() {
        let other =
            |kind: &str, json: &str| ModelEvent::Other { kind: kind.into(), json: json.into() };
        let events = [
            other(
                PROGRESS,
                r#"{"fraction":0.25,"message":"1 of 4 MB, with the key sk-known-1234"}"#,
            ),
            other(PROGRESS, r#"{"message":"looking"}"#),
            other(PROGRESS, r#"{"fraction":7.5}"#),
            other(PROGRESS, "[1"),
            other("hydroid/rate-limit", r#"{"message":"no"}"#),
            ModelEvent::Text("no".into()),
        ];
        let known = hydroid_core::scrub::KnownSecret {
            name: Some("key".into()),
            value: hydroid_core::ports::SecretValue::new("sk-known-1234".into()),
        };
        let scrubber = Scrubber::new(&[known], &[]).unwrap();
        let told = progress(&events, &scrubber);
        let expected = [
            (Some(0.25), "1 of 4 MB, with the key [secret:key]"),
            (None, "looking"),
            (Some(1.0), ""),
        ];
        assert_eq!(told, expected.map(|(fraction, note)| (fraction, note.to_owned())));
    }
}
