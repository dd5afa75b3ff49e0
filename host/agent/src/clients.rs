//! The clients of a session: each has a queue and a thread of its own, so that one that is slow
//! or panics blocks no task. Nothing here decides what is shown.
//!
//! The client a session was opened with is its person's eyes and misses no entry: while it is
//! [`BEHIND`] messages behind, the session takes no more reports, so models and tools wait, while
//! commands, a cancel above all, and the turn's time go on. Any other client that falls so far
//! behind is dropped, since it must not hold up the person: it is shown what waits for it, then
//! its [`Subscription`] ends with the number of the last entry it has seen, and it can read the
//! rest from the journal. Progress notes are lost first, as nothing depends on them. A client
//! that panics is dropped at once.

use hydroid_core::ports::Sink;
use hydroid_core::protocol::ServerMessage;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;
use tokio::sync::{oneshot, watch};

/// Messages a client may be behind: some minutes of a streaming answer. The queue itself has no
/// bound, so that one report is recorded and shown as a whole; what is in it beyond this number
/// is what one report and the person's own commands can add.
const BEHIND: u64 = 1024;

/// Longest wait for clients other than the first to have been shown a turn that ended.
const FLUSH: Duration = Duration::from_secs(1);

/// The clients of one session.
#[derive(Debug)]
pub(crate) struct Clients {
    /// The one it was opened with; none once it has panicked.
    opener: Option<Client>,
    others: Vec<Client>,
}

/// One client.
#[derive(Debug)]
pub(crate) struct Client {
    queue: Sender<Delivery>,
    /// Messages it was sent.
    sent: u64,
    /// Messages it was shown; closed once its thread has ended.
    shown: watch::Receiver<u64>,
}

/// A client's place among those of a session. Dropping it changes nothing for the client.
#[derive(Debug)]
pub struct Subscription {
    ended: oneshot::Receiver<SubscriptionEnd>,
}

/// Why a client is shown nothing more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubscriptionEnd {
    /// The session has closed, and it was shown everything.
    Closed,
    /// It was too far behind. The journal has what follows the entry `last_seq`, the last one it
    /// was shown; none if it was shown no entry at all.
    FellBehind {
        /// Position in the session.
        last_seq: Option<u64>,
    },
    /// It panicked.
    Panicked,
}

/// Resolves when clients were shown everything up to a moment.
#[derive(Debug, Default)]
pub struct Shown {
    opener: Option<oneshot::Receiver<()>>,
    others: Vec<oneshot::Receiver<()>>,
}

#[expect(clippy::large_enum_variant, reason = "nearly every delivery is a message")]
enum Delivery {
    Message(ServerMessage),
    /// Everything before this was shown.
    Flush(oneshot::Sender<()>),
    /// Nothing follows, although the session goes on.
    FellBehind,
}

impl Client {
    /// Starts the client's thread, which ends when the session does.
    pub(crate) fn start(sink: Arc<dyn Sink>) -> io::Result<(Self, Subscription)> {
        let (queue, deliveries) = channel();
        let (count, shown) = watch::channel(0);
        let (end, ended) = oneshot::channel();
        std::thread::Builder::new().name("hydroid-client".to_owned()).spawn(move || {
            // Whether anybody still wants to know is their business.
            let _ = end.send(deliver(&*sink, &deliveries, &count));
        })?;
        Ok((Self { queue, sent: 0, shown }, Subscription { ended }))
    }

    fn is_behind(&self) -> bool {
        self.sent.saturating_sub(*self.shown.borrow()) >= BEHIND
    }

    /// False if the client is gone.
    fn send(&mut self, message: ServerMessage) -> bool {
        self.sent += 1;
        self.queue.send(Delivery::Message(message)).is_ok()
    }

    fn flushed(&self) -> Option<oneshot::Receiver<()>> {
        let (done, flushed) = oneshot::channel();
        self.queue.send(Delivery::Flush(done)).ok().map(|()| flushed)
    }
}

impl Clients {
    pub(crate) fn of(opener: Client) -> Self {
        Self { opener: Some(opener), others: Vec::new() }
    }

    pub(crate) fn add(&mut self, client: Client) {
        self.others.push(client);
    }

    pub(crate) fn show(&mut self, message: &ServerMessage) {
        let transient = match message {
            ServerMessage::Progress { .. } | ServerMessage::ModelProgress { .. } => true,
            ServerMessage::Entry { .. } => false,
        };
        if let Some(opener) = &mut self.opener
            && !(transient && opener.is_behind())
            && !opener.send(message.clone())
        {
            self.opener = None;
        }
        self.others.retain_mut(|client| match (client.is_behind(), transient) {
            (false, _) => client.send(message.clone()),
            (true, true) => true,
            (true, false) => {
                tracing::warn!("a client was dropped: it is {BEHIND} messages behind");
                drop(client.queue.send(Delivery::FellBehind));
                false
            }
        });
    }

    /// Resolves when the client the session was opened with is not too far behind, or is gone.
    pub(crate) async fn room(&mut self) {
        if let Some(opener) = &mut self.opener {
            let sent = opener.sent;
            // An error means that its thread has ended, and nobody is waited for.
            drop(opener.shown.wait_for(|shown| sent.saturating_sub(*shown) < BEHIND).await);
        }
    }

    /// Resolves once the clients were shown everything so far; one that is gone is not awaited.
    pub(crate) fn flushed(&self) -> Shown {
        Shown {
            opener: self.opener.as_ref().and_then(Client::flushed),
            others: self.others.iter().filter_map(Client::flushed).collect(),
        }
    }
}

impl Subscription {
    /// Waits until the client is shown nothing more, and says why.
    pub async fn ended(self) -> SubscriptionEnd {
        // A thread that says nothing was ended by a panic outside of the sink, as while dropping it.
        self.ended.await.unwrap_or(SubscriptionEnd::Panicked)
    }
}

impl Shown {
    /// Waits for the client the session was opened with as long as it takes, and shortly for the
    /// others. Dropping the future ends the wait and loses nothing.
    pub async fn wait(self) {
        let others = tokio::time::timeout(FLUSH, futures_util::future::join_all(self.others));
        let opener = async {
            if let Some(opener) = self.opener {
                drop(opener.await);
            }
        };
        drop(futures_util::future::join(opener, others).await);
    }

    /// Waits shortly for all of them.
    pub(crate) async fn wait_shortly(self) {
        drop(tokio::time::timeout(FLUSH, self.wait()).await);
    }
}

fn deliver(
    sink: &dyn Sink,
    deliveries: &Receiver<Delivery>,
    shown: &watch::Sender<u64>,
) -> SubscriptionEnd {
    let mut last_seq = None;
    for delivery in deliveries {
        match delivery {
            Delivery::Message(message) => {
                let seq = match &message {
                    ServerMessage::Entry { seq, .. } => Some(*seq),
                    ServerMessage::Progress { .. } | ServerMessage::ModelProgress { .. } => None,
                };
                if catch_unwind(AssertUnwindSafe(|| sink.emit(message))).is_err() {
                    tracing::warn!("a client was dropped: it panicked");
                    return SubscriptionEnd::Panicked;
                }
                last_seq = seq.or(last_seq);
                shown.send_modify(|shown| *shown += 1);
            }
            Delivery::Flush(done) => drop(done.send(())),
            Delivery::FellBehind => return SubscriptionEnd::FellBehind { last_seq },
        }
    }
    SubscriptionEnd::Closed
}
