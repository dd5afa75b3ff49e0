//! The log: on standard error at the level of the configuration, and in a file of the user's data
//! at `info`, where the backtrace of a failed component is kept. Secrets the host knows and its
//! paths are masked in every line, whoever wrote it.

use crate::harmless::harmless;
use hydroid_core::scrub::LiveScrubber;
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

/// Begins to log at a level of the configuration. A second call changes nothing.
pub(crate) fn start(level: &str, scrubber: LiveScrubber, file: &Path) {
    // Libraries speak only when something is wrong; what they say below that is theirs.
    let directives = ["agent", "cli", "core", "gateway", "memory", "wasm"]
        .map(|name| format!("hydroid_{name}={level}"));
    let quiet = if level == "error" { "error" } else { "warn" };
    let filter = EnvFilter::new(format!("{quiet},hydroid={level},{}", directives.join(",")));
    let screen = tracing_subscriber::fmt::layer()
        .with_writer(Scrubbed { scrubber: scrubber.clone() })
        // Colour would reach the writer as escape sequences, which it makes harmless.
        .with_ansi(false)
        .with_target(false)
        .without_time()
        .with_filter(filter);
    let kept = LogFile::open(file).map(|file| {
        tracing_subscriber::fmt::layer()
            .with_writer(Kept { scrubber, file: Mutex::new(file) })
            .with_ansi(false)
            .with_filter(EnvFilter::new(
                "warn,hydroid=info,hydroid_agent=info,hydroid_gateway=info,hydroid_memory=info,hydroid_wasm=info",
            ))
    });
    drop(tracing_subscriber::registry().with(screen).with(kept).try_init());
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
    scrubber: LiveScrubber,
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
        let masked = harmless(&self.0.scrubber.current().scrub(&String::from_utf8_lossy(bytes)));
        let line = masked.trim_end_matches('\n').replace('\n', "\n    ");
        let mut file = self.0.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.append(&format!("{line}\n"))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Makes a writer for each line.
struct Scrubbed {
    scrubber: LiveScrubber,
}

/// Masks a line and writes it to standard error.
struct Line<'a> {
    scrubber: &'a LiveScrubber,
}

impl<'a> MakeWriter<'a> for Scrubbed {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line { scrubber: &self.scrubber }
    }
}

impl Write for Line<'_> {
    /// tracing hands over one whole line at a time.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let masked = harmless(&self.scrubber.current().scrub(&String::from_utf8_lossy(bytes)));
        // A message with line ends in it must not look like several.
        let line = masked.trim_end_matches('\n').replace('\n', "\n    ");
        io::stderr().lock().write_all(format!("{line}\n").as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().lock().flush()
    }
}
