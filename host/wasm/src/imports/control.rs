//! `hydroid:core/control`: cancellation, time left, progress.

use crate::bindings::core::control::Host;
use crate::instance::State;
use tokio::time::Instant;
use wasmtime::Result;

/// Longest progress note that is passed on, in characters.
const LONGEST_NOTE: usize = 200;

impl Host for State {
    async fn cancelled(&mut self) -> Result<bool> {
        Ok(self.call.cancel.is_cancelled())
    }

    async fn remaining_ms(&mut self) -> Result<u32> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        Ok(u32::try_from(left.as_millis()).unwrap_or(u32::MAX))
    }

    async fn progress(&mut self, fraction: Option<f32>, note: String) -> Result<()> {
        // Progress is shown to a person; it counts as log so that it cannot flood.
        if self.count_log(note.len()) {
            let fraction = fraction.filter(|fraction| (0.0..=1.0).contains(fraction));
            (self.call.progress)(fraction, note.chars().take(LONGEST_NOTE).collect());
        }
        Ok(())
    }
}
