//! Which pieces of an answer a person may have seen: after one of them nothing is asked again, or
//! an answer would be there twice.

use crate::message::StopReason;
use crate::ports::{ModelError, ModelEvent};

/// True for a piece that says something, to a person or for a tool.
pub fn shows(event: &ModelEvent) -> bool {
    match event {
        ModelEvent::Text(text) => !text.is_empty(),
        ModelEvent::Thinking { text, opaque } => !text.is_empty() || opaque.is_some(),
        ModelEvent::CallStarted { .. }
        | ModelEvent::CallArguments { .. }
        | ModelEvent::CallEnded { .. }
        | ModelEvent::Cited { .. }
        | ModelEvent::Finished(_) => true,
        ModelEvent::Usage(_)
        | ModelEvent::Charged(_)
        | ModelEvent::Other { .. }
        | ModelEvent::News(_) => false,
    }
}

/// The error of an answer that ended as one that broke off before it said anything.
pub fn broke_off(events: &[ModelEvent]) -> Option<ModelError> {
    let mut telling = events.iter().filter(|event| shows(event));
    let only = (telling.next(), telling.next());
    matches!(only, (Some(ModelEvent::Finished(StopReason::Error)), None)).then(|| ModelError {
        kind: "unavailable".to_owned(),
        message: "the service failed before it said anything; say `go on` to try again".to_owned(),
        retry_after_ms: Some(0),
        sent: true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Usage;

    #[test]
    fn an_answer_that_failed_with_nothing_said_broke_off() {
        let usage = || ModelEvent::Usage(Usage::default());
        let failed = || ModelEvent::Finished(StopReason::Error);
        assert!(broke_off(&[usage(), failed()]).is_some());
        assert!(broke_off(&[ModelEvent::Text("a".into()), failed()]).is_none());
        assert!(broke_off(&[usage()]).is_none());
        assert!(broke_off(&[ModelEvent::Finished(StopReason::EndTurn)]).is_none());
    }
}
