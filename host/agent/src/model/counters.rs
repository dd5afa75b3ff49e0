//! How often the layers around a model did what, since the process began. A count, not a log: what
//! happened to whom is in the journal and the audit log.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts of one process, told by the layers and read by whoever shows them.
#[derive(Debug, Default)]
pub struct ModelCounters {
    pub(super) requests: AtomicU64,
    pub(super) retries: AtomicU64,
    pub(super) fallbacks: AtomicU64,
    pub(super) timeouts: AtomicU64,
    pub(super) opened: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) reused: AtomicU64,
}

/// The counts at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ModelCounts {
    /// Requests that were sent to a provider component.
    pub requests: u64,
    /// Requests that were sent again.
    pub retries: u64,
    /// Times another model was asked instead.
    pub fallbacks: u64,
    /// Requests that were cut off because nothing came.
    pub timeouts: u64,
    /// Times a model was left alone from then on.
    pub opened: u64,
    /// Requests that were not sent because a model is left alone.
    pub refused: u64,
    /// Answers that had been kept and were given again.
    pub reused: u64,
}

impl ModelCounters {
    /// The counts now.
    pub fn counts(&self) -> ModelCounts {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        ModelCounts {
            requests: read(&self.requests),
            retries: read(&self.retries),
            fallbacks: read(&self.fallbacks),
            timeouts: read(&self.timeouts),
            opened: read(&self.opened),
            refused: read(&self.refused),
            reused: read(&self.reused),
        }
    }
}

/// One line for a person, of what there was.
impl fmt::Display for ModelCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.requests == 1 { "" } else { "s" };
        write!(f, "{} request{plural} to models", self.requests)?;
        let further = [
            (self.retries, "sent again"),
            (self.timeouts, "cut off for taking too long"),
            (self.fallbacks, "put to another model"),
            (self.refused, "not sent, the model being left alone"),
            (self.reused, "answered from what was kept"),
        ];
        let mut some = further.into_iter().filter(|(count, _)| *count > 0);
        some.try_for_each(|(count, what)| write!(f, ", {count} {what}"))
    }
}

pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_happened_is_said() {
        let plain = ModelCounts { requests: 1, ..ModelCounts::default() };
        assert_eq!(plain.to_string(), "1 request to models");
        let eventful = ModelCounts { requests: 4, retries: 2, reused: 1, ..plain };
        assert_eq!(
            eventful.to_string(),
            "4 requests to models, 2 sent again, 1 answered from what was kept"
        );
    }
}
