//! The log on standard error: names of components and sentences. Secrets the host knows and its
//! paths are masked in every line, whoever wrote it.

use crate::harmless::harmless;
use hydroid_core::scrub::Scrubber;
use std::io::{self, Write};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

/// Begins to log at a level of the configuration. A second call changes nothing.
pub(crate) fn start(level: &str, scrubber: Scrubber) {
    // Libraries speak only when something is wrong; what they say below that is theirs.
    let directives =
        ["agent", "cli", "core", "memory", "wasm"].map(|name| format!("hydroid_{name}={level}"));
    let quiet = if level == "error" { "error" } else { "warn" };
    let filter = EnvFilter::new(format!("{quiet},hydroid={level},{}", directives.join(",")));
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(Scrubbed { scrubber })
        // Colour would reach the writer as escape sequences, which it makes harmless.
        .with_ansi(false)
        .with_target(false)
        .without_time();
    drop(subscriber.try_init());
}

/// Makes a writer for each line.
struct Scrubbed {
    scrubber: Scrubber,
}

/// Masks a line and writes it to standard error.
struct Line<'a> {
    scrubber: &'a Scrubber,
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
        let masked = harmless(&self.scrubber.scrub(&String::from_utf8_lossy(bytes)));
        // A message with line ends in it must not look like several.
        let line = masked.trim_end_matches('\n').replace('\n', "\n    ");
        io::stderr().lock().write_all(format!("{line}\n").as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().lock().flush()
    }
}
