//! Figures for Prometheus, and whether the host is there. They name no user and no session.

use hydroid_core::ports::SpanCounts;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

/// What is counted from the start on.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    pub(crate) connections: AtomicU64,
    pub(crate) sockets: AtomicU64,
    pub(crate) requests: AtomicU64,
    pub(crate) messages_in: AtomicU64,
    pub(crate) messages_out: AtomicU64,
    pub(crate) refused_unauthenticated: AtomicU64,
    pub(crate) refused_host: AtomicU64,
    pub(crate) refused_origin: AtomicU64,
    pub(crate) refused_rate: AtomicU64,
    pub(crate) refused_full: AtomicU64,
}

/// One more.
pub(crate) fn count(figure: &AtomicU64) {
    figure.fetch_add(1, Ordering::Relaxed);
}

/// One as long as this lives.
pub(crate) struct During<'a>(&'a AtomicU64);

impl<'a> During<'a> {
    pub(crate) fn new(figure: &'a AtomicU64) -> Self {
        count(figure);
        Self(figure)
    }
}

impl Drop for During<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Figures {
    /// The text that Prometheus reads; `turns` and `sessions` are of all users together.
    pub(crate) fn text(
        &self,
        turns: usize,
        sessions: u32,
        users: usize,
        spans: Option<SpanCounts>,
    ) -> String {
        let get = |figure: &AtomicU64| figure.load(Ordering::Relaxed);
        let mut text = String::new();
        let mut gauge = |name: &str, help: &str, kind: &str, rows: &[(&str, u64)]| {
            let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
            for (labels, value) in rows {
                let _ = writeln!(text, "{name}{labels} {value}");
            }
        };
        gauge("hydroid_connections", "Connections.", "gauge", &[("", get(&self.connections))]);
        gauge(
            "hydroid_sockets",
            "Connections that speak the protocol.",
            "gauge",
            &[("", get(&self.sockets))],
        );
        gauge("hydroid_users", "Users with anything in memory.", "gauge", &[("", users as u64)]);
        gauge("hydroid_sessions", "Sessions in memory.", "gauge", &[("", u64::from(sessions))]);
        gauge("hydroid_turns", "Turns that run or wait.", "gauge", &[("", turns as u64)]);
        gauge(
            "hydroid_http_requests_total",
            "Requests over HTTP.",
            "counter",
            &[("", get(&self.requests))],
        );
        gauge(
            "hydroid_messages_total",
            "Messages of the protocol.",
            "counter",
            &[
                ("{direction=\"in\"}", get(&self.messages_in)),
                ("{direction=\"out\"}", get(&self.messages_out)),
            ],
        );
        gauge(
            "hydroid_refused_total",
            "Requests that were refused before anything was done.",
            "counter",
            &[
                ("{reason=\"unauthenticated\"}", get(&self.refused_unauthenticated)),
                ("{reason=\"host\"}", get(&self.refused_host)),
                ("{reason=\"origin\"}", get(&self.refused_origin)),
                ("{reason=\"rate\"}", get(&self.refused_rate)),
                ("{reason=\"full\"}", get(&self.refused_full)),
            ],
        );
        if let Some(spans) = spans {
            gauge(
                "hydroid_spans_total",
                "Spans for `telemetry.otlp_endpoint`, and what became of them.",
                "counter",
                &[("{what=\"sent\"}", spans.sent), ("{what=\"dropped\"}", spans.dropped)],
            );
        }
        text
    }
}
