//! Using up what there is: time, stack, memory, and the patience of whoever reads the answer.

#![expect(clippy::disallowed_methods, reason = "ending the process is the test")]

use std::hint::black_box;
use std::time::Duration;

use hydroid_component::tool::{Outcome, Tool, ToolError};
use hydroid_component::types::Part;

use crate::arguments::{Count, Megabytes, Nothing};

const MEGABYTE: usize = 1024 * 1024;

pub(crate) fn tools() -> Vec<Tool> {
    vec![
        Tool::new("deep_json_out", "Gives structured JSON nested `count` deep.", deep_json_out)
            .read_only(),
        Tool::new("exit", "Ends the process it takes itself to be.", exit).read_only(),
        Tool::new("grow_memory", "Keeps and touches memory; panics when refused.", grow_memory)
            .read_only(),
        Tool::new("huge_list", "Gives `count` parts.", huge_list).read_only(),
        Tool::new("huge_string", "Gives a text of so many megabytes.", huge_string).read_only(),
        Tool::new("invalid_json_out", "Gives structured JSON that is none.", invalid_json_out)
            .read_only(),
        Tool::new("panic", "Panics with a message on standard error.", panic).read_only(),
        Tool::new("recurse", "Recurses without end, on the stack of the machine.", recurse)
            .read_only(),
        Tool::new(
            "recurse_in_memory",
            "Recurses without end, on its own stack in linear memory.",
            recurse_in_memory,
        )
        .read_only(),
        Tool::new("sleep_forever", "Sleeps and does not look up.", sleep_forever).read_only(),
        Tool::new("spin", "Computes without end.", spin).read_only(),
    ]
}

fn deep_json_out(arguments: Count) -> Result<Outcome, ToolError> {
    let json = "[".repeat(arguments.count) + &"]".repeat(arguments.count);
    Ok(Outcome { structured_json: Some(json), ..Outcome::from("deep") })
}

fn exit(arguments: Count) -> Result<String, ToolError> {
    std::process::exit(i32::try_from(arguments.count).unwrap_or(1))
}

fn grow_memory(arguments: Megabytes) -> Result<String, ToolError> {
    let mut kept: Vec<Vec<u8>> = Vec::new();
    while kept.len() < arguments.megabytes {
        let mut piece = Vec::new();
        if let Err(error) = piece.try_reserve_exact(MEGABYTE) {
            panic!("refused after {} megabytes: {error}", kept.len());
        }
        piece.resize(MEGABYTE, 1);
        kept.push(black_box(piece));
    }
    Ok(format!("kept {} megabytes", kept.len()))
}

fn huge_list(arguments: Count) -> Result<Outcome, ToolError> {
    Ok(Outcome::from(vec![Part::Text("x".to_owned()); arguments.count]))
}

fn huge_string(arguments: Megabytes) -> Result<String, ToolError> {
    Ok("x".repeat(arguments.megabytes.saturating_mul(MEGABYTE)))
}

fn invalid_json_out(Nothing {}: Nothing) -> Result<Outcome, ToolError> {
    Ok(Outcome { structured_json: Some("{not json".to_owned()), ..Outcome::from("invalid") })
}

fn panic(Nothing {}: Nothing) -> Result<String, ToolError> {
    panic!("this is the panic of the test tool");
}

fn recurse(Nothing {}: Nothing) -> Result<String, ToolError> {
    Ok(deeper(black_box(0)).to_string())
}

/// Never ends, without a frame in linear memory and in a way that makes no loop.
#[inline(never)]
fn deeper(level: u64) -> u64 {
    if level == u64::MAX {
        return 0;
    }
    deeper(level + 1).rotate_left(1).wrapping_mul(level | 1) ^ level
}

fn recurse_in_memory(Nothing {}: Nothing) -> Result<String, ToolError> {
    Ok(deeper_in_memory(0).to_string())
}

/// Never ends, with a frame in linear memory.
#[inline(never)]
fn deeper_in_memory(level: u64) -> u64 {
    let mut frame = [level; 32];
    black_box(&mut frame);
    if frame[0] == u64::MAX {
        return 0;
    }
    deeper_in_memory(level + 1).wrapping_add(frame[31])
}

fn sleep_forever(Nothing {}: Nothing) -> Result<String, ToolError> {
    loop {
        std::thread::sleep(Duration::from_secs(3600));
    }
}

fn spin(Nothing {}: Nothing) -> Result<String, ToolError> {
    let mut number = 0_u64;
    loop {
        number = black_box(number.wrapping_add(1));
    }
}
