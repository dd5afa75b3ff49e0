//! Servers that are programs of this machine. A person allowed exactly this program with exactly
//! these arguments; it is started with nothing of the environment but what they named, and ends
//! with its connection. It is not sandboxed: what it does is what the person's own programs do.

use rustix::process::{Pid, Signal, kill_process_group};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// Bytes of one line of its log.
const LONGEST_LINE: u64 = 4 << 10;

/// Lines of its log that are kept for each start.
const MOST_LINES: usize = 1_000;

/// Reads the digest of a file, `sha256:…`.
pub(super) type DigestOf = Arc<dyn Fn(&Path) -> std::io::Result<String> + Send + Sync>;

/// Reads a variable of the environment.
pub(super) type Variable = Arc<dyn Fn(&str) -> Option<OsString> + Send + Sync>;

/// A program that runs. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Started {
    pub(super) input: ChildStdin,
    pub(super) output: ChildStdout,
    pub(super) program: Program,
}

/// A program and whatever it started. Dropping it ends them.
#[derive(Debug)]
pub(crate) struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        // None once it was waited for: then its number may be that of another. It is not waited
        // for before, so until then its group is its own.
        let number = self.0.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        if let Some(number) = number {
            // An error means that nothing of it is left.
            let _gone = kill_process_group(number, Signal::KILL);
        }
    }
}

/// Starts a program if it is what was allowed; the error is a sentence.
pub(super) fn start(
    server: &str,
    command: &[String],
    files: &BTreeMap<String, String>,
    env: &[String],
    digest_of: &DigestOf,
    variable: &Variable,
) -> Result<Started, String> {
    for (file, allowed) in files {
        let found = digest_of(Path::new(file)).map_err(|error| {
            format!("`{file}`, which `{server}` is started with, cannot be read: {error}")
        })?;
        if found != *allowed {
            return Err(format!(
                "`{file}` is another file than the one you allowed for `{server}`; a person can allow it as it is now with `hydroid mcp allow {server}`"
            ));
        }
    }
    let Some((program, arguments)) = command.split_first() else {
        return Err(format!("`{server}` has no command"));
    };
    if !files.contains_key(program) {
        return Err(format!("the program of `{server}` is not among the files you allowed"));
    }
    let given = env.iter().filter_map(|name| Some((name, variable(name)?)));
    let mut child = Command::new(program)
        .args(arguments)
        .env_clear()
        .envs(given)
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        // A Ctrl-C at the terminal is meant for us.
        .process_group(0)
        .spawn()
        .map_err(|error| format!("`{program}` cannot be started: {error}"))?;
    let missing = || format!("`{program}` has no standard input and output");
    let input = child.stdin.take().ok_or_else(missing)?;
    let output = child.stdout.take().ok_or_else(missing)?;
    if let Some(log) = child.stderr.take() {
        let server = server.to_owned();
        tokio::spawn(async move {
            let mut log = BufReader::new(log);
            for _ in 0..MOST_LINES {
                let mut line = Vec::new();
                match (&mut log).take(LONGEST_LINE).read_until(b'\n', &mut line).await {
                    Ok(0) | Err(_) => return,
                    Ok(_) => {
                        let line = String::from_utf8_lossy(&line);
                        tracing::debug!(%server, line = %line.trim_end(), "a server logged");
                    }
                }
            }
            tracing::debug!(%server, "a server logs no more: it had its lines");
            // Read on, or it would wait for ever to be rid of the next one.
            drop(tokio::io::copy(&mut log, &mut tokio::io::sink()).await);
        });
    }
    Ok(Started { input, output, program: Program(child) })
}
