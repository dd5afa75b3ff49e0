//! The built `hydroid` on a terminal of its own, typed at and looked at as a person does.

use super::hydroid::Home;
use rexpect::process::{Signal, WaitStatus};
use rexpect::reader::Options;
use rexpect::session::{PtySession, spawn_with_options};

/// Time for anything that is waited for; compiling a component is the longest.
const PATIENCE_MS: u64 = 60_000;

/// A command on a terminal; it is killed when this is dropped.
pub(crate) struct OnTerminal {
    session: PtySession,
    seen: String,
}

impl Home {
    /// Starts it on a terminal.
    #[track_caller]
    pub(crate) fn on_a_terminal(&self, arguments: &[&str]) -> OnTerminal {
        let mut command = self.command(arguments);
        command.env("TERM", "xterm").env("NO_COLOR", "1");
        let options = Options::new().timeout_ms(Some(PATIENCE_MS)).strip_ansi_escape_codes(true);
        let mut session = spawn_with_options(command, options).expect("a terminal");
        session.process_mut().set_kill_timeout(Some(1_000));
        OnTerminal { session, seen: String::new() }
    }
}

impl OnTerminal {
    /// Waits until it shows this.
    #[track_caller]
    pub(crate) fn shows(&mut self, text: &str) -> &mut Self {
        match self.session.exp_string(text) {
            Ok(before) => {
                self.seen.push_str(&before);
                self.seen.push_str(text);
            }
            Err(error) => panic!("`{text}` was not shown: {error}\n--- before\n{}", self.seen),
        }
        self
    }

    /// Types a line.
    pub(crate) fn types(&mut self, line: &str) -> &mut Self {
        self.session.send(&format!("{line}\r")).expect("the terminal takes it");
        self.session.flush().expect("the terminal takes it");
        self
    }

    /// Holds Ctrl and presses a key.
    pub(crate) fn control(&mut self, key: char) -> &mut Self {
        self.session.send_control(key).expect("the terminal takes it");
        self
    }

    /// Kills it with no chance to tidy up.
    pub(crate) fn killed(mut self) {
        self.session.process_mut().kill(Signal::SIGKILL).expect("it is killed");
    }

    /// Waits for its end, which must have this code; what was shown until then.
    #[track_caller]
    pub(crate) fn ends_with(mut self, code: i32) -> String {
        let rest = match self.session.exp_eof() {
            Ok(rest) => rest,
            Err(error) => panic!("it does not end: {error}\n--- before\n{}", self.seen),
        };
        self.seen.push_str(&rest);
        match self.session.process().wait() {
            Ok(WaitStatus::Exited(_, got)) => assert_eq!(got, code, "--- shown\n{}", self.seen),
            other => panic!("{other:?}\n--- shown\n{}", self.seen),
        }
        self.seen
    }
}
