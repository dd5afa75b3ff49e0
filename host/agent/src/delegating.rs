//! Child turns: a model works on a task that a call gave it, with some of the tools there are, and
//! what it says last is what the call gets. Each call it asks for is a call of that call: checked,
//! decided on, recorded and shown like any other, and nothing of it is the conversation's. What it
//! uses is counted as the turn's, so the turn's budgets hold for both.

use crate::answer::AnswerScrubber;
use crate::effects::{self, News, TurnContext};
use crate::hooks::{self, LOOKING_ON};
use crate::nested::{Asking, failed};
use crate::settings;
use crate::spans::AsideSpan;
use futures_util::future::join_all;
use hydroid_core::arguments;
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
use hydroid_core::turn::{self, ChildStep};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tokio::sync::oneshot;

/// What the model reads beside its instructions.
const ORDER: &str = "\n\nYou work on one task that was delegated to you; the only message is that task. Nobody reads along, and nobody can be asked what was meant. Work with the tools there are, and end with the answer: only your last message is read, by who delegated it, so everything that is to be known has to be in it.";

/// Calls of one answer that are looked at.
const CALLS_AT_ONCE: usize = 32;

/// Calls that read and run side by side at most, as in a turn.
const SIDE_BY_SIDE: usize = 8;

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
    tell(&turn, HookPoint::SubagentStart, json!({ "task": task.prompt, "tools": task.tools }));
    let mut cancelled = Cancelled(Some(turn.clone()));
    let mut work = Work {
        asking,
        turn,
        tools: task.tools,
        messages: Vec::new(),
        used_ids: BTreeSet::new(),
        asked_last: (Vec::new(), 0),
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
    tell(&work.turn, HookPoint::SubagentEnd, subject);
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
    used_ids: BTreeSet<String>,
    /// What it asked for last, and how often in a row.
    asked_last: (Vec<(String, String)>, u32),
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
            let repeats = self.repeats(&answer.calls)?;
            let results = self.call(&answer.calls, repeats).await;
            self.messages.push(Message { role: Role::Assistant, parts: answer.parts });
            self.messages.push(Message { role: Role::Tool, parts: results });
        }
    }

    /// Counts what an answer used; the error is why there may be no further one.
    async fn count(&mut self, answer: &Answer) -> Result<(), String> {
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

    /// How often the same calls were asked for in a row, if that is too often to run them again; the
    /// error is that it goes on and on.
    fn repeats(&mut self, calls: &[Asked]) -> Result<Option<u32>, String> {
        let most = self.turn.agent.config.turn.max_repeats;
        let asked: Vec<(String, String)> =
            calls.iter().map(|its| (its.call.name.clone(), its.call.arguments.clone())).collect();
        let (last, times) = &mut self.asked_last;
        *times = if asked == *last { *times + 1 } else { 1 };
        *last = asked;
        if *times >= most.saturating_mul(2) {
            return Err(format!(
                "the model asked for the same calls {times} times in a row; say what it is to do instead, or raise `turn.max_repeats`"
            ));
        }
        Ok((*times > most).then_some(*times))
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
                Ok(answer.complete(&self.model(), &mut self.used_ids))
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
        let mut request =
            effects::request(agent, messages, &[], self.turn.headless, &self.turn.own)?;
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
    async fn call(&mut self, calls: &[Asked], repeats: Option<u32>) -> Vec<Part> {
        let most = self.turn.agent.config.turn.max_tool_output_chars;
        let mut results = Vec::new();
        let mut left = calls;
        // As in a turn: what reads runs side by side, the rest one after another.
        while !left.is_empty() {
            let reading = left.iter().take(SIDE_BY_SIDE).take_while(|call| self.only_reads(call));
            let (now, later) = left.split_at(reading.count().max(1));
            let before = results.len();
            let may: Vec<bool> = now.iter().map(|_| self.may_call()).collect();
            let asked = now.iter().zip(may).enumerate().map(|(at, (call, may))| {
                let repeats = repeats.filter(|_| may);
                self.result(before + at, call, repeats, may)
            });
            results.extend(join_all(asked).await);
            left = later;
        }
        let mut parts = Vec::new();
        for (call, (answer, label)) in calls.iter().zip(results) {
            let call = &call.call;
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

    /// One more call, if it may ask for any more.
    fn may_call(&mut self) -> bool {
        self.calls = self.calls.saturating_add(1);
        self.calls <= self.turn.agent.config.limits.nested_calls
    }

    fn only_reads(&self, call: &Asked) -> bool {
        let Ok(arguments) = arguments::normalise(&call.call.arguments) else { return false };
        let call = ToolCall { arguments, ..call.call.clone() };
        let checked = self.turn.agent.tools.check(&call);
        checked
            .is_ok_and(|checked| checked.impact == Impact::ReadOnly && !checked.reach.calls_tools)
    }

    async fn result(
        &self,
        at: usize,
        call: &Asked,
        repeats: Option<u32>,
        may: bool,
    ) -> (NestedAnswer, Label) {
        let refused = |problem: String| (failed(problem), Label::host());
        if !may {
            let most = self.turn.agent.config.limits.nested_calls;
            return refused(format!(
                "this task has asked for {most} calls, and no more are allowed by `limits.nested_calls`; say what you found"
            ));
        }
        if let Some(problem) = &call.problem {
            return refused((*problem).to_owned());
        }
        let call = &call.call;
        if let Some(times) = repeats {
            return refused(format!(
                "you asked for exactly this {times} times in a row and the result does not change; do something else, or say what you found"
            ));
        }
        if at >= CALLS_AT_ONCE {
            return refused(format!(
                "at most {CALLS_AT_ONCE} calls at once; ask for the rest in the next step"
            ));
        }
        if !self.tools.contains(&call.name) {
            let tools = self.tools.iter().cloned().collect::<Vec<_>>().join(", ");
            let tools = if tools.is_empty() { "there are none".to_owned() } else { tools };
            let name: String = call.name.chars().take(64).collect();
            let told = format!("a child turn asked for `{name}`, which it does not have");
            self.turn.report(News::Noticed(told)).await;
            return refused(format!("this task is done without that tool; tools: {tools}"));
        }
        match arguments::normalise(&call.arguments) {
            Ok(arguments) => self.asking.ask(call.name.clone(), arguments).await,
            Err(problem) => refused(problem),
        }
    }
}

/// Tells that one was ended from outside, when it is dropped.
struct Cancelled(Option<TurnContext>);

impl Drop for Cancelled {
    fn drop(&mut self) {
        if let Some(turn) = self.0.take() {
            tell(&turn, HookPoint::SubagentEnd, json!({ "outcome": "cancelled" }));
        }
    }
}

/// A call that an answer asks for.
struct Asked {
    call: ToolCall,
    /// Why it is not run, if the answer broke off in it.
    problem: Option<&'static str>,
}

/// A call as far as it has come.
struct Started {
    id: String,
    name: String,
    arguments: String,
    complete: bool,
}

/// One answer of the model.
struct Answer {
    text: String,
    /// What is sent back to the model of it.
    parts: Vec<Part>,
    started: BTreeMap<u32, Started>,
    calls: Vec<Asked>,
    /// Who answered in the end, where that is another model than was asked.
    by: Option<ModelRef>,
    usage: Usage,
    charged: Option<Option<Money>>,
    stop: StopReason,
}

impl Default for Answer {
    fn default() -> Self {
        Self {
            text: String::new(),
            parts: Vec::new(),
            started: BTreeMap::new(),
            calls: Vec::new(),
            by: None,
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
            ModelEvent::CallStarted { index, id, name } => {
                let arguments = String::new();
                self.started.entry(index).or_insert(Started {
                    id,
                    name,
                    arguments,
                    complete: false,
                });
            }
            ModelEvent::CallArguments { index, fragment } => {
                if let Some(call) = self.started.get_mut(&index) {
                    call.arguments.push_str(&fragment);
                }
            }
            ModelEvent::Usage(usage) => self.usage = usage,
            ModelEvent::Charged(money) => self.charged = Some(money),
            ModelEvent::Finished(stop) => self.stop = stop,
            ModelEvent::CallEnded { index } => {
                if let Some(call) = self.started.get_mut(&index) {
                    call.complete = true;
                }
            }
            ModelEvent::News(news) => self.by = news.answers().cloned().or(self.by.take()),
            ModelEvent::Cited { .. } | ModelEvent::Other { .. } => {}
        }
    }

    /// The same with its calls, each under an identifier that no other call of the task has, and
    /// with arguments that can be sent back.
    fn complete(mut self, by: &ModelRef, used_ids: &mut BTreeSet<String>) -> Self {
        let label = Label::model(by.provider.clone(), by.model.clone());
        for part in &mut self.parts {
            part.label = label.clone();
        }
        let whole = !matches!(self.stop, StopReason::Refusal | StopReason::Error);
        let started = std::mem::take(&mut self.started).into_iter().filter(|_| whole);
        for (_, Started { id: wanted, name, arguments, complete }) in started {
            let problem =
                turn::is_cut_off(&arguments, complete, self.stop).then(|| turn::cut_off(self.stop));
            let number = used_ids.len() + 1;
            let wanted = if wanted.is_empty() { format!("call_{number}") } else { wanted };
            let again = format!("{wanted}_{number}");
            let id = if used_ids.insert(wanted.clone()) { wanted } else { again };
            used_ids.insert(id.clone());
            let id = CallId::new(id);
            let name = turn::sendable_name(&name);
            let sent =
                arguments::normalise(&arguments).unwrap_or_else(|_| turn::unreadable(&arguments));
            let call = ToolCall { id: id.clone(), name: name.clone(), arguments: sent };
            self.parts.push(Part::new(Content::ToolCall { call }, label.clone()));
            // What could not be read is told to the model by what reads it.
            self.calls.push(Asked { call: ToolCall { id, name, arguments }, problem });
        }
        self
    }
}

/// Tells those who only look on; nobody waits for them.
fn tell(turn: &TurnContext, point: HookPoint, subject: Value) {
    if turn.agent.hooks.wants(point, None) {
        // One that is dropped at the end of the process has nobody to tell.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let turn = turn.clone();
        runtime.spawn(async move {
            let told = turn.ask_hooks(point, None, subject);
            drop(tokio::time::timeout(LOOKING_ON, told).await);
        });
    }
}
