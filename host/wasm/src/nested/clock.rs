//! The time a call has, which stands still while it waits for another one: that one's own time is
//! taken from it afterwards, a person's is not.

use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// Time left of a call.
#[derive(Debug)]
pub(crate) struct CallClock(watch::Sender<Time>);

#[derive(Clone, Copy, Debug)]
enum Time {
    /// It runs until then.
    Runs(Instant),
    /// It stands still with so much left.
    Held(Duration),
}

impl CallClock {
    /// One that runs.
    pub(crate) fn new(time: Duration) -> Self {
        Self(watch::Sender::new(Time::Runs(Instant::now() + time)))
    }

    /// What is left.
    pub(crate) fn left(&self) -> Duration {
        match *self.0.borrow() {
            Time::Runs(until) => until.saturating_duration_since(Instant::now()),
            Time::Held(left) => left,
        }
    }

    /// Stops it.
    pub(crate) fn hold(&self) {
        let left = self.left();
        self.0.send_replace(Time::Held(left));
    }

    /// Lets it run on; it ends at the instant that is returned.
    pub(crate) fn go_on(&self) -> Instant {
        let until = Instant::now() + self.left();
        self.0.send_replace(Time::Runs(until));
        until
    }

    /// Takes time away while it stands still.
    pub(crate) fn spend(&self, time: Duration) {
        self.0.send_modify(|state| {
            if let Time::Held(left) = state {
                *left = left.saturating_sub(time);
            }
        });
    }

    /// Waits until nothing is left.
    pub(crate) async fn used_up(&self) {
        let mut changes = self.0.subscribe();
        loop {
            let time = *changes.borrow_and_update();
            // The sender is here, so a change is the only thing that can come.
            match time {
                Time::Held(_) => drop(changes.changed().await),
                Time::Runs(until) => {
                    if tokio::time::timeout_at(until, changes.changed()).await.is_err() {
                        return;
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn time_stands_still_while_another_is_waited_for() {
        let clock = CallClock::new(Duration::from_secs(10));
        tokio::time::advance(Duration::from_secs(4)).await;
        clock.hold();
        tokio::time::advance(Duration::from_secs(3600)).await;
        assert_eq!(clock.left(), Duration::from_secs(6));
        clock.spend(Duration::from_secs(5));
        let began = Instant::now();
        clock.go_on();
        clock.used_up().await;
        let waited = began.elapsed();
        assert!(waited >= Duration::from_secs(1) && waited < Duration::from_secs(2), "{waited:?}");
    }
}
