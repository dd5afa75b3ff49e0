//! The provider role for authors: one trait, one macro, and the queue between a pull parser and `next`.
//!
//! Not a client of any service: `web` talks HTTP, `sse` reads event streams and `arguments`
//! puts tool calls together.
//!
//! ```ignore
//! struct Echo;
//! impl Provider for Echo { /* models, complete */ }
//! hydroid_component::export_provider!(Echo);
//! ```

use std::cell::RefCell;
use std::collections::VecDeque;
use std::marker::PhantomData;

pub use crate::bindings::imports::hydroid::core::types::{Blob, Error, ErrorKind, Ext, Link, Part};
pub use crate::bindings::provider::exports::hydroid::provider::provider::{
    Block, Citation, Event, Features, Message, Model, Reasoning, Request, Role, Stop, ToolCall,
    ToolCallArgs, ToolCallStart, ToolChoice, ToolDefinition, ToolResult, Usage,
};
use crate::bindings::provider::exports::hydroid::provider::provider::{
    Completion, Guest, GuestCompletion,
};

/// A component that answers for models.
pub trait Provider: 'static {
    /// The models this component answers for.
    fn models() -> Result<Vec<Model>, Error>;

    /// Starts an answer. An error here means that nothing of the answer exists.
    fn complete(request: Request) -> Result<Box<dyn EventSource>, Error>;

    /// Input tokens of a request; none when it cannot tell.
    fn count_tokens(_request: Request) -> Result<Option<u32>, Error> {
        Ok(None)
    }
}

/// Where the events of one answer come from.
pub trait EventSource {
    /// Does one step of work, such as reading one piece of a body, and appends the events that
    /// came of it: none, one or many. It is not called again after `Flow::End` or an error.
    fn pull(&mut self, events: &mut VecDeque<Event>) -> Result<Flow, Error>;
}

/// Whether a source has more to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Call again.
    More,
    /// This was all.
    End,
}

/// An answer that is known as a whole.
impl EventSource for Vec<Event> {
    fn pull(&mut self, events: &mut VecDeque<Event>) -> Result<Flow, Error> {
        events.extend(self.drain(..));
        Ok(Flow::End)
    }
}

/// Makes `type` the provider of this component.
#[macro_export]
macro_rules! export_provider {
    ($provider:ty) => {
        const _: () = {
            type Component = $crate::provider::Adapter<$provider>;
    $crate::bindings::provider::export!(Component with_types_in $crate::bindings::provider);
        };
    };
}

/// Turns a source into `next(max)`.
///
/// Events that came before a failure are delivered before it, and a source that ends without
/// `Event::Finish` is a failure: a caller never takes half an answer for a whole one.
pub struct EventQueue<S> {
    source: S,
    waiting: VecDeque<Event>,
    state: State,
    finished: bool,
}

enum State {
    Open,
    Ended,
    Failing(Error),
    Failed,
}

impl<S: EventSource> EventQueue<S> {
    /// A queue in front of `source`.
    pub fn new(source: S) -> Self {
        Self { source, waiting: VecDeque::new(), state: State::Open, finished: false }
    }

    /// At least one and at most `max` events; none at the end. `cancelled` is asked before
    /// every step of work, so a stream of nothing but keep-alives can be stopped too.
    pub fn next(&mut self, max: u32, cancelled: impl Fn() -> bool) -> Result<Vec<Event>, Error> {
        if max == 0 {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "`next` was asked for 0 events: ask for at least 1",
            ));
        }
        while self.waiting.is_empty() {
            match std::mem::replace(&mut self.state, State::Failed) {
                State::Open if cancelled() => {
                    return Err(Error { sent: true, ..Error::cancelled() });
                }
                State::Open => self.state = self.work(),
                State::Ended => {
                    self.state = State::Ended;
                    return Ok(Vec::new());
                }
                State::Failing(error) => return Err(error),
                State::Failed => {
                    return Err(Error::new(
                        ErrorKind::Conflict,
                        "this answer has failed already: start a new one with `complete`",
                    ));
                }
            }
        }
        let count = self.waiting.len().min(max as usize);
        Ok(self.waiting.drain(..count).collect())
    }

    fn work(&mut self) -> State {
        let outcome = self.source.pull(&mut self.waiting);
        self.finished |= self.waiting.iter().any(|event| matches!(event, Event::Finish(_)));
        match outcome {
            Ok(Flow::More) => State::Open,
            Ok(Flow::End) if self.finished => State::Ended,
            Ok(Flow::End) => State::Failing(Error {
                sent: true,
                retry_after_ms: Some(RETRY_BROKEN_STREAM_MS),
                ..Error::new(
                    ErrorKind::Unavailable,
                    "the service ended its answer in the middle: send the request again",
                )
            }),
            Err(error) => State::Failing(error),
        }
    }
}

/// A broken stream is usually one bad connection, so the first retry may come soon.
const RETRY_BROKEN_STREAM_MS: u32 = 1000;

/// What `export_provider!` exports for `P`.
pub struct Adapter<P>(PhantomData<P>);

/// One answer in progress, as the host holds it.
pub struct Answer(RefCell<EventQueue<Box<dyn EventSource>>>);

impl EventSource for Box<dyn EventSource> {
    fn pull(&mut self, events: &mut VecDeque<Event>) -> Result<Flow, Error> {
        (**self).pull(events)
    }
}

impl<P: Provider> Guest for Adapter<P> {
    type Completion = Answer;

    fn models() -> Result<Vec<Model>, Error> {
        P::models()
    }

    fn count_tokens(request: Request) -> Result<Option<u32>, Error> {
        P::count_tokens(request)
    }

    fn complete(request: Request) -> Result<Completion, Error> {
        let source = P::complete(request)?;
        Ok(Completion::new(Answer(RefCell::new(EventQueue::new(source)))))
    }
}

impl GuestCompletion for Answer {
    fn next(&self, max: u32) -> Result<Vec<Event>, Error> {
        self.0.borrow_mut().next(max, crate::bindings::imports::hydroid::core::control::cancelled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plays one prepared step per `pull`.
    struct Steps(VecDeque<Result<(Vec<Event>, Flow), Error>>);

    impl EventSource for Steps {
        fn pull(&mut self, events: &mut VecDeque<Event>) -> Result<Flow, Error> {
            let (new, flow) = self.0.pop_front().expect("not pulled after the end")?;
            events.extend(new);
            Ok(flow)
        }
    }

    fn text(text: &str) -> Event {
        Event::Text(text.to_owned())
    }

    fn queue(steps: Vec<Result<(Vec<Event>, Flow), Error>>) -> EventQueue<Steps> {
        EventQueue::new(Steps(steps.into()))
    }

    fn next(queue: &mut EventQueue<Steps>, max: u32) -> String {
        format!("{:?}", queue.next(max, || false).map_err(|error| (error.kind, error.sent)))
    }

    #[test]
    fn next_blocks_for_one_event_and_keeps_to_max() {
        let mut queue = queue(vec![
            Ok((vec![], Flow::More)),
            Ok((vec![text("a"), text("b"), text("c")], Flow::More)),
            Ok((vec![Event::Finish(Stop::EndTurn)], Flow::End)),
        ]);
        assert_eq!(next(&mut queue, 2), r#"Ok([Event::Text("a"), Event::Text("b")])"#);
        assert_eq!(next(&mut queue, 2), r#"Ok([Event::Text("c")])"#);
        assert_eq!(next(&mut queue, 2), "Ok([Event::Finish(Stop::EndTurn)])");
        assert_eq!(next(&mut queue, 2), "Ok([])");
        assert_eq!(next(&mut queue, 2), "Ok([])");
    }

    #[test]
    fn events_before_a_failure_are_delivered_before_it() {
        let broken = Error::new(ErrorKind::Timeout, "too slow");
        let mut queue = queue(vec![Ok((vec![text("a")], Flow::More)), Err(broken)]);
        assert_eq!(next(&mut queue, 9), r#"Ok([Event::Text("a")])"#);
        assert_eq!(next(&mut queue, 9), "Err((ErrorKind::Timeout, false))");
        assert_eq!(next(&mut queue, 9), "Err((ErrorKind::Conflict, false))");
    }

    #[test]
    fn an_end_without_finish_is_a_failure() {
        let mut queue = queue(vec![Ok((vec![text("half")], Flow::End))]);
        assert_eq!(next(&mut queue, 9), r#"Ok([Event::Text("half")])"#);
        assert_eq!(next(&mut queue, 9), "Err((ErrorKind::Unavailable, true))");
    }

    #[test]
    fn zero_events_cannot_be_asked_for() {
        assert_eq!(next(&mut queue(vec![]), 0), "Err((ErrorKind::InvalidInput, false))");
    }

    #[test]
    fn a_cancelled_answer_does_no_more_work() {
        let mut queue = queue(vec![]);
        let error = queue.next(1, || true).expect_err("cancelled");
        assert!(matches!(error.kind, ErrorKind::Cancelled), "{error:?}");
    }
}
