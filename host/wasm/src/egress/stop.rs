//! The emergency stop of the network: while everything is stopped nothing is sent, and what is
//! under way is dropped, with its connection.

use super::client::EgressError;
use std::future::Future;
use tokio::sync::watch;

/// Tells whether everything is stopped; without a teller nothing ever is.
#[derive(Clone, Debug, Default)]
pub(super) struct Stop(Option<watch::Receiver<bool>>);

impl Stop {
    pub(super) fn told_by(teller: watch::Receiver<bool>) -> Self {
        Self(Some(teller))
    }

    /// The work's result, or an error as soon as everything is stopped.
    pub(super) async fn or<T>(
        self,
        work: impl Future<Output = Result<T, EgressError>>,
    ) -> Result<T, EgressError> {
        tokio::select! {
            biased;
            () = self.requested() => Err(EgressError::Stopped),
            done = work => done,
        }
    }

    async fn requested(self) {
        if let Some(mut teller) = self.0
            && teller.wait_for(|stopped| *stopped).await.is_ok()
        {
            return;
        }
        // Whoever could tell is gone: then nobody stops anything any more.
        std::future::pending().await
    }
}
