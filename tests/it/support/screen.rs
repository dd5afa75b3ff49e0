//! The built `hydroid` on a whole screen, in tmux, looked at as a person sees it. Where there is no
//! tmux, the tests that need it are left out and say so.

use super::hydroid::Home;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Time for anything that is waited for; compiling a component is the longest.
const PATIENCE: Duration = Duration::from_secs(60);

/// Between two looks.
const LOOK: Duration = Duration::from_millis(50);

/// A screen of its own; the tmux server behind it ends when this is dropped.
pub(crate) struct Screen {
    socket: String,
}

impl Screen {
    /// A shell on a screen of this size, in which `hydroid` is the command under test. None where
    /// there is no tmux.
    #[expect(clippy::print_stderr, reason = "a test that is left out says so")]
    pub(crate) fn open(home: &Home, columns: u16, rows: u16) -> Option<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let found = Command::new("tmux").arg("-V").stdout(Stdio::null()).status();
        if !found.is_ok_and(|status| status.success()) {
            eprintln!("skipped: there is no tmux");
            return None;
        }
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let socket = format!("hydroid-test-{}-{number}", std::process::id());
        let screen = Self { socket };
        let directory = home.path("");
        // A shell of root takes no prompt from the environment.
        home.write("shell.rc", "PS1='ready$ '\n");
        let size = [columns.to_string(), rows.to_string()];
        let mut tmux = screen.tmux();
        tmux.args([
            "-f",
            "/dev/null",
            "new-session",
            "-d",
            "-s",
            "it",
            "-x",
            &size[0],
            "-y",
            &size[1],
        ]);
        tmux.arg("-c").arg(&directory);
        tmux.env("HYDROID_HOME", &directory).env("HOME", &directory);
        tmux.env("NO_COLOR", "1").env("LANG", "C.UTF-8").env("ENV", home.path("shell.rc"));
        tmux.arg("exec /bin/sh");
        assert!(tmux.status().expect("tmux runs").success(), "tmux opens a screen");
        screen.shows("ready$");
        Some(screen)
    }

    fn tmux(&self) -> Command {
        let mut tmux = Command::new("tmux");
        tmux.args(["-L", &self.socket]).env_remove("TMUX").stderr(Stdio::null());
        tmux
    }

    /// What is on the screen.
    pub(crate) fn text(&self) -> String {
        let output = self.tmux().args(["capture-pane", "-p", "-t", "it"]).output();
        String::from_utf8(output.expect("tmux runs").stdout).expect("a screen is UTF-8")
    }

    /// Waits until this is on the screen.
    #[track_caller]
    pub(crate) fn shows(&self, text: &str) -> &Self {
        self.until(text, |screen| screen.contains(text))
    }

    /// Waits until this is on the screen no more.
    #[track_caller]
    pub(crate) fn shows_no(&self, text: &str) -> &Self {
        self.until(text, |screen| !screen.contains(text))
    }

    #[track_caller]
    fn until(&self, what: &str, is_so: impl Fn(&str) -> bool) -> &Self {
        let began = Instant::now();
        loop {
            let screen = self.text();
            if is_so(&screen) {
                return self;
            }
            assert!(began.elapsed() < PATIENCE, "waited for `{what}`; the screen:\n{screen}");
            std::thread::sleep(LOOK);
        }
    }

    /// Types letters as they are.
    pub(crate) fn types(&self, text: &str) -> &Self {
        let status = self.tmux().args(["send-keys", "-t", "it", "-l", text]).status();
        assert!(status.expect("tmux runs").success());
        self
    }

    /// Presses a key by tmux's name for it.
    pub(crate) fn presses(&self, key: &str) -> &Self {
        let status = self.tmux().args(["send-keys", "-t", "it", key]).status();
        assert!(status.expect("tmux runs").success());
        self
    }

    /// Types a line.
    pub(crate) fn says(&self, line: &str) -> &Self {
        self.types(line).presses("Enter")
    }

    /// Makes the screen another size.
    pub(crate) fn resize(&self, columns: u16, rows: u16) -> &Self {
        let size = [columns.to_string(), rows.to_string()];
        let mut tmux = self.tmux();
        tmux.args(["resize-window", "-t", "it", "-x", &size[0], "-y", &size[1]]);
        assert!(tmux.status().expect("tmux runs").success());
        self
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        drop(self.tmux().arg("kill-server").status());
    }
}
