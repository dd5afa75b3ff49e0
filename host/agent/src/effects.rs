//! Running models and tools: each in a task of its own, watched by the session that started it.
//! A failure, also a panic, becomes a report to the session; nothing here changes its state.

use crate::secrecy;
use crate::sessions::AgentParts;
use crate::settings;
use futures_util::FutureExt as _;
use hydroid_core::id::{CallId, TurnId};
use hydroid_core::message::{Label, Message};
use hydroid_core::models::{Facts, fit_media};
use hydroid_core::ports::{
    CallContext, CancelFlag, ModelError, ModelEvent, ModelRequest, SawSecret, Tools,
};
use hydroid_core::prompt::{PromptInputs, system_prompt};
use hydroid_core::protocol::SessionSettings;
use hydroid_core::reliability::has_image;
use hydroid_core::scrub::Tally;
use hydroid_core::tool::{CheckedCall, Preview, ToolCall, ToolOutput};
use hydroid_core::turn::Event;
use hydroid_core::{context, fence, tool::ToolSpec};
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
const NOTE_LENGTH: usize = 200;

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
    CallPreviewed { id: CallId, preview: Option<Preview> },
    CallFinished { id: CallId, output: ToolOutput, label: Label, redactions: u32 },
    Progress { id: CallId, fraction: Option<f32>, note: String },
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

impl Drop for Job {
    fn drop(&mut self) {
        self.cancel.cancel();
        self.task.abort();
    }
}

/// Checks a call. A panic in a schema must not end the session.
pub(crate) fn check_call(tools: &dyn Tools, call: &ToolCall) -> Event {
    let result = catch_unwind(AssertUnwindSafe(|| tools.check(call))).unwrap_or_else(|_| {
        Err(format!("the arguments of `{}` could not be checked because of a defect in the host; do not repeat this call", call.name))
    });
    Event::CallChecked { id: call.id.clone(), result }
}

/// Asks the model and reports its answer piece by piece.
pub(crate) fn ask_model(turn: &TurnContext, messages: Vec<Message>) -> Job {
    let cancel = CancelFlag::default();
    let context = turn.call_context(&cancel, None, Arc::new(|_, _| {}));
    let turn = turn.clone();
    let task = tokio::spawn(async move {
        let answer = AssertUnwindSafe(answer(&turn, messages, context)).catch_unwind().await;
        let ended = answer.unwrap_or_else(|_| {
            let provider = &turn.agent.config.model.provider;
            Err(model_error(format!("the provider `{provider}` stopped because of a defect; say `go on` to try again, or choose another with `model.provider`")))
        });
        turn.report(News::AnswerEnded(ended)).await;
    });
    Job { cancel, task }
}

/// Finds out what a call would do and reports it, scrubbed.
pub(crate) fn preview_call(turn: &TurnContext, checked: CheckedCall) -> Job {
    let cancel = CancelFlag::default();
    let context = turn.call_context(&cancel, Some(&checked.call.id), Arc::new(|_, _| {}));
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
pub(crate) fn run_tool(turn: &TurnContext, checked: CheckedCall) -> Job {
    let cancel = CancelFlag::default();
    let context =
        turn.call_context(&cancel, Some(&checked.call.id), turn.progress_of(&checked.call.id));
    let turn = turn.clone();
    let task = tokio::spawn(async move {
        let id = checked.call.id.clone();
        let label = Label::tool(
            checked.component.clone(),
            checked.call.name.clone(),
            checked.origin.clone(),
        );
        let defect = format!(
            "the tool `{}` of `{}` stopped because of a defect; it may or may not have had an effect",
            checked.call.name, checked.component
        );
        let saw = context.secret.clone();
        let run = AssertUnwindSafe(async {
            if let Err(problem) = secrecy::before(&turn, &checked).await {
                return (ToolOutput::error(problem), Tally::default(), false);
            }
            let origin = checked.origin.clone();
            let output = turn.agent.tools.run(checked, context).await;
            let mut tally = Tally::default();
            let scrubber = turn.agent.scrubber.current();
            let content = output
                .content
                .into_iter()
                .map(|content| scrubber.scrub_content_counted(content, &mut tally))
                .collect();
            let output = ToolOutput { content, is_error: output.is_error };
            match secrecy::after(&turn, &origin, &saw, &tally).await {
                Ok(secret) => (output, tally, secret),
                Err(problem) => (ToolOutput::error(problem), tally, true),
            }
        });
        let (output, tally, secret) = run
            .catch_unwind()
            .await
            .unwrap_or_else(|_| (ToolOutput::error(defect), Tally::default(), false));
        let label = Label { secret, ..label };
        let redactions = tally.redactions;
        turn.report(News::CallFinished { id, output, label, redactions }).await;
    });
    Job { cancel, task }
}

impl TurnContext {
    async fn report(&self, news: News) {
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
    messages: Vec<Message>,
    context: CallContext,
) -> Result<(), ModelError> {
    // What was said before a secret became known is in the journal as it was said.
    let scrubber = turn.agent.refreshed_scrubber().await.map_err(|problem| {
        model_error(format!("the model was not asked, because the conversation cannot be searched for secrets now: {problem}"))
    })?;
    let messages = messages.into_iter().map(|message| scrubber.known_message(message)).collect();
    let request = request(&turn.agent, messages, turn.headless, &turn.own)?;
    let mut completion = turn.agent.model.complete(request, context).await?;
    loop {
        let events = completion.next().await?;
        if events.is_empty() {
            return Ok(());
        }
        turn.report(News::Answer(events)).await;
    }
}

/// The request for a conversation: as much of it as fits beside instructions and tools.
pub(crate) fn request(
    agent: &AgentParts,
    messages: Vec<Message>,
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
    let date = date(agent.clock.now_ms());
    let prompt = |left_out| {
        system_prompt(&PromptInputs {
            date: &date,
            has_tools: !tools.is_empty(),
            headless,
            left_out,
            instructions: model.instructions.as_deref(),
        })
    };
    // Measured with the note about turns left out, so that adding it cannot make it too long.
    let fixed = prompt(1).chars().count() + tools.iter().map(spec_length).sum::<usize>();
    let room = AnswerRoom::of(&facts, model.max_output_tokens);
    let fitted = context::fit(messages, fixed, room.window, room.reserve).map_err(model_error)?;
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
struct AnswerRoom {
    /// What a request and its answer have together.
    window: u32,
    /// What of it is kept for the answer.
    reserve: u32,
    /// What a person wants or the catalog says is the most; none when nobody does.
    most: Option<u32>,
    /// A person wants it.
    wanted: bool,
}

impl AnswerRoom {
    fn of(facts: &Facts, wanted: Option<u32>) -> Self {
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
    fn max_tokens(self, request: u64) -> Option<u32> {
        let most = self.most?;
        if self.wanted {
            return Some(most);
        }
        let used = u32::try_from(request.saturating_add(request / 4)).unwrap_or(u32::MAX);
        Some(most.min(self.window.saturating_sub(used).max(self.reserve)))
    }
}

fn spec_length(spec: &ToolSpec) -> usize {
    spec.name.chars().count()
        + spec.description.chars().count()
        + spec.input_schema.to_string().chars().count()
}

fn model_error(message: String) -> ModelError {
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
