//! Child turns: a model works on one task with some tools and answers with its last message. Its
//! calls are decided on like those of the turn that waits for it; nothing of it is remembered.

use crate::bindings::imports::hydroid::cap::delegate;
use crate::invoke::text;
use crate::types::Error;

pub use crate::bindings::imports::hydroid::cap::delegate::Task;

/// Every tool that was granted, among the tools of a task.
pub const ANY_TOOL: &str = "*";

/// Has a task done with these tools, and puts the texts of the answer together.
///
/// `max_steps` is how often the model may be asked, where that is less than a turn may.
pub fn run(
    prompt: impl Into<String>,
    tools: Vec<String>,
    max_steps: Option<u32>,
) -> Result<String, Error> {
    let options_json = max_steps.map(|most| format!("{{\"max_steps\":{most}}}"));
    let task = Task { agent: None, prompt: prompt.into(), tools, options_json };
    Ok(text(delegate::run(&task)?))
}

/// Has a task done that is written out.
pub fn run_task(task: &Task) -> Result<String, Error> {
    Ok(text(delegate::run(task)?))
}
