//! `hydroid:core/log`: diagnostic lines, counted, cut and never shown to the model.

use crate::bindings::core::log::{Host, Level};
use crate::instance::State;
use wasmtime::Result;

/// Longest line that is kept, in characters.
const LONGEST_LINE: usize = 2_000;

impl Host for State {
    async fn emit(
        &mut self,
        level: Level,
        message: String,
        fields_json: Option<String>,
    ) -> Result<()> {
        let length = message.len() + fields_json.as_ref().map_or(0, String::len);
        if !self.count_log(length) {
            return Ok(());
        }
        let component = &self.equipment.component;
        // Control characters would let a component forge lines or move the cursor.
        let plain = |text: &str| -> String {
            text.chars().take(LONGEST_LINE).map(|c| if c.is_control() { ' ' } else { c }).collect()
        };
        let message = plain(&message);
        let fields = fields_json.as_deref().map(plain).unwrap_or_default();
        match level {
            Level::Trace => tracing::trace!(%component, %fields, "{message}"),
            Level::Debug => tracing::debug!(%component, %fields, "{message}"),
            Level::Info => tracing::info!(%component, %fields, "{message}"),
            Level::Warn => tracing::warn!(%component, %fields, "{message}"),
            Level::Error => tracing::error!(%component, %fields, "{message}"),
        }
        Ok(())
    }
}

impl State {
    /// Counts a line; false once the component has said too much.
    pub(super) fn count_log(&mut self, length: usize) -> bool {
        let limits = &self.equipment.limits;
        let logged = &mut self.logged;
        let bytes = logged.bytes.saturating_add(length);
        if logged.lines >= limits.log_lines || bytes > limits.log_bytes {
            if logged.dropped == 0 {
                tracing::warn!(component = %self.equipment.component, "more log than `limits.log_lines` or `limits.log`, the rest of this call is dropped");
            }
            logged.dropped += 1;
            return false;
        }
        logged.lines += 1;
        logged.bytes = bytes;
        true
    }
}
