//! `hydroid:core/log`: diagnostic lines, counted, cut and never shown to the model.

use crate::bindings::core::log::{Host, Level};
use crate::instance::State;
use hydroid_core::scrub::Scrubber;
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
        // A component without a guard has seen no secret.
        let scrubber = self.equipment.guard.as_ref().map(|guard| guard.scrubber.current());
        let message = plain(scrubber.as_ref(), &message);
        let fields = fields_json.map(|text| plain(scrubber.as_ref(), &text)).unwrap_or_default();
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

/// The text as it is logged: without secrets, before anything is cut off, since half a secret would
/// not be recognised; and without control characters, which would let a component forge lines or
/// move the cursor.
fn plain(scrubber: Option<&Scrubber>, text: &str) -> String {
    let scrubbed = scrubber.map(|scrubber| scrubber.scrub(text));
    let text = scrubbed.as_deref().unwrap_or(text);
    text.chars().take(LONGEST_LINE).map(|c| if c.is_control() { ' ' } else { c }).collect()
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

#[cfg(test)]
mod tests {
    use super::*;
    use hydroid_core::ports::SecretValue;
    use hydroid_core::scrub::KnownSecret;

    const KEY: &str = "correct horse battery";

    #[track_caller]
    fn check(text: &str, expect: &str) {
        let value = SecretValue::new(KEY.into());
        let known = KnownSecret { name: Some("key".into()), value };
        let scrubber = Scrubber::new(&[known], &[]).unwrap();
        assert_eq!(plain(Some(&scrubber), text), expect);
    }

    #[test]
    fn a_line_is_logged_without_secrets_and_control_characters() {
        check("it is correct horse battery\n\u{1b}[2Jgone", "it is [secret:key]  [2Jgone");
        check("it is correct horse\nbattery", "it is [secret:key]");
    }

    #[test]
    fn a_secret_at_the_end_of_what_is_kept_is_not_cut_in_half() {
        let before = ". ".repeat(LONGEST_LINE / 2 - 5);
        check(&format!("{before}{KEY}"), &format!("{before}[secret:ke"));
    }
}
