//! A reply as the events a streaming service would send: words, fragments, usage, finish.
//!
//! Not slow on purpose: pieces are small, but there is no waiting between them.

use std::collections::VecDeque;

use hydroid_component::provider::{
    Block, Error, Event, EventSource, Flow, Reasoning, Request, Stop, ToolCallArgs, ToolCallStart,
    Usage,
};

use crate::plan::Reply;
use crate::task::shown;

/// The usual rule of thumb; there is no tokenizer here either.
const CHARACTERS_PER_TOKEN: usize = 4;
/// Characters of one fragment of arguments; short, so that readers must put them together.
const FRAGMENT: usize = 12;

/// Events that are handed out one by one, as if each had come over the network.
pub struct Stream(VecDeque<Event>);

impl EventSource for Stream {
    fn pull(&mut self, events: &mut VecDeque<Event>) -> Result<Flow, Error> {
        events.extend(self.0.pop_front());
        Ok(if self.0.is_empty() { Flow::End } else { Flow::More })
    }
}

impl Stream {
    /// The events of `reply`, within the output limit and stop texts of `request`.
    pub fn new(request: &Request, reply: Reply) -> Self {
        let mut events = VecDeque::new();
        let mut written = reply.thinking.chars().count();
        for piece in reply.thinking.split_inclusive(' ') {
            events.push_back(Event::Reasoning(Reasoning { text: piece.to_owned(), opaque: None }));
        }
        let (text, cut) = bounded(request, &reply.text, written);
        written += text.chars().count();
        events.extend(text.split_inclusive([' ', '\n']).map(|word| Event::Text(word.to_owned())));
        let stop = match cut {
            Some(stop) => stop,
            None if reply.calls.is_empty() => Stop::EndTurn,
            None => Stop::ToolUse,
        };
        let calls = if matches!(stop, Stop::ToolUse) { reply.calls } else { Vec::new() };
        for (index, call) in (0u32..).zip(calls) {
            written += call.name.chars().count() + call.arguments.chars().count();
            events.push_back(Event::ToolCallStart(ToolCallStart {
                index,
                id: call.id,
                name: call.name,
            }));
            let characters: Vec<char> = call.arguments.chars().collect();
            events.extend(characters.chunks(FRAGMENT).map(|fragment| {
                Event::ToolCallArgs(ToolCallArgs { index, fragment: fragment.iter().collect() })
            }));
            events.push_back(Event::ToolCallEnd(index));
        }
        events.push_back(Event::Usage(usage(request, written, reply.thinking.chars().count())));
        events.push_back(Event::Finish(stop));
        Self(events)
    }
}

/// The text that may be said, and why it was cut if it was.
fn bounded<'a>(request: &Request, text: &'a str, before: usize) -> (&'a str, Option<Stop>) {
    let stops = request.stop.iter().filter(|stop| !stop.is_empty());
    let stopped = stops.filter_map(|stop| text.find(stop.as_str())).min();
    let (text, stop) = match stopped {
        Some(end) => (&text[..end], Some(Stop::StopSequence)),
        None => (text, None),
    };
    let room = request.max_tokens.map_or(usize::MAX, |most| {
        (most as usize).saturating_mul(CHARACTERS_PER_TOKEN).saturating_sub(before)
    });
    match text.char_indices().nth(room) {
        Some((end, _)) => (&text[..end], Some(Stop::MaxTokens)),
        None => (text, stop),
    }
}

fn usage(request: &Request, written: usize, thought: usize) -> Usage {
    Usage {
        input: input_tokens(request),
        output: tokens(written),
        cache_read: None,
        cache_write: None,
        reasoning: (thought > 0).then(|| tokens(thought)),
    }
}

/// Estimated input tokens of a request.
pub fn input_tokens(request: &Request) -> u32 {
    let blocks = request.messages.iter().flat_map(|message| &message.blocks);
    let said: usize = blocks
        .map(|block| match block {
            Block::Part(part) => shown(part).chars().count(),
            Block::ToolCall(call) => call.name.chars().count() + call.args_json.chars().count(),
            Block::ToolResult(result) => {
                result.content.iter().map(|part| shown(part).chars().count()).sum()
            }
            Block::Reasoning(reasoning) => reasoning.text.chars().count(),
            Block::Other(_) => 0,
        })
        .sum();
    let offered: usize = request
        .tools
        .iter()
        .map(|tool| {
            tool.name.len() + tool.description.chars().count() + tool.input_schema.chars().count()
        })
        .sum();
    tokens(said + offered)
}

fn tokens(characters: usize) -> u32 {
    u32::try_from(characters.div_ceil(CHARACTERS_PER_TOKEN)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
