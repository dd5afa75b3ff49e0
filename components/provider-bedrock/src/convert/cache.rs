//! Where the service's prompt cache may end. A request has room for four marks: behind the tools,
//! behind the instructions, and behind two messages.
//!
//! Not a cache: the service keeps it, and a mark that does not hit costs a little more.

use crate::config::PromptCache;
use crate::family::Family;
use crate::wire::{Block, CachePoint, ConverseRequest, Tool, USER};

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
pub fn mark(
    body: &mut ConverseRequest,
    hints: &Hints,
    family: Family,
    model: &str,
    mode: PromptCache,
) {
    let ttl = match mode {
        PromptCache::Auto if family.caches(model) => None,
        PromptCache::Auto | PromptCache::Off => return,
        PromptCache::FiveMinutes => Some("5m"),
        PromptCache::OneHour => Some("1h"),
    };
    let point = CachePoint { kind: "default", ttl };
    if !hints.system && hints.messages.is_empty() {
        return;
    }
    if let Some(tools) = body.tool_config.as_mut().filter(|_| family.caches_tools()) {
        tools.tools.push(Tool::CachePoint(point));
    }
    if hints.system && !body.system.is_empty() {
        body.system.push(Block::CachePoint(point));
    }
    for position in positions(body, hints) {
        body.messages[position].content.push(Block::CachePoint(point));
    }
}

/// The last message the host named, and the one that was last in the request before this one:
/// what lies between may be more than the service looks back by itself.
fn positions(body: &ConverseRequest, hints: &Hints) -> Vec<usize> {
    // A mark cannot stand behind thinking, so a message that ends with it has none.
    let markable = |position: &usize| {
        let last = body.messages[*position].content.last();
        !matches!(last, None | Some(Block::ReasoningContent(_)))
    };
    let mut positions: Vec<usize> =
        hints.messages.iter().rev().copied().filter(markable).take(MESSAGE_MARKS).collect();
    if let [only] = positions[..] {
        let before = body.messages[..only].iter().rposition(|message| message.role == USER);
        positions.extend(before.filter(markable));
    }
    positions
}
