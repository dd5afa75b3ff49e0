//! Fetches a model that the server does not have, tells how far that has come, and then asks it.
//!
//! Progress is an event of kind `hydroid/progress`, `{"fraction": 0.25, "message": "…"}`, where
//! the fraction is left out while it is unknown. No store of models: that is the server's.

use std::collections::{BTreeMap, VecDeque};

use hydroid_component::answer::{Answer, Decoder, unreadable};
use hydroid_component::provider::{Error, ErrorKind, Event, EventSource, Ext, Flow};
use hydroid_component::web::{Body, ServiceError};
use serde_json::json;

use crate::wire::PullLine;

const KIND: &str = "hydroid/progress";
const EXPECTED: &str = "report of a pull by Ollama";

/// A pull, and the answer behind it.
pub struct Pull<B, S, F> {
    state: State<B, S>,
    ask: Option<F>,
}

enum State<B, S> {
    Pulling(Box<Answer<B, Reports>>),
    Answering(S),
}

impl<B: Body, S: EventSource, F: FnOnce() -> Result<S, Error>> Pull<B, S, F> {
    /// Reads `body`, the report of a pull of `model`; `ask` asks the model once it is there.
    pub fn new(body: B, model: String, ask: F) -> Self {
        let reports = Reports { model, layers: BTreeMap::new(), shown: None, done: false };
        Self { state: State::Pulling(Box::new(Answer::lines(body, reports))), ask: Some(ask) }
    }
}

impl<B: Body, S: EventSource, F: FnOnce() -> Result<S, Error>> EventSource for Pull<B, S, F> {
    fn pull(&mut self, events: &mut VecDeque<Event>) -> Result<Flow, Error> {
        match &mut self.state {
            State::Answering(answer) => answer.pull(events),
            State::Pulling(pulling) => {
                if pulling.pull(events)? == Flow::End
                    && let Some(ask) = self.ask.take()
                {
                    self.state = State::Answering(ask()?);
                }
                Ok(Flow::More)
            }
        }
    }
}

/// Reads the lines of a pull.
struct Reports {
    model: String,
    /// Bytes that are there and bytes wanted, of each layer.
    layers: BTreeMap<String, (u64, u64)>,
    /// What was told last: the words and the hundredths.
    shown: Option<(String, Option<u64>)>,
    done: bool,
}

impl Decoder for Reports {
    fn message(
        &mut self,
        _name: &str,
        data: &str,
        events: &mut VecDeque<Event>,
    ) -> Result<(), Error> {
        let line: PullLine = serde_json::from_str(data)
            .map_err(|error| unreadable(EXPECTED, data.as_bytes(), &error))?;
        if let Some(error) = line.error {
            let said = ServiceError::from_json(&error).message;
            return Err(Error {
                sent: true,
                ..Error::new(
                    ErrorKind::NotFound,
                    format!("`{}` could not be pulled: {said}; check the model's name", self.model),
                )
            });
        }
        if let (Some(digest), Some(total)) = (line.digest, line.total) {
            self.layers.insert(digest, (line.completed.unwrap_or_default().min(total), total));
        }
        let status = line.status.unwrap_or_default();
        self.done |= status == "success";
        self.tell(&status, events);
        Ok(())
    }

    fn whole(&mut self, body: &[u8], events: &mut VecDeque<Event>) -> Result<(), Error> {
        self.message("", &String::from_utf8_lossy(body), events)
    }

    fn is_done(&self) -> bool {
        self.done
    }

    fn end(&mut self, _events: &mut VecDeque<Event>) -> Result<(), Error> {
        if self.done {
            return Ok(());
        }
        let message = format!("the pull of `{}` broke off: send the request again", self.model);
        Err(Error {
            sent: true,
            retry_after_ms: Some(1000),
            ..Error::new(ErrorKind::Unavailable, message)
        })
    }
}

impl Reports {
    /// Says what changed, in steps of a hundredth: the server reports many times a second.
    fn tell(&mut self, status: &str, events: &mut VecDeque<Event>) {
        let (there, wanted) =
            self.layers.values().fold((0_u64, 0_u64), |(there, wanted), layer| {
                (there.saturating_add(layer.0), wanted.saturating_add(layer.1))
            });
        let hundredths = match status {
            "success" => Some(100),
            _ => there.saturating_mul(100).checked_div(wanted),
        };
        // The word for a layer has its digest in it, which says nothing to a person.
        let word = if status.starts_with("pulling ") && wanted > 0 { "pulling" } else { status };
        let told = Some((word.to_owned(), hundredths));
        if told == self.shown {
            return;
        }
        self.shown = told;
        let message = match wanted {
            0 => format!("{}: {word}", self.model),
            _ => format!(
                "{}: {word}, {} of {} MB",
                self.model,
                there / 1_000_000,
                wanted / 1_000_000
            ),
        };
        let mut json = json!({ "message": message });
        if let Some(hundredths) = hundredths {
            json["fraction"] = json!(hundredths as f64 / 100.0);
        }
        events.push_back(Event::Other(Ext { kind: KIND.to_owned(), json: json.to_string() }));
    }
}

#[cfg(test)]
mod tests;
