//! The audit log as a file for others: as JSON or for a spreadsheet, every text scrubbed. A text
//! that was masked here no longer fits its hash; the log itself does.

use super::{PAGE, as_value};
use crate::args::AuditFormat;
use crate::exit::Exit;
use crate::harmless;
use crate::moment;
use crate::wire::Ground;
use anyhow::{Context, Result};
use hydroid_core::scrub::Scrubber;
use hydroid_memory::{AuditLog, AuditQuery};
use serde_json::Value;
use std::io::{BufWriter, Write};
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

/// Writes every record.
pub(super) async fn run(
    ground: &Ground,
    log: &AuditLog,
    file: &Path,
    format: AuditFormat,
) -> Result<Exit> {
    let to_stdout = file == Path::new("-");
    let named = || format!("`{}` cannot be written", file.display());
    let mut out: Box<dyn Write + Send> = if to_stdout {
        Box::new(std::io::stdout())
    } else {
        let mut open = std::fs::OpenOptions::new();
        open.write(true).create(true).truncate(true).mode(0o600);
        Box::new(BufWriter::new(open.open(file).with_context(named)?))
    };
    if format == AuditFormat::Csv {
        out.write_all(format!("seq,time,{}\r\n", EVENT_COLUMNS.join(",")).as_bytes())?;
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
        out.write_all(text.as_bytes())?;
    }
    // A reader of a pipe that went away is for `main` to judge.
    if to_stdout {
        out.flush()?
    } else {
        out.flush().with_context(named)?
    }
    Ok(Exit::Done)
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
