//! The clients of a session: each has a queue and a thread of its own, so that one that is slow
//! or panics holds up nobody. Nothing here decides what is shown.
//!
//! A client that falls more than [`QUEUE`] messages behind is dropped; it can read what it missed
//! from the journal by sequence number. Progress notes are lost first, since nothing depends on
//! them. A client that panics is dropped at once.

use hydroid_core::ports::Sink;
use hydroid_core::protocol::ServerMessage;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use tokio::sync::oneshot;

/// Messages that may wait for a client: some minutes of a streaming answer.
const QUEUE: usize = 1024;

/// The clients of one session.
#[derive(Debug, Default)]
pub(crate) struct Clients(Vec<Client>);

/// One client.
#[derive(Debug)]
pub(crate) struct Client {
    queue: SyncSender<Delivery>,
}

enum Delivery {
    Message(ServerMessage),
    /// Everything before this was shown.
    Flush(oneshot::Sender<()>),
}

impl Client {
    /// Starts the client's thread, which ends when the session does.
    pub(crate) fn start(sink: Arc<dyn Sink>) -> io::Result<Self> {
        let (queue, deliveries) = sync_channel(QUEUE);
        std::thread::Builder::new()
            .name("hydroid-client".to_owned())
            .spawn(move || deliver(&*sink, &deliveries))?;
        Ok(Self { queue })
    }
}

impl Clients {
    pub(crate) fn add(&mut self, client: Client) {
        self.0.push(client);
    }

    pub(crate) fn show(&mut self, message: &ServerMessage) {
        let transient = matches!(message, ServerMessage::Progress { .. });
        self.0.retain(|client| match client.queue.try_send(Delivery::Message(message.clone())) {
            Ok(()) => true,
            Err(TrySendError::Full(_)) if transient => true,
            Err(TrySendError::Full(_)) => {
                tracing::warn!("a client was dropped: it is {QUEUE} messages behind");
                false
            }
            Err(TrySendError::Disconnected(_)) => false,
        });
    }

    /// Each of these resolves once a client was shown everything so far; a client that is full
    /// or gone has none.
    pub(crate) fn flushed(&self) -> Vec<oneshot::Receiver<()>> {
        let flush = |client: &Client| {
            let (done, flushed) = oneshot::channel();
            client.queue.try_send(Delivery::Flush(done)).ok().map(|()| flushed)
        };
        self.0.iter().filter_map(flush).collect()
    }
}

fn deliver(sink: &dyn Sink, deliveries: &Receiver<Delivery>) {
    for delivery in deliveries {
        match delivery {
            Delivery::Message(message) => {
                if catch_unwind(AssertUnwindSafe(|| sink.emit(message))).is_err() {
                    tracing::warn!("a client was dropped: it panicked");
                    return;
                }
            }
            Delivery::Flush(done) => drop(done.send(())),
        }
    }
}
