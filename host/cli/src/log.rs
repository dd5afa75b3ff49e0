//! The log: on standard error at the level of the configuration, and in a file of the user's data
//! at `info`, where the backtrace of a failed component is kept. Secrets of every user that the
//! host has laid a ground for, and its paths, are masked in every line, whoever wrote it.

use hydroid_core::harmless::harmless;
use hydroid_core::scrub::LiveScrubber;
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

/// The log file begins anew past this size; the one before it is kept.
const LARGEST_FILE: u64 = 4 << 20;

/// What masks lines, by the user's log: the log is one, and what is one user's secret is nobody
/// else's to read.
static SCRUBBERS: Mutex<BTreeMap<PathBuf, LiveScrubber>> = Mutex::new(BTreeMap::new());

/// Begins to log at a level of the configuration. A further call only adds what is to be masked.
pub(crate) fn start(level: &str, scrubber: LiveScrubber, file: &Path) {
    SCRUBBERS.lock().unwrap_or_else(PoisonError::into_inner).insert(file.to_owned(), scrubber);
    // Libraries speak only when something is wrong; what they say below that is theirs. What goes
    // wrong with a server of MCP is said by whoever asked for it, and not twice.
    let directives = ["agent", "cli", "core", "gateway", "mcp", "memory", "wasm"]
        .map(|name| format!("hydroid_{name}={level}"));
    let quiet = if level == "error" { "error" } else { "warn" };
    let filter =
        EnvFilter::new(format!("{quiet},rmcp=off,hydroid={level},{}", directives.join(",")));
    let screen = tracing_subscriber::fmt::layer()
        .with_writer(Scrubbed)
        // Colour would reach the writer as escape sequences, which it makes harmless.
        .with_ansi(false)
        .with_target(false)
        .without_time()
        .with_filter(filter);
    let kept = LogFile::open(file).map(|file| {
        tracing_subscriber::fmt::layer()
            .with_writer(Kept { file: Mutex::new(file) })
            .with_ansi(false)
            .with_filter(EnvFilter::new(
                "warn,hydroid=info,hydroid_agent=info,hydroid_gateway=info,hydroid_mcp=info,hydroid_memory=info,hydroid_wasm=info",
            ))
    });
    drop(tracing_subscriber::registry().with(screen).with(kept).try_init());
}

/// A line as it may be read: without anybody's secrets and without what would move a cursor or look
/// like another line.
fn masked(bytes: &[u8]) -> String {
    // Copied, since looking for secrets may log.
    let scrubbers: Vec<LiveScrubber> =
        SCRUBBERS.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
    let text = String::from_utf8_lossy(bytes).into_owned();
    let text = scrubbers.iter().fold(text, |text, one| one.current().scrub(&text));
    let line = harmless(&text).trim_end_matches('\n').replace('\n', "\n    ");
    format!("{line}\n")
}

/// The log file, opened at its first line: a command that logs nothing leaves none behind.
struct LogFile {
    path: PathBuf,
    file: Option<File>,
}

impl LogFile {
    /// Nothing if its directory is not there yet; logging alone does not create a home.
    fn open(path: &Path) -> Option<Self> {
        path.parent()?.is_dir().then(|| Self { path: path.to_owned(), file: None })
    }

    fn append(&mut self, line: &str) -> io::Result<()> {
        if self.file.is_none() {
            // Kept in two halves, so that it never grows past twice the size.
            if std::fs::metadata(&self.path).is_ok_and(|metadata| metadata.len() > LARGEST_FILE) {
                std::fs::rename(&self.path, self.path.with_extension("log.old"))?;
            }
            let opened =
                OpenOptions::new().append(true).create(true).mode(0o600).open(&self.path)?;
            self.file = Some(opened);
        }
        match &mut self.file {
            Some(file) => file.write_all(line.as_bytes()),
            None => Ok(()),
        }
    }
}

/// Makes a writer into the file for each line.
struct Kept {
    file: Mutex<LogFile>,
}

/// Masks a line and appends it to the file.
struct KeptLine<'a>(&'a Kept);

impl<'a> MakeWriter<'a> for Kept {
    type Writer = KeptLine<'a>;

    fn make_writer(&'a self) -> KeptLine<'a> {
        KeptLine(self)
    }
}

impl Write for KeptLine<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let line = masked(bytes);
        let mut file = self.0.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.append(&line)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Makes a writer for each line.
struct Scrubbed;

/// Masks a line and writes it to standard error.
struct Line;

impl MakeWriter<'_> for Scrubbed {
    type Writer = Line;

    fn make_writer(&self) -> Line {
        Line
    }
}

impl Write for Line {
    /// tracing hands over one whole line at a time.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        io::stderr().lock().write_all(masked(bytes).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().lock().flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hydroid_core::ports::SecretValue;
    use hydroid_core::scrub::KnownSecret;

    #[test]
    fn a_line_shows_nobodys_secrets() {
        for (user, value) in [("local", "correct horse battery"), ("anna", "staple lantern fog")] {
            let value = SecretValue::new(value.to_owned());
            let known = KnownSecret { name: Some(user.to_owned()), value };
            let scrubber = LiveScrubber::fixed(vec![known], Vec::new()).unwrap();
            start("off", scrubber, Path::new(user));
        }
        assert_eq!(
            masked(b"a correct horse battery\nand staple lantern fog\x1b[2J\n"),
            masked(b"a [secret:local]\nand [secret:anna]\x1b[2J\n")
        );
        assert!(!masked(b"staple lantern fog").contains("lantern"));
    }
}
