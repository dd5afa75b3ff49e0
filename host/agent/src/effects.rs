//! Running models and tools: each in a task of its own, watched by the session that started it.
//! A failure, also a panic, becomes a report to the session; nothing here changes its state.

use crate::compacting;
use crate::delegating::Child;
use crate::hooks;
use crate::nested::{self, Nested};
use crate::secrecy;
use crate::sessions::AgentParts;
use crate::settings;
use crate::skills::{self, ReadySkill, SkillWish};
use futures_util::FutureExt as _;
use hydroid_core::compaction::{Plan, applied};
use hydroid_core::entry::Entry;
use hydroid_core::hook::HookPoint;
use hydroid_core::id::{CallId, TurnId, UserId};
use hydroid_core::message::{Label, Message, Origin, Part, StopReason};
use hydroid_core::models::{Facts, fit_media};
use hydroid_core::ports::{
    CallContext, CancelFlag, ModelError, ModelEvent, ModelRequest, PromptFile, SawSecret,
    SkillError, Tools,
};
use hydroid_core::prompt::{PromptInputs, system_prompt};
use hydroid_core::protocol::SessionSettings;
use hydroid_core::reliability::has_image;
use hydroid_core::scrub::Tally;
use hydroid_core::skill::{LoadedSkill, Skill};
use hydroid_core::telemetry::Trace;
use hydroid_core::tool::{CheckedCall, Hooked, Preview, ToolCall, ToolOutput};
use hydroid_core::turn::Event;
use hydroid_core::{context, fence, tool::ToolSpec};
use serde_json::json;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// How long a task that was asked to stop may take before it is dropped.
const GRACE: Duration = Duration::from_millis(250);

/// Context window of a model of which nobody says it.
const CONTEXT_TOKENS: u32 = 128_000;

/// Tokens kept for an answer when nobody says how long it may be: what most services take when
/// they are told nothing.
const ANSWER_TOKENS: u32 = 4_096;

/// Characters of a progress note; more does not fit on a line.
pub(crate) const NOTE_LENGTH: usize = 200;

/// The last second that the date below can write.
const LAST_SECOND: u64 = 253_402_300_799;

/// Something a task has to tell its session.
#[derive(Debug)]
pub(crate) struct Report {
    /// Number of the turn it belongs to; a report of an earlier turn is dropped.
    pub(crate) turn: u64,
    pub(crate) news: News,
}

#[derive(Debug)]
pub(crate) enum News {
    Answer(Vec<ModelEvent>),
    AnswerEnded(Result<(), ModelError>),
    CallChecked {
        id: CallId,
        result: Result<CheckedCall, String>,
    },
    CallPreviewed {
        id: CallId,
        preview: Option<Preview>,
    },
    CallFinished {
        id: CallId,
        output: ToolOutput,
        label: Label,
        redactions: u32,
    },
    /// A call that runs asks for another one.
    CallNested(Nested),
    /// The model of a child turn answered, or is about to be asked.
    Child(Child),
    /// A call asks about the session's skills, or changes them.
    Skills(SkillWish),
    /// A skill that a person wants is ready to be taken up, or cannot be.
    SkillReady(Result<ReadySkill, SkillError>),
    Noticed(String),
    Progress {
        id: CallId,
        fraction: Option<f32>,
        note: String,
    },
    /// The older part of the conversation was summed up; the entry is to be recorded.
    Compacted(Entry),
    /// What a person asked to be summed up is done, with or without an entry before.
    CompactingEnded,
}

/// What every task of a turn needs.
#[derive(Clone)]
pub(crate) struct TurnContext {
    pub(crate) agent: Arc<AgentParts>,
    pub(crate) user: hydroid_core::id::UserId,
    pub(crate) session: hydroid_core::id::SessionId,
    pub(crate) turn: TurnId,
    pub(crate) number: u64,
    pub(crate) headless: bool,
    /// What the session has of its own.
    pub(crate) own: SessionSettings,
    /// The place that hooks which are asked are a part of.
    pub(crate) trace: Trace,
    /// Bounded: a model that is faster than the journal waits here.
    pub(crate) reports: mpsc::Sender<Report>,
}

/// A task that runs for a turn. Dropping it drops what it runs.
#[derive(Debug)]
pub(crate) struct Job {
    cancel: CancelFlag,
    task: JoinHandle<()>,
}

impl Job {
    /// Asks the task to stop, waits a little, then drops it.
    pub(crate) async fn stop(mut self) {
        self.cancel.cancel();
        if tokio::time::timeout(GRACE, &mut self.task).await.is_err() {
            self.task.abort();
            // The future is gone only when this returns.
            drop((&mut self.task).await);
        }
    }
}

impl Job {
    /// Waits for its end, but not for long, and then drops it.
    pub(crate) async fn ended_within(mut self, patience: Duration) {
        drop(tokio::time::timeout(patience, &mut self.task).await);
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        self.cancel.cancel();
        self.task.abort();
    }
}

/// Checks a call. A panic in a schema must not end the session.
pub(crate) fn check_call(tools: &dyn Tools, call: &ToolCall) -> Event {
    let result = catch_unwind(AssertUnwindSafe(|| tools.check(call)))
        .unwrap_or_else(|_| Err(uncheckable(call)));
    Event::CallChecked { id: call.id.clone(), result }
}

/// Checks a call that hooks want to be asked about, asks them, and reports.
pub(crate) fn check_hooked_call(turn: &TurnContext, call: ToolCall) -> Job {
    let cancel = CancelFlag::default();
    let turn = turn.clone();
    let task = tokio::spawn(async move {
        let checking = hooks::before_tool(&turn, &*turn.agent.tools, &call);
        let result = AssertUnwindSafe(checking)
            .catch_unwind()
            .await
            .unwrap_or_else(|_| Err(uncheckable(&call)));
        turn.report(News::CallChecked { id: call.id, result }).await;
    });
    Job { cancel, task }
}

fn uncheckable(call: &ToolCall) -> String {
    format!(
        "the arguments of `{}` could not be checked because of a defect in the host; do not repeat this call",
        call.name
    )
}

/// Asks the model and reports its answer piece by piece.
///
/// `loaded` is what skills the session has taken up.
///
/// With a plan, the older part of the conversation is summed up first.
pub(crate) fn ask_model(
    turn: &TurnContext,
    messages: Vec<Message>,
    loaded: Vec<LoadedSkill>,
    plan: Option<Plan>,
    trace: Trace,
) -> Job {
    let cancel = CancelFlag::default();
    let turn = TurnContext { trace: trace.clone(), ..turn.clone() };
    let context = turn.call_context(&cancel, None, Arc::new(|_, _| {}));
    let context = CallContext { trace, ..context };
    let task = tokio::spawn(async move {
        let answer =
            AssertUnwindSafe(answer(&turn, messages, loaded, plan, context)).catch_unwind().await;
        let ended = answer.unwrap_or_else(|_| {
            let provider = &turn.agent.config.model.provider;
            Err(model_error(format!("the provider `{provider}` stopped because of a defect; say `go on` to try again, or choose another with `model.provider`")))
        });
        turn.report(News::AnswerEnded(ended)).await;
    });
    Job { cancel, task }
}

/// Has a conversation summed up because a person asked for it.
pub(crate) fn compact(turn: &TurnContext, plan: Plan) -> Job {
    let cancel = CancelFlag::default();
    let context = turn.call_context(&cancel, None, Arc::new(|_, _| {}));
    let turn = turn.clone();
    let task = tokio::spawn(async move {
        let summed_up = AssertUnwindSafe(compacting::summed_up(&turn, context, &plan));
        if let Ok(Some(entry)) = summed_up.catch_unwind().await {
            turn.report(News::Compacted(entry)).await;
        }
        turn.report(News::CompactingEnded).await;
    });
    Job { cancel, task }
}

/// Has a session named by what was said first. It changes nothing of the turn.
pub(crate) fn name(turn: &TurnContext, said: Vec<Part>) -> Job {
    let cancel = CancelFlag::default();
    let context = turn.call_context(&cancel, None, Arc::new(|_, _| {}));
    let turn = turn.clone();
    let task = tokio::spawn(async move {
        let title = AssertUnwindSafe(compacting::title(&turn, context, &said));
        let Ok(Some(title)) = title.catch_unwind().await else { return };
        if let Err(error) = turn.agent.journal.rename(&turn.user, &turn.session, title).await {
            tracing::warn!(session = %turn.session, %error, "a session could not be named");
        }
    });
    Job { cancel, task }
}

/// Readies a skill that a person wants beside these, and reports it.
pub(crate) fn ready_skill(turn: &TurnContext, name: String, loaded: Vec<LoadedSkill>) -> Job {
    let cancel = CancelFlag::default();
    let context = turn.call_context(&cancel, None, Arc::new(|_, _| {}));
    let turn = turn.clone();
    let task = tokio::spawn(async move {
        let readied = AssertUnwindSafe(skills::for_a_person(&turn, context, &name, &loaded));
        let ready = readied.catch_unwind().await.unwrap_or_else(|_| {
            Err(SkillError::Unavailable("a defect in the host stopped it".to_owned()))
        });
        turn.report(News::SkillReady(ready)).await;
    });
    Job { cancel, task }
}

/// Finds out what a call would do and reports it, scrubbed.
pub(crate) fn preview_call(turn: &TurnContext, checked: CheckedCall, trace: Trace) -> Job {
    let cancel = CancelFlag::default();
    let context = turn.call_context(&cancel, Some(&checked.call.id), Arc::new(|_, _| {}));
    let context = CallContext { trace, ..context };
    let turn = turn.clone();
    let task = tokio::spawn(async move {
        let id = checked.call.id.clone();
        let preview = AssertUnwindSafe(turn.agent.tools.preview(checked, context));
        let preview = preview.catch_unwind().await.unwrap_or_else(|_| {
            Some(Preview::Unknown { reason: "a defect in the host stopped the preview".to_owned() })
        });
        let scrubber = turn.agent.scrubber.current();
        let preview = preview.map(|preview| match preview {
            Preview::Difference { text, digest } => {
                Preview::Difference { text: scrubber.scrub(&text), digest }
            }
            Preview::Unknown { reason } => Preview::Unknown { reason: scrubber.scrub(&reason) },
            Preview::Copy { .. } | Preview::Send { .. } => preview,
        });
        turn.report(News::CallPreviewed { id, preview }).await;
    });
    Job { cancel, task }
}

/// Runs a call and reports its result, scrubbed.
pub(crate) fn run_tool(turn: &TurnContext, checked: CheckedCall, trace: Trace) -> Job {
    let cancel = CancelFlag::default();
    let context =
        turn.call_context(&cancel, Some(&checked.call.id), turn.progress_of(&checked.call.id));
    let nested = nested::Asking {
        turn: turn.clone(),
        parent: checked.call.id.clone(),
        context: CallContext { trace: trace.clone(), ..context.clone() },
    };
    let turn = TurnContext { trace: trace.clone(), ..turn.clone() };
    let context = CallContext { trace, nested: Some(Arc::new(nested)), ..context };
    let task = tokio::spawn(async move {
        let id = checked.call.id.clone();
        let (component, name) = (checked.component.clone(), checked.call.name.clone());
        let label = Label::tool(component.clone(), name.clone(), checked.origin.clone());
        let defect = format!(
            "the tool `{}` of `{}` stopped because of a defect; it may or may not have had an effect",
            checked.call.name, checked.component
        );
        let saw = context.secret.clone();
        let run = AssertUnwindSafe(async {
            if let Err(problem) = secrecy::before(&turn, &checked).await {
                return (ToolOutput::error(problem), Tally::default(), false, false);
            }
            let reader = secrecy::Reader::of(&checked);
            let mut tries = 0;
            loop {
                tries += 1;
                let output = match checked.hooked.as_deref() {
                    Some(Hooked::Reply(word)) => ToolOutput::text(word.text.clone()),
                    Some(Hooked::Ask(_) | Hooked::Person(_)) | None => {
                        turn.agent.tools.run(checked.clone(), context.clone()).await
                    }
                };
                let mut tally = Tally::default();
                let output = scrubbed(&turn, output, &mut tally);
                let secret = match secrecy::after(&turn, &reader, &saw, &tally).await {
                    Ok(secret) => secret,
                    Err(problem) => return (ToolOutput::error(problem), tally, true, false),
                };
                match hooks::after_tool(&turn, &checked, output, tries).await {
                    hooks::Kept::Output(output, false) => return (output, tally, secret, false),
                    hooks::Kept::Output(output, true) => {
                        let output = scrubbed(&turn, output, &mut tally);
                        return (output, tally, secret, true);
                    }
                    hooks::Kept::Again => {}
                }
            }
        });
        let (output, tally, secret, by_hook) = run
            .catch_unwind()
            .await
            .unwrap_or_else(|_| (ToolOutput::error(defect), Tally::default(), false, false));
        if output.is_error {
            turn.tell_failure(json!({
                "where": "tool",
                "tool": name,
                "content": output.content,
            }));
        }
        // What a hook made of it is the hook's word, whatever the tool reached.
        let label = if by_hook { Label::tool(component, name, Origin::Unknown) } else { label };
        let label = Label { secret, ..label };
        let redactions = tally.redactions;
        turn.report(News::CallFinished { id, output, label, redactions }).await;
    });
    Job { cancel, task }
}

fn scrubbed(turn: &TurnContext, output: ToolOutput, tally: &mut Tally) -> ToolOutput {
    let scrubber = turn.agent.scrubber.current();
    let content = output.content.into_iter();
    let content = content.map(|content| scrubber.scrub_content_counted(content, tally)).collect();
    ToolOutput { content, is_error: output.is_error }
}

impl TurnContext {
    pub(crate) async fn report(&self, news: News) {
        // The session may be gone; then nobody wants to know.
        drop(self.reports.send(Report { turn: self.number, news }).await);
    }

    fn call_context(
        &self,
        cancel: &CancelFlag,
        call: Option<&CallId>,
        progress: Arc<dyn Fn(Option<f32>, String) + Send + Sync>,
    ) -> CallContext {
        CallContext {
            user: self.user.clone(),
            session: self.session.clone(),
            turn: self.turn.clone(),
            call: call.cloned(),
            cancel: cancel.clone(),
            progress,
            secret: SawSecret::default(),
            trace: Trace::default(),
            nested: None,
            wants_data: false,
        }
    }

    /// Notes of progress are dropped while the mailbox is full: a tool must not wait for them.
    fn progress_of(&self, id: &CallId) -> Arc<dyn Fn(Option<f32>, String) + Send + Sync> {
        let turn = self.clone();
        let id = id.clone();
        Arc::new(move |fraction, note| {
            let fraction = fraction
                .filter(|fraction| fraction.is_finite())
                .map(|fraction| fraction.clamp(0.0, 1.0));
            let note =
                turn.agent.scrubber.current().scrub(&note).chars().take(NOTE_LENGTH).collect();
            let news = News::Progress { id: id.clone(), fraction, note };
            drop(turn.reports.try_send(Report { turn: turn.number, news }));
        })
    }
}

async fn answer(
    turn: &TurnContext,
    mut messages: Vec<Message>,
    loaded: Vec<LoadedSkill>,
    plan: Option<Plan>,
    context: CallContext,
) -> Result<(), ModelError> {
    // What was said before a secret became known is in the journal as it was said.
    let scrubber = turn.agent.refreshed_scrubber().await.map_err(|problem| {
        model_error(format!("the model was not asked, because the conversation cannot be searched for secrets now: {problem}"))
    })?;
    if let Some(plan) = plan
        && let Some(entry) = compacting::summed_up(turn, context.clone(), &plan).await
    {
        if let Entry::Compacted { summary, .. } = &entry {
            messages = applied(messages, &plan, summary);
        }
        turn.report(News::Compacted(entry)).await;
    }
    let messages = messages.into_iter().map(|message| scrubber.known_message(message)).collect();
    let of = settings::model_of(&turn.agent.config, &turn.own);
    let messages = match hooks::before_model(turn, of, messages).await? {
        hooks::Asked::Send(messages) => messages,
        hooks::Asked::Reply(text) => {
            let events = vec![ModelEvent::Text(text), ModelEvent::Finished(StopReason::EndTurn)];
            turn.report(News::Answer(events)).await;
            return Ok(());
        }
    };
    let beside = Beside::of(&turn.agent, &turn.user, loaded).await;
    let request = request(&turn.agent, messages, &beside, turn.headless, &turn.own)?;
    if !turn.agent.hooks.wants(HookPoint::AfterModel, None) {
        let mut completion = turn.agent.model.complete(request, context).await?;
        loop {
            let events = completion.next().await?;
            if events.is_empty() {
                return Ok(());
            }
            turn.report(News::Answer(events)).await;
        }
    }
    let events = judged(turn, of, request, context, &mut Vec::new()).await?;
    turn.report(News::Answer(events)).await;
    Ok(())
}

/// Asks the model and lets hooks judge the whole answer before anything of it is shown. Where there
/// is none, `used` has what was used in vain.
pub(crate) async fn judged(
    turn: &TurnContext,
    of: (&str, &str),
    request: ModelRequest,
    context: CallContext,
    used: &mut Vec<ModelEvent>,
) -> Result<Vec<ModelEvent>, ModelError> {
    let mut spent = hooks::Spent::default();
    let result = tried(turn, of, request, context, &mut spent).await;
    if result.is_err() {
        *used = spent.events();
    }
    result
}

async fn tried(
    turn: &TurnContext,
    of: (&str, &str),
    mut request: ModelRequest,
    context: CallContext,
    spent: &mut hooks::Spent,
) -> Result<Vec<ModelEvent>, ModelError> {
    let judges = turn.agent.hooks.wants(HookPoint::AfterModel, None);
    for tries in 0.. {
        let mut answer = Vec::new();
        if let Err(error) = whole(turn, request.clone(), context.clone(), &mut answer).await {
            spent.add_broken(&answer, error.sent);
            return Err(error);
        }
        if !judges {
            return Ok(answer);
        }
        match hooks::after_model(turn, of, answer.clone()).await {
            Ok(hooks::Answered::Show(events)) => return Ok(spent.beside(events)),
            Ok(hooks::Answered::Again(word)) => {
                spent.add(&answer);
                if tries >= hooks::MOST_RETRIES {
                    return Err(model_error(format!(
                        "{word}; the model was asked {} times, and no answer was accepted",
                        tries + 1
                    )));
                }
                let system = request.system;
                let system = format!("{system}\n\nYour last answer was not accepted. {word}");
                request = ModelRequest { system, ..request };
            }
            Err(error) => {
                spent.add(&answer);
                return Err(error);
            }
        }
    }
    Ok(Vec::new())
}

/// All of one answer, as far as it came.
async fn whole(
    turn: &TurnContext,
    request: ModelRequest,
    context: CallContext,
    answer: &mut Vec<ModelEvent>,
) -> Result<(), ModelError> {
    let mut completion = turn.agent.model.complete(request, context).await?;
    loop {
        let events = completion.next().await?;
        if events.is_empty() {
            return Ok(());
        }
        answer.extend(events);
    }
}

/// What a model reads beside the conversation; nothing secret is in it.
#[derive(Debug, Default)]
pub(crate) struct Beside {
    /// The person's own files.
    files: Vec<PromptFile>,
    /// Skills that can be taken up.
    skills: Vec<Skill>,
    /// Skills that were taken up.
    loaded: Vec<LoadedSkill>,
}

impl Beside {
    /// What there is now, for a session that has taken these skills up.
    pub(crate) async fn of(agent: &AgentParts, user: &UserId, loaded: Vec<LoadedSkill>) -> Self {
        let scrubber = agent.scrubber.current();
        let mut files = Vec::new();
        if agent.config.memory.files {
            files = agent.files.read(user, agent.clock.now_ms()).await;
        }
        for file in &mut files {
            file.text = scrubber.scrub(&file.text);
        }
        let mut skills = skills::for_models(agent).await;
        for skill in &mut skills {
            skill.description = scrubber.scrub(&skill.description);
        }
        let masked =
            |skill: LoadedSkill| LoadedSkill { text: scrubber.mask_known(&skill.text), ..skill };
        Self { files, skills, loaded: loaded.into_iter().map(masked).collect() }
    }
}

/// The request for a conversation: as much of it as fits beside instructions and tools.
pub(crate) fn request(
    agent: &AgentParts,
    messages: Vec<Message>,
    beside: &Beside,
    headless: bool,
    own: &SessionSettings,
) -> Result<ModelRequest, ModelError> {
    let model = &agent.config.model;
    let (own_provider, own_name) = settings::model_of(&agent.config, own);
    // What the model that will answer takes and has room for is what counts.
    let (provider, name) = match model.route.vision.as_ref().filter(|_| has_image(&messages)) {
        Some(vision) => (vision.provider.as_str(), vision.name.as_str()),
        None => (own_provider, own_name),
    };
    let facts = agent.models.facts(provider, name).map_err(|error| {
        model_error(format!("what is known of the model `{name}` cannot be read: {error}; `hydroid model verify` says more"))
    })?;
    let messages = fit_media(messages, name, &facts.takes).map_err(model_error)?;
    // A service refuses tools for a model that calls none.
    let tools = if facts.tool_call == Some(false) { Vec::new() } else { agent.tools.specs() };
    let has_skills = !beside.skills.is_empty() || !beside.loaded.is_empty();
    let tools: Vec<ToolSpec> =
        tools.into_iter().filter(|tool| has_skills || !tool.about_skills).collect();
    let can_load = tools.iter().any(|tool| tool.about_skills);
    let date = date(agent.clock.now_ms());
    let prompt = |left_out| {
        system_prompt(&PromptInputs {
            date: &date,
            has_tools: !tools.is_empty(),
            headless,
            left_out,
            instructions: model.instructions.as_deref(),
            files: &beside.files,
            skills: if can_load { &beside.skills } else { &[] },
            skills_chars: agent.config.skills.index_chars,
            loaded: &beside.loaded,
        })
    };
    // Measured with the note about turns left out, so that adding it cannot make it too long.
    let fixed = prompt(1).chars().count() + tools.iter().map(spec_length).sum::<usize>();
    let room = AnswerRoom::of(&facts, model.max_output_tokens);
    let fitted = context::fit(messages, fixed, room.window, room.reserve);
    let fitted = fitted.map_err(|problem| {
        let loaded: Vec<&str> = beside.loaded.iter().map(|skill| skill.name.as_str()).collect();
        let skills = match loaded.is_empty() {
            true => String::new(),
            false => format!(
                "; of the instructions, these loaded skills are a part: {}",
                loaded.join(", ")
            ),
        };
        model_error(format!("{problem}{skills}"))
    })?;
    let options = model.options.as_ref().map(serde_json::to_value).transpose();
    let options = options
        .map_err(|error| model_error(format!("`model.options` cannot be sent as JSON: {error}")))?;
    let options = with_effort(options, own.effort.as_deref());
    Ok(ModelRequest {
        provider: hydroid_core::id::ComponentId::new(own_provider),
        model: own_name.to_owned(),
        system: prompt(fitted.left_out),
        messages: fence::fenced(fitted.messages),
        max_tokens: room.max_tokens(fitted.tokens),
        temperature: model.temperature.filter(|_| facts.temperature != Some(false)),
        options,
        tools,
    })
}

/// The options with how hard the model is to think, in the word every provider takes for it.
fn with_effort(
    options: Option<serde_json::Value>,
    effort: Option<&str>,
) -> Option<serde_json::Value> {
    let Some(effort) = effort else { return options };
    let mut options = match options {
        Some(serde_json::Value::Object(options)) => options,
        _ => serde_json::Map::new(),
    };
    options.insert("reasoning_effort".to_owned(), effort.into());
    Some(options.into())
}

/// How much of a model's window is for the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AnswerRoom {
    /// What a request and its answer have together.
    pub(crate) window: u32,
    /// What of it is kept for the answer.
    pub(crate) reserve: u32,
    /// What a person wants or the catalog says is the most; none when nobody does.
    most: Option<u32>,
    /// A person wants it.
    wanted: bool,
}

impl AnswerRoom {
    pub(crate) fn of(facts: &Facts, wanted: Option<u32>) -> Self {
        let window = facts.context.unwrap_or(CONTEXT_TOKENS);
        let reserve = match (wanted, facts.output) {
            (Some(wanted), _) => wanted,
            // Some catalogs give the whole window as the longest answer.
            (None, Some(most)) => most.min(window / 4),
            (None, None) => ANSWER_TOKENS.min(window / 4),
        };
        let window = match facts.input {
            Some(input) => window.min(input.saturating_add(reserve)),
            None => window,
        };
        Self { window, reserve, most: wanted.or(facts.output), wanted: wanted.is_some() }
    }

    /// What the service is told, beside a request of about so many tokens: the model's limit, as
    /// far as the window has room. A quarter is left for what the estimate may be wrong by.
    pub(crate) fn max_tokens(self, request: u64) -> Option<u32> {
        let most = self.most?;
        if self.wanted {
            return Some(most);
        }
        let used = u32::try_from(request.saturating_add(request / 4)).unwrap_or(u32::MAX);
        Some(most.min(self.window.saturating_sub(used).max(self.reserve)))
    }
}

pub(crate) fn spec_length(spec: &ToolSpec) -> usize {
    spec.name.chars().count()
        + spec.description.chars().count()
        + spec.input_schema.to_string().chars().count()
}

pub(crate) fn model_error(message: String) -> ModelError {
    ModelError { kind: "internal".to_owned(), message, retry_after_ms: None, sent: false }
}

/// A date with its weekday, like `Sun, 22 Nov 2026`.
fn date(now_ms: u64) -> String {
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs((now_ms / 1000).min(LAST_SECOND));
    httpdate::fmt_http_date(time).split_whitespace().take(4).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn room(facts: [Option<u32>; 3], wanted: Option<u32>, request: u64, expect: Option<u32>) {
        let [context, input, output] = facts;
        let facts = Facts { context, input, output, ..Facts::default() };
        assert_eq!(AnswerRoom::of(&facts, wanted).max_tokens(request), expect);
    }

    #[test]
    fn an_answer_may_be_as_long_as_the_model_can_and_the_window_has_room() {
        room([Some(400_000), None, Some(128_000)], None, 1_000, Some(128_000));
        room([Some(131_072), None, Some(131_072)], None, 40_000, Some(81_072));
        // Never less than was kept for it.
        room([Some(131_072), None, Some(131_072)], None, 98_000, Some(32_768));
        room([Some(400_000), None, Some(128_000)], Some(77), 1_000, Some(77));
        room([None, None, None], None, 1_000, None);
        room([Some(8_192), None, None], None, 1_000, None);
    }

    #[test]
    fn a_limit_of_the_input_narrows_the_window() {
        let facts = Facts {
            context: Some(400_000),
            input: Some(272_000),
            output: Some(128_000),
            ..Facts::default()
        };
        let room = AnswerRoom::of(&facts, None);
        assert_eq!((room.window, room.reserve), (372_000, 100_000));
        assert_eq!(AnswerRoom::of(&facts, Some(500)).window, 272_500);
        let unknown = AnswerRoom::of(&Facts::default(), None);
        assert_eq!((unknown.window, unknown.reserve), (128_000, 4_096));
    }

    #[test]
    fn a_date_is_written_with_its_weekday() {
        assert_eq!(date(1_795_305_600_000), "Sun, 22 Nov 2026");
        assert_eq!(date(0), "Thu, 01 Jan 1970");
        assert_eq!(date(u64::MAX), "Fri, 31 Dec 9999");
    }
}
