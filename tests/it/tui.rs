//! The full-screen terminal of the built binary, in a real pseudo-terminal, against a real daemon.

use crate::support::hydroid::{Home, program};
use crate::support::screen::Screen;

/// A home whose daemon listens where it likes, and is ended with it.
struct Daemon {
    home: Home,
}

impl Daemon {
    fn new() -> Self {
        Self { home: Home::with_config("[gateway]\nbind = \"127.0.0.1:0\"\n") }
    }

    /// `hydroid tui` on a screen, once it has greeted; none where there is no tmux.
    fn screen(&self, arguments: &str) -> Option<Screen> {
        let screen = Screen::open(&self.home, 80, 24)?;
        screen.says(&format!("{} tui {arguments}", program().display()));
        screen.shows("· host ");
        Some(screen)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        drop(self.home.run(&["stop"]));
    }
}

#[test]
fn a_turn_with_a_question_is_talked_through_on_a_screen() {
    let daemon = Daemon::new();
    let Some(screen) = daemon.screen("") else { return };
    screen.shows("rehearsal answers");
    screen.says("write note.txt: good morning");
    screen
        .shows("may this run?")
        .shows("allow file_write")
        .presses("PageDown")
        .shows("+good morning");
    // Keys count once the question has been there for a while.
    std::thread::sleep(std::time::Duration::from_millis(600));
    screen.types("y").shows("✓ file_write").shows_no("may this run?");
    let written = std::fs::read_to_string(daemon.home.shared("note.txt"));
    assert_eq!(written.expect("the file is there").trim_end(), "good morning");
    screen.resize(40, 20).shows("✓ file_write").resize(120, 30).shows("Sessions");
    screen.says("/rename Morning").shows("Morning");
    screen.says("/tools").shows("Esc closes").presses("Escape").shows_no("Esc closes");
    screen.says("/quit").shows("goes on; the daemon still runs").shows("ready$");
    // The terminal is as it was: lines are edited and echoed again.
    screen.says("echo $((20 + 22))").shows("42");
    let again = daemon.screen("--last").expect("there is tmux");
    again.shows("✓ file_write").shows("write note.txt");
}

#[test]
fn two_terminals_show_one_session_and_outlive_the_daemon() {
    let daemon = Daemon::new();
    let Some(first) = daemon.screen("") else { return };
    first.says("say one").shows("▌ say one").shows(" in ");
    let second = daemon.screen("--last").expect("there is tmux");
    second.shows("▌ say one");
    first.says("say two");
    second.shows("▌ say two");
    daemon.home.run(&["stop"]).code(0);
    first.shows("no connection");
    first.says("say three").shows("is said once there is a connection");
    daemon.home.run(&["start"]).code(0);
    first.shows_no("no connection").shows_no("is said once");
    second.shows("▌ say three");
    let seen = second.text();
    assert_eq!(seen.matches("▌ say three").count(), 1, "{seen}");
}

#[test]
fn a_killed_terminal_is_given_back() {
    let daemon = Daemon::new();
    let Some(screen) = daemon.screen("") else { return };
    let pid = std::fs::read_dir("/proc")
        .expect("processes are listed")
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok())
        .find(|pid| {
            let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            let home = daemon.home.path("").display().to_string();
            let of_ours = environment.windows(home.len()).any(|part| part == home.as_bytes());
            of_ours && line.ends_with(b"\0tui\0")
        })
        .expect("it runs");
    let killed = std::process::Command::new("kill").arg(pid.to_string()).status();
    assert!(killed.expect("kill runs").success());
    screen.shows("ready$").says("echo $((20 + 22))").shows("42");
}

#[test]
fn without_a_terminal_it_says_what_to_do_instead() {
    Home::new().run(&["tui"]).code(2).tells("`hydroid ask`");
}
