//! The audit log as a file for others: as JSON or for a spreadsheet, every text scrubbed. A text
//! that was masked here no longer fits its hash; the log itself does.

use super::{PAGE, as_value};
use crate::args::AuditFormat;
use crate::exit::{Exit, usage};
use crate::moment;
use crate::terminal;
use crate::wire::Ground;
use anyhow::{Context, Result};
use hydroid_core::harmless;
use hydroid_core::scrub::Scrubber;
use hydroid_memory::{AuditLog, AuditQuery};
use serde_json::Value;
use std::io::{BufWriter, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// The columns of a table, as the JSON names them.
const EVENT_COLUMNS: [&str; 14] = [
    "user",
    "session",
    "turn",
    "call",
    "component",
    "digest",
    "action",
    "resource",
    "outcome",
    "rule",
    "bytes",
    "duration_ms",
    "redactions",
    "hash",
];

/// Where records go.
pub(super) struct Out {
    /// None for standard output.
    file: Option<String>,
    writer: Box<dyn Write + Send>,
}

/// Opens the file, which is new unless it may be replaced, or standard output for `-`.
pub(super) fn open(file: &Path, force: bool) -> Result<Out> {
    if file == Path::new("-") {
        return Ok(Out { file: None, writer: Box::new(std::io::stdout()) });
    }
    let shown = file.display().to_string();
    let mut open = std::fs::OpenOptions::new();
    open.write(true).mode(0o600);
    if force {
        open.create(true).truncate(true);
    } else {
        open.create_new(true);
    }
    match open.open(file) {
        Ok(opened) => Ok(Out { file: Some(shown), writer: Box::new(BufWriter::new(opened)) }),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            Err(usage(format!("`{shown}` is there already; `--force` replaces it")))
        }
        Err(error) => Err(error).with_context(|| format!("`{shown}` cannot be written")),
    }
}

/// Writes every record.
pub(super) async fn run(
    ground: &Ground,
    log: &AuditLog,
    mut out: Out,
    format: AuditFormat,
) -> Result<Exit> {
    let mut written = 0_usize;
    if format == AuditFormat::Csv {
        out.write(&format!("seq,time,{}\r\n", EVENT_COLUMNS.join(",")))?;
    }
    let mut query = AuditQuery::default();
    loop {
        let page = log.oldest(query.clone(), PAGE).await?;
        let Some(last) = page.last() else { break };
        query.after = last.seq;
        let mut text = String::new();
        for record in &page {
            let mut value = as_value(record);
            scrub(&ground.scrubber.current(), &mut value["event"]);
            match format {
                AuditFormat::Jsonl => {
                    text.push_str(&harmless::json(&value.to_string()));
                    text.push('\n');
                }
                AuditFormat::Csv => text.push_str(&row(&value, record.seq, record.at_ms)),
            }
        }
        out.write(&text)?;
        written += page.len();
    }
    out.done()?;
    let records = if written == 1 { "1 record".to_owned() } else { format!("{written} records") };
    match &out.file {
        Some(file) => terminal::say(&format!("{records} written to `{}`", harmless::exact(file))),
        None => terminal::say(&format!("{records} written")),
    }
    Ok(Exit::Done)
}

impl Out {
    fn write(&mut self, text: &str) -> Result<()> {
        let written = self.writer.write_all(text.as_bytes());
        self.named(written)
    }

    fn done(&mut self) -> Result<()> {
        let flushed = self.writer.flush();
        self.named(flushed)
    }

    fn named(&self, result: std::io::Result<()>) -> Result<()> {
        match &self.file {
            Some(file) => result.with_context(|| format!("`{file}` cannot be written")),
            // A reader of a pipe that went away is for `main` to judge.
            None => Ok(result?),
        }
    }
}

fn scrub(scrubber: &Scrubber, value: &mut Value) {
    match value {
        Value::String(text) => *text = scrubber.scrub(text),
        Value::Array(items) => items.iter_mut().for_each(|item| scrub(scrubber, item)),
        Value::Object(fields) => fields.values_mut().for_each(|field| scrub(scrubber, field)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn row(value: &Value, seq: u64, at_ms: u64) -> String {
    let mut row = format!("{seq},{}", moment::second(at_ms));
    for column in EVENT_COLUMNS {
        row.push(',');
        let of = if column == "hash" { &value["hash"] } else { &value["event"][column] };
        row.push_str(&match of {
            Value::Null => String::new(),
            Value::String(text) => cell(text),
            other => cell(&other.to_string()),
        });
    }
    row.push_str("\r\n");
    row
}

/// A cell that no spreadsheet takes for a formula and no reader for two.
fn cell(text: &str) -> String {
    let text = harmless::exact(text);
    let formula = text.starts_with(['=', '+', '-', '@']);
    if formula || text.contains([',', '"']) {
        let guard = if formula { "'" } else { "" };
        return format!("\"{guard}{}\"", text.replace('"', "\"\""));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_cell_is_neither_a_formula_nor_two_cells() {
        assert_eq!(cell("=1+1"), "\"'=1+1\"");
        assert_eq!(cell("a,\"b\""), "\"a,\"\"b\"\"\"");
        assert_eq!(cell("a\nb"), "a\\u000ab");
        assert_eq!(cell("plain"), "plain");
    }

    #[test]
    fn a_row_has_every_column() {
        let value = json!({"event": {"user": "u", "bytes": 3}, "hash": "00"});
        let row = row(&value, 1, 0);
        assert_eq!(row, "1,1970-01-01 00:00:00,u,,,,,,,,,,3,,,00\r\n");
        assert_eq!(row.matches(',').count(), EVENT_COLUMNS.len() + 1);
    }
}
