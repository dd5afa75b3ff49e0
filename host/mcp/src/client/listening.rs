//! Whether one listens to what a server says unasked. Its stream is opened beside the first
//! requests, and what the server says before it is open would be missed; so they wait for it, once
//! and not for long. It opens nothing itself.

use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// Some servers answer only when they have something to say, so this is all a request waits. Half a
/// second was too little: on a machine that is busy a stream may take longer to open.
const MOST: Duration = Duration::from_secs(2);

/// Closed once the stream is open, or is not going to be.
#[derive(Clone, Debug)]
pub(super) struct Listening(Arc<Semaphore>);

impl Listening {
    pub(super) fn not_yet() -> Self {
        Self(Arc::new(Semaphore::new(0)))
    }

    /// The server has answered whether it can be listened to.
    pub(super) fn decided(&self) {
        self.0.close();
    }

    /// Returns once that is decided, or was waited for.
    pub(super) async fn awaited(&self) {
        let waited = tokio::time::timeout(MOST, self.0.acquire()).await;
        if waited.is_err() {
            self.decided();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::Instant;

    #[tokio::test]
    async fn a_request_waits_until_it_is_decided() {
        let listening = Listening::not_yet();
        let waiting = tokio::spawn({
            let listening = listening.clone();
            async move { listening.awaited().await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        listening.decided();
        waiting.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_never_decided_is_waited_for_once() {
        let listening = Listening::not_yet();
        let begun = Instant::now();
        listening.awaited().await;
        assert!(begun.elapsed() >= MOST);
        assert!(listening.0.is_closed(), "the next request would wait, too");
    }
}
