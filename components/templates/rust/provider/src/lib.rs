//! {{description}}.

use hydroid_component::export_provider;
use hydroid_component::provider::{
    Block, Error, Event, EventSource, Features, Model, Provider, Request, Stop,
};
use hydroid_component::types::{ErrorKind, Part};

/// The one model there is.
const MODEL: &str = "echo";

struct Echo;

export_provider!(Echo);

impl Provider for Echo {
    fn models() -> Result<Vec<Model>, Error> {
        Ok(vec![Model {
            id: MODEL.to_owned(),
            name: "Echo".to_owned(),
            context: None,
            max_output: None,
            features: Features::STREAMING,
            options_json: None,
        }])
    }

    fn complete(request: Request) -> Result<Box<dyn EventSource>, Error> {
        if request.model != MODEL {
            let message = format!("there is no model `{}`; the one there is is `{MODEL}`", request.model);
            return Err(Error::new(ErrorKind::NotFound, message));
        }
        let last = request.messages.iter().flat_map(|message| &message.blocks).rev();
        let text = last.filter_map(text).next().unwrap_or_default();
        // A service that streams is an `EventSource` of its own, which reads one piece each time.
        Ok(Box::new(vec![Event::Text(text.to_owned()), Event::Finish(Stop::EndTurn)]))
    }
}

fn text(block: &Block) -> Option<&str> {
    match block {
        Block::Part(Part::Text(text)) => Some(text),
        _ => None,
    }
}
