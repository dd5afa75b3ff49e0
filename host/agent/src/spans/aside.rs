//! The span of a model request that is no step of a turn: a question beside a conversation, or
//! what a child turn asks.

use super::{content, service, set_usage};
use hydroid_core::id::{SessionId, UserId};
use hydroid_core::message::{Content, Usage};
use hydroid_core::ports::{ModelRequest, Telemetry};
use hydroid_core::telemetry::{OpenSpan, Parent, SpanKind, Trace, names};
use std::sync::Arc;

/// The span while the question is answered. Dropping it ends it as cancelled.
pub(crate) struct AsideSpan(OpenSpan);

impl AsideSpan {
    pub(crate) fn begin(
        telemetry: Option<&Arc<dyn Telemetry>>,
        parent: Option<Parent>,
        (user, session): (&UserId, &SessionId),
        (provider, model): (&str, &str),
        request: &ModelRequest,
    ) -> Self {
        let mut span =
            OpenSpan::root(telemetry, parent, format_args!("chat {model}"), SpanKind::Client);
        span.set(names::ASIDE, "true");
        Self::of(span, (user, session), (provider, model), request)
    }

    /// Below what runs there.
    pub(crate) fn within(
        place: &Trace,
        whose: (&UserId, &SessionId),
        (provider, model): (&str, &str),
        request: &ModelRequest,
    ) -> Self {
        let span = place.begin(format_args!("chat {model}"), SpanKind::Client);
        Self::of(span, whose, (provider, model), request)
    }

    fn of(
        mut span: OpenSpan,
        (user, session): (&UserId, &SessionId),
        (provider, model): (&str, &str),
        request: &ModelRequest,
    ) -> Self {
        span.set(names::OPERATION, "chat");
        span.set(names::CONVERSATION, session.as_str());
        span.set(names::USER, user.as_str());
        span.set(names::PROVIDER, service(provider));
        span.set(names::REQUEST_MODEL, model);
        if span.wants_content() {
            span.set(names::INPUT_MESSAGES, content::messages(&request.messages));
        }
        Self(span)
    }

    /// The place of what the request does.
    pub(crate) fn trace(&self) -> Trace {
        self.0.trace()
    }

    pub(crate) fn failed(mut self, kind: &str) {
        self.0.fail(kind);
        self.0.end();
    }

    pub(crate) fn answered(mut self, text: &str, usage: &Usage) {
        set_usage(&mut self.0, usage);
        if self.0.wants_content() {
            let said = Content::text(text);
            self.0
                .set(names::OUTPUT_MESSAGES, content::message("assistant", std::iter::once(&said)));
        }
        self.0.end();
    }
}
