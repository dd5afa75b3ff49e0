//! What one day has cost. Days begin at midnight UTC, as those of the host's budgets do.

use serde::{Deserialize, Serialize};
use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds of a day.
const SECONDS: u64 = 24 * 3600;

/// A day and what it has cost so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, Serialize)]
pub(crate) struct Day {
    /// Days since 1970-01-01.
    day: u64,
    dollars: f64,
}

/// Days since 1970-01-01.
#[expect(clippy::disallowed_methods, reason = "a component is told the time by WASI")]
pub(crate) fn today() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() / SECONDS
}

impl Day {
    /// As it was written; a new one if that cannot be read.
    pub(crate) fn read(written: Option<&[u8]>) -> Self {
        written.and_then(|bytes| serde_json::from_slice(bytes).ok()).unwrap_or_default()
    }

    /// The same day, or a new one that has cost nothing.
    pub(crate) fn on(self, day: u64) -> Self {
        if self.day == day { self } else { Self { day, dollars: 0.0 } }
    }

    /// Adds to it; false if nothing is added.
    pub(crate) fn add(&mut self, dollars: f64) -> bool {
        let adds = dollars.is_finite() && dollars > 0.0;
        if adds {
            self.dollars += dollars;
        }
        adds
    }

    /// What it has cost so far.
    pub(crate) fn dollars(self) -> f64 {
        self.dollars
    }

    /// As it is read.
    pub(crate) fn written(self) -> String {
        serde_json::to_string(&self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_adds_up_and_the_next_begins_anew() {
        let mut day = Day::read(None).on(20_000);
        assert!(day.add(0.25) && day.add(0.5));
        assert!(!day.add(f64::NAN) && !day.add(-1.0) && !day.add(0.0));
        let read = Day::read(Some(day.written().as_bytes()));
        assert_eq!(read.on(20_000).dollars(), 0.75);
        assert_eq!(read.on(20_001).dollars(), 0.0);
        assert_eq!(Day::read(Some(b"{")), Day::default());
    }
}
