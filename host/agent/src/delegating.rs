//! Child turns: a model works on a task that a call gave it, with some of the tools there are, and
//! what it says last is what the call gets. Each call it asks for is a call of that call: checked,
//! decided on, recorded and shown like any other, and nothing of it is the conversation's. What it
//! uses is counted as the turn's, so the turn's budgets hold for both.

use crate::answer::AnswerScrubber;
use crate::effects::{self, Beside, News, TurnContext};
use crate::hooks;
use crate::nested::{Asking, failed};
use crate::settings;
use crate::spans::AsideSpan;
use futures_util::future::join_all;
use hydroid_core::hook::HookPoint;
use hydroid_core::id::{CallId, ComponentId};
use hydroid_core::message::{Content, Label, Message, Part, Role, StopReason, Usage};
use hydroid_core::money::Money;
use hydroid_core::ports::{
    CallContext, ChildTask, ModelError, ModelEvent, ModelRequest, NestedAnswer,
};
use hydroid_core::protocol::SessionSettings;
use hydroid_core::reliability::ModelRef;
use hydroid_core::tool::{Impact, ToolCall, ToolOutput};
use hydroid_core::turn::{ChildStep, ReceivedCalls, Repeated, Repetition, SIDE_BY_SIDE};
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::sync::oneshot;

/// What the model reads beside its instructions.
const ORDER: &str = "\n\nYou work on one task that was delegated to you; the only message is that task. Nobody reads along, and nobody can be asked what was meant. Work with the tools there are, and end with the answer: only your last message is read, by who delegated it, so everything that is to be known has to be in it.";

/// What the session is told by a child turn.
#[derive(Debug)]
pub(crate) struct Child {
    /// It begins now; who wrote its task.
    pub(crate) begins: Option<Label>,
    /// Its model answered.
    pub(crate) answered: Option<ChildStep>,
    /// Why its model may not be asked again; none if it may.
    pub(crate) reply: oneshot::Sender<Option<String>>,
}

/// Runs one to its end.
pub(crate) async fn run(asking: &Asking, task: ChildTask) -> NestedAnswer {
    let mut turn = asking.turn.clone();
    turn.trace = asking.context.trace.clone();
    if let Some(route) = &turn.agent.config.model.route.delegate {
        turn.own = SessionSettings {
            provider: Some(route.provider.clone()),
            model: Some(route.name.clone()),
            ..SessionSettings::default()
        };
    }
    turn.tell(HookPoint::SubagentStart, json!({ "task": task.prompt, "tools": task.tools }));
    let mut cancelled = Cancelled(Some(turn.clone()));
    let mut work = Work {
        asking,
        turn,
        tools: task.tools,
        messages: Vec::new(),
        used_ids: BTreeSet::new(),
        repeated: Repeated::default(),
        step: 0,
        calls: 0,
        usage: Usage::default(),
        dollars: None,
        secret: false,
    };
    let result = work.through(&task.prompt, task.author, task.max_steps).await;
    cancelled.0 = None;
    let subject = json!({
        "outcome": if result.is_ok() { "completed" } else { "failed" },
        "text": result.as_ref().unwrap_or_else(|problem| problem),
        "steps": work.step,
        "usage": work.usage,
        "dollars": work.dollars.map(|money| money.dollars()),
    });
    work.turn.tell(HookPoint::SubagentEnd, subject);
    match result {
        Ok(text) => {
            NestedAnswer { output: ToolOutput::text(text), denied: false, secret: work.secret }
        }
        Err(problem) => NestedAnswer { secret: work.secret, ..failed(problem) },
    }
}

/// A child turn that runs.
struct Work<'a> {
    asking: &'a Asking,
    /// The turn it is a part of, with the child's model.
    turn: TurnContext,
    tools: BTreeSet<String>,
    messages: Vec<Message>,
    /// Identifiers of its calls so far.
    used_ids: BTreeSet<CallId>,
    repeated: Repeated,
    step: u32,
    /// Calls it asked for so far.
    calls: u32,
    usage: Usage,
    dollars: Option<Money>,
    secret: bool,
}

impl Work<'_> {
    /// The last message, or why there is none.
    async fn through(
        &mut self,
        task: &str,
        author: Label,
        max_steps: Option<u32>,
    ) -> Result<String, String> {
        let most = self.turn.agent.config.turn.max_steps;
        let (most, remedy) = match max_steps {
            Some(wanted) if wanted < most => (wanted, "give it more `max_steps`"),
            Some(_) | None => (most, "raise `turn.max_steps`"),
        };
        let part = Part::new(Content::text(task), Label::host());
        self.messages.push(Message { role: Role::User, parts: vec![part] });
        self.may_go_on(Some(author), None).await?;
        loop {
            if self.step >= most {
                return Err(format!(
                    "the child turn asked its model as often as it may ({most}) and came to no answer; give it less to do, or {remedy}; what it changed is changed"
                ));
            }
            self.step += 1;
            let mut used = Vec::new();
            let answer = match self.ask(&mut used).await {
                Ok(answer) => answer,
                Err(error) => {
                    let mut broken = Answer { stop: StopReason::Error, ..Answer::default() };
                    let spent = !used.is_empty();
                    used.into_iter().for_each(|event| broken.take(event));
                    if spent {
                        drop(self.count(&broken).await);
                    }
                    return Err(error.message);
                }
            };
            // What was said last is said, also where nothing is left for more.
            let go_on = self.count(&answer).await;
            match answer.stop {
                StopReason::Refusal => return Err("the model declined the task".to_owned()),
                StopReason::Error => {
                    return Err("the service failed in the middle of the answer".to_owned());
                }
                _ if answer.calls.is_empty() && answer.text.trim().is_empty() => {
                    return Err("the model gave an empty answer".to_owned());
                }
                StopReason::MaxTokens if answer.calls.is_empty() => {
                    return Ok(format!(
                        "{}\n[the answer was cut off at the output limit]",
                        answer.text
                    ));
                }
                _ if answer.calls.is_empty() => return Ok(answer.text),
                _ => go_on?,
            }
            let asked = answer.calls.iter().map(|(call, _)| call);
            let told = match self.repeated.take(asked, self.turn.agent.config.turn.max_repeats) {
                Repetition::Few => None,
                Repetition::Told(told) => Some(told),
                Repetition::Over(times) => {
                    return Err(format!(
                        "the model asked for the same calls {times} times in a row; say what it is to do instead, or raise `turn.max_repeats`"
                    ));
                }
            };
            let results = self.call(&answer.calls, told.as_deref()).await;
            self.messages.push(Message { role: Role::Assistant, parts: answer.parts });
            self.messages.push(Message { role: Role::Tool, parts: results });
        }
    }

    /// Counts what an answer used; the error is why there may be no further one.
    async fn count(&mut self, answer: &Answer) -> Result<(), String> {
        for news in &answer.news {
            self.turn.report(News::Noticed(format!("in a child turn: {news}"))).await;
        }
        self.usage += answer.usage;
        if let Some(Some(more)) = answer.charged {
            self.dollars = Some(self.dollars.unwrap_or_default().plus(more));
        }
        let step = ChildStep {
            call_id: self.asking.parent.clone(),
            step: self.step,
            by: answer.by.clone().unwrap_or_else(|| self.model()),
            stop: answer.stop,
            usage: answer.usage,
            charged: answer.charged,
        };
        self.may_go_on(None, Some(step)).await
    }

    fn model(&self) -> ModelRef {
        let (provider, model) = settings::model_of(&self.turn.agent.config, &self.turn.own);
        ModelRef { provider: ComponentId::new(provider), model: model.to_owned() }
    }

    /// Tells the session how far it is; the error is why it may not go on.
    async fn may_go_on(
        &self,
        begins: Option<Label>,
        answered: Option<ChildStep>,
    ) -> Result<(), String> {
        let (reply, spent) = oneshot::channel();
        self.turn.report(News::Child(Child { begins, answered, reply })).await;
        match spent.await {
            Ok(None) => Ok(()),
            Ok(Some(reason)) => Err(reason),
            Err(_) => Err("the turn has ended".to_owned()),
        }
    }

    /// Asks the model once, with the hooks that every request has.
    async fn ask(&mut self, used: &mut Vec<ModelEvent>) -> Result<Answer, ModelError> {
        let agent = &self.turn.agent;
        let scrubber = agent.refreshed_scrubber().await.map_err(|problem| {
            effects::model_error(format!("the model was not asked, because the conversation cannot be searched for secrets now: {problem}"))
        })?;
        let messages = self.messages.iter().cloned();
        let messages = messages.map(|message| scrubber.known_message(message)).collect();
        let of = settings::model_of(&agent.config, &self.turn.own);
        let messages = match hooks::before_model(&self.turn, of, messages).await? {
            hooks::Asked::Send(messages) => messages,
            hooks::Asked::Reply(text) => {
                return Ok(Answer { text, stop: StopReason::EndTurn, ..Answer::default() });
            }
        };
        let request = self.request(messages)?;
        let whose = (&self.turn.user, &self.turn.session);
        let span = AsideSpan::within(&self.turn.trace, whose, of, &request);
        let context = &self.asking.context;
        let context = CallContext {
            trace: span.trace(),
            nested: None,
            progress: Arc::new(|_, _| {}),
            ..context.clone()
        };
        match effects::judged(&self.turn, of, request, context, used).await {
            Ok(events) => {
                let mut scrubbed = AnswerScrubber::new(scrubber);
                let mut answer = Answer::default();
                let taken = events.into_iter().flat_map(|event| scrubbed.take(event));
                for event in taken.collect::<Vec<_>>().into_iter().chain(scrubbed.finish()) {
                    answer.take(event);
                }
                span.answered(&answer.text, &answer.usage);
                Ok(answer.complete(self.model(), &mut self.used_ids))
            }
            Err(error) => {
                span.failed(&error.kind);
                let message = scrubber.scrub(&error.message);
                self.turn.tell_failure(
                    json!({ "where": "model", "kind": error.kind, "message": message }),
                );
                Err(ModelError { message, ..error })
            }
        }
    }

    fn request(&self, messages: Vec<Message>) -> Result<ModelRequest, ModelError> {
        let agent = &self.turn.agent;
        let mut request = effects::request(
            agent,
            messages,
            &Beside::default(),
            self.turn.headless,
            &self.turn.own,
        )?;
        request.tools.retain(|spec| self.tools.contains(&spec.name));
        request.system.push_str(ORDER);
        if let Some(route) = &agent.config.model.route.delegate {
            let options = route.options.as_ref().map(serde_json::to_value).transpose();
            request.options = options.map_err(|error| {
                effects::model_error(format!(
                    "`model.route.delegate.options` cannot be sent as JSON: {error}"
                ))
            })?;
        }
        Ok(request)
    }

    /// What came of the calls of one answer, in their order.
    async fn call(&mut self, calls: &[Asked], told: Option<&str>) -> Vec<Part> {
        let most = self.turn.agent.config.turn.max_tool_output_chars;
        let mut results = Vec::new();
        let mut left = calls;
        // As in a turn: what reads runs side by side, the rest one after another.
        while !left.is_empty() {
            let reading = left.iter().take(SIDE_BY_SIDE).take_while(|call| self.only_reads(call));
            let (now, later) = left.split_at(reading.count().max(1));
            let problems: Vec<Option<String>> =
                now.iter().map(|call| self.problem(call, told)).collect();
            let asked = now.iter().zip(problems);
            let asked = asked.map(|((call, _), problem)| self.result(call, problem));
            results.extend(join_all(asked).await);
            left = later;
        }
        let mut parts = Vec::new();
        for ((call, _), (answer, label)) in calls.iter().zip(results) {
            self.secret |= answer.secret;
            let output = answer.output.truncated(most);
            let result = Content::ToolResult {
                call_id: call.id.clone(),
                content: output.content,
                is_error: output.is_error,
            };
            parts.push(Part::new(result, label));
        }
        parts
    }

    /// Why a call is not put to the session. Each that is asked for counts.
    fn problem(&mut self, (_, problem): &Asked, told: Option<&str>) -> Option<String> {
        let most = self.turn.agent.config.limits.nested_calls;
        self.calls = self.calls.saturating_add(1);
        let too_many = (self.calls > most).then(|| format!(
            "this task has asked for {most} calls, and no more are allowed by `limits.nested_calls`; say what you found"
        ));
        too_many.or_else(|| problem.clone()).or_else(|| told.map(str::to_owned))
    }

    fn only_reads(&self, (call, problem): &Asked) -> bool {
        let checked = || self.turn.agent.tools.check(call);
        problem.is_none()
            && checked().is_ok_and(|its| its.impact == Impact::ReadOnly && !its.reach.calls_tools)
    }

    async fn result(&self, call: &ToolCall, problem: Option<String>) -> (NestedAnswer, Label) {
        let refused = |problem: String| (failed(problem), Label::host());
        if let Some(problem) = problem {
            return refused(problem);
        }
        if !self.tools.contains(&call.name) {
            let tools = self.tools.iter().cloned().collect::<Vec<_>>().join(", ");
            let tools = if tools.is_empty() { "there are none".to_owned() } else { tools };
            let told = format!("a child turn asked for `{}`, which it does not have", call.name);
            self.turn.report(News::Noticed(told)).await;
            return refused(format!("this task is done without that tool; tools: {tools}"));
        }
        self.asking.ask(call.name.clone(), call.arguments.clone()).await
    }
}

/// Tells that one was ended from outside, when it is dropped.
struct Cancelled(Option<TurnContext>);

impl Drop for Cancelled {
    fn drop(&mut self) {
        if let Some(turn) = self.0.take() {
            turn.tell(HookPoint::SubagentEnd, json!({ "outcome": "cancelled" }));
        }
    }
}

/// A call that an answer asks for, and why it may not run, if so.
type Asked = (ToolCall, Option<String>);

/// One answer of the model.
struct Answer {
    text: String,
    /// What is sent back to the model of it.
    parts: Vec<Part>,
    received: ReceivedCalls,
    calls: Vec<Asked>,
    /// Who answered in the end, where that is another model than was asked.
    by: Option<ModelRef>,
    /// What became of the request on its way.
    news: Vec<String>,
    usage: Usage,
    charged: Option<Option<Money>>,
    stop: StopReason,
}

impl Default for Answer {
    fn default() -> Self {
        Self {
            text: String::new(),
            parts: Vec::new(),
            received: ReceivedCalls::default(),
            calls: Vec::new(),
            by: None,
            news: Vec::new(),
            usage: Usage::default(),
            charged: None,
            stop: StopReason::Other,
        }
    }
}

impl Answer {
    fn take(&mut self, event: ModelEvent) {
        match event {
            ModelEvent::Text(text) => {
                self.text.push_str(&text);
                match self.parts.last_mut().map(|part| &mut part.content) {
                    Some(Content::Text { text: said }) => said.push_str(&text),
                    _ => self.parts.push(Part::new(Content::text(text), Label::host())),
                }
            }
            ModelEvent::Thinking { text, opaque } => {
                let opaque = opaque.map(hydroid_core::message::Bytes);
                match self.parts.last_mut().map(|part| &mut part.content) {
                    Some(Content::Thinking { text: thought, opaque: open @ None }) => {
                        thought.push_str(&text);
                        *open = opaque;
                    }
                    _ => self
                        .parts
                        .push(Part::new(Content::Thinking { text, opaque }, Label::host())),
                }
            }
            ModelEvent::CallStarted { .. }
            | ModelEvent::CallArguments { .. }
            | ModelEvent::CallEnded { .. } => self.received.take(&event),
            ModelEvent::Usage(usage) => self.usage = usage,
            ModelEvent::Charged(money) => self.charged = Some(money),
            ModelEvent::Finished(stop) => self.stop = stop,
            ModelEvent::News(news) => {
                self.by = news.answers().cloned().or(self.by.take());
                self.news.push(news.to_string());
            }
            ModelEvent::Cited { .. } | ModelEvent::Other { .. } => {}
        }
    }

    /// The same with its calls.
    fn complete(mut self, by: ModelRef, used_ids: &mut BTreeSet<CallId>) -> Self {
        let label = Label::model(by.provider, by.model);
        for part in &mut self.parts {
            part.label = label.clone();
        }
        self.calls = std::mem::take(&mut self.received).whole(self.stop, used_ids);
        let sent = self.calls.iter().map(|(call, _)| Content::ToolCall { call: call.clone() });
        self.parts.extend(sent.map(|content| Part::new(content, label.clone())));
        self
    }
}
