//! What a server may want of the host: to tell how far a call is, to have a person asked, to know
//! where the files are, to have a model asked. The last two it does not get.

use super::questions::Questions;
use futures_util::future::BoxFuture;
use hydroid_core::harmless::harmless;
use hydroid_core::ports::NestedCalls;
use rmcp::model::{
    ClientCapabilities, ClientInfo, CreateMessageRequestParams, CreateMessageResult,
    ElicitRequestParams, ElicitResult, ElicitationAction, ErrorCode, Implementation,
    ProgressNotificationParam, ProtocolVersion,
};
use rmcp::service::{NotificationContext, RequestContext};
use rmcp::{ClientHandler, ErrorData, RoleClient};
use serde_json::Value;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;

/// Questions of one call: a server that asks more only wants to be answered.
const MOST_QUESTIONS: u32 = 8;

/// Characters of what a server has a person asked.
const LONGEST_QUESTION: usize = 2_000;

/// What a server asks of a person.
#[derive(Clone, Debug, PartialEq)]
pub struct Elicitation {
    /// The server.
    pub server: String,
    /// What it says; harmless to show.
    pub message: String,
    /// JSON Schema of the answer: an object of plain values.
    pub schema: Value,
}

/// What a person answers.
#[derive(Clone, Debug, PartialEq)]
pub enum Elicited {
    /// These values.
    Values(Value),
    /// No.
    Declined,
    /// They want to hear no more of it.
    Cancelled,
}

/// Who answers what a server asks.
pub trait Answerer: Send + Sync {
    /// Somebody can be asked.
    fn is_there(&self) -> bool;
    /// Puts it to a person.
    fn answer(&self, asked: Elicitation) -> BoxFuture<'_, Elicited>;
}

/// Nobody is there, so everything is declined.
#[derive(Clone, Copy, Debug, Default)]
pub struct Declines;

impl Answerer for Declines {
    fn is_there(&self) -> bool {
        false
    }

    fn answer(&self, _: Elicitation) -> BoxFuture<'_, Elicited> {
        Box::pin(std::future::ready(Elicited::Declined))
    }
}

type Progress = Arc<dyn Fn(Option<f32>, String) + Send + Sync>;

/// What a connection is told by its server.
#[derive(Clone)]
pub(super) struct Handler(Arc<Told>);

struct Told {
    server: String,
    version: ProtocolVersion,
    answerer: Arc<dyn Answerer>,
    /// It said that its tools are others now.
    changed: AtomicBool,
    /// Calls that run.
    running: Mutex<Vec<Running>>,
    questions: Questions,
    /// How many questions a person is asked right now.
    asking: watch::Sender<usize>,
}

/// A call that runs.
#[derive(Clone)]
struct Running {
    number: u64,
    /// Who is told how far it is.
    progress: Progress,
    /// The session it is of, where there is one.
    session: Option<Arc<dyn NestedCalls>>,
    asked: u32,
}

/// A call that is told of for as long as this is held.
pub(super) struct Watched {
    told: Arc<Told>,
    number: u64,
}

impl Drop for Watched {
    fn drop(&mut self) {
        let mut running = self.told.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.retain(|call| call.number != self.number);
    }
}

impl Handler {
    pub(super) fn new(
        server: &str,
        version: ProtocolVersion,
        answerer: Arc<dyn Answerer>,
        questions: Questions,
    ) -> Self {
        Self(Arc::new(Told {
            server: server.to_owned(),
            version,
            answerer,
            changed: AtomicBool::new(false),
            running: Mutex::default(),
            questions,
            asking: watch::Sender::new(0),
        }))
    }

    /// True if the server said that its tools are others, since this was asked last.
    pub(super) fn takes_change(&self) -> bool {
        self.0.changed.swap(false, Ordering::AcqRel)
    }

    /// How many questions a person is asked right now.
    pub(super) fn asking(&self) -> watch::Receiver<usize> {
        self.0.asking.subscribe()
    }

    pub(super) fn watch(
        &self,
        progress: Progress,
        session: Option<Arc<dyn NestedCalls>>,
    ) -> Watched {
        let mut running = self.0.running.lock().unwrap_or_else(PoisonError::into_inner);
        let number = running.last().map_or(0, |call| call.number.wrapping_add(1));
        running.push(Running { number, progress, session, asked: 0 });
        Watched { told: Arc::clone(&self.0), number }
    }

    /// The session whose person may be asked: that of the only call. Of several it is not known
    /// whose a question is.
    fn session(&self) -> Option<Arc<dyn NestedCalls>> {
        let mut running = self.0.running.lock().unwrap_or_else(PoisonError::into_inner);
        let [call] = &mut running[..] else { return None };
        call.asked += 1;
        call.session.clone().filter(|_| call.asked <= MOST_QUESTIONS)
    }

    async fn put(&self, asked: Elicitation) -> Elicited {
        if self.0.answerer.is_there() {
            return self.0.answerer.answer(asked).await;
        }
        let Some(session) = self.session() else {
            tracing::info!(server = %self.0.server, "a question of a server was declined: nobody can be asked");
            return Elicited::Declined;
        };
        self.0.asking.send_modify(|asking| *asking += 1);
        let _over = Over(&self.0.asking);
        self.0.questions.put(asked, &*session).await
    }
}

/// Ends a question.
struct Over<'a>(&'a watch::Sender<usize>);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|asking| *asking = asking.saturating_sub(1));
    }
}

impl ClientHandler for Handler {
    fn get_info(&self) -> ClientInfo {
        let mut capabilities = ClientCapabilities::default();
        // Whoever asks is answered, if only that nobody is there: what a server offers may go by
        // what a client says it can do, and it must offer the same each time.
        let form = serde_json::json!({ "form": { "applyDefaults": true } });
        capabilities.elicitation = serde_json::from_value(form).ok();
        let implementation = Implementation::new("hydroid", env!("CARGO_PKG_VERSION"));
        ClientInfo::new(capabilities, implementation).with_protocol_version(self.0.version.clone())
    }

    async fn create_message(
        &self,
        _: CreateMessageRequestParams,
        _: RequestContext<RoleClient>,
    ) -> Result<CreateMessageResult, ErrorData> {
        let text = "no model is asked for a server: it would spend what the person pays, on words that nobody allowed";
        Err(ErrorData::new(ErrorCode::METHOD_NOT_FOUND, text, None))
    }

    async fn create_elicitation(
        &self,
        request: ElicitRequestParams,
        _: RequestContext<RoleClient>,
    ) -> Result<ElicitResult, ErrorData> {
        // An address to open is an order to a person that nobody checked.
        let ElicitRequestParams::FormElicitationParams { message, requested_schema, .. } = request
        else {
            return Ok(ElicitResult::new(ElicitationAction::Decline));
        };
        let asked = Elicitation {
            server: self.0.server.clone(),
            message: harmless(&message).chars().take(LONGEST_QUESTION).collect(),
            schema: serde_json::to_value(requested_schema).unwrap_or_default(),
        };
        Ok(match self.put(asked).await {
            Elicited::Values(values) => {
                ElicitResult::new(ElicitationAction::Accept).with_content(values)
            }
            Elicited::Declined => ElicitResult::new(ElicitationAction::Decline),
            Elicited::Cancelled => ElicitResult::new(ElicitationAction::Cancel),
        })
    }

    async fn on_progress(
        &self,
        told: ProgressNotificationParam,
        _: NotificationContext<RoleClient>,
    ) {
        let running = self.0.running.lock().unwrap_or_else(PoisonError::into_inner).clone();
        // Of several calls it is not known whose it is.
        if let [Running { progress, .. }] = &running[..] {
            let fraction = told.total.filter(|total| *total > 0.0);
            #[expect(
                clippy::cast_possible_truncation,
                reason = "a share of one needs no more digits"
            )]
            let fraction = fraction.map(|total| (told.progress / total) as f32);
            progress(fraction, told.message.unwrap_or_default());
        }
    }

    async fn on_tool_list_changed(&self, _: NotificationContext<RoleClient>) {
        self.0.changed.store(true, Ordering::Release);
    }
}

impl std::fmt::Debug for Handler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Handler").field("server", &self.0.server).finish_non_exhaustive()
    }
}
