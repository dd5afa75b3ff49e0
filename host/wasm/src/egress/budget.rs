//! How much a component sends: so many requests at once, in a minute and in an hour. The last two
//! are counted in a port that outlives the process; what cannot be counted is not sent.

use super::client::EgressError;
use hydroid_core::config;
use hydroid_core::id::ComponentId;
use hydroid_core::ports::{Clock, RequestBudget, RequestWindow};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Where requests are counted, and by which clock.
#[derive(Clone)]
pub struct Counter {
    /// Keeps the counts.
    pub budget: Arc<dyn RequestBudget>,
    /// Tells the second.
    pub clock: Arc<dyn Clock>,
}

/// Held for as long as a request is under way.
#[derive(Debug)]
pub(super) struct Permit {
    _component: OwnedSemaphorePermit,
    _total: OwnedSemaphorePermit,
}

impl Counter {
    /// Counts a request, or says when the next one may go.
    pub(super) async fn count(
        &self,
        component: &ComponentId,
        limits: &config::Egress,
    ) -> Result<(), EgressError> {
        let minute = RequestWindow {
            key: "egress.max_requests_per_minute",
            seconds: 60,
            most: limits.max_requests_per_minute,
        };
        let hour = RequestWindow {
            key: "egress.max_requests_per_hour",
            seconds: 3600,
            most: limits.max_requests_per_hour,
        };
        let second = self.clock.now_ms() / 1000;
        match self.budget.take(component, &[minute, hour], second).await {
            Ok(None) => Ok(()),
            Ok(Some(full)) => Err(EgressError::Budget {
                component: component.clone(),
                key: full.window.key,
                most: full.window.most,
                free_in: full.free_in,
            }),
            Err(problem) => Err(EgressError::Uncounted(problem.to_string())),
        }
    }
}

/// Waits for room beside the component's own requests, then beside all others.
pub(super) async fn permit(
    component: &ComponentId,
    own: Arc<Semaphore>,
    total: Arc<Semaphore>,
    patience: Duration,
) -> Result<Permit, EgressError> {
    let full = |key| EgressError::Busy { component: component.clone(), key, patience };
    let waiting = async |semaphore: Arc<Semaphore>, key| {
        let permit = tokio::time::timeout(patience, semaphore.acquire_owned()).await;
        permit.map_err(|_| full(key))?.map_err(|_| full(key))
    };
    let own = waiting(own, "egress.max_concurrent_per_component").await?;
    let total = waiting(total, "egress.max_concurrent").await?;
    Ok(Permit { _component: own, _total: total })
}

impl std::fmt::Debug for Counter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Counter").finish_non_exhaustive()
    }
}
