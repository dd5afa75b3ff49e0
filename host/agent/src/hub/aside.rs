//! A question beside a conversation: the model is asked with all of it, and nothing of question or
//! answer is kept but what it cost. No tool is called.

use super::Inner;
use super::refusal::stored;
use crate::answer::{AnswerScrubber, mask_known};
use crate::sessions::AgentParts;
use crate::spans::AsideSpan;
use crate::{effects, history, settings};
use hydroid_core::entry;
use hydroid_core::id::{SessionId, TurnId};
use hydroid_core::message::{Message, Usage};
use hydroid_core::ports::{
    CallContext, CancelFlag, ModelError, ModelEvent, ModelRequest, SawSecret,
};
use hydroid_core::protocol::{ErrorCode, Reply, RequestError};
use hydroid_core::skill;
use hydroid_core::telemetry::Parent;
use std::sync::Arc;

/// What the model reads beside its instructions.
const BESIDE: &str = "\n\nThe last message is a question beside the conversation. Answer it from what you know and have read; call no tool, and do not go on with the conversation's work.";

/// Asks, and tells the answer as it comes.
pub(super) async fn ask(
    hub: &Arc<Inner>,
    session: &SessionId,
    text: String,
    parent: Option<Parent>,
    tell: Arc<dyn Fn(String) + Send + Sync>,
) -> Result<Reply, RequestError> {
    if text.trim().is_empty() {
        return Err(RequestError::new(ErrorCode::Invalid, "the question is empty"));
    }
    let parts = hub.parts.agent.parts();
    let refreshed = parts.refreshed_scrubber().await;
    let scrubber = refreshed.map_err(|problem| RequestError::new(ErrorCode::Internal, problem))?;
    let entries = parts.entries(&hub.parts.user, session).await.map_err(stored)?;
    let own = history::settings(&entries);
    let entries = scrubber.known_entries(entries);
    let loaded = skill::loaded(&entries).into_iter().cloned().collect();
    let mut messages = entry::conversation(&entries);
    messages.push(Message::user(mask_known(&scrubber, &text)));
    let beside = effects::Beside::of(parts, &hub.parts.user, loaded).await;
    let mut request = effects::request(parts, messages, &beside, true, &own).map_err(failed)?;
    request.system.push_str(BESIDE);
    let _place = Arc::clone(&hub.permits).acquire_owned().await;
    let of = settings::model_of(&parts.config, &own);
    let whose = (&hub.parts.user, session);
    let span = AsideSpan::begin(parts.telemetry.as_ref(), parent, whose, of, &request);
    let context = CallContext {
        user: hub.parts.user.clone(),
        session: session.clone(),
        turn: TurnId::new((parts.new_turn_id)()),
        call: None,
        cancel: CancelFlag::default(),
        progress: Arc::new(|_, _| {}),
        secret: SawSecret::default(),
        trace: span.trace(),
        nested: None,
        wants_data: false,
    };
    let mut answer = Answer { tell, text: String::new(), usage: Usage::default() };
    match asked(parts, request, context, AnswerScrubber::new(scrubber), &mut answer).await {
        Ok(()) => {
            span.answered(&answer.text, &answer.usage);
            Ok(Reply::AsideEnded { text: answer.text, usage: answer.usage })
        }
        Err(error) => {
            span.failed(&error.kind);
            Err(failed(error))
        }
    }
}

async fn asked(
    parts: &AgentParts,
    request: ModelRequest,
    context: CallContext,
    mut scrubbed: AnswerScrubber,
    answer: &mut Answer,
) -> Result<(), ModelError> {
    let mut completion = parts.model.complete(request, context).await?;
    loop {
        let events = completion.next().await?;
        if events.is_empty() {
            break;
        }
        events
            .into_iter()
            .flat_map(|event| scrubbed.take(event))
            .for_each(|event| answer.take(event));
    }
    scrubbed.finish().into_iter().for_each(|event| answer.take(event));
    Ok(())
}

struct Answer {
    tell: Arc<dyn Fn(String) + Send + Sync>,
    text: String,
    usage: Usage,
}

impl Answer {
    fn take(&mut self, event: ModelEvent) {
        match event {
            ModelEvent::Text(text) if !text.is_empty() => {
                self.text.push_str(&text);
                (self.tell)(text);
            }
            ModelEvent::Usage(usage) => self.usage = usage,
            _ => {}
        }
    }
}

fn failed(error: ModelError) -> RequestError {
    RequestError {
        retry_after_ms: error.retry_after_ms.map(u64::from),
        ..RequestError::new(ErrorCode::Internal, error.message)
    }
}
