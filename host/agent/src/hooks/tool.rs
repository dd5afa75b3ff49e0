//! Hooks around a call: before a rule decides on it, and before anybody sees its result.

use super::MOST_RETRIES;
use crate::effects::TurnContext;
use hydroid_core::hook::{HookPoint, HookVerdict, HookWord};
use hydroid_core::message::{Content, Origin};
use hydroid_core::ports::Tools;
use hydroid_core::tool::{CheckedCall, Hooked, Impact, ToolCall, ToolOutput};
use serde_json::{Value, json};

/// Checks a call, asks about it, and checks again what a hook made of it. The error is what the
/// model reads.
pub(crate) async fn before_tool(
    turn: &TurnContext,
    tools: &dyn Tools,
    call: &ToolCall,
) -> Result<CheckedCall, String> {
    let mut checked = tools.check(call)?;
    let subject = json!({
        "tool": checked.call.name,
        "component": checked.component,
        "arguments": arguments(&checked.call),
    });
    let outcome = turn.ask_hooks(HookPoint::BeforeTool, Some(&call.name), subject).await;
    if outcome.replaced {
        let changed = outcome.subject.get("arguments").cloned().unwrap_or_default();
        let call = ToolCall { arguments: changed.to_string(), ..call.clone() };
        checked = tools.check(&call).map_err(|problem| {
            format!("not run: a hook changed the arguments so that they do not fit: {problem}")
        })?;
    }
    match outcome.verdict {
        HookVerdict::Proceed => Ok(checked),
        HookVerdict::Ask(word) => {
            checked.hooked = Some(Box::new(Hooked::Ask(word)));
            Ok(checked)
        }
        HookVerdict::Reply(word) => {
            // What a hook answers is the hook's word, whatever the tool would have reached.
            checked.origin = Origin::Unknown;
            checked.hooked = Some(Box::new(Hooked::Reply(word)));
            Ok(checked)
        }
        HookVerdict::Deny(word) | HookVerdict::Retry(word) => Err(denied("not run", &word)),
    }
}

/// What becomes of a result.
pub(crate) enum Kept {
    /// This is it, and whether a hook wrote it.
    Output(ToolOutput, bool),
    /// It is thrown away, and the call runs again.
    Again,
}

/// Asks about a result. `tries` is how often the call has run.
pub(crate) async fn after_tool(
    turn: &TurnContext,
    checked: &CheckedCall,
    output: ToolOutput,
    tries: u32,
) -> Kept {
    let name = &checked.call.name;
    if !turn.agent.hooks.wants(HookPoint::AfterTool, Some(name)) {
        return Kept::Output(output, false);
    }
    let subject = json!({
        "tool": name,
        "component": checked.component,
        "arguments": arguments(&checked.call),
        "content": output.content,
        "is_error": output.is_error,
    });
    let outcome = turn.ask_hooks(HookPoint::AfterTool, Some(name), subject).await;
    match outcome.verdict {
        HookVerdict::Proceed if !outcome.replaced => Kept::Output(output, false),
        HookVerdict::Proceed => match changed(&outcome.subject, output.is_error) {
            Some(output) => Kept::Output(output, true),
            None => {
                let text =
                    "the result is withheld, because a hook made something of it that is no result";
                Kept::Output(ToolOutput::error(text), true)
            }
        },
        HookVerdict::Reply(word) => Kept::Output(ToolOutput::text(word.text), true),
        HookVerdict::Retry(_) if only_reads(checked) && tries <= MOST_RETRIES => Kept::Again,
        HookVerdict::Retry(word) => {
            let why = if only_reads(checked) {
                "it ran often enough"
            } else {
                "only what reads is run again"
            };
            let text = format!("the result is withheld: {word}; {why}");
            Kept::Output(ToolOutput::error(text), true)
        }
        HookVerdict::Deny(word) | HookVerdict::Ask(word) => {
            Kept::Output(ToolOutput::error(denied("the result is withheld", &word)), true)
        }
    }
}

/// What it calls in turn may do more than it does itself.
fn only_reads(checked: &CheckedCall) -> bool {
    checked.impact == Impact::ReadOnly && !checked.reach.calls_tools
}

fn changed(subject: &Value, was_error: bool) -> Option<ToolOutput> {
    let is_error = match subject.get("is_error") {
        None => was_error,
        Some(is_error) => is_error.as_bool()?,
    };
    let content = match subject.get("content")? {
        Value::String(text) => vec![Content::text(text.clone())],
        content => serde_json::from_value(content.clone()).ok()?,
    };
    // A call in a result would be a call that nobody decided on.
    let plain = content
        .iter()
        .all(|content| matches!(content, Content::Text { .. } | Content::Media { .. }));
    plain.then_some(ToolOutput { content, is_error })
}

fn denied(what: &str, word: &HookWord) -> String {
    format!("{what}: {word}; a person can take the hook out of `hooks.use`")
}

/// They were normalised, so they are JSON.
fn arguments(call: &ToolCall) -> Value {
    serde_json::from_str(&call.arguments).unwrap_or_default()
}
