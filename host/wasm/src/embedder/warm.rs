//! Instances of an embedder that have done a call and are kept for the next. Never shared between
//! people, and never kept after anything went wrong: an instance is reset by dropping it.

use crate::bindings::embedders::AllEmbedders;
use crate::instance::{self, State};
use hydroid_core::id::UserId;
use hydroid_core::ports::CallContext;
use std::sync::{Mutex, PoisonError};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;
use wasmtime::Store;

/// Instances kept for each component, and calls at once where they are kept: to wait for one that
/// has its model is far shorter than to start another, which has to read it first. One that searches and one that ingests is the usual load,
/// and each may hold a whole model in its memory.
const MOST_KEPT: usize = 2;

/// Calls after which an instance is dropped, so that what it leaks is bounded.
const MOST_CALLS: u32 = 1_000;

/// The instances of one component that wait for a call.
pub(super) struct WarmInstances {
    keeps: bool,
    turns: Semaphore,
    waiting: Mutex<Vec<Warm>>,
}

/// An instance, and whose texts it has seen.
pub(super) struct Warm {
    user: UserId,
    pub(super) store: Store<State>,
    pub(super) bindings: AllEmbedders,
    calls: u32,
}

impl WarmInstances {
    /// None is kept unless `keeps`.
    pub(super) fn new(keeps: bool) -> Self {
        Self { keeps, turns: Semaphore::new(MOST_KEPT), waiting: Mutex::default() }
    }

    /// Waits until one more call may run. Where none is kept each call runs at once: it waits for
    /// a service and not for the processor.
    pub(super) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        if !self.keeps {
            return None;
        }
        Some(self.turns.acquire().await.expect("the semaphore is never closed"))
    }

    /// One that has worked for this person and nobody else.
    pub(super) fn take(&self, user: &UserId) -> Option<Warm> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let found = waiting.iter().rposition(|warm| warm.user == *user)?;
        Some(waiting.remove(found))
    }

    /// Keeps an instance whose last call went well; the one that waits longest makes room.
    pub(super) fn give_back(&self, mut warm: Warm) {
        warm.calls += 1;
        if !self.keeps || warm.calls >= MOST_CALLS {
            return;
        }
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let oldest = (waiting.len() >= MOST_KEPT).then(|| waiting.remove(0));
        waiting.push(warm);
        drop(waiting);
        // Taking down an instance takes a while, so others do not wait for it.
        drop(oldest);
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

impl Warm {
    pub(super) fn new(user: UserId, store: Store<State>, bindings: AllEmbedders) -> Self {
        Self { user, store, bindings, calls: 0 }
    }

    /// Makes it ready for another call that ends at `deadline`.
    pub(super) fn renew(
        &mut self,
        context: CallContext,
        deadline: Instant,
    ) -> wasmtime::Result<()> {
        instance::renew(&mut self.store, context, deadline)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[tokio::test]
    async fn no_more_calls_run_at_once_than_instances_are_kept() {
        let keeping = WarmInstances::new(true);
        let first = keeping.turn().await;
        let others: Vec<_> = (1..MOST_KEPT).map(|_| keeping.turn().now_or_never()).collect();
        assert!(others.iter().all(Option::is_some));
        assert!(keeping.turn().now_or_never().is_none(), "it waits");
        drop(first);
        assert!(keeping.turn().now_or_never().is_some());
        let service = WarmInstances::new(false);
        let turns: Vec<_> = (0..=MOST_KEPT).map(|_| service.turn().now_or_never()).collect();
        assert!(turns.iter().all(|turn| matches!(turn, Some(None))), "a service is waited for");
    }
}
