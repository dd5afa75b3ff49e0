//! Finds tool calls and thinking in the text of models whose server does not: tags, fenced JSON
//! and the like become calls, and `<think>` becomes thinking.
//!
//! Not a guess at meaning: what is no complete call of a tool that was offered stays text, byte
//! for byte. Half a tag is never shown, because text that may still become one waits.

mod forms;

use std::collections::{BTreeMap, VecDeque};

use serde_json::Value;

use crate::arguments::{CallAssembler, CallPiece};
use crate::provider::{Event, Reasoning, ToolDefinition};
use crate::types::Error;

use forms::{Found, Likely};

/// Text that waits for the end of a call; longer is no call. Files a model writes fit.
const MAX_WAITING: usize = 2 << 20;
const THINK: &str = "<think>";
const THOUGHT: &str = "</think>";

/// The tools that were offered, with the schemas of their arguments.
type Tools = BTreeMap<String, Value>;

/// Reads the text of one answer.
#[derive(Debug, Default)]
pub struct TextCalls {
    tools: Tools,
    thinking: bool,
    /// Text that was not passed on yet.
    waiting: String,
    state: State,
    /// Something that is no space was passed on.
    begun: bool,
    /// A call was found; spaces between calls are no text.
    called: bool,
    /// Spaces that come next belong to a tag.
    skip_spaces: bool,
    /// The last character passed on opens a quotation.
    quoting: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Text,
    Thinking,
    /// `waiting` has spaces and then the beginning of this form.
    Inside {
        form: &'static forms::Form,
        spaces: usize,
        searched: usize,
    },
}

impl TextCalls {
    /// A reader that knows these tools, and takes `<think>` at the beginning for thinking.
    pub fn new<'a>(tools: impl IntoIterator<Item = &'a ToolDefinition>) -> Self {
        let tools = tools
            .into_iter()
            .map(|tool| {
                let schema = serde_json::from_str(&tool.input_schema).unwrap_or_default();
                (tool.name.clone(), schema)
            })
            .collect();
        Self { tools, thinking: true, ..Self::default() }
    }

    /// A reader that finds nothing.
    pub fn off() -> Self {
        Self::default()
    }

    /// Takes a piece of text and appends the events that come of it.
    pub fn text(
        &mut self,
        text: &str,
        calls: &mut CallAssembler,
        events: &mut VecDeque<Event>,
    ) -> Result<(), Error> {
        if self.tools.is_empty() && !self.thinking {
            self.say(text.to_owned(), events);
            return Ok(());
        }
        self.waiting.push_str(text);
        self.work(false, calls, events)
    }

    /// The service itself sends a call or thinking, so it needs no help: what waits is text.
    pub fn native(&mut self, events: &mut VecDeque<Event>) {
        let waiting = std::mem::take(&mut self.waiting);
        match std::mem::replace(&mut self.state, State::Text) {
            State::Thinking => think(waiting, events),
            State::Text | State::Inside { .. } => self.say(waiting, events),
        }
        self.tools.clear();
        self.thinking = false;
    }

    /// The text is over.
    pub fn end(
        &mut self,
        calls: &mut CallAssembler,
        events: &mut VecDeque<Event>,
    ) -> Result<(), Error> {
        self.work(true, calls, events)
    }

    fn work(
        &mut self,
        over: bool,
        calls: &mut CallAssembler,
        events: &mut VecDeque<Event>,
    ) -> Result<(), Error> {
        loop {
            let goes_on = match self.state {
                State::Text => self.outside(over, events),
                State::Thinking => self.inside_thinking(over, events),
                State::Inside { form, spaces, searched } => {
                    self.inside(form, spaces, searched, over, calls, events)?
                }
            };
            if !goes_on {
                return Ok(());
            }
        }
    }

    /// Passes text on up to where something may begin; true if something begins there.
    fn outside(&mut self, over: bool, events: &mut VecDeque<Event>) -> bool {
        self.skip();
        if self.waiting.is_empty() {
            return false;
        }
        if over && self.called && self.waiting.trim().is_empty() {
            self.waiting.clear();
            return false;
        }
        let spaces = self.waiting.len() - self.waiting.trim_start().len();
        let start = &self.waiting[spaces..];
        if self.thinking && !self.begun {
            if let Some(thought) = start.strip_prefix(THINK) {
                self.waiting = thought.to_owned();
                self.skip_spaces = true;
                self.state = State::Thinking;
                return true;
            }
            if !over && THINK.starts_with(start) {
                return false;
            }
        }
        // An answer that is nothing but JSON may be a call; one with text before it is not.
        if !self.begun && start.starts_with(['{', '[']) && !self.tools.is_empty() {
            match forms::likely(start) {
                Likely::Yes => {
                    self.state = State::Inside { form: &forms::BARE, spaces, searched: spaces };
                    return true;
                }
                Likely::Maybe if !over => return false,
                Likely::Maybe | Likely::No => {}
            }
        }
        let found = forms::first(&self.waiting, !self.tools.is_empty());
        if let Some((at, form)) = found {
            let before = &self.waiting[..at];
            // A tag that is quoted is talked about, not used.
            let quoted = if before.is_empty() { self.quoting } else { before.ends_with('`') };
            if quoted && !form.is_fence() {
                self.pass_on(at + form.opener.len(), events);
                return true;
            }
            let text = before.trim_end().len();
            self.pass_on(text, events);
            self.state = State::Inside { form, spaces: at - text, searched: at - text };
            return true;
        }
        let keep = if over { 0 } else { forms::unfinished(&self.waiting, !self.tools.is_empty()) };
        let mut end = self.waiting.len() - keep;
        if !over {
            end = self.waiting[..end].trim_end().len();
        }
        self.pass_on(end, events);
        false
    }

    fn inside_thinking(&mut self, over: bool, events: &mut VecDeque<Event>) -> bool {
        self.skip();
        if let Some(at) = self.waiting.find(THOUGHT) {
            let rest = self.waiting.split_off(at);
            think(std::mem::take(&mut self.waiting), events);
            rest[THOUGHT.len()..].clone_into(&mut self.waiting);
            self.thinking = false;
            self.skip_spaces = true;
            self.state = State::Text;
            return true;
        }
        let keep = if over { 0 } else { forms::overlap(&self.waiting, THOUGHT) };
        let rest = self.waiting.split_off(self.waiting.len() - keep);
        think(std::mem::replace(&mut self.waiting, rest), events);
        false
    }

    /// Waits for the end of a form; true if the state has changed.
    fn inside(
        &mut self,
        form: &'static forms::Form,
        spaces: usize,
        searched: usize,
        over: bool,
        calls: &mut CallAssembler,
        events: &mut VecDeque<Event>,
    ) -> Result<bool, Error> {
        let found = if self.waiting.len() > MAX_WAITING {
            Found::Nothing
        } else {
            forms::read(form, &self.waiting[spaces..], searched - spaces, over, &self.tools)
        };
        match found {
            Found::Unfinished { searched } => {
                self.state = State::Inside { form, spaces, searched: spaces + searched };
                Ok(false)
            }
            Found::Nothing => {
                self.state = State::Text;
                self.pass_on(spaces + form.opener.len().max(1), events);
                Ok(true)
            }
            Found::Calls { calls: found, end } => {
                self.state = State::Text;
                self.waiting.drain(..spaces + end);
                self.begun = true;
                self.called = true;
                for call in found {
                    let piece = CallPiece {
                        name: Some(&call.name),
                        arguments: Some(&call.arguments),
                        ..CallPiece::default()
                    };
                    calls.add(piece, events)?;
                    calls.end_all(events)?;
                }
                Ok(true)
            }
        }
    }

    fn skip(&mut self) {
        if self.skip_spaces {
            let text = self.waiting.trim_start().to_owned();
            self.skip_spaces = text.is_empty();
            self.waiting = text;
        }
    }

    fn pass_on(&mut self, end: usize, events: &mut VecDeque<Event>) {
        let rest = self.waiting.split_off(end);
        let text = std::mem::replace(&mut self.waiting, rest);
        self.say(text, events);
    }

    fn say(&mut self, text: String, events: &mut VecDeque<Event>) {
        if !text.is_empty() {
            self.begun |= !text.trim().is_empty();
            self.quoting = text.ends_with('`');
            events.push_back(Event::Text(text));
        }
    }
}

fn think(text: String, events: &mut VecDeque<Event>) {
    if !text.is_empty() {
        events.push_back(Event::Reasoning(Reasoning { text, opaque: None }));
    }
}

#[cfg(test)]
mod tests;
