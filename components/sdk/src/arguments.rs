//! Puts the tool calls of a streamed answer together from the fragments services send.
//!
//! Not a JSON parser: arguments are passed on byte for byte, and the host checks them.

use crate::provider::{Event, ToolCallArgs, ToolCallStart};
use crate::types::{Error, ErrorKind};

/// Arguments of one answer. A file of this size is better written in parts, and a service
/// that repeats itself without end is stopped here.
pub const MAX_ARGUMENTS: usize = 8 << 20;
/// Calls of one answer; far more than any model asks for on purpose.
pub const MAX_CALLS: usize = 256;

/// One piece of a call, as loosely as services write it.
#[derive(Clone, Copy, Debug, Default)]
pub struct CallPiece<'a> {
    /// Position of the call; some services leave it out, some say 0 for all.
    pub index: Option<u32>,
    /// Identifier; some services repeat it in each piece, some never give one.
    pub id: Option<&'a str>,
    /// Name of the tool, usually in the first piece only.
    pub name: Option<&'a str>,
    /// Fragment of the arguments.
    pub arguments: Option<&'a str>,
}

/// The calls of one answer.
#[derive(Debug)]
pub struct CallAssembler {
    prefix: String,
    calls: Vec<Call>,
    bytes: usize,
}

#[derive(Debug)]
struct Call {
    /// What the service calls it.
    index: Option<u32>,
    service_id: String,
    /// What the host calls it.
    id: String,
    name: String,
    arguments: String,
    /// The start was sent, which needs a name.
    started: bool,
    ended: bool,
}

impl CallAssembler {
    /// `prefix` begins the identifiers made up for calls without one; it should differ between
    /// the answers of a conversation.
    pub fn new(prefix: impl Into<String>) -> Self {
        Self { prefix: prefix.into(), calls: Vec::new(), bytes: 0 }
    }

    /// Calls so far.
    pub fn len(&self) -> usize {
        self.calls.len()
    }

    /// True if no call has begun.
    pub fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// Takes one piece and appends the events that come of it.
    pub fn add(
        &mut self,
        piece: CallPiece<'_>,
        events: &mut impl Extend<Event>,
    ) -> Result<(), Error> {
        let piece = CallPiece {
            id: piece.id.filter(|id| !id.is_empty()),
            name: piece.name.filter(|name| !name.is_empty()),
            arguments: piece.arguments.filter(|arguments| !arguments.is_empty()),
            ..piece
        };
        let position = match self.position(&piece) {
            Some(position) => position,
            None => self.begin(&piece, events)?,
        };
        self.bytes += piece.arguments.map_or(0, str::len);
        if self.bytes > MAX_ARGUMENTS {
            return Err(too_large(format!(
                "the tool calls of this answer have more than {MAX_ARGUMENTS} bytes of arguments"
            )));
        }
        let call = &mut self.calls[position];
        let index = position as u32;
        if call.name.is_empty() {
            call.name = piece.name.unwrap_or_default().to_owned();
        }
        call.arguments.push_str(piece.arguments.unwrap_or_default());
        if call.started {
            events.extend(piece.arguments.map(|fragment| args(index, fragment)));
        } else if !call.name.is_empty() {
            call.started = true;
            let (id, name) = (call.id.clone(), call.name.clone());
            events.extend([Event::ToolCallStart(ToolCallStart { index, id, name })]);
            events.extend((!call.arguments.is_empty()).then(|| args(index, &call.arguments)));
        }
        Ok(())
    }

    /// True if a call of this position of the service has begun and not ended.
    pub fn is_open(&self, index: Option<u32>) -> bool {
        self.calls.iter().any(|call| call.index == index && !call.ended)
    }

    /// Ends the call at this position of the service, if it is open.
    pub fn end(&mut self, index: u32, events: &mut impl Extend<Event>) -> Result<(), Error> {
        match self.calls.iter().rposition(|call| call.index == Some(index)) {
            Some(position) => self.end_position(position, events),
            None => Ok(()),
        }
    }

    /// Ends all calls that are open; the answer has no more of them.
    pub fn end_all(&mut self, events: &mut impl Extend<Event>) -> Result<(), Error> {
        (0..self.calls.len()).try_for_each(|position| self.end_position(position, events))
    }

    /// The call a piece continues, or none if it begins a new one.
    fn position(&self, piece: &CallPiece<'_>) -> Option<usize> {
        let position = match (piece.index, piece.id) {
            (Some(index), _) => self.calls.iter().rposition(|call| call.index == Some(index)),
            (None, Some(id)) => self.calls.iter().rposition(|call| call.service_id == id),
            (None, None) => self.calls.len().checked_sub(1),
        }?;
        let call = &self.calls[position];
        let other_id =
            piece.id.is_some_and(|id| !call.service_id.is_empty() && call.service_id != id);
        // A name again, after arguments that are complete, begins another call of a service
        // that counts and names nothing.
        let repeated = piece.name.is_some()
            && piece.id.is_none_or(|id| call.service_id != id)
            && is_complete(&call.arguments);
        (!call.ended && !other_id && !repeated).then_some(position)
    }

    fn begin(
        &mut self,
        piece: &CallPiece<'_>,
        events: &mut impl Extend<Event>,
    ) -> Result<usize, Error> {
        if self.calls.len() == MAX_CALLS {
            return Err(too_large(format!("this answer has more than {MAX_CALLS} tool calls")));
        }
        // Without positions calls come one after another, so the one before has ended.
        if piece.index.is_none()
            && let Some(last) = self.calls.len().checked_sub(1)
            && self.calls[last].started
        {
            self.end_position(last, events)?;
        }
        let taken = |id: &str| self.calls.iter().any(|call| call.id == id);
        let id = match piece.id.filter(|id| !taken(id)) {
            Some(id) => id.to_owned(),
            None => format!("{}_{}", self.prefix, self.calls.len()),
        };
        self.calls.push(Call {
            index: piece.index,
            service_id: piece.id.unwrap_or_default().to_owned(),
            id,
            name: String::new(),
            arguments: String::new(),
            started: false,
            ended: false,
        });
        Ok(self.calls.len() - 1)
    }

    fn end_position(
        &mut self,
        position: usize,
        events: &mut impl Extend<Event>,
    ) -> Result<(), Error> {
        let call = &mut self.calls[position];
        if std::mem::replace(&mut call.ended, true) {
            return Ok(());
        }
        if !call.started {
            let message =
                "the service began a tool call without a tool name: send the request again";
            return Err(Error { sent: true, ..Error::new(ErrorKind::Unavailable, message) });
        }
        let index = position as u32;
        if call.arguments.trim().is_empty() {
            events.extend([args(index, "{}")]);
        }
        events.extend([Event::ToolCallEnd(index)]);
        Ok(())
    }
}

fn args(index: u32, fragment: &str) -> Event {
    Event::ToolCallArgs(ToolCallArgs { index, fragment: fragment.to_owned() })
}

fn is_complete(arguments: &str) -> bool {
    arguments.trim_end().ends_with('}')
        && serde_json::from_str::<serde::de::IgnoredAny>(arguments).is_ok()
}

fn too_large(message: String) -> Error {
    Error { sent: true, ..Error::new(ErrorKind::TooLarge, message) }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Piece = (Option<u32>, &'static str, &'static str, &'static str);

    /// Pieces are `(index, id, name, arguments)`; calls are shown `id name arguments`.
    #[track_caller]
    fn check(pieces: &[Piece], expected: &[&str]) {
        let mut assembler = CallAssembler::new("call_7");
        let mut events = Vec::new();
        for (index, id, name, arguments) in pieces {
            let piece = CallPiece {
                index: *index,
                id: Some(id),
                name: Some(name),
                arguments: Some(arguments),
            };
            assembler.add(piece, &mut events).expect("small enough");
        }
        assembler.end_all(&mut events).expect("names known");
        assert_eq!(rendered(&events), expected, "{events:?}");
    }

    /// Reads the events as the host does and checks their order.
    fn rendered(events: &[Event]) -> Vec<String> {
        let mut calls: Vec<(String, bool)> = Vec::new();
        for event in events {
            match event {
                Event::ToolCallStart(start) => {
                    assert_eq!(start.index as usize, calls.len());
                    calls.push((format!("{} {} ", start.id, start.name), false));
                }
                Event::ToolCallArgs(args) => {
                    let (text, ended) = &mut calls[args.index as usize];
                    assert!(!*ended, "arguments after the end");
                    text.push_str(&args.fragment);
                }
                Event::ToolCallEnd(index) => {
                    let ended = std::mem::replace(&mut calls[*index as usize].1, true);
                    assert!(!ended, "ended twice");
                }
                other => panic!("{other:?}"),
            }
        }
        assert!(calls.iter().all(|(_, ended)| *ended), "not ended: {calls:?}");
        calls.into_iter().map(|(text, _)| text).collect()
    }

    #[test]
    fn parallel_calls_are_told_apart_by_index() {
        check(
            &[
                (Some(0), "a", "f", ""),
                (Some(1), "b", "g", ""),
                (Some(1), "", "", "{\"y\""),
                (Some(0), "", "", "{}"),
                (Some(1), "", "", ":2}"),
            ],
            &["a f {}", "b g {\"y\":2}"],
        );
    }

    #[test]
    fn calls_without_index_follow_each_other() {
        check(
            &[(None, "a", "f", "{"), (None, "a", "", "}"), (None, "b", "g", "{}")],
            &["a f {}", "b g {}"],
        );
        check(
            &[(None, "a", "f", "{"), (None, "", "", "}"), (None, "", "g", "{}")],
            &["a f {}", "call_7_1 g {}"],
        );
    }

    #[test]
    fn one_index_for_all_is_understood() {
        check(&[(Some(0), "a", "f", "{}"), (Some(0), "b", "f", "{}")], &["a f {}", "b f {}"]);
        check(
            &[(Some(0), "", "f", "{}"), (Some(0), "", "f", "{}")],
            &["call_7_0 f {}", "call_7_1 f {}"],
        );
    }

    #[test]
    fn a_name_in_each_piece_is_one_call() {
        check(&[(Some(0), "a", "f", "{\"x\":{}"), (Some(0), "a", "f", "}")], &["a f {\"x\":{}}"]);
        check(
            &[(Some(0), "", "f", "{\"x\":{}"), (Some(0), "", "f", "}")],
            &["call_7_0 f {\"x\":{}}"],
        );
    }

    #[test]
    fn a_late_name_keeps_the_arguments() {
        check(&[(Some(0), "a", "", "{\"x\""), (Some(0), "", "f", ":1}")], &["a f {\"x\":1}"]);
    }

    #[test]
    fn no_arguments_are_an_empty_object() {
        check(&[(Some(0), "a", "f", "")], &["a f {}"]);
    }

    #[test]
    fn identifiers_are_unique() {
        check(
            &[(Some(0), "a", "f", "{}"), (Some(1), "a", "g", "{}")],
            &["a f {}", "call_7_1 g {}"],
        );
    }

    #[test]
    fn limits_and_missing_names_are_errors() {
        let mut assembler = CallAssembler::new("c");
        let mut events = Vec::new();
        let large = "x".repeat(MAX_ARGUMENTS + 1);
        let piece = CallPiece { name: Some("f"), arguments: Some(&large), ..CallPiece::default() };
        let error = assembler.add(piece, &mut events).expect_err("too large");
        assert!(matches!(error.kind, ErrorKind::TooLarge), "{error:?}");

        let mut assembler = CallAssembler::new("c");
        let piece = CallPiece { arguments: Some("{}"), ..CallPiece::default() };
        assembler.add(piece, &mut events).expect("the name may come later");
        let error = assembler.end_all(&mut events).expect_err("no name");
        assert!(matches!(error.kind, ErrorKind::Unavailable), "{error:?}");

        let mut assembler = CallAssembler::new("c");
        let result = (0u32..).take(MAX_CALLS + 1).try_for_each(|index| {
            assembler.add(
                CallPiece { index: Some(index), name: Some("f"), ..CallPiece::default() },
                &mut events,
            )
        });
        assert!(matches!(result.expect_err("too many").kind, ErrorKind::TooLarge));
    }
}
