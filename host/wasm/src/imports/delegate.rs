//! `hydroid:cap/delegate`: starting a bounded child turn. Which tools it has is looked at here;
//! each call of it is decided on by the session, like one of the model's.

use super::{error, invoke};
use crate::bindings::cap::delegate::{Host, Task};
use crate::bindings::core::types::{Error, ErrorKind, Part};
use crate::convert;
use crate::instance::State;
use crate::nested::Caller;
use crate::tool::joined;
use hydroid_core::ports::ChildTask;
use serde::Deserialize;
use wasmtime::Result;

/// Longest task, in bytes.
const LONGEST_TASK: usize = 256 << 10;

/// Tools that are named one by one.
const MOST_TOOLS: usize = 256;

/// Bytes of the options.
const LONGEST_OPTIONS: usize = 4 << 10;

/// The one agent there is.
const AGENT: &str = "main";

/// What `options-json` may say.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Options {
    /// Model requests, where that is less than a turn may have.
    max_steps: Option<u32>,
}

impl Host for State {
    async fn run(&mut self, task: Task) -> Result<Result<Vec<Part>, Error>> {
        let Some(caller) = self.caller.clone() else {
            return Ok(Err(error(
                ErrorKind::Unavailable,
                "no child turn can be started here: only the calls of a session can start one",
            )));
        };
        let task = match checked(&caller, task) {
            Ok(task) => task,
            Err(problem) => return Ok(Err(problem)),
        };
        let Some(nested) = self.call.nested.clone() else {
            return Ok(Err(error(ErrorKind::Unavailable, "the session is gone")));
        };
        // Its time is the turn's, not the call's.
        caller.clock.hold();
        let answer = nested.delegate(task).await;
        self.deadline = caller.clock.go_on();
        if answer.secret {
            self.call.secret.set();
        }
        if answer.output.is_error {
            return Ok(Err(error(ErrorKind::Other, joined(&answer.output))));
        }
        Ok(Ok(answer.output.content.into_iter().filter_map(convert::part).collect()))
    }
}

fn checked(caller: &Caller, task: Task) -> Result<ChildTask, Error> {
    let Task { agent, prompt, tools, options_json } = task;
    if let Some(agent) = agent.filter(|agent| agent != AGENT) {
        let agent: String = agent.chars().take(64).collect();
        let problem = format!("there is no agent `{agent}`; the one there is is `{AGENT}`");
        return Err(error(ErrorKind::NotFound, problem));
    }
    if prompt.trim().is_empty() {
        return Err(error(ErrorKind::InvalidInput, "the task is empty"));
    }
    let too_large = |problem: String| Err(error(ErrorKind::TooLarge, problem));
    if prompt.len() > LONGEST_TASK {
        return too_large(format!("the task has more than {LONGEST_TASK} bytes"));
    }
    if tools.len() > MOST_TOOLS {
        return too_large(format!("more than {MOST_TOOLS} tools are named"));
    }
    if options_json.as_ref().is_some_and(|options| options.len() > LONGEST_OPTIONS) {
        return too_large(format!("the options have more than {LONGEST_OPTIONS} bytes"));
    }
    let options: Options = match options_json {
        Some(json) => serde_json::from_str(&json).map_err(|problem| {
            let problem = format!("the options are not what can be set: {problem}");
            error(ErrorKind::InvalidInput, problem)
        })?,
        None => Options::default(),
    };
    if options.max_steps == Some(0) {
        return Err(error(ErrorKind::InvalidInput, "`max_steps` is at least 1"));
    }
    let tools = caller.tools_of_child(&tools).map_err(|problem| invoke::refused(&problem))?;
    // It counts as a call, so that no call starts them without end.
    caller.counts().map_err(|problem| invoke::refused(&problem))?;
    Ok(ChildTask { prompt, tools, max_steps: options.max_steps, author: caller.author() })
}
