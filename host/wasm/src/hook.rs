//! The hook role: [`hydroid_core::ports::Hooks`] over those of the installed components that
//! `hooks.use` lists. Each question has an instance of its own. What an answer does is decided
//! where it was asked; here it is made sure that there is one.

mod answer;

use crate::bindings::hooks::AllHooksPre;
use crate::bindings::hooks::exports::hydroid::hook::hook as wit;
use crate::catalog::{Catalog, Status};
use crate::component::{self, LoadError, Loaded, Pre};
use crate::convert;
use crate::engine::WasmEngine;
use crate::instance::{Equipment, State};
use crate::trap::{self, Cause};
use answer::{Answer, answered};
use futures_util::future::{BoxFuture, FutureExt};
use hydroid_core::audit::{AuditAction, AuditEvent, AuditOutcome};
use hydroid_core::config::{Size, did_you_mean};
use hydroid_core::hook::{HookOutcome, HookPoint, HookVerdict, HookWord, ToolPatterns};
use hydroid_core::id::ComponentId;
use hydroid_core::ports::{CallContext, Hooks};
use hydroid_core::telemetry::names;
use serde_json::Value;
use std::sync::Arc;
use tokio::time::Instant;

/// Points one component may name.
const MOST_POINTS: usize = 64;

/// A subject takes at most this part of a hook's memory; what is made of it needs the rest.
const SUBJECT_SHARE: usize = 4;

/// How the sentence begins about a hook that says itself that it cannot decide.
const SAID: &str = "it could not decide";

/// Why a hook that is tried out gave no answer that counts.
#[derive(Debug)]
pub enum TriedHook {
    /// It answered what means nothing at this point.
    Unfit(&'static str),
    /// It says that it cannot decide.
    Said(String),
    /// It was stopped, broke a rule, or answered what nobody understands.
    Broke(String),
}

/// A hook component that is ready to be asked.
pub(crate) struct Hooking {
    pre: AllHooksPre<State>,
    subscriptions: Vec<Subscription>,
}

/// A point at which it wants to be asked.
struct Subscription {
    point: HookPoint,
    tools: ToolPatterns,
    order: u32,
}

impl Hooking {
    /// Asks the component where it wants to be asked, and checks that.
    pub(crate) fn introduced(
        engine: &WasmEngine,
        pre: AllHooksPre<State>,
        equipment: &Arc<Equipment>,
    ) -> Result<Self, LoadError> {
        let said =
            component::ask(engine, equipment, "where it wants to be asked", async |store| {
                let bindings = pre.instantiate_async(&mut *store).await?;
                bindings.hydroid_hook_hook().call_points(store).await
            })?;
        if said.is_empty() || said.len() > MOST_POINTS {
            return Err(LoadError::Definitions(format!(
                "it wants to be asked at {} points; 1 to {MOST_POINTS} are possible",
                said.len()
            )));
        }
        let subscriptions = said.iter().map(subscription).collect::<Result<_, _>>();
        Ok(Self { pre, subscriptions: subscriptions.map_err(LoadError::Definitions)? })
    }

    /// Where it is asked.
    pub(crate) fn points(&self) -> impl Iterator<Item = HookPoint> {
        self.subscriptions.iter().map(|subscription| subscription.point)
    }

    /// Its place among those who are asked here; none if it does not want to be.
    fn order(&self, point: HookPoint, tool: Option<&str>) -> Option<u32> {
        self.subscriptions
            .iter()
            .filter(|wanted| wanted.point == point)
            .filter(|wanted| tool.is_none_or(|tool| wanted.tools.has(tool)))
            .map(|wanted| wanted.order)
            .min()
    }
}

fn subscription(said: &wit::Subscription) -> Result<Subscription, String> {
    let Some(point) = HookPoint::of_name(&said.point) else {
        let known: Vec<&str> = HookPoint::ALL.iter().map(|point| point.name()).collect();
        let shown: String = said.point.chars().take(40).collect();
        return Err(format!(
            "it wants to be asked at `{shown}`, which is no point of this host{}; points: {}",
            did_you_mean(&shown, known.iter().copied()),
            known.join(", ")
        ));
    };
    if !point.is_of_tools() && !said.tools.is_empty() {
        return Err(format!("it names tools for the point `{point}`, which is about none"));
    }
    let tools = ToolPatterns::new(&said.tools)
        .map_err(|problem| format!("at the point `{point}`: {problem}"))?;
    Ok(Subscription { point, tools, order: said.order })
}

/// One that is asked, or why it cannot be.
struct Asked {
    order: u32,
    name: String,
    loaded: Result<Arc<Loaded>, String>,
}

impl Catalog {
    /// Why a hook that is to be asked cannot be; none if it can.
    pub fn hook_problem(&self, name: &str) -> Option<String> {
        self.hook(name).err()
    }

    fn hook(&self, name: &str) -> Result<Arc<Loaded>, String> {
        let snapshot = self.snapshot();
        let instead = "; a person can take it out of `hooks.use`, which `hydroid config explain hooks.use` shows";
        match snapshot.by_name.get(name).map(|installed| &installed.status) {
            Some(Status::Ready(loaded)) if matches!(loaded.pre, Pre::Hook(_)) => Ok(loaded.clone()),
            Some(Status::Ready(_)) => Err(format!("`{name}` in `hooks.use` is no hook{instead}")),
            Some(Status::Refused(problem)) => {
                Err(format!("the hook `{name}` is not loaded: {problem}"))
            }
            None => {
                let known = snapshot.by_name.keys().map(String::as_str);
                let known = known.filter(|known| known.starts_with("hook-"));
                let hint = did_you_mean(name, known);
                Err(format!("the hook `{name}` of `hooks.use` is not installed{hint}{instead}"))
            }
        }
    }

    /// Asks a hook that is tried out, whether it is in use or not: the kind of its answer, as far
    /// as it fits the point, or why there is none.
    pub async fn try_hook(
        &self,
        loaded: &Loaded,
        point: HookPoint,
        subject: &Value,
        context: &CallContext,
    ) -> Result<&'static str, TriedHook> {
        match decide(loaded, point, subject, context).await {
            Ok(answer) => match (answer.kind(), answer.fit_for(point).kind()) {
                (kind, fitting) if kind == fitting => Ok(kind),
                (kind, _) => Err(TriedHook::Unfit(kind)),
            },
            Err(problem) if problem.starts_with(SAID) => Err(TriedHook::Said(problem)),
            Err(problem) => Err(TriedHook::Broke(problem)),
        }
    }

    /// Those who are asked here, in their order. One that cannot be is among them at a gate.
    fn asked(&self, point: HookPoint, tool: Option<&str>) -> Vec<Asked> {
        let each = self.config().hooks.in_use.iter().filter_map(|name| {
            let loaded = self.hook(name);
            let order = match &loaded {
                Ok(loaded) => match &loaded.pre {
                    Pre::Hook(hooking) => hooking.order(point, tool)?,
                    Pre::Tool(_)
                    | Pre::Provider(_)
                    | Pre::Embedder(_)
                    | Pre::Parser(_)
                    | Pre::Channel(_) => {
                        return None;
                    }
                },
                Err(_) if point.is_gate() => 0,
                Err(_) => return None,
            };
            Some(Asked { order, name: name.clone(), loaded })
        });
        let mut asked: Vec<Asked> = each.collect();
        asked.sort_by(|one, other| (one.order, &one.name).cmp(&(other.order, &other.name)));
        asked
    }
}

impl Hooks for Catalog {
    fn wants(&self, point: HookPoint, tool: Option<&str>) -> bool {
        !self.config().hooks.in_use.is_empty() && !self.asked(point, tool).is_empty()
    }

    fn ask<'a>(
        &'a self,
        point: HookPoint,
        tool: Option<&'a str>,
        subject: Value,
        context: CallContext,
    ) -> BoxFuture<'a, HookOutcome> {
        async move {
            let mut outcome = HookOutcome::proceed(subject);
            for asked in self.asked(point, tool) {
                let by = ComponentId::new(asked.name);
                let answer = match &asked.loaded {
                    Ok(loaded) => decide(loaded, point, &outcome.subject, &context).await,
                    Err(problem) => Err(problem.clone()),
                };
                let answer = self.heard(point, tool, &by, answer, &context).await;
                let word = |text| HookWord { by: by.clone(), text };
                match answer {
                    Answer::Proceed => {}
                    Answer::Notice(text) => outcome.notices.push(word(text)),
                    // What has happened already is not changed any more.
                    _ if !point.is_gate() => {}
                    Answer::Replace(subject) => {
                        outcome.subject = subject;
                        outcome.replaced = true;
                    }
                    Answer::Ask(text) => {
                        if outcome.verdict == HookVerdict::Proceed {
                            outcome.verdict = HookVerdict::Ask(word(text));
                        }
                    }
                    Answer::Deny(text) => {
                        outcome.verdict = HookVerdict::Deny(word(text));
                        break;
                    }
                    Answer::Reply(text) => {
                        outcome.verdict = HookVerdict::Reply(word(text));
                        break;
                    }
                    Answer::Retry(text) => {
                        outcome.verdict = HookVerdict::Retry(word(text));
                        break;
                    }
                }
            }
            outcome
        }
        .boxed()
    }
}

impl Catalog {
    /// An answer, fit for its point, scrubbed and recorded. A failure is a denial.
    async fn heard(
        &self,
        point: HookPoint,
        tool: Option<&str>,
        by: &ComponentId,
        answer: Result<Answer, String>,
        context: &CallContext,
    ) -> Answer {
        let failed = answer.is_err();
        let answer = match answer {
            Ok(answer) => answer.fit_for(point),
            Err(problem) => Answer::Deny(problem),
        };
        let scrubber = self.scrubber();
        let answer = answer.map_text(|text| scrubber.scrub(&text));
        let (outcome, text) = match &answer {
            Answer::Proceed => return answer,
            Answer::Notice(text) | Answer::Reply(text) | Answer::Retry(text) => {
                (AuditOutcome::Allowed, text.as_str())
            }
            Answer::Replace(_) => (AuditOutcome::Allowed, "it was changed"),
            Answer::Ask(text) => (AuditOutcome::Asked, text.as_str()),
            Answer::Deny(text) if failed => (AuditOutcome::Failed, text.as_str()),
            Answer::Deny(text) => (AuditOutcome::Denied, text.as_str()),
        };
        if failed {
            tracing::warn!(hook = %by, %point, problem = %text, "a hook could not be asked");
        }
        let resource = match tool {
            Some(tool) => format!("{point} {tool}"),
            None => point.to_string(),
        };
        let event = AuditEvent {
            session: Some(context.session.clone()),
            turn: Some(context.turn.clone()).filter(|turn| !turn.as_str().is_empty()),
            component: Some(by.clone()),
            digest: self.get(by.as_str()).and_then(|installed| installed.digest.clone()),
            rule: text.chars().take(answer::LONGEST_RECORDED).collect(),
            ..AuditEvent::new(context.user.clone(), AuditAction::HookAnswered, resource, outcome)
        };
        match self.audit().record(event).await {
            Ok(()) => answer,
            Err(error) => {
                tracing::error!(hook = %by, %point, %error, "what a hook answered could not be recorded");
                Answer::Deny(
                    "what it answered could not be recorded; see `hydroid doctor`".to_owned(),
                )
            }
        }
    }
}

/// Asks one component, with its span. The error is a sentence.
async fn decide(
    loaded: &Loaded,
    point: HookPoint,
    subject: &Value,
    context: &CallContext,
) -> Result<Answer, String> {
    let mut span = loaded.span(&context.trace, "decide");
    span.set(names::HOOK_POINT, point.name());
    let context = CallContext { trace: span.trace(), ..context.clone() };
    let answer = asked(loaded, point, subject, context).await;
    match &answer {
        Ok(answer) => span.set(names::HOOK_ANSWER, answer.kind()),
        Err(_) => span.fail("no_answer"),
    }
    span.end();
    answer
}

async fn asked(
    loaded: &Loaded,
    point: HookPoint,
    subject: &Value,
    context: CallContext,
) -> Result<Answer, String> {
    let Pre::Hook(hooking) = &loaded.pre else {
        return Err(format!("`{}` is no hook", loaded.name()));
    };
    let (limits, component) = (loaded.limits(), loaded.name());
    let subject_json = subject.to_string();
    let most = limits.memory / SUBJECT_SHARE;
    if subject_json.len() > most {
        return Err(format!(
            "it would be asked about {}, and {} fit; a person can raise `components.{component}.limits.memory`, of which a subject takes a quarter",
            Size(subject_json.len() as u64),
            Size(most as u64)
        ));
    }
    let question = wit::Question {
        point: point.name().to_owned(),
        session: context.session.to_string(),
        turn: context.turn.to_string(),
        subject_json,
    };
    let deadline = Instant::now() + limits.call;
    let trace = context.trace.clone();
    let mut store = loaded.store(context, limits.call).map_err(|problem| {
        tracing::warn!(error = ?problem, "no store");
        "it could not be started".to_owned()
    })?;
    let asking = async {
        let mut instantiating = loaded.instantiating(&trace);
        let made = hooking.pre.instantiate_async(&mut store).await;
        if made.is_err() {
            instantiating.fail("trap");
        }
        instantiating.end();
        let bindings = made?;
        bindings.hydroid_hook_hook().call_decide(&mut store, &question).await
    };
    match tokio::time::timeout_at(deadline, asking).await {
        Ok(Ok(Ok(answer))) => answered(answer, limits.output),
        Ok(Ok(Err(said))) => Err(format!("{SAID}: {}", convert::error_text(&said))),
        Ok(Err(problem)) => Err(trap::sentence(&store, Cause::Error(problem))),
        Err(_) => Err(trap::sentence(&store, Cause::Deadline(limits.call))),
    }
}
