//! `hydroid:cap/invoke`: calling a tool of another component. What may be called at all is looked
//! at here, before anybody is asked; whether it runs is decided by the session.

use super::error;
use crate::bindings::cap::invoke::Host;
use crate::bindings::core::types::{Error, ErrorKind, Part};
use crate::convert;
use crate::instance::State;
use crate::nested::{Caller, Uncallable};
use crate::tool::joined;
use wasmtime::Result;

/// Longest arguments, in bytes; a model that writes a file sends some tens of kilobytes.
const LONGEST_ARGUMENTS: usize = 1 << 20;

impl Host for State {
    async fn call(&mut self, tool: String, args_json: String) -> Result<Result<Vec<Part>, Error>> {
        let Some(caller) = self.caller.clone() else {
            return Ok(Err(error(
                ErrorKind::Unavailable,
                "no other tool can be called here: only the calls of a session can cause others",
            )));
        };
        if let Err(problem) = caller.may_ask_for(&tool) {
            return Ok(Err(refused(&problem)));
        }
        if args_json.len() > LONGEST_ARGUMENTS {
            let problem = format!("the arguments have more than {LONGEST_ARGUMENTS} bytes");
            return Ok(Err(error(ErrorKind::TooLarge, problem)));
        }
        Ok(call(self, &caller, tool, args_json).await)
    }
}

async fn call(
    state: &mut State,
    caller: &Caller,
    tool: String,
    arguments: String,
) -> Result<Vec<Part>, Error> {
    let Some(nested) = state.call.nested.clone() else {
        return Err(error(ErrorKind::Unavailable, "the session is gone"));
    };
    caller.waits_with(state.left());
    caller.clock.hold();
    let answer = nested.call(tool, arguments).await;
    state.deadline = caller.clock.go_on();
    state.take_left(caller.has_left());
    if answer.secret {
        state.call.secret.set();
    }
    if answer.denied {
        return Err(error(ErrorKind::Denied, joined(&answer.output)));
    }
    if answer.output.is_error {
        return Err(error(ErrorKind::Other, joined(&answer.output)));
    }
    Ok(answer.output.content.into_iter().filter_map(convert::part).collect())
}

pub(super) fn refused(problem: &Uncallable) -> Error {
    let kind = match problem {
        Uncallable::NotGranted { .. }
        | Uncallable::Cycle { .. }
        | Uncallable::Depth { .. }
        | Uncallable::Vault { .. }
        | Uncallable::Delegates { .. }
        | Uncallable::Skills { .. }
        | Uncallable::NotForChildren { .. }
        | Uncallable::More { .. } => ErrorKind::Denied,
        Uncallable::NoTool { .. } => ErrorKind::NotFound,
        Uncallable::Many { .. } => ErrorKind::RateLimited,
        Uncallable::Ended => ErrorKind::Cancelled,
    };
    error(kind, problem.to_string())
}
