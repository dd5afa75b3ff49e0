//! A world that stands still, for trying a component out: the same time and the same random
//! numbers at every call. No call of a person's session is made in it.

use rand::SeedableRng;
use rand::rngs::SmallRng;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use wasmtime_wasi::{HostMonotonicClock, HostWallClock, WasiCtxBuilder};

/// What a component is told of time and chance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Still {
    /// Milliseconds since 1970-01-01 UTC, whenever it asks.
    pub now_ms: u64,
    /// Where its random numbers begin.
    pub seed: u64,
}

impl Still {
    /// Gives a call this clock and these numbers.
    pub(crate) fn hold(self, builder: &mut WasiCtxBuilder) {
        builder
            .wall_clock(Wall(Duration::from_millis(self.now_ms)))
            .monotonic_clock(Steps(AtomicU64::new(0)))
            .secure_random(SmallRng::seed_from_u64(self.seed))
            .insecure_random(SmallRng::seed_from_u64(self.seed.wrapping_add(1)))
            .insecure_random_seed(self.seed.into());
    }
}

/// Always the same moment.
struct Wall(Duration);

impl HostWallClock for Wall {
    fn resolution(&self) -> Duration {
        Duration::from_millis(1)
    }

    fn now(&self) -> Duration {
        self.0
    }
}

/// A millisecond further at each look: who waits for time to pass must not wait for ever.
struct Steps(AtomicU64);

impl HostMonotonicClock for Steps {
    fn resolution(&self) -> u64 {
        1_000_000
    }

    fn now(&self) -> u64 {
        self.0.fetch_add(1_000_000, Ordering::Relaxed)
    }
}
