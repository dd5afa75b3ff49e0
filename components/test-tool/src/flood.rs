//! Asking the host for more than anybody needs, of things every component may ask for.

use std::io::Write;

use hydroid_component::tool::{Tool, ToolError};
use hydroid_component::{control, log};

use crate::arguments::{Count, Megabytes};

const MEGABYTE: usize = 1024 * 1024;

pub(crate) fn tools() -> Vec<Tool> {
    vec![
        Tool::new("log_flood", "Logs `count` lines of a thousand bytes.", log_flood).read_only(),
        Tool::new("log_huge", "Logs one line of so many megabytes.", log_huge).read_only(),
        Tool::new("progress_flood", "Tells of progress `count` times.", progress_flood).read_only(),
        Tool::new(
            "random_flood",
            "Asks so many times for so many megabytes of random bytes as the number.",
            random_flood,
        )
        .read_only(),
        Tool::new("stderr_flood", "Writes so many megabytes on standard error.", stderr_flood)
            .read_only(),
        Tool::new("stdout_flood", "Writes so many megabytes on standard output.", stdout_flood)
            .read_only(),
    ]
}

fn log_flood(arguments: Count) -> Result<String, ToolError> {
    let line = "l".repeat(1000);
    for _ in 0..arguments.count {
        log::info(&line);
    }
    Ok(format!("logged {} lines", arguments.count))
}

fn log_huge(arguments: Megabytes) -> Result<String, ToolError> {
    log::info(&"l".repeat(arguments.megabytes.saturating_mul(MEGABYTE)));
    Ok("logged one line".to_owned())
}

fn progress_flood(arguments: Count) -> Result<String, ToolError> {
    let note = "p".repeat(1000);
    for _ in 0..arguments.count {
        // A fraction that is none, now and then.
        control::progress(Some(f32::NAN), &note);
        control::progress(Some(-1.0), &note);
        control::progress(None, &note);
    }
    Ok(format!("told {} times", arguments.count))
}

fn random_flood(arguments: Megabytes) -> Result<String, ToolError> {
    let mut total = 0_usize;
    for _ in 0..arguments.megabytes {
        let length = arguments.megabytes.saturating_mul(MEGABYTE) as u64;
        total += wasip2::random::random::get_random_bytes(length).len();
    }
    Ok(format!("allowed: {total} random bytes"))
}

fn stderr_flood(arguments: Megabytes) -> Result<String, ToolError> {
    flood(std::io::stderr(), arguments.megabytes)
}

fn stdout_flood(arguments: Megabytes) -> Result<String, ToolError> {
    flood(std::io::stdout(), arguments.megabytes)
}

fn flood(mut stream: impl Write, megabytes: usize) -> Result<String, ToolError> {
    let line = "s".repeat(1023) + "\n";
    for written in 0..megabytes.saturating_mul(1024) {
        if let Err(error) = stream.write_all(line.as_bytes()) {
            return Ok(format!("refused: after {written} kilobytes: {error}"));
        }
    }
    Ok(format!("allowed: {megabytes} megabytes"))
}
