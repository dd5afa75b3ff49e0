//! Whether and when a failed request is sent again: exponential backoff with full jitter, never
//! before the service said, and never beyond the operator's limits. It draws no random number.

use super::news::length;
use crate::ports::ModelError;
use std::time::Duration;

/// The operator's limits on repeating a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// Requests in all, the first included.
    pub attempts: u32,
    /// Upper end of the first random wait; it doubles with each further one.
    pub first_wait: Duration,
    /// Longest single wait.
    pub longest_wait: Duration,
    /// Longest time from the first request to the last one.
    pub total: Duration,
}

/// What is done about a failed request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It is sent again after this time.
    Again {
        /// The wait.
        wait: Duration,
    },
    /// It is not; the text, if any, is told with the error.
    Stop {
        /// Why not, for the person; empty where the error says it all.
        told: String,
    },
}

/// Kinds of failures that may be gone the next time. Whether this one is, the component says by
/// `retry-after-ms`.
const TEMPORARY: [&str; 4] = ["rate-limited", "unavailable", "timeout", "conflict"];

impl Backoff {
    /// Decides on the failure of attempt number `attempt`, from 1, `elapsed` after the first
    /// began. `random` is any number; all are equally likely.
    pub fn decide(
        &self,
        error: &ModelError,
        attempt: u32,
        elapsed: Duration,
        random: u64,
    ) -> Decision {
        let stop = |told: String| Decision::Stop { told };
        let named = match error.retry_after_ms {
            Some(named) if TEMPORARY.contains(&error.kind.as_str()) => {
                Duration::from_millis(named.into())
            }
            _ => return stop(String::new()),
        };
        if attempt >= self.attempts {
            return stop(match attempt {
                1 => String::new(),
                tried => format!("tried {tried} times (`model.retry.attempts`)"),
            });
        }
        if named > self.longest_wait {
            return stop(format!(
                "the service asks to wait {}, longer than `model.retry.longest_wait` ({}): say `go on` then",
                length(named),
                length(self.longest_wait)
            ));
        }
        // Spread behind the time the service named, or all who were told the same come back at once.
        let wait = named.saturating_add(self.jitter(attempt, random)).min(self.longest_wait);
        if elapsed.saturating_add(wait) > self.total {
            return stop(format!(
                "tried for {} (`model.retry.total` is {})",
                length(elapsed),
                length(self.total)
            ));
        }
        Decision::Again { wait }
    }

    /// A time from zero to the step of this attempt, each equally likely.
    fn jitter(&self, attempt: u32, random: u64) -> Duration {
        let doubled = 2_u32.saturating_pow(attempt.saturating_sub(1));
        let step = self.first_wait.saturating_mul(doubled).min(self.longest_wait);
        let step = u64::try_from(step.as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(random % step.saturating_add(1).max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Backoff = Backoff {
        attempts: 4,
        first_wait: Duration::from_secs(1),
        longest_wait: Duration::from_secs(30),
        total: Duration::from_secs(120),
    };

    fn error(kind: &str, retry_after_ms: Option<u32>) -> ModelError {
        ModelError { kind: kind.into(), message: "no".into(), retry_after_ms, sent: false }
    }

    #[track_caller]
    fn check(kind: &str, named: Option<u32>, attempt: u32, elapsed: u64, expect: &str) {
        let elapsed = Duration::from_secs(elapsed);
        let shown = match LIMITS.decide(&error(kind, named), attempt, elapsed, 500) {
            Decision::Again { wait } => format!("again in {} ms", wait.as_millis()),
            Decision::Stop { told } => format!("stop {told}").trim_end().to_owned(),
        };
        assert_eq!(shown, expect, "{kind} {named:?} {attempt} {elapsed:?}");
    }

    #[test]
    fn what_may_be_gone_the_next_time_is_tried_again() {
        for kind in TEMPORARY {
            check(kind, Some(0), 1, 0, "again in 500 ms");
        }
        check("rate-limited", Some(7_000), 1, 0, "again in 7500 ms");
    }

    #[test]
    fn what_fails_again_or_was_said_to_is_not() {
        for kind in ["invalid-input", "unauthenticated", "denied", "too-large", "cancelled", "x"] {
            check(kind, Some(0), 1, 0, "stop");
        }
        check("rate-limited", None, 1, 0, "stop");
    }

    #[test]
    fn limits_end_it_and_name_their_key() {
        check("timeout", Some(0), 3, 0, "again in 500 ms");
        check("timeout", Some(0), 4, 0, "stop tried 4 times (`model.retry.attempts`)");
        check(
            "rate-limited",
            Some(90_000),
            1,
            0,
            "stop the service asks to wait 90 s, longer than `model.retry.longest_wait` (30 s): say `go on` then",
        );
        check("rate-limited", Some(30_000), 1, 0, "again in 30000 ms");
        check("timeout", Some(0), 2, 120, "stop tried for 2 min (`model.retry.total` is 2 min)");
    }

    /// A generator of numbers that look random and are the same in each run.
    fn numbers(mut seed: u64) -> impl FnMut() -> u64 {
        move || {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            seed >> 11
        }
    }

    #[test]
    fn every_wait_is_within_the_limits_and_not_before_the_service_said() {
        let mut next = numbers(1);
        for _ in 0..20_000 {
            let limits = Backoff {
                attempts: u32::try_from(next() % 8).unwrap(),
                first_wait: Duration::from_millis(next() % 5_000),
                longest_wait: Duration::from_millis(next() % 60_000),
                total: Duration::from_millis(next() % 300_000),
            };
            let named = u32::try_from(next() % 90_000).unwrap();
            let attempt = u32::try_from(next() % 10).unwrap() + 1;
            let elapsed = Duration::from_millis(next() % 300_000);
            let failed = error("unavailable", Some(named));
            if let Decision::Again { wait } = limits.decide(&failed, attempt, elapsed, next()) {
                assert!(attempt < limits.attempts, "{limits:?} {attempt}");
                assert!(wait >= Duration::from_millis(named.into()), "{limits:?} {wait:?}");
                assert!(wait <= limits.longest_wait, "{limits:?} {wait:?}");
                assert!(elapsed + wait <= limits.total, "{limits:?} {elapsed:?} {wait:?}");
            }
        }
    }

    #[test]
    fn jitter_fills_its_whole_step_and_the_step_doubles() {
        let mut next = numbers(2);
        for (attempt, step) in [(1, 1_000), (2, 2_000), (3, 4_000), (6, 30_000), (400, 30_000)] {
            let waits: Vec<u128> =
                (0..4_000).map(|_| LIMITS.jitter(attempt, next()).as_millis()).collect();
            assert!(waits.iter().all(|wait| *wait <= step), "{attempt}");
            assert!(waits.iter().any(|wait| *wait < step / 20), "{attempt}");
            assert!(waits.iter().any(|wait| *wait > step - step / 20), "{attempt}");
        }
    }

    #[test]
    fn limits_of_nothing_and_of_everything_do_not_panic() {
        for time in [Duration::ZERO, Duration::MAX] {
            let limits =
                Backoff { attempts: u32::MAX, first_wait: time, longest_wait: time, total: time };
            for attempt in [0, 1, u32::MAX] {
                limits.decide(&error("timeout", Some(u32::MAX)), attempt, time, u64::MAX);
                limits.decide(&error("timeout", Some(0)), attempt, Duration::ZERO, u64::MAX);
            }
        }
    }
}
