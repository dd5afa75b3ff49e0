//! Where the service's prompt cache may end. A request has room for four marks: behind the tools,
//! behind the instructions, and behind two messages.
//!
//! Not a cache: the service keeps it, and a mark that does not hit costs a little more.

use crate::config::PromptCache;
use crate::wire::{Block, CacheControl, Kind, MessagesRequest, Tool, USER};

/// Messages that may be marked.
const MESSAGE_MARKS: usize = 2;

/// Which parts of a conversation the host allows to be kept.
#[derive(Debug, Default)]
pub struct Hints {
    /// The instructions.
    pub system: bool,
    /// Positions of messages as they are sent.
    pub messages: Vec<usize>,
}

/// Sets the marks of a request.
pub fn mark(body: &mut MessagesRequest, hints: &Hints, mode: PromptCache) {
    let control = match mode {
        PromptCache::Off => return,
        PromptCache::FiveMinutes => CacheControl { kind: "ephemeral", ttl: None },
        PromptCache::OneHour => CacheControl { kind: "ephemeral", ttl: Some("1h") },
    };
    if !hints.system && hints.messages.is_empty() {
        return;
    }
    mark_tools(&mut body.tools, control);
    if hints.system {
        mark_last(&mut body.system, control);
    }
    for position in positions(body, hints) {
        mark_last(&mut body.messages[position].content, control);
    }
}

/// The last message the host named, and the one that was last in the request before this one:
/// what lies between may be more than the twenty blocks the service looks back by itself.
fn positions(body: &MessagesRequest, hints: &Hints) -> Vec<usize> {
    let mut positions: Vec<usize> =
        hints.messages.iter().rev().copied().take(MESSAGE_MARKS).collect();
    if let [only] = positions[..] {
        let before = body.messages[..only].iter().rposition(|message| message.role == USER);
        positions.extend(before);
    }
    positions
}

/// Tools come first in what the service reads, so this mark survives other instructions.
fn mark_tools(tools: &mut [Tool], control: CacheControl) {
    match tools.last_mut() {
        Some(Tool::Ours(tool)) => tool.cache_control = Some(control),
        Some(Tool::Server(tool)) => {
            if let (Some(tool), Ok(control)) = (tool.as_object_mut(), serde_json::to_value(control))
            {
                tool.entry("cache_control").or_insert(control);
            }
        }
        None => {}
    }
}

/// Marks the last block that can have a mark; thinking cannot.
fn mark_last(blocks: &mut [Block], control: CacheControl) {
    let known = blocks.iter_mut().rev().find_map(|block| match block {
        Block::Known(block) if !is_thinking(&block.kind) => Some(block),
        Block::Known(_) | Block::Raw(_) => None,
    });
    if let Some(block) = known {
        block.cache_control = Some(control);
    }
}

fn is_thinking(kind: &Kind) -> bool {
    matches!(kind, Kind::Thinking { .. } | Kind::RedactedThinking { .. })
}
