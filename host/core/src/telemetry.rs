//! What is told of how a turn went to a system that shows traces: spans, each with its parent,
//! its time and what it is about. Nothing here is sent anywhere and nothing depends on it; where
//! nobody wants spans, none are made.

mod parent;

pub use parent::Parent;

use crate::ports::Telemetry;
use std::fmt;
use std::sync::Arc;

/// The names of OpenTelemetry's conventions for generative AI, and ours beside them.
pub mod names {
    #![expect(missing_docs, reason = "each is the name it holds")]

    pub const AGENT: &str = "gen_ai.agent.name";
    pub const ASIDE: &str = "hydroid.aside";
    pub const CACHE_CREATED: &str = "gen_ai.usage.cache_creation.input_tokens";
    pub const CACHE_READ: &str = "gen_ai.usage.cache_read.input_tokens";
    pub const CALL_ARGUMENTS: &str = "gen_ai.tool.call.arguments";
    pub const CALL_ID: &str = "gen_ai.tool.call.id";
    pub const CALL_RESULT: &str = "gen_ai.tool.call.result";
    pub const COMPONENT: &str = "hydroid.component.name";
    pub const CONVERSATION: &str = "gen_ai.conversation.id";
    pub const DIGEST: &str = "hydroid.component.digest";
    pub const DOLLARS: &str = "hydroid.usage.dollars";
    pub const EMBEDDED_FOR: &str = "hydroid.embeddings.purpose";
    pub const EMBEDDED_TEXTS: &str = "hydroid.embeddings.texts";
    pub const ERROR: &str = "error.type";
    pub const FINISH_REASONS: &str = "gen_ai.response.finish_reasons";
    pub const FUNCTION: &str = "hydroid.component.function";
    pub const HOOK_ANSWER: &str = "hydroid.hook.answer";
    pub const HOOK_POINT: &str = "hydroid.hook.point";
    pub const INPUT_MESSAGES: &str = "gen_ai.input.messages";
    pub const INPUT_TOKENS: &str = "gen_ai.usage.input_tokens";
    pub const OPERATION: &str = "gen_ai.operation.name";
    pub const OUTCOME: &str = "hydroid.turn.outcome";
    pub const OUTPUT_MESSAGES: &str = "gen_ai.output.messages";
    pub const OUTPUT_TOKENS: &str = "gen_ai.usage.output_tokens";
    pub const PROVIDER: &str = "gen_ai.provider.name";
    pub const REASONING_TOKENS: &str = "gen_ai.usage.reasoning.output_tokens";
    pub const REQUEST_MODEL: &str = "gen_ai.request.model";
    pub const RESPONSE_MODEL: &str = "gen_ai.response.model";
    pub const STEP: &str = "hydroid.step";
    pub const TOOL: &str = "gen_ai.tool.name";
    pub const TOOL_TYPE: &str = "gen_ai.tool.type";
    pub const TURN: &str = "hydroid.turn.id";
    pub const USER: &str = "user.id";
}

/// `error.type` of what was dropped before its end.
const DROPPED: &str = "cancelled";

/// Which trace a span belongs to; never all zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TraceId(pub [u8; 16]);

/// Which span of a trace; never all zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SpanId(pub [u8; 8]);

/// Which side of an exchange a span is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpanKind {
    /// Work of this process.
    Internal,
    /// It waits for a service elsewhere.
    Client,
}

/// What an attribute has.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A text.
    Text(String),
    /// Some texts.
    Texts(Vec<String>),
    /// A whole number.
    Number(i64),
    /// Any other number.
    Real(f64),
}

/// Something at one moment of a span.
#[derive(Clone, Debug, PartialEq)]
pub struct SpanEvent {
    /// What happened.
    pub name: &'static str,
    /// Nanoseconds since 1970-01-01 UTC.
    pub at_ns: u64,
    /// What it was about.
    pub attributes: Vec<(&'static str, Value)>,
}

/// A span that is over.
#[derive(Clone, Debug, PartialEq)]
pub struct Span {
    /// Its trace.
    pub trace: TraceId,
    /// Itself.
    pub id: SpanId,
    /// What it is a part of.
    pub parent: Option<SpanId>,
    /// Its name, of which there are few.
    pub name: String,
    /// Which side.
    pub kind: SpanKind,
    /// Nanoseconds since 1970-01-01 UTC.
    pub began_ns: u64,
    /// Likewise.
    pub ended_ns: u64,
    /// What it was about, each name once.
    pub attributes: Vec<(&'static str, Value)>,
    /// What happened in it.
    pub events: Vec<SpanEvent>,
    /// The kind of failure it ended with.
    pub failed: Option<String>,
}

/// The place in a trace that further spans are parts of; none where nothing is traced.
#[derive(Clone, Default)]
pub struct Trace(Option<Place>);

#[derive(Clone)]
struct Place {
    telemetry: Arc<dyn Telemetry>,
    trace: TraceId,
    span: SpanId,
}

/// A span that goes on. Dropping it ends it as cancelled; where nothing is traced it does nothing.
#[derive(Default)]
pub struct OpenSpan(Option<Box<Open>>);

struct Open {
    telemetry: Arc<dyn Telemetry>,
    span: Span,
}

impl Trace {
    /// Begins a part of this place.
    pub fn begin(&self, name: fmt::Arguments<'_>, kind: SpanKind) -> OpenSpan {
        let Some(Place { telemetry, trace, span }) = &self.0 else { return OpenSpan(None) };
        OpenSpan::new(telemetry, (*trace, Some(*span)), name, kind)
    }
}

impl OpenSpan {
    /// Begins a trace, if somebody wants this one, or a part of what a client said it belongs to,
    /// if that is traced.
    pub fn root(
        telemetry: Option<&Arc<dyn Telemetry>>,
        parent: Option<Parent>,
        name: fmt::Arguments<'_>,
        kind: SpanKind,
    ) -> Self {
        let Some(telemetry) = telemetry else { return Self(None) };
        let trace = match parent {
            Some(parent) => parent.sampled.then_some(parent.trace),
            None => telemetry.begin(),
        };
        let Some(trace) = trace else { return Self(None) };
        Self::new(telemetry, (trace, parent.map(|parent| parent.span)), name, kind)
    }

    fn new(
        telemetry: &Arc<dyn Telemetry>,
        (trace, parent): (TraceId, Option<SpanId>),
        name: fmt::Arguments<'_>,
        kind: SpanKind,
    ) -> Self {
        let began_ns = telemetry.now_ns();
        let span = Span {
            trace,
            id: telemetry.span_id(),
            parent,
            name: name.to_string(),
            kind,
            began_ns,
            ended_ns: began_ns,
            attributes: Vec::new(),
            events: Vec::new(),
            failed: None,
        };
        Self(Some(Box::new(Open { telemetry: Arc::clone(telemetry), span })))
    }

    /// The place for its parts.
    pub fn trace(&self) -> Trace {
        Trace(self.0.as_ref().map(|open| Place {
            telemetry: Arc::clone(&open.telemetry),
            trace: open.span.trace,
            span: open.span.id,
        }))
    }

    /// True if somebody wants to see what was said, too.
    pub fn wants_content(&self) -> bool {
        self.0.as_ref().is_some_and(|open| open.telemetry.includes_content())
    }

    /// Says what it is about; the last word on a name counts.
    pub fn set(&mut self, name: &'static str, value: impl Into<Value>) {
        let Some(open) = &mut self.0 else { return };
        let attributes = &mut open.span.attributes;
        attributes.retain(|(known, _)| *known != name);
        attributes.push((name, value.into()));
    }

    /// Says that something happened now.
    pub fn tell(&mut self, name: &'static str, attributes: Vec<(&'static str, Value)>) {
        let Some(open) = &mut self.0 else { return };
        let at_ns = open.telemetry.now_ns();
        open.span.events.push(SpanEvent { name, at_ns, attributes });
    }

    /// Says that it failed, and with which kind of failure; what is known first is what counts.
    pub fn fail(&mut self, kind: &str) {
        if let Some(open) = &mut self.0 {
            open.span.failed.get_or_insert_with(|| kind.to_owned());
        }
    }

    /// Ends it.
    pub fn end(mut self) {
        self.over();
    }

    fn over(&mut self) {
        let Some(open) = self.0.take() else { return };
        let Open { telemetry, mut span } = *open;
        // A clock that was set back makes no span that ends before it began.
        span.ended_ns = telemetry.now_ns().max(span.began_ns);
        if let Some(kind) = &span.failed {
            span.attributes.push((names::ERROR, Value::Text(kind.clone())));
        }
        telemetry.ended(span);
    }
}

impl Drop for OpenSpan {
    fn drop(&mut self) {
        if let Some(open) = &mut self.0 {
            open.span.failed.get_or_insert_with(|| DROPPED.to_owned());
        }
        self.over();
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Real(number)
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Number(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Number(number.into())
    }
}

/// Places are the same if what is begun there would be a part of the same span.
impl PartialEq for Trace {
    fn eq(&self, other: &Self) -> bool {
        let ids = |place: &Place| (place.trace, place.span);
        self.0.as_ref().map(ids) == other.0.as_ref().map(ids)
    }
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Trace").field(&self.0.as_ref().map(|place| place.span)).finish()
    }
}

impl fmt::Debug for OpenSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OpenSpan").field(&self.0.as_ref().map(|open| &open.span.name)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicU64, Ordering};

    #[derive(Default)]
    struct Kept {
        count: AtomicU64,
        spans: Mutex<Vec<Span>>,
    }

    impl Telemetry for Kept {
        fn begin(&self) -> Option<TraceId> {
            Some(TraceId([7; 16]))
        }
        fn span_id(&self) -> SpanId {
            SpanId((self.count.fetch_add(1, Ordering::SeqCst) + 1).to_be_bytes())
        }
        fn now_ns(&self) -> u64 {
            // Backwards, as a clock that is set does.
            1_000 - self.count.load(Ordering::SeqCst)
        }
        fn includes_content(&self) -> bool {
            false
        }
        fn ended(&self, span: Span) {
            self.spans.lock().unwrap().push(span);
        }
    }

    #[test]
    fn a_part_names_its_parent_and_what_is_dropped_is_cancelled() {
        let kept = Arc::new(Kept::default());
        let telemetry: Arc<dyn Telemetry> = kept.clone();
        let mut root =
            OpenSpan::root(Some(&telemetry), None, format_args!("whole"), SpanKind::Internal);
        let mut part = root.trace().begin(format_args!("part"), SpanKind::Client);
        part.set(names::STEP, 1_u32);
        part.set(names::STEP, 2_u32);
        drop(part);
        root.fail("timeout");
        root.end();
        let spans = kept.spans.lock().unwrap();
        let (part, whole) = (&spans[0], &spans[1]);
        assert_eq!((part.parent, whole.parent), (Some(whole.id), None));
        assert_eq!(part.trace, whole.trace);
        let cancelled = (names::ERROR, Value::from("cancelled"));
        assert_eq!(part.attributes, [(names::STEP, Value::Number(2)), cancelled]);
        assert_eq!(whole.failed.as_deref(), Some("timeout"));
        assert!(spans.iter().all(|span| span.began_ns <= span.ended_ns));
    }

    #[test]
    fn what_a_client_says_it_belongs_to_is_its_trace_and_parent_if_that_is_traced() {
        let kept = Arc::new(Kept::default());
        let telemetry: Arc<dyn Telemetry> = kept.clone();
        let begun = |sampled| {
            let parent = Parent { trace: TraceId([9; 16]), span: SpanId([5; 8]), sampled };
            let name = format_args!("whole");
            OpenSpan::root(Some(&telemetry), Some(parent), name, SpanKind::Internal)
        };
        assert!(begun(false).0.is_none());
        begun(true).end();
        let spans = kept.spans.lock().unwrap();
        assert_eq!(spans.len(), 1);
        assert_eq!((spans[0].trace, spans[0].parent), (TraceId([9; 16]), Some(SpanId([5; 8]))));
    }

    #[test]
    fn where_nobody_wants_spans_none_are_made() {
        let mut root = OpenSpan::root(None, None, format_args!("whole"), SpanKind::Internal);
        root.set(names::STEP, 1_u32);
        root.tell("event", Vec::new());
        let part = root.trace().begin(format_args!("part"), SpanKind::Internal);
        assert!(root.0.is_none() && part.0.is_none() && Trace::default().0.is_none());
    }
}
