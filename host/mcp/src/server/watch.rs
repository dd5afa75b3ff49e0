//! What a client is told while its call runs, and how its person is asked.

use futures_util::future::BoxFuture;
use hydroid_core::harmless::harmless;
use hydroid_core::ports::{CallQuestion, CallWatch};
use rmcp::RoleServer;
use rmcp::model::{
    ClientResult, ElicitRequest, ElicitRequestParams, ElicitationAction, LoggingLevel,
    LoggingMessageNotificationParam, ProgressNotificationParam, ProgressToken, ServerRequest,
};
use rmcp::service::{Peer, RequestContext};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc;

/// Notes that may wait for a slow client; more are dropped.
const WAITING: usize = 64;

/// Parts of the whole that progress is told in.
const WHOLE: f64 = 100.0;

/// Characters of the arguments and of a preview in a question.
const MOST_SHOWN: usize = 4_000;

type Note = (Option<f32>, String);

pub(super) struct Watch {
    notes: mpsc::Sender<Note>,
    teller: Mutex<Option<Teller>>,
    peer: Peer<RoleServer>,
    asks: bool,
}

/// Tells a client what the call told; a call does not wait for it.
struct Teller {
    notes: mpsc::Receiver<Note>,
    peer: Peer<RoleServer>,
    token: Option<ProgressToken>,
    tool: String,
    level: Arc<Mutex<LoggingLevel>>,
}

impl Watch {
    pub(super) fn new(
        context: &RequestContext<RoleServer>,
        tool: &str,
        asks: bool,
        level: Arc<Mutex<LoggingLevel>>,
    ) -> Self {
        let (notes, waiting) = mpsc::channel(WAITING);
        let peer = context.peer.clone();
        let teller = Teller {
            notes: waiting,
            peer: peer.clone(),
            token: context.meta.get_progress_token(),
            tool: tool.to_owned(),
            level,
        };
        let can = context.client_capabilities().is_some_and(|its| its.elicitation.is_some());
        Self { notes, teller: Mutex::new(Some(teller)), peer, asks: asks && can }
    }

    /// Begins to tell; ends when the call has ended and everything is told.
    pub(super) fn tell(&self) -> impl Future<Output = ()> + use<> {
        let teller = self.teller.lock().unwrap_or_else(PoisonError::into_inner).take();
        let telling = teller.map(|teller| tokio::spawn(teller.run()));
        async move {
            if let Some(telling) = telling {
                drop(telling.await);
            }
        }
    }
}

impl Teller {
    async fn run(mut self) {
        let mut steps = 0.0;
        while let Some((fraction, note)) = self.notes.recv().await {
            if let Some(token) = self.token.clone() {
                // It must grow; who does not say how far it is counts steps.
                steps += 1.0;
                let told = match fraction {
                    Some(fraction) => {
                        ProgressNotificationParam::new(token, f64::from(fraction) * WHOLE)
                            .with_total(WHOLE)
                    }
                    None => ProgressNotificationParam::new(token, steps),
                };
                let told = if note.is_empty() { told } else { told.with_message(note.clone()) };
                if self.peer.notify_progress(told).await.is_err() {
                    return;
                }
            }
            if !note.is_empty() && !self.log(note).await {
                return;
            }
        }
    }

    async fn log(&self, note: String) -> bool {
        let level = *self.level.lock().unwrap_or_else(PoisonError::into_inner);
        if !matches!(level, LoggingLevel::Debug | LoggingLevel::Info) {
            return true;
        }
        let told = LoggingMessageNotificationParam::new(LoggingLevel::Info, Value::String(note))
            .with_logger(&self.tool);
        self.peer.notify_logging_message(told).await.is_ok()
    }
}

impl CallWatch for Watch {
    fn progress(&self, fraction: Option<f32>, note: String) {
        drop(self.notes.try_send((fraction, note)));
    }

    fn ask(&self, question: CallQuestion) -> BoxFuture<'_, Option<bool>> {
        Box::pin(async move {
            if !self.asks {
                return None;
            }
            let schema = json!({
                "type": "object",
                "properties": {
                    "allow": {
                        "type": "boolean",
                        "title": "Run it",
                        "description": "once, with exactly these arguments",
                        "default": false
                    }
                },
                "required": ["allow"]
            });
            let params = ElicitRequestParams::FormElicitationParams {
                meta: None,
                message: in_words(&question),
                requested_schema: serde_json::from_value(schema).ok()?,
            };
            let request = ServerRequest::ElicitRequest(ElicitRequest::new(params));
            let answer = match self.peer.send_request(request).await {
                Ok(ClientResult::ElicitResult(answer)) => answer,
                Ok(_) | Err(_) => return None,
            };
            let allowed = answer.content.as_ref().and_then(|its| its.get("allow"));
            Some(answer.action == ElicitationAction::Accept && allowed == Some(&Value::Bool(true)))
        })
    }
}

fn in_words(question: &CallQuestion) -> String {
    let cut = |text: &str| harmless(text).chars().take(MOST_SHOWN).collect::<String>();
    let mut text = format!(
        "Hydroid asks you: {}.\n\n{} {}",
        question.reason,
        question.tool,
        cut(&question.arguments)
    );
    if let Some(preview) = &question.preview {
        text.push_str("\n\n");
        text.push_str(&cut(preview));
    }
    text
}
