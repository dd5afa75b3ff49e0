//! A secret that a program prints: a password manager's own command. No shell, a small
//! environment, bounded time and output; what it says on standard error is shown only in part.

use crate::env::Environment;
use hydroid_core::harmless::excerpt;
use hydroid_core::scrub::Scrubber;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// A person may have to unlock a password manager first.
const LONGEST: Duration = Duration::from_secs(60);

/// How often an ended program is looked for.
const GLANCE: Duration = Duration::from_millis(5);

/// What is read of standard error; only a part of its first line is shown.
const MOST_COMPLAINT: u64 = 4 << 10;

/// Characters of that line.
const COMPLAINT: usize = 200;

/// Always given to the program.
const VARIABLES: [&str; 2] = ["HOME", "PATH"];

/// What to run and how.
pub(super) struct Program<'a> {
    pub(super) argv: &'a [String],
    /// Variables it gets besides `HOME` and `PATH`.
    pub(super) variables: &'a [String],
    pub(super) environment: &'a Environment,
    /// Where it runs, if it is there.
    pub(super) directory: &'a Path,
    /// Most bytes of a secret.
    pub(super) largest: u64,
}

/// Runs a program and returns what it printed, a final line end left out. `known` masks what it
/// says when it fails.
pub(super) fn run(program: &Program<'_>, known: &Scrubber) -> Result<Zeroizing<String>, String> {
    run_within(program, known, LONGEST)
}

fn run_within(
    program: &Program<'_>,
    known: &Scrubber,
    longest: Duration,
) -> Result<Zeroizing<String>, String> {
    // Only its name: an argument may say more than belongs into an error.
    let name = program.argv.first().map(String::as_str).unwrap_or_default();
    let mut child = start(program).map_err(|error| format!("`{name}` cannot be run: {error}"))?;
    let printed = reader(child.stdout.take(), program.largest + 1);
    let complaint = reader(child.stderr.take(), MOST_COMPLAINT);
    let deadline = Instant::now() + longest;
    let ended = wait(&child, &printed, deadline, program.largest);
    // Whatever it started goes with it, and nothing keeps the pipes open.
    let status = end(&mut child).map_err(|error| format!("`{name}` was lost: {error}"))?;
    let printed = match ended {
        Ended::TooLong => {
            return Err(format!("`{name}` took longer than {} s and was ended", longest.as_secs()));
        }
        Ended::TooMuch => {
            return Err(format!("`{name}` printed more than {} bytes", program.largest));
        }
        Ended::ByItself(printed) => printed,
    };
    if !status.success() {
        let said = complaint.recv_timeout(GLANCE * 20).unwrap_or_default();
        return Err(format!("`{name}` failed ({status}){}", first_line(&said, known)));
    }
    let Ok(text) = std::str::from_utf8(&printed) else {
        return Err(format!("what `{name}` printed is not UTF-8"));
    };
    let text = text.strip_suffix('\n').unwrap_or(text);
    match text.strip_suffix('\r').unwrap_or(text) {
        "" => Err(format!("`{name}` printed nothing; run it yourself to see why")),
        text => Ok(Zeroizing::new(text.to_owned())),
    }
}

enum Ended {
    ByItself(Zeroizing<Vec<u8>>),
    TooLong,
    TooMuch,
}

#[expect(
    clippy::disallowed_methods,
    reason = "a program the person named in the configuration, not a job of an agent; see docs/decisions/0012-sealed-secrets.md"
)]
fn start(program: &Program<'_>) -> std::io::Result<Child> {
    let (name, arguments) = program.argv.split_first().ok_or(std::io::ErrorKind::InvalidInput)?;
    let mut command = Command::new(name);
    command.args(arguments).env_clear();
    let listed = program.variables.iter().map(String::as_str);
    for variable in VARIABLES.into_iter().chain(listed) {
        if let Some(value) = program.environment.value(variable) {
            command.env(variable, value);
        }
    }
    if program.directory.is_dir() {
        command.current_dir(program.directory);
    }
    // A group of its own, so that it can be ended with everything it started.
    command.process_group(0);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()
}

/// Reads on a thread of its own, so that a full pipe stops nobody.
fn reader(pipe: Option<impl Read + Send + 'static>, most: u64) -> Receiver<Zeroizing<Vec<u8>>> {
    let (send, receive) = channel();
    std::thread::spawn(move || {
        let mut bytes = Zeroizing::new(Vec::with_capacity(4 << 10));
        if let Some(pipe) = pipe {
            drop(pipe.take(most).read_to_end(&mut bytes));
        }
        drop(send.send(bytes));
    });
    receive
}

/// Waits until it has closed its output and ended.
fn wait(
    child: &Child,
    printed: &Receiver<Zeroizing<Vec<u8>>>,
    deadline: Instant,
    largest: u64,
) -> Ended {
    let bytes = match printed.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
        Ok(bytes) => bytes,
        Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return Ended::TooLong,
    };
    if bytes.len() as u64 > largest {
        return Ended::TooMuch;
    }
    // Looked at and left as it is: its number stays its own until its group was ended.
    let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    while let Ok(None) = waitid(WaitId::Pid(number(child)), look) {
        if Instant::now() >= deadline {
            return Ended::TooLong;
        }
        std::thread::sleep(GLANCE);
    }
    Ended::ByItself(bytes)
}

/// Ends what is left of it and says how it ended itself.
fn end(child: &mut Child) -> std::io::Result<ExitStatus> {
    // An error means that nothing of it is left.
    let _gone = kill_process_group(number(child), Signal::KILL);
    child.wait()
}

fn number(child: &Child) -> Pid {
    Pid::from_child(child)
}

/// `: what it said`, without anything secret in it.
fn first_line(said: &[u8], known: &Scrubber) -> String {
    let said = String::from_utf8_lossy(said);
    match said.lines().find(|line| !line.trim().is_empty()) {
        Some(line) => format!(": {}", excerpt(&known.scrub(line.trim()), COMPLAINT)),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hydroid_core::ports::SecretValue;
    use hydroid_core::scrub::KnownSecret;

    fn environment() -> Environment {
        Environment::of(&[
            ("PATH", "/usr/bin:/bin"),
            ("HOME", "/home/x"),
            ("HYDROID_MASTER_KEY", "k"),
            ("LISTED", "yes"),
            ("NOT_LISTED", "no"),
        ])
    }

    fn sh(script: &str, variables: &[&str], longest: Duration) -> Result<String, String> {
        let argv = ["sh", "-c", script].map(str::to_owned);
        let variables: Vec<String> = variables.iter().map(ToString::to_string).collect();
        let value = SecretValue::new("known-secret-value".into());
        let known = Scrubber::new(&[KnownSecret { name: Some("k".into()), value }], &[]).unwrap();
        let environment = environment();
        let directory = tempfile::tempdir().unwrap();
        let program = Program {
            argv: &argv,
            variables: &variables,
            environment: &environment,
            directory: directory.path(),
            largest: 1000,
        };
        run_within(&program, &known, longest).map(|text| text.to_string())
    }

    #[track_caller]
    fn check(script: &str, expect: Result<&str, &str>) {
        match (sh(script, &[], Duration::from_secs(20)), expect) {
            (Ok(got), Ok(expect)) => assert_eq!(got, expect, "{script}"),
            (Err(got), Err(expect)) => assert!(got.contains(expect), "{script}: {got}"),
            (got, expect) => panic!("{script}: got {got:?}, expected {expect:?}"),
        }
    }

    #[test]
    fn what_a_program_prints_is_the_secret() {
        check("printf 'hunter2\\n'", Ok("hunter2"));
        check("printf 'two\\nlines\\r\\n'", Ok("two\nlines"));
        check("printf ' spaces stay '", Ok(" spaces stay "));
    }

    #[test]
    fn what_fails_says_so_in_one_line_without_secrets() {
        check("exit 3", Err("`sh` failed (exit status: 3)"));
        check("echo; echo 'not signed in' >&2; exit 1", Err("1): not signed in"));
        check("echo 'first' >&2; echo 'second' >&2; exit 1", Err(": first"));
        let said = sh("echo known-secret-value >&2; exit 1", &[], LONGEST).unwrap_err();
        assert!(said.contains("failed") && !said.contains("known-secret-value"), "{said}");
        let said = sh("echo out-is-not-shown; exit 1", &[], LONGEST).unwrap_err();
        assert!(!said.contains("out-is-not-shown"), "{said}");
        check("true", Err("printed nothing"));
        check("printf '\\377'", Err("is not UTF-8"));
    }

    #[test]
    fn too_long_and_too_much_are_ended() {
        let began = Instant::now();
        let said = sh("sleep 30 & sleep 30", &[], Duration::from_millis(300)).unwrap_err();
        assert!(said.contains("took longer than"), "{said}");
        // It closed its output and stayed.
        let said = sh("exec >&-; sleep 30", &[], Duration::from_millis(300)).unwrap_err();
        assert!(said.contains("took longer than"), "{said}");
        check("head -c 2000 /dev/zero", Err("printed more than 1000 bytes"));
        check("yes", Err("printed more than 1000 bytes"));
        assert!(began.elapsed() < Duration::from_secs(15));
    }

    #[test]
    fn the_environment_is_home_path_and_what_is_listed() {
        let got = sh("env | sed 's/=.*//' | sort | tr '\\n' ' '", &["LISTED"], LONGEST).unwrap();
        let names: Vec<&str> =
            got.split(' ').filter(|name| !["_", "PWD", "SHLVL", ""].contains(name)).collect();
        assert_eq!(names, ["HOME", "LISTED", "PATH"]);
    }

    #[test]
    fn no_shell_reads_the_arguments_and_a_missing_program_is_named() {
        let environment = environment();
        let known = Scrubber::new(&[], &[]).unwrap();
        let run = |argv: &[&str]| {
            let argv: Vec<String> = argv.iter().map(ToString::to_string).collect();
            let program = Program {
                argv: &argv,
                variables: &[],
                environment: &environment,
                directory: Path::new("/"),
                largest: 1000,
            };
            run(&program, &known).map(|text| text.to_string())
        };
        assert_eq!(run(&["echo", "$HOME;`id`"]).unwrap(), "$HOME;`id`");
        let said = run(&["no-such-program-here", "argument"]).unwrap_err();
        assert!(said.contains("`no-such-program-here` cannot be run"), "{said}");
        assert!(!said.contains("argument"), "{said}");
    }
}
