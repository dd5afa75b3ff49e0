//! A circuit for each model of a provider: after several failures in a row the model is left alone
//! for a while, then one request finds out whether it is back. It has no clock: times are counted
//! from any moment the caller likes.

use crate::ports::ModelError;
use std::time::Duration;

/// When a circuit opens and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CircuitSettings {
    /// Failures in a row that open it; 0 for never.
    pub failures: u32,
    /// How long nothing is sent then.
    pub open: Duration,
}

/// What one model of a provider did lately.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Circuit {
    /// Failures in a row.
    failures: u32,
    /// Until when nothing is sent; none while it is closed.
    open_until: Option<Duration>,
    /// A request is finding out whether the model is back.
    probing: bool,
}

/// Whether a request may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It may.
    Sent,
    /// It may, and what comes of it decides for all others.
    Probe,
    /// It may not, for at least this time.
    Refused {
        /// How long the circuit stays open; zero while another request finds out.
        left: Duration,
        /// Failures in a row.
        failures: u32,
    },
}

impl Circuit {
    /// Asks to send a request now. A probe must be followed by one of the three below.
    pub fn admit(&mut self, now: Duration) -> Admission {
        let Some(until) = self.open_until else { return Admission::Sent };
        let left = until.saturating_sub(now);
        if !left.is_zero() || self.probing {
            return Admission::Refused { left, failures: self.failures };
        }
        self.probing = true;
        Admission::Probe
    }

    /// The service answered.
    pub fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// The service failed; true if that opened the circuit.
    pub fn failed(&mut self, settings: &CircuitSettings, now: Duration) -> bool {
        self.failures = self.failures.saturating_add(1);
        let was_probe = std::mem::take(&mut self.probing);
        let was_open = self.open_until.is_some();
        if settings.failures == 0 || (!was_probe && self.failures < settings.failures) {
            return false;
        }
        // What was sent before the circuit opened and failed later makes it no longer.
        if was_probe || !was_open {
            self.open_until = Some(now.saturating_add(settings.open));
        }
        was_probe || !was_open
    }

    /// Failures in a row so far.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// Nobody waited to see what came of a request that was sent.
    pub fn abandoned(&mut self, was_probe: bool) {
        if was_probe {
            self.probing = false;
        }
    }
}

/// True for a failure of the service itself, not of what it was asked or of who asked.
pub fn blames_the_service(error: &ModelError) -> bool {
    matches!(error.kind.as_str(), "unavailable" | "timeout")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: CircuitSettings =
        CircuitSettings { failures: 3, open: Duration::from_secs(30) };

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn refused(seconds: u64, failures: u32) -> Admission {
        Admission::Refused { left: at(seconds), failures }
    }

    fn opened() -> Circuit {
        let mut circuit = Circuit::default();
        assert!(!circuit.failed(&SETTINGS, at(1)));
        assert!(!circuit.failed(&SETTINGS, at(2)));
        assert!(circuit.failed(&SETTINGS, at(3)));
        circuit
    }

    #[test]
    fn it_opens_after_failures_in_a_row_and_one_request_finds_out() {
        let mut circuit = opened();
        assert_eq!(circuit.admit(at(3)), refused(30, 3));
        assert_eq!(circuit.admit(at(32)), refused(1, 3));
        assert_eq!(circuit.admit(at(33)), Admission::Probe);
        assert_eq!(circuit.admit(at(34)), refused(0, 3));
        circuit.succeeded();
        assert_eq!(circuit.admit(at(35)), Admission::Sent);
    }

    #[test]
    fn a_success_in_between_begins_the_count_again() {
        let mut circuit = Circuit::default();
        for _ in 0..5 {
            circuit.failed(&SETTINGS, at(0));
            circuit.failed(&SETTINGS, at(0));
            circuit.succeeded();
        }
        assert_eq!(circuit.admit(at(1)), Admission::Sent);
    }

    #[test]
    fn a_probe_that_fails_opens_it_again_and_one_that_is_dropped_lets_the_next_find_out() {
        let mut circuit = opened();
        assert_eq!(circuit.admit(at(40)), Admission::Probe);
        assert!(circuit.failed(&SETTINGS, at(41)));
        assert_eq!(circuit.admit(at(42)), refused(29, 4));
        assert_eq!(circuit.admit(at(71)), Admission::Probe);
        circuit.abandoned(true);
        assert_eq!(circuit.admit(at(71)), Admission::Probe);
    }

    #[test]
    fn what_was_under_way_when_it_opened_keeps_it_open_no_longer() {
        let mut circuit = opened();
        assert!(!circuit.failed(&SETTINGS, at(20)));
        circuit.abandoned(false);
        assert_eq!(circuit.admit(at(33)), Admission::Probe);
    }

    #[test]
    fn without_a_number_it_never_opens() {
        let mut circuit = Circuit::default();
        let never = CircuitSettings { failures: 0, ..SETTINGS };
        assert!((0..100).all(|second| !circuit.failed(&never, at(second))));
        assert_eq!(circuit.admit(at(100)), Admission::Sent);
    }
}
