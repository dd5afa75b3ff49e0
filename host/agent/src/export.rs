//! Hands spans to a service that keeps them, in batches and by a task of its own. A turn never
//! waits for it: what does not fit into the queue, or is not taken, is dropped and counted.

mod otlp;

use futures_util::future::BoxFuture;
use hydroid_core::ports::{SpanCounts, Telemetry};
use hydroid_core::scrub::LiveScrubber;
use hydroid_core::telemetry::{Span, SpanId, TraceId, Value};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

/// Spans that wait: some minutes of a busy host, and a few megabytes.
const WAITING: usize = 4_096;

/// Spans of one request.
const BATCH: usize = 512;

/// Bytes of text in one request, about; endpoints take a few megabytes.
const BATCH_TEXT: usize = 1 << 20;

/// How long a span waits for others.
const EVERY: Duration = Duration::from_secs(2);

/// How often a batch is offered, and how long it waits in between, each time twice as long.
const OFFERS: u32 = 4;
const FIRST_WAIT: Duration = Duration::from_millis(500);

/// How long the service may take for one batch.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long the end of the host waits for what is left.
const ENDING: Duration = Duration::from_secs(3);

/// What became of a batch that was offered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Offered {
    /// It is there.
    Taken,
    /// Not now; it can be offered again.
    Later(String),
    /// It will never be taken.
    Refused(String),
}

/// Sends the body of one request.
pub type Offer = Box<dyn Fn(Vec<u8>) -> BoxFuture<'static, Offered> + Send + Sync>;

/// A number from outside.
pub type Drawn = Arc<dyn Fn() -> u64 + Send + Sync>;

/// What an exporter is made of.
pub struct ExportParts {
    /// What the host is called in traces.
    pub service: String,
    /// The host's version.
    pub version: String,
    /// The share of turns that are traced, from 0 to 1.
    pub sampling: f64,
    /// Whether what was said belongs to the spans.
    pub content: bool,
    /// How a batch is sent.
    pub offer: Offer,
    /// Any number, each equally likely.
    pub random: Drawn,
    /// Nanoseconds since 1970-01-01 UTC; a component is made in less than a millisecond.
    pub now_ns: Drawn,
}

/// Hands spans over. Clones share the task and its queue, which end with the last of them.
#[derive(Clone)]
pub struct Exporter(Arc<Shared>);

struct Shared {
    orders: mpsc::Sender<Order>,
    counts: Arc<Counts>,
    sampling: f64,
    content: bool,
    random: Drawn,
    now_ns: Drawn,
}

#[derive(Default)]
struct Counts {
    sent: AtomicU64,
    dropped: AtomicU64,
    /// It was said that the service takes nothing; said again once it did.
    told: AtomicBool,
}

enum Order {
    Keep(Box<Span>, LiveScrubber),
    Flush(oneshot::Sender<()>),
}

impl Exporter {
    /// Begins to export, within a tokio runtime.
    pub fn start(parts: ExportParts) -> Self {
        let (orders, waiting) = mpsc::channel(WAITING);
        let counts = Arc::<Counts>::default();
        let ExportParts { service, version, sampling, content, offer, random, now_ns } = parts;
        let task = Task {
            service,
            version,
            offer,
            counts: Arc::clone(&counts),
            batch: Vec::new(),
            text: 0,
        };
        tokio::spawn(task.run(waiting));
        Self(Arc::new(Shared { orders, counts, sampling, content, random, now_ns }))
    }

    /// The port for spans of one user: what is known as a secret of theirs is masked.
    pub fn of(&self, scrubber: LiveScrubber) -> Arc<dyn Telemetry> {
        Arc::new(Scrubbed { exporter: self.clone(), scrubber })
    }

    /// What became of spans so far.
    pub fn counts(&self) -> SpanCounts {
        let counts = &self.0.counts;
        SpanCounts {
            sent: counts.sent.load(Ordering::Relaxed),
            dropped: counts.dropped.load(Ordering::Relaxed),
        }
    }

    /// Waits until what was told so far is handed over, but not for long.
    pub async fn flush(&self) {
        let flushed = async {
            let (done, flushed) = oneshot::channel();
            if self.0.orders.send(Order::Flush(done)).await.is_ok() {
                drop(flushed.await);
            }
        };
        if tokio::time::timeout(ENDING, flushed).await.is_err() {
            tracing::warn!("the last spans were not handed over: the service takes too long");
        }
    }
}

struct Scrubbed {
    exporter: Exporter,
    scrubber: LiveScrubber,
}

impl Telemetry for Scrubbed {
    fn begin(&self) -> Option<TraceId> {
        let shared = &self.exporter.0;
        let (high, low) = ((shared.random)(), (shared.random)());
        // As other hosts choose: by the lower half of the number, so that all choose the same.
        #[expect(clippy::cast_precision_loss, reason = "a share needs no more than 53 bits")]
        let share = (low >> 11) as f64 / (1_u64 << 53) as f64;
        let wanted = share < shared.sampling && (high, low) != (0, 0);
        let number = u128::from(high) << 64 | u128::from(low);
        wanted.then(|| TraceId(number.to_be_bytes()))
    }

    fn span_id(&self) -> SpanId {
        SpanId((self.exporter.0.random)().max(1).to_be_bytes())
    }

    fn now_ns(&self) -> u64 {
        (self.exporter.0.now_ns)()
    }

    fn includes_content(&self) -> bool {
        self.exporter.0.content
    }

    fn ended(&self, span: Span) {
        let shared = &self.exporter.0;
        let order = Order::Keep(Box::new(span), self.scrubber.clone());
        if shared.orders.try_send(order).is_err() {
            shared.counts.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The task behind an exporter.
struct Task {
    service: String,
    version: String,
    offer: Offer,
    counts: Arc<Counts>,
    batch: Vec<Span>,
    /// Bytes of text in the batch.
    text: usize,
}

impl Task {
    async fn run(mut self, mut orders: mpsc::Receiver<Order>) {
        let mut due: Option<Instant> = None;
        loop {
            let order = match due {
                None => orders.recv().await,
                Some(at) => match tokio::time::timeout_at(at, orders.recv()).await {
                    Ok(order) => order,
                    Err(_) => {
                        due = None;
                        self.hand_over(OFFERS).await;
                        continue;
                    }
                },
            };
            match order {
                Some(Order::Keep(span, scrubber)) => {
                    let span = masked(*span, &scrubber);
                    self.text = self.text.saturating_add(text_of(&span));
                    self.batch.push(span);
                    due.get_or_insert_with(|| Instant::now() + EVERY);
                    if self.batch.len() >= BATCH || self.text >= BATCH_TEXT {
                        due = None;
                        self.hand_over(OFFERS).await;
                    }
                }
                Some(Order::Flush(done)) => {
                    due = None;
                    // Whoever waits for this has no time for a service that is away.
                    self.hand_over(1).await;
                    let _ = done.send(());
                }
                None => return self.hand_over(1).await,
            }
        }
    }

    /// Offers the batch until it is taken, it is clear that it never will be, or enough was tried.
    async fn hand_over(&mut self, offers: u32) {
        if self.batch.is_empty() {
            return;
        }
        self.text = 0;
        let spans = std::mem::take(&mut self.batch);
        let body = otlp::request(&self.service, &self.version, &spans);
        let mut wait = FIRST_WAIT;
        for offer in 1..=offers {
            let offered = tokio::time::timeout(PATIENCE, (self.offer)(body.clone())).await;
            let problem = match offered {
                Ok(Offered::Taken) => {
                    self.counts.told.store(false, Ordering::Relaxed);
                    let count = spans.len() as u64;
                    self.counts.sent.fetch_add(count, Ordering::Relaxed);
                    return;
                }
                Ok(Offered::Refused(problem)) => return self.lose(&spans, &problem),
                Ok(Offered::Later(problem)) => problem,
                Err(_) => format!("no answer within {} s", PATIENCE.as_secs()),
            };
            if offer == offers {
                return self.lose(&spans, &problem);
            }
            tokio::time::sleep(wait).await;
            wait *= 2;
        }
    }

    fn lose(&self, spans: &[Span], problem: &str) {
        self.counts.dropped.fetch_add(spans.len() as u64, Ordering::Relaxed);
        if !self.counts.told.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "spans are dropped, since `telemetry.otlp_endpoint` does not take them: {problem}"
            );
        }
    }
}

/// Bytes of the texts of a span.
fn text_of(span: &Span) -> usize {
    let length = |(_, value): &(&str, Value)| match value {
        Value::Text(text) => text.len(),
        Value::Texts(texts) => texts.iter().map(String::len).sum(),
        Value::Number(_) | Value::Real(_) => 0,
    };
    span.attributes.iter().map(length).sum()
}

/// The span with what is known as secret masked, whoever put it there.
fn masked(mut span: Span, scrubber: &LiveScrubber) -> Span {
    let scrubber = scrubber.current();
    let mask = |value: &mut Value| match value {
        Value::Text(text) => *text = scrubber.scrub(text),
        Value::Texts(texts) => texts.iter_mut().for_each(|text| *text = scrubber.scrub(text)),
        Value::Number(_) | Value::Real(_) => {}
    };
    span.name = scrubber.scrub(&span.name);
    let events = span.events.iter_mut().flat_map(|event| &mut event.attributes);
    span.attributes.iter_mut().chain(events).for_each(|(_, value)| mask(value));
    span
}

impl std::fmt::Debug for Exporter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Exporter").field("counts", &self.counts()).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for ExportParts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ExportParts").field("service", &self.service).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hydroid_core::telemetry::{OpenSpan, SpanKind, names};
    use std::sync::Mutex;

    type Script = Arc<Mutex<Vec<Offered>>>;

    /// An exporter whose service answers so, in turn, and then takes everything.
    fn exporter(answers: Vec<Offered>, sampling: f64) -> (Exporter, Arc<Mutex<Vec<Vec<u8>>>>) {
        let script: Script = Arc::new(Mutex::new(answers.into_iter().rev().collect()));
        let bodies = Arc::new(Mutex::new(Vec::new()));
        let (kept, count) = (Arc::clone(&bodies), AtomicU64::new(0));
        let parts = ExportParts {
            service: "s".to_owned(),
            version: "v".to_owned(),
            sampling,
            content: false,
            offer: Box::new(move |body| {
                kept.lock().unwrap().push(body);
                let answer = script.lock().unwrap().pop().unwrap_or(Offered::Taken);
                Box::pin(async move { answer })
            }),
            // Spread evenly over all numbers.
            random: Arc::new(move || {
                let number =
                    count.fetch_add(1, Ordering::SeqCst).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                (number ^ number >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9).rotate_left(32)
            }),
            now_ns: Arc::new(|| 1),
        };
        (Exporter::start(parts), bodies)
    }

    fn tell(exporter: &Exporter, spans: usize) {
        let telemetry = exporter.of(LiveScrubber::fixed(Vec::new(), Vec::new()).unwrap());
        for _ in 0..spans {
            let name = format_args!("a");
            let mut span = OpenSpan::root(Some(&telemetry), None, name, SpanKind::Internal);
            span.set(names::STEP, 1_u32);
            span.end();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_told_is_handed_over_together_and_at_the_latest_when_it_ends() {
        let (exporter, bodies) = exporter(Vec::new(), 1.0);
        tell(&exporter, 3);
        exporter.flush().await;
        assert_eq!(bodies.lock().unwrap().len(), 1);
        assert_eq!(exporter.counts(), SpanCounts { sent: 3, dropped: 0 });
        tell(&exporter, 1);
        tokio::time::sleep(EVERY * 2).await;
        assert_eq!(exporter.counts(), SpanCounts { sent: 4, dropped: 0 });
    }

    #[tokio::test(start_paused = true)]
    async fn a_busy_service_is_asked_again_and_a_refusal_is_not() {
        let busy = Offered::Later("503".to_owned());
        let (first, bodies) = exporter(vec![busy.clone(), busy.clone()], 1.0);
        tell(&first, 1);
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(bodies.lock().unwrap().len(), 3);
        assert_eq!(first.counts(), SpanCounts { sent: 1, dropped: 0 });
        let (second, bodies) = exporter(vec![Offered::Refused("400".to_owned())], 1.0);
        tell(&second, 2);
        second.flush().await;
        assert_eq!(bodies.lock().unwrap().len(), 1);
        assert_eq!(second.counts(), SpanCounts { sent: 0, dropped: 2 });
        let (third, bodies) = exporter(vec![busy; 4], 1.0);
        tell(&third, 1);
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(bodies.lock().unwrap().len(), 4);
        assert_eq!(third.counts(), SpanCounts { sent: 0, dropped: 1 });
    }

    #[tokio::test(start_paused = true)]
    async fn what_does_not_fit_is_dropped_and_counted_and_nobody_waits() {
        let (exporter, _) = exporter(Vec::new(), 1.0);
        // The task has not run yet.
        tell(&exporter, WAITING + 7);
        assert_eq!(exporter.counts().dropped, 7);
        exporter.flush().await;
        assert_eq!(exporter.counts(), SpanCounts { sent: WAITING as u64, dropped: 7 });
    }

    #[tokio::test(start_paused = true)]
    async fn a_share_of_the_traces_is_chosen() {
        for (sampling, expect) in [(0.0, 0..=0), (0.25, 200..=300), (1.0, 1_000..=1_000)] {
            let (exporter, _) = exporter(Vec::new(), sampling);
            tell(&exporter, 1_000);
            exporter.flush().await;
            let sent = exporter.counts().sent;
            assert!(expect.contains(&sent), "{sampling}: {sent}");
        }
    }
}
