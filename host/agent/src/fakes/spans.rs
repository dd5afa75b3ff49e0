//! A service that keeps the spans it is told of. Where nobody says so it wants none.

use hydroid_core::ports::Telemetry;
use hydroid_core::telemetry::{Span, SpanId, TraceId, Value};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

#[derive(Default)]
pub(crate) struct FakeTelemetry {
    pub(crate) wanted: AtomicBool,
    pub(crate) content: AtomicBool,
    count: AtomicU64,
    spans: Mutex<Vec<Span>>,
}

impl FakeTelemetry {
    fn next(&self) -> u64 {
        self.count.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// A line for each span in the order they began: its name below its parents' names, what
    /// happened in it, and the failure it ended with.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut spans = self.spans.lock().unwrap().clone();
        spans.sort_by_key(|span| span.began_ns);
        let line = |span: &Span| {
            let mut path = vec![span.name.clone()];
            let mut above = span.parent;
            while let Some(parent) = above {
                let parent = spans.iter().find(|other| other.id == parent);
                path.push(parent.map_or("?".to_owned(), |parent| parent.name.clone()));
                above = parent.and_then(|parent| parent.parent);
            }
            path.reverse();
            let events = span.events.iter().map(|event| format!(" +{}", event.name));
            let failed = span.failed.iter().map(|kind| format!(" !{kind}"));
            format!("{}{}", path.join(" > "), events.chain(failed).collect::<String>())
        };
        spans.iter().map(line).collect()
    }

    /// What the span of this name has under a name.
    pub(crate) fn value(&self, span: &str, name: &str) -> Option<Value> {
        let spans = self.spans.lock().unwrap();
        let span = spans.iter().find(|found| found.name == span)?;
        span.attributes.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone())
    }

    pub(crate) fn everything(&self) -> String {
        format!("{:?}", self.spans.lock().unwrap())
    }
}

impl Telemetry for FakeTelemetry {
    fn begin(&self) -> Option<TraceId> {
        let wanted = self.wanted.load(Ordering::SeqCst);
        wanted.then(|| TraceId(u128::from(self.next()).to_be_bytes()))
    }

    fn span_id(&self) -> SpanId {
        SpanId(self.next().to_be_bytes())
    }

    fn now_ns(&self) -> u64 {
        self.next()
    }

    fn includes_content(&self) -> bool {
        self.content.load(Ordering::SeqCst)
    }

    fn ended(&self, span: Span) {
        self.spans.lock().unwrap().push(span);
    }
}
