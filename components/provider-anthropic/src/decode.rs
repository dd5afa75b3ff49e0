//! The service's answer as events, and the answers that follow it where it pauses.
//!
//! Not HTTP: it is fed with bodies, whatever those are read from.

mod message;

use std::collections::VecDeque;

use hydroid_component::answer::Answer;
use hydroid_component::provider::{Error, Event, EventSource, Flow, Stop};
use hydroid_component::web::Body;
use serde_json::value::RawValue;

use message::Decoder;

/// What the service should send.
const MESSAGE: &str = "message";

/// Asks the service to go on after what was said; none if it was asked often enough.
pub type Resume<B> = Box<dyn FnMut(Vec<Box<RawValue>>) -> Result<Option<B>, Error>>;

/// One answer that is being read.
pub struct Turn<B> {
    answer: Answer<B, Decoder>,
    resume: Option<Resume<B>>,
}

impl<B: Body> Turn<B> {
    /// Reads `body` behind the event `first`; `call_prefix` begins the identifiers of calls
    /// without one, and the arguments of `schema_tool` are the answer's text.
    pub fn new(
        body: B,
        first: Option<Event>,
        call_prefix: String,
        schema_tool: Option<&'static str>,
    ) -> Self {
        let decoder = Decoder::new(call_prefix, schema_tool);
        Self { answer: Answer::new(body, decoder).after(first), resume: None }
    }

    /// What is done when the service pauses in the middle of its own tools.
    pub fn resume_by(&mut self, resume: Resume<B>) {
        self.answer.decoder().remember();
        self.resume = Some(resume);
    }
}

impl<B: Body> EventSource for Turn<B> {
    fn pull(&mut self, events: &mut VecDeque<Event>) -> Result<Flow, Error> {
        let flow = self.answer.pull(events)?;
        let Some(resume) = &mut self.resume else { return Ok(flow) };
        if flow == Flow::More || !self.answer.decoder().paused() {
            return Ok(flow);
        }
        let said = self.answer.decoder().begin_again();
        // What was answered so far is there, whatever becomes of the rest.
        match resume(said).map_err(|error| Error { sent: true, ..error })? {
            Some(body) => {
                self.answer.go_on(body);
                Ok(Flow::More)
            }
            None => {
                events.push_back(Event::Finish(Stop::Other));
                Ok(Flow::End)
            }
        }
    }
}

#[cfg(test)]
mod tests;
