//! What the messages say: the task, what was asked of tools for it, and what came back.
//!
//! Not memory: everything here is read from the one request, so a resumed session continues.

use std::collections::BTreeMap;

use hydroid_component::provider::{Block, Message, Part, Request, Role, ToolResult};

use crate::grammar::{Command, parse};

/// The last thing the user asked for, and how far it has come.
pub struct Task {
    pub commands: Vec<Command>,
    /// What the user said in the messages before.
    pub earlier: Vec<String>,
    /// Calls made for this task: what came back, or nothing yet.
    pub calls: BTreeMap<Step, Option<Outcome>>,
    /// Differs between tasks, so that identifiers of calls do too.
    fingerprint: u32,
}

/// One call's place: the command, and which of its calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Step {
    pub command: usize,
    pub stage: usize,
}

/// What came back from a call.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    pub text: String,
    pub is_error: bool,
}

impl Task {
    /// Reads the request.
    pub fn new(request: &Request) -> Self {
        let messages = &request.messages;
        let at = messages.iter().rposition(|message| !said(message).is_empty()).unwrap_or(0);
        let earlier: Vec<String> =
            messages.iter().take(at).map(said).filter(|text| !text.is_empty()).collect();
        let text = messages.get(at).map(said).unwrap_or_default();
        let fingerprint = fingerprint(earlier.iter().chain([&text]).map(String::as_str));
        let commands = match parse(&text) {
            commands if commands.is_empty() => vec![Command::Greet],
            commands => commands,
        };
        let calls = calls(messages.get(at..).unwrap_or_default());
        Self { commands, earlier, calls, fingerprint }
    }

    /// The identifier of a call. It carries its place, which is how the next request is understood.
    pub fn call_id(&self, step: Step) -> String {
        format!("call_{:08x}_{}_{}", self.fingerprint, step.command, step.stage)
    }

    /// The outcome of a call that was made; a call without a result has a sentence instead.
    pub fn outcome(&self, step: Step) -> Option<Outcome> {
        self.calls.get(&step).map(|outcome| {
            outcome.clone().unwrap_or_else(|| Outcome {
                text: "no result came back".to_owned(),
                is_error: true,
            })
        })
    }
}

/// The text a person wrote in a message; empty for the messages of others.
fn said(message: &Message) -> String {
    if !matches!(message.role, Role::User) {
        return String::new();
    }
    let texts = message.blocks.iter().filter_map(|block| match block {
        // What the host puts between marks is data beside the words: nobody asks for it.
        Block::Part(Part::Text(text)) if unfenced(text) == text.as_str() => Some(text.as_str()),
        _ => None,
    });
    texts.collect::<Vec<_>>().join("\n").trim().to_owned()
}

fn calls(messages: &[Message]) -> BTreeMap<Step, Option<Outcome>> {
    let mut calls = BTreeMap::new();
    for block in messages.iter().flat_map(|message| &message.blocks) {
        match block {
            Block::ToolCall(call) => {
                if let Some(step) = step_of(&call.id) {
                    calls.entry(step).or_insert(None);
                }
            }
            Block::ToolResult(result) => {
                if let Some(step) = step_of(&result.call_id) {
                    calls.insert(step, Some(outcome(result)));
                }
            }
            Block::Part(_) | Block::Reasoning(_) | Block::Other(_) => {}
        }
    }
    calls
}

fn step_of(id: &str) -> Option<Step> {
    let mut fields = id.strip_prefix("call_")?.split('_').skip(1);
    let step = Step { command: fields.next()?.parse().ok()?, stage: fields.next()?.parse().ok()? };
    fields.next().is_none().then_some(step)
}

fn outcome(result: &ToolResult) -> Outcome {
    let parts: Vec<String> =
        result.content.iter().map(|part| unfenced(&shown(part)).to_owned()).collect();
    Outcome { text: parts.join("\n"), is_error: result.is_error }
}

/// The text between the marks that the host puts around data from outside. A person who is
/// quoted a result does not need them.
fn unfenced(text: &str) -> &str {
    let inner = || {
        let (first, rest) = text.split_once('\n')?;
        let code = first.strip_prefix("[data ")?.split(' ').next()?;
        rest.strip_suffix(&format!("[end of data {code}]"))?.strip_suffix('\n')
    };
    inner().unwrap_or(text)
}

/// A part as a person would read it in a line of text.
pub fn shown(part: &Part) -> String {
    match part {
        Part::Text(text) | Part::Json(text) => text.clone(),
        Part::Blob(blob) => format!("[{}, {} bytes]", blob.media_type, blob.data.len()),
        Part::Link(link) => link.uri.clone(),
        Part::Other(ext) => format!("[{}]", ext.kind),
    }
}

/// FNV-1a; a name for a conversation, not a defence against anything.
fn fingerprint<'a>(texts: impl Iterator<Item = &'a str>) -> u32 {
    let bytes = texts.flat_map(|text| text.bytes().chain([0]));
    bytes.fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}
