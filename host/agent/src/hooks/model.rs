//! Hooks around an answer: before a model is asked, and before anything of the answer is shown.

use super::{only_texts_differ, unfit};
use crate::effects::TurnContext;
use hydroid_core::hook::{HookPoint, HookVerdict, HookWord};
use hydroid_core::message::{Message, StopReason, Usage};
use hydroid_core::money::Money;
use hydroid_core::ports::{ModelError, ModelEvent};
use hydroid_core::reliability::ModelNews;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The kind of a request that a hook did not let pass.
const DENIED: &str = "denied";

/// What is sent, or what is said instead of asking.
pub(crate) enum Asked {
    /// These messages.
    Send(Vec<Message>),
    /// Nobody is asked; this is the answer.
    Reply(String),
}

/// What became of an answer.
pub(crate) enum Answered {
    /// These events of it are shown.
    Show(Vec<ModelEvent>),
    /// It is thrown away, and the model is asked again, with this beside.
    Again(HookWord),
}

/// Asks about a request.
pub(crate) async fn before_model(
    turn: &TurnContext,
    (provider, model): (&str, &str),
    messages: Vec<Message>,
) -> Result<Asked, ModelError> {
    if !turn.agent.hooks.wants(HookPoint::BeforeModel, None) {
        return Ok(Asked::Send(messages));
    }
    let subject = json!({ "provider": provider, "model": model, "messages": messages });
    let outcome = turn.ask_hooks(HookPoint::BeforeModel, None, subject).await;
    let messages = if outcome.replaced {
        let changed = outcome.subject.get("messages").cloned().unwrap_or_default();
        let changed: Vec<Message> = serde_json::from_value(changed)
            .map_err(|_| denied(&unfit("the conversation into something else")))?;
        let fits = messages.len() == changed.len()
            && messages.iter().zip(&changed).all(|(one, other)| only_texts_differ(one, other));
        if !fits {
            return Err(denied(&unfit("more of the conversation than its texts")));
        }
        changed
    } else {
        messages
    };
    match outcome.verdict {
        HookVerdict::Proceed => Ok(Asked::Send(messages)),
        HookVerdict::Reply(word) => Ok(Asked::Reply(word.text)),
        HookVerdict::Deny(word) | HookVerdict::Ask(word) | HookVerdict::Retry(word) => {
            Err(denied(&word))
        }
    }
}

/// Asks about an answer, all of it.
pub(crate) async fn after_model(
    turn: &TurnContext,
    (provider, model): (&str, &str),
    events: Vec<ModelEvent>,
) -> Result<Answered, ModelError> {
    let subject = subject(provider, model, &events);
    let outcome = turn.ask_hooks(HookPoint::AfterModel, None, subject).await;
    match outcome.verdict {
        HookVerdict::Proceed if !outcome.replaced => Ok(Answered::Show(events)),
        HookVerdict::Proceed => match outcome.subject.get("text").and_then(Value::as_str) {
            Some(text) => Ok(Answered::Show(with_text(events, text))),
            None => Err(denied(&unfit("an answer into one without a text"))),
        },
        HookVerdict::Reply(word) => {
            let mut events = without_calls(events);
            events = with_text(events, &word.text);
            Ok(Answered::Show(events))
        }
        HookVerdict::Retry(word) => Ok(Answered::Again(word)),
        HookVerdict::Deny(word) | HookVerdict::Ask(word) => Err(denied(&word)),
    }
}

/// What answers that were thrown away have used; it is used all the same.
#[derive(Debug, Default)]
pub(crate) struct Spent {
    usage: Usage,
    money: Option<Money>,
    /// Of one of them nobody can tell what it cost.
    unknown: bool,
    /// What became of their requests.
    news: Vec<ModelNews>,
}

impl Spent {
    /// Counts an answer that is thrown away.
    pub(crate) fn add(&mut self, answer: &[ModelEvent]) {
        let usage = answer.iter().rev().find_map(|event| match event {
            ModelEvent::Usage(usage) => Some(*usage),
            _ => None,
        });
        let charged = answer.iter().rev().find_map(|event| match event {
            ModelEvent::Charged(money) => Some(*money),
            _ => None,
        });
        self.usage += usage.unwrap_or_default();
        self.news.extend(answer.iter().filter_map(|event| match event {
            ModelEvent::News(news) => Some(news.clone()),
            _ => None,
        }));
        match charged {
            Some(Some(money)) => self.money = Some(self.money.unwrap_or_default().plus(money)),
            Some(None) => self.unknown = true,
            None => {}
        }
    }

    /// Counts one that broke off. What it cost is not known, unless nothing of it was asked for.
    pub(crate) fn add_broken(&mut self, answer: &[ModelEvent], sent: bool) {
        self.add(answer);
        let told = answer.iter().any(|event| matches!(event, ModelEvent::Charged(_)));
        self.unknown |= !told && (sent || !answer.is_empty());
    }

    /// What was used where no answer is shown; nothing if nothing was.
    pub(crate) fn events(&self) -> Vec<ModelEvent> {
        let usage = (self.usage != Usage::default()).then_some(ModelEvent::Usage(self.usage));
        let charged = match (self.unknown, self.money) {
            (true, _) => Some(ModelEvent::Charged(None)),
            (false, Some(money)) => Some(ModelEvent::Charged(Some(money))),
            (false, None) => None,
        };
        let news = self.news.iter().cloned().map(ModelEvent::News);
        news.chain(usage).chain(charged).collect()
    }

    /// The answer that is shown, with what the others have used.
    pub(crate) fn beside(&self, events: Vec<ModelEvent>) -> Vec<ModelEvent> {
        let with_others = |event| match event {
            ModelEvent::Usage(mut usage) => {
                usage += self.usage;
                ModelEvent::Usage(usage)
            }
            ModelEvent::Charged(_) if self.unknown => ModelEvent::Charged(None),
            ModelEvent::Charged(Some(money)) => {
                ModelEvent::Charged(Some(money.plus(self.money.unwrap_or_default())))
            }
            other => other,
        };
        events.into_iter().map(with_others).collect()
    }
}

fn denied(word: &HookWord) -> ModelError {
    ModelError {
        kind: DENIED.to_owned(),
        message: format!("{word}; a person can take the hook out of `hooks.use`"),
        retry_after_ms: None,
        sent: false,
    }
}

fn subject(provider: &str, model: &str, events: &[ModelEvent]) -> Value {
    #[derive(Default)]
    struct Call<'a> {
        name: &'a str,
        arguments: String,
    }
    let mut text = String::new();
    let mut calls: BTreeMap<u32, Call<'_>> = BTreeMap::new();
    let mut usage = Usage::default();
    let mut stop = StopReason::Other;
    for event in events {
        match event {
            ModelEvent::Text(more) => text.push_str(more),
            ModelEvent::CallStarted { index, name, .. } => {
                calls.entry(*index).or_default().name = name;
            }
            ModelEvent::CallArguments { index, fragment } => {
                calls.entry(*index).or_default().arguments.push_str(fragment);
            }
            ModelEvent::Usage(so_far) => usage = *so_far,
            ModelEvent::Finished(reason) => stop = *reason,
            ModelEvent::Thinking { .. }
            | ModelEvent::CallEnded { .. }
            | ModelEvent::Cited { .. }
            | ModelEvent::Charged(_)
            | ModelEvent::Other { .. }
            | ModelEvent::News(_) => {}
        }
    }
    let calls: Vec<Value> = calls
        .into_values()
        .map(|call| json!({ "tool": call.name, "arguments": call.arguments }))
        .collect();
    json!({
        "provider": provider,
        "model": model,
        "text": text,
        "calls": calls,
        "usage": usage,
        "stop_reason": stop,
    })
}

/// The same answer with one text in place of all there were, where the first of them stood.
fn with_text(events: Vec<ModelEvent>, text: &str) -> Vec<ModelEvent> {
    let is_text = |event: &ModelEvent| matches!(event, ModelEvent::Text(_));
    let place = events
        .iter()
        .position(is_text)
        .or_else(|| events.iter().position(|event| matches!(event, ModelEvent::CallStarted { .. })))
        .or_else(|| events.iter().position(|event| matches!(event, ModelEvent::Finished(_))))
        .unwrap_or(events.len());
    let (before, after) = events.split_at(place);
    before
        .iter()
        .cloned()
        .chain(std::iter::once(ModelEvent::Text(text.to_owned())))
        .chain(after.iter().filter(|event| !is_text(event)).cloned())
        .collect()
}

/// The same answer without what it wanted done, and so at its end.
fn without_calls(events: Vec<ModelEvent>) -> Vec<ModelEvent> {
    events
        .into_iter()
        .filter(|event| {
            !matches!(
                event,
                ModelEvent::CallStarted { .. }
                    | ModelEvent::CallArguments { .. }
                    | ModelEvent::CallEnded { .. }
            )
        })
        .map(|event| match event {
            ModelEvent::Finished(StopReason::ToolUse) => ModelEvent::Finished(StopReason::EndTurn),
            other => other,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer() -> Vec<ModelEvent> {
        vec![
            ModelEvent::Text("a".into()),
            ModelEvent::Text("b".into()),
            ModelEvent::CallStarted { index: 0, id: "1".into(), name: "read".into() },
            ModelEvent::CallArguments { index: 0, fragment: "{}".into() },
            ModelEvent::CallEnded { index: 0 },
            ModelEvent::Usage(Usage { input: 3, output: 2, ..Usage::default() }),
            ModelEvent::Finished(StopReason::ToolUse),
        ]
    }

    #[test]
    fn a_hook_is_shown_the_answer_as_a_whole() {
        let subject = subject("p", "m", &answer());
        assert_eq!(subject["text"], "ab");
        assert_eq!(subject["calls"], json!([{ "tool": "read", "arguments": "{}" }]));
        assert_eq!(subject["usage"]["input"], 3);
        assert_eq!(subject["stop_reason"], "tool_use");
    }

    #[test]
    fn another_text_stands_where_the_first_stood() {
        let events = with_text(answer(), "c");
        assert_eq!(events[0], ModelEvent::Text("c".into()));
        assert_eq!(events.iter().filter(|event| matches!(event, ModelEvent::Text(_))).count(), 1);
        assert_eq!(events.len(), answer().len() - 1);
        let silent = vec![ModelEvent::Finished(StopReason::EndTurn)];
        assert_eq!(with_text(silent, "c")[0], ModelEvent::Text("c".into()));
    }

    #[test]
    fn an_answer_without_its_calls_is_at_its_end() {
        let events = without_calls(answer());
        assert_eq!(events.last(), Some(&ModelEvent::Finished(StopReason::EndTurn)));
        assert_eq!(events.len(), 4);
    }
}
