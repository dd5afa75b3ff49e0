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
use hydroid_core::tool::{ToolCall, ToolOutput};
use hydroid_core::turn::ChildStep;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tokio::sync::oneshot;

/// What the model reads beside its instructions.
const ORDER: &str = "\n\nYou work on one task that was delegated to you; the only message is that task. Nobody reads along, and nobody can be asked what was meant. Work with the tools there are, and end with the answer: only your last message is read, by who delegated it, so everything that is to be known has to be in it.";

/// Calls of one answer that are looked at.
const CALLS_AT_ONCE: usize = 32;

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
    let mut work = Work {
        asking,
        turn,
        tools: task.tools,
        messages: Vec::new(),
        used_ids: BTreeSet::new(),
        asked_last: (Vec::new(), 0),
        step: 0,
        usage: Usage::default(),
        dollars: None,
        secret: false,
    };
    let result = work.through(&task.prompt, task.author, task.max_steps).await;
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
        let most = max_steps.map_or(most, |wanted| wanted.min(most));
        let part = Part::new(Content::text(task), Label::host());
        self.messages.push(Message { role: Role::User, parts: vec![part] });
        self.may_go_on(Some(author), None).await?;
        loop {
            if self.step >= most {
                return Err(format!(
                    "the child turn took {most} model requests, its limit, and came to no answer; give it less to do, or raise `turn.max_steps`"
                ));
            }
            self.step += 1;
            let answer = self.ask().await.map_err(|error| error.message)?;
            self.usage += answer.usage;
            if let Some(Some(more)) = answer.charged {
                self.dollars = Some(self.dollars.unwrap_or_default().plus(more));
            }
            let step = ChildStep {
                call_id: self.asking.parent.clone(),
                step: self.step,
                by: self.model(),
                stop: answer.stop,
                usage: answer.usage,
                charged: answer.charged,
            };
            // What was said last is said, also where nothing is left for more.
            let go_on = self.may_go_on(None, Some(step)).await;
            match answer.stop {
                StopReason::Refusal => return Err("the model declined the task".to_owned()),
                StopReason::Error => {
                    return Err("the service failed in the middle of the answer".to_owned());
                }
                _ if answer.calls.is_empty() && answer.text.trim().is_empty() => {
                    return Err("the model gave an empty answer".to_owned());
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

    /// How often the same calls were asked for in a row, if that is too often to run them again; the
    /// error is that it goes on and on.
    fn repeats(&mut self, calls: &[ToolCall]) -> Result<Option<u32>, String> {
        let most = self.turn.agent.config.turn.max_repeats;
        let asked: Vec<(String, String)> =
            calls.iter().map(|call| (call.name.clone(), call.arguments.clone())).collect();
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
    async fn ask(&mut self) -> Result<Answer, ModelError> {
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
        match effects::judged(&self.turn, of, request, context).await {
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
    async fn call(&mut self, calls: &[ToolCall], repeats: Option<u32>) -> Vec<Part> {
        let most = self.turn.agent.config.turn.max_tool_output_chars;
        let asked = calls.iter().enumerate().map(|(at, call)| self.result(at, call, repeats));
        let results = join_all(asked).await;
        let mut parts = Vec::new();
        for (call, (answer, label)) in calls.iter().zip(results) {
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

    async fn result(
        &self,
        at: usize,
        call: &ToolCall,
        repeats: Option<u32>,
    ) -> (NestedAnswer, Label) {
        let refused = |problem: String| (failed(problem), Label::host());
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
            return refused(format!("this task is done without that tool; tools: {tools}"));
        }
        match arguments::normalise(&call.arguments) {
            Ok(arguments) => self.asking.ask(call.name.clone(), arguments).await,
            Err(problem) => refused(problem),
        }
    }
}

/// One answer of the model.
struct Answer {
    text: String,
    /// What is sent back to the model of it.
    parts: Vec<Part>,
    started: BTreeMap<u32, (String, String, String)>,
    calls: Vec<ToolCall>,
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
                self.started.entry(index).or_insert((id, name, String::new()));
            }
            ModelEvent::CallArguments { index, fragment } => {
                if let Some((_, _, arguments)) = self.started.get_mut(&index) {
                    arguments.push_str(&fragment);
                }
            }
            ModelEvent::Usage(usage) => self.usage = usage,
            ModelEvent::Charged(money) => self.charged = Some(money),
            ModelEvent::Finished(stop) => self.stop = stop,
            ModelEvent::CallEnded { .. }
            | ModelEvent::Cited { .. }
            | ModelEvent::Other { .. }
            | ModelEvent::News(_) => {}
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
        for (_, (wanted, name, arguments)) in started {
            let number = used_ids.len() + 1;
            let wanted = if wanted.is_empty() { format!("call_{number}") } else { wanted };
            let again = format!("{wanted}_{number}");
            let id = if used_ids.insert(wanted.clone()) { wanted } else { again };
            used_ids.insert(id.clone());
            let id = CallId::new(id);
            let name = hydroid_core::turn::sendable_name(&name);
            let sent = arguments::normalise(&arguments)
                .unwrap_or_else(|_| hydroid_core::turn::unreadable(&arguments));
            let call = ToolCall { id: id.clone(), name: name.clone(), arguments: sent };
            self.parts.push(Part::new(Content::ToolCall { call }, label.clone()));
            // What could not be read is told to the model by what reads it.
            self.calls.push(ToolCall { id, name, arguments });
        }
        self
    }
}

/// Tells those who only look on; nobody waits for them.
fn tell(turn: &TurnContext, point: HookPoint, subject: Value) {
    if turn.agent.hooks.wants(point, None) {
        let turn = turn.clone();
        tokio::spawn(async move {
            let told = turn.ask_hooks(point, None, subject);
            drop(tokio::time::timeout(LOOKING_ON, told).await);
        });
    }
}
