//! What to do next: the calls of the next step, or the final words.
//!
//! Not state: called with the same request, it gives the same answer.

use hydroid_component::provider::{Request, ToolCall, ToolChoice, ToolDefinition};

use crate::digest;
use crate::grammar::Command;
use crate::numbered::Contents;
use crate::report;
use crate::task::{Outcome, Step, Task};
use crate::tools::{self, Planned};

/// Calls in one step. Real models rarely ask for more, and the host bounds it too.
const MOST_PARALLEL: usize = 8;

/// One answer of the model, before it is streamed.
#[derive(Debug, Default, PartialEq)]
pub struct Reply {
    pub thinking: String,
    pub text: String,
    pub calls: Vec<Call>,
}

/// A call to make.
#[derive(Debug, PartialEq)]
pub struct Call {
    pub id: String,
    pub name: String,
    pub arguments: String,
}

impl From<Call> for ToolCall {
    fn from(call: Call) -> Self {
        ToolCall { id: call.id, name: call.name, args_json: call.arguments }
    }
}

/// Where a command stands.
pub enum Progress {
    /// Its next call.
    Next(Step, Planned),
    /// Needs no tool.
    Local,
    /// Its calls have ended.
    Done,
    /// Cannot be done; the text says why.
    Stuck(String),
}

/// The next answer to a request.
pub fn reply(request: &Request) -> Reply {
    let task = Task::new(request);
    let offered: &[ToolDefinition] = match request.tool_choice {
        Some(ToolChoice::None) => &[],
        _ => &request.tools,
    };
    // Everything up to the last command with a call was said in an earlier answer.
    let said = task.calls.keys().next_back().map_or(0, |step| step.command);
    let mut reply = Reply::default();
    for (index, command) in task.commands.iter().enumerate() {
        match progress(&task, index, offered) {
            Progress::Next(step, planned) => {
                if !reply.calls.is_empty() && !planned.read_only {
                    break;
                }
                let id = task.call_id(step);
                let read_only = planned.read_only && step.stage == 0;
                reply.calls.push(Call { id, name: planned.tool, arguments: planned.arguments });
                let parallel =
                    read_only && !matches!(command, Command::Summarise { into: Some(_), .. });
                if !parallel || reply.calls.len() == MOST_PARALLEL {
                    break;
                }
            }
            Progress::Local if !reply.calls.is_empty() => break,
            Progress::Local if index >= said => speak(&task, index, &mut reply),
            Progress::Local | Progress::Done | Progress::Stuck(_) => {}
        }
    }
    if reply.calls.is_empty() {
        reply.text = report::summary(&task, offered, said);
    }
    reply
}

/// What a command without a tool says before the calls behind it are made.
fn speak(task: &Task, index: usize, reply: &mut Reply) {
    let command = &task.commands[index];
    let said = match command {
        Command::Think { text } => {
            reply.thinking.push_str(text);
            reply.thinking.push('\n');
            return;
        }
        _ => report::local(task, command),
    };
    reply.text.push_str(&said);
    reply.text.push_str("\n\n");
}

/// Where command `index` stands.
pub fn progress(task: &Task, index: usize, offered: &[ToolDefinition]) -> Progress {
    let command = &task.commands[index];
    let first = Step { command: index, stage: 0 };
    let second = Step { command: index, stage: 1 };
    let Some(outcome) = task.outcome(first) else {
        // A later call means this one was passed over, whatever the reason then was.
        if task.calls.keys().any(|step| step.command > index) {
            return match tools::call_for(command, offered) {
                Ok(None) => Progress::Local,
                Ok(Some(_)) => Progress::Stuck("I passed this over".to_owned()),
                Err(reason) => Progress::Stuck(reason),
            };
        }
        return match tools::call_for(command, offered) {
            Ok(Some(planned)) => Progress::Next(first, planned),
            Ok(None) => Progress::Local,
            Err(reason) => Progress::Stuck(reason),
        };
    };
    match command {
        Command::Summarise { file, into: Some(into) }
            if !outcome.is_error && !task.calls.contains_key(&second) =>
        {
            match write_summary(file, into, &outcome, offered) {
                Ok(planned) => Progress::Next(second, planned),
                Err(reason) => Progress::Stuck(reason),
            }
        }
        _ => Progress::Done,
    }
}

fn write_summary(
    file: &str,
    into: &str,
    read: &Outcome,
    offered: &[ToolDefinition],
) -> Result<Planned, String> {
    tools::write(offered, into, &digest::of_file(file, &Contents::new(&read.text)))
}

#[cfg(test)]
mod tests;
