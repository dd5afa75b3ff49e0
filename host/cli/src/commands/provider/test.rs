//! `hydroid provider test`: one short request to the service in use, and what came of it in words.

use super::in_use;
use crate::exit::{Exit, usage};
use crate::stopped::refuse_if_stopped;
use crate::terminal;
use crate::wire::Ground;
use anyhow::{Context, Result};
use hydroid_core::harmless::{excerpt, harmless};
use hydroid_core::id::{ComponentId, SessionId, TurnId};
use hydroid_core::message::{Content, Label, Message, Part, Role, StopReason, Usage};
use hydroid_core::money::Money;
use hydroid_core::ports::{
    CallContext, CancelFlag, Model, ModelError, ModelEvent, ModelRequest, RateWindows, SawSecret,
};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Room for an answer of one word behind the thinking of a model that thinks.
const MOST_TOKENS: u32 = 1024;
/// Longest answer that is shown, in characters.
const LONGEST_ANSWER: usize = 200;

/// Runs the command.
pub(super) async fn test(ground: &Ground, name: Option<&str>) -> Result<Exit> {
    refuse_if_stopped(&ground.paths)?;
    let used = in_use(ground)?;
    if let Some(name) = name {
        crate::providers::find(name)?;
        if used.as_deref() != Some(name) {
            let used = used.map_or_else(
                || format!("`{}` at another address", ground.config.model.provider),
                |used| format!("`{used}`"),
            );
            return Err(usage(format!(
                "{used} is in use, not `{name}`; `hydroid provider add {name}` changes that"
            )));
        }
    }
    let database = ground.database().await?;
    let catalog = ground.catalog(&database)?;
    let model = &ground.config.model;
    terminal::say(&format!(
        "asking `{}` by {}{}",
        harmless(&model.name),
        model.provider,
        used.map(|used| format!(" ({used})")).unwrap_or_default()
    ));
    let begun = Instant::now();
    let models = Arc::new(crate::models::open(&ground.paths, &ground.config)?);
    // What it costs is kept like that of any other request.
    let metered = ground.metered(&catalog, models, &database);
    match ask(ground, &metered).await? {
        Ok(answer) => told(ground, &answer, begun.elapsed()),
        Err(error) => {
            terminal::say(&format!("it does not work: {}", harmless(&error.message)));
            if let Some(remedy) = remedy(&error, &model.name) {
                terminal::say(&remedy);
            }
            Ok(Exit::Failed)
        }
    }
}

/// What came of the request.
#[derive(Debug, Default)]
struct Answer {
    text: String,
    pieces: usize,
    thought: bool,
    usage: Usage,
    stop: Option<StopReason>,
    /// What the service's headers say about rate limits.
    limits: Option<RateWindows>,
    /// What it cost, as far as that can be told.
    cost: Option<Money>,
}

async fn ask(ground: &Ground, model: &dyn Model) -> Result<Result<Answer, ModelError>> {
    let config = &ground.config.model;
    let options = config.options.as_ref().map(serde_json::to_value).transpose();
    let request = ModelRequest {
        provider: ComponentId::new(&config.provider),
        model: config.name.clone(),
        system: String::new(),
        messages: vec![Message {
            role: Role::User,
            parts: vec![Part {
                content: Content::Text { text: "Answer with one word: ready".into() },
                label: Label::user(),
            }],
        }],
        tools: Vec::new(),
        max_tokens: Some(MOST_TOKENS),
        temperature: config.temperature,
        options: options.context("`model.options` cannot be sent as JSON")?,
    };
    let context = CallContext {
        user: ground.user(),
        session: SessionId::new("provider-test"),
        turn: TurnId::new("provider-test"),
        call: None,
        cancel: CancelFlag::default(),
        progress: Arc::new(|_, _| {}),
        secret: SawSecret::default(),
        trace: Default::default(),
        nested: None,
        wants_data: false,
    };
    let mut completion = match model.complete(request, context).await {
        Ok(completion) => completion,
        Err(error) => return Ok(Err(error)),
    };
    let mut answer = Answer::default();
    loop {
        match completion.next().await {
            Ok(events) if events.is_empty() => return Ok(Ok(answer)),
            Ok(events) => events.into_iter().for_each(|event| answer.take(event)),
            Err(error) => return Ok(Err(error)),
        }
    }
}

impl Answer {
    fn take(&mut self, event: ModelEvent) {
        match event {
            ModelEvent::Text(text) => {
                self.text.push_str(&text);
                self.pieces += 1;
            }
            ModelEvent::Thinking { .. } => self.thought = true,
            ModelEvent::Usage(usage) => self.usage = usage,
            ModelEvent::Finished(stop) => self.stop = Some(stop),
            ModelEvent::Charged(cost) => self.cost = cost,
            ModelEvent::CallStarted { .. }
            | ModelEvent::CallArguments { .. }
            | ModelEvent::CallEnded { .. }
            | ModelEvent::Cited { .. }
            | ModelEvent::News(_) => {}
            ModelEvent::Other { kind, json } => {
                let Ok(value) = serde_json::from_str::<serde_json::Value>(&json) else { return };
                match kind.as_str() {
                    RateWindows::EVENT => self.limits = RateWindows::of_event(&json),
                    "hydroid/progress" => {
                        let message = value["message"].as_str().unwrap_or_default();
                        terminal::say(&excerpt(&harmless(message), LONGEST_ANSWER));
                    }
                    _ => {}
                }
            }
        }
    }
}

fn told(ground: &Ground, answer: &Answer, time: Duration) -> Result<Exit> {
    let text = ground.scrubber.current().scrub(answer.text.trim());
    terminal::print_line(&format!(
        "it works: answered `{}` in {:.1} s, in {} {}{}",
        excerpt(&harmless(&text), LONGEST_ANSWER),
        time.as_secs_f64(),
        answer.pieces,
        if answer.pieces == 1 { "piece" } else { "pieces" },
        if answer.thought { ", after thinking" } else { "" },
    ))?;
    let usage = answer.usage;
    terminal::print_line(&match usage.input + usage.output {
        0 => {
            "the service does not say how many tokens that took; budgets cannot count it".to_owned()
        }
        _ => {
            let cost = answer.cost.map_or("cost unknown".to_owned(), |cost| cost.to_string());
            format!(
                "it took {} tokens of input and {} of output, {cost}",
                usage.input, usage.output
            )
        }
    })?;
    if let Some(windows) = &answer.limits {
        terminal::print_line(&format!("left for now: {}", windows.left(Duration::ZERO)))?;
    }
    if answer.text.trim().is_empty() {
        let why = match answer.stop {
            Some(StopReason::MaxTokens) => {
                "the model used all of its tokens for thinking; a lower `reasoning_effort` in `model.options` leaves more"
            }
            Some(StopReason::Refusal) => "the model or the service declined",
            _ => {
                "the model said nothing; try another one with `hydroid config set model.name MODEL`"
            }
        };
        terminal::say(&format!("the answer is empty: {why}"));
    }
    Ok(Exit::Done)
}

/// What to do, where the error does not say so itself.
fn remedy(error: &ModelError, model: &str) -> Option<String> {
    let remedy = match error.kind.as_str() {
        _ if error.message.contains("hydroid ") => return None,
        "unauthenticated" => {
            "`hydroid secret list` shows which keys are stored, and `hydroid secret set NAME` replaces one"
                .to_owned()
        }
        "not-found" => format!(
            "if the service has no model `{}`, `hydroid config set model.name MODEL` names another",
            harmless(model)
        ),
        "rate-limited" => "wait a little, or look at the limits of your account".to_owned(),
        "unavailable" | "timeout" => {
            "see whether the service is up; for a server of your own, whether it runs and listens at the configured address"
                .to_owned()
        }
        _ => return None,
    };
    Some(remedy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remedy_is_given_once() {
        let error = |kind: &str, message: &str| ModelError {
            kind: kind.into(),
            message: message.into(),
            retry_after_ms: None,
            sent: false,
        };
        assert!(remedy(&error("not-found", "no such model"), "m").unwrap().contains("`m`"));
        assert!(remedy(&error("unauthenticated", "bad key"), "m").unwrap().contains("secret set"));
        assert_eq!(remedy(&error("denied", "`hydroid component grant x` allows it"), "m"), None);
        assert_eq!(remedy(&error("internal", "oops"), "m"), None);
    }
}
