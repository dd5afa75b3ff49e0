//! Plays recorded answers of a model, so that a session can be run again without the service.
//!
//! Not a cache: which answer comes next is decided by position, not by what was asked.

use std::collections::VecDeque;

use hydroid_component::export_provider;
use hydroid_component::provider::{
    Error, ErrorKind, Event, EventSource, Features, Flow, Model, Provider, Request, Role,
};
use serde::Deserialize;

mod convert;
mod wire;

struct Replay;

export_provider!(Replay);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    #[serde(default)]
    recording: String,
    #[serde(default)]
    strict: bool,
}

impl Provider for Replay {
    fn models() -> Result<Vec<Model>, Error> {
        let config: Config = hydroid_component::config::read()?;
        if config.recording.is_empty() {
            return Ok(Vec::new());
        }
        let (header, _answers) = convert::recording(&config.recording)?;
        Ok(vec![Model {
            name: format!("Recording of {}", header.model),
            id: header.model,
            context: None,
            max_output: None,
            features: Features::TOOLS | Features::REASONING | Features::STREAMING,
            options_json: None,
        }])
    }

    fn complete(request: Request) -> Result<Box<dyn EventSource>, Error> {
        let config: Config = hydroid_component::config::read()?;
        Ok(Box::new(answer(&config, &request)?))
    }
}

/// Recorded events, then the recorded failure if there is one.
struct Playback {
    events: VecDeque<Event>,
    error: Option<Error>,
}

impl EventSource for Playback {
    fn pull(&mut self, events: &mut VecDeque<Event>) -> Result<Flow, Error> {
        match self.events.pop_front() {
            Some(event) => events.push_back(event),
            None => return self.error.take().map_or(Ok(Flow::End), Err),
        }
        Ok(Flow::More)
    }
}

/// The answer at the position that the number of assistant messages gives.
fn answer(config: &Config, request: &Request) -> Result<Playback, Error> {
    if config.recording.is_empty() {
        let message = "there is no recording to play; give one with `hydroid ask --replay FILE`";
        return Err(Error::new(ErrorKind::NotFound, message).with_code("recording_missing"));
    }
    let (_header, mut answers) = convert::recording(&config.recording)?;
    let said = request.messages.iter().filter(|message| matches!(message.role, Role::Assistant));
    let position = said.count();
    let count = answers.len();
    if position >= count {
        return Err(Error::new(
            ErrorKind::NotFound,
            format!(
                "the recording has {count} answers and the conversation asks for number {}: \
                 record more, or start a new session",
                position + 1
            ),
        )
        .with_code("recording_exhausted"));
    }
    let answer = answers.swap_remove(position);
    if config.strict {
        convert::compare(&answer.request, request).map_err(|difference| {
            let message =
                format!("answer {} of the recording does not fit: {difference}", position + 1);
            Error::new(ErrorKind::Conflict, message).with_code("recording_diverged")
        })?;
    }
    let error = answer.error.map(convert::error);
    if answer.events.is_empty()
        && let Some(error) = error
    {
        return Err(error);
    }
    let events = answer.events.into_iter().map(convert::events).collect::<Result<Vec<_>, _>>()?;
    Ok(Playback { events: events.into_iter().flatten().collect(), error })
}

#[cfg(test)]
mod tests;
