//! Where spans go. Nobody waits for it, and nothing depends on it.

use crate::telemetry::{Span, SpanId, TraceId};

/// Takes spans that are over. Every call returns at once.
pub trait Telemetry: Send + Sync {
    /// A new trace; none if this one is not wanted.
    fn begin(&self) -> Option<TraceId>;
    /// A new span of a trace.
    fn span_id(&self) -> SpanId;
    /// Nanoseconds since 1970-01-01 UTC.
    fn now_ns(&self) -> u64;
    /// True if what was said belongs to the spans.
    fn includes_content(&self) -> bool;
    /// Takes a span; what does not fit is dropped and counted.
    fn ended(&self, span: Span);
}

/// What became of spans since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SpanCounts {
    /// Taken by the service they go to.
    pub sent: u64,
    /// Not taken by it, or not even offered because too many waited.
    pub dropped: u64,
}
