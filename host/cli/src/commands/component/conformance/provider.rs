//! The rules for providers.

use super::Findings;
use crate::commands::component::trial::{Bench, Terms, Trial, context};
use anyhow::Result;
use hydroid_core::id::CallId;
use hydroid_core::message::{Content, Label, Message, Part, Role};
use hydroid_core::ports::{CancelFlag, Model, ModelError, ModelEvent, ModelRequest};
use hydroid_core::tool::ToolCall;
use serde_json::json;
use std::collections::BTreeSet;

/// Batches of events that are read of one answer; more is an answer that does not end.
const MOST_BATCHES: usize = 10_000;

/// Tries every rule on a provider component.
pub(in crate::commands::component) async fn provider(
    bench: &Bench<'_>,
    wasm: &[u8],
    stem: &str,
    terms: &Terms,
) -> Result<Findings> {
    let mut findings = Findings::default();
    let trial = bench.load(wasm, stem, terms)?;
    let name = trial.loaded.name().to_string();
    let models = trial.catalog.models(&name).await;
    findings.judge("models are listed, or why they cannot be", broke(models.as_ref().err()));
    let models = models.unwrap_or_default();
    let names: BTreeSet<&str> = models.iter().map(|model| model.id.as_str()).collect();
    findings.judge(
        "each model has an identifier of its own",
        (names.len() != models.len() || names.contains(""))
            .then(|| "two are the same, or one is empty; the person chooses a model by it".into()),
    );
    let model = models.first().map_or("some-model", |model| model.id.as_str()).to_owned();
    let said = |text: &str| vec![message(Role::User, vec![Content::text(text)])];
    let answer = ask(&trial, request(&name, &model, said("hello")), CancelFlag::default()).await;
    findings.judge("an answer ends with `finish`, or with an error", whole(&answer));
    findings.judge("calls in an answer begin, go on and end in order", ordered(&answer));
    let other = request(&name, "no-such-model", said("hello"));
    let other = ask(&trial, other, CancelFlag::default()).await;
    findings.judge("a model that is not there breaks nothing", broke(other.error.as_ref()));
    let call = ToolCall {
        id: CallId::new("c"),
        name: "no_such_tool".into(),
        arguments: "{not json".into(),
    };
    let result = Content::ToolResult {
        call_id: CallId::new("c"),
        content: vec![Content::Json { json: json!({"a": null}) }],
        is_error: true,
    };
    let hostile = [
        Vec::new(),
        said(""),
        said("\u{0}\u{202e}🦀"),
        said(&"x".repeat(1 << 20)),
        vec![message(Role::Assistant, vec![Content::ToolCall { call }])],
        vec![message(Role::Tool, vec![result])],
        vec![message(Role::User, Vec::new())],
    ];
    let mut problems = Vec::new();
    for (index, messages) in hostile.into_iter().enumerate() {
        let mut request = request(&name, &model, messages);
        if index % 2 == 1 {
            request.options = Some(json!({"no_such_setting": [1, {"a": null}]}));
        }
        let answer = ask(&trial, request, CancelFlag::default()).await;
        problems.extend(broke(answer.error.as_ref()));
    }
    problems.dedup();
    findings.judge(
        "hostile conversations break nothing",
        (!problems.is_empty()).then(|| problems.join("; ")),
    );
    let flag = CancelFlag::default();
    flag.cancel();
    let cancelled = ask(&trial, request(&name, &model, said("hello")), flag).await;
    findings.judge("an answer that is cancelled breaks nothing", broke(cancelled.error.as_ref()));
    Ok(findings)
}

/// An answer, as far as it came.
struct Answer {
    events: Vec<ModelEvent>,
    error: Option<ModelError>,
    endless: bool,
}

async fn ask(trial: &Trial, request: ModelRequest, cancel: CancelFlag) -> Answer {
    let mut answer = Answer { events: Vec::new(), error: None, endless: false };
    let mut completion = match trial.catalog.complete(request, context(cancel)).await {
        Ok(completion) => completion,
        Err(error) => return Answer { error: Some(error), ..answer },
    };
    for _ in 0..MOST_BATCHES {
        match completion.next().await {
            Ok(events) if events.is_empty() => return answer,
            Ok(events) => answer.events.extend(events),
            Err(error) => return Answer { error: Some(error), ..answer },
        }
    }
    Answer { endless: true, ..answer }
}

fn request(provider: &str, model: &str, messages: Vec<Message>) -> ModelRequest {
    ModelRequest {
        provider: hydroid_core::id::ComponentId::new(provider),
        model: model.to_owned(),
        system: "You are tried out.".into(),
        messages,
        tools: Vec::new(),
        max_tokens: Some(64),
        temperature: None,
        options: None,
    }
}

/// A defect, and not an error that says what is wrong.
fn broke(error: Option<&ModelError>) -> Option<String> {
    error.filter(|error| error.kind == "internal" || error.kind == "timeout").map(|error| {
        format!("{}; return an error that says what is wrong, and do not panic", error.message)
    })
}

fn whole(answer: &Answer) -> Option<String> {
    if answer.endless {
        return Some(format!("it did not end within {MOST_BATCHES} batches of events"));
    }
    if let Some(error) = &answer.error {
        return broke(Some(error));
    }
    let last = answer.events.iter().rev().find(|event| {
        !matches!(event, ModelEvent::Usage(_) | ModelEvent::Other { .. } | ModelEvent::Charged(_))
    });
    match last {
        Some(ModelEvent::Finished(_)) => None,
        _ => Some("it ended without `finish`, so nobody can tell that it is whole".into()),
    }
}

fn ordered(answer: &Answer) -> Option<String> {
    let mut open = BTreeSet::new();
    let mut seen = BTreeSet::new();
    for event in &answer.events {
        let fits = match event {
            ModelEvent::CallStarted { index, .. } => seen.insert(*index) && open.insert(*index),
            ModelEvent::CallArguments { index, .. } => open.contains(index),
            ModelEvent::CallEnded { index } => open.remove(index),
            ModelEvent::Finished(_) => open.is_empty(),
            _ => true,
        };
        if !fits {
            return Some(format!("{event:?} came where no such call was under way"));
        }
    }
    None
}

fn message(role: Role, content: Vec<Content>) -> Message {
    let parts = content.into_iter().map(|content| Part::new(content, Label::host()));
    Message { role, parts: parts.collect() }
}
